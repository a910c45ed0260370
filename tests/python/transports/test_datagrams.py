"""Transports of datagrams, over UDP and Unix sockets."""

import asyncio
import gc
import socket
import sys
import warnings

import pytest
from tests.python.transports import EITHER, either, until

import roundel


class Recorder(asyncio.DatagramProtocol):
    """Writes down what it is told."""

    def __init__(self):
        self.log = []
        self.received = []
        self.errors = []
        self.transport = None
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.log.append("made")

    def datagram_received(self, data, addr):
        assert type(data) is bytes
        self.received.append((data, addr))

    def error_received(self, exc):
        self.errors.append(exc)

    def pause_writing(self):
        self.log.append("pause")

    def resume_writing(self):
        self.log.append("resume")

    def connection_lost(self, exc):
        self.log.append("lost")
        self.lost.set_result(exc)


def udp(family=socket.AF_INET, host="127.0.0.1"):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(5)
    return sock


async def endpoint(factory=Recorder, **options):
    loop = asyncio.get_running_loop()
    options = options or {"local_addr": ("127.0.0.1", 0)}
    return await loop.create_datagram_endpoint(factory, **options)


async def close(transport, protocol, *sockets):
    transport.close()
    await protocol.lost
    for sock in sockets:
        sock.close()


def test_a_transport_is_native_and_asyncios():
    async def main():
        transport, protocol = await endpoint()
        assert isinstance(transport, roundel._roundel.DatagramTransport)
        assert isinstance(transport, asyncio.DatagramTransport)
        await close(transport, protocol)

    roundel.run(main())


@either
async def test_datagrams_come_with_who_sent_them():
    transport, protocol = await endpoint()
    address = transport.get_extra_info("sockname")
    assert transport.get_extra_info("peername") is None
    one, other = udp(), udp()
    for number in range(50):
        (one if number % 3 else other).sendto(b"%d" % number, address)
    await until(lambda: len(protocol.received) == 50)
    assert protocol.received == [
        (b"%d" % number, (one if number % 3 else other).getsockname()) for number in range(50)
    ]
    await close(transport, protocol, one, other)


@either
async def test_answers_reach_who_asked():
    class Echo(Recorder):
        def datagram_received(self, data, addr):
            self.transport.sendto(data, addr)

    transport, protocol = await endpoint(Echo)
    address = transport.get_extra_info("sockname")
    clients = [udp() for _ in range(3)]
    for client in clients:
        client.sendto(repr(client).encode(), address)
    for client in clients:
        received = await asyncio.to_thread(client.recvfrom, 1000)
        assert received == (repr(client).encode(), address)
    await close(transport, protocol, *clients)


@either
async def test_many_peers_are_told_apart():
    class Echo(Recorder):
        def datagram_received(self, data, addr):
            super().datagram_received(data, addr)
            self.transport.sendto(data, addr)

    transport, protocol = await endpoint(Echo)
    address = transport.get_extra_info("sockname")
    for _ in range(25):  # in all, more than a transport remembers
        clients = [udp() for _ in range(50)]
        for client in clients * 2:
            client.sendto(repr(client).encode(), address)
        sent = [(repr(client).encode(), client.getsockname()) for client in clients * 2]
        await until(lambda sent=sent: len(protocol.received) == len(sent))
        assert protocol.received == sent
        protocol.received.clear()
        for client in clients * 2:
            assert client.recvfrom(1000) == (repr(client).encode(), address)
        for client in clients:
            client.close()
    await close(transport, protocol)


@either
async def test_what_can_be_sent():
    transport, protocol = await endpoint()
    client = udp()
    address = client.getsockname()
    for data in [b"a", bytearray(b"b"), memoryview(b"c"), b""]:
        transport.sendto(data, address)
    transport.sendto(b"d", ("localhost", address[1]))
    received = [client.recv(10) for _ in range(5 if sys.version_info >= (3, 13) else 4)]
    assert received == [one for one in (b"a", b"b", b"c", b"", b"d") if one in received]
    for wrong in ["text", None, 1]:
        name = type(wrong).__name__
        text = f"^data argument must be a bytes-like object, not '{name}'$"
        with pytest.raises(TypeError, match=text):
            transport.sendto(wrong, address)
    await close(transport, protocol, client)


@either
async def test_a_connected_transport_sends_to_one_address_only():
    peer = udp()
    transport, protocol = await endpoint(remote_addr=peer.getsockname())
    assert transport.get_extra_info("peername") == peer.getsockname()
    transport.sendto(b"x")
    transport.sendto(b"y", peer.getsockname())
    assert [peer.recv(10), peer.recv(10)] == [b"x", b"y"]
    text = r"^Invalid address: must be None or \('127.0.0.1', \d+\)$"
    with pytest.raises(ValueError, match=text):
        transport.sendto(b"z", ("127.0.0.1", 1))
    peer.sendto(b"back", transport.get_extra_info("sockname"))
    await until(lambda: protocol.received)
    assert protocol.received == [(b"back", peer.getsockname())]
    await close(transport, protocol, peer)


@either
async def test_a_refusal_is_told_and_closes_nothing():
    peer = udp()
    transport, protocol = await endpoint(remote_addr=peer.getsockname())
    peer.close()
    transport.sendto(b"x")
    await until(lambda: protocol.errors)
    assert isinstance(protocol.errors[0], ConnectionRefusedError)
    assert not transport.is_closing()
    transport.sendto(b"y")
    await close(transport, protocol)
    assert protocol.log == ["made", "lost"]


@either
async def test_an_error_of_sending_is_told_and_closes_nothing():
    transport, protocol = await endpoint()
    client = udp()
    transport.sendto(bytes(100_000), client.getsockname())
    (error,) = protocol.errors
    assert isinstance(error, OSError)
    transport.sendto(b"x", client.getsockname())
    assert client.recv(10) == b"x"
    await close(transport, protocol, client)


@either
async def test_an_address_that_makes_no_sense_is_fatal():
    contexts = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: contexts.append(context["message"]))
    transport, protocol = await endpoint()
    transport.sendto(b"x", 7)
    assert isinstance(await protocol.lost, TypeError)
    assert contexts == ["Fatal write error on datagram transport"]
    assert transport.is_closing()


def unix_pair():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.settimeout(5)
    return ours, theirs


def test_flow_of_sending(tmp_path, debug):
    """A full Unix socket takes no more; what waits is sent when it does."""

    async def main():
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        peer.bind(str(tmp_path / "peer"))
        peer.settimeout(5)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            Recorder, remote_addr=str(tmp_path / "peer"), family=socket.AF_UNIX
        )
        transport.set_write_buffer_limits(high=1000, low=100)
        sent = 0
        while "pause" not in protocol.log:
            transport.sendto(b"%04d" % sent + bytes(996))
            sent += 1
        assert transport.get_write_buffer_size() > 1000
        transport.close()
        assert transport.is_closing()
        received = [await asyncio.to_thread(peer.recv, 2000) for _ in range(sent)]
        assert [int(data[:4]) for data in received] == list(range(sent))
        assert await protocol.lost is None
        assert protocol.log == ["made", "pause", "resume", "lost"]
        peer.close()

    for new_loop in (asyncio.SelectorEventLoop, roundel.new_event_loop):
        with asyncio.Runner(loop_factory=new_loop, debug=debug) as runner:
            runner.run(main())
        (tmp_path / "peer").unlink()


@either
async def test_a_callback_may_close():
    class Closing(Recorder):
        def datagram_received(self, data, addr):
            super().datagram_received(data, addr)
            self.transport.close()

    transport, protocol = await endpoint(Closing)
    client = udp()
    for _ in range(5):
        client.sendto(b"x", transport.get_extra_info("sockname"))
    await protocol.lost
    assert len(protocol.received) == 1
    client.close()


@either
async def test_a_failing_callback_is_reported_and_closes_nothing():
    contexts = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    transport, protocol = await endpoint()
    received = []

    def fail(data, addr):
        received.append(data)
        raise ZeroDivisionError

    protocol.datagram_received = fail
    client = udp()
    for data in (b"1", b"2"):
        client.sendto(data, transport.get_extra_info("sockname"))
    await until(lambda: len(contexts) == 2)
    assert received == [b"1", b"2"]
    for context in contexts:
        assert context["message"].startswith("Exception in callback ")
        assert isinstance(context["exception"], ZeroDivisionError)
    assert not transport.is_closing()
    await close(transport, protocol, client)


@either
async def test_reading_can_be_paused():
    transport, protocol = await endpoint()
    client = udp()
    transport.pause_reading()
    client.sendto(b"x", transport.get_extra_info("sockname"))
    await asyncio.sleep(0.02)
    assert protocol.received == []
    transport.resume_reading()
    await until(lambda: protocol.received)
    transport.abort()
    await protocol.lost
    client.close()


def test_ipv6(debug):
    async def main():
        try:
            client = udp(socket.AF_INET6, "::1")
        except OSError:
            pytest.skip("no IPv6 here")
        transport, protocol = await endpoint(local_addr=("::1", 0))
        client.sendto(b"x", transport.get_extra_info("sockname"))
        await until(lambda: protocol.received)
        assert protocol.received == [(b"x", client.getsockname())]
        transport.sendto(b"back", protocol.received[0][1])
        transport.sendto(b"two", client.getsockname()[:2])
        assert [client.recv(10), client.recv(10)] == [b"back", b"two"]
        await close(transport, protocol, client)

    roundel.run(main(), debug=debug)


@EITHER
def test_a_forgotten_transport_warns_and_closes(new_loop):
    loop = new_loop()

    async def make():
        transport, _ = await endpoint(asyncio.DatagramProtocol)
        return [transport]

    made = loop.run_until_complete(make())
    loop.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made.clear()
        gc.collect()
    assert any("unclosed transport" in str(warning.message) for warning in caught)
    caught.clear()
    gc.collect()


def test_unix_datagrams_without_names():
    async def main():
        ours, theirs = unix_pair()
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(Recorder, sock=ours)
        theirs.send(b"x")
        await until(lambda: protocol.received)
        assert protocol.received == [(b"x", None)]
        transport.sendto(b"y")
        assert theirs.recv(10) == b"y"
        await close(transport, protocol, theirs)

    roundel.run(main())
