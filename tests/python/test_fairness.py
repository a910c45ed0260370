"""Nobody starves beside a connection that floods, or beside tasks that are always ready."""

import asyncio
import contextlib
import socket
import threading

import pytest

TURNS = 300
# So many turns, the loop may let pass before it looks at descriptors, and then some.
PATIENCE = 300


class Flood:
    """A peer that sends without end from a thread, so that there is always something to read."""

    def __init__(self, sock):
        self.sock = sock
        self.thread = threading.Thread(target=self.send)

    def send(self):
        with contextlib.suppress(OSError):
            while True:
                self.sock.sendall(bytes(1 << 16))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *raised):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.sock.close()


class Sink(asyncio.Protocol):
    """Counts what comes."""

    def __init__(self):
        self.calls = 0
        self.largest = 0

    def data_received(self, data):
        self.calls += 1
        self.largest = max(self.largest, len(data))


class BufferedSink(asyncio.BufferedProtocol):
    """Counts what comes into a buffer of its own."""

    def __init__(self):
        self.calls = 0
        self.largest = 0
        self.buffer = bytearray(1 << 16)

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, count):
        self.calls += 1
        self.largest = max(self.largest, count)


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def connected(factory):
    """Returns a transport with its protocol, and the peer's socket."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport, protocol = await asyncio.get_running_loop().create_connection(factory, sock=ours)
    return transport, protocol, theirs


async def ready_for_ever():
    """Is always ready to go on."""
    while True:
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def beside(*coroutines):
    """Runs coroutines as tasks meanwhile."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def turns_until(arrived):
    """Returns how many turns the loop has taken when the future is done."""
    turns = 0
    while not arrived.done():
        await asyncio.sleep(0)
        turns += 1
        assert turns < 100_000, "starved"
    return turns


@pytest.mark.parametrize("sink", [Sink, BufferedSink])
def test_a_flooding_connection_gets_one_read_a_turn(run, sink):
    async def main():
        transport, protocol, theirs = await connected(sink)
        with Flood(theirs):
            while protocol.calls == 0:
                await asyncio.sleep(0)
            for _ in range(TURNS):
                before = protocol.calls
                await asyncio.sleep(0)
                assert protocol.calls <= before + 1
            assert protocol.largest <= 256 << 10
            transport.abort()
            await asyncio.sleep(0)

    run(main())


def test_other_connections_are_answered_beside_one_that_floods(run):
    async def main():
        flooded, sink, flooding = await connected(Sink)
        others = [await connected(Echo) for _ in range(20)]
        loop = asyncio.get_running_loop()
        with Flood(flooding):
            for _, _, theirs in others:
                theirs.setblocking(False)
            before = sink.calls
            for _ in range(10):
                for _, _, theirs in others:
                    theirs.send(b"x")
                answers = [loop.sock_recv(theirs, 10) for _, _, theirs in others]
                assert await asyncio.wait_for(asyncio.gather(*answers), 5) == [b"x"] * 20
            # A round trip takes some turns; the flood has had no more reads than one each.
            assert sink.calls - before < 10 * PATIENCE
            flooded.abort()
        for transport, _, theirs in others:
            transport.abort()
            theirs.close()
        await asyncio.sleep(0)

    run(main())


def test_timers_and_threads_are_heard_beside_a_connection_that_floods(run):
    async def main():
        loop = asyncio.get_running_loop()
        transport, _, theirs = await connected(Sink)
        with Flood(theirs):
            for _ in range(20):
                before = loop.time()
                await asyncio.sleep(0.001)
                assert loop.time() - before < 1
                assert await asyncio.wait_for(asyncio.to_thread(int), 5) == 0
            transport.abort()
        await asyncio.sleep(0)

    run(main())


def test_descriptors_are_looked_at_beside_tasks_that_are_always_ready(run):
    async def main():
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            async with beside(*(ready_for_ever() for _ in range(5))):
                for _ in range(20):
                    arrived = loop.create_future()
                    loop.add_reader(ours, lambda done=arrived: done.set_result(ours.recv(1)))
                    theirs.send(b"x")
                    assert await turns_until(arrived) <= PATIENCE
                    loop.remove_reader(ours)

    run(main())


def test_connections_are_served_beside_tasks_that_are_always_ready(run):
    async def main():
        loop = asyncio.get_running_loop()
        transport, _, theirs = await connected(Echo)
        theirs.setblocking(False)
        async with beside(*(ready_for_ever() for _ in range(5))):
            for _ in range(20):
                theirs.send(b"x")
                answer = asyncio.ensure_future(loop.sock_recv(theirs, 1))
                # There, and back.
                assert await turns_until(answer) <= 2 * PATIENCE
        transport.abort()
        theirs.close()
        await asyncio.sleep(0)

    run(main())


def test_timers_fire_beside_tasks_that_are_always_ready(run_virtual, run):
    async def main():
        loop = asyncio.get_running_loop()
        async with beside(*(ready_for_ever() for _ in range(5))):
            fired = loop.create_future()
            loop.call_later(0, fired.set_result, None)
            assert await turns_until(fired) <= 3

    run_virtual(main())
    run(main())


def test_a_stream_that_is_always_full_lets_others_read(run):
    async def drain(reader, counts, name):
        while await reader.read(4096):
            counts[name] += 1

    async def main():
        counts = {"flooded": 0, "other": 0}
        ours, theirs = socket.socketpair()
        others, theirs_too = socket.socketpair()
        flooded, writer = await asyncio.open_connection(sock=ours)
        other, writer_too = await asyncio.open_connection(sock=others)
        with Flood(theirs), theirs_too:
            async with beside(drain(flooded, counts, "flooded"), drain(other, counts, "other")):
                while not counts["flooded"]:
                    await asyncio.sleep(0)
                for number in range(1, 50):
                    theirs_too.send(b"x")
                    turns = 0
                    while counts["other"] < number:
                        await asyncio.sleep(0)
                        turns += 1
                        assert turns <= PATIENCE
            writer.transport.abort()
            writer_too.transport.abort()
        await asyncio.sleep(0)

    run(main())
