"""wait_for: what comes out of it in time and too late, and who is cancelled with whom.

What asyncio has had wrong, cancellations hidden and results lost, is in `test_known_bugs.py`.
"""

import asyncio
import math
import sys

import pytest

import roundel


class FailedError(Exception):
    pass


async def fail(api, delay, *args):
    await api.sleep(delay)
    raise FailedError(*args)


async def clean_up(api, log, delay, error=None, result=None):
    """Takes its time when it is cancelled, and then fails, gives a result or is cancelled."""
    try:
        await api.sleep(1_000)
    except asyncio.CancelledError:
        await api.sleep(delay)
        log.append("cleaned up")
        if error:
            raise error
        if result:
            return result
        raise


def now():
    return asyncio.get_running_loop().time()


@pytest.fixture
def since_3_12(api):
    """Skips asyncio before the version that runs the coroutine in the caller's own task."""
    if api is asyncio and sys.version_info < (3, 12):
        pytest.skip("asyncio made a task of the coroutine until 3.11")


@pytest.mark.parametrize("timeout", [None, 2, 1e6, math.inf])
def test_what_ends_in_time_comes_out(api, run_own, timeout):
    async def main():
        assert await api.wait_for(api.sleep(1, "result"), timeout) == "result"
        with pytest.raises(FailedError, match="inside"):
            await api.wait_for(fail(api, 1, "inside"), timeout)
        assert now() == 2
        await api.sleep(2e6)  # the timers are gone
        assert asyncio.current_task().cancelling() == 0

    run_own(main())


def test_futures_tasks_and_other_awaitables_are_waited_for(api, run_own):
    class Awaitable:
        def __await__(self):
            return (yield from api.sleep(1, "awaitable").__await__())

    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(1, future.set_result, "future")
        assert await api.wait_for(future, 2) == "future"
        assert await api.wait_for(api.create_task(api.sleep(1, "task")), 2) == "task"
        assert await api.wait_for(Awaitable(), 2) == "awaitable"

    run_own(main())


@pytest.mark.usefixtures("since_3_12")
def test_a_coroutine_runs_in_the_callers_own_task(api, run_own):
    async def main():
        async def whose():
            return asyncio.current_task()

        assert await api.wait_for(whose(), 1) is asyncio.current_task()

    run_own(main())


def test_what_takes_too_long_is_cancelled_and_waited_for(api, run_own):
    async def main():
        log = []
        with pytest.raises(TimeoutError) as caught:
            await api.wait_for(clean_up(api, log, 5), 1)
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert log == ["cleaned up"]
        assert now() == 6
        assert asyncio.current_task().cancelling() == 0

    run_own(main())


def test_a_task_that_takes_too_long_is_cancelled(api, run_own):
    async def main():
        task = api.create_task(api.sleep(1_000))
        with pytest.raises(TimeoutError):
            await api.wait_for(task, 1)
        assert task.cancelled()
        assert now() == 1

    run_own(main())


@pytest.mark.parametrize("timeout", [1, 0])
def test_what_does_not_let_itself_be_cancelled_has_its_result(api, run_own, timeout):
    async def main():
        log = []
        task = api.create_task(clean_up(api, log, 5, result="stubborn"))
        await api.sleep(0)
        assert await api.wait_for(task, timeout) == "stubborn"
        assert asyncio.current_task().cancelling() == 0

    run_own(main())


@pytest.mark.parametrize("timeout", [1, 0])
def test_what_fails_while_it_is_cancelled_has_its_exception(api, run_own, timeout):
    async def main():
        task = api.create_task(clean_up(api, [], 5, error=FailedError("cleanup")))
        await api.sleep(0)
        with pytest.raises(FailedError, match="cleanup"):
            await api.wait_for(task, timeout)
        assert asyncio.current_task().cancelling() == 0

    run_own(main())


@pytest.mark.parametrize("timeout", [None, 5, 0])
def test_a_cancelled_caller_cancels_what_it_waits_for(api, run_own, timeout):
    async def main():
        log = []
        inner = api.create_task(clean_up(api, log, 3))
        await api.sleep(0)
        caller = api.create_task(api.wait_for(inner, timeout))
        await api.sleep(1)
        caller.cancel("message")
        with pytest.raises(asyncio.CancelledError):
            await caller
        if timeout == 0:  # it cancels by itself, and the caller can be cancelled all the same
            assert now() == 1
            assert not inner._callbacks
            await api.wait([inner])
        assert log == ["cleaned up"]
        assert inner.cancelled()
        assert caller.cancelling() == 1
        await api.sleep(20)  # the timer is gone

    run_own(main())


def test_a_cancelled_callers_message_comes_out(api, run_own):
    async def main():
        caller = api.create_task(api.wait_for(api.sleep(1_000), None))
        await api.sleep(1)
        caller.cancel("message")
        with pytest.raises(asyncio.CancelledError) as caught:
            await caller
        assert caught.value.args == ("message",)

    run_own(main())


@pytest.mark.parametrize("timeout", [None, 5])
def test_what_is_cancelled_from_elsewhere_is_no_timeout(api, run_own, timeout):
    async def main():
        inner = api.create_task(api.sleep(1_000))
        asyncio.get_running_loop().call_later(1, inner.cancel, "elsewhere")
        with pytest.raises(asyncio.CancelledError) as caught:
            await api.wait_for(inner, timeout)
        assert caught.value.args == ("elsewhere",)
        assert asyncio.current_task().cancelling() == 0
        assert now() == 1

    run_own(main())


@pytest.mark.parametrize("timeout", [0, -1, 0.0, -0.0, -math.inf])
def test_no_time_is_time_for_what_is_done(api, run_own, timeout):
    async def main():
        loop = asyncio.get_running_loop()
        good, bad, cancelled, pending = (loop.create_future() for _ in range(4))
        good.set_result("good")
        bad.set_exception(FailedError("bad"))
        cancelled.cancel("before")
        assert await api.wait_for(good, timeout) == "good"
        with pytest.raises(FailedError, match="bad"):
            await api.wait_for(bad, timeout)
        with pytest.raises(asyncio.CancelledError, match="before"):
            await api.wait_for(cancelled, timeout)
        with pytest.raises(TimeoutError) as caught:
            await api.wait_for(pending, timeout)
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        assert pending.cancelled()
        assert now() == 0

    run_own(main())


@pytest.mark.parametrize("api", [roundel])  # asyncio's selector fails on it from 3.13 on
def test_not_a_number_is_no_time(api, run_own):
    async def main():
        future = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await api.wait_for(future, math.nan)
        assert future.cancelled()
        assert now() == 0
        await api.sleep(1)

    run_own(main())


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_coroutine_that_gets_no_time_never_begins(api, run_own, timeout):
    async def main():
        begun = []

        async def begin():
            begun.append(1)

        with pytest.raises(TimeoutError):
            await api.wait_for(begin(), timeout)
        await api.sleep(1)
        assert not begun

    run_own(main())


def test_a_coroutine_with_a_moments_time_begins(api, run_own):
    async def main():
        begun = []

        async def begin():
            begun.append(1)
            await api.sleep(1)

        with pytest.raises(TimeoutError):
            await api.wait_for(begin(), 1e-6)
        assert begun

    run_own(main())


@pytest.mark.usefixtures("since_3_12")
@pytest.mark.parametrize("first", ["result", "limit"])
def test_what_comes_at_the_very_moment_of_the_limit_comes_too_late(api, run_own, first):
    async def main():
        future = asyncio.get_running_loop().create_future()

        def finish():
            if not future.done():
                future.set_result("result")

        task = api.create_task(api.wait_for(future, 1))
        if first == "limit":
            await api.sleep(0)  # its timer is set by now
        asyncio.get_running_loop().call_at(1, finish)
        with pytest.raises(TimeoutError):
            await task
        assert now() == 1
        assert future.cancelled() == (first == "limit")

    run_own(main())


@pytest.mark.parametrize(("outer", "inner"), [(1, 2), (2, 1)])
def test_of_nested_limits_the_shorter_one_strikes(api, run_own, outer, inner):
    async def main():
        struck = []

        async def limited():
            try:
                await api.wait_for(api.sleep(1_000), inner)
            except BaseException as error:
                struck.append(type(error))
                raise

        with pytest.raises(TimeoutError):
            await api.wait_for(limited(), outer)
        assert now() == 1
        assert struck == [asyncio.CancelledError if outer < inner else TimeoutError]

    run_own(main())


@pytest.mark.parametrize("turns", range(1, 7))
def test_a_caller_may_be_cancelled_in_any_turn(api, run_own, turns):
    if api is asyncio and sys.version_info < (3, 12):
        pytest.skip("asyncio hid cancellations that came with the result until 3.11")

    async def main():
        async def work():
            for _ in range(4):
                await api.sleep(0)
            return "result"

        task = api.create_task(api.wait_for(work(), 10))
        for _ in range(turns):
            await api.sleep(0)
        accepted = task.cancel()
        await api.wait([task])
        assert task.cancelled() == accepted == (turns < 5)
        await api.sleep(20)  # the timer is gone

    run_own(main())


@pytest.mark.usefixtures("since_3_12")
@pytest.mark.parametrize("wrong", [1, None, "text", []])
@pytest.mark.parametrize("timeout", [None, 1])
def test_what_can_not_be_awaited_is_refused(api, run_own, wrong, timeout):
    async def main():
        with pytest.raises(TypeError, match=r"can't be (used in 'await' expression|awaited)"):
            await api.wait_for(wrong, timeout)

    run_own(main())


def test_another_loops_future_is_refused(api, run_own):
    elsewhere = api.new_event_loop()
    future = elsewhere.create_future()

    async def main():
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            await api.wait_for(future, None)

    run_own(main())
    assert not future.cancelled()
    elsewhere.close()


@pytest.mark.parametrize("timeout", ["1", [], b"1"])
def test_a_limit_that_is_no_number_is_refused(api, run_own, timeout):
    async def main():
        coroutine = api.sleep(0, "still usable")
        with pytest.raises(TypeError, match="not supported between"):
            await api.wait_for(coroutine, timeout)
        assert await coroutine == "still usable"

    run_own(main())


def test_it_begins_nothing_before_it_is_awaited(api, run_own):
    async def main():
        begun = []

        async def begin():
            begun.append(1)

        inner = begin()
        waiting = api.wait_for(inner, 1)
        await api.sleep(0)
        assert not begun
        await waiting
        assert begun
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await waiting

    run_own(main())
