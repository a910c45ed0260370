"""Locks, events, semaphores and conditions, all of them contended."""

import asyncio

from .row import row


async def ten_enter(n: int, guard: asyncio.Lock | asyncio.Semaphore) -> None:
    """Lets ten tasks enter the guard `n` times in all, giving way inside."""

    async def enter_often() -> None:
        sleep = asyncio.sleep
        for _ in range(n // 10):
            async with guard:
                await sleep(0)

    await asyncio.gather(*(enter_often() for _ in range(10)))


@row("Lock of ten", 10_000, 8, switches=True)
async def lock_of_ten(n: int) -> None:
    await ten_enter(n, asyncio.Lock())


@row("Event", 15_000, 8, switches=True)
async def event_ping_pong(n: int) -> None:
    ping, pong = asyncio.Event(), asyncio.Event()

    async def play(wait: asyncio.Event, wake: asyncio.Event) -> None:
        for _ in range(n // 2):
            await wait.wait()
            wait.clear()
            wake.set()

    ping.set()
    await asyncio.gather(play(ping, pong), play(pong, ping))


@row("Semaphore", 15_000, 6, switches=True)
async def semaphore_of_five(n: int) -> None:
    await ten_enter(n, asyncio.Semaphore(5))


@row("Condition", 10_000, 5, switches=True)
async def condition_in_turns(n: int) -> None:
    condition = asyncio.Condition()
    turn = 0

    async def play(mine: int) -> None:
        nonlocal turn
        for _ in range(n // 2):
            async with condition:
                while turn != mine:
                    await condition.wait()
                turn = 1 - mine
                condition.notify()

    await asyncio.gather(play(0), play(1))
