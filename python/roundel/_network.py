"""Which transports a loop makes: native ones, where asyncio's methods ask for one of its own.

What leads to a connection, `create_connection()` and its like, is the running version's asyncio.

The private names of CPython that are used here are those of `_AsyncioLoop` and those marked
`type: ignore[attr-defined]`; `tests/python/test_private_names.py` looks after them.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
import weakref
from asyncio import base_events, constants, trsock
from typing import TYPE_CHECKING

from roundel import _roundel

if TYPE_CHECKING:
    import contextvars
    import ssl
    from collections.abc import Callable
    from socket import _Address
    from typing import IO

    class _AsyncioLoop(asyncio.SelectorEventLoop):
        """The private names of asyncio's loops that this file relies on."""

        _transports: weakref.WeakValueDictionary[int, asyncio.BaseTransport]

        async def _create_connection_transport(
            self, sock: socket.socket, *arguments: object, **options: object
        ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]: ...
        def _ensure_fd_no_transport(self, fd: socket.socket) -> None: ...
        def _make_socket_transport(
            self,
            sock: socket.socket,
            protocol: asyncio.BaseProtocol,
            waiter: asyncio.Future[None] | None = None,
            *,
            extra: dict[str, object] | None = None,
            server: asyncio.AbstractServer | None = None,
            context: contextvars.Context | None = None,  # from CPython 3.15 on
        ) -> asyncio.Transport: ...
        def _make_datagram_transport(
            self,
            sock: socket.socket,
            protocol: asyncio.BaseProtocol,
            address: _Address | None = None,
            waiter: asyncio.Future[None] | None = None,
            extra: dict[str, object] | None = None,
        ) -> asyncio.DatagramTransport: ...
        def _make_read_pipe_transport(
            self,
            pipe: IO[bytes],
            protocol: asyncio.BaseProtocol,
            waiter: asyncio.Future[None] | None = None,
            extra: dict[str, object] | None = None,
        ) -> asyncio.ReadTransport: ...
        def _make_write_pipe_transport(
            self,
            pipe: IO[bytes],
            protocol: asyncio.BaseProtocol,
            waiter: asyncio.Future[None] | None = None,
            extra: dict[str, object] | None = None,
        ) -> asyncio.WriteTransport: ...
        async def _sendfile_native(
            self, transp: asyncio.Transport, file: IO[bytes], offset: int, count: int | None
        ) -> int: ...
        def _start_serving(
            self,
            protocol_factory: Callable[[], asyncio.BaseProtocol],
            sock: socket.socket,
            sslcontext: ssl.SSLContext | None = None,
            server: asyncio.AbstractServer | None = None,
            backlog: int = 100,
            *timeouts: float | None,
            **newer: contextvars.Context | None,  # `context`, from CPython 3.15 on
        ) -> None: ...
else:
    _AsyncioLoop = object

# Those whose addresses are known natively.
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class TransportMethods(_AsyncioLoop):
    """The methods of a loop that make transports."""

    __slots__ = ()

    async def _create_connection_transport(
        self, sock: socket.socket, *arguments: object, **options: object
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        fd = sock.fileno()
        if type(fd) is not int:  # a mock's
            return await super()._create_connection_transport(sock, *arguments, **options)
        before = self._transport_of(fd)
        try:
            return await super()._create_connection_transport(sock, *arguments, **options)
        except BaseException:
            # Nobody gets the transport, so whoever gave the socket closes it, and the number may
            # be somebody else's at once. asyncio lets TLS take leave first.
            transport = self._transport_of(fd)
            if transport is not before and isinstance(transport, asyncio.Transport):
                transport.abort()
            raise

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, object] | None = None,
        server: asyncio.AbstractServer | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Transport:
        if type(sock.fileno()) is not int:  # a mock's
            newer = {} if context is None else {"context": context}
            return super()._make_socket_transport(
                sock, protocol, waiter, extra=extra, server=server, **newer
            )
        self._ensure_fd_no_transport(sock)
        base_events._set_nodelay(sock)  # type: ignore[attr-defined]
        extra = describe(sock, extra)
        return _roundel.stream_transport(self, sock, protocol, waiter, extra, server, context)

    def _make_datagram_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        address: _Address | None = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, object] | None = None,
    ) -> asyncio.DatagramTransport:
        if sock.family not in _FAMILIES:
            return super()._make_datagram_transport(sock, protocol, address, waiter, extra)
        self._ensure_fd_no_transport(sock)
        extra = describe(sock, extra)
        return _roundel.datagram_transport(self, sock, protocol, address, waiter, extra)

    def _make_read_pipe_transport(
        self,
        pipe: IO[bytes],
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, object] | None = None,
    ) -> asyncio.ReadTransport:
        if not _kind_of_pipe(pipe):
            raise ValueError("Pipe transport is for pipes/sockets only.")
        os.set_blocking(pipe.fileno(), False)
        return _roundel.read_pipe_transport(self, pipe, protocol, waiter, extra or {})

    def _make_write_pipe_transport(
        self,
        pipe: IO[bytes],
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, object] | None = None,
    ) -> asyncio.WriteTransport:
        kind = _kind_of_pipe(pipe)
        if not kind:
            raise ValueError("Pipe transport is only for pipes, sockets and character devices")
        os.set_blocking(pipe.fileno(), False)
        # Where a pipe that its reader has left can be read from, to learn of that.
        make = _roundel.write_pipe_transport
        if kind == "device" or (kind == "named" and sys.platform == "darwin"):
            make = _roundel.write_device_transport
        return make(self, pipe, protocol, waiter, extra or {})

    async def _sendfile_native(
        self, transp: asyncio.Transport, file: IO[bytes], offset: int, count: int | None
    ) -> int:
        if not isinstance(transp, _roundel.StreamTransport):
            return await super()._sendfile_native(transp, file, offset, count)
        # asyncio takes the transport out of where it keeps its own, for as long as it sends.
        fd = transp._sock_fd
        self._transports[fd] = transp
        transp._lend()
        try:
            return await super()._sendfile_native(transp, file, offset, count)
        finally:
            self._transports.pop(fd, None)
            transp._claim()

    def _transport_of(self, fd: int) -> asyncio.BaseTransport | None:
        return _roundel.native_transport(self, fd) or self._transports.get(fd)

    # -- Servers

    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None = None,
        server: asyncio.AbstractServer | None = None,
        backlog: int = 100,
        *timeouts: float | None,
        **newer: contextvars.Context | None,
    ) -> None:
        clients = getattr(server, "_clients", None)
        if isinstance(clients, weakref.WeakSet):  # from CPython 3.13 on
            server._clients = _roundel.clients(clients)  # type: ignore[union-attr]
        if sslcontext is None:
            context = newer.get("context")
            _roundel.serve(self, sock, protocol_factory, server, backlog, context)
        else:
            super()._start_serving(
                protocol_factory, sock, sslcontext, server, backlog, *timeouts, **newer
            )

    def _serve_later(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        server: asyncio.AbstractServer | None,
        backlog: int,
        context: contextvars.Context | None,
    ) -> None:
        """Goes on with a server for which there were not enough descriptors or memory."""

        def serve() -> None:
            if sock.fileno() != -1:
                self._start_serving(protocol_factory, sock, None, server, backlog, context=context)

        self.call_later(constants.ACCEPT_RETRY_DELAY, serve)


def _kind_of_pipe(pipe: IO[bytes]) -> str:
    """Tells what a file is that a pipe transport is to be made of; an empty string for nothing."""
    found = os.fstat(pipe.fileno())
    if stat.S_ISFIFO(found.st_mode):
        return "named" if found.st_nlink else "pipe"
    if stat.S_ISSOCK(found.st_mode):
        return "socket"
    return "device" if stat.S_ISCHR(found.st_mode) else ""


def describe(sock: socket.socket, extra: dict[str, object] | None) -> dict[str, object]:
    """Adds to what is known of a connection what its socket can tell."""
    extra = {} if extra is None else extra
    extra["socket"] = trsock.TransportSocket(sock)
    try:
        extra["sockname"] = sock.getsockname()
    except OSError:
        extra["sockname"] = None
    if "peername" not in extra:
        try:
            extra["peername"] = sock.getpeername()
        except OSError:
            extra["peername"] = None
    return extra
