"""Runs a program on a loop, with the names of a module, and logs all that can be observed."""

import asyncio
import contextvars
import re
from itertools import count
from types import ModuleType

from .operations import OPERATIONS
from .program import EVENTS, FUTURES, LOCKS, Body, Op, Program

ADDRESS = re.compile(r"0x[0-9a-f]+")
NUMBER = re.compile(r"Task-\d+")
# Virtual seconds after which a task that still waits is cancelled.
PATIENCE = 20.0

LogLine = tuple[object, ...]


def describe(error: BaseException) -> str:
    """Returns the error's type and text, with those of the errors that it groups."""
    text = f"{type(error).__name__}({ADDRESS.sub('0x', str(error))})"
    if isinstance(error, BaseExceptionGroup):
        return f"{text}[{', '.join(map(describe, error.exceptions))}]"
    return text


class Run:
    """One run of a program.

    Attributes:
        aio: Where the names come from: asyncio, or roundel in its place.
        group: The class of task groups.
        log: What was observed: when, by which task, at which operation, and what.
    """

    def __init__(self, aio: ModuleType, group: type[asyncio.TaskGroup], program: Program) -> None:
        self.aio = aio
        self.group = group
        self.program = program
        self.log: list[LogLine] = []
        self.variable = contextvars.ContextVar("variable", default=0)
        self.queues = [getattr(aio, kind)(size) for kind, size in program.queues]
        self.semaphores = [getattr(aio, kind)(value) for kind, value in program.semaphores]
        self.locks = [aio.Lock() for _ in range(LOCKS)]
        self.events = [aio.Event() for _ in range(EVENTS)]
        self.condition = aio.Condition()
        self.barrier = aio.Barrier(program.parties)
        self.notified = 0
        self.tasks: list[asyncio.Task[object]] = []
        self.handles: list[asyncio.Handle] = []
        self.timeouts: list[asyncio.Timeout] = []
        self.futures: list[asyncio.Future[object]] = []

    def note(self, what: object, outcome: object = "") -> None:
        """Logs an observation."""
        task = self.aio.current_task()
        who = NUMBER.sub("Task", task.get_name()) if task else "callback"
        now = round(self.loop.time(), 6)
        self.log.append((now, who, what, outcome, self.variable.get()))

    def start(self, body: Body, name: str) -> "asyncio.Task[object]":
        """Makes a task that runs the body."""
        # An eager task runs before it can be listed, so its place is reserved first.
        index = len(self.tasks)
        self.tasks.append(self.main)
        task = self.loop.create_task(self.named(name, body), name=name)
        self.tasks[index] = task
        return task

    async def named(self, name: str, body: Body) -> int:
        """Runs the body in a task whose name an eager start has not given it yet."""
        self.aio.current_task().set_name(name)
        return await self.body(body)

    async def body(self, body: Body) -> int:
        """Runs the operations of a body one after the other."""
        for op in body:
            await self.perform(op)
        return body[-1].number if body else -1

    async def perform(self, op: Op) -> None:
        """Runs an operation and logs how it ended."""
        self.note(op.number, op.name)
        try:
            outcome = await OPERATIONS[op.name](self, op)
        except BaseException as error:
            self.note(op.number, describe(error))
            # What the operation itself refused ends there; failures and cancellation go on.
            if op.bodies or op.name == "fail" or isinstance(error, asyncio.CancelledError):
                raise
        else:
            self.note(op.number, outcome)

    async def run(self) -> None:
        """Runs the program to its end, by force if need be."""
        self.loop = self.aio.get_running_loop()
        self.loop.set_exception_handler(self.handle_exception)
        self.main = self.aio.current_task()
        self.main.set_name("main")
        self.futures = [self.loop.create_future() for _ in range(FUTURES)]
        if self.program.eager:
            self.loop.set_task_factory(self.aio.eager_task_factory)
        for number, body in enumerate(self.program.tasks):
            self.start(body, f"t{number}")
        for number in count():
            pending = [task for task in self.tasks if not task.done()]
            if not pending:
                break
            await self.aio.wait(pending, timeout=PATIENCE)
            self.note("patience", [task.get_name() for task in pending if not task.done()])
            # One after the other, since some wait for others before they give in.
            pending[number % len(pending)].cancel("patience")
        self.note_ends()

    def handle_exception(self, loop: object, context: dict[str, object]) -> None:
        """Logs what no one else takes care of, except what depends on the garbage collector."""
        message = str(context["message"])
        if "never retrieved" not in message:
            error = context.get("exception")
            self.note(ADDRESS.sub("0x", message), error and describe(error))

    def note_ends(self) -> None:
        """Logs the state in which everything was left."""
        for task in self.tasks:
            end = "cancelled" if task.cancelled() else task.exception() or task.result()
            if isinstance(end, BaseException):
                end = describe(end)
            self.note(task.get_name(), (end, task.cancelling()))
        for queue in self.queues:
            self.note("queue", (queue.qsize(), queue.empty(), queue.full()))
        for future in self.futures:
            self.note("future", (future.done(), future.cancelled()))
            if future.done() and not future.cancelled():
                future.exception()
        guards = (*self.locks, *self.semaphores, self.condition)
        self.note("locked", [guard.locked() for guard in guards])
        self.note("set", [event.is_set() for event in self.events])
        self.note("barrier", (self.barrier.n_waiting, self.barrier.broken))
