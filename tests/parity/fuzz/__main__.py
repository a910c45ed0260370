"""Replays single seeds, or looks for one that fails among many."""

import argparse
import sys

from .compare import difference, reference_log
from .program import Writer
from .variants import VARIANTS


def main() -> int:
    """Replays and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="show the program, its log and the differences")
    parser.add_argument("--up-to", type=int, default=1000, help="stop at the first seed that fails")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        print(Writer(arguments.seed).program(), *reference_log(arguments.seed), sep="\n")
        return report(arguments.seed)
    return next((1 for seed in range(arguments.up_to) if report(seed)), 0)


def report(seed: int) -> int:
    """Prints how the variants differ from asyncio and returns how many do."""
    differences = list(filter(None, (difference(seed, variant) for variant in VARIANTS)))
    print(*differences, sep="\n\n", end="\n" if differences else "")
    return len(differences)


if __name__ == "__main__":
    sys.exit(main())
