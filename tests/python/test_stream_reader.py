"""`StreamReader`: what reading gives, leaves, refuses and loses not, as asyncio's does."""

import asyncio

import pytest

import roundel

LIMIT = 64 * 1024


@pytest.fixture(params=["asyncio", "roundel"])
def kind(request):
    """asyncio's class and roundel's, which must do the same."""
    return {"asyncio": asyncio.StreamReader, "roundel": roundel.StreamReader}[request.param]


class Transport:
    """Notes what it is told."""

    def __init__(self):
        self.calls = []

    def pause_reading(self):
        self.calls.append("pause")

    def resume_reading(self):
        self.calls.append("resume")


class Unpausable:
    """A transport that cannot be paused."""

    asked = 0

    def pause_reading(self):
        self.asked += 1
        raise NotImplementedError


READS = {
    "read": lambda reader: reader.read(100),
    "read all": lambda reader: reader.read(),
    "readline": lambda reader: reader.readline(),
    "readuntil": lambda reader: reader.readuntil(b"\n"),
    "readexactly": lambda reader: reader.readexactly(4),
    "anext": lambda reader: anext(aiter(reader)),
}
of_reads = pytest.mark.parametrize("read", READS.values(), ids=READS)


def fed(kind, data, *, eof=False, limit=LIMIT):
    """Returns a reader that has data."""
    reader = kind(limit)
    reader.feed_data(data)
    if eof:
        reader.feed_eof()
    return reader


async def at_once(awaitable):
    """Awaits what must not have to wait."""
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(0)
    assert task.done()
    return await task


@pytest.mark.parametrize(
    ("read", "result", "left"),
    [
        (lambda reader: reader.read(4), b"one\n", b"two\n"),
        (lambda reader: reader.read(0), b"", b"one\ntwo\n"),
        (lambda reader: reader.read(100), b"one\ntwo\n", b""),
        (lambda reader: reader.read(n=1 << 70), b"one\ntwo\n", b""),
        (lambda reader: reader.readline(), b"one\n", b"two\n"),
        (lambda reader: reader.readuntil(), b"one\n", b"two\n"),
        (lambda reader: reader.readuntil(separator=b"w"), b"one\ntw", b"o\n"),
        (lambda reader: reader.readuntil(b"\ntw"), b"one\ntw", b"o\n"),
        (lambda reader: reader.readuntil(bytearray(b"ne")), b"one", b"\ntwo\n"),
        (lambda reader: reader.readexactly(5), b"one\nt", b"wo\n"),
        (lambda reader: reader.readexactly(0), b"", b"one\ntwo\n"),
        (lambda reader: anext(reader), b"one\n", b"two\n"),
    ],
)
def test_what_is_there_is_read_without_waiting(run, kind, read, result, left):
    async def main():
        reader = fed(kind, b"one\ntwo\n")
        read_by_hand = read(reader).__await__()
        with pytest.raises(StopIteration) as returned:
            next(read_by_hand)
        assert returned.value.value == result
        assert reader._buffer == left

    run(main())


def test_separators_are_any_of_a_tuple(run):
    async def main():
        reader = fed(roundel.StreamReader, b"a;b\r\nc\nd\r")
        ends = (b"\r\n", b"\n", b";")
        assert [await reader.readuntil(ends) for _ in range(3)] == [b"a;", b"b\r\n", b"c\n"]
        last = asyncio.ensure_future(reader.readuntil(ends))
        await asyncio.sleep(0)
        reader.feed_data(b"\n")
        assert await last == b"d\r\n"

    run(main())


@pytest.mark.parametrize(
    ("separator", "error"),
    [
        (b"", ValueError("Separator should be at least one-byte string")),
        ((), ValueError("Separator should contain at least one element")),
        ((b"a", b""), ValueError("Separator should be at least one-byte string")),
    ],
)
def test_wrong_separators(run, separator, error):
    async def main():
        with pytest.raises(ValueError, match=str(error)):
            await fed(roundel.StreamReader, b"abc").readuntil(separator)
        with pytest.raises(TypeError):
            await fed(roundel.StreamReader, b"abc").readuntil("a")

    run(main())


@of_reads
def test_reading_waits_for_data(run, kind, read):
    async def main():
        reader = kind()
        task = asyncio.ensure_future(read(reader))
        await asyncio.sleep(0)
        assert reader._waiter is not None
        reader.feed_data(b"abc")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reader.feed_data(b"\n")
        reader.feed_eof()
        assert await task in {b"abc\n", b"abc"}
        assert reader._waiter is None

    run(main())


@pytest.mark.parametrize(
    ("read", "partial", "expected"),
    [
        (lambda reader: reader.readexactly(4), b"abc", 4),
        (lambda reader: reader.readuntil(b"\n"), b"abc", None),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_an_end_that_comes_too_early(run, kind, read, partial, expected, late):
    async def main():
        reader = fed(kind, b"abc", eof=not late)
        task = asyncio.ensure_future(read(reader))
        await asyncio.sleep(0)
        reader.feed_eof()
        with pytest.raises(asyncio.IncompleteReadError) as raised:
            await task
        assert (raised.value.partial, raised.value.expected) == (partial, expected)
        assert reader.at_eof()

    run(main())


def test_the_end(run, kind):
    async def main():
        reader = fed(kind, b"a\nb", eof=True)
        assert not reader.at_eof()
        assert [line async for line in reader] == [b"a\n", b"b"]
        assert reader.at_eof()
        assert [await read(reader) for read in (READS["read"], READS["read all"])] == [b"", b""]
        assert await reader.readline() == b""
        with pytest.raises(AssertionError, match="feed_data after feed_eof"):
            reader.feed_data(b"c")

    run(main())


@pytest.mark.parametrize("ended", [True, False])
def test_too_long_a_line(run, kind, ended):
    async def main():
        reader = fed(kind, b"12345" + (b"\nrest\n" if ended else b""), limit=4)
        with pytest.raises(ValueError, match="limit") as raised:
            await reader.readline()
        kept = b"rest\n" if ended else b""
        assert reader._buffer == kept
        text = "Separator is found, but chunk is longer than limit"
        other = "Separator is not found, and chunk exceed the limit"
        assert raised.value.args == (text if ended else other,)
        assert type(raised.value.__context__) is asyncio.LimitOverrunError
        reader.feed_data(b"next\n")
        assert await reader.readline() == (kept or b"next\n")

    run(main())


@pytest.mark.parametrize("ended", [True, False])
def test_too_long_a_part(run, kind, ended):
    async def main():
        reader = fed(kind, b"123456" + (b"\r\n" if ended else b""), limit=4)
        with pytest.raises(asyncio.LimitOverrunError) as raised:
            await reader.readuntil(b"\r\n")
        assert raised.value.consumed == (6 if ended else 5)
        assert reader._buffer[:6] == b"123456"
        assert await reader.readexactly(6) == b"123456"

    run(main())


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda reader: reader.readexactly(-1), ValueError, "less than zero"),
        (lambda reader: reader.read("1"), TypeError, "interpreted|'<'"),
        (lambda reader: reader.readexactly(None), TypeError, "interpreted|'<'"),
    ],
)
def test_wrong_counts(run, kind, call, error, text):
    async def main():
        with pytest.raises(error, match=text):
            await call(fed(kind, b"abc"))

    run(main())


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(run, kind, limit):
    async def main():
        with pytest.raises(ValueError, match="Limit cannot be <= 0"):
            kind(limit=limit)
        with pytest.raises(TypeError):
            kind("1")

    run(main())


@of_reads
def test_one_reads_at_a_time(run, kind, read):
    async def main():
        reader = kind()
        first = asyncio.ensure_future(reader.readexactly(1))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError) as raised:
            await read(reader)
        text = r"while another coroutine is already waiting for incoming data"
        assert text in str(raised.value)
        assert str(raised.value).split("(")[0] in {"read", "readuntil", "readexactly"}
        reader.feed_data(b"a")
        assert await first == b"a"

    run(main())


@of_reads
def test_a_cancelled_read_takes_nothing(run, read):
    async def main():
        for turns in range(4):
            reader = roundel.StreamReader()
            task = asyncio.ensure_future(read(reader))
            await asyncio.sleep(0)
            reader.feed_data(b"ab")
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            reader.feed_data(b"c")
            reader.feed_eof()
            got = b"" if task.cancelled() else task.result()
            assert got + await reader.read() == b"abc"

    run(main())


@of_reads
def test_an_exception_is_raised_by_all_reads(run, kind, read):
    async def main():
        reader, error = kind(), OSError("broken")
        assert reader.exception() is None
        task = asyncio.ensure_future(read(reader))
        await asyncio.sleep(0)
        reader.set_exception(error)
        assert reader.exception() is error
        for each in (task, read(reader)):
            with pytest.raises(OSError, match="broken") as raised:
                await each
            assert raised.value is error

    run(main())


def test_data_before_an_exception_is_read_by_who_waited_for_it(run, kind):
    async def main():
        reader = kind()
        task = asyncio.ensure_future(reader.read(9))
        await asyncio.sleep(0)
        reader.feed_data(b"abc")
        reader.set_exception(OSError())
        assert await task == b"abc"

    run(main())


def test_the_transport_waits_while_too_much_is_there(run, kind):
    async def main():
        reader, transport = kind(limit=4), Transport()
        reader.set_transport(transport)
        with pytest.raises(AssertionError, match="Transport already set"):
            reader.set_transport(transport)
        reader.feed_data(b"12345678")
        assert transport.calls == []
        reader.feed_data(b"9")
        reader.feed_data(b"0")
        assert transport.calls == ["pause"]
        assert await reader.read(5) == b"12345"
        assert transport.calls == ["pause"]
        assert await reader.read(1) == b"6"
        assert transport.calls == ["pause", "resume"]

    run(main())


def test_who_waits_has_the_transport_go_on(run, kind):
    async def main():
        reader, transport = kind(limit=1), Transport()
        reader.set_transport(transport)
        reader.feed_data(b"123")
        task = asyncio.ensure_future(reader.readexactly(4))
        await asyncio.sleep(0)
        assert transport.calls == ["pause", "resume"]
        reader.feed_data(b"4")
        assert await task == b"1234"

    run(main())


def test_a_transport_that_cannot_be_paused_is_asked_once(run, kind):
    async def main():
        reader, transport = kind(limit=1), Unpausable()
        reader.set_transport(transport)
        reader.feed_data(b"123")
        reader.feed_data(b"456")
        assert transport.asked == 1
        assert reader._transport is None

    run(main())


def test_what_it_looks_like(run, kind):
    async def main():
        assert repr(kind()) == "<StreamReader>"
        reader = fed(kind, b"abc", eof=True, limit=7)
        reader.set_exception(ValueError(1))
        assert repr(reader) == "<StreamReader 3 bytes eof limit=7 exception=ValueError(1)>"
        reader._waiter = asyncio.get_running_loop().create_future()
        assert "waiter=<Future pending" in repr(reader)
        assert reader._loop is asyncio.get_running_loop()
        assert (reader._limit, reader._eof, reader._paused) == (7, True, False)
        waited = kind()
        task = asyncio.ensure_future(waited.readline())
        await asyncio.sleep(0)
        assert "waiter=" in repr(waited)
        task.cancel()

    run(main())


def test_waiting_for_data_on_behalf_of_a_method(run, kind):
    async def main():
        reader = kind()
        waiting = asyncio.ensure_future(reader._wait_for_data("peek"))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match=r"^peek\(\) called while"):
            await reader._wait_for_data("peek")
        reader.feed_data(b"abc")
        assert await waiting is None
        assert reader._buffer == b"abc"
        reader.feed_eof()
        with pytest.raises(AssertionError, match="_wait_for_data after EOF"):
            await reader._wait_for_data("peek")

    run(main())


def test_futures_in_its_place_are_woken(run, kind):
    async def main():
        loop = asyncio.get_running_loop()
        for end in (lambda it: it.feed_data(b"x"), lambda it: it.feed_eof()):
            reader = kind()
            waiter = reader._waiter = loop.create_future()
            end(reader)
            assert (reader._waiter, await waiter) == (None, None)
        reader = kind()
        waiter = reader._waiter = loop.create_future()
        reader.set_exception(KeyError(1))
        with pytest.raises(KeyError):
            await waiter

    run(main())


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"abc"), b"abc"])
def test_anything_with_bytes_is_fed(run, kind, data):
    async def main():
        reader = kind()
        reader.feed_data(data)
        reader.feed_data(type(data)(b""))
        assert await reader.read(9) == b"abc"

    run(main())


def test_the_buffer_can_be_changed(run, kind):
    async def main():
        reader = fed(kind, b"abcdef")
        del reader._buffer[:2]
        reader._buffer.extend(b"gh")
        reader._buffer += b"i"
        assert await reader.read(3) == b"cde"
        assert reader._buffer.find(b"h") == 2
        reader._buffer.clear()
        assert not reader._buffer
        reader._buffer = bytearray(b"xyz")
        assert await reader.readexactly(3) == b"xyz"

    run(main())


def test_methods_that_a_derived_class_replaces_are_called(run, kind):
    class Upper(kind):
        async def readuntil(self, separator=b"\n"):
            return (await super().readuntil(separator)).upper()

    class Stripped(Upper):
        async def readline(self):
            return (await super().readline()).strip()

    async def main():
        assert await fed(Upper, b"abc\n").readline() == b"ABC\n"
        assert [line async for line in fed(Upper, b"a\nb", eof=True)] == [b"A\n", b"b"]
        assert [line async for line in fed(Stripped, b"a\n", eof=True)] == [b"A"]
        reader = fed(Upper, b"12345\n67890", limit=4)
        for _ in range(2):
            with pytest.raises(ValueError, match="limit"):
                await reader.readline()
        assert not reader._buffer

    run(main())


def test_outside_of_a_loop_there_is_none(kind):
    asyncio.set_event_loop(None)
    with pytest.raises(RuntimeError, match=r"no .*current event loop"):
        kind()


def test_it_passes_for_asyncios():
    loop = roundel.new_event_loop()
    reader = roundel.StreamReader(loop=loop)
    assert isinstance(reader, asyncio.StreamReader)
    assert reader.__class__ is asyncio.StreamReader
    assert type("Derived", (roundel.StreamReader,), {})(loop=loop).__class__.__name__ == "Derived"
    loop.close()
