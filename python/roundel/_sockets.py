"""Connecting the program's own sockets; what else is done with them is native.

The private names of CPython that are used here are those of `_AsyncioLoop` and those marked
`type: ignore[attr-defined]`; `tests/python/test_private_names.py` looks after them.
"""

from __future__ import annotations

import socket
from asyncio import base_events
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from socket import _Address

    class _AsyncioLoop(asyncio.SelectorEventLoop):
        """The private names of asyncio's loops, and of the native one, that this file relies on."""

        async def _ensure_resolved(
            self,
            address: _Address,
            *,
            family: int,
            type: int,  # noqa: A002  # asyncio's name
            proto: int,
            loop: asyncio.AbstractEventLoop,
        ) -> list[tuple[int, int, int, str, _Address]]: ...
        async def _sock_connect_resolved(self, sock: socket.socket, address: object, /) -> None: ...
else:
    _AsyncioLoop = object

_INTERNET = (socket.AF_INET, socket.AF_INET6)


class SocketMethods(_AsyncioLoop):
    """The methods of a loop that do something with sockets which the program keeps."""

    __slots__ = ()

    async def sock_connect(self, sock: socket.socket, address: _Address) -> None:
        """Connects a non-blocking socket, after it has looked up the names in the address."""
        base_events._check_ssl_socket(sock)  # type: ignore[attr-defined]
        if self.get_debug() and sock.gettimeout() != 0:
            raise ValueError("the socket must be non-blocking")
        if sock.family in _INTERNET:
            resolved = await self._ensure_resolved(
                address, family=sock.family, type=sock.type, proto=sock.proto, loop=self
            )
            _, _, _, _, address = resolved[0]
        await self._sock_connect_resolved(sock, address)
