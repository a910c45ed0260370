"""The event loop policy, for versions of asyncio that still have policies (up to 3.15)."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from roundel._loop import new_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.version_info >= (3, 14):  # where the public name warns
    from asyncio.unix_events import _DefaultEventLoopPolicy
else:
    _DefaultEventLoopPolicy = asyncio.DefaultEventLoopPolicy


class EventLoopPolicy(_DefaultEventLoopPolicy):
    """asyncio's default policy, but that its loops are roundel's.

    Args:
        loop_factory: Makes the loops, if they are to be made with other than the usual options.
    """

    def __init__(
        self, loop_factory: Callable[[], asyncio.AbstractEventLoop] = new_event_loop
    ) -> None:
        super().__init__()
        self._make_loop = loop_factory

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Makes an event loop."""
        return self._make_loop()
