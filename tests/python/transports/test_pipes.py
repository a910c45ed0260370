"""Pipe transports: what a protocol is told, and what is written."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import pty
import re
import socket
import tempfile
import termios
import warnings
import weakref

import pytest
from tests.python.transports import EITHER, HUGE, Recorder, either, until

import roundel


def opened(descriptor, mode):
    return open(descriptor, mode, 0)  # the transport closes it


async def reading(factory=Recorder, pipe=None):
    """Returns a transport that reads, its protocol, and the descriptor of the other end."""
    loop = asyncio.get_running_loop()
    ours, theirs = pipe or os.pipe()
    transport, protocol = await loop.connect_read_pipe(factory, opened(ours, "rb"))
    return transport, protocol, theirs


async def writing(factory=Recorder, pipe=None):
    """Returns a transport that writes, its protocol, and the descriptor of the other end."""
    loop = asyncio.get_running_loop()
    theirs, ours = pipe or os.pipe()
    transport, protocol = await loop.connect_write_pipe(factory, opened(ours, "wb"))
    return transport, protocol, theirs


def read_all(theirs, count):
    """Reads so many bytes at the other end, in a thread."""

    def read():
        parts = bytearray()
        while len(parts) < count:
            parts += os.read(theirs, 1 << 20)
        return bytes(parts)

    return asyncio.to_thread(read)


def test_transports_are_native_and_asyncios():
    async def main():
        reader, _, written = await reading()
        writer, _, read = await writing()
        assert type(reader) is roundel._roundel.ReadPipeTransport
        assert isinstance(reader, asyncio.ReadTransport)
        assert not isinstance(reader, asyncio.WriteTransport)
        assert type(writer) is roundel._roundel.WritePipeTransport
        assert isinstance(writer, asyncio.WriteTransport)
        for transport in (reader, writer):
            transport.anything = 1
            assert weakref.ref(transport)() is transport
            transport.close()
        os.close(written)
        os.close(read)

    roundel.run(main())


@either
async def test_reading_to_the_end():
    transport, protocol, theirs = await reading()
    assert protocol.log == ["made"]
    assert transport.get_protocol() is protocol
    os.write(theirs, b"one")
    await until(lambda: protocol.received == b"one")
    os.write(theirs, b"two")
    await until(lambda: protocol.received == b"onetwo")
    os.close(theirs)
    assert await protocol.lost is None
    assert protocol.log == ["made", "eof", ("lost", type(None))]
    assert transport.is_closing()
    assert transport.get_extra_info("pipe").closed
    transport.close()


@either
async def test_pausing_and_resuming_reading():
    transport, protocol, theirs = await reading()
    assert transport.is_reading()
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    os.write(theirs, b"later")
    await asyncio.sleep(0.01)
    assert protocol.received == b""
    transport.resume_reading()
    transport.resume_reading()
    await until(lambda: protocol.received == b"later")
    transport.close()
    assert not transport.is_reading()
    assert await protocol.lost is None
    assert protocol.log == ["made", ("lost", type(None))]
    os.close(theirs)


@either
async def test_a_protocol_that_closes_or_pauses_when_it_is_made():
    class Closing(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.close()

    class Pausing(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.pause_reading()

    asyncio.get_running_loop().set_debug(False)  # its message wants the pipe's number
    for connect in (reading, writing):
        _, protocol, theirs = await connect(Closing)
        assert await protocol.lost is None
        os.close(theirs)
    transport, protocol, theirs = await reading(Pausing)
    os.write(theirs, b"x")
    await asyncio.sleep(0.01)
    assert not protocol.received
    transport.resume_reading()
    await until(lambda: protocol.received)
    transport.close()
    await protocol.lost
    os.close(theirs)


@either
async def test_another_protocol_takes_over():
    transport, first, theirs = await reading()
    second = Recorder()
    transport.set_protocol(second)
    assert transport.get_protocol() is second
    os.write(theirs, b"x")
    await until(lambda: second.received)
    assert not first.received
    transport.close()
    await second.lost
    os.close(theirs)


@either
async def test_writing():
    transport, protocol, theirs = await writing()
    assert protocol.log == ["made"]
    transport.write(b"bytes ")
    transport.write(bytearray(b"bytearray "))
    transport.write(memoryview(b"memoryview "))
    transport.write(b"")
    transport.writelines([b"li", b"nes"])
    assert os.read(theirs, 100) == b"bytes bytearray memoryview lines"
    assert transport.get_write_buffer_size() == 0
    assert transport.can_write_eof()
    transport.write_eof()
    transport.write_eof()
    assert transport.is_closing()
    assert await protocol.lost is None
    assert os.read(theirs, 100) == b""
    os.close(theirs)


@either
async def test_what_is_not_bytes_is_refused():
    transport, protocol, theirs = await writing()
    for wrong in ("text", None, 5, [b"x"]):
        with pytest.raises(AssertionError, match=re.escape(repr(wrong))):
            transport.write(wrong)
    transport.write(b"right")
    assert os.read(theirs, 100) == b"right"
    transport.close()
    await protocol.lost
    os.close(theirs)


@either
async def test_flow_of_writing():
    transport, protocol, theirs = await writing()
    assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    transport.set_write_buffer_limits(high=1000, low=100)
    data = bytearray(os.urandom(HUGE))
    transport.write(data)
    copy = bytes(data)
    data[-1] ^= 1
    assert protocol.log == ["made", "pause"]
    assert 0 < transport.get_write_buffer_size() < HUGE
    transport.write(b"end")
    assert await read_all(theirs, HUGE + 3) == copy + b"end"
    await until(lambda: protocol.log == ["made", "pause", "resume"])
    transport.close()
    await protocol.lost
    os.close(theirs)


@pytest.mark.parametrize("method", ["close", "write_eof"])
@EITHER
def test_what_waits_is_written_before_the_end(new_loop, method):
    async def main():
        transport, protocol, theirs = await writing()
        transport.write(bytes(HUGE))
        getattr(transport, method)()
        assert transport.is_closing()
        assert transport.get_write_buffer_size() > 0
        transport.write(b"lost")
        assert len(await read_all(theirs, HUGE)) == HUGE
        assert await protocol.lost is None
        assert os.read(theirs, 100) == b""
        os.close(theirs)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


@either
async def test_abort_forgets_what_waits():
    transport, protocol, theirs = await writing()
    transport.write(bytes(HUGE))
    transport.close()
    transport.abort()
    assert transport.get_write_buffer_size() == 0
    assert await protocol.lost is None
    os.close(theirs)


@either
async def test_a_reader_that_goes_is_noticed():
    transport, protocol, theirs = await writing()
    os.close(theirs)
    assert await protocol.lost is None
    assert transport.is_closing()


@either
async def test_a_reader_that_goes_before_all_is_written():
    transport, protocol, theirs = await writing()
    transport.write(bytes(HUGE))
    os.close(theirs)
    assert isinstance(await protocol.lost, BrokenPipeError)
    assert protocol.log[:2] == ["made", "pause"]
    assert transport.is_closing()


@EITHER
def test_writing_to_a_reader_that_has_gone(new_loop, caplog):
    async def main():
        transport, protocol, theirs = await writing()
        os.close(theirs)
        for _ in range(8):
            transport.write(b"x")
        error = await protocol.lost
        assert isinstance(error, BrokenPipeError)
        assert error.errno == errno.EPIPE
        for _ in range(2):
            transport.write(b"x")

    with (
        caplog.at_level(logging.WARNING, "asyncio"),
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        runner.run(main())
    text = "pipe closed by peer or os.write(pipe, data) raised exception."
    assert caplog.messages == [text] * 5


@EITHER
def test_a_protocol_that_fails_is_reported_and_goes_on(new_loop):
    class Failing(Recorder):
        def data_received(self, data):
            super().data_received(data)
            raise ValueError(data)

    async def main():
        contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        transport, protocol, theirs = await reading(Failing)
        os.write(theirs, b"1")
        await until(lambda: contexts)
        os.write(theirs, b"2")
        await until(lambda: len(contexts) == 2)
        assert protocol.received == b"12"
        assert [type(context["exception"]) for context in contexts] == [ValueError] * 2
        transport.close()
        assert await protocol.lost is None
        os.close(theirs)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


@either
async def test_a_file_is_refused():
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryFile() as file:
        with pytest.raises(ValueError, match=r"^Pipe transport is for pipes/sockets only\.$"):
            await loop.connect_read_pipe(Recorder, file)
        text = "^Pipe transport is only for pipes, sockets and character devices$"
        with pytest.raises(ValueError, match=text):
            await loop.connect_write_pipe(Recorder, file)
        assert os.get_blocking(file.fileno())


def test_what_is_no_open_file_is_refused():
    """asyncio's transports do so, too, and complain of themselves when they are forgotten."""

    async def main():
        loop = asyncio.get_running_loop()
        with tempfile.TemporaryFile() as file:
            file.close()
        for connect in (loop.connect_read_pipe, loop.connect_write_pipe):
            with pytest.raises(ValueError, match="closed file"):
                await connect(Recorder, file)
            with pytest.raises(AttributeError, match="fileno"):
                await connect(Recorder, 5)

    roundel.run(main())


@either
async def test_a_named_pipe():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pipe")
        os.mkfifo(path)
        ends = [os.open(path, os.O_RDONLY | os.O_NONBLOCK), os.open(path, os.O_WRONLY)]
    writer, told, ours = await writing(pipe=ends)
    reader, protocol, _ = await reading(pipe=(ours, None))
    writer.write(b"through")
    await until(lambda: protocol.received == b"through")
    reader.close()
    await protocol.lost
    assert await told.lost is None


@either
async def test_sockets():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    reader, protocol = await loop.connect_read_pipe(Recorder, ours)
    writer, told = await loop.connect_write_pipe(Recorder, theirs)
    writer.write(b"through")
    await until(lambda: protocol.received == b"through")
    reader.close()
    await protocol.lost
    assert await told.lost is None
    assert writer.is_closing()


@either
async def test_a_terminal():
    master, slave = pty.openpty()
    attributes = termios.tcgetattr(slave)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
    writer, told, _ = await writing(pipe=(None, slave))
    reader, protocol, _ = await reading(pipe=(master, None))
    writer.write(b"through")
    await until(lambda: protocol.received == b"through")
    writer.close()
    assert await told.lost is None
    # A terminal whose other end was closed answers EIO, which is no cause for a report.
    assert (await protocol.lost).errno == errno.EIO
    assert reader.is_closing()


@EITHER
def test_a_forgotten_transport_warns_and_closes(new_loop):
    async def main():
        reader, _, written = await reading()
        writer, _, read = await writing()
        return [reader, writer], written, read

    with asyncio.Runner(loop_factory=new_loop) as runner:
        made, written, read = runner.run(main())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made.clear()
        gc.collect()
    found = [one for one in caught if "unclosed transport" in str(one.message)]
    assert [one.category for one in found] == [ResourceWarning] * 2
    assert os.read(read, 1) == b""
    with pytest.raises(BrokenPipeError):
        os.write(written, b"x")
    caught.clear()
    del found
    gc.collect()
    os.close(written)
    os.close(read)


@either
async def test_representations():
    reader, protocol, written = await reading()
    writer, told, read = await writing()
    await asyncio.sleep(0)
    number = reader.get_extra_info("pipe").fileno()
    assert re.fullmatch(rf"<\w+ fd={number} polling>", repr(reader))
    reader.pause_reading()
    assert re.fullmatch(rf"<\w+ fd={number} idle>", repr(reader))
    assert re.fullmatch(r"<\w+ fd=\d+ idle bufsize=0>", repr(writer))
    writer.write(bytes(HUGE))
    assert re.fullmatch(r"<\w+ fd=\d+ polling bufsize=[1-9]\d*>", repr(writer))
    writer.abort()
    reader.close()
    assert re.fullmatch(rf"<\w+ closing fd={number} idle>", repr(reader))
    await protocol.lost
    await told.lost
    await asyncio.sleep(0)
    assert re.fullmatch(rf"<\w+ closed fd={number} closed>", repr(reader))
    assert re.fullmatch(r"<\w+ closed fd=\d+ closed>", repr(writer))
    assert reader.get_extra_info("nothing", 5) == 5
    os.close(written)
    os.close(read)


@EITHER
def test_debug_mode_logs(new_loop, caplog):
    async def main():
        reader, protocol, written = await reading()
        writer, told, read = await writing()
        reader.pause_reading()
        reader.resume_reading()
        os.close(written)
        os.close(read)
        await protocol.lost
        await told.lost
        assert writer.is_closing()

    with (
        caplog.at_level(logging.DEBUG, "asyncio"),
        asyncio.Runner(loop_factory=new_loop, debug=True) as runner,
    ):
        runner.run(main())
    texts = [re.sub("<.*>|[ :].*connected.*", "T", message) for message in caplog.messages]
    expected = ["T pauses reading", "T resumes reading", *["T was closed by peer"] * 2]
    assert [text for text in texts if text in expected] == expected


@either
async def test_a_pipe_that_was_closed_from_below():
    transport, protocol, theirs = await writing()
    transport.get_extra_info("pipe").close()
    contexts = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    transport.write(b"x")
    assert (await protocol.lost).errno == errno.EBADF
    assert not contexts
    os.close(theirs)


@either
async def test_streams_over_pipes():
    loop = asyncio.get_running_loop()
    origin = roundel if isinstance(loop, roundel.EventLoop) else asyncio
    theirs, ours = os.pipe()
    reader = origin.StreamReader(limit=100)
    protocol = origin.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_read_pipe(lambda: protocol, opened(theirs, "rb"))
    with open(ours, "wb", 0) as pipe:
        pipe.write(b"line\n" + bytes(300))
        assert await reader.readline() == b"line\n"
        assert await reader.readexactly(300) == bytes(300)
    assert await reader.read() == b""
    with contextlib.suppress(OSError):
        transport.close()
