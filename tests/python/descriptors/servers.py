"""The servers: each sends back what it gets, and checks whose it is."""

import asyncio
import contextlib
import socket
import tempfile
from pathlib import Path

from tests.python.tls import server_context

from .ledger import Received

ENDED = (OSError, EOFError)
HOST = "127.0.0.1"


def listener():
    """Makes a socket to listen on, where whoever sends much has to wait."""
    sock = socket.create_server((HOST, 0), backlog=1000)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    sock.setblocking(False)
    return sock


class Echo(asyncio.Protocol):
    """Sends back what it gets, by a protocol."""

    def __init__(self, ledger):
        self.received = Received(ledger)

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.received.feed(data):
            self.transport.abort()
        else:
            self.transport.write(data)


class BufferedEcho(Echo, asyncio.BufferedProtocol):
    """Does so with a buffer of its own."""

    data_received = None

    def get_buffer(self, sizehint):
        self.buffer = bytearray(4096)
        return self.buffer

    def buffer_updated(self, count):
        Echo.data_received(self, self.buffer[:count])


class Site:
    """All servers, and where they are."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.tasks = set()
        self.context = server_context()
        self.stack = contextlib.AsyncExitStack()

    async def __aenter__(self):
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.path = str(Path(folder) / "socket")
        loop = asyncio.get_running_loop()
        echo, tls = self.echo_stream, self.context
        self.streams = await self._serve(asyncio.start_server(echo, sock=listener()))
        self.tls_streams = await self._serve(asyncio.start_server(echo, HOST, 0, ssl=tls))
        self.start_tls = await self._serve(asyncio.start_server(self.upgrade, HOST, 0))
        await self._serve(asyncio.start_unix_server(echo, self.path))
        self.protocol = await self._serve(
            loop.create_server(lambda: Echo(self.ledger), HOST, 0, backlog=1000)
        )
        self.tls_protocol = await self._serve(
            loop.create_server(lambda: BufferedEcho(self.ledger), HOST, 0, ssl=tls)
        )
        self.by_hand = self._listen(self.echo_by_hand)
        self.accepted = self._listen(self.echo_accepted)
        self.fickle = self._listen(self.echo_by_hand, self._accept_by_fits)
        return self

    async def __aexit__(self, *raised):
        while self.tasks:
            self.tasks.pop().cancel()
            await asyncio.sleep(0)
        await self.stack.aclose()

    async def _serve(self, starting):
        server = await self.stack.enter_async_context(await starting)
        address = server.sockets[0].getsockname()
        return address[1] if isinstance(address, tuple) else address

    def _listen(self, serve, accept=None):
        sock = listener()
        self.stack.callback(sock.close)
        self._start((accept or self._accept)(sock, serve))
        return sock.getsockname()[1]

    def _start(self, coroutine):
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _accept(self, listener, serve):
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            self._start(serve(connection))

    async def _accept_by_fits(self, listener, serve):
        """Gives up accepting again and again, of which nobody who connects may notice anything."""
        loop, draw = asyncio.get_running_loop(), self.ledger.random
        while True:
            accepting = loop.create_task(loop.sock_accept(listener))
            try:
                for _ in range(draw.randrange(10)):
                    await asyncio.sleep(0)
            finally:
                accepting.cancel()
            await asyncio.wait([accepting])
            if accepting.cancelled():
                self.ledger.disturbed("cancelled", "accepting")
                await asyncio.sleep(0.001)
            else:
                connection, _ = accepting.result()
                self._start(serve(connection))

    async def echo_stream(self, reader, writer):
        received = Received(self.ledger)
        with contextlib.suppress(*ENDED):
            while data := await reader.read(4096):
                if received.feed(data):
                    writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(*ENDED):
            await writer.wait_closed()

    async def upgrade(self, reader, writer):
        """Says that it speaks TLS, and does."""
        transport = writer.transport
        # An AttributeError is what asyncio says if the connection ends meanwhile.
        with contextlib.suppress(AttributeError, *ENDED):
            writer.write(b"!")
            await writer.start_tls(self.context)
            await self.echo_stream(reader, writer)
            return
        transport.abort()

    async def echo_by_hand(self, connection):
        loop, received = asyncio.get_running_loop(), Received(self.ledger)
        with connection, contextlib.suppress(*ENDED):
            while data := await loop.sock_recv(connection, 4096):
                if received.feed(data):
                    return
                await loop.sock_sendall(connection, data)

    async def echo_accepted(self, connection):
        """Has a transport made for a connection that was accepted by hand."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Echo(self.ledger), connection
            )
        except BaseException:
            connection.close()
            raise
