"""asyncio's own tasks on our loop, and our tasks with what is asyncio's: who awaits whom."""

import asyncio
import concurrent.futures
import sys
import types

import pytest

import roundel

KINDS = {"native": roundel.Task, "C": asyncio.tasks._CTask, "Python": asyncio.tasks._PyTask}
# Tasks in pure Python tell asyncio.current_task() nothing any more, on asyncio's loop neither.
KNOWN = {kind: kind != "Python" or sys.version_info < (3, 14) for kind in KINDS}
PAIRS = [(one, other) for one in KINDS for other in KINDS]


@pytest.fixture(params=KINDS)
def kind(request):
    """A kind of task."""
    return request.param


def start(kind, coroutine, **options):
    """Starts a task of a kind on the running loop."""
    return KINDS[kind](coroutine, loop=asyncio.get_running_loop(), **options)


async def turns(count=3):
    for _ in range(count):
        await roundel.sleep(0)


async def sleeping():
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert await roundel.sleep(2, "slept") == "slept"
    assert loop.time() == start + 2


async def getting_from_a_queue():
    queue = roundel.Queue(1)
    asyncio.get_running_loop().call_later(1, queue.put_nowait, "item")
    assert await queue.get() == "item"
    queue.task_done()
    await queue.join()


async def putting_into_a_full_queue():
    queue = roundel.Queue(1)
    await queue.put(1)
    asyncio.get_running_loop().call_later(1, queue.get_nowait)
    await queue.put(2)
    assert queue.get_nowait() == 2


async def acquiring_a_lock():
    lock = roundel.Lock()
    await lock.acquire()
    asyncio.get_running_loop().call_later(1, lock.release)
    async with lock:
        assert lock.locked()
    assert not lock.locked()


async def acquiring_a_semaphore():
    semaphore = roundel.Semaphore(0)
    asyncio.get_running_loop().call_later(1, semaphore.release)
    async with semaphore:
        assert semaphore.locked()


async def waiting_for_an_event():
    event = roundel.Event()
    asyncio.get_running_loop().call_later(1, event.set)
    assert await event.wait() is True


async def waiting_for_a_condition():
    condition = roundel.Condition()

    async def notify():
        async with condition:
            condition.notify()

    async with condition:
        task = roundel.create_task(notify())
        assert await condition.wait() is True
    await task


async def waiting_at_a_barrier():
    barrier = roundel.Barrier(2)
    task = roundel.create_task(barrier.wait())
    assert {await barrier.wait(), await task} == {0, 1}


async def awaiting_a_native_future():
    future = roundel.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(1, future.set_result, "result")
    assert await future == "result"


async def awaiting_a_c_future():
    future = asyncio.futures._CFuture()
    asyncio.get_running_loop().call_later(1, future.set_exception, KeyError("lost"))
    with pytest.raises(KeyError, match="lost"):
        await future


async def awaiting_a_python_future():
    future = asyncio.futures._PyFuture()
    asyncio.get_running_loop().call_later(1, future.set_result, "result")
    assert await future == "result"


async def gathering():
    loop = asyncio.get_running_loop()
    futures = [asyncio.futures._CFuture(), asyncio.futures._PyFuture(), loop.create_future()]
    for number, future in enumerate(futures):
        loop.call_later(3 - number, future.set_result, number)
    assert await roundel.gather(*futures, roundel.sleep(1, "slept")) == [0, 1, 2, "slept"]
    assert await asyncio.gather(*futures, roundel.sleep(1, "slept")) == [0, 1, 2, "slept"]


async def waiting():
    loop = asyncio.get_running_loop()
    c, native = asyncio.futures._CFuture(), loop.create_future()
    loop.call_later(1, c.set_result, None)
    done, pending = await roundel.wait([c, native], return_when="FIRST_COMPLETED")
    assert (done, pending) == ({c}, {native})
    native.set_result(None)
    assert await asyncio.wait([c, native]) == ({c, native}, set())


async def waiting_for_each_as_it_comes():
    tasks = [start(kind, roundel.sleep(2 - n, kind)) for n, kind in enumerate(["C", "native"])]
    assert [await each for each in roundel.as_completed(tasks)] == ["native", "C"]


async def shielding():
    future = asyncio.futures._CFuture()
    asyncio.get_running_loop().call_later(1, future.set_result, "result")
    assert await roundel.shield(future) == "result"
    assert await asyncio.shield(roundel.sleep(1, "slept")) == "slept"


async def driving_a_generator():
    @types.coroutine
    def generator():
        yield
        return (yield from roundel.sleep(1, "slept").__await__())

    assert await generator() == "slept"


class Awaitable:
    """What a library may have written: yields to the loop, then awaits something."""

    def __init__(self, awaited):
        self.awaited = awaited

    def __await__(self):
        yield
        result = yield from self.awaited.__await__()
        yield
        return result


async def awaiting_a_librarys_awaitable():
    future = asyncio.futures._CFuture()
    asyncio.get_running_loop().call_later(1, future.set_result, "result")
    assert await Awaitable(future) == "result"
    assert await Awaitable(Awaitable(roundel.sleep(1, "slept"))) == "slept"


async def awaiting_a_thread():
    future = concurrent.futures.Future()
    asyncio.get_running_loop().call_later(1, future.set_result, "result")
    assert await roundel.wrap_future(future) == "result"


WAITS = [
    sleeping,
    getting_from_a_queue,
    putting_into_a_full_queue,
    acquiring_a_lock,
    acquiring_a_semaphore,
    waiting_for_an_event,
    waiting_for_a_condition,
    waiting_at_a_barrier,
    awaiting_a_native_future,
    awaiting_a_c_future,
    awaiting_a_python_future,
    gathering,
    waiting,
    waiting_for_each_as_it_comes,
    shielding,
    driving_a_generator,
    awaiting_a_librarys_awaitable,
    awaiting_a_thread,
]
NEED_THE_CURRENT_TASK = ["timing_out", "grouping", "waiting_with_a_limit"]


async def timing_out():
    with pytest.raises(TimeoutError):
        async with roundel.timeout(1):
            await roundel.Event().wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await roundel.Event().wait()


async def waiting_with_a_limit():
    with pytest.raises(TimeoutError):
        await roundel.wait_for(asyncio.futures._CFuture(), 1)
    assert await roundel.wait_for(asyncio.sleep(1, "slept"), 2) == "slept"
    assert await asyncio.wait_for(roundel.sleep(1, "slept"), 2) == "slept"


async def grouping():
    async with roundel.TaskGroup() as group:
        first = group.create_task(roundel.sleep(1, "first"))
    async with asyncio.TaskGroup() as group:
        second = group.create_task(roundel.sleep(1, "second"))
    assert (first.result(), second.result()) == ("first", "second")


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
def test_every_kind_of_task_can_be(run_virtual, kind, wait):
    async def main():
        await start(kind, wait())

    run_virtual(main())


@pytest.mark.parametrize("wait", NEED_THE_CURRENT_TASK)
def test_every_kind_that_is_known_as_the_current_task_can_be(run_virtual, kind, wait):
    async def main():
        task = start(kind, globals()[wait]())
        if KNOWN[kind]:
            await task
        else:
            with pytest.raises(RuntimeError, match=r"inside a task|determine the parent task"):
                await task

    run_virtual(main())


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_every_kind_awaits_every_other(run_virtual, one, other):
    async def ends(how):
        await roundel.sleep(1)
        if how == "fails":
            raise KeyError(how)
        return how

    async def awaits(task):
        return await task

    async def main():
        inner = start(other, ends("returns"))
        assert await start(one, awaits(inner)) == "returns"
        assert await start(one, awaits(inner)) == "returns"  # it is done already
        inner = start(other, ends("fails"))
        with pytest.raises(KeyError, match="fails"):
            await start(one, awaits(inner))

    run_virtual(main())


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_cancellation_goes_through_to_what_is_awaited(run_virtual, one, other):
    log = []

    async def inner():
        try:
            await roundel.Event().wait()
        except asyncio.CancelledError as error:
            log.append(error.args)
            raise

    async def outer(task):
        try:
            await task
        finally:
            log.append(task.cancelled())

    async def main():
        innermost = start(other, inner())
        outermost = start(one, outer(innermost))
        await turns()
        assert outermost.cancel("enough")
        with pytest.raises(asyncio.CancelledError) as caught:
            await outermost
        assert outermost.cancelled()
        assert outermost.cancelling() == 1
        assert innermost.cancelling() == 1
        assert log == [("enough",), True]
        assert caught.value.args == ("enough",)

    run_virtual(main())


def test_a_cancellation_that_is_not_heeded_is_taken_back(run_virtual, kind):
    async def stubborn(task):
        task = task()
        try:
            await roundel.sleep(3600)
        except asyncio.CancelledError:
            assert task.uncancel() == 0
        return await roundel.sleep(1, "went on")

    async def main():
        task = start(kind, stubborn(lambda: task))
        await turns()
        task.cancel()
        assert await task == "went on"

    run_virtual(main())


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_context_is_kept_across_kinds(run_virtual, one, other):
    import contextvars

    variable = contextvars.ContextVar("variable", default="unset")
    seen = []

    async def inner():
        seen.append(variable.get())
        variable.set("inner")
        await roundel.sleep(1)
        seen.append(variable.get())

    async def outer():
        variable.set("outer")
        future = asyncio.get_running_loop().create_future()
        task = start(other, inner())
        task.add_done_callback(lambda _: (seen.append(variable.get()), future.set_result(None)))
        await task
        await future
        seen.append(variable.get())

    async def main():
        await start(one, outer())
        given = contextvars.copy_context()
        given.run(variable.set, "given")
        await start(one, inner(), context=given)
        assert given[variable] == "inner"

    run_virtual(main())
    assert seen == ["outer", "inner", "outer", "outer", "given", "inner"]
    assert variable.get() == "unset"
