"""gather: what comes out of it, when, and whom a cancellation reaches."""

import asyncio
import sys

import pytest


class FailedError(Exception):
    pass


async def fail(api, delay, *args):
    await api.sleep(delay)
    raise FailedError(*args)


async def note_cancellation(api, log, name, cleanup=0):
    try:
        await api.sleep(1_000)
    except asyncio.CancelledError as error:
        log.append((name, *error.args))
        await api.sleep(cleanup)
        raise


async def stay(api, result):
    """Does not let itself be cancelled."""
    try:
        await api.sleep(1_000)
    except asyncio.CancelledError:
        await api.sleep(0)
    return result


def now():
    return asyncio.get_running_loop().time()


def test_results_are_in_the_order_of_the_arguments(api, run_own):
    async def main():
        begin = now()
        assert await api.gather(*(api.sleep(delay, delay) for delay in (3, 1, 2))) == [3, 1, 2]
        assert now() - begin == 3

    run_own(main())


def test_coroutines_begin_a_turn_later_in_the_order_of_the_arguments(api, run_own):
    async def main():
        begun = []

        async def begin(number):
            begun.append(number)

        gathering = api.gather(*map(begin, range(5)))
        assert not begun
        await api.sleep(0)
        assert begun == [0, 1, 2, 3, 4]
        await gathering

    run_own(main())


def test_it_is_done_a_turn_after_the_last_child(api, run_own):
    async def main():
        first, last = (asyncio.get_running_loop().create_future() for _ in range(2))
        gathering = api.gather(first, last)
        last.set_result("last")
        await api.sleep(0)
        assert not gathering.done()
        first.set_result("first")
        assert not gathering.done()
        await api.sleep(0)
        assert gathering.result() == ["first", "last"]

    run_own(main())


def test_it_is_done_at_once_if_all_children_are(api, run_own):
    if api is asyncio and sys.version_info < (3, 12):
        pytest.skip("asyncio takes a turn until 3.11")

    async def main():
        good, bad = (asyncio.get_running_loop().create_future() for _ in range(2))
        good.set_result("good")
        assert api.gather(good, good).result() == ["good", "good"]
        bad.set_exception(FailedError("bad"))
        assert api.gather(good, bad).exception().args == ("bad",)
        bad.exception()

    run_own(main())


def test_what_is_given_twice_is_in_the_results_twice(api, run_own):
    async def main():
        future = asyncio.get_running_loop().create_future()
        begun = []

        async def once():
            begun.append(1)
            return "once"

        coroutine = once()
        gathering = api.gather(future, coroutine, future, coroutine)
        await api.sleep(0)
        future.set_result("future")
        assert await gathering == ["future", "once", "future", "once"]
        assert begun == [1]

    run_own(main())


def test_awaitables_of_all_kinds_are_gathered(api, run_own):
    class Awaitable:
        def __await__(self):
            return (yield from api.sleep(1, "awaitable").__await__())

    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(2, future.set_result, "future")
        task = api.create_task(api.sleep(3, "task"))
        inner = api.gather(api.sleep(1, "inner"))
        results = await api.gather(Awaitable(), future, task, inner, api.sleep(0, "coroutine"))
        assert results == ["awaitable", "future", "task", ["inner"], "coroutine"]

    run_own(main())


def test_a_gathering_may_be_made_before_its_loop_runs(api):
    loop = api.new_event_loop()
    future = loop.create_future()
    gathering = api.gather(future)
    loop.call_soon(future.set_result, 1)
    assert loop.run_until_complete(gathering) == [1]
    loop.close()


def test_the_first_failure_comes_out_at_once_and_the_others_go_on(api, run_own):
    async def main():
        begin = now()
        other = api.create_task(api.sleep(5, "other"))
        with pytest.raises(FailedError) as caught:
            await api.gather(other, fail(api, 2, "second"), fail(api, 1, "first"))
        assert caught.value.args == ("first",)
        assert now() - begin == 1
        assert await other == "other"
        assert now() - begin == 5

    run_own(main())


def test_of_failures_in_one_turn_that_which_came_first_comes_out(api, run_own):
    async def main():
        first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
        gathering = api.gather(second, first)
        first.set_exception(FailedError("first"))
        second.set_exception(FailedError("second"))
        with pytest.raises(FailedError) as caught:
            await gathering
        assert caught.value.args == ("first",)

    run_own(main())


def test_failures_that_come_too_late_are_not_reported(api, run_own):
    async def main():
        reported = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context["message"])
        )
        with pytest.raises(FailedError):
            await api.gather(fail(api, 1), fail(api, 2), fail(api, 3))
        await api.sleep(5)
        assert not reported

    run_own(main())


def test_a_failure_that_nobody_asks_for_is_reported_once(api, run_own):
    async def main():
        reported = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append((context["message"], context["exception"].args))
        )
        api.gather(fail(api, 1, "unheard"), api.sleep(0))
        await api.sleep(2)
        message = "_GatheringFuture exception was never retrieved"
        assert reported == [(message, ("unheard",))]

    run_own(main())


def test_exceptions_may_be_results(api, run_own):
    class Base(BaseException):
        pass

    async def fail_basely():
        raise Base("base")

    async def main():
        begin = now()
        cancelled = asyncio.get_running_loop().create_future()
        cancelled.cancel("message")
        results = await api.gather(
            api.sleep(5, "good"),
            fail(api, 1, "bad"),
            fail_basely(),
            cancelled,
            return_exceptions=True,
        )
        assert now() - begin == 5
        good, bad, base, cancellation = results
        assert good == "good"
        assert (type(bad), bad.args) == (FailedError, ("bad",))
        assert (type(base), base.args) == (Base, ("base",))
        assert (type(cancellation), cancellation.args) == (
            asyncio.CancelledError,
            ("message",),
        )

    run_own(main())


def test_a_child_that_is_cancelled_fails_the_gathering_and_cancels_nobody(api, run_own):
    async def main():
        child, other = (api.create_task(api.sleep(delay, delay)) for delay in (10, 5))
        gathering = api.gather(child, other)
        await api.sleep(0)
        child.cancel("elsewhere")
        with pytest.raises(asyncio.CancelledError) as caught:
            await gathering
        assert caught.value.args == ("elsewhere",)
        assert not gathering.cancelled()
        assert asyncio.current_task().cancelling() == 0
        assert await other == 5

    run_own(main())


def test_cancelling_a_gathering_cancels_all_that_are_pending(api, run_own):
    async def main():
        log = []
        done = api.create_task(api.sleep(0, "done"))
        gathering = api.gather(
            done, *(note_cancellation(api, log, name, cleanup=5) for name in "ab")
        )
        await api.sleep(1)
        begin = now()
        assert gathering.cancel("message")
        assert not gathering.done()
        with pytest.raises(asyncio.CancelledError) as caught:
            await gathering
        assert caught.value.args == ("message",)
        assert log == [("a", "message"), ("b", "message")]
        assert now() - begin == 5
        assert done.result() == "done"

    run_own(main())


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_a_cancelled_caller_hears_of_it_whatever_the_children_do(api, run_own, return_exceptions):
    async def main():
        children = [api.create_task(stay(api, number)) for number in range(2)]

        async def gather():
            return await api.gather(*children, return_exceptions=return_exceptions)

        task = api.create_task(gather())
        await api.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert [child.result() for child in children] == [0, 1]

    run_own(main())


def test_a_cancelled_gathering_of_exceptions_waits_for_the_last_child(api, run_own):
    async def main():
        log = []
        gathering = api.gather(
            note_cancellation(api, log, "slow", cleanup=7),
            note_cancellation(api, log, "quick"),
            fail(api, 0),
            return_exceptions=True,
        )
        await api.sleep(1)
        gathering.cancel("message")
        with pytest.raises(asyncio.CancelledError):
            await gathering
        assert now() == 8
        assert log == [("slow", "message"), ("quick", "message")]

    run_own(main())


@pytest.mark.parametrize("ended", ["child", "gathering"])
def test_there_is_nothing_to_cancel_when_all_have_ended(api, run_own, ended):
    async def main():
        child = asyncio.get_running_loop().create_future()
        gathering = api.gather(child)
        child.set_result(1)
        if ended == "gathering":
            await api.sleep(0)
        assert gathering.done() == (ended == "gathering")
        assert not gathering.cancel()
        assert await gathering == [1]

    run_own(main())


def test_cancelling_a_gathering_that_has_failed_leaves_the_others_alone(api, run_own):
    async def main():
        other = api.create_task(api.sleep(5, "other"))
        gathering = api.gather(other, fail(api, 1))
        with pytest.raises(FailedError):
            await gathering
        assert not gathering.cancel()
        assert await other == "other"

    run_own(main())


def test_gatherings_that_share_a_child_are_cancelled_by_it(api, run_own):
    async def main():
        shared = api.create_task(api.sleep(1_000))
        mine = api.create_task(api.sleep(2, "mine"))
        one, other = api.gather(shared), api.gather(shared, mine)
        await api.sleep(1)
        one.cancel()
        results = await api.gather(one, other, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 2
        assert await mine == "mine"

    run_own(main())


@pytest.mark.parametrize("turns", range(10))
@pytest.mark.parametrize("return_exceptions", [False, True])
def test_a_caller_may_be_cancelled_in_any_turn(api, run_own, turns, return_exceptions):
    async def main():
        loop = asyncio.get_running_loop()
        ends = []

        async def child(number):
            try:
                for _ in range(number):
                    await api.sleep(0)
            finally:
                ends.append(number)

        async def gather():
            children = (child(number) for number in range(1, 6))
            await api.gather(*children, return_exceptions=return_exceptions)

        task = api.create_task(gather())
        for _ in range(turns):
            await api.sleep(0)
        accepted = task.cancel()
        await api.wait([task])
        # After 7 turns all have ended, after 8 the gathering has, after 9 its caller.
        assert task.cancelled() == accepted
        assert accepted == (turns < 9)
        # Who is cancelled before its first turn has none.
        assert sorted(ends) == ([] if turns < 2 else [1, 2, 3, 4, 5])
        assert asyncio.all_tasks(loop) == {asyncio.current_task()}

    run_own(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_leaves_the_loop_from_a_child(api, run_own, kind):
    ends = []

    async def end():
        await api.sleep(0)
        raise kind("now")

    async def main():
        try:
            await api.gather(end(), note_cancellation(api, ends, "other"))
        finally:
            ends.append("main")

    with pytest.raises(kind, match="now"):
        run_own(main())
    assert ("other",) in ends
    assert "main" in ends


def test_what_is_wrong_among_the_arguments_is_refused(api, run_own):
    async def main():
        with pytest.raises(TypeError, match="is required"):
            api.gather(1)
        begun = []

        async def begin():
            begun.append(1)

        with pytest.raises(TypeError, match="is required"):
            api.gather(begin(), None)
        await api.sleep(0)
        assert begun == [1]  # it was a task by then

    run_own(main())


def test_futures_of_another_loop_are_refused(api, run_own):
    elsewhere = api.new_event_loop()
    foreign = elsewhere.create_future()

    async def main():
        own = asyncio.get_running_loop().create_future()
        for arguments in ((own, foreign), (foreign, own)):
            with pytest.raises(ValueError, match="belongs to a different loop"):
                api.gather(*arguments)
        if sys.version_info >= (3, 14):  # which asks for the running loop's alone
            with pytest.raises(ValueError, match="belongs to a different loop"):
                api.gather(foreign)
        else:
            gathering = api.gather(foreign)
            with pytest.raises(RuntimeError, match="attached to a different loop"):
                await gathering

    run_own(main())
    elsewhere.close()
