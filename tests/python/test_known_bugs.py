"""What asyncio got wrong in one version or another, and what roundel has to get right in all."""

import asyncio
import contextvars
import gc
import sys
import threading
import time
import weakref
from types import SimpleNamespace

import pytest

import roundel


async def settle(turns=5):
    """Lets all that is ready run."""
    for _ in range(turns):
        await roundel.sleep(0)


async def cancelled(task):
    """Tells whether a task ends cancelled."""
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


def test_wait_for_does_not_hide_a_cancellation_that_comes_with_the_result(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        task = roundel.create_task(roundel.wait_for(future, 60))
        await settle()
        future.set_result("result")
        task.cancel()
        assert await cancelled(task)

    run(main())


def test_wait_for_does_not_hide_a_cancellation_that_comes_with_the_timeout(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        task = roundel.create_task(roundel.wait_for(loop.create_future(), 1))
        loop.call_later(1, task.cancel)
        assert await cancelled(task)

    run_virtual(main())


@pytest.mark.parametrize("put_first", [True, False])
def test_wait_for_loses_no_item_that_comes_with_the_timeout(run_virtual, put_first):
    async def main():
        loop = asyncio.get_running_loop()
        queue = roundel.Queue()
        if put_first:
            loop.call_at(1, queue.put_nowait, "item")
        task = roundel.create_task(roundel.wait_for(queue.get(), 1))
        await settle()
        if not put_first:
            loop.call_at(1, queue.put_nowait, "item")
        try:
            assert await task == "item"
            assert queue.empty()
        except TimeoutError:
            assert queue.get_nowait() == "item"

    run_virtual(main())


def test_wait_for_loses_no_item_to_a_cancelled_caller(run):
    async def main():
        queue = roundel.Queue()
        task = roundel.create_task(roundel.wait_for(queue.get(), 60))
        await settle()
        queue.put_nowait("item")
        task.cancel()
        assert await cancelled(task)
        assert queue.get_nowait() == "item"

    run(main())


def test_wait_for_of_something_done_returns_it_however_short_the_time(run):
    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result("result")
        assert await roundel.wait_for(future, 0) == "result"

    run(main())


def test_a_timeout_that_expires_while_it_is_cancelled_leaves_the_cancellation(run_virtual):
    async def main():
        async def limited():
            async with roundel.timeout(1):
                await roundel.sleep(60)

        task = roundel.create_task(limited())
        asyncio.get_running_loop().call_later(1, task.cancel)
        assert await cancelled(task)

    run_virtual(main())


class Turns:
    """Ways to wait for a turn, each with a way to give one turn away."""

    @staticmethod
    async def lock():
        lock = roundel.Lock()
        await lock.acquire()
        return SimpleNamespace(wait=lock.acquire, give=lock.release)

    @staticmethod
    async def semaphore():
        semaphore = roundel.Semaphore(0)
        return SimpleNamespace(wait=semaphore.acquire, give=semaphore.release)

    @staticmethod
    async def bounded_semaphore():
        semaphore = roundel.BoundedSemaphore(1)
        await semaphore.acquire()
        return SimpleNamespace(wait=semaphore.acquire, give=semaphore.release)

    @staticmethod
    async def queue_get():
        queue = roundel.Queue()
        return SimpleNamespace(wait=queue.get, give=lambda: queue.put_nowait(1))

    @staticmethod
    async def queue_put():
        queue = roundel.Queue(1)
        queue.put_nowait(1)
        return SimpleNamespace(wait=lambda: queue.put(1), give=queue.get_nowait)

    @staticmethod
    async def condition():
        condition = roundel.Condition()
        await condition.acquire()

        async def wait():
            async with condition:
                await condition.wait()

        def give():
            condition.notify()
            condition.release()

        # Held by the test, but while the waiters come.
        condition.release()
        return SimpleNamespace(wait=wait, give=give, prepare=condition.acquire)


WAYS = [name for name in vars(Turns) if not name.startswith("_")]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_turn_given_to_a_cancelled_waiter_goes_to_the_next(run, way, cancel_first):
    async def main():
        turns = await getattr(Turns, way)()
        first, second = (roundel.create_task(turns.wait()) for _ in range(2))
        await settle()
        if hasattr(turns, "prepare"):
            await turns.prepare()
        if cancel_first:
            first.cancel()
            turns.give()
        else:
            turns.give()
            first.cancel()
        assert await cancelled(first)
        await roundel.wait_for(second, 1)

    run(main())


# A notification is for those who wait.
@pytest.mark.parametrize("way", [way for way in WAYS if way != "condition"])
def test_a_turn_given_to_a_cancelled_waiter_is_there_for_a_later_one(run, way):
    async def main():
        turns = await getattr(Turns, way)()
        first = roundel.create_task(turns.wait())
        await settle()
        turns.give()
        first.cancel()
        assert await cancelled(first)
        await roundel.wait_for(turns.wait(), 1)

    run(main())


def test_a_semaphore_is_not_overtaken_by_those_who_come_later(run):
    async def main():
        semaphore = roundel.Semaphore(1)
        order = []

        async def enter(name):
            async with semaphore:
                order.append(name)
                await roundel.sleep(0)

        async with semaphore:
            tasks = [roundel.create_task(enter(name)) for name in "abc"]
            await settle()
        # Free for a moment, but promised to a: d has to queue up behind c.
        assert semaphore.locked()
        await enter("d")
        await roundel.gather(*tasks)
        assert order == list("abcd")

    run(main())


def test_a_semaphore_released_twice_lets_two_in_at_once(run):
    async def main():
        semaphore = roundel.Semaphore(0)
        tasks = [roundel.create_task(semaphore.acquire()) for _ in range(3)]
        await settle()
        semaphore.release()
        semaphore.release()
        await settle()
        assert [task.done() for task in tasks] == [True, True, False]
        semaphore.release()
        await roundel.gather(*tasks)

    run(main())


def test_a_lock_is_free_after_its_only_waiter_was_cancelled(run):
    async def main():
        lock = roundel.Lock()
        await lock.acquire()
        waiter = roundel.create_task(lock.acquire())
        await settle()
        lock.release()
        waiter.cancel()
        assert await cancelled(waiter)
        assert not lock.locked()
        await roundel.wait_for(lock.acquire(), 1)

    run(main())


def test_a_condition_cancelled_while_it_takes_the_lock_again_holds_it_at_the_end(run):
    async def main():
        condition = roundel.Condition()

        async def wait():
            async with condition:
                try:
                    await condition.wait()
                except asyncio.CancelledError:
                    assert condition.locked()
                    raise

        task = roundel.create_task(wait())
        await settle()
        async with condition:
            condition.notify()
            await settle()
            task.cancel()
            await settle()
            task.cancel()
            await settle()
            assert not task.done()
        assert await cancelled(task)
        assert not condition.locked()

    run(main())


def test_a_task_that_only_its_own_future_knows_is_not_lost(run):
    async def main():
        ended = []
        known = []

        async def wait():
            future = asyncio.get_running_loop().create_future()
            known.append(weakref.ref(future))
            ended.append(await future)

        roundel.create_task(wait())
        await settle()
        gc.collect()
        assert len(asyncio.all_tasks()) == 2
        known[0]().set_result("still there")
        await settle()
        assert ended == ["still there"]

    run(main())


def test_many_tasks_that_nobody_keeps_all_run(run):
    async def main():
        ended = []

        async def wait(number):
            await roundel.sleep(0.001)
            gc.collect(0)
            ended.append(number)

        for number in range(200):
            roundel.create_task(wait(number))
        gc.collect()
        await roundel.sleep(0.1)
        assert sorted(ended) == list(range(200))

    run(main())


class Kept:
    """Can be referred to weakly."""


def test_a_cancelled_timer_lets_go_of_callback_arguments_and_context(loop):
    variable = contextvars.ContextVar("variable")
    context = contextvars.Context()
    in_context, argument, callback = Kept(), Kept(), Kept()
    callback.__call__ = lambda argument: None
    context.run(variable.set, in_context)
    handle = loop.call_later(3600, lambda _, callback=callback: None, argument, context=context)
    kept = [weakref.ref(each) for each in (in_context, argument, callback)]
    del context, in_context, argument, callback
    handle.cancel()
    gc.collect()
    assert [each() for each in kept] == [None] * 3
    assert handle.cancelled()


def test_timers_set_and_cancelled_leave_no_memory(loop):
    loop.set_debug(False)

    def set_and_cancel(times):
        for _ in range(times):
            loop.call_later(3600, print).cancel()
        gc.collect()
        return sys.getallocatedblocks()

    before = set_and_cancel(1000)
    assert set_and_cancel(100_000) - before < 2000


def test_call_soon_threadsafe_races_with_close_and_either_runs_or_refuses():
    for _ in range(10):
        loop = roundel.new_event_loop()
        outcomes = []

        def call(loop=loop, outcomes=outcomes):
            try:
                while True:
                    loop.call_soon_threadsafe(int)
            except Exception as error:
                outcomes.append(error)

        threads = [threading.Thread(target=call) for _ in range(3)]
        for thread in threads:
            thread.start()
        loop.call_later(0.002, loop.stop)
        loop.run_forever()
        loop.close()
        for thread in threads:
            thread.join()
        assert [str(error) for error in outcomes] == ["Event loop is closed"] * 3
        assert {type(error) for error in outcomes} == {RuntimeError}


def test_call_soon_threadsafe_wakes_a_loop_that_is_about_to_sleep():
    loop = roundel.new_event_loop()
    woken = threading.Event()
    go, stop = threading.Event(), False

    def call():
        while True:
            go.wait()
            go.clear()
            if stop:
                return
            loop.call_soon_threadsafe(woken.set)

    thread = threading.Thread(target=call)
    thread.start()

    async def main():
        for _ in range(300):
            woken.clear()
            go.set()
            deadline = time.monotonic() + 5
            while not woken.is_set():
                assert time.monotonic() < deadline, "a wake-up was lost"
                await roundel.sleep(0)

    loop.run_until_complete(main())
    stop = True
    go.set()
    thread.join()
    loop.close()


def test_an_eager_task_leaves_the_current_task_as_it_was(run):
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(roundel.eager_task_factory)
        outer = asyncio.current_task()
        seen = []

        async def fail():
            seen.append(asyncio.current_task())
            raise ArithmeticError

        async def nest():
            inner = roundel.create_task(fail())
            seen.append(asyncio.current_task())
            with pytest.raises(ArithmeticError):
                await inner

        task = roundel.create_task(nest())
        assert asyncio.current_task() is outer
        await task
        assert seen[1] is task
        assert seen[0] not in (task, outer)
        assert asyncio.current_task() is outer

    run(main())


@pytest.mark.parametrize("way", ["soon", "timer", "threadsafe"])
def test_a_callback_cancelled_before_its_turn_is_not_called(loop, way):
    called = []
    calls = {
        "soon": lambda: loop.call_soon(called.append, way),
        "timer": lambda: loop.call_later(0, called.append, way),
        "threadsafe": lambda: loop.call_soon_threadsafe(called.append, way),
    }
    handle = calls[way]()
    # Ready in the same turn, but before it.
    loop.call_soon(handle.cancel)
    handle.cancel()
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert called == []


def test_a_group_left_by_cancellation_of_its_parent_is_cancelled_itself(run):
    async def main():
        async def fail():
            raise ValueError

        async def parent():
            async with roundel.TaskGroup() as group:
                group.create_task(fail())
                asyncio.current_task().cancel("from outside")
                await roundel.sleep(0)

        task = roundel.create_task(parent())
        (outcome,) = await roundel.gather(task, return_exceptions=True)
        assert isinstance(outcome, (ExceptionGroup, asyncio.CancelledError))
        assert task.cancelling() == 1

    run(main())
