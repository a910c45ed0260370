"""What type checkers make of `import roundel as asyncio`. Checked, never run."""

import asyncio as standard
from typing import assert_type

import roundel as asyncio


async def main() -> int:
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    await queue.put(1)
    queue.shutdown()
    task = asyncio.create_task(queue.get())
    assert_type(task, standard.Task[int])
    assert_type(await asyncio.gather(task, asyncio.sleep(1, "slept")), tuple[int, str])
    process = await asyncio.create_subprocess_exec("true", stdout=asyncio.subprocess.PIPE)
    assert_type(await process.wait(), int)
    async with asyncio.timeout(1), asyncio.TaskGroup() as group:
        assert_type(group.create_task(queue.get()), standard.Task[int])
        group.cancel()
    takes_asyncios(queue, asyncio.Lock(), group)
    return await asyncio.wait_for(task, None)


def takes_asyncios(
    queue: standard.Queue[int], lock: standard.Lock, group: standard.TaskGroup
) -> None: ...


def run() -> None:
    assert_type(asyncio.run(main(), clock="virtual", order=1, detect_deadlock=True), int)
    with asyncio.Runner(clock="virtual") as runner:
        assert_type(runner.run(main()), int)
    with standard.Runner(loop_factory=asyncio.new_event_loop) as standard_runner:
        assert_type(standard_runner.run(main()), int)
    loop: standard.AbstractEventLoop = asyncio.EventLoop("virtual")
    assert_type(loop.run_in_executor(None, int, "1"), standard.Future[int])
    asyncio.install(order=1)
    asyncio.uninstall()


async def files(path: str) -> None:
    async with asyncio.open(path) as text, asyncio.open(path, "rb") as data:
        assert_type(await text.read(), str)
        assert_type([line async for line in data], list[bytes])
    assert_type(await asyncio.fs.exists(path), bool)
    assert_type((await asyncio.fs.stat(path)).st_size, int)


def report(error: asyncio.Deadlock) -> None:
    for blocked in error.tasks:
        assert_type(blocked.task, standard.Task[object])
        assert_type(blocked.place, tuple[str, int, str] | None)
