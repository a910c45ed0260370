"""The command line: runs an unmodified asyncio program on roundel."""

from __future__ import annotations

import argparse
import builtins
import functools
import io
import os
import pkgutil
import random
import runpy
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from roundel._install import install
from roundel._run import is_failure, print_seed

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGE = os.path.dirname(__file__)


def main() -> None:
    """Runs the program that the command line names."""
    options = _parse_arguments()
    install(
        clock="virtual" if options.virtual_time else "monotonic",
        order=options.order,
        detect_deadlock=options.detect_deadlock,
        debug=options.debug,
    )
    try:
        if options.module:
            _run_module(*options.module)
        else:
            _run_file(*options.program)
    except BaseException as error:
        # The interpreter then ends as it would have without us, but shows the program's frames
        # alone.
        sys.excepthook = functools.partial(_report, sys.excepthook)
        if options.order is not None and is_failure(error):
            print_seed(f"--order {options.order}")
        raise


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m roundel",
        usage="%(prog)s [options] (program.py | -m module) [arguments ...]",
        description="Run an asyncio program, unmodified, on roundel.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--virtual-time",
        action="store_true",
        help="let time jump to the next deadline whenever there is nothing to do",
    )
    parser.add_argument(
        "--order",
        type=_seed,
        metavar="SEED",
        help="let tasks that are ready together take turns in the random order of this seed, a "
        "whole number or 'random'; if the program fails, the seed is printed",
    )
    parser.add_argument("--debug", action="store_true", help="make loops in asyncio's debug mode")
    parser.add_argument(
        "--detect-deadlock",
        action="store_true",
        help="raise roundel.Deadlock when nothing can wake the program any more "
        "(on virtual time that is done in any case)",
    )
    parser.add_argument(
        "-m", dest="module", nargs=argparse.REMAINDER, help="run a module, as python -m does"
    )
    parser.add_argument("program", nargs=argparse.REMAINDER, help="a program and its arguments")
    options = parser.parse_args()
    if not options.module and not options.program:
        parser.error("there is no program to run")
    return options


def _seed(text: str) -> int:
    if text == "random":
        return random.SystemRandom().getrandbits(32)  # one that is quickly typed
    if text.isdecimal() and int(text) < 1 << 63:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a seed below 2**63 nor 'random'")


def _run_module(name: str, *arguments: str) -> None:
    """Runs a module as ``python -m name`` does."""
    _make_main()
    sys.argv = ["-m", *arguments]
    # Private, but it is what the interpreter itself calls; the public run_module undoes
    # sys.modules and sys.argv while threads and exit handlers of the module may still want them.
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def _run_file(path: str, *arguments: str) -> None:
    """Runs a file, or a folder or archive with a __main__, as ``python path`` does."""
    namespace = _make_main()
    sys.argv = [path, *arguments]
    path = os.path.join(os.getcwd(), path)
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder: python -m puts it there, python path does not
    if pkgutil.get_importer(path) is not None:
        sys.path.insert(0, path)
        runpy._run_module_as_main("__main__", alter_argv=False)  # type: ignore[attr-defined]
        return
    if not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    namespace.update(__file__=path, __loader__=SourceFileLoader("__main__", path))
    exec(compile(_read(path), path, "exec", dont_inherit=True), namespace)


def _make_main() -> dict[str, object]:
    """Puts a new module in our own's place, for the program to be, and returns its namespace."""
    sys.modules["__main__"] = ModuleType("__main__")
    namespace = vars(sys.modules["__main__"])
    namespace["__builtins__"] = builtins
    return namespace


def _read(path: str) -> bytes:
    try:
        with io.open_code(path) as file:
            return file.read()
    except OSError as error:
        print(f"roundel: can't open file {path!r}: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None


def _report(
    hook: Callable[[type[BaseException], BaseException, TracebackType | None], object],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    """Shows an uncaught exception by the program's excepthook, without the frames around it."""
    traceback = _programs_frames(traceback)
    hook(kind, error.with_traceback(traceback), traceback)


def _programs_frames(traceback: TracebackType | None) -> TracebackType | None:
    inside = False
    frames = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            inside = True
        elif inside:  # not the interpreter's way to us
            frames.append(traceback)
        traceback = traceback.tb_next
    for frame in reversed(frames):
        traceback = TracebackType(traceback, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return traceback


if __name__ == "__main__":
    main()
