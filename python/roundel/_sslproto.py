"""TLS: every byte goes through the native base, the rest is the running version's asyncio.

`_roundel.SSLProtocol` drives the session that the caller's `ssl.SSLContext` has made, in the
interpreter's own OpenSSL. Where there is no direct way to that, asyncio's protocol is used.

The private names of CPython that are used here are those of `_AsyncioProtocol`, `_AsyncioTransport`
and `_AsyncioLoop`; `tests/python/test_private_names.py` looks after them.
"""

from __future__ import annotations

import asyncio
from asyncio import sslproto
from typing import TYPE_CHECKING

from roundel import _roundel

try:
    import ssl
except ImportError:  # Python can be built without
    ssl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import contextvars
    import socket

    class _AsyncioTransport(sslproto._SSLProtocolTransport):
        """The private names of asyncio's TLS transport that this file relies on."""

        _closed: bool

    class _AsyncioProtocol(sslproto.SSLProtocol):
        """The private names of asyncio's TLS protocol that this file relies on."""

        _app_transport_created: bool
        _incoming: ssl.MemoryBIO
        _outgoing: ssl.MemoryBIO
        _sslobj: ssl.SSLObject
        _state: sslproto.SSLProtocolState
        _app_reading_paused: bool

        def _do_flush(self) -> None: ...
        def _do_shutdown(self) -> None: ...
        def _set_state(self, new_state: sslproto.SSLProtocolState) -> None: ...
        def _get_app_transport(self) -> SSLTransport: ...

    class _AsyncioLoop(asyncio.SelectorEventLoop):
        """The private names of asyncio's loops that this file relies on."""

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

    class _AsyncioStreams(asyncio.StreamReaderProtocol):
        """The private names of asyncio's streams that this file relies on."""

        _stream_reader: _AsyncioReader | None

    class _AsyncioReader(asyncio.StreamReader):
        """See above."""

        _buffer: bytearray
else:
    _AsyncioStreams = asyncio.StreamReaderProtocol
    _AsyncioTransport = sslproto._SSLProtocolTransport
    _AsyncioProtocol = sslproto.SSLProtocol
    _AsyncioLoop = object


class SSLTransport(_AsyncioTransport):
    """What the program's protocol writes to."""

    _ssl_protocol: SSLProtocol | None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypts bytes and sends them, without waiting."""
        protocol = self._ssl_protocol
        if protocol is None:  # it was closed once more when all was over
            super().write(data)
        else:
            protocol._write_data(data)

    def close(self) -> None:
        """Sends what was written, ends the session in order and closes the connection.

        Who closes it once more lets go of the connection as soon as it is over. asyncio lets go
        at once, and nothing can end the connection after that.
        """
        protocol = self._ssl_protocol
        if protocol is None:
            return
        if not self._closed:
            super().close()
            protocol._close_unmade()
            self._loop.call_soon(protocol._close_ended)
        elif protocol._transport is None:
            super().close()
        else:
            protocol._is_let_go = True


class SSLProtocol(_roundel.SSLProtocol, _AsyncioProtocol):  # type: ignore[misc]  # no keywords
    """asyncio's TLS protocol on a native session."""

    max_size = 0  # of a buffer of its own, which the native base does without
    _app_transport: SSLTransport | None  # type: ignore[assignment]
    # The transport below, as long as it has not told us of itself.
    _unmade: asyncio.Transport | None = None
    # The transport above has been closed once more.
    _is_let_go = False

    # The native base has one, too, and comes first.
    __init__ = sslproto.SSLProtocol.__init__

    def _use_native_session(self) -> bool:
        """Takes the session over; returns False where that can't be done."""
        connection = getattr(self._sslobj, "_sslobj", None)
        return self._attach(connection, self._incoming, self._outgoing)

    def _discard(self) -> None:
        """Says that it won't be used."""
        transport = self._get_app_transport()
        transport._closed = True

    def _get_app_transport(self) -> SSLTransport:
        if self._app_transport is None and not self._app_transport_created:
            self._app_transport = SSLTransport(self._loop, self)
            self._app_transport_created = True
        return super()._get_app_transport()

    def _close_unmade(self) -> None:
        """Closes the connection below if it was closed up here before it was made.

        asyncio leaves it open, reading from a descriptor that its owner may close.
        """
        if self._unmade is not None:
            self._unmade.abort()
            self._unmade = None

    def _close_ended(self) -> None:
        """Closes the connection if the peer has ended it while the program read nothing.

        asyncio leaves it open until the program reads on, which it won't.
        """
        if self._state is sslproto.SSLProtocolState.FLUSHING and self._app_reading_paused:
            self._do_flush()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the handshake."""
        self._unmade = None
        super().connection_made(transport)

    def _do_flush(self) -> None:
        """Hands the program the rest, and says goodbye unless it has ended the connection then.

        asyncio has `close()` raise in that case, and the loop's callbacks.
        """
        self._do_read()
        if self._state is sslproto.SSLProtocolState.FLUSHING:
            self._set_state(sslproto.SSLProtocolState.SHUTDOWN)
            self._do_shutdown()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Ends what there is of the connection."""
        transport = self._app_transport
        super().connection_lost(exc)
        if self._is_let_go and transport is not None:
            transport.close()


def _hand_over(streams: _AsyncioStreams, tls: _AsyncioProtocol) -> None:
    """Gives TLS what a stream has read before it began: the client may have been quick."""
    reader = streams._stream_reader
    if reader is not None and reader._buffer:
        tls._incoming.write(reader._buffer)
        reader._buffer = bytearray()


class SSLMethods(_AsyncioLoop):
    """The methods of the event loop that make TLS connections."""

    __slots__ = ()

    def _make_ssl_protocol(
        self,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        waiter: asyncio.Future[None] | None,
        server_side: bool,
        server_hostname: str | None,
        call_connection_made: bool,
        *timeouts: float | None,
    ) -> _AsyncioProtocol:
        """Makes a TLS protocol; the time limits are those of the handshake and the shutdown."""
        arguments = (
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            call_connection_made,
            *timeouts,
        )
        native: SSLProtocol = SSLProtocol(*arguments)
        if native._use_native_session():
            return native
        native._discard()
        return _AsyncioProtocol(*arguments)  # type: ignore[arg-type]

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, object] | None = None,
        server: asyncio.AbstractServer | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Transport:
        self._ensure_fd_no_transport(rawsock)
        tls = self._make_ssl_protocol(
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            True,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
        )
        transport = self._make_socket_transport(
            rawsock, tls, extra=extra, server=server, context=context
        )
        if isinstance(tls, SSLProtocol):
            tls._unmade = transport
        return tls._get_app_transport()

    async def start_tls(  # type: ignore[override]  # typeshed has no common type for it
        self,
        transport: asyncio.Transport,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> asyncio.Transport | None:
        """Goes over to TLS on a connection, and returns the transport to go on with.

        Raises:
            TypeError: The context is none, or the transport can't be used for TLS.
            ssl.SSLError: The handshake failed; the connection is closed.
            ConnectionError: The connection was lost meanwhile.
        """
        if ssl is None:
            raise RuntimeError("Python ssl module is not available")
        if not isinstance(sslcontext, ssl.SSLContext):
            raise TypeError(
                f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}"
            )
        if not getattr(transport, "_start_tls_compatible", False):
            raise TypeError(f"transport {transport!r} is not supported by start_tls()")
        waiter: asyncio.Future[None] = self.create_future()
        tls = self._make_ssl_protocol(
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            False,
            ssl_handshake_timeout,
            ssl_shutdown_timeout,
        )
        # What comes from now on is for the new protocol, once it has been told of the transport.
        transport.pause_reading()
        if server_side and isinstance(protocol, _AsyncioStreams):
            _hand_over(protocol, tls)
        transport.set_protocol(tls)
        made = self.call_soon(tls.connection_made, transport)
        resumed = self.call_soon(transport.resume_reading)
        try:
            await waiter
        except BaseException:
            transport.close()
            made.cancel()
            resumed.cancel()
            del waiter  # it refers to the exception, which refers to this frame
            raise
        return tls._app_transport
