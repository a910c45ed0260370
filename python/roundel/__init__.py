"""asyncio's dispatcher written in Rust.

The module has asyncio's whole public namespace, so that ``import roundel as asyncio`` will do:
native where the extension has its own, asyncio's otherwise. Importing it changes nothing in
asyncio; :func:`install` does, for programs that import asyncio themselves.
"""

import asyncio as _asyncio
import importlib as _importlib
import sys as _sys

from roundel._names import NATIVE as _NATIVE

# Imported when asked for: a program that only wants `roundel.run` pays for nothing else.
_DEFINED_IN = {
    "Deadlock": "roundel._deadlock",
    "BinaryFile": "roundel._binary_file",
    "EventLoop": "roundel._loop",
    "Runner": "roundel._run",
    "TextFile": "roundel._text_file",
    "install": "roundel._install",
    "new_event_loop": "roundel._loop",
    "open": "roundel._open",
    "run": "roundel._run",
    "uninstall": "roundel._install",
}
if _sys.version_info < (3, 16):  # the last with policies is 3.15
    _DEFINED_IN["EventLoopPolicy"] = "roundel._policy"

# `open` is not to be put in the place of Python's own by ``from roundel import *``.
__all__ = sorted({*_asyncio.__all__, *_NATIVE, *_DEFINED_IN, "fs"} - {"open"})

globals().update(_NATIVE)


def __getattr__(name: str) -> object:
    """Finds what is not native: the package's own names, else asyncio's, its submodules too."""
    if module := _DEFINED_IN.get(name):
        value = globals()[name] = getattr(_importlib.import_module(module), name)
        return value
    if name == "fs":
        return _importlib.import_module("roundel.fs")
    if not name.startswith("__"):
        try:
            # Not kept: asyncio's names may be exchanged while the program runs.
            return getattr(_asyncio, name)
        except AttributeError:
            pass
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the package's names and asyncio's."""
    return sorted({*globals(), *__all__, *dir(_asyncio)})
