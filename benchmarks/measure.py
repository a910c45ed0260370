"""One process of the benchmark: measures one loop once and prints the figures as JSON.

    python -m benchmarks.measure LOOP [ROW ...]

A figure is the cost of one operation in nanoseconds of CPU time, the best of several
repetitions: whatever else the machine does only ever adds to it.
"""

import asyncio
import gc
import json
import os
import sys
import time

from . import loops
from .footprint import IMPORT, PENDING_TASK, import_ms, pending_task_bytes
from .rows import ROWS, Row

REPETITIONS = 3
ENOUGH_SECONDS = 0.1


def stay_on_one_processor() -> None:
    """Pins the process where the system lets it.

    The GIL lets one thread run at a time anyway. Where the scheduler happens to put the
    others makes a hand-over between threads cost twice as much, or not, for seconds on end.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


async def cost_ns(row: Row) -> float:
    """Returns what one operation of the row costs in the running loop."""
    await row.body(row.operations // 10)
    repetitions, total, best = 0, 0.0, float("inf")
    while repetitions < REPETITIONS or total < ENOUGH_SECONDS:
        gc.collect()
        start = time.process_time()
        await row.body(row.operations)
        elapsed = time.process_time() - start
        best = min(best, elapsed)
        repetitions, total = repetitions + 1, total + elapsed
    return best / row.operations * 1e9


def measure(loop: str, names: list[str]) -> dict[str, float]:
    """Returns the figures of the loop for the named rows."""
    figures = {}
    if IMPORT.name in names:
        figures[IMPORT.name] = import_ms(loop)
    factory = loops.enter(loop)
    if PENDING_TASK.name in names:
        figures[PENDING_TASK.name] = pending_task_bytes(factory)
    for row in ROWS:
        if row.name in names:
            with asyncio.Runner(loop_factory=factory) as runner:
                figures[row.name] = runner.run(cost_ns(row))
    return figures


if __name__ == "__main__":
    stay_on_one_processor()
    print(json.dumps(measure(sys.argv[1], sys.argv[2:])))
