"""Servers made of streams, and clients."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable

from ..row import address_of
from .protocols import BACKLOG

CHUNK_BYTES = 64 * 1024
CLIENTS = 10
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def serve(handler: Handler, context: ssl.SSLContext | None = None) -> str:
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context, backlog=BACKLOG)
    return address_of(server)


async def chunks() -> str:
    return await serve(echo_chunks)


async def lines() -> str:
    return await serve(echo_lines)


async def hang_up() -> str:
    return await serve(close_at_once)


async def tls() -> str:
    from .certificate import server_context

    return await serve(echo_chunks, server_context())


async def _exchange(address: str, message: bytes, end: float) -> int:
    """Sends a message and awaits its echo, again and again, until it is time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.partition(":")[2]))
    count = 0
    while time.monotonic() < end:
        writer.write(message)
        await writer.drain()
        await reader.readexactly(len(message))
        count += 1
    writer.close()
    return count


async def _clients(seconds: float, address: str, size: int) -> int:
    end = time.monotonic() + seconds
    exchanges = (_exchange(address, bytes(size), end) for _ in range(CLIENTS))
    return sum(await asyncio.gather(*exchanges))


async def small_clients(seconds: float, address: str) -> int:
    return await _clients(seconds, address, 64)


async def large_clients(seconds: float, address: str) -> int:
    return await _clients(seconds, address, 16 * 1024)
