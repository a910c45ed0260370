"""The contexts that protocols are called in: from CPython 3.15 on, each connection has its own."""

import asyncio
import contextvars
import socket
import sys

import pytest
from tests.python.tls import client_context, server_context
from tests.python.transports import HUGE, Recorder, connect, either, read_all, until

import roundel

variable = contextvars.ContextVar("variable", default="none")
own_contexts = pytest.mark.skipif(sys.version_info < (3, 15), reason="new in 3.15")


class Noting(Recorder):
    """Writes down the variable's value with each call, after setting it in the first."""

    def __init__(self, value="connection's"):
        super().__init__()
        self.value = value
        self.seen = {"factory": variable.get()}

    def note(self, call):
        self.seen.setdefault(call, variable.get())

    def connection_made(self, transport):
        super().connection_made(transport)
        self.note("made")
        variable.set(self.value)

    def data_received(self, data):
        super().data_received(data)
        self.note("data")

    def pause_writing(self):
        super().pause_writing()
        variable.set("changed")

    def resume_writing(self):
        super().resume_writing()
        self.note("resume")

    def eof_received(self):
        super().eof_received()
        self.note("eof")

    def connection_lost(self, exc):
        super().connection_lost(exc)
        self.note("lost")


@either
async def test_what_comes_is_received_in_one_context():
    seen = []

    class Counting(Recorder):
        def data_received(self, data):
            seen.append(variable.get())
            variable.set(variable.get() + 1)
            super().data_received(data)

        def connection_lost(self, exc):
            seen.append(variable.get())
            super().connection_lost(exc)

    variable.set(10)
    transport, protocol, theirs = await connect(Counting)
    variable.set(20)
    for number in range(2):
        theirs.sendall(b"x")
        await until(lambda number=number: len(seen) == number + 1)
    transport.close()
    await protocol.lost
    # Until 3.14 the end has a copy of the context that it was brought about in.
    assert seen == [10, 11, 20 if sys.version_info < (3, 15) else 12]
    theirs.close()


@own_contexts
@either
async def test_a_connection_keeps_the_context_it_was_made_in():
    variable.set("maker's")
    transport, protocol, theirs = await connect(Noting)
    assert variable.get() == "maker's"
    variable.set("later")
    transport.pause_reading()
    transport.resume_reading()
    theirs.sendall(b"x")
    await until(lambda: protocol.received)
    transport.write(bytes(HUGE))  # pauses the protocol in the writer's context
    assert variable.get() == "changed"
    await read_all(theirs, HUGE)
    await until(lambda: protocol.log[-1] == "resume")
    theirs.close()
    await protocol.lost
    inside = dict.fromkeys(["data", "resume", "eof", "lost"], "connection's")
    assert protocol.seen == {"factory": "maker's", "made": "maker's"} | inside


@own_contexts
@either
async def test_each_accepted_connection_has_a_copy_of_the_servers_context():
    made = []

    def factory():
        made.append(Noting(len(made)))
        variable.set("factory's")
        return made[-1]

    variable.set("server's")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0)
    variable.set("later")
    for number in range(2):
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            client.sendall(b"x")
            await until(lambda number=number: len(made) > number and made[number].received)
        await made[number].lost
    for number, protocol in enumerate(made):
        assert protocol.seen == {
            "factory": "server's",
            "made": "factory's",
            "data": number,
            "eof": number,
            "lost": number,
        }
    assert variable.get() == "later"
    server.close()


@own_contexts
@either
async def test_tls_keeps_the_context_of_its_connection():
    loop = asyncio.get_running_loop()
    accepted = []
    variable.set("server's")
    server = await loop.create_server(
        lambda: accepted.append(Noting()) or accepted[0], "127.0.0.1", 0, ssl=server_context()
    )
    variable.set("client's")
    transport, protocol = await loop.create_connection(
        Noting, *server.sockets[0].getsockname(), ssl=client_context()
    )
    variable.set("later")
    transport.write(b"x")
    await until(lambda: accepted[0].received)
    transport.close()
    await protocol.lost
    await accepted[0].lost
    assert (protocol.seen["made"], protocol.seen["lost"]) == ("client's", "connection's")
    assert (accepted[0].seen["factory"], accepted[0].seen["made"]) == ("server's", "server's")
    assert accepted[0].seen["data"] == "connection's"
    server.close()


def test_the_transports_are_native_whatever_the_context():
    async def main():
        native = roundel._roundel.StreamTransport
        loop = asyncio.get_running_loop()
        accepted = []
        server = await loop.create_server(
            lambda: accepted.append(Recorder()) or accepted[-1], "127.0.0.1", 0
        )
        transport, _ = await loop.create_connection(Recorder, *server.sockets[0].getsockname())
        await until(lambda: accepted and accepted[0].transport)
        assert type(transport) is type(accepted[0].transport) is native
        transport.close()
        await accepted[0].lost
        server.close()

    roundel.run(main())
