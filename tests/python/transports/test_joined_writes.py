"""What is written in several pieces in a turn: it is sent together, before anybody can tell."""

import asyncio
import contextlib
import contextvars
import random
import socket
import tempfile
import threading

import pytest
from tests.python.transports import HUGE, Recorder

import roundel

WHERE = contextvars.ContextVar("WHERE", default="nowhere")


class Wire:
    """A transport of ours, and the other end of its socket, which tells one `send` from another."""

    def __init__(self, factory=Recorder, kind=socket.SOCK_SEQPACKET):
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, kind)
        ours.setblocking(False)
        self.theirs.setblocking(False)
        self.loop = asyncio.get_running_loop()
        self.protocol = factory()
        self.transport = self.loop._make_socket_transport(ours, self.protocol)
        self.write = self.transport.write

    def sent(self):
        """Returns what has been sent since the last time, a piece for each call of the system."""
        pieces = []
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            while piece := self.theirs.recv(1 << 20):
                pieces.append(piece)
        return pieces

    async def close(self):
        self.theirs.close()
        self.transport.close()
        await self.protocol.lost


@contextlib.asynccontextmanager
async def wire(*arguments, **options):
    made = Wire(*arguments, **options)
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        await made.close()


@contextlib.asynccontextmanager
async def joining(*arguments, **options):
    """A transport that was written to twice in the last turn, and once in this one."""
    async with wire(*arguments, **options) as made:
        made.write(b"1")
        made.write(b"2")
        assert b"".join(made.sent()) == b"12"
        await asyncio.sleep(0)
        made.write(b"first,")
        assert made.sent() == []
        yield made


def run(main):
    def test(debug):
        roundel.run(main(), debug=debug)

    test.__doc__ = main.__doc__
    return test


@run
async def test_one_piece_a_turn_is_sent_at_once():
    async with wire() as made:
        for piece in [b"1", b"2", bytearray(b"3"), memoryview(b"4")]:
            made.write(piece)
            assert made.sent() == [piece]
            await asyncio.sleep(0)


@run
async def test_pieces_of_a_turn_are_sent_together_from_the_second_time_on():
    async with wire() as made:
        made.write(b"head,")
        made.write(b"body")
        assert made.sent() == [b"head,", b"body"]
        for _ in range(3):
            await asyncio.sleep(0)
            made.write(b"head,")
            made.write(b"body")
            assert made.sent() == []
            made.loop.call_soon(lambda: seen.append(made.sent()))
            seen = []
            await asyncio.sleep(0)
            assert seen == [[b"head,body"]]


@run
async def test_the_third_piece_of_the_first_time_waits_for_the_fourth():
    async with wire() as made:
        for piece in [b"1", b"2", b"3", b"4"]:
            made.write(piece)
        assert made.sent() == [b"1", b"2"]
        await asyncio.sleep(0)
        assert made.sent() == [b"34"]


@run
async def test_lines_count_as_a_piece():
    async with wire() as made:
        made.transport.writelines([b"1", b"2"])
        made.transport.writelines([b"3", b"4"])
        assert made.sent() == [b"12", b"34"]
        await asyncio.sleep(0)
        made.transport.writelines([b"5", b"6"])
        made.write(b"7")
        assert made.sent() == []
        await asyncio.sleep(0)
        assert made.sent() == [b"567"]


@run
async def test_a_single_piece_ends_it():
    async with joining() as made:
        await asyncio.sleep(0)
        assert made.sent() == [b"first,"]
        made.write(b"second")
        assert made.sent() == [b"second"]


@run
async def test_a_single_call_of_writelines_ends_it():
    async with joining() as made:
        made.write(b"second")
        await asyncio.sleep(0)
        made.sent()
        made.transport.writelines([b"1", b"2"])
        assert made.sent() == []
        await asyncio.sleep(0)
        assert made.sent() == [b"12"]
        made.transport.writelines([b"3", b"4"])
        assert made.sent() == [b"34"]


@run
async def test_nothing_is_put_off_for_nothing():
    async with joining() as made:
        made.write(b"second")
        await asyncio.sleep(0)
        made.sent()
        made.write(b"")
        made.transport.writelines([])
        made.write(b"first,")
        made.write(b"")
        await asyncio.sleep(0)
        assert made.sent() == [b"first,"]


TELLING = {
    "asking how much waits": lambda made: made.transport.get_write_buffer_size(),
    "setting limits": lambda made: made.transport.set_write_buffer_limits(high=0),
    "asking for the socket": lambda made: made.transport.get_extra_info("socket"),
    "asking for all that is known": lambda made: made.transport._extra,
    "taking the socket": lambda made: made.transport._sock,
    "setting a protocol": lambda made: made.transport.set_protocol(made.protocol),
    "beginning to send a file": lambda made: made.transport._make_empty_waiter(),
    "saying that no more comes": lambda made: made.transport.write_eof(),
    "closing": lambda made: made.transport.close(),
    "aborting": lambda made: made.transport.abort(),
    "running a turn within": lambda made: made.loop._run_once(),
}


@pytest.mark.parametrize("action", TELLING.values(), ids=TELLING)
def test_what_was_put_off_is_sent_before(action):
    async def main():
        async with joining() as made:
            made.write(b"second")
            made.loop.call_soon(lambda: seen.append(made.sent()))
            seen = []
            action(made)
            assert [*seen, made.sent()][0] == [b"first,second"]

    roundel.run(main())


@pytest.mark.parametrize(("size", "count"), [(8 * 1024, 2), (1, 64)], ids=["bytes", "pieces"])
def test_not_much_is_put_off(size, count):
    async def main():
        async with joining() as made:
            made.write(b"second")
            await asyncio.sleep(0)
            made.sent()
            for _ in range(count):
                assert made.sent() == []
                made.write(bytes(size))
            assert made.sent() == [bytes(size * count)]

    roundel.run(main())


@run
async def test_much_takes_along_what_was_put_off():
    async with joining() as made:
        made.write(bytes(20_000))
        assert made.sent() == [b"first," + bytes(20_000)]


@run
async def test_much_is_not_put_off_itself():
    async with joining() as made:
        made.write(b"second")
        await asyncio.sleep(0)
        made.sent()
        made.write(bytes(20_000))
        assert made.sent() == [bytes(20_000)]


@run
async def test_little_that_can_change_is_copied():
    async with joining() as made:
        data = bytearray(b"second,")
        made.write(data)
        made.write(memoryview(data)[:3])
        data[:] = b"changed"
        await asyncio.sleep(0)
        assert made.sent() == [b"first,second,sec"]


@run
async def test_much_that_can_change_is_sent_at_once():
    async with joining() as made:
        made.write(bytearray(20_000))
        assert made.sent() == [b"first,", bytes(20_000)]


@run
async def test_lines_are_all_written_or_none():
    async with joining() as made:
        with pytest.raises(TypeError):
            made.transport.writelines([b"lost", 1])
        made.write(b"second")
        await asyncio.sleep(0)
        assert made.sent() == [b"first,second"]
    async with wire() as made:
        with pytest.raises(TypeError):
            made.transport.writelines([b"lost", 1])
        assert made.transport.get_write_buffer_size() == 0
        made.write(b"kept")
        assert made.sent() == [b"kept"]


@run
async def test_one_transport_at_a_time_puts_off():
    async with joining() as first, joining() as second:
        assert first.sent() == [b"first,"]
        second.write(b"second")
        await asyncio.sleep(0)
        assert second.sent() == [b"first,second"]


@run
async def test_others_that_send_at_once_are_no_hindrance():
    async with wire() as other, joining() as first:
        other.write(b"now")
        first.write(b"second")
        assert (first.sent(), other.sent()) == ([], [b"now"])
        await asyncio.sleep(0)
        assert first.sent() == [b"first,second"]


@run
async def test_what_others_come_in_between_of_is_not_joined():
    async with wire() as first, wire() as second:
        for _ in range(3):
            for number in [b"1", b"2"]:
                for made in first, second:
                    made.write(number)
                    assert made.sent() == [number]
            await asyncio.sleep(0)


@run
async def test_what_is_put_off_comes_in_between_too():
    async with wire() as first, joining() as other:
        first.write(b"1")
        other.write(b"second")
        first.write(b"2")
        assert first.sent() == [b"1", b"2"]
        await asyncio.sleep(0)
        other.write(b"first")
        first.write(b"1")
        assert (first.sent(), other.sent()) == ([b"1"], [b"first,second"])


@run
async def test_a_late_failure_ends_the_connection():
    async with joining() as made:
        made.theirs.close()
        made.write(b"second")
        assert made.protocol.log == ["made"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert made.protocol.log == ["made", ("lost", BrokenPipeError)]
        made.write(b"in vain")


class Flowing(Recorder):
    """Writes down where it is told of the flow."""

    def pause_writing(self):
        self.log.append(("pause", WHERE.get()))


@run
async def test_the_protocol_is_paused_where_it_wrote():
    async def write():
        WHERE.set("there")
        made.transport.set_write_buffer_limits(high=0)
        made.write(b"1")
        made.write(b"2")
        await asyncio.sleep(0)
        made.write(b"x" * 10_000)
        made.write(b"y")
        assert made.protocol.log == ["made"]

    async with wire(Flowing, kind=socket.SOCK_STREAM) as made:
        made.transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await asyncio.create_task(write())
        assert made.protocol.log == ["made", ("pause", "there")]
        assert made.transport.get_write_buffer_size() > 0
        received = b"12"
        while made.transport.get_write_buffer_size():
            received += b"".join(made.sent())
            await asyncio.sleep(0)
        assert len(received + b"".join(made.sent())) == 2 + 2 + 10_001
        assert made.protocol.log[-1] == "resume"


def fill(transport):
    """Has nothing be sent of what is written to a transport next."""
    transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            transport._sock.send(bytes(1000))


@pytest.mark.parametrize("third", [False, True])
def test_who_is_told_may_put_off_something_else(third):
    """Nothing is forgotten: neither at the end of the turn, nor when a third transport puts off."""

    class Passing(Recorder):
        def pause_writing(self):
            second.write(b"told")

    async def main():
        nonlocal second
        async with (
            wire() as second,
            wire() as other,
            wire(Passing, kind=socket.SOCK_STREAM) as first,
        ):
            for made in second, other, first:
                made.write(b"1")
                made.write(b"2")
                made.sent()
            await asyncio.sleep(0)
            first.transport.set_write_buffer_limits(high=0)
            fill(first.transport)
            first.write(b"x")
            if third:
                other.write(b"y")
                assert other.sent() == [b"y"]
            first.loop.call_soon(lambda: seen.append(second.sent()))
            seen = []
            await asyncio.sleep(0)
            assert seen == [[b"told"]]
            first.transport.abort()

    second = None
    roundel.run(main())


def test_nothing_is_left_when_the_loop_stops(debug):
    async def begin():
        made = Wire()
        await asyncio.sleep(0)
        write(made)
        return made

    def write(made):
        made.write(b"1")
        made.write(b"2")
        made.write(b"3")

    def write_and_stop(made):
        write(made)
        made.loop.stop()

    loop = roundel.new_event_loop()
    loop.set_debug(debug)
    made = loop.run_until_complete(begin())
    assert made.sent() == [b"1", b"2", b"3"]
    loop.call_soon(write, made)
    loop.call_soon(write_and_stop, made)
    loop.run_forever()
    assert b"".join(made.sent()) == b"123123"
    write(made)
    assert made.sent() == [b"1", b"2", b"3"]  # it stands still
    loop.run_until_complete(made.close())
    loop.close()


@pytest.mark.parametrize("exception", [ValueError, SystemExit, KeyboardInterrupt])
def test_who_fails_has_written(exception):
    async def begin():
        made = Wire()
        await asyncio.sleep(0)
        made.write(b"1")
        made.write(b"2")
        made.sent()
        return made

    def fail(made):
        made.write(b"1")
        made.write(b"2")
        raise exception

    loop = roundel.new_event_loop()
    reports = []
    loop.set_exception_handler(lambda _, report: reports.append(report["exception"]))
    made = loop.run_until_complete(begin())
    loop.call_soon(fail, made)
    if exception is ValueError:
        loop.call_soon(loop.stop)
        loop.run_forever()
    else:
        with pytest.raises(exception):
            loop.run_forever()
    assert made.sent() == [b"12"]
    assert [type(each) for each in reports] == [ValueError] * (exception is ValueError)
    loop.run_until_complete(made.close())
    loop.close()


@run
async def test_another_thread_puts_nothing_off():
    def write():
        made.write(b"1")
        sent.append(made.sent())

    async with joining() as made:
        made.write(b"second")
        await asyncio.sleep(0)
        made.sent()
        sent = []
        made.loop.set_debug(False)
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert sent == [[b"1"]]


@run
async def test_a_file_comes_after_what_was_written():
    async with joining(kind=socket.SOCK_STREAM) as made:
        made.write(b"second,")
        with tempfile.TemporaryFile() as file:
            file.write(b"file")
            file.seek(0)
            await made.loop.sendfile(made.transport, file)
        assert b"".join(made.sent()) == b"first,second,file"


@contextlib.asynccontextmanager
async def stream():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    reader, writer = await roundel.open_connection(sock=ours)
    writer.write(b"1")
    writer.write(b"2")
    await asyncio.sleep(0)
    assert theirs.recv(100) == b"12"
    yield reader, writer, theirs
    writer.close()
    await writer.wait_closed()
    theirs.close()


@run
async def test_a_stream_joins_what_it_writes():
    async with stream() as (_, writer, theirs):
        writer.write(b"head,")
        await writer.drain()
        writer.writelines([b"body", b"."])
        await writer.drain()
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
        await asyncio.sleep(0)
        assert theirs.recv(100) == b"head,body."


@run
async def test_who_awaits_an_answer_has_asked():
    async with stream() as (reader, writer, theirs):
        writer.write(b"ask")
        waiting = reader.read(1)
        waiting.send(None)
        assert theirs.recv(100) == b"ask"
        waiting.close()


async def write_at_random(transport, chance):
    """Writes by all ways there are, and says what."""
    written = bytearray()
    for _ in range(200):
        sizes = chance.choices([1, 10, 3000, 9000, 20_000], k=chance.choice([1, 1, 2, 3]))
        parts = [chance.randbytes(size) for size in sizes]
        written.extend(b"".join(parts))
        if len(parts) > 1:
            transport.writelines(parts)
        else:
            transport.write(chance.choice([bytes, bytearray, memoryview])(parts[0]))
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        if chance.random() < 0.1:
            transport.get_write_buffer_size()
    transport.write_eof()
    return written


async def read_all(sock):
    received = bytearray()
    while data := await asyncio.get_running_loop().sock_recv(sock, HUGE):
        received += data
    return received


@pytest.mark.parametrize("seed", range(10))
def test_bytes_keep_their_order(seed):
    """On several connections at once."""
    chance = random.Random(seed)

    async def one():
        async with wire(kind=socket.SOCK_STREAM) as made:
            made.transport._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            writing = asyncio.create_task(write_at_random(made.transport, chance))
            received = await read_all(made.theirs)
            assert await writing == received

    async def main():
        await asyncio.gather(*(one() for _ in range(3)))

    roundel.run(main())
