"""Runs one session after the other; the exit status tells whether all was well."""

import argparse
import itertools
import logging
import os
import resource
import sys
import time

from . import reader, tls

KINDS = {"reader": reader.examine, "tls": tls.examine}
REPORT_SECONDS = 60


def resident_kib():
    """Returns the memory that the process has."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


def describe(count, start):
    """Says how far it has come, and what the process takes."""
    descriptors = len(os.listdir("/proc/self/fd"))
    seconds = time.monotonic() - start
    return f"{count} sessions in {seconds:.0f} s; {resident_kib()} KiB, {descriptors} descriptors"


def main():
    """Reads the command line and goes on until the time, the sessions or the luck is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.python.fuzz", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None, help="the first; each run has its own")
    parser.add_argument("--count", type=int, default=None, help="how many sessions at most")
    arguments = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # writes after the end are meant
    first = time.time_ns() if arguments.seed is None else arguments.seed
    start = reported = time.monotonic()
    count = failed = 0
    for seed in itertools.islice(itertools.count(first), arguments.count):
        if faults := KINDS[arguments.kind](seed):
            failed += 1
            print(f"seed {seed}:", *faults, sep="\n  ", flush=True)
        count += 1
        now = time.monotonic()
        if now - reported > REPORT_SECONDS:
            reported = now
            print(describe(count, start), flush=True)
        if now - start > arguments.seconds:
            break
    print(describe(count, start) + f"; {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
