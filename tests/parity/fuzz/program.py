"""Random programs, as trees that can be run on any event loop and printed.

A program is a few tasks over shared queues, locks and so on. Every operation occurs once,
and every delay is drawn afresh: no two timers fall due at the same moment, which would
leave their order to the heap.
"""

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True)
class Op:
    """One operation: what to do, with which arguments, around which bodies."""

    number: int
    name: str
    args: tuple[object, ...] = ()
    bodies: tuple["Body", ...] = ()


Body = tuple[Op, ...]


@dataclass(frozen=True)
class Program:
    """Tasks and what they share."""

    seed: int
    queues: tuple[tuple[str, int], ...]
    semaphores: tuple[tuple[str, int], ...]
    parties: int
    eager: bool
    tasks: tuple[Body, ...]

    def __str__(self) -> str:
        head = (
            f"seed {self.seed}, queues {self.queues}, semaphores {self.semaphores}, "
            f"barrier of {self.parties}{', eager' if self.eager else ''}"
        )
        lines = [head]
        for number, body in enumerate(self.tasks):
            lines.append(f"task t{number}:")
            lines += _lines(body, 1)
        return "\n".join(lines)


def _lines(body: Body, depth: int) -> list[str]:
    lines = []
    for op in body:
        lines.append(f"{'    ' * depth}{op.number:3} {op.name} {' '.join(map(str, op.args))}")
        for number, inner in enumerate(op.bodies):
            if number:
                lines.append(f"{'    ' * depth}    and")
            lines += _lines(inner, depth + 1)
    return lines


# How many there are of what the programs share.
LOCKS = EVENTS = 2
FUTURES = 3

QUEUES = ("Queue", "Queue", "LifoQueue", "PriorityQueue")
SEMAPHORES = ("Semaphore", "BoundedSemaphore")
RETURN_WHEN = ("FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED")


class Writer:
    """Writes one program; the same seed writes the same program on the same Python."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.numbers = count()
        self.budget = 0
        self.eager = sys.version_info >= (3, 12) and self.random.random() < 0.15

    def program(self) -> Program:
        """Writes the program."""
        draw = self.random
        self.budget = draw.randint(20, 160)
        queues = tuple((draw.choice(QUEUES), draw.choice((0, 1, 1, 2))) for _ in range(3))
        semaphores = tuple((kind, draw.randint(0, 2)) for kind in SEMAPHORES)
        parties = draw.randint(1, 3)
        tasks = tuple(self.body(0) for _ in range(draw.randint(2, 9)))
        return Program(self.seed, queues, semaphores, parties, self.eager, tasks)

    def body(self, depth: int) -> Body:
        """Writes a sequence of operations."""
        wanted = self.random.randint(1, 8 - 2 * depth)
        return tuple(self.op(depth) for _ in range(wanted))

    def bodies(self, depth: int, most: int) -> tuple[Body, ...]:
        """Writes several sequences, for operations that run them side by side."""
        return tuple(self.body(depth + 1) for _ in range(self.random.randint(1, most)))

    def op(self, depth: int) -> Op:
        """Writes one operation, with bodies while the budget lasts."""
        self.budget -= 1
        number = next(self.numbers)
        if depth < 3 and self.budget > 0 and self.random.random() < 0.4:
            name, arguments, most = self.pick(COMPOUND_EAGER if self.eager else COMPOUND)
            return Op(number, name, arguments(self), self.bodies(depth, most))
        name, arguments, _ = self.pick(SIMPLE)
        return Op(number, name, arguments(self))

    def pick(self, table: "Table") -> tuple[str, "Arguments", int]:
        """Draws a line of the table by its weight."""
        line = self.random.choices(table, weights=[weight for weight, *_ in table])[0]
        return line[1:]

    def delay(self) -> float:
        """Draws a delay that no other timer shares."""
        return self.random.randrange(1, 3_000_000_000) / 1e9

    def limit(self) -> float:
        """Draws a time limit, which may have passed already."""
        return self.random.choice((0, -1)) if self.random.random() < 0.1 else self.delay()

    def index(self, size: int) -> int:
        """Draws one of the things that the tasks share."""
        return self.random.randrange(size)

    def coin(self) -> bool:
        """Draws a yes or no."""
        return self.random.random() < 0.5


Arguments = Callable[[Writer], tuple[object, ...]]
Table = list[tuple[float, str, Arguments, int]]


def _none(_: Writer) -> tuple[object, ...]:
    return ()


def _queue(writer: Writer) -> tuple[object, ...]:
    return (writer.index(3),)


def _item(writer: Writer) -> tuple[object, ...]:
    return (writer.index(3), writer.index(1000))


def _pair(writer: Writer) -> tuple[object, ...]:
    return (writer.index(2),)


def _future(writer: Writer) -> tuple[object, ...]:
    return (writer.index(FUTURES),)


def _task(writer: Writer) -> tuple[object, ...]:
    return (writer.index(20),)


def _delay(writer: Writer) -> tuple[object, ...]:
    return (writer.delay(),)


def _limit(writer: Writer) -> tuple[object, ...]:
    return (writer.limit(),)


def _maybe_limit(writer: Writer) -> tuple[object, ...]:
    return (writer.delay() if writer.coin() else None,)


def _coin(writer: Writer) -> tuple[object, ...]:
    return (writer.coin(),)


def _coins(writer: Writer) -> tuple[object, ...]:
    return (writer.coin(), writer.coin())


def _wait(writer: Writer) -> tuple[object, ...]:
    tasks = tuple(writer.index(20) for _ in range(writer.random.randint(1, 3)))
    return (tasks, writer.random.choice(RETURN_WHEN), writer.delay())


# Weight, name, arguments, and the most bodies it may have.
SIMPLE: Table = [
    (6, "pause", _none, 0),
    (5, "sleep", _delay, 0),
    (7, "put", _item, 0),
    (7, "get", _queue, 0),
    (1.5, "put_nowait", _item, 0),
    (1.5, "get_nowait", _queue, 0),
    (2, "task_done", _queue, 0),
    (1, "join", _queue, 0),
    (3, "event_wait", _pair, 0),
    (3, "event_set", _pair, 0),
    (1, "event_clear", _pair, 0),
    (1, "semaphore_release", _pair, 0),
    (2, "condition_notify", _task, 0),
    (1, "condition_notify_all", _none, 0),
    (2, "barrier_wait", _none, 0),
    (0.2, "barrier_abort", _none, 0),
    (0.2, "barrier_reset", _none, 0),
    (2, "future_await", _future, 0),
    (2, "future_set", _future, 0),
    (0.7, "future_fail", _future, 0),
    (0.7, "future_cancel", _future, 0),
    (0.7, "future_renew", _future, 0),
    (1, "future_callback", _future, 0),
    (1, "call_soon", _none, 0),
    (1, "call_later", _delay, 0),
    (0.7, "handle_cancel", _task, 0),
    (3, "cancel", _task, 0),
    (0.7, "task_callback", _task, 0),
    (1, "fail", _none, 0),
    (1.5, "wait", _wait, 0),
    (1, "set_variable", _none, 0),
    (0.7, "reschedule", _maybe_limit, 0),
]
COMPOUND: Table = [
    (4, "lock", _pair, 1),
    (3, "semaphore", _pair, 1),
    (1, "condition", _none, 1),
    (4, "timeout", _limit, 1),
    (3, "guard", _coins, 1),
    (2, "cleanup", _none, 2),
    (3, "spawn", _none, 3),
    (2, "spawn_and_await", _none, 1),
    (3, "gather", _coin, 3),
    (2, "shield", _none, 1),
]
GROUP = (3, "group", _none, 3)
# Before 3.12, wait_for could hide a cancellation.
if sys.version_info >= (3, 12):
    COMPOUND.append((3, "wait_for", _limit, 1))
COMPOUND_EAGER = COMPOUND.copy()
# Before 3.14, an eager task that failed at once cancelled the task around its group too early.
if sys.version_info >= (3, 14):
    COMPOUND_EAGER.append(GROUP)
# Not for eager tasks: those that are done already are completed in the order of a set.
COMPOUND.append((1, "as_completed", _maybe_limit, 3))
# Before 3.13, a group that cancelled the task around it did not take that back in the end.
if sys.version_info >= (3, 13):
    COMPOUND.append(GROUP)
    # Nor did uncancel take back a cancellation that the task had not met yet.
    SIMPLE.append((0.5, "uncancel", _none, 0))
    # Nor did a condition's waiter that was cancelled pass its notification on.
    SIMPLE += [(2, "condition_wait", _none, 0), (1, "condition_wait_for", _pair, 0)]
    SIMPLE.append((0.3, "shutdown", lambda writer: (writer.index(3), writer.coin()), 0))
