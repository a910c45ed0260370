"""Answers to a peer that has sent more than was read: sent together, before anybody can tell."""

import asyncio
import contextlib
import random
import socket

import pytest
from tests.python.transports import until

import roundel


class Peer:
    """A stream of ours, and the socket at its other end."""

    def __init__(self, reader, writer, theirs):
        self.reader, self.writer, self.theirs = reader, writer, theirs

    def received(self):
        try:
            return self.theirs.recv(1 << 20)
        except BlockingIOError:
            return b""

    async def send(self, data):
        """Sends, and has it come into the reader's buffer."""
        arrived = len(self.reader._buffer) + len(data)
        self.theirs.sendall(data)
        await until(lambda: len(self.reader._buffer) == arrived)

    async def close(self):
        self.theirs.close()
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    peer = Peer(*await roundel.open_connection(sock=ours), theirs)
    yield peer
    await peer.close()


@contextlib.asynccontextmanager
async def ahead():
    """A peer that is ahead by a line, and has an answer coming that was put off."""
    async with connected() as peer:
        await peer.send(b"1\n2\n")
        assert await peer.reader.readline() == b"1\n"
        peer.writer.write(b"first,")
        assert peer.received() == b""
        yield peer


def run(main):
    def test():
        roundel.run(main())

    test.__doc__ = main.__doc__
    return test


@run
async def test_who_awaits_an_answer_gets_it_at_once():
    async with connected() as peer:
        await peer.send(b"1\n")
        await peer.reader.readline()
        peer.writer.write(b"first")
        assert peer.received() == b"first"


@run
async def test_the_last_answer_takes_those_before_along():
    async with ahead() as peer:
        await peer.writer.drain()
        assert peer.received() == b""
        assert await peer.reader.readline() == b"2\n"
        peer.writer.write(b"second")
        assert peer.received() == b"first,second"


@run
async def test_an_answer_that_can_change_is_copied():
    async with ahead() as peer:
        data = bytearray(b"second")
        peer.writer.write(data)
        data[:] = b"changed"
        assert peer.received() == b""
        await asyncio.sleep(0)
        assert peer.received() == b"first,second"


@run
async def test_answers_are_sent_when_nothing_more_can_be_read():
    async with ahead() as peer:
        await peer.reader.readline()
        waiting = peer.reader.readline()
        waiting.send(None)
        assert peer.received() == b"first,"
        waiting.close()


@run
async def test_answers_are_sent_at_the_end_of_the_turn():
    async with ahead() as peer:
        loop = asyncio.get_running_loop()
        seen = []
        loop.call_soon(lambda: seen.append(peer.received()))
        await asyncio.sleep(0)
        assert seen == [b"first,"]


TELLING = {
    "asking how much waits": lambda peer: peer.writer.transport.get_write_buffer_size(),
    "setting limits": lambda peer: peer.writer.transport.set_write_buffer_limits(high=0),
    "asking for the socket": lambda peer: peer.writer.get_extra_info("socket"),
    "writing to the transport": lambda peer: peer.writer.transport.write(b"second"),
    "writing lines": lambda peer: peer.writer.writelines([b"sec", b"ond"]),
    "saying that no more comes": lambda peer: peer.writer.write_eof(),
    "closing": lambda peer: peer.writer.close(),
    "aborting": lambda peer: peer.writer.transport.abort(),
}


@pytest.mark.parametrize("action", TELLING.values(), ids=TELLING)
def test_what_was_put_off_is_sent_before(action):
    async def main():
        async with ahead() as peer:
            action(peer)
            assert peer.received() in {b"first,", b"first,second"}
            assert peer.writer.transport.get_write_buffer_size() == 0

    roundel.run(main())


@pytest.mark.parametrize(("size", "count"), [(8 * 1024, 2), (1, 64)], ids=["bytes", "pieces"])
def test_not_much_is_put_off(size, count):
    async def main():
        async with connected() as peer:
            await peer.send(b"1\n2\n")
            await peer.reader.readline()
            for _ in range(count):
                assert peer.received() == b""
                peer.writer.write(bytes(size))
            assert peer.received() == bytes(size * count)

    roundel.run(main())


@run
async def test_one_connection_at_a_time_puts_off():
    async with ahead() as first, ahead() as second:
        assert first.received() == b"first,"
        first.writer.write(b"again")
        assert (first.received(), second.received()) == (b"", b"first,")


@run
async def test_a_protocols_own_answers_make_way_for_others():
    class Answering(roundel.StreamReaderProtocol):
        def data_received(self, data):
            super().data_received(data)
            first.writer.write(b"first,")
            second.writer.write(b"again")

    loop = asyncio.get_running_loop()
    async with ahead() as second:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        reader = roundel.StreamReader()
        protocol = Answering(reader)
        transport, _ = await loop.create_connection(lambda: protocol, sock=ours)
        first = Peer(reader, roundel.StreamWriter(transport, protocol, reader, loop), theirs)
        reports = []
        loop.set_exception_handler(lambda _, report: reports.append(report))
        await first.send(b"1\n")
        assert (first.received(), second.received()) == (b"first,", b"first,again")
        assert reports == []
        await first.close()


@run
async def test_a_late_failure_ends_the_connection():
    async with connected() as peer:
        await peer.send(b"1\n2\n")
        await peer.reader.readline()
        peer.theirs.close()
        peer.writer.write(b"in vain")
        with pytest.raises(ConnectionError):
            await peer.writer.wait_closed()
        with pytest.raises(ConnectionError):
            await peer.reader.readline()


def test_nothing_is_put_off_while_the_loop_stands_still():
    async def begin():
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        peer = Peer(*await roundel.open_connection(sock=ours), theirs)
        await peer.send(b"1\n2\n")
        await peer.reader.readline()
        return peer

    with roundel.Runner() as runner:
        peer = runner.run(begin())
        peer.writer.write(b"first")
        assert peer.received() == b"first"
        runner.run(peer.close())


@run
async def test_another_thread_puts_nothing_off():
    def write(peer):
        peer.writer.write(b"first")
        return peer.received()

    async with connected() as peer:
        await peer.send(b"1\n2\n")
        await peer.reader.readline()
        assert await asyncio.to_thread(write, peer) == b"first"


def test_what_ends_the_loop_ends_the_turn():
    peers = []

    async def leave():
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        peers.append(Peer(*await roundel.open_connection(sock=ours), theirs))
        await peers[0].send(b"1\n2\n")
        await peers[0].reader.readline()
        peers[0].writer.write(b"first")
        assert peers[0].received() == b""
        raise SystemExit

    loop = roundel.new_event_loop()
    with pytest.raises(SystemExit):
        loop.run_until_complete(leave())
    assert peers[0].received() == b"first"
    loop.run_until_complete(peers[0].close())
    loop.close()


async def answer(peer, chance, lines):
    """Answers lines by all ways there are to write, and says what was written."""
    written = bytearray()

    def piece():
        data = chance.randbytes(chance.choice([1, 10, 3000, 9000]))
        written.extend(data)
        return data

    writer = peer.writer
    for _ in range(lines):
        await peer.reader.readline()
        for _ in range(chance.randrange(3)):
            match chance.randrange(8):
                case 0:
                    writer.writelines([piece(), piece()])
                case 1:
                    writer.transport.write(piece())
                case 2:
                    writer.write(memoryview(piece()))
                case 3:
                    await writer.drain()
                case 4:
                    await asyncio.sleep(0)
                case _:
                    writer.write(piece())
    writer.write_eof()
    return bytes(written)


@pytest.mark.parametrize("seed", range(10))
def test_bytes_keep_their_order(seed):
    async def receive(theirs):
        loop, received = asyncio.get_running_loop(), bytearray()
        while data := await loop.sock_recv(theirs, 1 << 16):
            received += data
        return bytes(received)

    async def main():
        chance, lines = random.Random(seed), 300
        async with connected() as peer:
            sock = peer.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            receiving = asyncio.create_task(receive(peer.theirs))
            await asyncio.get_running_loop().sock_sendall(peer.theirs, b"line\n" * lines)
            written = await answer(peer, chance, lines)
            assert await receiving == written

    roundel.run(main())
