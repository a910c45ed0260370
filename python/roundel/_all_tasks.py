"""Makes `asyncio.all_tasks()` see native tasks.

asyncio keeps the tasks that are not its own in a `WeakSet`. Entering every task there would cost
more than making it, so the set is given a class of ours whose iteration also yields the pending
tasks of the open loops, which know them. That is done when the first loop is made, and adds
nothing where there are no native tasks.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    _Task = asyncio.Task[object]


def adopt(native_tasks: Callable[[], Iterator[_Task]]) -> None:
    """Has `asyncio.all_tasks()` also yield what `native_tasks` does."""

    class TaskSet(weakref.WeakSet["_Task"]):
        """asyncio's set of foreign tasks, and the native ones."""

        def __iter__(self) -> Iterator[_Task]:
            yield from super().__iter__()
            yield from native_tasks()

    tasks = _foreign_tasks()
    if tasks is not None:
        tasks.__class__ = TaskSet


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
