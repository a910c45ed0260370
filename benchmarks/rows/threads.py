"""Work that comes from, or goes to, other threads."""

import asyncio
import threading

from .row import row


@row("threadsafe flood", 50_000, 2)
async def flood_from_a_thread(n: int) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def flood() -> None:
        call = loop.call_soon_threadsafe
        for _ in range(n):
            call(int)
        call(done.set_result, None)

    thread = threading.Thread(target=flood)
    thread.start()
    await done
    thread.join()


@row("executor", 5_000, 1.2)
async def executor_for_ten(n: int) -> None:
    loop = asyncio.get_running_loop()

    async def call_often() -> None:
        for _ in range(n // 10):
            await loop.run_in_executor(None, int)

    await asyncio.gather(*(call_often() for _ in range(10)))


@row("to_thread", 2_000, None)
async def to_thread_in_batches(n: int) -> None:
    to_thread = asyncio.to_thread
    for _ in range(n // 100):
        await asyncio.gather(*(to_thread(int) for _ in range(100)))
