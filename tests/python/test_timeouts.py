"""Time limits: when they strike, and what becomes of other cancellations meanwhile."""

import asyncio

import pytest

import roundel

pytestmark = pytest.mark.parametrize("api", [asyncio, roundel])


def run(main):
    return roundel.run(main, clock="virtual")


def now():
    return asyncio.get_running_loop().time()


def test_a_block_that_is_quick_enough_is_left_alone(api):
    async def main():
        async with api.timeout(2) as limit:
            await roundel.sleep(1)
        assert not limit.expired()
        await roundel.sleep(5)  # the timer is gone
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_a_block_that_takes_too_long_is_cancelled_and_raises_timeout_error(api):
    async def main():
        begin, inside = now(), []
        with pytest.raises(TimeoutError) as caught:
            async with api.timeout(2) as limit:
                try:
                    await roundel.sleep(1_000)
                except asyncio.CancelledError as error:
                    inside.append(error)
                    raise
        assert now() - begin == 2
        assert limit.expired()
        assert caught.value.__cause__ is inside[0]
        assert asyncio.current_task().cancelling() == 0

    run(main())


@pytest.mark.parametrize("delay", [0, -1, float("-inf"), float("nan")])
def test_a_limit_that_is_over_strikes_at_the_first_wait_only(api, delay):
    async def main():
        async with api.timeout(delay) as limit:
            pass
        assert not limit.expired()
        begin = now()
        with pytest.raises(TimeoutError):
            async with api.timeout(delay):
                await roundel.sleep(1)
        assert now() == begin

    run(main())


def test_no_delay_is_no_limit(api):
    async def main():
        async with api.timeout(None) as limit:
            await roundel.sleep(1_000_000)
        assert limit.when() is None
        async with api.timeout_at(None) as limit:
            await roundel.sleep(1)
        assert not limit.expired()

    run(main())


def test_a_limit_at_a_time_of_the_loop(api):
    async def main():
        when = now() + 3
        with pytest.raises(TimeoutError):
            async with api.timeout_at(when) as limit:
                assert limit.when() == when
                await roundel.sleep(1_000)
        assert now() == when

    run(main())


@pytest.mark.parametrize(("moved", "expected"), [(5, 5), (1.5, 1.5), (0, 1), (None, 10)])
def test_a_limit_can_be_moved(api, moved, expected):
    async def main():
        begin = now()
        try:
            async with api.timeout(2) as limit:
                await roundel.sleep(1)
                limit.reschedule(None if moved is None else begin + moved)
                await roundel.sleep(9)
        except TimeoutError:
            assert limit.expired()
        assert now() - begin == expected

    run(main())


def test_a_limit_that_struck_can_not_be_moved(api):
    async def main():
        refused = []
        with pytest.raises(TimeoutError):
            async with api.timeout(1) as limit:
                try:
                    await roundel.sleep(1_000)
                finally:
                    with pytest.raises(
                        RuntimeError, match="Cannot change state of expiring Timeout"
                    ) as caught:
                        limit.reschedule(now() + 5)
                    refused.append(caught)
        assert refused
        with pytest.raises(RuntimeError, match="Cannot change state of expired Timeout"):
            limit.reschedule(None)

    run(main())


def test_a_limit_has_one_life(api):
    async def main():
        limit = api.timeout(1)
        with pytest.raises(RuntimeError, match="Timeout has not been entered"):
            limit.reschedule(5)
        async with limit:
            assert "active" in repr(limit)
            with pytest.raises(RuntimeError, match="Timeout has already been entered"):
                await limit.__aenter__()
        with pytest.raises(RuntimeError, match="Cannot change state of finished Timeout"):
            limit.reschedule(None)
        with pytest.raises(RuntimeError, match="Timeout has already been entered"):
            await limit.__aenter__()

    run(main())


def test_a_limit_needs_a_task(api):
    async def main():
        loop, outcome = asyncio.get_running_loop(), []

        def outside():
            entering = api.timeout(1).__aenter__()
            with pytest.raises(
                RuntimeError, match="Timeout should be used inside a task"
            ) as caught:
                entering.send(None)
            outcome.append(caught)

        loop.call_soon(outside)
        await roundel.sleep(0)
        assert outcome

    run(main())


@pytest.mark.parametrize(("outer", "inner"), [(1, 2), (2, 1)])
def test_of_nested_limits_the_one_whose_time_is_up_raises(api, outer, inner):
    async def main():
        begin, inner_raised = now(), False
        with pytest.raises(TimeoutError):
            async with api.timeout(outer) as outer_limit:
                try:
                    async with api.timeout(inner) as inner_limit:
                        await roundel.sleep(1_000)
                except TimeoutError:
                    inner_raised = True
                    raise
        assert now() - begin == 1
        assert inner_raised == (inner < outer)
        assert inner_limit.expired() == (inner < outer)
        assert outer_limit.expired() == (outer < inner)

    run(main())


def test_of_nested_limits_that_end_together_the_outer_one_raises(api):
    async def main():
        caught_inside = []
        with pytest.raises(TimeoutError):
            async with api.timeout(1) as outer:
                try:
                    async with api.timeout(1) as inner:
                        await roundel.sleep(1_000)
                except BaseException as error:
                    caught_inside.append(type(error))
                    raise
        assert outer.expired()
        assert inner.expired()
        assert caught_inside == [asyncio.CancelledError]
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_a_cancellation_from_outside_passes(api):
    async def main():
        async def work():
            async with api.timeout(10):
                await roundel.sleep(1_000)

        task = roundel.create_task(work())
        await roundel.sleep(1)
        task.cancel("outside")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.args == ("outside",)
        assert task.cancelling() == 1

    run(main())


@pytest.mark.parametrize("cancel_first", [True, False])
def test_a_cancellation_at_the_same_moment_is_not_swallowed(api, cancel_first):
    async def main():
        loop = asyncio.get_running_loop()
        entered = loop.create_future()
        limits = []

        async def work():
            if cancel_first:
                await entered
            async with api.timeout_at(when) as limit:
                limits.append(limit)
                if not cancel_first:
                    entered.set_result(None)
                await roundel.sleep(1_000)

        when = now() + 1
        task = roundel.create_task(work())
        if cancel_first:
            loop.call_at(when, task.cancel)
            entered.set_result(None)
        else:
            await entered
            loop.call_at(when, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert limits[0].expired()
        assert task.cancelling() == 1

    run(main())


def test_cancellations_from_before_the_block_do_not_count(api):
    async def main():
        async def work():
            try:
                await roundel.sleep(1_000)
            except asyncio.CancelledError:
                assert asyncio.current_task().cancelling() == 1
            with pytest.raises(TimeoutError):
                async with api.timeout(1):
                    await roundel.sleep(1_000)
            return asyncio.current_task().cancelling()

        task = roundel.create_task(work())
        await roundel.sleep(0)
        task.cancel()
        assert await task == 1

    run(main())


def test_a_block_that_catches_its_cancellation_goes_on(api):
    async def main():
        async with api.timeout(1) as limit:
            try:
                await roundel.sleep(1_000)
            except asyncio.CancelledError:
                await roundel.sleep(5)
        assert limit.expired()
        assert asyncio.current_task().cancelling() == 0
        await roundel.sleep(1)

    run(main())


def test_another_exception_passes_even_when_time_is_up(api):
    async def main():
        with pytest.raises(ValueError, match="cleanup"):
            async with api.timeout(1) as limit:
                try:
                    await roundel.sleep(1_000)
                finally:
                    raise ValueError("cleanup")
        assert limit.expired()
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_an_exception_of_the_block_stops_the_timer(api):
    async def main():
        with pytest.raises(ValueError, match="block"):
            async with api.timeout(1):
                raise ValueError("block")
        await roundel.sleep(5)
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_a_limit_in_a_group_in_a_limit(api):
    async def main():
        begin = now()
        with pytest.raises(ExceptionGroup) as caught:
            async with api.timeout(5), api.TaskGroup() as group:

                async def limited():
                    async with api.timeout(1):
                        await roundel.sleep(1_000)

                group.create_task(limited())
                await roundel.sleep(1_000)
        assert [type(error) for error in caught.value.exceptions] == [TimeoutError]
        assert now() - begin == 1

    run(main())


def test_wait_for_without_time_asks_once(api):
    async def main():
        async def at_once():
            return "result"

        assert await api.wait_for(at_once(), None) == "result"
        done = asyncio.get_running_loop().create_future()
        done.set_result("done")
        assert await api.wait_for(done, 0) == "done"
        pending = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await api.wait_for(pending, -1)
        assert pending.cancelled()

    run(main())
