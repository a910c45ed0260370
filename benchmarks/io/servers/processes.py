"""Child processes that end at once."""

import asyncio
import time


async def spawn_true(seconds: float, address: str) -> int:
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        child = await asyncio.create_subprocess_exec("/bin/true")
        await child.wait()
        count += 1
    return count
