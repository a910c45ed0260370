"""What wrong calls to do with networking have in common."""

import asyncio
import contextlib
import inspect
import os
import socket
import tempfile

HOST = "127.0.0.1"


class Recorder(asyncio.Protocol):
    """Keeps the names of its calls; raises in those that it is told of."""

    def __init__(self, *raising):
        self.calls = []
        self.raising = raising

    def _called(self, name):
        self.calls.append(name)
        if name in self.raising:
            raise LookupError(f"raised by {name}")

    def connection_made(self, transport):
        self.transport = transport
        self._called("made")

    def data_received(self, data):
        self._called("data")

    def eof_received(self):
        self._called("eof")

    def connection_lost(self, error):
        self._called(f"lost {type(error).__name__}")
        self._called("lost")

    def pause_writing(self):
        self._called("pause")

    def resume_writing(self):
        self._called("resume")


class DatagramRecorder(Recorder, asyncio.DatagramProtocol):
    """Keeps the names of a datagram transport's calls."""

    def datagram_received(self, data, address):
        self._called("datagram")

    def error_received(self, error):
        self._called(f"error {type(error).__name__}")


async def answer_of(call, *args):
    """Returns what a call returns or awaits, or the exception that it raises."""
    try:
        value = call(*args)
        return await value if inspect.isawaitable(value) else value
    except Exception as error:
        return error


async def settle():
    """Lets what was set off come out."""
    for _ in range(10):
        await asyncio.sleep(0.0005)


def on_loop(call):
    """Makes a call on the loop as it runs, and awaits what it returns."""

    def made(aio, loop):
        async def main():
            answer = await answer_of(call, loop)
            await settle()
            return [answer]

        return main()

    return made


def connected(call, factory=Recorder):
    """Makes a call with a transport and its peer; the protocol's calls are part of the answer."""

    def made(aio, loop):
        async def main():
            left, right = socket.socketpair()
            left.setblocking(False)
            right.setblocking(False)
            with right:
                transport, protocol = await loop.create_connection(factory, sock=left)
                answer = await answer_of(call, transport, right)
                await settle()
                transport.abort()
                await settle()
            return [answer, *protocol.calls]

        return main()

    return made


@contextlib.contextmanager
def folder():
    """Works in a new folder, so that paths are the same every time."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as path:
        os.chdir(path)
        try:
            yield
        finally:
            os.chdir(before)


def in_folder(call):
    """Makes a call on the loop, in a folder of its own."""

    def made(aio, loop):
        async def main():
            with folder():
                answer = await answer_of(call, loop)
                await settle()
                return [answer]

        return main()

    return made


def closed_port():
    """Returns a port where nobody listens."""
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]
