"""Who awaits a future, as `asyncio.capture_call_graph()` asks (CPython 3.14 and newer).

asyncio's own tasks enter themselves wherever they begin to wait and take themselves out again.
Ours pay nothing for a question that is rarely asked: it is answered from what the future will call
when it is done, and from what each task of its loop waits for.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import types
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Future = asyncio.Future[object]
    _Task = asyncio.Task[object]

# A shield's outer future tells the inner one that nobody listens any more, not that it is done.
_TELLS_NOBODY = "shield.<locals>._outer_done_callback"
# Where asyncio's own callbacks and task groups keep the task on behalf of which they wait.
_ON_BEHALF = ("_parent_task", "_cur_task", "cur_task")


def awaiting(future: _Future) -> set[_Task]:
    """Finds the tasks that cannot go on before a future is done.

    Those that await it, alone or with others by `gather`, `wait`, `shield`, `as_completed`…, and
    the one whose task group it belongs to.
    """
    if future.done():
        return set()
    heard: dict[int, object] = {id(future): future}  # the future, and what hears of its end
    candidates = set(asyncio.all_tasks(future.get_loop()))
    found = set()
    to_visit: list[object] = [future]
    while to_visit:
        for callback in _callbacks(to_visit.pop()):
            for each in _served(callback):
                if _is_task(each):
                    candidates.add(cast("_Task", each))
                elif id(each) not in heard:
                    heard[id(each)] = each
                    to_visit.append(each)
                    found |= _on_behalf_of(each)
    for task in candidates:
        awaited = getattr(task, "_fut_waiter", None)
        if id(awaited) in heard or id(getattr(awaited, "_owner", None)) in heard:
            found.add(task)
    # The functions that draw the graph take no others: not asyncio's tasks in pure Python.
    return {task for task in found if task is not future and isinstance(task, asyncio.Future)}


def _is_task(each: object) -> bool:
    return hasattr(each, "get_coro")


def _callbacks(future: object) -> Iterator[object]:
    for callback, _ in getattr(future, "_callbacks", None) or ():
        yield callback


def _served(callback: object) -> Iterator[object]:
    """Yields what a callback is called for: a task, or an object that other tasks wait for."""
    if isinstance(callback, types.MethodType | types.BuiltinMethodType):
        yield callback.__self__
    elif isinstance(callback, functools.partial):
        yield from callback.args
    elif isinstance(callback, types.FunctionType):
        if callback.__module__.startswith("asyncio."):
            yield callback
    elif type(callback).__module__ == "roundel" and _name(callback) != _TELLS_NOBODY:
        yield from gc.get_referents(callback)


def _name(callback: object) -> str:
    return getattr(callback, "__qualname__", "")


def _on_behalf_of(each: object) -> set[_Task]:
    """Finds the task that a group or a function of asyncio's waits for."""
    if isinstance(each, types.FunctionType):
        parameters = inspect.signature(each).parameters
        held = {name: parameter.default for name, parameter in parameters.items()}
        held.update(inspect.getclosurevars(each).nonlocals)
        if getattr(held.get("outer"), "done", bool)():
            return set()  # a gathering that has failed waits no more
        tasks = [held.get(name) for name in _ON_BEHALF]
    else:
        tasks = [getattr(each, name, None) for name in _ON_BEHALF]
    return {cast("_Task", task) for task in tasks if task is not None}
