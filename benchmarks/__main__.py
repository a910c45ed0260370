"""Runs the loops side by side and prints how they compare.

    python -m benchmarks [--rows QUEUE,LOCK] [--loops uvloop,roundel] [--rounds 5]

Every (loop, round) is a process of its own, and the loops of a round follow each other, so
that a change in the machine's mood meets all of them alike.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from . import loops
from .command_line import machine, names
from .footprint import FOOTPRINTS
from .rows import select
from .table import Results, render, shortfalls

ROOT = Path(__file__).parents[1]
PROCESS_TIMEOUT_SECONDS = 300


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Compares roundel with asyncio and uvloop."
    )
    parser.add_argument("--rows", type=names, default=[], help="only rows containing one of these")
    parser.add_argument("--loops", type=names, default=loops.installed(), help="only these loops")
    parser.add_argument("--rounds", type=int, default=5, help="processes per loop (default: 5)")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    parser.add_argument("--check", action="store_true", help="fail when a target is missed")
    arguments = parser.parse_args()
    unknown = set(arguments.loops) - set(loops.MODULES)
    if unknown:
        parser.error(f"no such loop: {', '.join(sorted(unknown))}")
    if arguments.rounds < 1:
        parser.error("at least one round is needed")
    return arguments


def measure(loop: str, wanted: list[str]) -> dict[str, float]:
    """Measures the loop once, in a new process."""
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.measure", loop, *wanted],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=PROCESS_TIMEOUT_SECONDS,
    ).stdout
    return json.loads(output)


def measure_all(chosen: list[str], wanted: list[str], rounds: int) -> Results:
    """Measures the loops in turn, as many times as there are rounds."""
    results: Results = {loop: [] for loop in chosen}
    for number in range(rounds):
        for loop in chosen:
            print(f"\rround {number + 1} of {rounds}: {loop:<16}", end="", file=sys.stderr)
            results[loop].append(measure(loop, wanted))
    print(f"\r{'':40}\r", end="", file=sys.stderr)
    return results


def main() -> int:
    """Measures, prints, and returns the exit status."""
    arguments = parse_arguments()
    rows = select(arguments.rows)
    footprints = [] if arguments.rows else list(FOOTPRINTS)
    wanted = [line.name for line in (*rows, *footprints)]
    results = measure_all(arguments.loops, wanted, arguments.rounds)
    if arguments.json:
        print(json.dumps({"machine": machine(), "rounds": results}, indent=1))
    else:
        print(render(results, rows, footprints))
    missed = shortfalls(results, rows, footprints)
    if arguments.check:
        for line in missed:
            print(line, file=sys.stderr)
    return int(arguments.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
