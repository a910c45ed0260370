"""TLS connections that fail, are given up or damaged: asyncio's exceptions, and nothing left."""

import asyncio
import contextlib
import gc
import random
import socket
import ssl
import weakref

import pytest
from tests.python.tls import (
    HOST,
    Recorder,
    client_context,
    connected,
    server_context,
)

import roundel


def test_a_callback_that_raises_ends_the_connection_and_is_reported(both):
    class Failing(Recorder):
        def data_received(self, data):
            raise LookupError("no place for it")

    async def main(reports):
        async with connected(client=Failing) as (client, _):
            client.transport.write(b"x")
            assert isinstance(await client.lost, LookupError)
        (report,) = reports
        assert report["message"] == "Fatal error on SSL protocol"
        assert str(report["exception"]) == "no place for it"

    both(main)


def test_a_paused_connection_that_its_peer_has_ended_can_be_closed():
    """asyncio leaves it open until the program reads on."""

    async def main():
        async with connected() as (client, server):
            client.transport.pause_reading()
            server.transport._ssl_protocol._transport.close()
            await server.lost
            await asyncio.sleep(0.01)
            client.transport.close()
            assert await client.lost is None
            assert client.calls == ["made", "eof", "lost"]

    roundel.run(main())


def test_a_transport_that_was_closed_twice_can_be_aborted():
    """asyncio forgets the connection at the second time."""

    async def main():
        async with connected(ssl_shutdown_timeout=60) as (client, server):
            server.transport._ssl_protocol._transport.pause_reading()
            client.transport.close()
            client.transport.close()
            client.transport.write(b"")
            client.transport.abort()
            assert await client.lost is None

    roundel.run(main())


def test_a_session_that_is_over_is_forgotten_by_one_more_close(both):
    async def main(_):
        async with connected() as (client, server):
            server.transport.close()
            await client.lost
            session = weakref.ref(client.transport._ssl_protocol)
            client.transport.close()
            await asyncio.sleep(0)
            assert session() is None
            client.transport.write(b"")
            with pytest.raises(TypeError, match="data: expecting a bytes-like instance, got str"):
                client.transport.write("text")
            with pytest.raises(AttributeError):
                client.transport.write(b"x")
            client.transport.close()

    both(main)


def test_a_program_may_abort_when_it_is_given_the_rest():
    """asyncio has close() raise RuntimeError."""

    class Aborting(Recorder):
        def data_received(self, data):
            super().data_received(data)
            self.transport.abort()

    async def main():
        async with connected(client=Aborting) as (client, server):
            client.transport.pause_reading()
            await asyncio.sleep(0)
            server.transport.write(b"the rest")
            await asyncio.sleep(0.01)
            client.transport.resume_reading()
            client.transport.close()
            assert await client.lost is None
            assert client.data == b"the rest"

    roundel.run(main())


def test_damaged_records_are_refused_with_pythons_exception(both):
    async def main(reports):
        async with connected() as (client, server):
            wire = client.transport._ssl_protocol._transport
            wire.write(b"\x17\x03\x03\x00\x20" + b"damaged " * 4)
            lost = await server.lost
            assert isinstance(lost, ssl.SSLError)
            # OpenSSL's reason, a newer one's, too.
            assert lost.reason in ("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "RECORD_LAYER_FAILURE")
            assert lost.reason.lower().replace("_", " ") in str(lost)
        assert reports == []

    both(main)


def test_a_peer_that_speaks_no_tls_is_dropped(both):
    async def main(_):
        loop = asyncio.get_running_loop()
        made = []
        listener = await loop.create_server(
            lambda: made.append(Recorder()) or made[-1], HOST, 0, ssl=server_context()
        )
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        listener.close()
        assert made[0].calls == []

    both(main)


def test_a_handshake_that_never_ends_is_given_up(both):
    async def main(_):
        loop = asyncio.get_running_loop()
        with socket.create_server((HOST, 0)) as silent:
            with pytest.raises(ConnectionAbortedError) as raised:
                await loop.create_connection(
                    Recorder,
                    *silent.getsockname(),
                    ssl=client_context(),
                    server_hostname="localhost",
                    ssl_handshake_timeout=0.05,
                )
            assert str(raised.value) == (
                "SSL handshake is taking longer than 0.05 seconds: aborting the connection"
            )

    both(main)


def test_an_unknown_certificate_is_refused(both):
    async def main(_):
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(Recorder, HOST, 0, ssl=server_context())
        with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
            await loop.create_connection(
                Recorder, *listener.sockets[0].getsockname(), ssl=True, server_hostname="localhost"
            )
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await loop.create_connection(
                Recorder,
                *listener.sockets[0].getsockname(),
                ssl=client_context(),
                server_hostname="elsewhere",
            )
        listener.close()

    both(main)


def test_start_tls_goes_over_in_mid_connection(both):
    async def main(_):
        async def serve(reader, writer):
            assert await reader.readline() == b"STARTTLS\n"
            writer.write(b"go on\n")
            await writer.start_tls(server_context())
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, HOST, 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go on\n"
        await writer.start_tls(client_context(), server_hostname="localhost")
        writer.write(b"secret\n")
        assert await reader.readline() == b"SECRET\n"
        assert await reader.read() == b""
        writer.close()
        server.close()

    both(main)


def test_start_tls_refuses_what_is_no_context_or_transport(both):
    async def main(_):
        loop = asyncio.get_running_loop()
        async with connected() as (client, _):
            with pytest.raises(TypeError, match=r"sslcontext is expected to be an instance of"):
                await loop.start_tls(client.transport, client, object())
            with pytest.raises(TypeError, match=r"is not supported by start_tls\(\)"):
                await loop.start_tls(object(), client, client_context())

    both(main)


def test_tls_within_tls(both):
    async def main(_):
        loop = asyncio.get_running_loop()
        async with connected(server=Recorder) as (client, server):
            inner_server = Recorder(echo=True)
            inner_client = Recorder()
            ends = await asyncio.gather(
                loop.start_tls(server.transport, inner_server, server_context(), server_side=True),
                loop.start_tls(
                    client.transport, inner_client, client_context(), server_hostname="localhost"
                ),
            )
            inner_server.transport, inner_client.transport = ends
            inner_client.transport.write(b"wrapped twice" * 10_000)
            assert await inner_client.receive(130_000) == b"wrapped twice" * 10_000
            inner_client.transport.close()
            await asyncio.wait([inner_client.lost, inner_server.lost])
            client.lost.set_result(None)
            server.lost.set_result(None)

    both(main)


def test_a_connection_cancelled_before_it_is_made_lets_its_descriptor_go():
    """asyncio leaves a transport behind that goes on reading from the caller's descriptor."""

    async def main():
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(Recorder, HOST, 0)
        with socket.create_connection(listener.sockets[0].getsockname()) as connection:
            connection.setblocking(False)
            task = asyncio.ensure_future(
                loop.create_connection(
                    Recorder, sock=connection, ssl=client_context(), server_hostname="localhost"
                )
            )
            await asyncio.sleep(0)
            descriptor = connection.fileno()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.01)
            assert not loop._watched(descriptor)
            assert connection.fileno() == -1
        listener.close()

    roundel.run(main())


def test_connections_that_are_gone_leave_nothing():
    async def main():
        gone = []
        for _ in range(50):
            async with connected() as (client, server):
                gone += map(weakref.ref, (client, server, client.transport._ssl_protocol))
                client.transport.write(b"x")
                await client.receive(1)
            del client, server
        await asyncio.sleep(0)
        gc.collect()
        assert not [reference() for reference in gone if reference() is not None]

    roundel.run(main())


@pytest.mark.parametrize("seed", range(20))
def test_a_line_that_flips_bits_ends_the_connection_and_invents_nothing(seed):
    """Whatever the bytes on the wire are, the session ends by itself or goes on with true data."""

    async def main():
        chance = random.Random(seed)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Recorder(echo=True), HOST, 0, ssl=server_context(), ssl_handshake_timeout=0.5
        )
        target = server.sockets[0].getsockname()

        async def forward(reader, writer):
            with contextlib.suppress(ConnectionError):
                while data := bytearray(await reader.read(1000)):
                    if chance.random() < 0.1:
                        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                    writer.write(data)
            writer.close()

        async def relay(reader, writer):
            onward = await asyncio.open_connection(*target)
            await asyncio.gather(forward(reader, onward[1]), forward(onward[0], writer))

        line = await asyncio.start_server(relay, HOST, 0)
        loop.set_exception_handler(lambda _, context: None)
        sent = chance.randbytes(100_000)
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            _, client = await loop.create_connection(
                Recorder,
                *line.sockets[0].getsockname(),
                ssl=client_context(),
                server_hostname="localhost",
                ssl_handshake_timeout=0.5,
            )
            client.transport.write(sent)
            arrived = asyncio.ensure_future(client.receive(len(sent)))
            await asyncio.wait([arrived, client.lost], return_when="FIRST_COMPLETED", timeout=1)
            arrived.cancel()
            assert sent.startswith(client.data)
            client.transport.abort()
            await asyncio.wait([client.lost])
        line.close()
        server.close()
        await asyncio.sleep(0.01)

    roundel.run(main())
