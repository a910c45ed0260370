"""Timers that fire, and timers that never do."""

import asyncio
import random

from .row import row

SPREAD = 0.05


@row("50k timers", 50_000, 3.5)
async def many_timers(n: int) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    left = n

    def fire() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set_result(None)

    draw = random.Random(0).random
    for _ in range(n):
        loop.call_later(draw() * SPREAD, fire)
    await done


@row("set and cancel", 60_000, 4)
async def set_and_cancel(n: int) -> None:
    call_later = asyncio.get_running_loop().call_later
    for _ in range(n):
        call_later(60, int).cancel()
