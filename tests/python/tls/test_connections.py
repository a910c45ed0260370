"""TLS on the native session: the same outcome as on asyncio, on real connections."""

import asyncio
import random
import socket
import ssl
import threading
from asyncio import sslproto

import pytest
from tests.python.tls import (
    HOST,
    BufferedRecorder,
    Recorder,
    client_context,
    connected,
    server_context,
)

import roundel
from roundel import _sslproto


@pytest.mark.parametrize("size", [1, 1000, 16 * 1024, 16 * 1024 + 1, 300_000, 3_000_000])
@pytest.mark.parametrize("kind", [Recorder, BufferedRecorder])
def test_bytes_come_back_as_they_were_sent(both, kind, size):
    async def main(reports):
        sent = random.Random(size).randbytes(size)
        async with connected(client=kind) as (client, _):
            client.transport.write(sent)
            assert await client.receive(size) == sent
        assert reports == []

    both(main)


def test_a_bytearray_is_filled_where_it_is():
    """asyncio fills a copy of its end with what comes after the first record."""

    class Lender(BufferedRecorder):
        def get_buffer(self, sizehint):
            self.buffer = bytearray(40_000)
            return self.buffer

    async def main():
        sent = random.Random(1).randbytes(40_000)
        async with connected(client=Lender) as (client, _):
            client.transport.write(sent)
            assert await client.receive(len(sent)) == sent

    roundel.run(main())


def test_the_native_session_is_in_use():
    async def main():
        async with connected() as (client, _):
            assert type(client.transport) is _sslproto.SSLTransport
            assert isinstance(client.transport, asyncio.Transport)
            assert client.transport.get_extra_info("ssl_object").version() == "TLSv1.3"
            assert client.transport.get_extra_info("peercert")["subject"] == (
                (("commonName", "localhost"),),
            )

    roundel.run(main())


def test_without_a_native_session_asyncios_protocol_is_used():
    class Connection(ssl.SSLObject):
        """What a context can be told to make in the place of `ssl.SSLObject`."""

        @property
        def _sslobj(self):
            return Wrapper(self.__dict__["_sslobj"])

        @_sslobj.setter
        def _sslobj(self, value):
            self.__dict__["_sslobj"] = value

    class Wrapper:
        def __init__(self, wrapped):
            self._wrapped = wrapped

        def __getattr__(self, name):
            return getattr(self._wrapped, name)

    async def main():
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: Recorder(echo=True), HOST, 0, ssl=server_context()
        )
        context = client_context()
        context.sslobject_class = Connection
        transport, client = await loop.create_connection(
            Recorder, *listener.sockets[0].getsockname(), ssl=context, server_hostname="localhost"
        )
        assert type(transport) is sslproto._SSLProtocolTransport
        transport.write(b"hello")
        assert await client.receive(5) == b"hello"
        transport.close()
        await client.lost
        listener.close()

    roundel.run(main())


def test_what_is_changed_after_write_is_sent_as_it_was(both):
    async def main(_):
        async with connected() as (client, _):
            data = bytearray(b"x" * 100_000)
            client.transport.write(data)
            data[:] = b"y" * len(data)
            client.transport.write(memoryview(b"z"))
            assert await client.receive(100_001) == b"x" * 100_000 + b"z"

    both(main)


@pytest.mark.parametrize("data", ["text", 7, None, [b"list"]])
def test_only_bytes_can_be_written(both, data):
    async def main(_):
        async with connected() as (client, _):
            with pytest.raises(TypeError) as raised:
                client.transport.write(data)
            kind = type(data).__name__
            assert str(raised.value) == f"data: expecting a bytes-like instance, got {kind}"

    both(main)


def test_writelines_and_empty_writes(both):
    async def main(_):
        async with connected() as (client, _):
            client.transport.write(b"")
            client.transport.writelines([b"one ", bytearray(b"two "), memoryview(b"three")])
            assert await client.receive(13) == b"one two three"
            with pytest.raises(NotImplementedError):
                client.transport.write_eof()
            assert not client.transport.can_write_eof()

    both(main)


def test_close_sends_what_was_written_and_ends_in_order(both):
    async def main(_):
        async with connected(server=Recorder) as (client, server):
            client.transport.write(b"x" * 1_000_000)
            client.transport.close()
            assert client.transport.is_closing()
            assert await server.lost is None
            assert await client.lost is None
            assert server.data == b"x" * 1_000_000
            assert server.calls == ["made", "eof", "lost"]
            assert client.calls[0] == "made"
            assert client.calls[-1] == "lost"

    both(main)


def test_paused_reading_holds_the_data_back(both):
    async def main(_):
        async with connected() as (client, _):
            client.transport.pause_reading()
            assert not client.transport.is_reading()
            client.transport.write(b"held")
            await asyncio.sleep(0.05)
            assert client.data == b""
            client.transport.resume_reading()
            assert await client.receive(4) == b"held"

    both(main)


def test_a_slow_reader_pauses_the_writer(both):
    class Patient(Recorder):
        def pause_writing(self):
            self.calls.append("pause")

        def resume_writing(self):
            self.calls.append("resume")
            self.arrived.set()

    async def main(_):
        async with connected(client=Patient, server=Recorder) as (client, server):
            server.transport.pause_reading()
            sent = 0
            while "pause" not in client.calls:
                client.transport.write(b"x" * 100_000)
                sent += 100_000
                await asyncio.sleep(0)
            assert client.transport.get_write_buffer_size() > 0
            server.transport.resume_reading()
            await server.receive(sent)
            await client.arrived.wait()
            assert client.calls == ["made", "pause", "resume"]
            assert len(server.data) == sent

    both(main)


class Departing:
    """A peer in a thread that says goodbye at once, and only then reads, slowly."""

    def __init__(self):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind((HOST, 0))
        self._listener.listen(1)
        self.port = self._listener.getsockname()[1]
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = server_context().wrap_bio(self._incoming, self._outgoing, server_side=True)

    def serve(self, ready):
        """Returns how many bytes came before the client's goodbye."""
        with self._listener, self._listener.accept()[0] as self._socket:
            self._do(self._session.do_handshake)
            ready.wait()
            with pytest.raises(ssl.SSLWantReadError):
                self._session.unwrap()
            self._flush()
            count = 0
            while chunk := self._do(self._read):
                count += len(chunk)
            return count

    def _read(self):
        try:
            return self._session.read(16384)
        except ssl.SSLZeroReturnError:
            return b""

    def _flush(self):
        self._socket.sendall(self._outgoing.read())

    def _do(self, operation):
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._socket.recv(65536)
                assert data, "the connection ended without a goodbye"
                self._incoming.write(data)
            else:
                self._flush()
                return result


def test_what_was_written_arrives_though_the_peer_has_said_goodbye(both):
    async def main(_):
        peer, ready = Departing(), threading.Event()
        received = asyncio.create_task(asyncio.to_thread(peer.serve, ready))
        reader, writer = await asyncio.open_connection(
            HOST, peer.port, ssl=client_context(), server_hostname="localhost"
        )
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for _ in range(64):
            writer.write(b"x" * 65536)
        ready.set()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        assert await received == 64 * 65536

    both(main)
