"""The loops under comparison, each ready to use in a process of its own."""

import asyncio
from collections.abc import Callable
from importlib.util import find_spec

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

# Name in the table → module to import. `roundel` brings its own primitives into asyncio;
# `roundel-loop` leaves asyncio's pure-Python ones in place, as `asyncio.run(...,
# loop_factory=roundel.new_event_loop)` does.
MODULES = {
    "asyncio": "asyncio",
    "uvloop": "uvloop",
    "roundel": "roundel",
    "roundel-loop": "roundel",
}
BASELINE = "uvloop"


def installed() -> list[str]:
    """Returns the names of the loops that this interpreter can import."""
    return [name for name, module in MODULES.items() if find_spec(module)]


def enter(name: str) -> LoopFactory:
    """Imports the loop, arranges asyncio's names for it and returns its factory."""
    if name == "asyncio":
        return asyncio.new_event_loop
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    import roundel

    if name == "roundel":
        roundel.install()
    return roundel.new_event_loop
