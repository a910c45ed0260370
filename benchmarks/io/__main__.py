"""Runs the loops and the C server side by side and prints how they compare.

    python -m benchmarks.io [--rows TCP,STREAMS] [--loops uvloop,roundel] [--rounds 3]

Every measurement is a process of its own. A line's loops follow each other at once, so that a
change in the machine's mood meets all of them alike.
"""

import argparse
import contextlib
import json
import sys
import tempfile

from .. import loops
from ..command_line import machine, names
from . import processes
from .measure import measure
from .row import NATIVE, Line
from .rows import select
from .table import BASES, Results, Table


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.io",
        description="Compares roundel's networking with asyncio's, uvloop's and C's.",
    )
    add = parser.add_argument
    add("--rows", type=names, default=[], help="only rows containing one of these")
    add("--loops", type=names, default=[*loops.installed(), NATIVE], help="only these columns")
    add("--rounds", type=int, default=3, help="measurements of each (default: 3)")
    add("--seconds", type=float, default=0.5, help="of a measurement (default: 0.5)")
    add("--by", choices=BASES, default="rate", help="what ratios are of (default: rate)")
    add("--json", action="store_true", help="print all figures as JSON")
    add("--check", action="store_true", help="fail when a target is missed")
    arguments = parser.parse_args()
    unknown = set(arguments.loops) - {*loops.MODULES, NATIVE}
    if unknown:
        parser.error(f"no such column: {', '.join(sorted(unknown))}")
    if arguments.rounds < 1:
        parser.error("at least one round is needed")
    if not any(select(arguments.rows)):
        parser.error("no such row")
    return arguments


def measure_all(lines: list[Line], arguments: argparse.Namespace) -> Results:
    """Measures each line on each loop, as many times as there are rounds."""
    results: Results = {loop: [{} for _ in range(arguments.rounds)] for loop in arguments.loops}
    for number in range(arguments.rounds):
        for line in lines:
            show(f"round {number + 1} of {arguments.rounds}: {line.name}")
            for loop, rounds in results.items():
                try:
                    figure = measure(line, loop, arguments.seconds)
                except processes.Failed as failure:
                    print(f"\r{line.name} on {loop}: {failure}", file=sys.stderr)
                    continue
                if figure is not None:
                    rounds[number][line.name] = figure
    show("")
    return results


def show(progress: str) -> None:
    """Tells whoever watches how far it is."""
    if sys.stderr.isatty():
        print(f"\r{progress:<60}\r", end="", file=sys.stderr)


def main() -> int:
    """Measures, prints, and returns the exit status."""
    arguments = parse_arguments()
    processes.build()
    rows, idles = select(arguments.rows)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        results = measure_all([*rows, *idles], arguments)
    table = Table(results, arguments.by)
    if arguments.json:
        print(json.dumps({"machine": machine(), "rounds": results}, indent=1))
    else:
        print(table.render(rows, idles))
    missed = table.shortfalls(rows, idles)
    if arguments.check:
        for line in missed:
            print(line, file=sys.stderr)
    return int(arguments.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
