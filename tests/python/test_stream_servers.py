"""Streams over real sockets: opening and serving, TLS, and what becomes of clients that fail."""

import asyncio
import contextlib
import gc
import os
import re
import socket
import ssl
import sys
import weakref
from pathlib import Path

import pytest

import roundel

CERTIFICATE = str(Path(__file__).parent / "tls" / "localhost.pem")
LOOPS = {"asyncio": asyncio.SelectorEventLoop, "roundel": roundel.new_event_loop}


@pytest.fixture(params=LOOPS)
def origin(request):
    """asyncio and roundel, which must do the same: streams and loops of either."""
    return {"asyncio": asyncio, "roundel": roundel}[request.param]


@pytest.fixture
def run(origin, debug):
    """Runs a coroutine on the loop of the same origin."""

    def run(main):
        with asyncio.Runner(loop_factory=LOOPS[origin.__name__], debug=debug) as runner:
            return runner.run(asyncio.wait_for(main, 30))

    return run


@contextlib.asynccontextmanager
async def serving(origin, handle, path=None, **options):
    """Serves streams on a TCP or a Unix socket, and gives a function that connects to it."""
    if path is None:
        server = await origin.start_server(handle, "127.0.0.1", 0, **options)
        address = server.sockets[0].getsockname()
    else:
        server = await origin.start_unix_server(handle, path, **options)

    async def connect(**options):
        if path is None:
            return await origin.open_connection(*address, **options)
        return await origin.open_unix_connection(path, **options)

    try:
        yield connect
        server.close()
        await server.wait_closed()  # which hangs while a failed test has clients
    finally:
        server.close()


async def echo(reader, writer):
    """Sends every line back."""
    async for line in reader:
        writer.write(line)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def closed(writer):
    """Closes a stream."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture(params=["tcp", "unix"])
def path(request, tmp_path):
    """Where a Unix socket is to be, or None for TCP."""
    return str(tmp_path / "socket") if request.param == "unix" else None


def test_a_conversation(run, origin, path):
    async def main():
        async with serving(origin, echo, path) as connect:
            reader, writer = await connect()
            for number in range(10):
                writer.writelines([b"line ", b"%d\n" % number])
                await writer.drain()
                assert await reader.readline() == b"line %d\n" % number
            writer.write_eof()
            assert await reader.read() == b""
            assert reader.at_eof()
            await closed(writer)

    run(main())


def test_much_is_sent_no_faster_than_it_is_read(run, origin, path):
    size = 4 << 20

    async def send(_, writer):
        for _ in range(64):
            writer.write(bytes(size // 64))
            await writer.drain()
            assert writer.transport.get_write_buffer_size() <= 64 * 1024
        await closed(writer)

    async def main():
        async with serving(origin, send, path) as connect:
            reader, writer = await connect(limit=1000)
            while not reader._paused:
                await asyncio.sleep(0.001)
            assert len(reader._buffer) < 2000 + 256 * 1024
            assert len(await reader.readexactly(size)) == size
            assert await reader.read() == b""
            await closed(writer)

    run(main())


def test_many_clients_at_once(run, origin):
    async def talk(connect, number):
        reader, writer = await connect()
        text = b"%d\n" % number
        for _ in range(5):
            writer.write(text)
            assert await reader.readline() == text
        await closed(writer)

    async def main():
        async with serving(origin, echo) as connect:
            await asyncio.gather(*(talk(connect, number) for number in range(50)))

    run(main())


def test_a_plain_function_is_called_for_each_client(run, origin, path):
    async def main():
        streams = asyncio.Queue()
        handle = lambda *stream: streams.put_nowait(stream)  # noqa: E731  # no coroutine
        async with serving(origin, handle, path, limit=7) as connect:
            _, client = await connect()
            client.write(b"hello\n")
            reader, writer = await streams.get()
            assert reader._limit == 7
            assert writer._protocol._task is None
            assert await reader.readline() == b"hello\n"
            await closed(client)
            assert await reader.read() == b""
            await closed(writer)

    run(main())


def test_a_client_whose_task_fails_is_reported_and_closed(run, origin):
    reported = []

    async def fail(reader, writer):
        await reader.readline()
        raise ValueError("no")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, each: reported.append(each))
        async with serving(origin, fail) as connect:
            reader, writer = await connect()
            writer.write(b"x\n")
            assert await reader.read() == b""
            await closed(writer)

    run(main())
    (context,) = reported
    assert context["message"] == "Unhandled exception in client_connected_cb"
    assert isinstance(context["exception"], ValueError)
    assert context["transport"].is_closing()


def test_a_client_whose_task_is_cancelled_is_closed(run):
    async def wait(reader, writer):
        asyncio.current_task().cancel()
        await reader.readline()

    async def main():
        async with serving(roundel, wait) as connect:
            reader, writer = await connect()
            assert await reader.read() == b""
            await closed(writer)

    run(main())


def test_a_function_that_fails_is_reported(run, origin):
    reported = []

    def fail(reader, writer):
        writer.close()
        raise ValueError("no")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, each: reported.append(each))
        async with serving(origin, fail) as connect:
            reader, writer = await connect()
            await reader.read()
            await closed(writer)

    run(main())
    text = "client_connected_cb" if sys.version_info >= (3, 14) else "connection_made"
    assert text in reported[0]["message"]


def test_a_reset_connection_fails_who_reads_and_who_writes(run, origin):
    async def main():
        streams = asyncio.Queue()
        handle = lambda *stream: streams.put_nowait(stream)  # noqa: E731  # no coroutine
        async with serving(origin, handle) as connect:
            client_reader, client = await connect()
            reader, writer = await streams.get()
            reading = asyncio.ensure_future(reader.readline())
            await asyncio.sleep(0)
            linger = b"\1\0\0\0\0\0\0\0"
            client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.transport.abort()
            for failing in (reading, writer.drain(), writer.wait_closed(), reader.read()):
                with pytest.raises(ConnectionResetError):
                    await failing
            assert await client_reader.read() == b""

    run(main())


def test_a_closed_stream_is_at_its_end(run, origin, path):
    async def main():
        async with serving(origin, echo, path) as connect:
            reader, writer = await connect()
            reading = asyncio.ensure_future(reader.read())
            await asyncio.sleep(0)
            writer.close()
            assert await reading == b""
            await writer.wait_closed()
            with pytest.raises(ConnectionResetError):
                await writer.drain()

    run(main())


def test_a_cancelled_conversation_loses_no_byte(run, origin):
    async def main():
        async with serving(origin, echo) as connect:
            reader, writer = await connect()
            got = b""
            for number in range(50):
                writer.write(b"%d\n" % number)
                task = asyncio.ensure_future(reader.readline())
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                got += b"" if task.cancelled() else task.result()
            writer.write_eof()
            got += await reader.read()
            assert got == b"".join(b"%d\n" % number for number in range(50))
            await closed(writer)

    run(main())


def test_a_refused_connection(run, origin, tmp_path):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as unused:
            address = unused.getsockname()
        with pytest.raises(ConnectionRefusedError):
            await origin.open_connection(*address)
        with pytest.raises(FileNotFoundError):
            await origin.open_unix_connection(tmp_path / "absent")
        with pytest.raises(TypeError):
            await origin.open_connection(*address, nonsense=1)

    run(main())


def test_streams_of_sockets_that_are_given(run, origin):
    async def main():
        left, right = socket.socketpair()
        reader, writer = await origin.open_connection(sock=left)
        other_reader, other_writer = await origin.open_connection(sock=right)
        writer.write(b"over\n")
        assert await other_reader.readline() == b"over\n"
        await closed(other_writer)
        assert await reader.readline() == b""
        await closed(writer)

    run(main())


def contexts():
    """Returns what TLS wants to know, of a server and of a client that trusts it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    return server, ssl.create_default_context(cafile=CERTIFICATE)


def test_a_conversation_in_tls(run, origin):
    server_context, client_context = contexts()

    async def main():
        async with serving(origin, echo, ssl=server_context) as connect:
            reader, writer = await connect(ssl=client_context, server_hostname="localhost")
            assert writer._protocol._over_ssl
            for _ in range(3):
                writer.write(b"hello\n")
                await writer.drain()
                assert await reader.readline() == b"hello\n"
            await closed(writer)

    run(main())


def test_going_over_to_tls(run, origin):
    server_context, client_context = contexts()

    async def handle(reader, writer):
        writer.write(await reader.readline())
        await writer.start_tls(server_context)
        assert writer.get_extra_info("sslcontext") is server_context
        await echo(reader, writer)

    async def main():
        async with serving(origin, handle) as connect:
            reader, writer = await connect()
            writer.write(b"plain\n")
            assert await reader.readline() == b"plain\n"
            await writer.start_tls(client_context, server_hostname="localhost")
            assert writer.transport is writer._protocol._transport
            assert writer._protocol._over_ssl
            if origin is roundel or sys.version_info >= (3, 14):
                assert reader._transport is writer.transport
            writer.write(b"secret\n")
            assert await reader.readline() == b"secret\n"
            await closed(writer)

    run(main())


def test_nothing_is_left_of_a_stream(run, origin):
    async def main():
        alive = []

        async def handle(reader, writer):
            alive.extend(map(weakref.ref, (reader, writer, writer._protocol)))
            await echo(reader, writer)

        async with serving(origin, handle) as connect:
            reader, writer = await connect()
            alive.extend(map(weakref.ref, (reader, writer, writer._protocol)))
            writer.write(b"x\n")
            assert await reader.readline() == b"x\n"
            await closed(writer)
        await asyncio.sleep(0.01)
        del reader, writer
        gc.collect()
        assert len(alive) == 6
        assert [each() for each in alive] == [None] * 6

    run(main())


def watched_by_the_kernel():
    """Returns the descriptors that any epoll instance of this process knows."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself
            if os.readlink(link) == "anon_inode:[eventpoll]":
                text = (Path("/proc/self/fdinfo") / link.name).read_text()
                found.update(int(number) for number in re.findall(r"tfd: *(\d+)", text))
    return found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_connection_that_ends_at_once_is_never_watched(debug):
    async def main():
        seen = asyncio.Queue()

        async def leave(reader, writer):
            transport = writer.transport
            before = transport.get_extra_info("socket").fileno() in watched_by_the_kernel()
            if await seen.get() == "stay":
                await reader.read(1)  # which never comes
            writer.close()
            seen.put_nowait((before, str(transport)))

        async with serving(roundel, leave) as connect:
            seen.put_nowait("leave")
            reader, writer = await connect()
            assert await reader.read() == b""
            before, transport = await seen.get()
            assert not before
            assert "read=idle" in transport
            writer.close()
            seen.put_nowait("stay")
            _, writer = await connect()
            await asyncio.sleep(0.01)
            peer = writer.get_extra_info("socket").fileno()
            assert peer in watched_by_the_kernel()
            writer.close()
            before, _ = await seen.get()
            assert not before

    roundel.run(main(), debug=debug)
