"""Sockets that the loop's sock_* methods cannot use."""

import socket
import ssl
import tempfile

from .network import HOST, closed_port, in_folder, on_loop
from .outcome import Call

CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def pair(call, *, blocking=False):
    """Makes the call with the loop and one of two connected sockets, where a byte has come."""

    async def made(loop):
        left, right = socket.socketpair()
        with left, right:
            right.send(b"x")
            left.setblocking(blocking)
            return await call(loop, left)

    return on_loop(made)


def closed(call):
    """Makes the call with a socket that was closed."""
    return pair(lambda loop, sock: (sock.close(), call(loop, sock))[1])


def unconnected(call, kind=socket.SOCK_STREAM, family=socket.AF_INET):
    """Makes the call with a socket that is not connected."""

    async def made(loop):
        with socket.socket(family, kind) as sock:
            sock.setblocking(False)
            return await call(loop, sock)

    return on_loop(made)


async def of_a_text_file(loop, sock):
    """Sends a file that was opened as text."""
    with tempfile.TemporaryFile("w+") as file:
        return await loop.sock_sendfile(sock, file)


async def of_nothing(loop, sock):
    """Sends less than nothing of a file."""
    with tempfile.TemporaryFile() as file:
        return await loop.sock_sendfile(sock, file, 0, -1)


async def wrapped(loop, sock):
    """Uses a socket that speaks TLS by itself."""
    plain = sock.dup()
    plain.setblocking(False)
    tls = CONTEXT.wrap_socket(plain, server_hostname="x", do_handshake_on_connect=False)
    with tls:
        return await loop.sock_recv(tls, 1)


def connect_unix(path):
    """Connects a Unix socket."""

    async def made(loop):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, path)

    return in_folder(made)


CALLS: dict[str, Call] = {
    "sock_recv of a blocking socket": pair(lambda it, s: it.sock_recv(s, 1), blocking=True),
    "sock_recv_into of a blocking socket": pair(
        lambda it, s: it.sock_recv_into(s, bytearray(1)), blocking=True
    ),
    "sock_sendall by a blocking socket": pair(
        lambda it, s: it.sock_sendall(s, b"x"), blocking=True
    ),
    "sock_connect of a blocking socket": pair(lambda it, s: it.sock_connect(s, "x"), blocking=True),
    "sock_accept of a blocking socket": pair(lambda it, s: it.sock_accept(s), blocking=True),
    "sock_recv of less than nothing": pair(lambda it, s: it.sock_recv(s, -1)),
    "sock_recv of a string": pair(lambda it, s: it.sock_recv(s, "x")),
    "sock_recv of a number of None": pair(lambda it, s: it.sock_recv(s, None)),
    "sock_recv of far too much": pair(lambda it, s: it.sock_recv(s, 2**70)),
    "sock_recv of a closed socket": closed(lambda it, s: it.sock_recv(s, 1)),
    "sock_recv of no socket": on_loop(lambda it: it.sock_recv(None, 1)),
    "sock_recv of an unconnected socket": unconnected(lambda it, s: it.sock_recv(s, 1)),
    "sock_recv of a TLS socket": pair(wrapped),
    "sock_recv_into of bytes": pair(lambda it, s: it.sock_recv_into(s, b"x")),
    "sock_recv_into of a string": pair(lambda it, s: it.sock_recv_into(s, "x")),
    "sock_recvfrom of less than nothing": pair(lambda it, s: it.sock_recvfrom(s, -1)),
    "sock_recvfrom of a closed socket": closed(lambda it, s: it.sock_recvfrom(s, 1)),
    "sock_recvfrom_into of too much": pair(lambda it, s: it.sock_recvfrom_into(s, bytearray(1), 2)),
    "sock_recvfrom_into of bytes": pair(lambda it, s: it.sock_recvfrom_into(s, b"x")),
    "sock_sendall of a string": pair(lambda it, s: it.sock_sendall(s, "x")),
    "sock_sendall of None": pair(lambda it, s: it.sock_sendall(s, None)),
    "sock_sendall of a number": pair(lambda it, s: it.sock_sendall(s, 1)),
    "sock_sendall of nothing": pair(lambda it, s: it.sock_sendall(s, b"")),
    "sock_sendall by a closed socket": closed(lambda it, s: it.sock_sendall(s, b"x")),
    "sock_sendall by an unconnected socket": unconnected(lambda it, s: it.sock_sendall(s, b"x")),
    "sock_sendto of a string": unconnected(
        lambda it, s: it.sock_sendto(s, "x", (HOST, 9)), socket.SOCK_DGRAM
    ),
    "sock_sendto a string": unconnected(
        lambda it, s: it.sock_sendto(s, b"x", "here"), socket.SOCK_DGRAM
    ),
    "sock_sendto a port that there is not": unconnected(
        lambda it, s: it.sock_sendto(s, b"x", (HOST, 99999)), socket.SOCK_DGRAM
    ),
    "sock_sendto another family": unconnected(
        lambda it, s: it.sock_sendto(s, b"x", ("::1", 9)), socket.SOCK_DGRAM
    ),
    "sock_sendto too much": unconnected(
        lambda it, s: it.sock_sendto(s, bytes(100_000), (HOST, 9)), socket.SOCK_DGRAM
    ),
    "sock_connect where nobody listens": unconnected(
        lambda it, s: it.sock_connect(s, (HOST, closed_port()))
    ),
    "sock_connect to another family": unconnected(lambda it, s: it.sock_connect(s, ("::1", 1))),
    "sock_connect to a string": unconnected(lambda it, s: it.sock_connect(s, "here")),
    "sock_connect to None": unconnected(lambda it, s: it.sock_connect(s, None)),
    "sock_connect to a port that there is not": unconnected(
        lambda it, s: it.sock_connect(s, (HOST, 99999))
    ),
    "sock_connect of a closed socket": closed(lambda it, s: it.sock_connect(s, "x")),
    "sock_connect to a missing path": connect_unix("missing"),
    "sock_connect to a long path": connect_unix("x" * 200),
    "sock_connect of a Unix socket to an address": connect_unix((HOST, 1)),
    "sock_accept of whom does not listen": unconnected(lambda it, s: it.sock_accept(s)),
    "sock_accept of a closed socket": closed(lambda it, s: it.sock_accept(s)),
    "sock_accept of no socket": on_loop(lambda it: it.sock_accept("sock")),
    "sock_sendfile of a text file": pair(of_a_text_file),
    "sock_sendfile of less than nothing": pair(of_nothing),
    "sock_sendfile of None": pair(lambda it, s: it.sock_sendfile(s, None)),
    "sock_sendfile by datagrams": unconnected(
        lambda it, s: it.sock_sendfile(s, None), socket.SOCK_DGRAM
    ),
}
