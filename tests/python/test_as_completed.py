"""as_completed: results and futures in the order in which they come."""

import asyncio
import inspect
import sys

import pytest

import roundel


class FailedError(Exception):
    pass


async def fail(api, delay, *args):
    await api.sleep(delay)
    raise FailedError(*args)


def now():
    return asyncio.get_running_loop().time()


def sleepers(api, *delays):
    return [api.create_task(api.sleep(delay, delay)) for delay in delays]


@pytest.fixture
def since_3_13(api):
    """Skips asyncio before the version whose as_completed can be iterated asynchronously."""
    if api is asyncio and sys.version_info < (3, 13):
        pytest.skip("asyncio had a plain generator until 3.12")


@pytest.fixture(params=["for", "async for"])
def collect(api, request):
    """Collects results, or the types of exceptions, each with the time at which it came."""
    if request.param == "async for":
        request.getfixturevalue("since_3_13")

    async def collect_plainly(*arguments, **options):
        came = []
        for awaitable in api.as_completed(*arguments, **options):
            try:
                came.append((await awaitable, now()))
            except Exception as error:
                came.append((type(error), now()))
        return came

    async def collect_asynchronously(*arguments, **options):
        came = []
        iterator = api.as_completed(*arguments, **options)
        while True:
            try:
                future = await anext(iterator)
            except StopAsyncIteration:
                return came
            except TimeoutError as error:
                came.append((type(error), now()))
                continue
            assert future.done()
            error = future.exception()
            came.append((type(error) if error else future.result(), now()))

    return {"for": collect_plainly, "async for": collect_asynchronously}[request.param]


def test_results_come_in_the_order_of_completion(api, run_own, collect):
    async def main():
        assert await collect(sleepers(api, 3, 1, 2)) == [(1, 1), (2, 2), (3, 3)]

    run_own(main())


def test_coroutines_are_run_together(api, run_own, collect):
    async def main():
        coroutines = [api.sleep(delay, delay) for delay in (3, 1, 2)]
        assert await collect(coroutines) == [(1, 1), (2, 2), (3, 3)]

    run_own(main())


def test_those_that_end_while_nobody_looks_come_in_their_order(api, run_own):
    async def main():
        iterator = iter(api.as_completed(sleepers(api, 3, 1, 2)))
        assert await next(iterator) == 1
        await api.sleep(10)
        assert [await each for each in iterator] == [2, 3]
        assert now() == 11

    run_own(main())


def test_a_failure_comes_in_its_place_and_the_others_go_on(api, run_own, collect):
    async def main():
        several = [api.sleep(3, 3), fail(api, 1), api.sleep(2, 2)]
        assert await collect(several) == [(FailedError, 1), (2, 2), (3, 3)]

    run_own(main())


def test_a_cancelled_one_comes_in_its_place(api, run_own):
    async def main():
        tasks = sleepers(api, 3, 1_000)
        asyncio.get_running_loop().call_later(1, tasks[1].cancel, "elsewhere")
        first, second = api.as_completed(tasks)
        with pytest.raises(asyncio.CancelledError) as caught:
            await first
        assert caught.value.args == ("elsewhere",)
        assert await second == 3
        assert asyncio.current_task().cancelling() == 0

    run_own(main())


@pytest.mark.parametrize("nothing", [[], (), set(), iter(())], ids=["list", "tuple", "set", "iter"])
@pytest.mark.parametrize("timeout", [None, 0])
def test_of_nothing_nothing_comes(api, run_own, collect, nothing, timeout):
    async def main():
        assert await collect(nothing, timeout=timeout) == []
        await api.sleep(1)

    run_own(main())


@pytest.mark.parametrize("kind", [set, tuple, iter, dict.fromkeys])
def test_any_iterable_will_do(api, run_own, collect, kind):
    async def main():
        assert await collect(kind(sleepers(api, 2, 1))) == [(1, 1), (2, 2)]

    run_own(main())


def test_a_generator_will_do(api, run_own, collect):
    async def main():
        generator = (task for task in sleepers(api, 2, 1))
        if sys.version_info < (3, 12):  # there it may be a coroutine
            with pytest.raises(TypeError, match="iterable of futures, not generator"):
                await collect(generator)
        else:
            assert await collect(generator) == [(1, 1), (2, 2)]

    run_own(main())


def test_what_is_given_twice_comes_once(api, run_own, collect):
    async def main():
        (task,) = sleepers(api, 1)
        coroutine = api.sleep(2, 2)
        assert await collect([task, coroutine, task, coroutine]) == [(1, 1), (2, 2)]

    run_own(main())


def test_a_time_limit_strikes_all_that_is_not_done_and_cancels_nothing(api, run_own, collect):
    async def main():
        tasks = sleepers(api, 5, 1, 6)
        assert await collect(tasks, timeout=2) == [(1, 1), (TimeoutError, 2), (TimeoutError, 2)]
        assert [await task for task in tasks] == [5, 1, 6]
        assert now() == 6

    run_own(main())


@pytest.mark.parametrize("timeout", [0, -1])
def test_no_time_is_time_for_what_is_done(api, run_own, collect, timeout):
    async def main():
        loop = asyncio.get_running_loop()
        done, pending = loop.create_future(), loop.create_future()
        done.set_result("done")
        came = await collect([pending, done], timeout=timeout)
        assert came == [("done", 0), (TimeoutError, 0)]
        assert not pending.done()

    run_own(main())


@pytest.mark.parametrize("api", [roundel])  # asyncio's selector fails on it from 3.13 on
def test_not_a_number_is_no_time(run_own, collect):
    async def main():
        pending = asyncio.get_running_loop().create_future()
        assert await collect([pending], timeout=float("nan")) == [(TimeoutError, 0)]
        assert not pending.done()

    run_own(main())


@pytest.mark.parametrize("timeout", [None, 10, float("inf")])
def test_enough_time_is_not_spent(api, run_own, collect, timeout):
    async def main():
        assert await collect(sleepers(api, 2, 1), timeout=timeout) == [(1, 1), (2, 2)]
        await api.sleep(20)  # the timer is gone

    run_own(main())


def test_awaitables_may_be_asked_for_in_advance(api, run_own):
    async def main():
        awaitables = list(api.as_completed(sleepers(api, 3, 1, 2)))
        assert len(awaitables) == 3
        results = await api.gather(*awaitables)
        assert results == [1, 2, 3]  # whoever began to wait first got the first

    run_own(main())


def test_awaitables_give_what_comes_next_whichever_is_awaited(api, run_own):
    async def main():
        first, second = api.as_completed(sleepers(api, 2, 1))
        assert await second == 1
        assert await first == 2

    run_own(main())


def test_each_awaitable_may_be_awaited_once(api, run_own):
    async def main():
        (only,) = api.as_completed(sleepers(api, 1))
        assert inspect.isawaitable(only)
        assert await only == 1
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await only

    run_own(main())


@pytest.mark.usefixtures("since_3_13")
def test_asynchronously_it_gives_the_futures_themselves(api, run_own):
    async def main():
        tasks = sleepers(api, 2, 1)
        failing = api.create_task(fail(api, 3))
        came = [future async for future in api.as_completed([*tasks, failing])]
        assert came == [tasks[1], tasks[0], failing]
        assert isinstance(failing.exception(), FailedError)

    run_own(main())


@pytest.mark.usefixtures("since_3_13")
def test_asynchronously_it_gives_a_task_of_a_coroutine(api, run_own):
    async def main():
        (task,) = [task async for task in api.as_completed([api.sleep(1, 1)])]
        assert isinstance(task, api.Task)
        assert task.result() == 1

    run_own(main())


@pytest.mark.usefixtures("since_3_13")
def test_one_iterator_may_be_asked_both_ways(api, run_own):
    async def main():
        tasks = sleepers(api, 3, 1, 2)
        iterator = api.as_completed(tasks)
        assert iter(iterator) is iterator
        assert aiter(iterator) is iterator
        assert await next(iterator) == 1
        assert await anext(iterator) is tasks[2]
        assert await next(iterator) == 3
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        with pytest.raises(StopIteration):
            next(iterator)

    run_own(main())


@pytest.mark.usefixtures("since_3_13")
def test_a_break_leaves_the_others_to_themselves(api, run_own):
    async def main():
        tasks = sleepers(api, 1, 5)
        async for task in api.as_completed(tasks):
            assert task is tasks[0]
            break
        assert await tasks[1] == 5

    run_own(main())


def test_tasks_begin_when_it_is_called(api, run_own):
    async def main():
        begun = []

        async def begin():
            begun.append(1)

        iterator = iter(api.as_completed([begin()]))
        await api.sleep(0)
        # Until 3.12 it is a generator, which does nothing before it is asked.
        assert begun == ([1] if sys.version_info >= (3, 13) else [])
        await next(iterator)
        assert begun == [1]

    run_own(main())


def test_a_cancelled_caller_loses_nothing(api, run_own):
    async def main():
        tasks = sleepers(api, 1, 2)
        first, second = api.as_completed(tasks)

        async def take(awaitable):
            return await awaitable

        caller = api.create_task(take(first))
        await api.sleep(0)
        caller.cancel("message")
        with pytest.raises(asyncio.CancelledError) as caught:
            await caller
        assert caught.value.args == ("message",)
        assert await second == 1
        assert await tasks[1] == 2

    run_own(main())


def test_a_caller_cancelled_in_the_turn_of_the_end_leaves_it_to_the_next(api, run_own):
    async def main():
        future, other = (asyncio.get_running_loop().create_future() for _ in range(2))
        first, second = api.as_completed([future, other])

        async def take(awaitable):
            return await awaitable

        caller, next_one = api.create_task(take(first)), api.create_task(take(second))
        await api.sleep(0)
        future.set_result("result")
        await api.sleep(0)  # it was handed out, and the caller is woken
        assert caller.cancel()
        assert await next_one == "result"
        assert caller.cancelled()

    run_own(main())


@pytest.mark.parametrize("api", [roundel])  # asyncio's counts it as taken
def test_a_cancelled_step_is_made_up_for(api, run_own):
    async def main():
        tasks = sleepers(api, 2, 3)
        iterator = api.as_completed(tasks)
        with pytest.raises(TimeoutError):
            await api.wait_for(anext(iterator), 1)
        assert [task async for task in iterator] == tasks

    run_own(main())


@pytest.mark.parametrize("turns", range(7))
def test_a_caller_may_be_cancelled_in_any_turn(api, run_own, turns):
    async def main():
        async def work(count):
            for _ in range(count):
                await api.sleep(0)
            return count

        tasks = [api.create_task(work(count)) for count in (1, 2, 3)]
        taken = []

        async def take():
            for each in api.as_completed(tasks):
                number = await each
                taken.append(number)

        caller = api.create_task(take())
        for _ in range(turns):
            await api.sleep(0)
        accepted = caller.cancel()
        await api.wait([caller])
        assert caller.cancelled() == accepted
        assert taken == list(range(1, len(taken) + 1))
        assert (len(taken) == 3) == (not accepted)
        assert [await task for task in tasks] == [1, 2, 3]

    run_own(main())


def test_several_may_wait_for_the_same(api, run_own, collect):
    async def main():
        tasks = sleepers(api, 2, 1)
        assert await api.gather(collect(tasks), collect(tasks)) == [[(1, 1), (2, 2)]] * 2

    run_own(main())


@pytest.mark.parametrize("wrong", ["a future", "a coroutine", 1, None])
def test_what_is_not_several_is_refused(api, run_own, wrong):
    async def main():
        coroutine = api.sleep(0)
        thing = {
            "a future": asyncio.get_running_loop().create_future(),
            "a coroutine": coroutine,
        }.get(wrong, wrong)
        with pytest.raises(TypeError):
            next(iter(api.as_completed(thing)))
        await coroutine

    run_own(main())


def test_a_future_of_another_loop_is_refused(api, run_own):
    elsewhere = api.new_event_loop()
    future = elsewhere.create_future()

    async def main():
        with pytest.raises(ValueError, match="belongs to a different loop"):
            next(iter(api.as_completed([future])))
        assert not future._callbacks

    run_own(main())
    elsewhere.close()
