"""Servers: connections are accepted, told of, counted and closed."""

import asyncio
import contextvars
import errno
import gc
import logging
import os
import resource
import socket
import struct
import sys
import time
from asyncio import constants
from typing import ClassVar

import pytest
from tests.python.transports import EITHER, Recorder, either, until

import roundel


def on_either(main, new_loop, debug=False):
    with asyncio.Runner(loop_factory=new_loop, debug=debug) as runner:
        return runner.run(main())


class Accepted(Recorder):
    """A protocol of a server that keeps all of its kind."""

    made: ClassVar = []

    def __init__(self):
        super().__init__()
        self.made.append(self)


@pytest.fixture(autouse=True)
def forget():
    Accepted.made.clear()
    yield
    Accepted.made.clear()


async def serve(factory=Accepted, **options):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0, **options)
    return server, server.sockets[0].getsockname()


@either
async def test_connections_that_have_come_together_are_accepted_together():
    server, address = await serve()
    clients = [socket.create_connection(address) for _ in range(10)]
    turns = 0
    while not Accepted.made:
        await asyncio.sleep(0)
        turns += 1
        assert turns < 1000
    assert len(Accepted.made) == len(clients)
    for client in clients:
        client.close()
    await asyncio.gather(*(protocol.lost for protocol in Accepted.made))
    server.close()
    await server.wait_closed()


@either
async def test_what_is_known_of_an_accepted_connection():
    server, address = await serve()
    client = socket.create_connection(address)
    await until(lambda: Accepted.made and Accepted.made[0].transport)
    transport = Accepted.made[0].transport
    assert transport.get_extra_info("peername") == client.getsockname()
    assert transport.get_extra_info("sockname") == address
    sock = transport.get_extra_info("socket")
    assert sock is transport.get_extra_info("socket")
    assert type(sock).__name__ == "TransportSocket"
    assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
    assert sock.gettimeout() == 0
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not os.get_inheritable(sock.fileno())
    assert transport.get_extra_info("nothing", 1) == 1
    client.sendall(b"x")
    await until(lambda: Accepted.made[0].received == b"x")
    server.close()
    client.close()
    await Accepted.made[0].lost
    assert sock.fileno() == -1
    await server.wait_closed()


@pytest.mark.parametrize("listener_sends_at_once", [None, False], ids=["left alone", "turned off"])
@EITHER
def test_every_accepted_connection_sends_small_pieces_at_once(new_loop, listener_sends_at_once):
    async def main():
        server, address = await serve()
        if listener_sends_at_once is not None:
            listener = socket.socket(fileno=os.dup(server.sockets[0].fileno()))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, listener_sends_at_once)
            listener.close()
        for count in range(1, 4):
            client = socket.create_connection(address)
            await until(lambda count=count: len(Accepted.made) == count)
            await until(lambda: Accepted.made[-1].transport)
            sock = Accepted.made[-1].transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            client.close()
            await Accepted.made[-1].lost
        server.close()
        await server.wait_closed()

    on_either(main, new_loop)


@pytest.mark.parametrize("asked", [False, True], ids=["not asked before", "asked before"])
@EITHER
def test_what_is_known_is_known_after_the_end(new_loop, asked):
    async def main():
        server, address = await serve()
        client = socket.create_connection(address)
        await until(lambda: Accepted.made and Accepted.made[0].transport)
        transport, ours = Accepted.made[0].transport, client.getsockname()
        if asked:
            assert transport.get_extra_info("sockname") == address
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        await Accepted.made[0].lost
        await asyncio.sleep(0)
        assert transport.get_extra_info("peername") == ours
        assert transport.get_extra_info("sockname") == address
        assert transport.get_extra_info("socket").fileno() == -1
        server.close()

    on_either(main, new_loop)


@either
async def test_a_unix_server():
    loop = asyncio.get_running_loop()
    name = f"\0roundel-{os.getpid()}-{time.monotonic()}"
    server = await loop.create_unix_server(Accepted, name)
    client = socket.socket(socket.AF_UNIX)
    client.connect(name)
    await until(lambda: Accepted.made and Accepted.made[0].transport)
    transport = Accepted.made[0].transport
    assert transport.get_extra_info("peername") == ""
    assert transport.get_extra_info("sockname") == name.encode()
    client.close()
    await Accepted.made[0].lost
    server.close()


@either
async def test_an_address_of_ipv6():
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(Accepted, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    client = socket.create_connection(server.sockets[0].getsockname()[:2])
    await until(lambda: Accepted.made and Accepted.made[0].transport)
    transport = Accepted.made[0].transport
    assert transport.get_extra_info("peername") == client.getsockname()
    assert transport.get_extra_info("sockname") == server.sockets[0].getsockname()
    client.close()
    await Accepted.made[0].lost
    server.close()


@either
async def test_the_order_of_accepting():
    """A protocol is made a turn after its connection is accepted, and hears of it a turn later."""
    turns, turn = {}, 0

    class Noting(Recorder):
        def __init__(self):
            super().__init__()
            turns.setdefault("factory", turn)

        def connection_made(self, transport):
            turns.setdefault("made", turn)
            super().connection_made(transport)
            transport.close()

    server, address = await serve(Noting)
    client = socket.create_connection(address)
    while "made" not in turns:
        turn += 1
        await asyncio.sleep(0)
    assert turns["made"] - turns["factory"] == 1
    client.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@EITHER
def test_a_factory_that_fails_costs_its_connection_only(new_loop, debug):
    def factory():
        if not failed:
            failed.append(True)
            raise ValueError
        return Accepted()

    async def main():
        contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        server, address = await serve(factory)
        first = socket.create_connection(address)
        await until(lambda: failed)
        second = socket.create_connection(address)
        await until(lambda: Accepted.made)
        messages = [context["message"] for context in contexts]
        text = "Error on transport creation for incoming connection"
        assert messages == ([text] if debug else [])
        second.close()
        await Accepted.made[0].lost
        contexts.clear()
        gc.collect()  # asyncio leaves the connection to the collector
        assert first.recv(1) == b""
        first.close()
        server.close()

    failed = []
    on_either(main, new_loop, debug)


@either
async def test_a_server_closes_when_its_last_connection_does():
    server, address = await serve()
    client = socket.create_connection(address)
    await until(lambda: Accepted.made and Accepted.made[0].transport)
    server.close()
    assert server.sockets == ()
    assert not server.is_serving()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    waiting = asyncio.ensure_future(server.wait_closed())
    await asyncio.sleep(0.01)
    assert waiting.done() == (sys.version_info < (3, 12))
    client.close()
    await waiting
    await Accepted.made[0].lost


@pytest.mark.skipif(sys.version_info < (3, 13), reason="new in 3.13")
@pytest.mark.parametrize("method", ["close_clients", "abort_clients"])
@EITHER
def test_a_server_can_close_its_connections(new_loop, method):
    async def main():
        server, address = await serve()
        clients = [socket.create_connection(address) for _ in range(3)]
        await until(lambda: len(Accepted.made) == 3 and all(one.transport for one in Accepted.made))
        server.close()
        getattr(server, method)()
        await server.wait_closed()
        assert [one.log[-1] for one in Accepted.made] == [("lost", type(None))] * 3
        for client in clients:
            client.close()

    on_either(main, new_loop)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="new in 3.13")
@either
async def test_what_a_server_knows_of_its_connections():
    server, address = await serve()
    clients = [socket.create_connection(address) for _ in range(2)]
    await until(lambda: len(Accepted.made) == 2 and all(one.transport for one in Accepted.made))
    known, (first, second) = server._clients, [one.transport for one in Accepted.made]
    assert len(known) == 2
    assert set(known.copy()) == set(known) == {first, second}
    other = type("Other", (asyncio.Transport,), {})()
    server._attach(other)
    assert set(known) == {first, second, other}
    del other
    gc.collect()
    assert len(known) == 2
    first.close()
    await Accepted.made[0].lost
    assert list(known) == [second]
    server._detach(first)
    server._attach(second)
    assert list(known) == [second]
    server.close()
    with pytest.raises(AssertionError):
        server._attach(first)
    waiting = asyncio.ensure_future(server.wait_closed())
    second.close()
    await waiting
    assert len(known) == 0
    for client in clients:
        client.close()


@either
async def test_many_connections_at_a_time():
    server, address = await serve(backlog=200)
    clients = [socket.create_connection(address) for _ in range(150)]
    await until(lambda: len(Accepted.made) == 150)
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
    await until(lambda: all(one.received for one in Accepted.made))
    names = {one.transport.get_extra_info("peername"): one.received for one in Accepted.made}
    assert names == {client.getsockname(): b"%d" % n for n, client in enumerate(clients)}
    for client in clients:
        client.close()
    for one in Accepted.made:
        await one.lost
    server.close()


@EITHER
def test_without_descriptors_it_waits_and_goes_on(new_loop, monkeypatch):
    monkeypatch.setattr(constants, "ACCEPT_RETRY_DELAY", 0.05)
    variable = contextvars.ContextVar("variable")
    seen = []

    def factory():
        seen.append(variable.get())
        return Accepted()

    async def main():
        variable.set("server's")
        contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        server, address = await serve(factory, backlog=1)
        variable.set("later")
        client = socket.socket()
        free = os.dup(client.fileno())
        os.close(free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            client.connect(address)
            await until(lambda: contexts)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        context = contexts[0]
        assert context["message"] == "socket.accept() out of system resource"
        assert context["exception"].errno == errno.EMFILE
        assert context["socket"].getsockname() == address
        await until(lambda: Accepted.made)
        assert seen == ["server's"]
        client.close()
        await Accepted.made[0].lost
        server.close()

    on_either(main, new_loop)


def test_a_server_closed_while_it_waits_for_descriptors_stays_closed(monkeypatch):
    monkeypatch.setattr(constants, "ACCEPT_RETRY_DELAY", 0.01)

    async def main():
        contexts = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        server, _ = await serve()
        listening = server.sockets[0]._sock
        loop._serve_later(Accepted, listening, server, 1, None)
        server.close()
        await asyncio.sleep(0.05)
        assert contexts == []

    roundel.run(main())


def test_debug_mode_logs_connections():
    async def main():
        records = []
        handler = logging.Handler()
        handler.emit = lambda record: records.append(record.getMessage())
        logger = logging.getLogger("asyncio")
        logger.addHandler(handler)
        level = logger.level
        logger.setLevel(logging.DEBUG)
        server, address = await serve()
        client = socket.create_connection(address)
        await until(lambda: Accepted.made)
        logger.setLevel(level)
        logger.removeHandler(handler)
        assert any("got a new connection from" in record for record in records)
        client.close()
        await Accepted.made[0].lost
        server.close()

    roundel.run(main(), debug=True)


@either
async def test_connect_accepted_socket():
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listening.getsockname())
    accepted, address = listening.accept()
    transport, protocol = await loop.connect_accepted_socket(Recorder, accepted)
    assert transport.get_extra_info("peername") == address
    client.close()
    await protocol.lost
    listening.close()
