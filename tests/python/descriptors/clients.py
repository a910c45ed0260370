"""The clients: each way to connect, to exchange a message and to close."""

import asyncio
import contextlib
import socket
import ssl

from tests.python.tls import client_context

from .servers import HOST

CONTEXT = client_context()
NAME = "localhost"


def narrow(sock):
    """Has a long message wait to be sent."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)


class Collector(asyncio.Protocol):
    """Collects what comes until it is enough, or the connection ends."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.data = bytearray()
        self.done = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.data += data
        if len(self.data) >= self.wanted:
            self.settle(bytes(self.data))

    def connection_lost(self, exception):
        self.settle(exception or EOFError("closed"))

    def settle(self, result):
        """Ends the wait, unless it has ended."""
        if self.done.done():
            return
        if isinstance(result, bytes):
            self.done.set_result(result)
        else:
            self.done.set_exception(result)
            self.done.exception()  # whoever was cancelled does not ask


class Client:
    """One connection's client; what is to be aborted is its transport, once there is one.

    Its phase tells what it is doing.
    """

    def __init__(self, site, life):
        self.site = site
        self.life = life
        self.transport = None
        self.phase = "connecting"

    def abort(self):
        """Aborts the connection, if it is there."""
        if self.transport is not None:
            self.transport.abort()

    async def _exchange(self, reader, writer):
        self.transport = writer.transport
        self.phase = "sending"
        writer.transport.set_write_buffer_limits(0)
        narrow(writer.get_extra_info("socket"))
        try:
            writer.write(self.life.message)
            await writer.drain()
            self.phase = "receiving"
            return await reader.readexactly(len(self.life.message))
        finally:
            self.phase = "closing"
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _collect(self, transport, protocol):
        self.transport = transport
        self.phase = "exchanging"
        try:
            transport.write(self.life.message)
            return await protocol.done
        finally:
            transport.close()

    async def streams(self):
        return await self._exchange(*await asyncio.open_connection(HOST, self.site.streams))

    async def unix_streams(self):
        return await self._exchange(*await asyncio.open_unix_connection(self.site.path))

    async def tls_streams(self):
        port = self.site.tls_streams
        return await self._exchange(
            *await asyncio.open_connection(HOST, port, ssl=CONTEXT, server_hostname=NAME)
        )

    async def start_tls(self):
        reader, writer = await asyncio.open_connection(HOST, self.site.start_tls)
        self.transport = transport = writer.transport
        try:
            await reader.readexactly(1)
            self.phase = "handshaking"
            await writer.start_tls(CONTEXT, server_hostname=NAME)
            return await self._exchange(reader, writer)
        except AttributeError:  # what asyncio says if the connection ends meanwhile
            raise EOFError("closed") from None
        finally:
            transport.close()

    async def protocol(self):
        return await self._connect(self.site.protocol)

    async def accepted_by_hand(self):
        return await self._connect(self.site.accepted)

    async def tls_protocol(self):
        return await self._connect(self.site.tls_protocol, ssl=CONTEXT, server_hostname=NAME)

    async def _connect(self, port, **options):
        loop = asyncio.get_running_loop()
        return await self._collect(
            *await loop.create_connection(self._collector, HOST, port, **options)
        )

    def _collector(self):
        self.phase = "handshaking"  # a plain connection is made a turn later
        return Collector(len(self.life.message))

    async def over_a_socket(self):
        return await self._connect_over_a_socket(self.site.protocol)

    async def tls_over_a_socket(self):
        return await self._connect_over_a_socket(
            self.site.tls_protocol, ssl=CONTEXT, server_hostname=NAME
        )

    async def _connect_over_a_socket(self, port, **options):
        """Closes the socket itself where it has got no transport for it."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, (HOST, port))
            made = await loop.create_connection(self._collector, sock=sock, **options)
        except BaseException:
            sock.close()
            raise
        return await self._collect(*made)

    async def by_hand(self):
        return await self._exchange_by_hand(self.site.by_hand)

    async def fickle(self):
        """Connects where whoever accepts gives up again and again."""
        return await self._exchange_by_hand(self.site.fickle)

    async def _exchange_by_hand(self, port):
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, (HOST, port))
            self.phase = "exchanging"
            narrow(sock)
            sending = loop.create_task(loop.sock_sendall(sock, self.life.message))
            try:
                data = bytearray()
                while len(data) < len(self.life.message):
                    more = await loop.sock_recv(sock, 4096)
                    if not more:
                        raise EOFError("closed")
                    data += more
                return bytes(data)
            finally:
                sending.cancel()
                await asyncio.wait([sending])
                if not sending.cancelled():
                    sending.exception()

    WAYS = (
        streams,
        unix_streams,
        tls_streams,
        start_tls,
        protocol,
        accepted_by_hand,
        tls_protocol,
        over_a_socket,
        tls_over_a_socket,
        by_hand,
        fickle,
    )


FAILURES = (OSError, EOFError, ssl.SSLError)
