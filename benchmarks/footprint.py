"""What a loop costs before it does anything: its import, and a task that waits.

Both are measured in a fresh process, so that nothing is imported and no memory reused yet.
"""

import asyncio
import gc
import importlib
import resource
import time
from dataclasses import dataclass

from .loops import MODULES, LoopFactory

TASKS = 50_000


@dataclass(frozen=True)
class Footprint:
    """A line of the second table.

    Attributes:
        name: As the table shows it.
        unit: Of the figures.
        limit: What roundel may take at most; None stands for as much as asyncio takes.
    """

    name: str
    unit: str
    limit: float | None


IMPORT = Footprint("import, over asyncio", "ms", 15.0)
PENDING_TASK = Footprint("pending task", "bytes", None)
FOOTPRINTS = (IMPORT, PENDING_TASK)


def import_ms(name: str) -> float:
    """Imports the loop's module and returns how long that took, asyncio being there."""
    start = time.process_time()
    importlib.import_module(MODULES[name])
    return (time.process_time() - start) * 1e3


def pending_task_bytes(factory: LoopFactory) -> float:
    """Returns what a task takes that waits in a coroutine's frame, by resident memory."""
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_park_tasks())


async def _park_tasks() -> float:
    loop = asyncio.get_running_loop()
    release = loop.create_future()

    async def wait() -> None:
        await release

    tasks: list[asyncio.Task[None] | None] = [None] * TASKS
    gc.collect()
    before = _resident_bytes()
    for index in range(TASKS):
        tasks[index] = loop.create_task(wait())
    await asyncio.sleep(0)
    taken = _resident_bytes() - before
    release.set_result(None)
    await asyncio.sleep(0)
    return taken / TASKS


def _resident_bytes() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()
