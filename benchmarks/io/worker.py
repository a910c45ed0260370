"""A process under test: serves, or works by itself, on one loop for one line.

    python -m benchmarks.io.worker LOOP ROW [PEER SECONDS]

A server prints its address and serves until it is killed; work prints its figures as JSON. Where
LOOP is C, the work is done without one.
"""

import asyncio
import json
import resource
import sys
import time

from .. import loops
from .row import NATIVE, Serve, Work, Worked
from .rows import named

WARM_UP_SECONDS = 0.15


async def serve_for_ever(serve: Serve) -> None:
    """Serves, and says where."""
    print(await serve(), flush=True)
    await asyncio.get_running_loop().create_future()


async def work_for(work: Work, peer: str, seconds: float) -> dict[str, float]:
    """Works for as long as told and returns the figures."""
    await work(WARM_UP_SECONDS, peer)
    start, cpu = time.perf_counter(), time.process_time()
    operations = await work(seconds, peer)
    cpu = time.process_time() - cpu
    return {"operations": operations, "seconds": time.perf_counter() - start, "cpu": cpu}


def main(loop: str, name: str, peer: str = "", seconds: str = "1") -> None:
    """Does what the line asks for."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    factory = None if loop == NATIVE else loops.enter(loop)
    line = named(name)
    with asyncio.Runner(loop_factory=factory) as runner:
        if isinstance(line, Worked):
            work = line.limit if loop == NATIVE and line.limit else line.work
            print(json.dumps(runner.run(work_for(work, peer, float(seconds)))))
        else:
            runner.run(serve_for_ever(line.serve))


if __name__ == "__main__":
    main(*sys.argv[1:])
