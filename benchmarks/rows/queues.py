"""Producers and consumers."""

import asyncio

from .row import row


async def hand_over(n: int, maxsize: int) -> None:
    """Lets one producer hand `n` items to one consumer."""
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize)

    async def produce() -> None:
        for item in range(n):
            await queue.put(item)

    async def consume() -> None:
        for _ in range(n):
            await queue.get()

    await asyncio.gather(produce(), consume())


@row("Queue of 1", 10_000, 10, switches=True)
async def queue_of_one(n: int) -> None:
    await hand_over(n, 1)


# A pure-Python put or get suspends once in a hundred items here, and never in the next row, so
# the loop alone changes nothing.
@row("Queue of 100", 60_000, 5)
async def queue_of_hundred(n: int) -> None:
    await hand_over(n, 100)


@row("Queue unbounded", 80_000, 4)
async def queue_unbounded(n: int) -> None:
    await hand_over(n, 0)


@row("Queue join, 4 workers", 60_000, 4)
async def queue_joined(n: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        while True:
            await queue.get()
            queue.task_done()

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for item in range(n):
        await queue.put(item)
    await queue.join()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


@row("Queue ping-pong", 20_000, 8, switches=True)
async def queue_ping_pong(n: int) -> None:
    there: asyncio.Queue[int] = asyncio.Queue()
    back: asyncio.Queue[int] = asyncio.Queue()

    async def play(receive: asyncio.Queue[int], send: asyncio.Queue[int]) -> None:
        for _ in range(n // 2):
            send.put_nowait(await receive.get())

    there.put_nowait(0)
    await asyncio.gather(play(there, back), play(back, there))
