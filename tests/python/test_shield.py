"""shield: a cancellation from outside stops at it, one from inside passes, and so does all else."""

import asyncio

import pytest


class FailedError(Exception):
    pass


async def fail(api, delay, *args):
    await api.sleep(delay)
    raise FailedError(*args)


async def shielding(api, awaitable):
    return await api.shield(awaitable)


def test_a_result_and_a_failure_come_through(api, run_own):
    async def main():
        assert await api.shield(api.sleep(1, "result")) == "result"
        with pytest.raises(FailedError, match="inside"):
            await api.shield(fail(api, 1, "inside"))

    run_own(main())


def test_it_is_done_a_turn_after_what_it_shields(api, run_own):
    async def main():
        inner = asyncio.get_running_loop().create_future()
        outer = api.shield(inner)
        inner.set_result("result")
        assert not outer.done()
        await api.sleep(0)
        assert outer.result() == "result"

    run_own(main())


def test_what_is_done_needs_no_shield(api, run_own):
    async def main():
        inner = asyncio.get_running_loop().create_future()
        inner.set_result("result")
        assert api.shield(inner) is inner

    run_own(main())


def test_a_cancelled_caller_leaves_the_work_alone(api, run_own):
    async def main():
        work = api.create_task(api.sleep(5, "finished"))
        caller = api.create_task(shielding(api, work))
        await api.sleep(1)
        caller.cancel("message")
        with pytest.raises(asyncio.CancelledError) as caught:
            await caller
        assert caught.value.args == ("message",)
        assert asyncio.get_running_loop().time() == 1
        assert work.cancelling() == 0
        assert await work == "finished"

    run_own(main())


def test_a_coroutine_goes_on_though_nobody_else_knows_it(api, run_own):
    async def main():
        log = []

        async def work():
            await api.sleep(5)
            log.append("finished")

        caller = api.create_task(shielding(api, work()))
        await api.sleep(1)
        caller.cancel()
        await api.sleep(1)
        assert caller.cancelled()
        (left,) = asyncio.all_tasks() - {asyncio.current_task()}
        await left
        assert log == ["finished"]

    run_own(main())


def test_a_cancelled_shield_hears_no_more_of_the_work(api, run_own):
    async def main():
        inner = asyncio.get_running_loop().create_future()
        outer = api.shield(inner)
        assert inner._callbacks
        assert outer.cancel()
        await api.sleep(0)
        assert not inner._callbacks
        inner.set_result("result")
        await api.sleep(0)
        assert outer.cancelled()

    run_own(main())


@pytest.mark.parametrize("first", ["inner", "outer"])
@pytest.mark.parametrize("end", ["result", "exception", "cancel"])
def test_both_may_end_in_the_same_turn(api, run_own, first, end):
    async def main():
        inner = asyncio.get_running_loop().create_future()
        outer = api.shield(inner)
        finish = {
            "result": lambda: inner.set_result("result"),
            "exception": lambda: inner.set_exception(FailedError()),
            "cancel": inner.cancel,
        }[end]
        if first == "inner":
            finish()
            assert outer.cancel()
        else:
            assert outer.cancel()
            finish()
        with pytest.raises(asyncio.CancelledError):
            await outer
        await api.sleep(0)
        assert inner.done()
        assert inner.cancelled() == (end == "cancel")
        if end == "exception":
            assert isinstance(inner.exception(), FailedError)

    run_own(main())


def test_work_that_is_cancelled_cancels_the_caller(api, run_own):
    async def main():
        work = api.create_task(api.sleep(1_000))
        outer = api.shield(work)
        await api.sleep(1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert outer.cancelled()
        assert asyncio.current_task().cancelling() == 0

    run_own(main())


def test_one_of_two_callers_may_be_cancelled(api, run_own):
    async def main():
        work = api.create_task(api.sleep(5, "finished"))
        callers = [api.create_task(shielding(api, work)) for _ in range(2)]
        await api.sleep(1)
        callers[0].cancel()
        assert await callers[1] == "finished"
        assert callers[0].cancelled()

    run_own(main())


def test_a_shield_in_a_shield_in_a_time_limit(api, run_own):
    async def main():
        work = api.create_task(api.sleep(5, "finished"))
        with pytest.raises(TimeoutError):
            await api.wait_for(api.shield(api.shield(work)), 1)
        assert asyncio.get_running_loop().time() == 1
        assert await work == "finished"

    run_own(main())


def test_a_failure_that_a_caller_gets_is_reported_to_nobody_else(api, run_own):
    async def main():
        reported = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
        with pytest.raises(FailedError):
            await api.shield(fail(api, 1))
        await api.sleep(1)
        assert not reported

    run_own(main())


def test_a_shield_may_be_made_before_its_loop_runs(api):
    loop = api.new_event_loop()
    inner = loop.create_future()
    outer = api.shield(inner)
    loop.call_soon(inner.set_result, "result")
    assert loop.run_until_complete(outer) == "result"
    loop.close()


def test_a_shield_of_another_loops_future_is_another_loops(api, run_own):
    elsewhere = api.new_event_loop()
    outer = api.shield(elsewhere.create_future())
    assert outer.get_loop() is elsewhere

    async def main():
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            await outer

    run_own(main())
    elsewhere.close()


@pytest.mark.parametrize("wrong", [1, None, "text", []])
def test_what_can_not_be_awaited_is_refused(api, run_own, wrong):
    async def main():
        with pytest.raises(TypeError, match="is required"):
            api.shield(wrong)

    run_own(main())
