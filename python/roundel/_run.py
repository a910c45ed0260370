"""Running a main coroutine: `asyncio.run` and `asyncio.Runner` on roundel's loop."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Literal, TypeVar

from roundel._loop import EventLoop

_T = TypeVar("_T")

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Awaitable, Callable, Coroutine

    if sys.version_info >= (3, 14):
        _Main = Awaitable[_T]
    else:
        _Main = Coroutine[object, object, _T]


class Runner(asyncio.Runner):  # type: ignore[misc]  # final for type checkers alone
    """asyncio's Runner, whose loop is roundel's unless a factory makes another.

    Args:
        debug: Whether the loop is in debug mode; None leaves it as asyncio's environment says.
        loop_factory: Makes the loop. It excludes the arguments that follow, which are those of
            `EventLoop`.
        clock: ``"monotonic"`` or ``"virtual"``.
        order: None, or the seed of a random order. A seed that led to a failure is printed.
        detect_deadlock: Whether to raise `Deadlock` on the monotonic clock, too.

    Raises:
        ValueError: Both a factory and arguments for the loop were given.
    """

    def __init__(
        self,
        *,
        debug: bool | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        clock: Literal["monotonic", "virtual"] = "monotonic",
        order: int | None = None,
        detect_deadlock: bool = False,
    ) -> None:
        self._order = order
        self._clock = clock
        self._detect_deadlock = detect_deadlock
        if loop_factory is None:
            loop_factory = self._make_loop
        elif clock != "monotonic" or order is not None or detect_deadlock:
            raise ValueError("clock, order and detect_deadlock are the loop_factory's to choose")
        super().__init__(debug=debug, loop_factory=loop_factory)

    def _make_loop(self) -> EventLoop:
        loop = EventLoop(self._clock, self._order, detect_deadlock=self._detect_deadlock)
        # As a Runner without a factory does: the loop is this thread's until the Runner closes,
        # which its base does when it finds this (private) attribute true.
        asyncio.set_event_loop(loop)
        self._set_event_loop = True
        return loop

    def run(self, coro: _Main[_T], *, context: contextvars.Context | None = None) -> _T:
        """Runs a coroutine and returns its result, as asyncio's Runner does."""
        try:
            return super().run(coro, context=context)
        except BaseException as error:
            if self._order is not None and is_failure(error):
                print_seed(f"order={self._order}")
            raise


def run(
    main: _Main[_T],
    *,
    debug: bool | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    clock: Literal["monotonic", "virtual"] = "monotonic",
    order: int | None = None,
    detect_deadlock: bool = False,
) -> _T:
    """Runs a main coroutine on a loop of its own and returns its result, as `asyncio.run` does.

    Args:
        main: The coroutine.
        debug: As for `Runner`, like all that follow.
        loop_factory: Makes the loop.
        clock: ``"monotonic"`` or ``"virtual"``.
        order: None, or the seed of a random order.
        detect_deadlock: Whether to raise `Deadlock` on the monotonic clock, too.

    Raises:
        RuntimeError: A loop runs in this thread already.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")
    with Runner(
        debug=debug,
        loop_factory=loop_factory,
        clock=clock,
        order=order,
        detect_deadlock=detect_deadlock,
    ) as runner:
        return runner.run(main)


def is_failure(error: BaseException) -> bool:
    """Tells an error from a program's way to end well."""
    return not (isinstance(error, SystemExit) and error.code in (None, 0))


def print_seed(argument: str) -> None:
    """Tells the user of a program that failed under a seed how to see the same again."""
    print(f"roundel: {argument} gives this interleaving again", file=sys.stderr)
