"""Nothing is left behind, however a wait ends: by success, by cancellation anywhere, by disuse."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import tracemalloc
import warnings
from dataclasses import dataclass

import pytest

import roundel
from roundel import _roundel

CYCLES = 100_000
# Far less than one object in a hundred cycles; what caches and the test itself keep is less.
BLOCKS_ALLOWED = CYCLES // 200
BYTES_ALLOWED = 4 << 20


@pytest.fixture
def debug():
    """Debug mode keeps tracebacks: the leaks looked for here are those of every day."""
    return False


@dataclass(frozen=True)
class Wait:
    """Something to wait for: how to make it, how to wait for it, how to end the wait."""

    make: object
    wait: object
    wake: object


def locked():
    """Returns a lock that somebody holds."""
    lock = roundel.Lock()
    with contextlib.suppress(StopIteration):
        lock.acquire().send(None)
    return lock


def full(kind):
    """Returns a queue that has no room."""
    queue = kind(1)
    queue.put_nowait(1)
    return queue


def future():
    """Returns a future of the loop that runs."""
    return asyncio.get_running_loop().create_future()


def connected():
    """Returns the two sockets that all cycles share, with nothing to be received."""
    with contextlib.suppress(BlockingIOError):
        PAIR[0].recv(100)
    return PAIR


PAIR = socket.socketpair()
for each in PAIR:
    each.setblocking(False)


@pytest.fixture(scope="module", autouse=True)
def pair():
    """Closes the sockets in the end."""
    yield
    for each in PAIR:
        each.close()


class Closing(asyncio.Transport):
    """A transport that needs nobody to close it."""

    def is_closing(self):
        return True


def paused_stream():
    """Returns a writer whose transport takes no more, and its protocol."""
    reader, transport = roundel.StreamReader(), Closing()
    protocol = roundel.StreamReaderProtocol(reader)
    protocol.connection_made(transport)
    protocol.pause_writing()
    return roundel.StreamWriter(transport, protocol, reader, protocol._loop), protocol


def settle(waited):
    """Sets a future's result, if nobody has cancelled it."""
    if not waited.done():
        waited.set_result(None)


class Notified(roundel.Condition):
    """A condition whose waiters take the lock themselves."""

    async def wait_inside(self):
        async with self:
            await self.wait()

    async def wait_for_inside(self):
        self.ready = False
        async with self:
            await self.wait_for(lambda: self.ready)

    def wake(self):
        self.ready = True
        with contextlib.suppress(StopIteration):
            self.acquire().send(None)
        self.notify_all()
        self.release()


async def in_timeout(waited):
    """Waits within a time limit."""
    async with roundel.timeout(60):
        await waited


async def in_group(waited):
    """Waits in a task of a group."""

    async def wait():
        await waited

    async with roundel.TaskGroup() as group:
        group.create_task(wait())


async def by_completion(waited):
    """Waits by as_completed."""
    for each in roundel.as_completed([waited]):
        await each


async def in_task(waited):
    """Waits for a task that waits."""

    async def wait():
        await waited

    await roundel.create_task(wait())


WAITS = {
    "sleep": Wait(lambda: 0.0001, lambda delay: roundel.sleep(delay), lambda _: None),
    "Future": Wait(future, lambda it: it, settle),
    "Task": Wait(future, in_task, settle),
    "Queue.get": Wait(roundel.Queue, lambda it: it.get(), lambda it: it.put_nowait(1)),
    "LifoQueue.get": Wait(roundel.LifoQueue, lambda it: it.get(), lambda it: it.put_nowait(1)),
    "PriorityQueue.put": Wait(
        lambda: full(roundel.PriorityQueue), lambda it: it.put(2), lambda it: it.get_nowait()
    ),
    "Queue.put": Wait(
        lambda: full(roundel.Queue), lambda it: it.put(2), lambda it: it.get_nowait()
    ),
    "Queue.join": Wait(
        lambda: full(roundel.Queue), lambda it: it.join(), lambda it: it.task_done()
    ),
    "Queue.shutdown": Wait(roundel.Queue, lambda it: it.get(), lambda it: it.shutdown()),
    "Lock.acquire": Wait(locked, lambda it: it.acquire(), lambda it: it.release()),
    "Event.wait": Wait(roundel.Event, lambda it: it.wait(), lambda it: it.set()),
    "Semaphore.acquire": Wait(
        lambda: roundel.Semaphore(0), lambda it: it.acquire(), lambda it: it.release()
    ),
    "Condition.wait": Wait(Notified, lambda it: it.wait_inside(), Notified.wake),
    "Condition.wait_for": Wait(Notified, lambda it: it.wait_for_inside(), Notified.wake),
    "Barrier.wait": Wait(
        lambda: roundel.Barrier(2), lambda it: it.wait(), lambda it: roundel.create_task(it.abort())
    ),
    "timeout": Wait(future, in_timeout, settle),
    "wait_for": Wait(future, lambda it: roundel.wait_for(it, 60), settle),
    "wait": Wait(future, lambda it: roundel.wait([it]), settle),
    "gather": Wait(future, lambda it: roundel.gather(it, roundel.sleep(0)), settle),
    "shield": Wait(future, lambda it: roundel.shield(it), settle),
    "as_completed": Wait(future, by_completion, settle),
    "TaskGroup": Wait(future, in_group, settle),
    "StreamReader.readline": Wait(
        roundel.StreamReader, lambda it: it.readline(), lambda it: it.feed_data(b"line\n")
    ),
    "StreamReader.readuntil": Wait(
        roundel.StreamReader, lambda it: it.readuntil((b"x", b"ab")), lambda it: it.feed_data(b"ab")
    ),
    "StreamReader.set_exception": Wait(
        roundel.StreamReader, lambda it: it.read(), lambda it: it.set_exception(BrokenPipeError())
    ),
    "StreamWriter.drain": Wait(
        paused_stream, lambda it: it[0].drain(), lambda it: it[1].resume_writing()
    ),
    "StreamWriter.wait_closed": Wait(
        paused_stream, lambda it: it[0].wait_closed(), lambda it: it[1].connection_lost(None)
    ),
    "sock_recv": Wait(
        connected,
        lambda it: asyncio.get_running_loop().sock_recv(it[0], 100),
        lambda it: it[1].send(b"x"),
    ),
}


async def hold(awaitable):
    """Awaits in a coroutine's frame, as programs do."""
    return await awaitable


async def ended(task):
    """Awaits a task, however it ends."""
    with contextlib.suppress(
        asyncio.CancelledError, BrokenPipeError, roundel.BrokenBarrierError, roundel.QueueShutDown
    ):
        await task


async def finish(way, waited):
    task = roundel.create_task(hold(way.wait(waited)))
    await roundel.sleep(0)
    way.wake(waited)
    await ended(task)


async def cancel_before_the_first_step(way, waited):
    task = roundel.create_task(hold(way.wait(waited)))
    task.cancel()
    await ended(task)


async def cancel_while_it_waits(way, waited):
    task = roundel.create_task(hold(way.wait(waited)))
    await roundel.sleep(0)
    task.cancel()
    await ended(task)


async def cancel_when_it_is_woken(way, waited):
    task = roundel.create_task(hold(way.wait(waited)))
    await roundel.sleep(0)
    way.wake(waited)
    task.cancel()
    await ended(task)


async def cancel_after_a_turn(way, waited):
    task = roundel.create_task(hold(way.wait(waited)))
    await roundel.sleep(0)
    way.wake(waited)
    await roundel.sleep(0)
    task.cancel()
    await ended(task)


async def close_while_it_waits(way, waited):
    coroutine = hold(way.wait(waited))
    with contextlib.suppress(StopIteration):
        coroutine.send(None)
    coroutine.close()
    # Tasks that it has made go on.
    way.wake(waited)
    for _ in range(3):
        await roundel.sleep(0)


async def never_await(way, waited):
    way.wait(waited)


ENDS = (
    finish,
    cancel_before_the_first_step,
    cancel_while_it_waits,
    cancel_when_it_is_woken,
    cancel_after_a_turn,
    close_while_it_waits,
    never_await,
)


async def cycle(way, times):
    """Waits as often as told, in turn with each of the ends that a wait can have."""
    for number in range(times):
        await ENDS[number % len(ENDS)](way, way.make())


def resident_bytes():
    """Returns the memory that the process has, Rust's included."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def references():
    """Returns how often each native type is referred to: once more for every object alive."""
    return {
        name: sys.getrefcount(kind)
        for name, kind in vars(_roundel).items()
        if isinstance(kind, type)
    }


def growth(repeat):
    """Returns by how much blocks, bytes and references have grown after many repetitions.

    Args:
        repeat: Called with a number of repetitions; a few come first, to fill caches and freelists.
    """
    repeat(2000)
    gc.collect()
    blocks, resident, referred = sys.getallocatedblocks(), resident_bytes(), references()
    repeat(CYCLES)
    gc.collect()
    blocks = sys.getallocatedblocks() - blocks
    now = references()
    more = {name: now[name] - before for name, before in referred.items() if now[name] != before}
    return blocks, resident_bytes() - resident, more


def assert_no_growth(repeat):
    """Fails if repetitions leave anything behind."""
    blocks, resident, more = growth(repeat)
    # Whatever is in a freelist refers to its type.
    more = {name: number for name, number in more.items() if abs(number) > 50}
    assert blocks < BLOCKS_ALLOWED
    assert resident < BYTES_ALLOWED
    assert more == {}


@pytest.fixture(autouse=True)
def quietly():
    """Lets awaitables go unawaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", WAITS)
def test_a_hundred_thousand_waits_leave_nothing_behind(loop, name):
    assert_no_growth(lambda times: loop.run_until_complete(cycle(WAITS[name], times)))


@pytest.mark.parametrize("name", WAITS)
def test_no_python_memory_is_kept_by_waits(loop, name):
    def repeat(times):
        loop.run_until_complete(cycle(WAITS[name], times))
        gc.collect()

    repeat(500)
    tracemalloc.start()
    try:
        repeat(500)
        before, _ = tracemalloc.get_traced_memory()
        repeat(2000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000


# Debug builds of CPython count all references.
if hasattr(sys, "gettotalrefcount"):

    @pytest.mark.parametrize("name", WAITS)
    def test_no_reference_is_kept_by_waits(loop, name):
        def repeat(times):
            loop.run_until_complete(cycle(WAITS[name], times))
            loop.run_until_complete(roundel.sleep(0))  # what the last one has left to the loop
            gc.collect()
            return sys.gettotalrefcount()

        repeat(700)
        before = repeat(700)
        assert abs(repeat(7000) - before) < 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "schedule",
    [
        lambda loop: loop.call_soon(int),
        lambda loop: loop.call_soon_threadsafe(int),
        lambda loop: loop.call_later(0, int),
        lambda loop: loop.call_soon(int).cancel(),
        lambda loop: loop.call_later(3600, int).cancel(),
        lambda loop: loop.call_at(0, int).cancel(),
    ],
    ids=["soon", "threadsafe", "later", "soon cancelled", "later cancelled", "at cancelled"],
)
def test_callbacks_leave_nothing_behind(loop, schedule):
    async def repeat(times):
        for number in range(times):
            schedule(loop)
            if number % 100 == 0:
                await roundel.sleep(0)

    assert_no_growth(lambda times: loop.run_until_complete(repeat(times)))


@pytest.mark.slow
def test_readers_and_writers_leave_nothing_behind(loop):
    left, right = socket.socketpair()

    def repeat(times):
        for _ in range(times // 2):
            loop.add_reader(left, int)
            loop.add_writer(left, int)
            loop.remove_reader(left)
            loop.remove_writer(left)

    assert_no_growth(repeat)
    left.close()
    right.close()


def test_loops_leave_nothing_behind():
    async def main():
        await roundel.gather(*(roundel.sleep(0) for _ in range(5)))

    def repeat(times):
        for _ in range(times // 100):
            roundel.run(main())

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    repeat(100)
    before = descriptors()
    assert_no_growth(repeat)
    assert descriptors() == before


def test_signal_handlers_leave_nothing_behind(loop):
    def repeat(times):
        for _ in range(times // 20):
            loop.add_signal_handler(signal.SIGUSR1, int)
            loop.remove_signal_handler(signal.SIGUSR1)

    assert_no_growth(repeat)


def test_exceptions_leave_no_cycles(loop):
    class FailureError(Exception):
        pass

    async def fail():
        raise FailureError

    async def main():
        for form in (
            lambda: roundel.gather(fail(), roundel.sleep(0)),
            lambda: roundel.wait_for(fail(), 1),
            lambda: roundel.shield(fail()),
            lambda: in_timeout(fail()),
            lambda: in_task(fail()),
        ):
            with contextlib.suppress(FailureError):
                await form()
            await roundel.sleep(0)

    loop.run_until_complete(main())
    gc.collect()
    gc.disable()
    try:
        loop.run_until_complete(main())
        left = [each for each in gc.get_objects() if isinstance(each, FailureError)]
    finally:
        gc.enable()
    assert left == []
