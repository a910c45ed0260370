"""Transports in odd situations: forgotten, closed from below, asked about, used by two."""

import asyncio
import contextlib
import gc
import os
import re
import socket
import sys
import warnings
import weakref
from unittest import mock

import pytest
from tests.python.transports import EITHER, HUGE, Recorder, connect, either, read_all, until

import roundel


@EITHER
def test_a_forgotten_transport_warns_and_closes(new_loop):
    loop = new_loop()
    ours, theirs = socket.socketpair()
    made = loop.run_until_complete(make_later(loop, ours))
    loop.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reference = weakref.ref(made.pop())
        gc.collect()
    (warning,) = (one for one in caught if "transport" in str(one.message))
    assert warning.category is ResourceWarning
    assert re.match(r"unclosed transport <\w+ fd=\d+", str(warning.message))
    assert theirs.recv(1) == b""
    caught.clear()
    del warning
    gc.collect()
    assert reference() is None
    theirs.close()


def test_a_forgotten_transport_closes_where_warnings_are_errors():
    loop = roundel.new_event_loop()
    ours, theirs = socket.socketpair()
    made = loop.run_until_complete(make_later(loop, ours))
    loop.close()
    del ours
    unraisable = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda seen: unraisable.append(seen.exc_type)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made.clear()
            gc.collect()
    finally:
        sys.unraisablehook = hook
    assert unraisable == [ResourceWarning]
    assert theirs.recv(1) == b""
    theirs.close()


async def make_later(loop, ours):
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    return [transport]


@either
async def test_a_closed_transport_is_garbage_without_a_warning():
    transport, protocol, theirs = await connect()
    transport.close()
    await protocol.lost
    reference = weakref.ref(transport)
    del transport, protocol
    await asyncio.sleep(0)
    gc.collect()
    assert reference() is None
    theirs.close()


@either
async def test_a_transport_in_use_is_kept():
    transport, protocol, theirs = await connect()
    received = []
    protocol.data_received = received.append
    protocol.transport = None
    reference = weakref.ref(transport)
    del transport
    gc.collect()
    theirs.sendall(b"x")
    await until(lambda: received)
    assert reference() is not None
    theirs.close()
    await protocol.lost


@either
async def test_a_descriptor_has_one_transport():
    loop = asyncio.get_running_loop()
    transport, protocol, theirs = await connect()
    sock = transport.get_extra_info("socket")
    for use in (loop.add_reader, loop.add_writer):
        with pytest.raises(RuntimeError, match=r"^File descriptor .* is used by transport <"):
            use(sock.fileno(), print)
    with pytest.raises(RuntimeError, match="is used by transport"):
        await loop.sock_recv(sock._sock, 1)
    transport.close()
    loop.add_reader(sock.fileno(), print)
    loop.remove_reader(sock.fileno())
    await protocol.lost
    theirs.close()


@either
async def test_a_socket_closed_from_below_is_not_written_to():
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    transport, protocol = await loop.create_connection(Recorder, sock=ours)
    fd = ours.fileno()
    transport.pause_reading()
    ours.close()
    innocent = os.open(os.devnull, os.O_RDWR)
    another, peer = socket.socketpair()
    assert fd in (innocent, another.fileno(), peer.fileno())
    os.close(innocent)
    transport.write(b"x")
    error = await protocol.lost
    assert isinstance(error, OSError)
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(1)
    for sock in (theirs, another, peer):
        sock.close()


@either
async def test_what_is_known_of_a_connection():
    loop = asyncio.get_running_loop()
    server = socket.create_server(("127.0.0.1", 0))
    transport, protocol = await loop.create_connection(Recorder, *server.getsockname())
    theirs, address = server.accept()
    assert transport.get_extra_info("sockname") == address
    assert transport.get_extra_info("peername") == server.getsockname()
    sock = transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert transport.get_extra_info("nothing") is None
    assert transport.get_extra_info("nothing", default=7) == 7
    transport.close()
    await protocol.lost
    assert transport.get_extra_info("sockname") == address
    assert sock.fileno() == -1
    theirs.close()
    server.close()


@either
async def test_repr():
    transport, protocol, theirs = await connect()
    fd = transport.get_extra_info("socket").fileno()
    body = repr(transport).partition(" ")[2]
    assert body == f"fd={fd} read=polling write=<idle, bufsize=0>>"
    transport.pause_reading()
    transport.write(bytes(HUGE))
    size = transport.get_write_buffer_size()
    body = repr(transport).partition(" ")[2]
    assert body == f"fd={fd} read=idle write=<polling, bufsize={size}>>"
    transport.close()
    assert repr(transport).partition(" ")[2].startswith(f"closing fd={fd} read=idle ")
    transport.abort()
    await protocol.lost
    assert repr(transport).partition(" ")[2] == f"closed fd={fd}>"
    theirs.close()


@either
async def test_callbacks_that_end_the_connection():
    """Whatever a callback does to its transport, connection_lost() is called once."""

    def write_and_close(transport):
        transport.write(b"bye")
        transport.close()

    def abort(transport):
        transport.abort()
        transport.write(b"lost")

    def fail(transport):
        transport.close()
        raise ValueError

    def change(transport):
        transport.set_protocol(transport.get_protocol())
        transport.pause_reading()
        transport.resume_reading()
        transport.close()

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    for act in (write_and_close, abort, fail, change):
        transport, protocol, theirs = await connect()
        protocol.data_received = lambda _, act=act, transport=transport: act(transport)
        theirs.sendall(b"x")
        await protocol.lost
        await asyncio.sleep(0.01)
        assert [entry for entry in protocol.log if entry[0] == "lost"] == protocol.log[-1:]
        assert theirs.recv(10) in (b"bye", b"")
        theirs.close()


def test_what_is_called_after_the_end_does_nothing():
    """Where asyncio has methods of None called."""

    async def main():
        transport, protocol, theirs = await connect()
        transport.write(bytes(HUGE))
        transport.close()
        await read_all(theirs, HUGE)
        await protocol.lost
        transport.close()
        transport.abort()
        transport.pause_reading()
        transport.resume_reading()
        transport.write_eof()
        transport.writelines([b"x"])
        transport.write(b"x")
        await asyncio.sleep(0)
        assert protocol.log[-1] == ("lost", type(None))
        assert protocol.log.count(("lost", type(None))) == 1
        theirs.close()

    roundel.run(main())


@either
async def test_a_protocol_that_writes_while_it_is_resumed():
    class Eager(Recorder):
        def resume_writing(self):
            super().resume_writing()
            if self.log.count("resume") < 3:
                self.transport.write(bytes(HUGE))

    transport, protocol, theirs = await connect(Eager)
    transport.write(bytes(HUGE))

    theirs.setblocking(
        False
    )  # read between turns: beside a thread that reads, a write may not stop short
    left = 3 * HUGE
    while left:
        try:
            left -= len(theirs.recv(1 << 20))
        except BlockingIOError:
            await asyncio.sleep(0)
    await until(lambda: protocol.log.count("resume") == 3)
    assert protocol.log == ["made"] + ["pause", "resume"] * 3
    transport.close()
    await protocol.lost
    theirs.close()


def test_a_turn_inside_a_callback_does_not_disturb_what_was_received():
    """Who runs a turn of the loop inside data_received() has others receive meanwhile."""

    async def main():
        loop = asyncio.get_running_loop()
        outer, inner = await connect(), await connect()

        def nested(data):
            inner[2].sendall(b"inner" * 10)
            loop._run_once()
            outer[1].received += data

        outer[1].data_received = nested
        outer[2].sendall(b"outer" * 10)
        await until(lambda: inner[1].received)
        assert outer[1].received == b"outer" * 10
        assert inner[1].received == b"inner" * 10
        for transport, _, theirs in (outer, inner):
            transport.abort()
            theirs.close()
        await asyncio.sleep(0)

    roundel.run(main())


@either
async def test_the_order_at_the_beginning():
    loop = asyncio.get_running_loop()
    order = []

    class Noting(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            order.append("made")

        def data_received(self, data):
            order.append("data")

    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.sendall(b"x")
    protocol, waiter = Noting(), loop.create_future()
    waiter.add_done_callback(lambda _: order.append("waiter"))
    loop.call_soon(order.append, "before")
    transport = loop._make_socket_transport(ours, protocol, waiter)
    loop.call_soon(order.append, "after")
    await until(lambda: "data" in order)
    assert order == ["before", "made", "after", "waiter", "data"]
    transport.close()
    await protocol.lost
    theirs.close()


@either
async def test_a_transport_made_paused_reads_nothing():
    class Shy(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            transport.pause_reading()

    transport, protocol, theirs = await connect(Shy)
    theirs.sendall(b"x")
    await asyncio.sleep(0.02)
    assert protocol.received == b""
    transport.resume_reading()
    await until(lambda: protocol.received == b"x")
    transport.close()
    await protocol.lost
    theirs.close()


@either
async def test_what_connection_lost_raises_is_reported_with_its_handle():
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    transport, protocol, theirs = await connect()
    protocol.connection_lost = lambda _: 1 / 0
    transport.close()
    await until(lambda: reported)
    (context,) = reported
    assert type(context["exception"]) is ZeroDivisionError
    assert "_call_connection_lost" in context["message"]
    assert isinstance(context["handle"], asyncio.Handle)
    theirs.close()


def test_a_mocks_transport_is_asyncios():
    # It has no descriptor: int() makes 1 of whatever its fileno() returns.
    sock = mock.MagicMock(spec=socket.socket)
    with contextlib.closing(roundel.new_event_loop()) as loop:
        loop._add_reader = mock.Mock()
        protocol = mock.Mock(spec=asyncio.Protocol)
        transport = loop._make_socket_transport(sock, protocol)
        assert not isinstance(transport, roundel._roundel.StreamTransport)
        loop.run_until_complete(asyncio.sleep(0))
        protocol.connection_made.assert_called_once_with(transport)
        assert loop._add_reader.call_args.args[0] is sock.fileno()
        loop.remove_reader = mock.Mock()
        loop._remove_reader = mock.Mock()
        transport.abort()
        loop.run_until_complete(asyncio.sleep(0))
        sock.close.assert_called_once_with()
