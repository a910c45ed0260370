"""Methods that somebody has set on a transport, a protocol or a reader: they are called.

Tests set some, and libraries that look at what passes.
"""

import asyncio
import socket
import sys

import pytest
from tests.python.tls import client_context, server_context
from tests.python.transports import HUGE, Recorder, connect, either, read_all, until

import roundel


def watch(target, name):
    """Sets a function in the place of a method, which notes its arguments and calls it."""
    method, calls = getattr(target, name), []

    def call(*args):
        calls.append(args)
        return method(*args)

    setattr(target, name, call)
    return calls


def silence(target, name, result=None):
    """Sets a function in the place of a method, which only notes its arguments."""
    calls = []

    def call(*args):
        calls.append(args)
        return result

    setattr(target, name, call)
    return calls


async def streams(**options):
    """A native or an asyncio stream, as the loop is, and the blocking socket at the other end."""
    loop = asyncio.get_running_loop()
    origin = roundel if isinstance(loop, roundel.EventLoop) else asyncio
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    reader, writer = await origin.open_unix_connection(sock=ours, **options)
    return reader, writer, theirs


async def close(writer, theirs):
    writer.transport.abort()
    theirs.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@either
async def test_write_of_a_transport_under_a_stream():
    _, writer, theirs = await streams()
    writes = silence(writer.transport, "write")
    writer.write(b"unsent")
    assert writes == [(b"unsent",)]
    del writer.transport.write
    writer.write(b"sent")
    assert theirs.recv(100) == b"sent"
    assert writes == [(b"unsent",)]
    await close(writer, theirs)


@either
async def test_a_transport_with_attributes_of_other_names():
    _, writer, theirs = await streams()
    writer.transport.anything = 1
    writer.write(b"sent")
    assert theirs.recv(100) == b"sent"
    await close(writer, theirs)


@either
async def test_other_methods_of_a_transport_under_a_stream():
    _, writer, theirs = await streams()
    lines = silence(writer.transport, "writelines")
    writer.writelines([b"a", b"b"])
    assert lines == [([b"a", b"b"],)]
    ends = silence(writer.transport, "write_eof")
    writer.write_eof()
    assert ends == [()]
    closes = silence(writer.transport, "close")
    writer.close()
    assert closes == [()]
    asked = silence(writer.transport, "is_closing", result=True)
    assert writer.is_closing()
    await writer.drain()
    assert asked == [(), ()]
    del writer.transport.is_closing
    assert not writer.is_closing()
    await close(writer, theirs)


@either
async def test_write_for_writelines_where_asyncio_joins_the_lines():
    transport, protocol, theirs = await connect()
    writes = silence(transport, "write")
    transport.writelines([b"a", b"b"])
    assert writes == ([(b"ab",)] if sys.version_info < (3, 12) else [])
    transport.abort()
    await protocol.lost
    theirs.close()


@either
async def test_pause_reading_and_resume_reading_for_a_full_reader():
    reader, writer, theirs = await streams(limit=10)
    pauses = watch(writer.transport, "pause_reading")
    resumes = watch(writer.transport, "resume_reading")
    theirs.sendall(bytes(21))
    await until(lambda: pauses)
    assert await reader.readexactly(21) == bytes(21)
    assert pauses == resumes == [()]
    await close(writer, theirs)


@either
async def test_close_of_a_transport_whose_peer_has_ended():
    transport, protocol, theirs = await connect()
    closes = watch(transport, "close")
    theirs.shutdown(socket.SHUT_WR)
    await protocol.lost
    assert closes == [()]
    theirs.close()


@either
async def test_close_of_a_transport_under_a_stream():
    _, writer, theirs = await streams()
    closed = watch(writer.transport, "close")
    writer.close()
    assert closed == [()]
    await writer.wait_closed()
    theirs.close()


@either
async def test_what_ends_a_connection():
    transport, protocol, theirs = await connect()
    ended = watch(transport, "_call_connection_lost")
    transport.close()
    await protocol.lost
    assert ended == [(None,)]
    theirs.close()


@either
async def test_set_transport_of_a_reader():
    loop = asyncio.get_running_loop()
    origin = roundel if isinstance(loop, roundel.EventLoop) else asyncio
    reader = origin.StreamReader()
    told = watch(reader, "set_transport")
    ours, theirs = socket.socketpair()
    transport, _ = await loop.create_unix_connection(
        lambda: origin.StreamReaderProtocol(reader), sock=ours
    )
    assert told == [(transport,)]
    transport.abort()
    theirs.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@either
async def test_the_size_of_a_transports_buffer_decides_on_pauses():
    transport, protocol, theirs = await connect()
    transport.get_write_buffer_size = lambda: 0
    transport.write(bytes(HUGE))
    assert protocol.log == ["made"]
    transport.get_write_buffer_size = lambda: HUGE
    transport.write(b"end")
    assert protocol.log == ["made", "pause"]
    await read_all(theirs, HUGE + 3)
    await asyncio.sleep(0.01)
    assert protocol.log == ["made", "pause"]
    transport.abort()
    await protocol.lost
    theirs.close()


@either
async def test_data_received_of_a_streams_protocol():
    reader, writer, theirs = await streams()
    protocol = writer.transport.get_protocol()
    received = watch(protocol, "data_received")
    theirs.sendall(b"seen")
    assert await reader.read(100) == b"seen"
    assert received == [(b"seen",)]
    assert type(received[0][0]) is bytes
    del protocol.data_received
    theirs.sendall(b"unseen")
    assert await reader.read(100) == b"unseen"
    assert received == [(b"seen",)]
    await close(writer, theirs)


@either
async def test_feed_data_and_feed_eof_of_a_reader():
    reader, writer, theirs = await streams()
    fed, ends = watch(reader, "feed_data"), watch(reader, "feed_eof")
    theirs.sendall(b"seen")
    assert await reader.read(100) == b"seen"
    assert fed == [(b"seen",)]
    theirs.shutdown(socket.SHUT_WR)
    assert await reader.read() == b""
    assert ends == [()]
    await close(writer, theirs)


@either
async def test_set_exception_and_exception_of_a_reader():
    reader, writer, theirs = await streams()
    errors = silence(reader, "set_exception")
    asked = silence(reader, "exception", result=KeyError("reader"))
    with pytest.raises(KeyError, match="reader"):
        await writer.drain()
    assert asked == [()]
    error = ValueError()
    writer.transport.get_protocol().connection_lost(error)
    assert errors == [(error,)]
    await close(writer, theirs)


@either
async def test_readuntil_and_readline_of_a_reader():
    reader, writer, theirs = await streams()

    async def readuntil(_separator):
        return b"until"

    async def readline():
        return b"line"

    reader.readuntil = readuntil
    assert await reader.readline() == b"until"
    reader.readline = readline
    assert await anext(aiter(reader)) == b"line"
    await close(writer, theirs)


@either
async def test_at_eof_of_a_reader():
    reader, writer, theirs = await streams()
    asked = silence(reader, "at_eof", result=True)
    assert reader.at_eof()
    assert asked == [()]
    await close(writer, theirs)


@either
async def test_eof_received_of_a_streams_protocol():
    reader, writer, theirs = await streams()
    ends = watch(writer.transport.get_protocol(), "eof_received")
    theirs.shutdown(socket.SHUT_WR)
    assert await reader.read() == b""
    assert ends == [()]
    await close(writer, theirs)


@either
async def test_connection_lost_of_a_streams_protocol():
    _, writer, theirs = await streams()
    protocol = writer.transport.get_protocol()
    losses = watch(protocol, "connection_lost")
    writer.close()
    await writer.wait_closed()
    assert losses == [(None,)]
    theirs.close()


@either
async def test_drain_helper_of_a_streams_protocol():
    _, writer, theirs = await streams()
    asked = []

    async def helper():
        asked.append("drain")

    protocol = writer.transport.get_protocol()
    protocol._drain_helper = helper
    await writer.drain()
    assert asked == ["drain"]
    del protocol._drain_helper
    await writer.drain()
    assert asked == ["drain"]
    await close(writer, theirs)


@either
async def test_the_close_waiter_of_a_streams_protocol():
    _, writer, theirs = await streams()
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    asked = silence(writer.transport.get_protocol(), "_get_close_waiter", result=done)
    await writer.wait_closed()
    assert asked == [(writer,)]
    await close(writer, theirs)


@either
async def test_flow_methods_of_a_streams_protocol():
    _, writer, theirs = await streams()
    protocol = writer.transport.get_protocol()
    pauses, resumes = watch(protocol, "pause_writing"), watch(protocol, "resume_writing")
    writer.write(bytes(HUGE))
    assert pauses == [()]
    await read_all(theirs, HUGE)
    await until(lambda: resumes)
    assert pauses == resumes == [()]
    await close(writer, theirs)


async def over_tls():
    """A client's transport, its protocol, the transport below; the server's protocol, itself."""
    loop = asyncio.get_running_loop()
    served = []

    def serve():
        served.append(Recorder())
        return served[-1]

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=server_context())
    address = server.sockets[0].getsockname()[:2]
    options = {"ssl": client_context(), "server_hostname": "localhost"}
    transport, protocol = await loop.create_connection(Recorder, *address, **options)
    await until(lambda: served and served[0].transport)
    return transport, protocol, transport._ssl_protocol._transport, served[0], server


async def end(protocol, served, server):
    for each in (protocol, served):
        each.transport.abort()
        await asyncio.wait([each.lost])
    server.close()


@either
async def test_write_of_the_transport_below_tls():
    transport, protocol, below, served, server = await over_tls()
    writes = watch(below, "write")
    transport.write(b"secret")
    await until(lambda: served.received)
    assert served.received == b"secret"
    assert len(writes) == 1
    assert b"secret" not in writes[0][0]
    await end(protocol, served, server)


@either
async def test_the_methods_by_which_tls_receives():
    _, protocol, below, served, server = await over_tls()
    asked = watch(below.get_protocol(), "get_buffer")
    told = watch(below.get_protocol(), "buffer_updated")
    served.transport.write(b"secret")
    await until(lambda: protocol.received)
    assert protocol.received == b"secret"
    assert asked
    assert all(count > 0 for (count,) in told)
    await end(protocol, served, server)


@either
async def test_data_received_of_a_streams_protocol_over_tls():
    loop = asyncio.get_running_loop()
    origin = roundel if isinstance(loop, roundel.EventLoop) else asyncio

    async def serve(_, writer):
        writer.write(b"greetings")
        writer.close()

    server = await origin.start_server(serve, "127.0.0.1", 0, ssl=server_context())
    address = server.sockets[0].getsockname()[:2]
    options = {"ssl": client_context(), "server_hostname": "localhost"}
    reader, writer = await origin.open_connection(*address, **options)
    received = watch(writer.transport.get_protocol(), "data_received")
    assert await reader.read() == b"greetings"
    assert received == [(b"greetings",)]
    writer.close()
    await writer.wait_closed()
    server.close()
