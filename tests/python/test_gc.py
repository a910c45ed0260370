"""The garbage collector sees through every native type, and breaks cycles that lead through it."""

import asyncio
import contextvars
import functools
import gc
import random
import socket
import warnings
import weakref

import pytest

import roundel
from roundel import _roundel

HAS_GC = 1 << 14


class Canary:
    """Is collected with the cycle that refers to it."""


@pytest.fixture(autouse=True)
def quietly():
    """Lets awaitables go unawaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        gc.collect()


@pytest.fixture
def debug():
    """Debug mode keeps tracebacks, and with them what stood in their frames."""
    return False


def test_every_native_type_takes_part():
    native = [
        each
        for each in gc.get_referents(_roundel, *vars(_roundel).values())
        if isinstance(each, type)
    ]
    kinds = {each for each in vars(_roundel).values() if isinstance(each, type)} | set(native)
    kinds = {each for each in kinds if each.__module__.partition(".")[0] == "roundel"}
    assert len(kinds) > 15
    assert [each for each in kinds if not each.__flags__ & HAS_GC] == []


def calling(*arguments):
    """Returns a callback that refers to the arguments."""
    return functools.partial(print, *arguments)


def in_attribute(make):
    """Builds an object that refers to itself by an attribute."""

    def build(loop, canary):
        built = make(loop)
        built.cycle = (built, canary)

    return build


def in_argument(make):
    """Builds an object from an argument that refers to the object."""

    def build(loop, canary):
        argument = [canary]
        argument.append(make(loop, argument))

    return build


def by_future(make):
    """Builds something of a future, one of whose callbacks refers to it."""

    def build(loop, canary):
        async def running():
            future = loop.create_future()
            future.add_done_callback(calling(make(future), canary))

        loop.run_until_complete(running())

    return build


def awaiting(wait):
    """Builds a task that waits for something of an argument that refers to the task."""

    def build(loop, canary):
        argument = []

        async def hold():
            await wait(loop, argument)

        task = loop.create_task(hold())
        task._log_destroy_pending = False
        argument += [task, canary]
        loop.run_until_complete(roundel.sleep(0))

    return build


def in_callback_of_future(loop, canary):
    future = loop.create_future()
    future.add_done_callback(int)
    future.add_done_callback(calling(future, canary))


def in_context_of_future(loop, canary):
    variable = contextvars.ContextVar("variable")
    context = contextvars.copy_context()
    future = loop.create_future()
    context.run(variable.set, (future, canary))
    future.add_done_callback(int, context=context)


def in_result(loop, canary):
    future = loop.create_future()
    future.set_result((future, canary))


def in_exception(loop, canary):
    future = loop.create_future()
    error = ValueError()
    error.cycle = (future, canary)
    future.set_exception(error)
    future.exception()


def in_cancel_message(loop, canary):
    future = loop.create_future()
    future.cancel((future, canary))


def in_waiting_task(loop, canary):
    async def wait():
        kept = [asyncio.current_task(), canary]
        await loop.create_future()
        del kept

    task = loop.create_task(wait())
    task._log_destroy_pending = False
    loop.run_until_complete(roundel.sleep(0))


def in_task_that_never_began(loop, canary):
    async def wait(kept):
        await roundel.sleep(0)

    kept = [canary]
    task = loop.create_task(wait(kept))
    task._log_destroy_pending = False
    kept.append(task)


def in_context_of_task(loop, canary):
    variable = contextvars.ContextVar("variable")
    context = contextvars.copy_context()
    task = loop.create_task(roundel.sleep(0), context=context)
    context.run(variable.set, (task, canary))
    loop.run_until_complete(task)


def parked(make, wait):
    """Builds a task that waits for what refers to the task."""

    def build(loop, canary):
        thing = make()
        thing.cycle = canary
        awaiting(lambda loop, task: wait(thing))(loop, thing)

    return build


async def acquire_twice(lock):
    """Waits for a lock for good."""
    await lock.acquire()
    await lock.acquire()


def unfinished():
    """Returns a queue with an item that nobody has worked off."""
    queue = roundel.Queue()
    queue.put_nowait(1)
    return queue


async def put_often(queue, item):
    """Waits for room for good."""
    while True:
        await queue.put(item)


async def wait_inside(condition, *predicate):
    """Waits for a condition, or for a predicate that is never true."""
    async with condition:
        await (condition.wait_for(*predicate) if predicate else condition.wait())


async def inside(block, future):
    """Waits in a block."""
    async with block:
        await future


def in_ready_queue(loop, canary):
    loop.cycle = canary
    loop.call_soon(calling(loop))
    loop.call_later(60, calling(loop))


class Closing(asyncio.Transport):
    """A transport that needs nobody to close it."""

    def is_closing(self):
        return True


def stream(loop, canary):
    reader, transport = roundel.StreamReader(loop=loop), Closing()
    protocol = roundel.StreamReaderProtocol(reader, loop=loop)
    protocol.connection_made(transport)
    writer = roundel.StreamWriter(transport, protocol, reader, loop)
    transport.cycle = (reader, protocol, writer, canary)
    return reader, protocol, writer


def in_reader(loop, canary):
    reader, error = roundel.StreamReader(loop=loop), ValueError()
    error.cycle = (reader, canary)
    reader.set_exception(error)


def in_protocol(loop, canary):
    cycle = [canary]
    protocol = roundel.StreamReaderProtocol(roundel.StreamReader(loop=loop), cycle.append, loop)
    cycle += [protocol, protocol._closed]


def stream_that_waits(wait):
    """Builds a stream, and a task that waits for something of it."""

    def build(loop, canary):
        reader, protocol, writer = stream(loop, canary)
        protocol.pause_writing()
        awaiting(lambda loop, it: wait(reader, writer))(loop, canary)

    return build


class Buffer(bytearray):
    """A buffer that takes attributes."""


def in_socket_call(loop, canary):
    left, right = socket.socketpair()
    left.setblocking(False)
    buffer = Buffer(10)
    task = loop.create_task(loop.sock_recv_into(left, buffer))
    task._log_destroy_pending = False
    buffer.cycle = (task, right, canary)
    loop.run_until_complete(roundel.sleep(0))


def in_factory(loop, canary):
    loop.cycle = canary
    loop.set_task_factory(calling(loop))


def in_items(kind):
    """Builds a queue that holds itself."""

    def build(loop, canary):
        queue = kind()
        queue.put_nowait((queue, canary))

    return build


def unawaited(make):
    """Builds an awaitable that nobody awaits, and after it another one."""

    def build(loop, canary):
        argument = [canary]
        argument.append(make(argument))
        roundel.sleep(0).close()

    return build


def getter_of_its_queue(argument):
    """Returns what waits on a queue that refers to it."""
    queue = roundel.Queue()
    queue.cycle = (queue.get(), argument)
    return queue


def after_call(end):
    """Builds a handle, made while the loop ran, whose argument refers to it."""

    def build(loop, canary):
        async def running():
            argument = [canary]
            argument.append(loop.call_soon(bool, argument))
            end(argument[1])
            await roundel.sleep(0)

        loop.run_until_complete(running())

    return build


CYCLES = {
    "Handle": in_argument(lambda loop, it: roundel.Handle(int, (it,), loop)),
    "TimerHandle": in_argument(lambda loop, it: roundel.TimerHandle(1.0, int, (it,), loop)),
    "Handle that was run": after_call(lambda handle: None),
    "Handle that was cancelled": after_call(lambda handle: handle.cancel()),
    "getter that nobody awaits": unawaited(getter_of_its_queue),
    "putter that nobody awaits": unawaited(lambda it: roundel.Queue().put(it)),
    "sleep that nobody awaits": unawaited(lambda it: roundel.sleep(1, it)),
    "Future's attribute": in_attribute(lambda loop: loop.create_future()),
    "Future's callback": in_callback_of_future,
    "Future's context": in_context_of_future,
    "Future's result": in_result,
    "Future's exception": in_exception,
    "Future's cancel message": in_cancel_message,
    "FutureIter": by_future(iter),
    "Task that waits": in_waiting_task,
    "Task that never began": in_task_that_never_began,
    "Task's context": in_context_of_task,
    "sleep": awaiting(lambda loop, it: roundel.sleep(1, it)),
    "gather": by_future(roundel.gather),
    "shield": by_future(roundel.shield),
    "wait": awaiting(lambda loop, it: roundel.wait([loop.create_future()])),
    "wait_for": awaiting(lambda loop, it: roundel.wait_for(loop.create_future(), 1)),
    "as_completed": by_future(lambda future: roundel.as_completed([future])),
    "Timeout": in_attribute(lambda loop: roundel.Timeout(None)),
    "Timeout that is entered": awaiting(
        lambda loop, it: inside(roundel.timeout(1), loop.create_future())
    ),
    "TaskGroup": in_attribute(lambda loop: roundel.TaskGroup()),
    "TaskGroup that is entered": awaiting(
        lambda loop, it: inside(roundel.TaskGroup(), loop.create_future())
    ),
    "eager task factory": in_argument(
        lambda loop, it: roundel.create_eager_task_factory(calling(it))
    ),
    "Lock": in_attribute(lambda loop: roundel.Lock()),
    "Lock's waiter": parked(roundel.Lock, acquire_twice),
    "Event": in_attribute(lambda loop: roundel.Event()),
    "Event's waiter": parked(roundel.Event, lambda event: event.wait()),
    "Semaphore": in_attribute(lambda loop: roundel.Semaphore()),
    "Semaphore's waiter": parked(lambda: roundel.Semaphore(0), lambda it: it.acquire()),
    "BoundedSemaphore": in_attribute(lambda loop: roundel.BoundedSemaphore()),
    "Condition": in_attribute(lambda loop: roundel.Condition()),
    "Condition's waiter": parked(roundel.Condition, wait_inside),
    "Condition's predicate": awaiting(
        lambda loop, it: wait_inside(roundel.Condition(), lambda: not it)
    ),
    "Barrier": in_attribute(lambda loop: roundel.Barrier(2)),
    "Barrier's waiter": parked(lambda: roundel.Barrier(2), lambda barrier: barrier.wait()),
    "Queue": in_attribute(lambda loop: roundel.Queue()),
    "Queue's items": in_items(roundel.Queue),
    "LifoQueue's items": in_items(roundel.LifoQueue),
    "PriorityQueue's items": in_items(roundel.PriorityQueue),
    "Queue's getter": parked(roundel.Queue, lambda queue: queue.get()),
    "Queue's putter": awaiting(lambda loop, it: put_often(roundel.Queue(1), it)),
    "Queue's joiner": parked(unfinished, lambda queue: queue.join()),
    "StreamReader": in_attribute(lambda loop: roundel.StreamReader(loop=loop)),
    "StreamReader's waiter": stream_that_waits(lambda reader, writer: reader.readline()),
    "StreamReader's exception": in_reader,
    "StreamReaderProtocol": in_protocol,
    "StreamWriter": stream,
    "StreamWriter's drain": stream_that_waits(lambda reader, writer: writer.drain()),
    "StreamWriter's end": stream_that_waits(lambda reader, writer: writer.wait_closed()),
    "EventLoop": in_attribute(lambda loop: loop),
    "EventLoop's jobs": in_ready_queue,
    "EventLoop's socket calls": in_socket_call,
    "EventLoop's task factory": in_factory,
}


@pytest.mark.parametrize("name", CYCLES)
def test_a_cycle_is_collected(name):
    loop = roundel.new_event_loop()
    canary = Canary()
    alive = weakref.ref(canary)
    CYCLES[name](loop, canary)
    del canary
    gc.collect()
    if name.startswith("EventLoop"):
        assert alive() is not None
    loop.close()
    del loop
    gc.collect()
    assert alive() is None


def test_a_loop_with_pending_tasks_is_collected_once_nobody_has_it():
    async def wait():
        await asyncio.get_running_loop().create_future()

    loop = roundel.new_event_loop()
    tasks = [loop.create_task(wait()) for _ in range(10)]
    loop.run_until_complete(roundel.sleep(0))
    for task in tasks:
        task._log_destroy_pending = False
    alive = [weakref.ref(each) for each in (loop, *tasks)]
    loop.close()
    del loop, task, tasks
    gc.collect()
    assert [each() for each in alive] == [None] * len(alive)


def test_a_pending_task_is_held_by_its_loop_while_that_runs_and_no_longer(loop):
    async def wait():
        await loop.create_future()

    def lose_task():
        task = loop.create_task(wait())
        task._log_destroy_pending = False
        return weakref.ref(task)

    async def main():
        alive = lose_task()
        await roundel.sleep(0)
        gc.collect()
        assert asyncio.all_tasks() == {asyncio.current_task(), alive()}
        return alive

    alive = loop.run_until_complete(main())
    gc.collect()
    assert alive() is None
    early = lose_task()  # it is scheduled, and so the loop keeps it
    gc.collect()
    assert asyncio.all_tasks(loop) == {early()}
    loop.run_until_complete(roundel.sleep(0))
    gc.collect()
    assert early() is None


def test_what_is_in_use_is_not_collected(run):
    async def main():
        queue = roundel.Queue()
        got = []

        async def take():
            got.append(await queue.get())

        taker = weakref.ref(roundel.create_task(take()))
        await roundel.sleep(0)
        for _ in range(3):
            gc.collect()
        queue.put_nowait("item")
        await taker()
        assert got == ["item"]

    run(main())


def test_programs_run_the_same_while_the_collector_is_always_at_work(run):
    async def main():
        draw = random.Random(1)
        queue, lock, event = roundel.Queue(2), roundel.Lock(), roundel.Event()
        semaphore, condition = roundel.Semaphore(2), roundel.Condition()
        log = []

        async def work(name):
            for turn in range(5):
                async with lock, semaphore:
                    await queue.put((name, turn))
                async with condition:
                    condition.notify_all()
                if draw.random() < 0.3:
                    event.set()
                await roundel.gather(roundel.sleep(0), roundel.wait_for(event.wait(), 5))

        async def consume():
            while True:
                log.append(await queue.get())
                queue.task_done()

        consumer = roundel.create_task(consume())
        async with roundel.TaskGroup() as group:
            for name in range(5):
                group.create_task(work(name))
        await queue.join()
        consumer.cancel()
        return log

    expected = run(main())
    threshold = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        assert run(main()) == expected
    finally:
        gc.set_threshold(*threshold)


def test_what_the_loop_has_done_with_is_collected_while_it_runs(run):
    async def refer(canary):
        asyncio.current_task().cycle = (asyncio.current_task(), canary)

    async def make_garbage(loop, canary):
        for cancelled in (False, True):
            argument = [canary]
            argument.append(loop.call_soon(bool, argument))
            argument.append(loop.call_later(60 if cancelled else 0, bool, argument))
            for handle in argument[1:]:
                if cancelled:
                    handle.cancel()
        await loop.create_task(refer(canary))
        await roundel.sleep(0)
        return weakref.ref(canary)

    async def main():
        alive = await make_garbage(asyncio.get_running_loop(), Canary())
        await roundel.sleep(0)
        gc.collect()
        assert alive() is None

    run(main())


def test_what_is_scheduled_is_not_collected_while_the_loop_runs(run):
    async def main():
        loop, called = asyncio.get_running_loop(), []

        def schedule():
            argument = [loop.create_future()]
            argument.append(loop.call_soon(called.append, argument))
            argument.append(loop.call_later(0, called.append, argument))
            argument.append(loop.create_task(wait(argument)))

        async def wait(argument):
            await argument[0]
            called.append(argument)

        schedule()
        gc.collect()
        await roundel.sleep(0.01)
        gc.collect()
        called[0][0].set_result(None)
        await roundel.sleep(0)
        gc.collect()
        await roundel.sleep(0)
        assert len(called) == 3

    run(main())
