"""Connections and servers that cannot be made."""

import asyncio
import socket
import ssl
from pathlib import Path

from .network import HOST, answer_of, closed_port, in_folder, on_loop
from .outcome import Call

MINE = asyncio.Protocol


def connect(*args, factory=MINE, **options):
    """Calls create_connection."""
    return on_loop(lambda loop: loop.create_connection(factory, *args, **options))


def serve(*args, factory=MINE, **options):
    """Calls create_server."""
    return on_loop(lambda loop: loop.create_server(factory, *args, **options))


def with_socket(call, kind=socket.SOCK_STREAM, family=socket.AF_INET):
    """Makes the call with the loop and a socket that is closed afterwards."""

    async def made(loop):
        with socket.socket(family, kind) as sock:
            sock.setblocking(False)
            return await call(loop, sock)

    return on_loop(made)


def with_server(call):
    """Makes the call with the loop, a server and its port."""

    async def made(loop):
        server = await loop.create_server(MINE, HOST, 0)
        async with server:
            return await answer_of(call, loop, server, server.sockets[0].getsockname()[1])

    return on_loop(made)


def with_listener(call):
    """Makes the call with the loop and a port where connections are taken."""

    async def made(loop):
        with socket.create_server((HOST, 0)) as listener:
            return await call(loop, listener.getsockname()[1])

    return on_loop(made)


def raising():
    """Makes no protocol."""
    raise LookupError("factory")


async def serve_twice(loop, server, port):
    """Serves for ever while somebody does."""
    first = loop.create_task(server.serve_forever())
    await asyncio.sleep(0)
    answer = await answer_of(server.serve_forever)
    first.cancel()
    await asyncio.wait([first])
    return answer


async def serve_when_closed(loop, server, port):
    """Serves where the server was closed."""
    server.close()
    return await answer_of(server.serve_forever), await answer_of(server.start_serving)


async def in_a_file(loop):
    """Connects to a path that is no socket."""
    Path("file").write_text("")
    await loop.create_unix_connection(MINE, "file")


async def where_somebody_listens(loop):
    """Serves on a path twice."""
    first = await loop.create_unix_server(MINE, "socket")
    try:
        return await answer_of(loop.create_unix_server, MINE, sock=None, path="socket/below")
    finally:
        first.close()


async def where_a_file_is(loop):
    """Serves on a path of a file."""
    Path("file").write_text("")
    await loop.create_unix_server(MINE, "file")


async def datagrams_to_a_missing_path(loop):
    """Sends datagrams to a Unix socket that is not there."""
    await loop.create_datagram_endpoint(MINE, None, "missing", family=socket.AF_UNIX)


def datagrams(*args, **options):
    """Calls create_datagram_endpoint."""
    return on_loop(lambda loop: loop.create_datagram_endpoint(MINE, *args, **options))


def unix_connect(*args, **options):
    """Calls create_unix_connection."""
    return in_folder(lambda loop: loop.create_unix_connection(MINE, *args, **options))


def unix_serve(*args, **options):
    """Calls create_unix_server."""
    return in_folder(lambda loop: loop.create_unix_server(MINE, *args, **options))


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

CALLS: dict[str, Call] = {
    "create_connection to nowhere": connect(),
    "create_connection where nobody listens": on_loop(
        lambda loop: loop.create_connection(MINE, HOST, closed_port())
    ),
    "create_connection by the wrong family": connect(HOST, 1, family=socket.AF_INET6),
    "create_connection to no address": connect("nobody", 1, flags=socket.AI_NUMERICHOST),
    "create_connection to a host that there is not": connect("nobody.invalid", 1),
    "create_connection to a service that there is not": connect(HOST, "no service"),
    "create_connection to a port that there is not": connect(HOST, 99999),
    "create_connection to a port of None": connect(HOST, None),
    "create_connection to a number": connect(1, 1),
    "create_connection from nowhere": connect(HOST, 1, local_addr=("1.2.3.4", 0)),
    "create_connection from another family": connect(HOST, 1, local_addr=("::1", 0)),
    "create_connection from a string": connect(HOST, 1, local_addr="here"),
    "create_connection of a factory that raises": with_listener(
        lambda loop, port: loop.create_connection(raising, HOST, port)
    ),
    "create_connection of no factory": with_listener(
        lambda loop, port: loop.create_connection(None, HOST, port)
    ),
    "create_connection with host and socket": with_socket(
        lambda loop, sock: loop.create_connection(MINE, HOST, 1, sock=sock)
    ),
    "create_connection over datagrams": with_socket(
        lambda loop, sock: loop.create_connection(MINE, sock=sock), socket.SOCK_DGRAM
    ),
    "create_connection over a string": connect(sock="sock"),
    "create_connection with a server's name alone": connect(HOST, 1, server_hostname="name"),
    "create_connection over a socket with TLS and no name": with_socket(
        lambda loop, sock: loop.create_connection(MINE, sock=sock, ssl=CONTEXT)
    ),
    "create_connection with a limit of a handshake alone": connect(
        HOST, 1, ssl_handshake_timeout=1
    ),
    "create_connection with a limit of a shutdown alone": connect(HOST, 1, ssl_shutdown_timeout=1),
    "create_connection with a handshake of less than no time": with_listener(
        lambda loop, port: loop.create_connection(
            MINE, HOST, port, ssl=CONTEXT, server_hostname="", ssl_handshake_timeout=-1
        )
    ),
    "create_connection with a context that is none": with_listener(
        lambda loop, port: loop.create_connection(MINE, HOST, port, ssl="yes")
    ),
    "create_server where somebody listens": with_server(
        lambda loop, server, port: loop.create_server(MINE, HOST, port)
    ),
    "create_server at an address of others": serve("1.2.3.4", 0),
    "create_server at no address": serve("nobody", 0, flags=socket.AI_NUMERICHOST),
    "create_server at a port that there is not": serve(HOST, 99999),
    "create_server at a port of strings": serve(HOST, "no service"),
    "create_server at numbers": serve([1, 2], 0),
    "create_server with a backlog of strings": serve(HOST, 0, backlog="many"),
    "create_server with TLS of True": serve(HOST, 0, ssl=True),
    "create_server with TLS of a string": serve(HOST, 0, ssl="yes"),
    "create_server with a limit of a handshake alone": serve(HOST, 0, ssl_handshake_timeout=1),
    "create_server with host and socket": with_socket(
        lambda loop, sock: loop.create_server(MINE, HOST, 0, sock=sock)
    ),
    "create_server without anything": serve(),
    "create_server over datagrams": with_socket(
        lambda loop, sock: loop.create_server(MINE, sock=sock), socket.SOCK_DGRAM
    ),
    "create_server over a closed socket": with_socket(
        lambda loop, sock: (sock.close(), loop.create_server(MINE, sock=sock))[1]
    ),
    "serve_forever twice": with_server(serve_twice),
    "serve_forever when closed": with_server(serve_when_closed),
    "close of a server twice": with_server(
        lambda loop, server, port: (server.close(), server.close(), server.is_serving())[2]
    ),
    "sockets of a closed server": with_server(
        lambda loop, server, port: (server.close(), list(server.sockets))[1]
    ),
    "connect_accepted_socket of datagrams": with_socket(
        lambda loop, sock: loop.connect_accepted_socket(MINE, sock), socket.SOCK_DGRAM
    ),
    "connect_accepted_socket with a context that is none": with_socket(
        lambda loop, sock: loop.connect_accepted_socket(MINE, sock, ssl="yes")
    ),
    "connect_accepted_socket with a limit of a handshake alone": with_socket(
        lambda loop, sock: loop.connect_accepted_socket(MINE, sock, ssl_handshake_timeout=1)
    ),
    "create_unix_connection to nothing": unix_connect(),
    "create_unix_connection to a missing path": unix_connect("missing"),
    "create_unix_connection to a file": in_folder(in_a_file),
    "create_unix_connection to a number": unix_connect(1),
    "create_unix_connection to a long path": unix_connect("x" * 200),
    "create_unix_connection with a server's name alone": unix_connect("x", server_hostname="x"),
    "create_unix_connection with TLS and no name": unix_connect("x", ssl=CONTEXT),
    "create_unix_connection over a TCP socket": with_socket(
        lambda loop, sock: loop.create_unix_connection(MINE, sock=sock)
    ),
    "create_unix_connection with path and socket": with_socket(
        lambda loop, sock: loop.create_unix_connection(MINE, "x", sock=sock),
        family=socket.AF_UNIX,
    ),
    "create_unix_server at nothing": unix_serve(),
    "create_unix_server in a missing folder": unix_serve("missing/socket"),
    "create_unix_server below a socket": in_folder(where_somebody_listens),
    "create_unix_server at a file": in_folder(where_a_file_is),
    "create_unix_server at a long path": unix_serve("x" * 200),
    "create_unix_server with TLS of True": unix_serve("x", ssl=True),
    "create_unix_server over a TCP socket": with_socket(
        lambda loop, sock: loop.create_unix_server(MINE, sock=sock)
    ),
    "create_datagram_endpoint of nothing": datagrams(),
    "create_datagram_endpoint of two families": datagrams((HOST, 0), ("::1", 0)),
    "create_datagram_endpoint of a string": datagrams("here"),
    "create_datagram_endpoint of three": datagrams((HOST, 0, 0)),
    "create_datagram_endpoint of another's address": datagrams(("1.2.3.4", 0)),
    "create_datagram_endpoint of a missing path": in_folder(datagrams_to_a_missing_path),
    "create_datagram_endpoint over a stream": with_socket(
        lambda loop, sock: loop.create_datagram_endpoint(MINE, sock=sock)
    ),
    "create_datagram_endpoint with address and socket": with_socket(
        lambda loop, sock: loop.create_datagram_endpoint(MINE, (HOST, 0), sock=sock),
        socket.SOCK_DGRAM,
    ),
    "getaddrinfo of a number": on_loop(lambda loop: loop.getaddrinfo(1, 1)),
    "getaddrinfo of no address": on_loop(
        lambda loop: loop.getaddrinfo("nobody", 1, flags=socket.AI_NUMERICHOST)
    ),
    "getnameinfo of a string": on_loop(lambda loop: loop.getnameinfo("here")),
    "getnameinfo of no address": on_loop(lambda loop: loop.getnameinfo(("nobody", 1), 3)),
}
