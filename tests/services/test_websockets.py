"""websockets' server and clients."""

import asyncio
import os

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK


@pytest.fixture(params=["plain", "TLS"])
def contexts(request, server_tls, client_tls):
    """The TLS contexts to use: none, or one each."""
    return (server_tls, client_tls) if request.param == "TLS" else (None, None)


async def echo(socket):
    """Sends back what it gets."""
    async for message in socket:
        await socket.send(message)


def serving(handler, context=None):
    """Serves on a free port."""
    return serve(handler, "localhost", 0, ssl=context, max_size=1 << 24)


def connecting(server, context=None):
    """Connects to the server."""
    scheme = "wss" if context else "ws"
    port = server.sockets[0].getsockname()[1]
    return connect(f"{scheme}://localhost:{port}", ssl=context, max_size=1 << 24, proxy=None)


def test_many_clients_get_their_own_messages(run, contexts):
    async def talk(server, name):
        async with connecting(server, contexts[1]) as socket:
            for number in range(20):
                await socket.send(f"{name}: {number}")
                assert await socket.recv() == f"{name}: {number}"

    async def main():
        async with serving(echo, contexts[0]) as server:
            await asyncio.gather(*(talk(server, name) for name in range(20)))

    run(main())


def test_large_messages_come_whole(run, contexts):
    message = os.urandom(4 << 20)

    async def main():
        async with serving(echo, contexts[0]) as server, connecting(server, contexts[1]) as socket:
            sending = asyncio.create_task(socket.send(message))
            assert await socket.recv() == message
            await sending

    run(main())


def test_pings_are_answered(run, contexts):
    async def main():
        async with serving(echo, contexts[0]) as server, connecting(server, contexts[1]) as socket:
            pongs = [await socket.ping(str(number)) for number in range(10)]
            latencies = await asyncio.wait_for(asyncio.gather(*pongs), 5)
            assert all(latency > 0 for latency in latencies)

    run(main())


def test_the_server_says_why_it_closes(run, contexts):
    async def refuse(socket):
        await socket.close(4001, "not today")

    async def main():
        async with (
            serving(refuse, contexts[0]) as server,
            connecting(server, contexts[1]) as socket,
        ):
            with pytest.raises(ConnectionClosedError) as raised:
                await socket.recv()
            assert (raised.value.rcvd.code, raised.value.rcvd.reason) == (4001, "not today")

    run(main())


def test_a_connection_that_breaks_is_noticed_on_the_other_side(run, contexts):
    async def main():
        noticed = asyncio.get_running_loop().create_future()

        async def handle(socket):
            try:
                await socket.recv()
            except ConnectionClosedError as error:
                noticed.set_result(error.rcvd)

        async with (
            serving(handle, contexts[0]) as server,
            connecting(server, contexts[1]) as socket,
        ):
            socket.transport.abort()
            assert await asyncio.wait_for(noticed, 5) is None

    run(main())


def test_a_server_that_ends_closes_its_connections(run):
    async def main():
        async with serving(echo) as server:
            socket = await connecting(server)
        with pytest.raises(ConnectionClosedOK) as raised:
            await socket.recv()
        assert raised.value.rcvd.code == 1001

    run(main())
