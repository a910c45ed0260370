"""Telling a deadlock from a wait, and who waits for what."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import types
from asyncio import taskgroups
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from roundel._loop import EventLoop

    _Task = asyncio.Task[object]
    _Notifiers = defaultdict[int, list[_Task]]

_LINES_AT_MOST = 50
# What holds a suspended frame, and what it awaits.
_SUSPENDED = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))
_NOT_THE_PROGRAMS = (os.path.dirname(asyncio.__file__), os.path.dirname(__file__))


@dataclass(frozen=True, slots=True)
class BlockedTask:
    """One task of a `Deadlock`.

    Attributes:
        task: The task itself.
        coroutine: The qualified name of its coroutine.
        place: File, line and function where the program's own code is suspended, if known.
        awaited: What the task awaits: a future, a task, or an awaitable of roundel's.
        operation: What it asks for, like ``"get"``, if of a queue, a lock, an event…
        owner: That queue, lock, event…
        waits_for: The tasks without which it cannot go on: those it awaits, or a lock's holder.
    """

    task: _Task
    coroutine: str
    place: tuple[str, int, str] | None
    awaited: object
    operation: str | None
    owner: object
    waits_for: tuple[_Task, ...]

    def __str__(self) -> str:
        place = " at {}:{} in {}".format(*self.place) if self.place else ""
        return f"{self.task.get_name()}: {self.coroutine}(){place} awaits {self._awaits()}"

    def _awaits(self) -> str:
        names = ", ".join(task.get_name() for task in self.waits_for)
        if self.operation is None or self.owner is None:
            return names or repr(self.awaited)
        held = f", held by {names}" if names else ""
        return f"{self.operation}() of {self.owner!r}{held}"


class Deadlock(RuntimeError):  # noqa: N818  # as KeyboardInterrupt, no fault of one statement
    """Nothing can wake the loop any more: no callback, no timer, no I/O, no thread, no signal.

    Attributes:
        tasks: The tasks that wait for good, each as a `BlockedTask`.
        cycles: The rings of tasks that wait for each other, each as a tuple of tasks.
    """

    __module__ = "roundel"

    def __init__(self, tasks: tuple[BlockedTask, ...]) -> None:
        self.tasks = tasks
        self.cycles = tuple(_cycles({each.task: each.waits_for for each in tasks}))
        super().__init__("\n  ".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        count = len(self.tasks)
        wait = "1 task waits" if count == 1 else f"{count or 'no'} tasks wait"
        yield f"nothing can wake the loop any more, {wait} for good"
        yield from map(str, islice(self.tasks, _LINES_AT_MOST))
        if count > _LINES_AT_MOST:
            yield f"and {count - _LINES_AT_MOST} more"
        for cycle in self.cycles:
            names = " → ".join(task.get_name() for task in (*cycle, cycle[0]))
            yield f"waiting for each other: {names}"


def check(loop: EventLoop) -> None:
    """Finds out whether a loop that has nothing left to wait for is stuck.

    Raises:
        Deadlock: It is.
    """
    if loop._signal_handlers or _other_thread_works():
        return
    native = loop._tasks()
    tasks = [*native, *asyncio.all_tasks(loop).difference(native)]
    notifiers = _notifiers(tasks)
    raise Deadlock(tuple(_blocked(task, notifiers) for task in tasks))


def _other_thread_works() -> bool:
    """Tells whether there is another thread, not counting pool threads without work."""
    me = threading.get_ident()
    frames = sys._current_frames()
    return any(thread != me and not _is_idle_pool_thread(frames[thread]) for thread in frames)


def _is_idle_pool_thread(frame: types.FrameType) -> bool:
    # Its innermost frame is then `concurrent.futures.thread._worker`, on 3.11 to 3.15. The module
    # is not imported here: if it was not needed so far, there are no such threads.
    thread_pool = sys.modules.get("concurrent.futures.thread")
    return thread_pool is not None and frame.f_code is thread_pool._worker.__code__


def _blocked(task: _Task, notifiers: _Notifiers) -> BlockedTask:
    coroutine = task.get_coro()
    frames = list(_frames(coroutine))
    awaited = getattr(task, "_fut_waiter", None)
    operation, owner = getattr(awaited, "_operation", None), getattr(awaited, "_owner", None)
    holder = getattr(owner, "_holder", None)
    if holder is not None:
        waits_for = {holder: None}
    else:
        waits_for = dict.fromkeys(_awaited_tasks(awaited, frames))
        waits_for |= dict.fromkeys(notifiers[id(awaited)] + notifiers[id(owner)])
        if waits_for:
            operation = owner = None
        elif operation is None:
            operation, owner = _asyncios_operation(frames)
    return BlockedTask(
        task,
        getattr(coroutine, "__qualname__", type(coroutine).__name__),
        _place(frames),
        awaited,
        operation,
        owner,
        tuple(other for other in waits_for if not other.done()),
    )


def _frames(awaitable: object) -> Iterator[types.FrameType]:
    """Yields the frames of a suspended coroutine, outermost first."""
    while awaitable is not None:
        for frame_name, awaited_name in _SUSPENDED:
            if hasattr(awaitable, awaited_name):
                frame = getattr(awaitable, frame_name, None)
                awaitable = getattr(awaitable, awaited_name)
                break
        else:
            # One step of an asynchronous generator does not name the generator otherwise.
            referents = gc.get_referents(awaitable)
            agens = (each for each in referents if isinstance(each, types.AsyncGeneratorType))
            frame, awaitable = None, next(agens, None)
        if frame is not None:
            yield frame


def _place(frames: list[types.FrameType]) -> tuple[str, int, str] | None:
    for frame in reversed(frames):
        if _is_programs(frame):
            return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname
    return None


def _is_programs(frame: types.FrameType) -> bool:
    return not frame.f_code.co_filename.startswith(_NOT_THE_PROGRAMS)


def _asyncios_operation(frames: list[types.FrameType]) -> tuple[str | None, object]:
    """Finds the method of asyncio's own queue, lock, stream… that the program has called."""
    operation: tuple[str | None, object] = None, None
    for frame in takewhile(lambda frame: not _is_programs(frame), reversed(frames)):
        if "self" in frame.f_locals:
            operation = frame.f_code.co_name, frame.f_locals["self"]
    return operation


def _awaited_tasks(awaited: object, frames: list[types.FrameType]) -> Iterator[_Task]:
    """Yields the tasks that somebody awaits by asyncio's own means."""
    if hasattr(awaited, "get_coro"):
        yield cast("_Task", awaited)
    for child in getattr(awaited, "_children", ()):  # gather's
        yield from _awaited_tasks(child, [])
    for frame in frames:
        # TaskGroup awaits a future that says nothing of its tasks.
        group = frame.f_locals.get("self")
        if isinstance(group, taskgroups.TaskGroup):
            yield from group._tasks


def _notifiers(tasks: list[_Task]) -> _Notifiers:
    """Maps the identity of what can be awaited to the native tasks that report their end to it.

    Each native task refers to its callbacks, and these to what they serve: a gathering, a task
    group and the future that it awaits, a `wait`… As the garbage collector sees it, so do we.
    """
    notifiers: _Notifiers = defaultdict(list)
    for task in tasks:
        to_visit: list[object] = [
            callback for callback, _ in getattr(task, "_callbacks", None) or ()
        ]
        seen = set()
        while to_visit:
            each = to_visit.pop()
            if each is None or id(each) in seen or hasattr(each, "get_coro"):
                continue
            seen.add(id(each))
            notifiers[id(each)].append(task)
            if type(each).__module__ == "roundel":
                to_visit += gc.get_referents(each)
    return notifiers


def _cycles(waits_for: Mapping[_Task, tuple[_Task, ...]]) -> Iterator[tuple[_Task, ...]]:
    finished = set()
    for start in waits_for:
        path: dict[_Task, None] = {}
        to_visit = [iter((start,))]
        while to_visit:
            task = next(to_visit[-1], None)
            if task is None:
                to_visit.pop()
                if path:
                    finished.add(path.popitem()[0])
            elif task in path:
                yield tuple(path)[list(path).index(task) :]
            elif task not in finished:
                path[task] = None
                to_visit.append(iter(waits_for.get(task, ())))
