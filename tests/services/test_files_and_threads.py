"""aiofiles and janus, which need no more of a loop than its executor and its thread safety."""

import asyncio
import threading

import aiofiles
import aiofiles.os
import janus
import pytest


def test_files_are_written_and_read(run, tmp_path):
    async def main():
        lines = [f"line {number}\n" for number in range(100)]
        async with aiofiles.open(tmp_path / "file", "w") as file:
            await file.writelines(lines)
        async with aiofiles.open(tmp_path / "file") as file:
            assert [line async for line in file] == lines
        assert (await aiofiles.os.stat(tmp_path / "file")).st_size == sum(map(len, lines))
        await aiofiles.os.remove(tmp_path / "file")
        with pytest.raises(FileNotFoundError):
            await aiofiles.os.stat(tmp_path / "file")

    run(main())


def test_many_files_at_a_time(run, tmp_path):
    async def copy(number):
        async with aiofiles.open(tmp_path / str(number), "wb") as file:
            await file.write(bytes([number]) * 10_000)
        async with aiofiles.open(tmp_path / str(number), "rb") as file:
            assert await file.read() == bytes([number]) * 10_000

    async def main():
        await asyncio.gather(*(copy(number) for number in range(100)))

    run(main())


def test_a_thread_and_the_loop_share_a_queue(run):
    async def main():
        there, back = janus.Queue(maxsize=10), janus.Queue(maxsize=10)

        def work():
            while (item := there.sync_q.get()) is not None:
                back.sync_q.put(item * 2)
                there.sync_q.task_done()
            there.sync_q.task_done()

        async def ask():
            for number in range(1000):
                await there.async_q.put(number)
            await there.async_q.put(None)
            await there.async_q.join()

        thread = threading.Thread(target=work)
        thread.start()
        asking = asyncio.create_task(ask())
        answers = [await back.async_q.get() for _ in range(1000)]
        assert answers == [number * 2 for number in range(1000)]
        await asking
        thread.join()
        await there.aclose()
        await back.aclose()

    run(main())
