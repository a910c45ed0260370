"""Stream transports: what a protocol is told, and what is sent."""

import asyncio
import gc
import logging
import socket
import struct
import sys
import weakref

import pytest
from tests.python.transports import EITHER, HUGE, Recorder, connect, either, read_all, until

import roundel


def test_a_transport_is_native_and_asyncios():
    async def main():
        transport, _, theirs = await connect()
        assert isinstance(transport, roundel._roundel.StreamTransport)
        assert isinstance(transport, asyncio.Transport)
        transport.anything = 1
        assert weakref.ref(transport)() is transport
        transport.close()
        theirs.close()

    roundel.run(main())


@either
async def test_flow_of_writing():
    transport, protocol, theirs = await connect()
    transport.set_write_buffer_limits(high=1000, low=100)
    assert transport.get_write_buffer_limits() == (100, 1000)
    data = bytes(range(256)) * (HUGE // 256)
    transport.write(data)
    assert protocol.log == ["made", "pause"]
    assert 0 < transport.get_write_buffer_size() < HUGE
    transport.write(b"end")
    assert protocol.log == ["made", "pause"]
    assert await read_all(theirs, HUGE + 3) == data + b"end"
    await until(lambda: len(protocol.log) == 3)
    assert protocol.log == ["made", "pause", "resume"]
    assert transport.get_write_buffer_size() == 0
    transport.close()
    await protocol.lost
    theirs.close()


@either
async def test_water_marks():
    transport, protocol, theirs = await connect()
    assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    transport.set_write_buffer_limits(low=5)
    assert transport.get_write_buffer_limits() == (5, 20)
    transport.set_write_buffer_limits(high=9)
    assert transport.get_write_buffer_limits() == (2, 9)
    for high, low in [(1, 2), (5, -1)]:
        text = rf"high \({high}\) must be >= low \({low}\) must be >= 0"
        with pytest.raises(ValueError, match=text):
            transport.set_write_buffer_limits(high=high, low=low)
    transport.set_write_buffer_limits(high=HUGE * 2)
    transport.write(bytes(HUGE))
    assert protocol.log == ["made"]
    transport.set_write_buffer_limits(high=0)
    assert protocol.log == ["made", "pause"]
    transport.abort()
    await protocol.lost
    theirs.close()


@either
async def test_flow_of_reading():
    class Pausing(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.pause_reading()

    transport, protocol, theirs = await connect(Pausing)
    theirs.sendall(b"one")
    await until(lambda: protocol.received)
    theirs.sendall(b"two")
    await asyncio.sleep(0.02)
    assert protocol.received == b"one"
    assert not transport.is_reading()
    transport.pause_reading()
    transport.resume_reading()
    assert transport.is_reading()
    transport.resume_reading()
    await until(lambda: protocol.received == b"onetwo")
    transport.close()
    assert not transport.is_reading()
    await protocol.lost
    theirs.close()


@either
async def test_much_and_little_by_turns():
    """What comes in large pieces is received in another way; nothing is lost where that changes."""
    transport, protocol, theirs = await connect()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HUGE)
    sent = bytearray()
    for size in [1, 90_000, 120_000, 32 * 1024, 100_000, 5, 40_000, 7, 8, 110_000]:
        piece = bytes([size % 251]) * size
        transport.pause_reading()
        theirs.sendall(piece)
        transport.resume_reading()
        sent += piece
        await until(lambda: len(protocol.received) == len(sent))
    theirs.shutdown(socket.SHUT_WR)
    assert await protocol.lost is None
    assert protocol.received == sent
    assert protocol.log == ["made", "eof", ("lost", type(None))]
    theirs.close()


@either
async def test_a_reset_after_much():
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    listener.close()
    transport, protocol = await loop.create_connection(Recorder, sock=ours)
    theirs.sendall(bytes(100_000))
    await until(lambda: len(protocol.received) == 100_000)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    assert isinstance(await protocol.lost, ConnectionResetError)
    assert transport.is_closing()


@either
async def test_half_close_by_the_peer():
    class Keeping(Recorder):
        def eof_received(self):
            super().eof_received()
            return True

    transport, protocol, theirs = await connect(Keeping)
    theirs.shutdown(socket.SHUT_WR)
    await until(lambda: protocol.log == ["made", "eof"])
    transport.write(b"still here")
    assert theirs.recv(100) == b"still here"
    assert not transport.is_closing()
    transport.close()
    assert await protocol.lost is None
    assert theirs.recv(1) == b""
    theirs.close()


@either
async def test_end_of_file_closes():
    _transport, protocol, theirs = await connect()
    theirs.shutdown(socket.SHUT_WR)
    assert await protocol.lost is None
    assert protocol.log == ["made", "eof", ("lost", type(None))]
    theirs.close()


@either
async def test_writing_the_end():
    transport, protocol, theirs = await connect()
    assert transport.can_write_eof()
    transport.write(bytes(HUGE))
    transport.write_eof()
    transport.write_eof()
    with pytest.raises(RuntimeError, match=r"^Cannot call write\(\) after write_eof\(\)$"):
        transport.write(b"x")
    with pytest.raises(RuntimeError, match=r"^Cannot call write(lines)?\(\) after write_eof\(\)$"):
        transport.writelines([b"x"])
    assert len(await read_all(theirs, HUGE)) == HUGE
    assert theirs.recv(1) == b""
    theirs.sendall(b"reply")
    await until(lambda: protocol.received == b"reply")
    transport.close()
    await protocol.lost
    theirs.close()


@either
async def test_closing_sends_what_waits():
    transport, protocol, theirs = await connect()
    transport.write(bytes(HUGE))
    transport.close()
    assert transport.is_closing()
    assert len(await read_all(theirs, HUGE)) == HUGE
    assert await protocol.lost is None
    assert protocol.log == ["made", "pause", "resume", ("lost", type(None))]
    assert theirs.recv(1) == b""
    theirs.close()


@either
async def test_aborting_forgets_what_waits():
    transport, protocol, theirs = await connect()
    transport.write(bytes(HUGE))
    transport.abort()
    assert transport.get_write_buffer_size() == 0
    assert transport.is_closing()
    assert protocol.log == ["made", "pause"]
    assert await protocol.lost is None
    assert transport.get_protocol() is None
    theirs.close()


@either
async def test_a_reset_is_an_error():
    server = socket.create_server(("127.0.0.1", 0))
    _transport, protocol = await asyncio.get_running_loop().create_connection(
        Recorder, *server.getsockname()
    )
    theirs, _ = server.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    assert isinstance(await protocol.lost, ConnectionResetError)
    server.close()


@either
async def test_writing_after_the_connection_was_lost():
    transport, protocol, theirs = await connect()
    theirs.close()
    transport.pause_reading()  # so that only writing can find out
    transport.write(b"x")
    assert isinstance(await protocol.lost, BrokenPipeError)
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    for _ in range(6):
        transport.write(b"x")
    logger.removeHandler(handler)
    assert records == ["socket.send() raised exception."] * 2


@either
async def test_what_can_be_written():
    transport, protocol, theirs = await connect()
    for data in [b"a", bytearray(b"b"), memoryview(b"c"), memoryview(b"d.e.")[::1], b""]:
        transport.write(data)
    transport.writelines([b"f", bytearray(b"g"), memoryview(b"h")])
    transport.writelines([])
    named = sys.version_info >= (3, 14)
    kinds = "bytes, bytearray, or memoryview" if named else "bytes-like"
    for wrong in ["text", 1, None, [b"x"]]:
        name = type(wrong).__name__
        text = f"^data argument must be a {kinds} object, not '{name}'$"
        with pytest.raises(TypeError, match=text):
            transport.write(wrong)
    await asyncio.sleep(0)
    assert theirs.recv(100) == b"abcd.e.fgh"
    transport.close()
    await protocol.lost
    theirs.close()


def test_what_was_written_may_be_changed_after():
    async def main():
        transport, protocol, theirs = await connect()
        data = bytearray(b"x" * HUGE)
        transport.write(data)
        transport.write(memoryview(data))
        transport.writelines([data])
        data[:] = b"y"
        assert await read_all(theirs, 3 * HUGE) == b"x" * 3 * HUGE
        transport.close()
        await protocol.lost
        theirs.close()

    roundel.run(main())


@either
async def test_many_pieces_keep_their_order():
    transport, protocol, theirs = await connect()
    pieces = [bytes([number % 251]) * (number % 3000) for number in range(2000)]
    for piece in pieces:
        transport.write(piece)
    size = sum(map(len, pieces))
    assert await read_all(theirs, size) == b"".join(pieces)
    transport.writelines(pieces)
    assert await read_all(theirs, size) == b"".join(pieces)
    transport.close()
    await protocol.lost
    theirs.close()


class Buffered(asyncio.BufferedProtocol):
    """Takes what comes into a buffer of a few bytes."""

    def __init__(self, buffer=None):
        self.buffer = bytearray(4) if buffer is None else buffer
        self.received = b""
        self.lost = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint):
        assert sizehint == -1
        if isinstance(self.buffer, Exception):
            raise self.buffer
        return self.buffer

    def buffer_updated(self, count):
        self.received += self.buffer[:count]

    def connection_lost(self, exc):
        self.lost.set_result(exc)


@either
async def test_a_buffered_protocol():
    transport, protocol, theirs = await connect(Buffered)
    theirs.sendall(b"in small pieces")
    await until(lambda: protocol.received == b"in small pieces")
    switched = Recorder()
    transport.set_protocol(switched)
    assert transport.get_protocol() is switched
    theirs.sendall(b"and at once")
    await until(lambda: switched.received == b"and at once")
    transport.set_protocol(protocol)
    theirs.close()
    assert await protocol.lost is None


@pytest.mark.parametrize(
    ("buffer", "kind", "message"),
    [
        (bytearray(), RuntimeError, "Fatal error: protocol.get_buffer() call failed."),
        (ValueError(), ValueError, "Fatal error: protocol.get_buffer() call failed."),
        (7, TypeError, "Fatal error: protocol.get_buffer() call failed."),
        (b"fixed", Exception, "Fatal read error on socket transport"),
    ],
)
@EITHER
def test_bad_buffers_are_fatal(new_loop, buffer, kind, message):
    async def main():
        contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        transport, protocol, theirs = await connect(lambda: Buffered(buffer))
        theirs.sendall(b"x")
        assert isinstance(await protocol.lost, kind)
        (context,) = contexts
        assert context["message"] == message
        assert context["transport"] is transport
        assert context["protocol"] is protocol
        theirs.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("method", ["data_received", "eof_received"])
@EITHER
def test_a_failing_callback_is_fatal(new_loop, method):
    async def main():
        contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        _transport, protocol, theirs = await connect()
        setattr(protocol, method, lambda *_: 1 / 0)
        theirs.sendall(b"x") if method == "data_received" else theirs.shutdown(socket.SHUT_WR)
        assert isinstance(await protocol.lost, ZeroDivisionError)
        (context,) = contexts
        assert context["message"] == f"Fatal error: protocol.{method}() call failed."
        theirs.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("method", ["connection_made", "connection_lost"])
@EITHER
def test_a_failing_first_or_last_callback_is_reported(new_loop, method):
    async def main():
        contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        kind = type("Failing", (Recorder,), {method: lambda *_: 1 / 0})
        transport, _protocol, theirs = await connect(kind)
        transport.close()
        await asyncio.sleep(0.01)
        (context,) = contexts
        assert isinstance(context["exception"], ZeroDivisionError)
        assert context["message"].startswith("Exception in callback ")
        assert transport.get_protocol() is None
        assert theirs.recv(1) == b""
        theirs.close()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


@either
async def test_a_protocol_that_fails_to_pause_goes_on():
    contexts = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: contexts.append(context["message"]))
    transport, protocol, theirs = await connect()
    protocol.pause_writing = protocol.resume_writing = lambda: 1 / 0
    transport.write(bytes(HUGE))
    assert len(await read_all(theirs, HUGE)) == HUGE
    await until(lambda: len(contexts) == 2)
    assert contexts == ["protocol.pause_writing() failed", "protocol.resume_writing() failed"]
    transport.close()
    await protocol.lost
    theirs.close()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@EITHER
def test_what_ends_a_program_leaves_the_loop(new_loop, kind):
    async def main():
        _transport, protocol, theirs = await connect()
        protocol.data_received = failing
        theirs.sendall(b"x")
        with theirs:
            await asyncio.sleep(5)

    def failing(data):
        raise kind

    with pytest.raises(kind), asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
    gc.collect()
