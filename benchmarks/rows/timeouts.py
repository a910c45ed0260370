"""Time limits that are not reached, over what is ready at once and over what waits."""

import asyncio

from .row import nothing, row

FAR = 60.0


@row("wait_for, ready", 15_000, 5)
async def wait_for_ready(n: int) -> None:
    wait_for = asyncio.wait_for
    for _ in range(n):
        await wait_for(nothing(), FAR)


@row("wait_for, waiting", 10_000, 5, switches=True)
async def wait_for_waiting(n: int) -> None:
    loop = asyncio.get_running_loop()
    wait_for = asyncio.wait_for
    for _ in range(n):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await wait_for(future, FAR)


@row("timeout, ready", 20_000, 5)
async def timeout_ready(n: int) -> None:
    timeout = asyncio.timeout
    for _ in range(n):
        async with timeout(FAR):
            await nothing()


@row("timeout, waiting", 10_000, 5, switches=True)
async def timeout_waiting(n: int) -> None:
    loop = asyncio.get_running_loop()
    timeout = asyncio.timeout
    for _ in range(n):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        async with timeout(FAR):
            await future
