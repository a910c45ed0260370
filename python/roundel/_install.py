"""Exchanging asyncio's names for roundel's, so that programs which import asyncio get them."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from roundel._loop import EventLoop
from roundel._names import NATIVE
from roundel._subprocess import SubprocessStreamProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable

# asyncio's own StreamWriter takes only readers that are instances of what this module has by the
# name, and libraries may have bound all three classes before.
_KEPT = {("asyncio.streams", "StreamReader")}
# Private to asyncio.events on 3.11 to 3.15. The public functions would warn, or make a policy
# where there was none.
_POLICY = "_event_loop_policy"


class _Options(NamedTuple):
    clock: Literal["monotonic", "virtual"]
    order: int | None
    detect_deadlock: bool
    debug: bool


class _InstalledEventLoop(EventLoop):
    """roundel's loop with the options of an `install`."""

    options: ClassVar[_Options]

    def __init__(self) -> None:
        clock, order, detect_deadlock, debug = self.options
        super().__init__(clock, order, detect_deadlock=detect_deadlock)
        if debug:
            self.set_debug(True)


class _Exchange(NamedTuple):
    name: str
    before: object
    after: object


_installed: list[list[_Exchange]] = []
_lock = threading.Lock()


def install(
    *,
    clock: Literal["monotonic", "virtual"] = "monotonic",
    order: int | None = None,
    detect_deadlock: bool = False,
    debug: bool = False,
) -> None:
    """Exchanges asyncio's names for roundel's, in asyncio and in its submodules.

    From then on `asyncio.run`, `asyncio.Runner`, `asyncio.new_event_loop` and `asyncio.EventLoop`
    make roundel's loop, and `asyncio.Queue` and all else that is native are roundel's for every
    library that looks them up there. What was imported before stays what it was, and so does
    `asyncio.SelectorEventLoop`, for those who want a selector.

    It may be called again, with other options, too; each call wants an `uninstall` of its own.

    Args:
        clock: The loops' clock, as for `EventLoop`.
        order: The seed of the loops' order.
        detect_deadlock: Whether the loops raise `Deadlock` on the monotonic clock, too.
        debug: Whether the loops are made in debug mode.
    """
    options = _Options(clock, order, detect_deadlock, debug)
    loop_class = type("EventLoop", (_InstalledEventLoop,), {"options": options})
    names: dict[str, object] = {
        **NATIVE,
        "EventLoop": loop_class,
        "SubprocessStreamProtocol": SubprocessStreamProtocol,
    }
    if hasattr(asyncio.events, _POLICY):
        from roundel._policy import EventLoopPolicy

        names[_POLICY] = EventLoopPolicy(loop_class)
    with _lock:
        originals = {**vars(asyncio.events), **vars(asyncio.subprocess), **vars(asyncio)}
        exchanges = [
            _Exchange(name, originals[name], after)
            for name, after in names.items()
            if originals.get(name, after) is not after
        ]
        _exchange(exchanges)
        _installed.append(exchanges)


def uninstall() -> None:
    """Undoes the last `install`; does nothing if there is none.

    What others have put in a name's place meanwhile stays there.
    """
    with _lock:
        if _installed:
            exchanges = _installed.pop()
            _exchange(_Exchange(name, after, before) for name, before, after in exchanges)


def _exchange(exchanges: Iterable[_Exchange]) -> None:
    exchanges = list(exchanges)
    for module_name, module in list(sys.modules.items()):
        if module_name == "asyncio" or module_name.startswith("asyncio."):
            for name, before, after in exchanges:
                if vars(module).get(name) is before and (module_name, name) not in _KEPT:
                    setattr(module, name, after)
