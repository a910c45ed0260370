"""wait: which futures are done when it returns, and that it leaves them as they are."""

import asyncio
import sys

import pytest

import roundel


class FailedError(Exception):
    pass


async def fail(api, delay):
    await api.sleep(delay)
    raise FailedError


def now():
    return asyncio.get_running_loop().time()


def futures(count):
    return [asyncio.get_running_loop().create_future() for _ in range(count)]


def sleepers(api, *delays):
    return [api.create_task(api.sleep(delay, delay)) for delay in delays]


def test_all_are_done_by_default_failed_or_not(api, run_own):
    async def main():
        good, cancelled = sleepers(api, 3, 1_000)
        bad = api.create_task(fail(api, 1))
        asyncio.get_running_loop().call_later(2, cancelled.cancel)
        answer = await api.wait([good, bad, cancelled])
        assert answer == ({good, bad, cancelled}, set())
        assert [type(part) for part in answer] == [set, set]
        assert now() == 3
        assert isinstance(bad.exception(), FailedError)

    run_own(main())


def test_the_first_may_be_enough(api, run_own):
    async def main():
        tasks = sleepers(api, 3, 1, 2)
        done, pending = await api.wait(tasks, return_when=api.FIRST_COMPLETED)
        assert (done, pending) == ({tasks[1]}, {tasks[0], tasks[2]})
        assert now() == 1
        done, pending = await api.wait(pending, return_when=api.FIRST_COMPLETED)
        assert (done, pending) == ({tasks[2]}, {tasks[0]})
        await api.wait(pending)

    run_own(main())


def test_one_that_was_done_before_is_the_first(api, run_own):
    async def main():
        before, later = futures(2)
        before.set_result(1)
        done, pending = await api.wait([later, before], return_when=api.FIRST_COMPLETED)
        assert (done, pending) == ({before}, {later})

    run_own(main())


def test_those_that_end_in_the_same_turn_are_all_done(api, run_own):
    async def main():
        one, other, later = futures(3)

        def end():
            one.set_result(1)
            other.cancel()

        asyncio.get_running_loop().call_soon(end)
        done, pending = await api.wait([one, other, later], return_when=api.FIRST_COMPLETED)
        assert (done, pending) == ({one, other}, {later})

    run_own(main())


def test_one_that_ends_between_the_first_and_the_callers_turn_is_done(api, run_own):
    async def main():
        first, second = futures(2)
        waiting = api.create_task(api.wait([first, second], return_when=api.FIRST_COMPLETED))
        await api.sleep(0)
        first.set_result(1)
        await api.sleep(0)
        second.set_result(2)
        assert await waiting == ({first, second}, set())

    run_own(main())


def test_the_first_exception_is_no_result_and_no_cancellation(api, run_own):
    async def main():
        good, cancelled, late = sleepers(api, 1, 1_000, 4)
        bad = api.create_task(fail(api, 3))
        asyncio.get_running_loop().call_later(2, cancelled.cancel)
        tasks = [good, cancelled, bad, late]
        done, pending = await api.wait(tasks, return_when=api.FIRST_EXCEPTION)
        assert (done, pending) == ({good, cancelled, bad}, {late})
        assert now() == 3
        await late

    run_own(main())


def test_without_an_exception_the_first_one_is_waited_for_until_all_are_done(api, run_own):
    async def main():
        tasks = sleepers(api, 1, 3)
        done, pending = await api.wait(tasks, return_when=api.FIRST_EXCEPTION)
        assert (done, pending) == (set(tasks), set())
        assert now() == 3

    run_own(main())


def test_a_time_limit_is_no_error_and_cancels_nothing(api, run_own):
    async def main():
        quick, slow = sleepers(api, 1, 5)
        done, pending = await api.wait([quick, slow], timeout=2)
        assert (done, pending) == ({quick}, {slow})
        assert now() == 2
        assert await slow == 5
        assert now() == 5

    run_own(main())


@pytest.mark.parametrize("timeout", [0, -1, 0.0, float("-inf")])
def test_no_time_is_time_for_a_look(api, run_own, timeout):
    async def main():
        done, pending = futures(2)
        done.set_result(1)
        assert await api.wait([done, pending], timeout=timeout) == ({done}, {pending})
        assert await api.wait([done], timeout=timeout) == ({done}, set())
        assert now() == 0

    run_own(main())


@pytest.mark.parametrize("api", [roundel])  # asyncio's selector fails on it from 3.13 on
def test_not_a_number_is_no_time(api, run_own):
    async def main():
        (pending,) = futures(1)
        assert await api.wait([pending], timeout=float("nan")) == (set(), {pending})
        assert now() == 0
        await api.sleep(1)

    run_own(main())


@pytest.mark.parametrize("timeout", [None, 1e6, float("inf")])
def test_enough_time_is_not_spent(api, run_own, timeout):
    async def main():
        (task,) = sleepers(api, 5)
        assert await api.wait([task], timeout=timeout) == ({task}, set())
        assert now() == 5
        await api.sleep(2e6)  # the timer is gone

    run_own(main())


@pytest.mark.parametrize("timeout", ["1", [], b"1"])
def test_a_time_limit_that_is_no_number_is_refused(api, run_own, timeout):
    async def main():
        (future,) = futures(1)
        with pytest.raises(TypeError):
            await api.wait([future], timeout=timeout)
        assert not future._callbacks

    run_own(main())


@pytest.mark.parametrize(
    "collect",
    [
        set,
        tuple,
        iter,
        dict.fromkeys,
        lambda each: dict.fromkeys(each).keys(),
    ],
    ids=["set", "tuple", "iterator", "dict", "keys"],
)
def test_any_iterable_will_do(api, run_own, collect):
    async def main():
        tasks = sleepers(api, 1, 2)
        assert await api.wait(collect(tasks)) == (set(tasks), set())

    run_own(main())


def test_a_generator_will_do(api, run_own):
    async def main():
        tasks = sleepers(api, 1, 2)
        generator = (task for task in tasks)
        if sys.version_info < (3, 12):  # there it may be a coroutine
            with pytest.raises(TypeError, match="expect a list of futures, not generator"):
                await api.wait(generator)
        else:
            assert await api.wait(generator) == (set(tasks), set())

    run_own(main())


def test_one_that_is_given_twice_counts_once(api, run_own):
    async def main():
        (task,) = sleepers(api, 1)
        (future,) = futures(1)
        assert await api.wait([task, task]) == ({task}, set())
        asyncio.get_running_loop().call_later(1, future.set_result, 1)
        assert await api.wait([future, task, future]) == ({future, task}, set())

    run_own(main())


@pytest.mark.parametrize("nothing", [[], (), set(), {}, "", None])
def test_nothing_is_refused(api, run_own, nothing):
    async def main():
        with pytest.raises(ValueError, match=r"Set of Tasks/Futures is empty\."):
            await api.wait(nothing)

    run_own(main())


def test_what_turns_out_to_be_nothing_is_refused(api, run_own):
    async def main():
        with pytest.raises(AssertionError, match=r"Set of Futures is empty\."):
            await api.wait(iter(()))

    run_own(main())


def test_a_coroutine_among_the_futures_is_refused_and_left_as_it_is(api, run_own):
    async def main():
        (future,) = futures(1)
        coroutine = api.sleep(0, "still usable")
        with pytest.raises(TypeError, match="Passing coroutines is forbidden"):
            await api.wait([future, coroutine])
        assert not future._callbacks
        assert await coroutine == "still usable"

    run_own(main())


@pytest.mark.parametrize("timeout", [None, 0, 10])
def test_a_cancelled_caller_leaves_the_futures_alone(api, run_own, timeout):
    async def main():
        (task,) = sleepers(api, 5)
        (future,) = futures(1)
        waiting = api.create_task(api.wait([task, future], timeout=timeout))
        await api.sleep(0)
        assert future._callbacks
        waiting.cancel("message")
        with pytest.raises(asyncio.CancelledError) as caught:
            await waiting
        assert caught.value.args == ("message",)
        assert not future._callbacks
        future.set_result(1)
        assert await task == 5
        await api.sleep(20)  # the timer is gone

    run_own(main())


@pytest.mark.parametrize("way", ["result", "exception", "cancel", "timeout"])
def test_a_cancellation_in_the_turn_of_the_end_is_not_hidden(api, run_own, way):
    async def main():
        (future,) = futures(1)
        end = {
            "result": lambda: future.set_result(1),
            "exception": lambda: future.set_exception(FailedError()),
            "cancel": future.cancel,
            "timeout": lambda: None,
        }[way]
        waiting = api.create_task(api.wait([future], timeout=0 if way == "timeout" else None))
        await api.sleep(0)
        end()
        await api.sleep(0)  # the caller has been woken and has not run
        assert not waiting.done()
        assert waiting.cancel()
        await api.sleep(0)
        assert waiting.cancelled()
        if way == "exception":
            assert future.exception()

    run_own(main())


def test_a_caller_that_goes_on_after_a_cancellation_may_wait_again(api, run_own):
    async def main():
        (future,) = futures(1)

        async def wait_twice():
            with pytest.raises(asyncio.CancelledError):
                await api.wait([future])
            return await api.wait([future])

        waiting = api.create_task(wait_twice())
        await api.sleep(0)
        waiting.cancel()
        await api.sleep(0)
        assert not waiting.done()
        future.set_result(1)
        assert await waiting == ({future}, set())
        assert waiting.cancelling() == 1

    run_own(main())


def test_several_may_wait_for_the_same(api, run_own):
    async def main():
        one, other = futures(2)
        callers = [
            api.create_task(api.wait([one, other], return_when=when))
            for when in (api.FIRST_COMPLETED, api.ALL_COMPLETED)
        ]
        await api.sleep(0)
        one.set_result(1)
        for _ in range(3):
            await api.sleep(0)
        assert [caller.done() for caller in callers] == [True, False]
        other.set_result(2)
        assert await callers[1] == ({one, other}, set())

    run_own(main())


def test_a_task_that_waits_for_itself_waits_for_the_time_limit(api, run_own):
    async def main():
        task = asyncio.current_task()
        assert await api.wait([task], timeout=1) == (set(), {task})
        assert now() == 1

    run_own(main())


def test_wait_begins_nothing_before_it_is_awaited(api, run_own):
    async def main():
        (future,) = futures(1)
        waiting = api.wait([future], timeout=0)
        assert not future._callbacks
        waiting.close()
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await waiting

    run_own(main())


def asked_by(loop, main):
    """Returns the delays that a method set on the loop was asked for while main() ran."""
    delays = []
    own = type(loop).call_later

    def call_later(delay, callback, *args, context=None):
        delays.append(delay)
        return own(loop, delay, callback, *args, context=context)

    loop.call_later = call_later
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    return delays


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, roundel.new_event_loop])
@pytest.mark.parametrize("limited", ["wait", "as_completed"])
def test_a_limit_asks_the_loops_own_call_later(api, make_loop, limited):
    async def main():
        future = asyncio.get_running_loop().create_future()
        if limited == "wait":
            assert await api.wait([future], timeout=0) == (set(), {future})
        else:
            with pytest.raises(TimeoutError):
                await next(api.as_completed([future], timeout=0))

    assert asked_by(make_loop(), main) == [0]
