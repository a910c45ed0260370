"""asyncio's objects and ours together: each awaits the other's, and is taken for one of its own."""

import asyncio
import contextlib
import inspect
import types

import pytest

import roundel

TASKS = {"ours": roundel.Task, "C": asyncio.Task, "Python": asyncio.tasks._PyTask}
FUTURES = {"ours": roundel.Future, "C": asyncio.Future, "Python": asyncio.futures._PyFuture}


LOOPS = {"ours": roundel.new_event_loop, "asyncio's": asyncio.SelectorEventLoop}


@pytest.fixture(params=LOOPS.values(), ids=LOOPS)
def any_loop(request, debug):
    """A loop of ours or of asyncio's."""
    loop = request.param()
    loop.set_debug(debug)
    yield loop
    loop.close()


every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
every_future = pytest.mark.parametrize("future", FUTURES.values(), ids=FUTURES)


@every_task
@every_future
def test_every_task_awaits_every_future(any_loop, task, future):
    async def main():
        awaited = future(loop=any_loop)
        any_loop.call_soon(awaited.set_result, "result")
        assert await awaited == "result"
        failing = future(loop=any_loop)
        any_loop.call_soon(failing.set_exception, LookupError("failed"))
        with pytest.raises(LookupError, match="failed"):
            await failing
        cancelled = future(loop=any_loop)
        any_loop.call_soon(cancelled.cancel, "message")
        with pytest.raises(asyncio.CancelledError, match="message"):
            await cancelled
        return "done"

    assert any_loop.run_until_complete(task(main(), loop=any_loop)) == "done"


@every_task
@every_future
def test_cancelling_every_task_cancels_every_future(any_loop, task, future):
    awaited = future(loop=any_loop)

    async def wait():
        await awaited

    waiting = task(wait(), loop=any_loop)
    any_loop.call_later(0.001, waiting.cancel, "enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        any_loop.run_until_complete(waiting)
    assert awaited.cancelled()
    assert waiting.cancelled()


@pytest.mark.parametrize("outer", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("inner", TASKS.values(), ids=TASKS)
def test_every_task_awaits_every_task(any_loop, outer, inner):
    async def add(first, second):
        await asyncio.sleep(0)
        return first + second

    async def main():
        return await inner(add(1, 2), loop=any_loop)

    assert any_loop.run_until_complete(outer(main(), loop=any_loop)) == 3


async def use_every_primitive():
    """Waits for each of our primitives, and is woken by another task."""
    loop = asyncio.get_running_loop()
    queue, lock, event = roundel.Queue(1), roundel.Lock(), roundel.Event()
    semaphore, condition, barrier = roundel.Semaphore(0), roundel.Condition(), roundel.Barrier(2)
    got = []

    async def other():
        await queue.put(1)
        await queue.put(2)
        await queue.join()
        async with lock:
            event.set()
        semaphore.release()
        while not got:
            async with condition:
                condition.notify()
            await roundel.sleep(0)
        return await barrier.wait()

    helper = loop.create_task(other())
    async with lock:
        assert [await queue.get(), await queue.get()] == [1, 2]
        queue.task_done()
        queue.task_done()
        await roundel.sleep(0.001)
    await event.wait()
    await semaphore.acquire()
    async with condition:
        await condition.wait()
        got.append(True)
    index = await barrier.wait()
    assert {index, await helper} == {0, 1}
    async with roundel.timeout(5):
        results = await roundel.gather(
            roundel.sleep(0, 1), roundel.wait_for(roundel.sleep(0, 2), 1)
        )
    assert results == [1, 2]
    async with roundel.TaskGroup() as group:
        task = group.create_task(roundel.sleep(0, 3))
    assert task.result() == 3
    done, pending = await roundel.wait([loop.create_task(asyncio.sleep(0, 4))])
    assert [each.result() for each in done] == [4]
    assert not pending
    assert await roundel.shield(asyncio.sleep(0, 5)) == 5
    with pytest.raises(TimeoutError):
        await roundel.wait_for(roundel.Event().wait(), 0.001)
    return "done"


@every_task
def test_every_task_waits_for_our_primitives(any_loop, task):
    if task is not roundel.Task:
        any_loop.set_task_factory(lambda loop, coro, **options: task(coro, loop=loop, **options))
    main = task(use_every_primitive(), loop=any_loop)
    assert any_loop.run_until_complete(main) == "done"


@every_task
def test_every_task_is_cancelled_in_our_primitives(any_loop, task):
    async def main():
        waits = [
            roundel.Queue().get(),
            roundel.Event().wait(),
            roundel.Semaphore(0).acquire(),
            roundel.Barrier(2).wait(),
            roundel.sleep(60),
        ]
        tasks = [task(hold(wait), loop=any_loop) for wait in waits]
        await asyncio.sleep(0.001)
        for each in tasks:
            each.cancel("enough")
        for each in tasks:
            with pytest.raises(asyncio.CancelledError, match="enough"):
                await each

    async def hold(wait):
        await wait

    any_loop.run_until_complete(main())


class Yielding:
    """Somebody's awaitable, which yields a future as asyncio's protocol has it."""

    def __init__(self, future):
        self.future = future

    def __await__(self):
        result = yield from self.future
        return f"awaited {result}"


class FutureLike:
    """As much of a future as a task needs to wait for it."""

    def __init__(self, loop):
        self._loop = loop
        self._asyncio_future_blocking = None
        self.callbacks = []
        self.value = None

    def get_loop(self):
        return self._loop

    def add_done_callback(self, callback, *, context=None):
        self.callbacks.append((callback, context))

    def result(self):
        return self.value

    def done(self):
        return self.value is not None

    def cancel(self, msg=None):
        return False

    def finish(self, value):
        self.value = value
        for callback, context in self.callbacks:
            self._loop.call_soon(callback, self, context=context)

    def __await__(self):
        self._asyncio_future_blocking = True
        yield self
        return self.value


@every_future
def test_somebody_elses_awaitable_may_yield_any_future(run, future):
    async def main():
        loop = asyncio.get_running_loop()
        awaited = future(loop=loop)
        loop.call_soon(awaited.set_result, 1)
        return await Yielding(awaited)

    assert run(main()) == "awaited 1"


def test_something_that_behaves_like_a_future_is_awaited(run):
    async def main():
        loop = asyncio.get_running_loop()
        awaited = FutureLike(loop)
        loop.call_soon(awaited.finish, "finished")
        return await awaited

    assert run(main()) == "finished"


def test_generators_marked_as_coroutines_are_awaited(run):
    @types.coroutine
    def pause():
        yield
        return "paused"

    async def main():
        return await pause(), await roundel.create_task(hold())

    async def hold():
        return await pause()

    assert run(main()) == ("paused", "paused")


def test_our_awaitables_are_awaitable_for_those_who_ask(loop):
    made = [
        loop.create_future(),
        roundel.sleep(0),
        roundel.Lock().acquire(),
        roundel.Queue().get(),
        roundel.Event().wait(),
    ]
    for each in made:
        assert inspect.isawaitable(each)
        close = getattr(each, "close", None)
        if close:
            close()


def test_our_objects_pass_for_asyncios(loop):
    future = loop.create_future()
    task = loop.create_task(asyncio.sleep(0))
    assert isinstance(future, asyncio.Future)
    assert isinstance(task, asyncio.Task)
    assert isinstance(task, asyncio.Future)
    assert not isinstance(future, asyncio.Task)
    assert isinstance(loop, asyncio.AbstractEventLoop)
    assert isinstance(loop.call_soon(int), asyncio.Handle)
    timer = loop.call_later(0, int)
    assert isinstance(timer, asyncio.TimerHandle)
    assert isinstance(timer, asyncio.Handle)
    assert asyncio.isfuture(future)
    assert asyncio.isfuture(task)
    loop.run_until_complete(task)


def test_private_names_that_libraries_read(loop):
    future = loop.create_future()

    async def wait():
        await future

    task = loop.create_task(wait())
    assert task._fut_waiter is None
    loop.run_until_complete(asyncio.sleep(0))
    assert task._fut_waiter is future
    assert task._must_cancel is False
    assert task._coro is task.get_coro()
    assert task._loop is loop
    assert task._state == "PENDING"
    assert future._callbacks
    task.cancel("message")
    assert task._fut_waiter is None or task._fut_waiter.cancelled()
    assert task.cancelling() == 1
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    assert future._cancel_message == "message"
    assert future._exception is None
    assert future._asyncio_future_blocking is False


def test_a_task_cancelled_before_its_first_step_must_be_cancelled(loop):
    task = loop.create_task(asyncio.sleep(0))
    task.cancel()
    assert task._must_cancel is True
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


def test_what_a_task_waits_for_can_be_asked_as_a_future(run):
    async def main():
        queue = roundel.Queue()
        task = roundel.create_task(hold(queue.get()))
        await roundel.sleep(0)
        waiter = task._fut_waiter
        assert waiter is not None
        assert not waiter.done()
        assert not waiter.cancelled()
        task.cancel()
        await roundel.gather(task, return_exceptions=True)
        assert task._fut_waiter is None

    async def hold(awaitable):
        return await awaitable

    run(main())


def test_current_task_and_all_tasks_know_ours_and_others(loop):
    async def wait():
        await asyncio.sleep(60)

    async def main():
        ours = loop.create_task(wait())
        others = [asyncio.Task(wait(), loop=loop), asyncio.tasks._PyTask(wait(), loop=loop)]
        current = asyncio.current_task()
        assert current is roundel.current_task()
        assert isinstance(current, roundel.Task)
        assert asyncio.all_tasks() == roundel.all_tasks() == {current, ours, *others}
        await asyncio.sleep(0)
        for task in (ours, *others):
            task.cancel()
        await asyncio.gather(ours, *others, return_exceptions=True)
        assert asyncio.all_tasks() == {current}

    loop.run_until_complete(main())
    assert asyncio.all_tasks(loop) == set()


def test_each_task_is_current_in_its_own_steps_only(loop):
    async def check(mine):
        for _ in range(3):
            assert asyncio.current_task() is mine[0]
            await asyncio.sleep(0)

    async def main():
        tasks = []
        for kind in (roundel.Task, asyncio.Task, asyncio.tasks._PyTask):
            mine = []
            mine.append(kind(check(mine), loop=loop))
            tasks += mine
        loop.call_soon(lambda: seen.append(asyncio.current_task()))
        await asyncio.gather(*tasks)

    seen = []
    loop.run_until_complete(main())
    assert seen == [None]


@every_task
def test_a_task_factory_gets_what_asyncio_gives_and_makes_any_task(loop, task):
    made = []

    def factory(loop, coro, **options):
        made.append(sorted(options))
        return task(coro, loop=loop, **options)

    async def main():
        created = loop.create_task(asyncio.sleep(0, 1), name="named")
        assert type(created) is task or isinstance(created, task)
        assert created.get_name() == "named"
        async with roundel.TaskGroup() as group:
            grouped = group.create_task(roundel.sleep(0, 2))
        return await created, grouped.result(), *await roundel.gather(roundel.sleep(0, 3))

    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    assert loop.run_until_complete(main()) == (1, 2, 3)
    assert len(made) == 4


def test_asyncio_runs_on_our_loop():
    async def main():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, roundel.EventLoop)
        return await use_every_primitive()

    with asyncio.Runner(loop_factory=roundel.new_event_loop) as runner:
        assert runner.run(main()) == "done"


def test_asyncios_primitives_wait_on_our_loop(run):
    async def main():
        queue, event = asyncio.Queue(1), asyncio.Event()
        order = []

        async def produce():
            for number in range(3):
                await queue.put(number)
            event.set()

        async with asyncio.TaskGroup() as group, asyncio.timeout(5):
            group.create_task(produce())
            order.extend([await queue.get() for _ in range(3)])
            await asyncio.wait_for(event.wait(), 1)
        return order

    assert run(main()) == [0, 1, 2]


def test_classes_may_be_derived_from_ours(run):
    class Task(roundel.Task):
        def note(self):
            return f"noted {self.get_name()}"

    class Future(roundel.Future):
        def set_result(self, result):
            super().set_result(2 * result)

    class Queue(roundel.Queue):
        def _put(self, item):
            super()._put(("wrapped", item))

    async def main():
        loop = asyncio.get_running_loop()
        task = Task(roundel.sleep(0, 1), loop=loop, name="derived")
        future, queue = Future(loop=loop), Queue()
        loop.call_soon(future.set_result, 21)
        await queue.put("item")
        return task.note(), await task, await future, await queue.get()

    assert run(main()) == ("noted derived", 1, 42, ("wrapped", "item"))
