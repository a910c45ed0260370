"""Transports over real sockets and pipes: what a protocol is told, and what is sent.

Where the outcome is asyncio's as well, a test runs on asyncio, too.
"""

import asyncio
import socket

import pytest

import roundel

EITHER = pytest.mark.parametrize(
    "new_loop", [asyncio.SelectorEventLoop, roundel.new_event_loop], ids=["asyncio", "roundel"]
)
HUGE = 8 * 1024 * 1024


class Recorder(asyncio.Protocol):
    """Writes down what it is told."""

    def __init__(self):
        self.log = []
        self.received = b""
        self.transport = None
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.log.append("made")

    def data_received(self, data):
        assert type(data) is bytes
        self.received += data

    def eof_received(self):
        self.log.append("eof")

    def pause_writing(self):
        self.log.append("pause")

    def resume_writing(self):
        self.log.append("resume")

    def connection_lost(self, exc):
        self.log.append(("lost", type(exc)))
        self.lost.set_result(exc)


async def connect(factory=Recorder):
    """Returns a transport, its protocol, and the blocking socket at the other end."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    transport, protocol = await loop.create_connection(factory, sock=ours)
    return transport, protocol, theirs


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def read_all(theirs, count):
    """Reads so many bytes at the other end, in a thread."""

    def read():
        parts = bytearray()
        while len(parts) < count:
            parts += theirs.recv(1 << 20)
        return bytes(parts)

    return await asyncio.to_thread(read)


def either(main):
    """Makes a test of a coroutine: on asyncio and on roundel, in both debug modes."""

    @EITHER
    def test(new_loop, debug):
        with asyncio.Runner(loop_factory=new_loop, debug=debug) as runner:
            runner.run(main())

    test.__doc__ = main.__doc__
    return test
