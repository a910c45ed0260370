"""Servers made of protocols: echoes over each kind of transport, and one that hangs up."""

import asyncio
import ssl
from collections.abc import Callable

from ..row import address_of

BACKLOG = 4096
RECEIVE_BYTES = 256 * 1024


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    """Sends back what it gets, received in a buffer of its own."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        self.transport.write(self.buffer[:count])


class DatagramEcho(asyncio.DatagramProtocol):
    """Sends back what it gets to where it came from."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.transport.sendto(data, address)


class HangUp(asyncio.Protocol):
    """Closes the connection at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        transport.close()


async def tcp(
    protocol: Callable[[], asyncio.BaseProtocol] = Echo, context: ssl.SSLContext | None = None
) -> str:
    loop = asyncio.get_running_loop()
    return address_of(
        await loop.create_server(protocol, "127.0.0.1", 0, ssl=context, backlog=BACKLOG)
    )


async def buffered() -> str:
    return await tcp(BufferedEcho)


async def hang_up() -> str:
    return await tcp(HangUp)


async def tls() -> str:
    from .certificate import server_context

    return await tcp(Echo, server_context())


async def unix() -> str:
    await asyncio.get_running_loop().create_unix_server(Echo, "socket", backlog=BACKLOG)
    return "unix:socket"


async def udp() -> str:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        DatagramEcho, ("127.0.0.1", 0)
    )
    return f"udp:{transport.get_extra_info('sockname')[1]}"
