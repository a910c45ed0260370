"""Makes `asyncio.all_tasks()` see native tasks.

asyncio keeps the tasks that are not its own in a `WeakSet`. Entering every task there would cost
more than making it, so the set is given a class of ours whose iteration also yields the pending
tasks of the open loops, which know them. That is done when a loop is made, and adds nothing where
there are no native tasks.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roundel._loop import EventLoop

    _Task = asyncio.Task[object]

open_loops: weakref.WeakSet[EventLoop] = weakref.WeakSet()
"""The loops that are not collected yet; closed ones have no pending tasks."""


class TaskSet(weakref.WeakSet["_Task"]):
    """asyncio's set of foreign tasks, and the native ones."""

    def __iter__(self) -> Iterator[_Task]:
        yield from super().__iter__()
        for loop in tuple(open_loops):
            yield from loop._tasks()


def enter(loop: EventLoop) -> None:
    """Has `asyncio.all_tasks()` also yield a loop's native tasks."""
    if not open_loops:
        tasks = _foreign_tasks()
        if tasks is not None:
            tasks.__class__ = TaskSet
    open_loops.add(loop)


def _foreign_tasks() -> weakref.WeakSet[_Task] | None:
    """Finds asyncio's set: its name changes, and from 3.14 on it is part of a module's state."""
    found: weakref.WeakSet[_Task] | None
    if sys.version_info < (3, 12):
        found = asyncio.tasks._all_tasks  # type: ignore[attr-defined]
    elif sys.version_info < (3, 14):
        found = asyncio.tasks._scheduled_tasks  # type: ignore[attr-defined]
    else:
        import _asyncio

        sets = (part for part in gc.get_referents(_asyncio) if type(part) is weakref.WeakSet)
        found = next(sets, None)
    return found
