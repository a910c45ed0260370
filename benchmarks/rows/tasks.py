"""Steps, callbacks, and the birth and death of tasks."""

import asyncio

from .row import nothing, row


async def sleep_often(n: int) -> None:
    """Gives way `n` times."""
    sleep = asyncio.sleep
    for _ in range(n):
        await sleep(0)


@row("sleep(0)", 50_000, 8, switches=True)
async def one_task_gives_way(n: int) -> None:
    await sleep_often(n)


@row("sleep(0), 100 tasks", 100_000, 3.5, switches=True)
async def hundred_tasks_give_way(n: int) -> None:
    await asyncio.gather(*(sleep_often(n // 100) for _ in range(100)))


@row("call_soon", 60_000, 4.5)
async def chain_of_callbacks(n: int) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    call_soon = loop.call_soon

    def link(left: int) -> None:
        if left:
            call_soon(link, left - 1)
        else:
            done.set_result(None)

    call_soon(link, n)
    await done


@row("create and await", 20_000, 8, switches=True)
async def create_and_await(n: int) -> None:
    create_task = asyncio.get_running_loop().create_task
    for _ in range(n):
        await create_task(nothing())


@row("gather 10k", 10_000, 4, switches=True)
async def gather_tasks(n: int) -> None:
    await asyncio.gather(*(nothing() for _ in range(n)))


@row("TaskGroup", 20_000, 4, switches=True)
async def group_of_tasks(n: int) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(n):
            group.create_task(nothing())


@row("cancel", 10_000, 3, switches=True)
async def cancel_waiting_tasks(n: int) -> None:
    loop = asyncio.get_running_loop()

    async def wait() -> None:
        await loop.create_future()

    tasks = [loop.create_task(wait()) for _ in range(n)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@row("future wake-up", 25_000, 5, switches=True)
async def futures_wake(n: int) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(n):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future
