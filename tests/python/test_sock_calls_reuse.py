"""What `loop.sock_*` leaves behind on a descriptor does not meet whoever has its number next."""

import asyncio
import os
import socket

import pytest

import roundel

LOOPS = {"asyncio": asyncio.SelectorEventLoop, "roundel": roundel.new_event_loop}


@pytest.fixture(params=LOOPS)
def loop(request):
    """asyncio's loop and roundel's, which must do the same."""
    loop = LOOPS[request.param]()
    yield loop
    loop.close()


def non_blocking_pair():
    """Two connected stream sockets that do not block."""
    pair = socket.socketpair()
    for each in pair:
        each.setblocking(False)
    return pair


async def receive_waiting(loop, sock, peer, data):
    """Receives what comes only after the call has begun to wait for it."""
    receiving = asyncio.ensure_future(loop.sock_recv(sock, 100))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not receiving.done()
    peer.send(data)
    assert await receiving == data


def take_over(sock, other):
    """Puts another socket's connection behind the number of one that is closed."""
    number = sock.fileno()
    sock.close()
    os.dup2(other.fileno(), number)
    other.close()
    return socket.socket(fileno=number)


@pytest.fixture
def successor(loop):
    """The next owner of the number of a descriptor that was waited for, and its peer.

    Of the first owner there is another descriptor, with something to read.
    """
    first, first_peer = non_blocking_pair()
    second, second_peer = non_blocking_pair()
    loop.run_until_complete(receive_waiting(loop, first, first_peer, b"first"))
    with first.dup():
        second = take_over(first, second)
        first_peer.send(b"for nobody")
        with first_peer, second, second_peer:
            yield second, second_peer


def test_it_receives(loop, successor):
    async def main():
        for _ in range(3):
            await receive_waiting(loop, *successor, b"second")

    loop.run_until_complete(main())


def test_its_reader_is_called_for_what_is_its_own(loop, successor):
    second, peer = successor
    calls = []
    loop.add_reader(second, lambda: calls.append(second.recv(100)))
    loop.run_until_complete(asyncio.sleep(0.01))
    assert calls == []
    for data in (b"one", b"two"):
        peer.send(data)
        loop.run_until_complete(asyncio.sleep(0.01))
    assert calls == [b"one", b"two"]
    assert loop.remove_reader(second)


def test_its_stream_gets_what_is_its_own(loop, successor):
    second, peer = successor

    async def main():
        reader, writer = await asyncio.open_connection(sock=second)
        reading = asyncio.ensure_future(reader.read(100))
        await asyncio.sleep(0.01)
        assert not reading.done()
        for data in (b"one", b"two"):
            peer.send(data)
            assert await reading == data
            reading = asyncio.ensure_future(reader.read(100))
        peer.close()
        assert await reading == b""
        writer.close()
        await writer.wait_closed()

    loop.run_until_complete(main())


def test_calls_alternate_with_readers_of_the_same_descriptor(loop):
    left, right = non_blocking_pair()
    calls = []

    async def main():
        for _ in range(3):
            await receive_waiting(loop, left, right, b"received")
            loop.add_reader(left, lambda: calls.append(left.recv(100)))
            for _ in range(2):
                right.send(b"read")
                await asyncio.sleep(0.01)
            assert loop.remove_reader(left)

    with left, right:
        loop.run_until_complete(main())
    assert calls == [b"read"] * 6


def test_a_call_that_finds_nothing_after_all_waits_on():
    loop = roundel.new_event_loop()
    left, right = non_blocking_pair()
    signal, signaller = non_blocking_pair()

    async def take():
        await loop.sock_recv(signal, 1)
        # Both events are known by now; the call for this one tries again right after.
        return left.recv(100)

    async def main():
        receiving = asyncio.ensure_future(loop.sock_recv(left, 100))
        for _ in range(3):
            taking = asyncio.ensure_future(take())
            await asyncio.sleep(0.01)
            signaller.send(b"!")
            right.send(b"taken")
            assert await taking == b"taken"
            await asyncio.sleep(0.01)
            assert not receiving.done()
        right.send(b"left")
        assert await receiving == b"left"

    with left, right, signal, signaller:
        loop.run_until_complete(main())
    loop.close()


def test_many_who_come_and_go_hear_of_their_own(loop):
    numbers = set()

    async def main():
        for index in range(200):
            left, right = non_blocking_pair()
            numbers.add(left.fileno())
            with left, right:
                if index % 3 == 0:
                    receiving = asyncio.ensure_future(loop.sock_recv(left, 100))
                    await asyncio.sleep(0)
                    receiving.cancel()
                    await asyncio.wait([receiving])
                for _ in range(index % 4):
                    await receive_waiting(loop, left, right, b"%d" % index)

    loop.run_until_complete(main())
    assert len(numbers) < 200
