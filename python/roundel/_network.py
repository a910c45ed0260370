"""Which transports a loop makes: native ones, where asyncio's methods ask for one of its own.

What leads to a connection, `create_connection()` and its like, is the running version's asyncio.

The private names of CPython that are used here are those of `_AsyncioLoop` and those marked
`type: ignore[attr-defined]`; `tests/python/test_private_names.py` looks after them.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events, trsock
from typing import TYPE_CHECKING

from roundel import _roundel

if TYPE_CHECKING:
    import contextvars
    import socket
    import weakref

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
else:
    _AsyncioLoop = object


class TransportMethods(_AsyncioLoop):
    """The methods of a loop that make transports."""

    __slots__ = ()

    async def _create_connection_transport(
        self, sock: socket.socket, *arguments: object, **options: object
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        fd = sock.fileno()
        before = self._transports.get(fd)
        try:
            return await super()._create_connection_transport(sock, *arguments, **options)
        except BaseException:
            # Nobody gets the transport, so whoever gave the socket closes it, and the number may
            # be somebody else's at once. asyncio lets TLS take leave first.
            transport = self._transports.get(fd)
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
        if context is not None:  # from CPython 3.15 on: the protocol is called in it
            return super()._make_socket_transport(
                sock, protocol, waiter, extra=extra, server=server, context=context
            )
        self._ensure_fd_no_transport(sock)
        base_events._set_nodelay(sock)  # type: ignore[attr-defined]
        extra = describe(sock, extra)
        transport = _roundel.StreamTransport(self, sock, protocol, waiter, extra, server)
        self._transports[sock.fileno()] = transport
        return transport


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
