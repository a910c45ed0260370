"""Blocking calls that an event loop of roundel's makes in a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from roundel import _roundel

if TYPE_CHECKING:
    from collections.abc import Callable

    from roundel._loop import EventLoop

_T = TypeVar("_T")
_P = ParamSpec("_P")


def running_loop() -> EventLoop:
    """Returns the event loop that runs.

    Raises:
        RuntimeError: There is none, or it is not roundel's.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, _roundel.EventLoop):
        raise RuntimeError(f"roundel's files need roundel's event loop, not {loop!r}")
    return loop  # type: ignore[return-value]


async def in_thread(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Calls a function in a thread of the loop's default executor."""
    return await running_loop().run_in_executor(None, lambda: function(*args, **kwargs))
