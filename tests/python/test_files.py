"""Awaitable files: opening, waiting, cancelling, closing."""

import asyncio
import errno
import gc
import io
import os
import subprocess
import sys
import textwrap
import warnings

import pytest

import roundel


@pytest.fixture(params=["best", "ring", "threads"])
def access(request, monkeypatch):
    """Has files read and written in each of the ways that there are."""
    monkeypatch.setenv("ROUNDEL_FILES", request.param)
    return request.param


@pytest.fixture
def path(tmp_path):
    """A file of a hundred lines."""
    path = tmp_path / "file"
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    return path


@pytest.fixture
def fifo(tmp_path):
    """A pipe with a name, and a descriptor by which it stays open."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    keeper = os.open(path, os.O_RDWR)
    yield path
    os.close(keeper)


def test_a_file_is_closed_at_the_end_of_the_block(run, path):
    async def main():
        async with roundel.open(path) as file:
            assert await file.readline() == "line 0\n"
            assert not file.closed
        return file

    assert run(main()).closed


def test_a_file_can_be_awaited(run, path):
    async def main():
        file = await roundel.open(path, "rb")
        data = await file.read()
        await file.close()
        await file.close()
        return data

    assert run(main()) == path.read_bytes()


def test_lines_are_iterated_over(run, path, access):
    async def main():
        async with roundel.open(path) as file:
            return [line async for line in file]

    assert run(main()) == path.read_text().splitlines(keepends=True)


def test_what_a_file_says_of_itself(run, path):
    async def main():
        async with roundel.open(path, "r+", encoding="latin-1", errors="replace") as file:
            assert (file.name, file.mode, file.encoding) == (str(path), "r+", "latin-1")
            assert (file.errors, file.newlines, file.line_buffering) == ("replace", None, False)
            await file.readline()
            assert file.newlines == "\n"
            assert file.readable()
            assert await file.writable()
            assert await file.seekable()
            assert not await file.isatty()
            assert os.fstat(file.fileno()).st_ino == path.stat().st_ino
            assert repr(file) == f"<roundel.TextFile name={str(path)!r} mode='r+'>"
        with pytest.raises(ValueError, match="I/O operation on closed file"):
            file.fileno()

    run(main())


@pytest.mark.parametrize(
    "arguments", [("missing",), (".",), ("missing", "q"), ("file", "x"), (5.5,)]
)
def test_what_cannot_be_opened_is_refused_in_opens_words(run, path, monkeypatch, arguments):
    monkeypatch.chdir(path.parent)
    with pytest.raises(Exception) as expected:
        open(*arguments)  # noqa: SIM115
    with pytest.raises(expected.type) as found:
        run(_opened(*arguments))
    assert str(found.value) == str(expected.value)
    assert getattr(found.value, "filename", None) == getattr(expected.value, "filename", None)


async def _opened(*arguments):
    async with roundel.open(*arguments) as file:
        return file


def test_an_opener_is_called_with_what_open_calls_it_with(run, path):
    calls = []

    def opener(*args):
        calls.append(args)
        return os.open(*args)

    async def main():
        async with roundel.open(path, "rb", opener=opener) as file:
            return await file.read(4)

    assert run(main()) == b"line"
    assert calls == [(str(path), os.O_RDONLY | os.O_CLOEXEC)]


def test_a_descriptor_can_be_left_open(run, path, access):
    async def main():
        with open(path, "rb", buffering=0) as own:
            own.seek(5)
            async with roundel.open(own.fileno(), "rb", 0, closefd=False) as file:
                assert await file.read(3) == b"0\nl"
            assert own.tell() == 8
            return own.read(3)

    assert run(main()) == b"ine"


def test_whoever_writes_to_the_same_descriptor_is_not_overwritten(run, path, access):
    async def main():
        with open(path, "wb", buffering=0) as own:
            async with roundel.open(own.fileno(), "wb", closefd=False) as file:
                own.write(b"one ")
                await file.write(b"two ")
                await file.flush()
                own.write(b"three ")
                await file.write(b"four")

    run(main())
    assert path.read_bytes() == b"one two three four"


def test_operations_are_done_in_the_order_in_which_they_were_asked_for(run, path, access):
    async def main():
        async with roundel.open(path, "w+b", buffering=16) as file:
            pieces = [bytes([65 + number]) * (number + 1) for number in range(26)]
            await asyncio.gather(*map(file.write, pieces))
            await file.seek(0)
            found = await asyncio.gather(*(file.read(len(piece)) for piece in pieces))
        return pieces, found

    pieces, found = run(main())
    assert found == pieces
    assert path.read_bytes() == b"".join(pieces)


def test_a_large_file_comes_whole_while_others_run(run, path, access):
    data = os.urandom(5 << 20)
    turns = 0

    async def count():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def main():
        counter = asyncio.create_task(count())
        async with roundel.open(path, "w+b") as file:
            assert await file.write(data) == len(data)
            await file.seek(0)
            before = turns
            assert await file.read() == data
            during = turns - before
        counter.cancel()
        return during

    assert run(main()) >= 4  # a megabyte a turn


def test_reading_on_and_on_leaves_others_their_turn(run, path):
    async def main():
        async with roundel.open(path, "rb", buffering=0) as file:
            reader = asyncio.create_task(_read_until_cancelled(file))
            await asyncio.sleep(0)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader

    run(main())


async def _read_until_cancelled(file):
    while True:
        if not await file.read(1):
            await file.seek(0)


def test_a_pipe_is_waited_for(run, fifo, access):
    async def main():
        async with roundel.open(fifo, "rb", 0) as reader, roundel.open(fifo, "wb", 0) as writer:
            reading = asyncio.create_task(reader.read(100))
            await asyncio.sleep(0.01)
            assert not reading.done()
            await writer.write(b"abc")
            assert await reading == b"abc"
            with pytest.raises(io.UnsupportedOperation):
                await roundel.open(fifo, "r+")

    run(main())


def test_a_full_pipe_is_waited_for(run, fifo, access):
    data = os.urandom(1 << 20)

    async def main():
        async with roundel.open(fifo, "rb") as reader, roundel.open(fifo, "wb", 0) as writer:
            writing = asyncio.create_task(writer.write(data))
            found = await reader.read(len(data))
            assert await writing == len(data)
        return found

    assert run(main()) == data


def test_lines_come_out_of_a_pipe_as_they_are_written(run, fifo):
    async def main():
        async with roundel.open(fifo) as reader, roundel.open(fifo, "w", buffering=1) as writer:
            for line in ["one\n", "two\n"]:
                reading = asyncio.create_task(reader.readline())
                await asyncio.sleep(0)
                await writer.write(line)
                assert await reading == line
            assert not await reader.seekable()
            with pytest.raises(io.UnsupportedOperation):
                await reader.tell()

    run(main())


def test_a_cancelled_read_of_a_pipe_takes_nothing_out_of_it(run, fifo, access):
    async def main():
        async with roundel.open(fifo, "rb") as reader, roundel.open(fifo, "wb", 0) as writer:
            for number in range(200):
                await writer.write(b"%03d" % number)
                reading = asyncio.create_task(reader.read(6))
                for _ in range(number % 7):
                    await asyncio.sleep(0)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                assert await reader.read(3) == b"%03d" % number

    run(main())


def test_a_read_that_waits_for_a_pipe_is_cancelled_at_once(run, fifo, access):
    async def main():
        async with roundel.open(fifo, "rb", 0) as reader:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await reader.read(1)

    run(main())


def test_ten_thousand_cancelled_reads_neither_leak_nor_spoil_anything(path, access):
    content = os.urandom(1 << 16)
    path.write_bytes(content)

    async def main():
        async with roundel.open(path, "rb", buffering=0) as file:
            files = [await roundel.open(path, "rb", buffering=0) for _ in range(20)]
            for number in range(500):
                reads = [asyncio.create_task(each.read(4096)) for each in files]
                for _ in range(number % 4):
                    await asyncio.sleep(0)
                for reading in reads:
                    reading.cancel()
                await asyncio.gather(*reads, return_exceptions=True)
                await file.seek(number * 100)
                assert await file.read(100) == content[number * 100 :][:100]
            for each in files:
                place = await each.tell()
                assert await each.read(10) == content[place : place + 10]
                await each.close()

    roundel.run(main())


def test_a_cancelled_write_is_written_whole_or_not_at_all(run, path, access):
    async def main():
        async with roundel.open(path, "wb") as file:
            for number in range(100):
                writing = asyncio.create_task(file.write(b"%04d" % number * 5000))
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    run(main())
    data = path.read_bytes()
    assert len(data) % 20000 == 0
    records = [data[place : place + 20000] for place in range(0, len(data), 20000)]
    numbers = [int(record[:4]) for record in records]
    assert numbers == sorted(set(numbers))
    assert all(record == record[:4] * 5000 for record in records)


def test_an_operation_that_is_closed_or_dropped_leaves_the_file_usable(run, path, access):
    async def main():
        async with roundel.open(path, "rb", buffering=0) as file:
            for _ in range(20):
                reading = file.read(100)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        reading.send(None)
                        reading.close()
                    except StopIteration:
                        await file.seek(0)
                    del reading
                assert await file.read(4) == b"line"
                await file.seek(0)

    run(main())


def test_a_loop_is_closed_with_operations_under_way(path, access):
    path.write_bytes(bytes(1 << 20))
    loop = roundel.new_event_loop()
    file = loop.run_until_complete(_waited(roundel.open(path, "r+b", buffering=0)))
    writing = loop.create_task(file.write(b"x" * (1 << 20)))
    loop.call_soon(loop.stop)
    loop.run_forever()
    writing._log_destroy_pending = False
    loop.close()
    file._builtin.close()
    del writing, file
    gc.collect()
    assert set(path.read_bytes()) <= {0, ord("x")}


async def _waited(awaitable):
    return await awaitable


def test_an_open_that_is_cancelled_leaves_nothing_open(run, path):
    async def main():
        for pauses in range(5):
            opening = asyncio.create_task(_opened(path))
            for _ in range(pauses):
                await asyncio.sleep(0)
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)

    run(main())  # the leak guard and ResourceWarning tell


def test_a_file_whose_closing_is_cancelled_is_closed_all_the_same(run, path, access):
    async def main():
        for pauses in range(1, 6):
            file = await roundel.open(path, "wb")
            await file.write(b"kept back")
            closing = asyncio.create_task(file.close())
            for _ in range(pauses):
                await asyncio.sleep(0)
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
            while not file.closed:
                await asyncio.sleep(0)
            assert path.read_bytes() == b"kept back"

    run(main())


def test_a_full_disk_is_reported_and_the_file_closed(run):
    async def main():
        file = await roundel.open("/dev/full", "wb")
        await file.write(b"x")
        with pytest.raises(OSError) as flushed:
            await file.flush()
        with pytest.raises(OSError) as closed:
            await file.close()
        assert flushed.value.errno == closed.value.errno == errno.ENOSPC
        assert file.closed

    run(main())


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero"])
def test_devices_are_read(run, access, device):
    async def main():
        async with roundel.open(device, "rb", 0) as file:
            return await file.read(5)

    with open(device, "rb", 0) as file:
        assert run(main()) == file.read(5)


def test_files_that_the_kernel_makes_up_are_read(run, access):
    async def main():
        async with roundel.open("/proc/self/status") as file:
            return await file.read()

    assert f"Pid:\t{os.getpid()}\n" in run(main())


def test_virtual_time_stands_still_meanwhile(path, access):
    async def main():
        loop = asyncio.get_running_loop()
        late = asyncio.create_task(asyncio.sleep(3600))
        async with roundel.open(path, "r+") as file:
            await file.write("x" * 100_000)
            await file.seek(0)
            await file.read()
        assert loop.time() == 0
        await late
        return loop.time()

    assert roundel.run(main(), clock="virtual") == 3600


def test_asyncios_own_tasks_use_files(path, access):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **kwargs: asyncio.Task(coro, loop=loop, **kwargs))

        async def use():
            async with roundel.open(path, "r+b") as file:
                await file.write(b"LINE")
                await file.seek(0)
                return await file.readline()

        return await loop.create_task(use())

    assert roundel.run(main()) == b"LINE 0\n"


def test_another_loop_is_refused(path):
    async def main():
        await roundel.open(path)

    with pytest.raises(RuntimeError, match="roundel's files need roundel's event loop, not <_Unix"):
        asyncio.run(main(), debug=False)


def test_an_unawaited_open_is_warned_of(path):
    with pytest.warns(RuntimeWarning, match="coroutine 'open' was never awaited"):
        roundel.open(path)


def test_a_forgotten_file_is_warned_of(run, path):
    async def main():
        await roundel.open(path)
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed file"):
        run(main())


def test_a_forked_child_leaves_what_is_under_way_to_its_parent(path, access):
    path.write_bytes(bytes(1 << 20))
    loop = roundel.new_event_loop()
    file = loop.run_until_complete(_waited(roundel.open(path, "r+b", buffering=0)))
    writing = loop.create_task(file.write(b"x" * (1 << 20)))
    loop.call_soon(loop.stop)
    loop.run_forever()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks where there are threads
        child = os.fork()
    if not child:
        try:
            roundel.run(_read_first(path))
            with pytest.raises(OSError):
                loop.run_until_complete(asyncio.wait_for(writing, 5))
            assert len(loop.run_until_complete(file.read(10))) == 10
            loop.close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loop.run_until_complete(writing) == 1 << 20
    loop.run_until_complete(file.close())
    loop.close()
    assert path.read_bytes() == b"x" * (1 << 20)


async def _read_first(path):
    async with roundel.open(path, "rb", buffering=0) as file:
        assert len(await file.read(10)) == 10


def test_without_a_ring_threads_do_it(path):
    """A sandbox that forbids io_uring, in a process of its own since it can't be taken back."""
    program = textwrap.dedent(
        """
        import ctypes, struct, sys, roundel
        ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # with EPERM
        # Loads the number of the call, compares it with io_uring_setup's.
        code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (6, 0, 0, REFUSE), (6, 0, 0, ALLOW)]
        code = b"".join(struct.pack("HBBI", *line) for line in code)
        buffer = ctypes.create_string_buffer(code)
        filter = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
        libc = ctypes.CDLL(None, use_errno=True)
        assert not libc.prctl(38, 1, 0, 0, 0)
        assert not libc.prctl(22, 2, filter, 0, 0), ctypes.get_errno()

        async def main():
            async with roundel.open(sys.argv[1], "r+b", buffering=0) as file:
                await file.write(b"LINE")
                await file.seek(0)
                print(await file.read(6))

        roundel.run(main())
        try:
            roundel.new_event_loop()._set_file_access("ring")
        except OSError as error:
            print(error)
        """
    )
    output = subprocess.run(
        [sys.executable, "-c", program, path], check=True, capture_output=True, text=True
    ).stdout
    assert output == "b'LINE 0'\n[Errno 1] Operation not permitted\n"


def test_the_way_is_chosen_by_name():
    loop = roundel.new_event_loop()
    with pytest.raises(ValueError, match=r"by 'best', 'ring' or 'threads', not .magic"):
        loop._set_file_access("magic")
    loop.close()
