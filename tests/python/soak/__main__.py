"""Lets many clients talk to a server for a while and prints, as JSON, whether all was well."""

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import sys
import time

import roundel

from .clients import Clients
from .server import Server, start

FAILURES = (OSError, EOFError)


def resident_kib():
    """Returns the memory that the process has."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


async def sample(end, seconds):
    """Returns how much memory there was at most in each quarter of the time but the first."""
    peaks = []
    for quarter in range(1, 5):
        peak, until = resident_kib(), end - seconds * (4 - quarter) / 4
        while time.monotonic() < until:
            await asyncio.sleep(0.05)
            peak = max(peak, resident_kib())
        peaks.append(peak)
    return peaks[1:]


async def soak(count, seconds, seed):
    """Has that many clients sessions until the time is over; returns the report."""
    loop, server = asyncio.get_running_loop(), Server()
    handled = []
    loop.set_exception_handler(lambda _, context: handled.append(str(context)))
    listening, port = await start(server)
    clients = Clients(port, random.Random(seed))
    end = time.monotonic() + seconds

    async def live(number):
        kind = Clients.KINDS[number % len(Clients.KINDS)]
        while time.monotonic() < end:
            try:
                await clients.session(kind)
            except FAILURES as failure:
                clients.complaints.append(f"a {kind} client: {failure!r}")

    sampling = loop.create_task(sample(end, seconds))
    async with listening:
        await asyncio.gather(*(live(number) for number in range(count)))
        deadline = time.monotonic() + 10
        while server.open and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
    return {
        "sessions": clients.sessions,
        "sent": clients.sent,
        "received": server.received,
        "returned": server.sent,
        "got": clients.got,
        "excess": [clients.excess, server.dropped],
        "waits": server.waits,
        "ends": {" ".join(end): count for end, count in server.ends.items()},
        "complaints": clients.complaints + handled,
        "still open": server.open,
        "peak KiB": await sampling,
    }


def main():
    """Reads the command line, soaks, and prints; the exit status tells whether all was well."""
    parser = argparse.ArgumentParser(prog="python -m tests.python.soak", description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loop", choices=("asyncio", "roundel", "installed"), default="installed")
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if arguments.loop == "installed":
        roundel.install()
    factory = {"asyncio": asyncio.SelectorEventLoop, "roundel": roundel.new_event_loop}
    before = set(os.listdir("/proc/self/fd"))
    with asyncio.Runner(loop_factory=factory.get(arguments.loop)) as runner:
        report = runner.run(soak(arguments.clients, arguments.seconds, arguments.seed))
    gc.collect()
    report["leaked"] = sorted(set(os.listdir("/proc/self/fd")) - before)
    report["faults"] = faults(report)
    print(json.dumps(report, indent=1))
    return int(bool(report["faults"]))


def faults(report):
    """Returns what is wrong with a report."""
    found = list(report["complaints"])
    for kind in Clients.KINDS:
        sent = report["sent"][kind]
        if kind in Clients.RESETTING:
            if report["received"][kind] > sent:
                found.append(f"{kind}: more was received than was sent")
        elif (
            not sent == report["received"][kind] == report["returned"][kind] == report["got"][kind]
        ):
            found.append(f"{kind}: bytes are missing")
    if report["excess"][0] != report["excess"][1]:
        found.append("what was too long was not dropped as it was")
    if report["still open"] or report["leaked"]:
        found.append("connections were left open")
    first, *_, last = report["peak KiB"]
    if last > first * 1.1 + 2048:
        found.append(f"memory has grown from {first} to {last} KiB")
    return found


if __name__ == "__main__":
    sys.exit(main())
