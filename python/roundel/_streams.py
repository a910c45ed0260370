"""Opening streams: what joins the native reader, writer and protocol to a loop's transports."""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import TYPE_CHECKING

from roundel._roundel import StreamReader, StreamReaderProtocol, StreamWriter, stream_factory

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from _typeshed import StrPath

    _Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]

    class _Protocol(asyncio.StreamReaderProtocol):
        _client_connected_cb: _Connected | None

        def _replace_transport(self, transport: asyncio.BaseTransport) -> None: ...
        def _replace_writer(self, writer: asyncio.StreamWriter) -> None: ...

    class _Writer(asyncio.StreamWriter):
        _loop: asyncio.AbstractEventLoop
        _protocol: _Protocol
        _transport: asyncio.WriteTransport


_DEFAULT_LIMIT = 65536
# The methods of a bytearray that change it.
_CHANGES = {
    "__delitem__",
    "__iadd__",
    "__imul__",
    "__setitem__",
    "append",
    "clear",
    "extend",
    "insert",
    "pop",
    "remove",
    "resize",
    "reverse",
    "take_bytes",
}


async def open_connection(
    host: str | None = None,
    port: int | str | None = None,
    *,
    limit: int = _DEFAULT_LIMIT,
    **kwds: object,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects to a server and returns the stream's reader and writer.

    Args:
        host: As for the loop's `create_connection`.
        port: As above.
        limit: How long a line may be, in bytes; twice as many are buffered at most.
        **kwds: As for the loop's `create_connection`.
    """
    loop = asyncio.get_running_loop()
    reader = StreamReader(limit=limit, loop=loop)
    protocol = StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_connection(lambda: protocol, host, port, **kwds)  # type: ignore[call-overload]
    return reader, StreamWriter(transport, protocol, reader, loop)


async def start_server(
    client_connected_cb: _Connected,
    host: str | None = None,
    port: int | str | None = None,
    *,
    limit: int = _DEFAULT_LIMIT,
    **kwds: object,
) -> asyncio.Server:
    """Starts a server that calls a function with the reader and the writer of each client.

    Args:
        client_connected_cb: The function. If it gives a coroutine, that is run as a task.
        host: As for the loop's `create_server`.
        port: As above.
        limit: As for `open_connection`.
        **kwds: As for the loop's `create_server`.
    """
    loop = asyncio.get_running_loop()
    factory = stream_factory(loop, client_connected_cb, limit)
    return await loop.create_server(factory, host, port, **kwds)  # type: ignore[call-overload, no-any-return]


async def open_unix_connection(
    path: StrPath | None = None, *, limit: int = _DEFAULT_LIMIT, **kwds: object
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects to a server on a Unix socket, as `open_connection` does."""
    loop = asyncio.get_running_loop()
    reader = StreamReader(limit=limit, loop=loop)
    protocol = StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.create_unix_connection(lambda: protocol, path, **kwds)  # type: ignore[arg-type]
    return reader, StreamWriter(transport, protocol, reader, loop)


async def start_unix_server(
    client_connected_cb: _Connected,
    path: StrPath | None = None,
    *,
    limit: int = _DEFAULT_LIMIT,
    **kwds: object,
) -> asyncio.Server:
    """Starts a server on a Unix socket, as `start_server` does."""
    loop = asyncio.get_running_loop()
    factory = stream_factory(loop, client_connected_cb, limit)
    return await loop.create_unix_server(factory, path, **kwds)  # type: ignore[arg-type]


class Buffer(bytearray):
    """What nobody has read of a stream, for those who look and take themselves: `reader._buffer`.

    A copy; what is changed in it is changed in the reader, too.
    """

    def __init__(self, reader: asyncio.StreamReader, data: bytes) -> None:
        super().__init__(data)
        self.reader = reader


def _writing_back(name: str) -> object:
    change: Callable[..., object] = getattr(bytearray, name)  # type: ignore[explicit-any]

    @functools.wraps(change)
    def method(self: Buffer, *args: object) -> object:
        result = change(self, *args)
        self.reader._buffer = bytes(self)  # type: ignore[attr-defined]
        return result

    return method


for _name in _CHANGES & vars(bytearray).keys():
    setattr(Buffer, _name, _writing_back(_name))


async def readline(reader: asyncio.StreamReader) -> bytes:
    """Reads a line by a `readuntil` that a derived class has replaced."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        buffer: Buffer = reader._buffer  # type: ignore[attr-defined]
        if buffer.startswith(b"\n", error.consumed):
            del buffer[: error.consumed + 1]
        else:
            buffer.clear()
        reader._maybe_resume_transport()  # type: ignore[attr-defined]
        raise ValueError(error.args[0])  # noqa: B904  # in its context, as asyncio's


async def next_line(reader: asyncio.StreamReader) -> bytes:
    """Reads a line for `async for` by a `readline` that a derived class has replaced."""
    line = await reader.readline()
    if not line:
        raise StopAsyncIteration
    return line


async def start_tls(
    writer: _Writer,
    sslcontext: ssl.SSLContext,
    *,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> None:
    """Goes on in TLS: what `StreamWriter.start_tls` does."""
    protocol = writer._protocol
    server_side = protocol._client_connected_cb is not None
    await writer.drain()
    transport = await writer._loop.start_tls(
        writer._transport,
        protocol,
        sslcontext,
        server_side=server_side,
        server_hostname=server_hostname,
        ssl_handshake_timeout=ssl_handshake_timeout,
        ssl_shutdown_timeout=ssl_shutdown_timeout,
    )
    writer._transport = transport  # type: ignore[assignment]
    if sys.version_info < (3, 13) and not hasattr(protocol, "_replace_transport"):
        protocol._replace_writer(writer)
    else:
        protocol._replace_transport(transport)  # type: ignore[arg-type]
