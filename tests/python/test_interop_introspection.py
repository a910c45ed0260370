"""What tasks and loops of both worlds know of each other: current tasks, factories, types."""

import asyncio
import contextlib
import inspect
import sys

import pytest

import roundel
from roundel._names import NATIVE

KINDS = {"native": roundel.Task, "C": asyncio.tasks._CTask, "Python": asyncio.tasks._PyTask}
# Tasks in pure Python are known to functions in pure Python only, on asyncio's loop, too.
APART = sys.version_info >= (3, 14)


@pytest.fixture(params=KINDS)
def kind(request):
    """A kind of task."""
    return request.param


def current_task(kind):
    if kind == "Python" and APART:
        return asyncio.tasks._py_current_task()
    return asyncio.current_task()


def all_tasks(kind):
    if kind == "Python" and APART:
        return asyncio.tasks._py_all_tasks()
    return asyncio.all_tasks()


def test_a_task_is_the_current_one_while_it_runs_and_only_then(run, kind):
    async def look(task):
        for _ in range(3):
            assert current_task(kind) is task()
            assert asyncio.get_running_loop() is roundel.get_running_loop()
            await roundel.sleep(0)

    async def main():
        loop = asyncio.get_running_loop()
        me = asyncio.current_task()
        seen = []
        tasks = [KINDS[kind](look(lambda n=n: tasks[n]), loop=loop) for n in range(3)]
        for _ in range(5):
            loop.call_soon(lambda: seen.append((asyncio.current_task(), current_task(kind))))
            await roundel.sleep(0)
            assert asyncio.current_task() is me
            if kind == "Python" and APART:
                assert current_task(kind) is None
        await roundel.gather(*tasks)
        assert seen == [(None, None)] * 5

    run(main())


class Odd:
    """A context of somebody's own."""

    def __init__(self, seen):
        self._seen = seen

    def run(self, callback, *args):
        self._seen.append(asyncio.current_task())
        callback(*args)


class OddLoop(roundel.EventLoop):
    """A loop with a `call_soon` of its own."""

    def __init__(self, seen):
        super().__init__()
        self._seen = seen

    def call_soon(self, *args, **options):
        self._seen.append(asyncio.current_task())
        return super().call_soon(*args, **options)


def test_no_task_is_the_current_one_for_whoever_hears_of_a_result(debug):
    async def main():
        loop, seen = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda *_: seen.append(asyncio.current_task()))
        first, second = loop.create_future(), loop.create_future()
        first.add_done_callback(lambda _: seen.append(asyncio.current_task()))
        loop.call_soon(first.set_result, "result")
        loop.call_soon(first.set_result, "one too many")
        loop.call_soon(second.set_result, "in a context of its own", context=Odd(seen))
        with contextlib.closing(OddLoop(seen)) as other:
            of_another_loop = other.create_future()
            of_another_loop.add_done_callback(print)
            loop.call_soon(of_another_loop.set_result, None)
            await second
        await first
        assert seen == [None] * 4

    roundel.run(main(), debug=debug)


def test_the_kinds_take_turns_as_current_task(run):
    log = []

    async def look(kind):
        for _ in range(2):
            log.append(current_task(kind).get_name())
            await roundel.sleep(0)
            if kind != "Python" and APART:
                assert asyncio.tasks._py_current_task() is None

    async def main():
        loop = asyncio.get_running_loop()
        await roundel.gather(*(KINDS[kind](look(kind), loop=loop, name=kind) for kind in KINDS))

    run(main())
    assert log == [*KINDS, *KINDS]


def test_pending_tasks_of_every_kind_are_among_all(run, kind):
    async def main():
        loop = asyncio.get_running_loop()
        event = roundel.Event()
        task = KINDS[kind](event.wait(), loop=loop)
        assert task in all_tasks(kind)
        await roundel.sleep(0)
        assert task in all_tasks(kind)
        event.set()
        await task
        assert task not in all_tasks(kind)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_a_factory_may_make_asyncios_tasks(run, kind):
    async def child():
        assert current_task(kind).get_name() == "child"
        return await roundel.sleep(0, "result")

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **options: KINDS[kind](coro, loop=loop, **options))
        for create in (roundel.create_task, asyncio.create_task, loop.create_task):
            task = create(child(), name="child")
            assert type(task) is KINDS[kind]
            assert await task == "result"
        gathered = roundel.gather(roundel.ensure_future(roundel.sleep(0, 1)), roundel.sleep(0, 2))
        assert await gathered == [1, 2]
        async with roundel.TaskGroup() as group:
            task = group.create_task(child(), name="child")
        assert type(task) is KINDS[kind]

    run(main())


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="CPython 3.12 brings it")
def test_asyncios_eager_factory_makes_its_tasks_on_our_loop(run):
    log = []

    async def child():
        log.append(asyncio.current_task())
        await roundel.sleep(0)
        log.append(asyncio.current_task())

    async def main():
        me = asyncio.current_task()
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        task = roundel.create_task(child())
        assert type(task) is asyncio.tasks._CTask
        assert asyncio.current_task() is me
        assert log == [task]
        await task
        assert log == [task, task]

    run(main())


def test_what_a_factory_makes_is_handed_on_whatever_it_is(run):
    class Other:
        def set_name(self, name):
            self.name = name

    other = Other()

    def factory(loop, coro, **options):
        coro.close()
        return other

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        assert roundel.create_task(roundel.sleep(0)) is other
        assert loop.create_task(roundel.sleep(0), name="named") is other
        loop.set_task_factory(None)

    run(main())


def test_a_factory_that_raises_is_heard(run):
    def factory(loop, coro, **options):
        coro.close()
        raise LookupError("no task today")

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        with pytest.raises(LookupError, match="no task today"):
            roundel.create_task(roundel.sleep(0))
        loop.set_task_factory(None)

    run(main())


class ClosedTransport(asyncio.Transport):
    """What a writer needs to be made."""

    def is_closing(self):
        return True


def writer():
    """Makes a stream's writer."""
    reader = roundel.StreamReader()
    protocol = roundel.StreamReaderProtocol(reader)
    return roundel.StreamWriter(ClosedTransport(), protocol, reader, roundel.get_running_loop())


MAKE = {
    "Barrier": lambda: roundel.Barrier(1),
    "BoundedSemaphore": roundel.BoundedSemaphore,
    "Condition": roundel.Condition,
    "Event": roundel.Event,
    "Future": lambda: roundel.get_running_loop().create_future(),
    "Handle": lambda: roundel.get_running_loop().call_soon(int),
    "LifoQueue": roundel.LifoQueue,
    "Lock": roundel.Lock,
    "PriorityQueue": roundel.PriorityQueue,
    "Queue": roundel.Queue,
    "Semaphore": roundel.Semaphore,
    "StreamReader": roundel.StreamReader,
    "StreamReaderProtocol": lambda: roundel.StreamReaderProtocol(roundel.StreamReader()),
    "StreamWriter": writer,
    "Task": roundel.current_task,
    "TaskGroup": roundel.TaskGroup,
    "Timeout": lambda: roundel.timeout(None),
    "TimerHandle": lambda: roundel.get_running_loop().call_later(0, int),
}
ASYNCIOS = {name: getattr(asyncio, name) for name in MAKE}


def test_every_native_class_is_among_those_that_are_looked_at():
    assert {name for name, value in NATIVE.items() if isinstance(value, type)} == (
        MAKE.keys() | {"QueueShutDown"}
    )


@pytest.mark.parametrize("name", MAKE)
def test_what_is_native_is_an_instance_of_asyncios_class_too(run, name):
    async def main():
        made = MAKE[name]()
        native, asyncios = getattr(roundel, name), getattr(asyncio, name)
        assert native is not asyncios
        assert isinstance(made, native)
        assert isinstance(made, asyncios)
        assert type(made) is native

    run(main())


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.usefixtures("installed")
def test_installed_or_not_it_is_an_instance_of_both(run, name):
    async def main():
        made = MAKE[name]()
        assert isinstance(made, getattr(asyncio, name))
        assert isinstance(made, ASYNCIOS[name])

    run(main())


@pytest.fixture(params=["imported", "in asyncio"])
def as_it_may_be_used(request):
    """Without `install()`, and after it."""
    if request.param == "in asyncio":
        request.getfixturevalue("installed")


@pytest.mark.usefixtures("as_it_may_be_used")
def test_what_a_task_waits_for_is_a_future_that_is_done_when_it_may_go_on(run, kind):
    """Libraries look there before they cancel: who was woken is to have what it was woken for."""

    async def main():
        loop = asyncio.get_running_loop()
        event = roundel.Event()
        task = KINDS[kind](event.wait(), loop=loop)
        await roundel.sleep(0)
        waited_for = task._fut_waiter
        assert isinstance(waited_for, asyncio.Future)
        assert not waited_for.done()
        event.set()
        assert task._fut_waiter is waited_for
        assert waited_for.done()
        assert not waited_for.cancelled()
        assert await task

    run(main())


@pytest.mark.usefixtures("as_it_may_be_used")
def test_what_is_to_be_awaited_is_a_coroutine(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result(None)
        for coroutine in (
            roundel.sleep(0),
            roundel.Queue().join(),
            roundel.wait_for(future, 1),
            roundel.wait([future]),
        ):
            assert inspect.iscoroutine(coroutine)
            assert asyncio.iscoroutine(coroutine)
            assert not asyncio.isfuture(coroutine)
            await coroutine

    run(main())


def test_a_queue_that_is_sorted_is_an_instance_of_asyncios_plain_one():
    assert isinstance(roundel.PriorityQueue(), asyncio.Queue)
    assert isinstance(roundel.LifoQueue(), asyncio.Queue)
    assert isinstance(roundel.BoundedSemaphore(), asyncio.Semaphore)
    assert not isinstance(roundel.Queue(), asyncio.LifoQueue)


def test_a_derived_class_is_its_own():
    class Derived(roundel.Queue):
        def put(self, item):
            return super().put(item)

    assert Derived().__class__ is Derived
    assert isinstance(Derived(), roundel.Queue)


@pytest.mark.usefixtures("installed")
def test_futures_made_before_an_install_are_known_by_asyncios_function(run):
    async def main():
        made = ASYNCIOS["Future"]()
        assert asyncio.isfuture(made)
        assert roundel.ensure_future(made) is made
        made.set_result(1)
        assert await made == 1

    run(main())
