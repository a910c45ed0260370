"""Makes connections, disturbs many of them, and prints, as JSON, what it found."""

import argparse
import asyncio
import gc
import json
import os
import resource
import socket
import warnings

import roundel

from .clients import FAILURES, Client
from .ledger import FATES, Ledger, is_of
from .servers import Site

WORKERS = 40
LIMIT_SECONDS = 20


async def live(site, ledger, ways):
    """Makes one connection and disturbs it as was decided."""
    ledger.counts["made"] += 1
    life = ledger.new_life()
    way = ledger.random.choice(ways)
    client = Client(site, life)
    task = asyncio.get_running_loop().create_task(way(client))
    if life.fate in ("cancelled", "aborted"):
        for _ in range(life.turns):
            await asyncio.sleep(0)
        if not task.done() and (life.fate == "cancelled" or client.transport):
            ledger.disturbed(life.fate, client.phase)
        if life.fate == "cancelled":
            task.cancel()
        else:
            client.abort()
    done, _ = await asyncio.wait([task], timeout=LIMIT_SECONDS)
    outcome = result_of(task) if done else TimeoutError("no answer in time")
    if not done:
        task.cancel()
    judge(ledger, life, way.__name__, outcome)


def result_of(task):
    """Returns a task's result, or its exception."""
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()


def judge(ledger, life, way, outcome):
    """Notes whether a connection's client has met what it had to."""
    undisturbed = life.fate == FATES[0]
    if isinstance(outcome, bytes):
        ledger.counts["answered"] += 1
        if outcome != life.message:
            ledger.violation(f"foreign bytes reached the client of {life} by {way}")
    elif isinstance(outcome, asyncio.CancelledError):
        ledger.counts["cancelled"] += 1
        if life.fate != "cancelled":
            ledger.violation(f"nobody cancelled {life} by {way}")
    elif undisturbed or not isinstance(outcome, FAILURES):
        ledger.violation(f"{life} by {way}: {outcome!r}")
    else:
        ledger.counts["failed"] += 1


async def bystander(ledger, stop):
    """Keeps opening descriptors of its own, which no connection has to do with."""
    identity = ledger.new_life().identity
    while not stop.is_set():
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            right.setblocking(False)
            for number in range(ledger.random.randrange(1, 6)):
                left.send(identity)
                for _ in range(ledger.random.randrange(4)):
                    await asyncio.sleep(0)
                try:
                    data = right.recv(4096)
                except BlockingIOError:
                    data = b"nothing"
                if data != identity or not is_of(identity, 0, data):
                    ledger.violation(f"a bystander got {data[:32]!r} in round {number}")
        ledger.counts["bystanders"] += 1
        await asyncio.sleep(0.001)


async def cancelled_acceptor(ledger, stop):
    """Keeps listening where nobody connects, and gives up."""
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            task = loop.create_task(loop.sock_accept(listener))
            for _ in range(ledger.random.randrange(5)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                ledger.violation(f"somebody connected where nobody could: {result_of(task)!r}")
        ledger.counts["acceptors"] += 1


async def stress(ledger, disturbed, ways):
    """Makes connections, some at a time, in one of the ways each, until enough were disturbed."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def handle(_, context):
        # A handshake that a client has broken off is reported so.
        if not isinstance(context.get("exception"), FAILURES):
            ledger.violation(f"handler: {context['message']}: {context.get('exception')!r}")

    loop.set_exception_handler(handle)

    async def work():
        while ledger.moments.total() < disturbed:
            await live(site, ledger, ways)

    async with Site(ledger) as site:
        others = [loop.create_task(bystander(ledger, stop)) for _ in range(3)]
        others.append(loop.create_task(cancelled_acceptor(ledger, stop)))
        await asyncio.gather(*(work() for _ in range(WORKERS)))
        stop.set()
        await asyncio.gather(*others)


def descriptors():
    """Returns what is open, by number."""
    return set(os.listdir("/proc/self/fd"))


def main():
    """Reads the command line, makes the connections and reports."""
    parser = argparse.ArgumentParser(prog="python -m tests.python.descriptors", description=__doc__)
    parser.add_argument("--disturbed", type=int, default=1000, help="how many to disturb")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loop", choices=("asyncio", "roundel", "installed"), default="roundel")
    parser.add_argument(
        "--ways", default="", help="names of Client's methods; all if there is none"
    )
    arguments = parser.parse_args()
    ways = [getattr(Client, way) for way in arguments.ways.split(",") if way] or Client.WAYS
    ledger = Ledger(arguments.seed)
    if arguments.loop == "installed":
        roundel.install()
    factory = {"asyncio": asyncio.SelectorEventLoop, "roundel": roundel.new_event_loop}
    before = descriptors()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with asyncio.Runner(loop_factory=factory.get(arguments.loop)) as runner:
            runner.run(stress(ledger, arguments.disturbed, ways))
        gc.collect()
    report = {
        "counts": ledger.counts,
        "disturbed": ledger.moments,
        "violations": ledger.violations,
        "warnings": [str(warning.message) for warning in caught],
        "leaked": sorted(descriptors() - before),
        "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
