"""Transports that are used wrongly, or whose protocols raise."""

import asyncio
import os
import socket
import tempfile

from .network import DatagramRecorder, Recorder, connected, on_loop, settle
from .outcome import Call


def closed(call):
    """Makes the call with a transport that was closed."""

    async def made(transport, peer):
        transport.close()
        await settle()
        return call(transport)

    return connected(made)


def twice(name, *args):
    """Calls a method twice."""
    return connected(lambda it, peer: (getattr(it, name)(*args), getattr(it, name)(*args))[1])


def method(name, *args, **options):
    """Calls a method of a transport that is open."""
    return connected(lambda it, peer: getattr(it, name)(*args, **options))


async def write_to_the_reset(transport, peer):
    """Writes and writes where nobody reads any more."""
    peer.close()
    await settle()
    for _ in range(8):
        transport.write(b"x")
        await asyncio.sleep(0)
    return transport.is_closing()


def raising(*names, event=lambda transport, peer: peer.send(b"x")):
    """Has a protocol raise in its callbacks."""
    return connected(event, lambda: Recorder(*names))


def overflow(transport, peer):
    """Writes more than the limits allow, and has the peer read it."""
    transport.set_write_buffer_limits(1, 0)
    transport.write(bytes(1 << 20))

    async def drain():
        got = 0
        while got < 1 << 20:
            try:
                got += len(peer.recv(1 << 16))
            except BlockingIOError:
                await asyncio.sleep(0)

    return drain()


class Buffered(Recorder, asyncio.BufferedProtocol):
    """Gives a wrong buffer, or fails to."""

    def __init__(self, buffer):
        super().__init__("updated")
        self.buffer = buffer

    def get_buffer(self, sizehint):
        if isinstance(self.buffer, Exception):
            raise self.buffer
        return self.buffer

    def buffer_updated(self, count):
        self._called("updated")


def buffered(buffer):
    """Receives into a buffer of the protocol's."""
    return connected(lambda transport, peer: peer.send(b"xy"), lambda: Buffered(buffer))


def datagrams(call, *raising):
    """Makes the call with a datagram transport that has no peer."""

    async def made(loop):
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: DatagramRecorder(*raising), ("127.0.0.1", 0)
        )
        try:
            answer = call(transport)
            await settle()
        finally:
            transport.close()
            await settle()
        return [answer, *protocol.calls]

    return on_loop(made)


def to_itself(transport):
    """Sends a datagram to the socket that it is sent from."""
    transport.sendto(b"x", transport.get_extra_info("sockname"))


def close_and_send(transport):
    """Sends where it was closed."""
    transport.close()
    transport.sendto(b"x", ("127.0.0.1", 9))


def pipe(call):
    """Makes the call with the loop and a pipe's two ends, as files."""

    async def made(loop):
        ends = os.pipe()
        with open(ends[0], "rb", 0) as reading, open(ends[1], "wb", 0) as writing:
            return await call(loop, reading, writing)

    return on_loop(made)


async def regular_file(loop):
    """Connects a pipe's transport to a file."""
    with tempfile.TemporaryFile() as file:
        await loop.connect_read_pipe(asyncio.Protocol, file)


async def written_file(loop):
    """Connects a pipe's transport to a file."""
    with tempfile.TemporaryFile() as file:
        await loop.connect_write_pipe(asyncio.BaseProtocol, file)


def send_file(mode, **options):
    """Sends a file by a transport."""

    async def made(transport, peer):
        with tempfile.TemporaryFile(mode) as file:
            return await asyncio.get_running_loop().sendfile(transport, file, **options)

    return connected(made)


CALLS: dict[str, Call] = {
    "write of a string": method("write", "x"),
    "write of a number": method("write", 1),
    "write of None": method("write", None),
    "write of a list": method("write", [b"x"]),
    "write of nothing": method("write"),
    "writelines of a string": method("writelines", "ab"),
    "writelines of bytes": method("writelines", b"ab"),
    "writelines of strings": method("writelines", ["a", "b"]),
    "writelines of a number": method("writelines", 1),
    "write when closed": closed(lambda it: it.write(b"x")),
    "write of a string when closed": closed(lambda it: it.write("x")),
    "write_eof when closed": closed(lambda it: it.write_eof()),
    "pause_reading when closed": closed(lambda it: it.pause_reading()),
    "resume_reading when closed": closed(lambda it: it.resume_reading()),
    "is_reading when closed": closed(lambda it: it.is_reading()),
    "close when closed": closed(lambda it: it.close()),
    "abort when closed": closed(lambda it: it.abort()),
    "get_write_buffer_size when closed": closed(lambda it: it.get_write_buffer_size()),
    "write to whom does not read": connected(write_to_the_reset),
    "write_eof twice": twice("write_eof"),
    "write after write_eof": connected(lambda it, peer: (it.write_eof(), it.write(b"x"))),
    "writelines after write_eof": connected(
        lambda it, peer: (it.write_eof(), it.writelines([b""]))
    ),
    "pause_reading twice": twice("pause_reading"),
    "resume_reading twice": twice("resume_reading"),
    "limits the wrong way round": method("set_write_buffer_limits", 1, 2),
    "limits below nothing": method("set_write_buffer_limits", -1),
    "limits of strings": method("set_write_buffer_limits", "high"),
    "a low limit alone": connected(
        lambda it, peer: (it.set_write_buffer_limits(low=3), it.get_write_buffer_limits())[1]
    ),
    "set_protocol of None": connected(
        lambda it, peer: (it.set_protocol(None), it.get_protocol())[1]
    ),
    "get_extra_info of what nobody knows": method("get_extra_info", "colour", "none"),
    "get_extra_info of a list": method("get_extra_info", []),
    "get_extra_info of nothing": method("get_extra_info"),
    "connection_made raises": raising("made"),
    "data_received raises": raising("data"),
    "eof_received raises": raising("eof", event=lambda it, peer: peer.shutdown(socket.SHUT_WR)),
    "connection_lost raises": raising("lost", event=lambda it, peer: it.close()),
    "connection_lost raises after a reset": raising("lost", event=lambda it, peer: peer.close()),
    "pause_writing raises": raising("pause", event=overflow),
    "resume_writing raises": raising("resume", event=overflow),
    "everything raises": raising("made", "data", "eof", "lost"),
    "get_buffer raises": buffered(LookupError("buffer")),
    "get_buffer returns None": buffered(None),
    "get_buffer returns an empty buffer": buffered(bytearray()),
    "get_buffer returns bytes": buffered(b"constant"),
    "buffer_updated raises": buffered(bytearray(10)),
    "sendto of a string": datagrams(lambda it: it.sendto("x", ("127.0.0.1", 9))),
    "sendto of None": datagrams(lambda it: it.sendto(None, ("127.0.0.1", 9))),
    "sendto without an address": datagrams(lambda it: it.sendto(b"x")),
    "sendto a string": datagrams(lambda it: it.sendto(b"x", "127.0.0.1")),
    "sendto a port that there is not": datagrams(lambda it: it.sendto(b"x", ("127.0.0.1", 99999))),
    "sendto too much": datagrams(lambda it: it.sendto(bytes(100_000), ("127.0.0.1", 9))),
    "sendto when closed": datagrams(close_and_send),
    "sendto when aborted": datagrams(lambda it: (it.abort(), it.sendto(b"x", ("127.0.0.1", 9)))),
    "datagram_received raises": datagrams(to_itself, "datagram"),
    "connection_made of datagrams raises": datagrams(to_itself, "made"),
    "connection_lost of datagrams raises": datagrams(to_itself, "lost"),
    "connect_read_pipe of a file": on_loop(regular_file),
    "connect_write_pipe of a file": on_loop(written_file),
    "connect_read_pipe of a factory that raises": pipe(
        lambda it, reading, writing: it.connect_read_pipe(lambda: 1 // 0, reading)
    ),
    "connect_write_pipe of a factory that raises": pipe(
        lambda it, reading, writing: it.connect_write_pipe(lambda: 1 // 0, writing)
    ),
    "sendfile of a text file": send_file("w+"),
    "sendfile from less than nothing": send_file("w+b", offset=-1),
    "sendfile of less than nothing": send_file("w+b", count=-1),
    "sendfile of None": connected(lambda it, peer: asyncio.get_running_loop().sendfile(it, None)),
    "sendfile when closing": connected(
        lambda it, peer: (it.close(), asyncio.get_running_loop().sendfile(it, None))[1]
    ),
    "start_tls without a context": connected(
        lambda it, peer: asyncio.get_running_loop().start_tls(it, it.get_protocol(), None)
    ),
}
