"""Factories of eager tasks, and what the combinators make of tasks that end while they are made."""

import asyncio
import inspect
import sys

import pytest
from tests.python.eager import FailedError, at_once, fail_at_once

import roundel


def test_a_gathering_of_what_ends_at_once_is_done(api, run_eagerly):
    async def main():
        gathering = api.gather(at_once(1), at_once(2))
        assert gathering.result() == [1, 2]
        failed = api.gather(at_once(1), fail_at_once("eagerly"))
        assert failed.exception().args == ("eagerly",)
        mixed = api.gather(at_once(1), api.sleep(1, 2), at_once(3))
        assert not mixed.done()
        assert await mixed == [1, 2, 3]
        both = await api.gather(at_once(1), fail_at_once("eagerly"), return_exceptions=True)
        assert both[0] == 1
        assert both[1].args == ("eagerly",)

    run_eagerly(main())


def test_wait_as_completed_and_shield_take_what_ended_at_once(api, run_eagerly):
    async def main():
        task = api.create_task(at_once("task"))
        assert await api.wait([task]) == ({task}, set())
        for first in api.as_completed([at_once("first")]):
            assert await first == "first"
        shielded = api.shield(at_once("shielded"))
        assert shielded.result() == "shielded"
        assert await api.wait_for(at_once("in time"), 0) == "in time"

    run_eagerly(main())


def test_a_group_takes_what_ended_failed_or_goes_on(api, run_eagerly):
    async def main():
        async with api.TaskGroup() as group:
            quick = group.create_task(at_once("quick"))
            assert quick.done()
            slow = group.create_task(api.sleep(1, "slow"))
        assert (quick.result(), slow.result()) == ("quick", "slow")
        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as group:
                cancelled = group.create_task(api.sleep(1_000))
                group.create_task(fail_at_once("eagerly"))
        assert [error.args for error in caught.value.exceptions] == [("eagerly",)]
        assert cancelled.cancelled()

    run_eagerly(main())


def test_a_time_limit_holds_for_its_own_task_only(api, run_eagerly):
    async def main():
        async def limited():
            async with api.timeout(1):
                await api.sleep(1_000)

        task = api.create_task(limited())
        async with api.timeout(5):
            with pytest.raises(TimeoutError):
                await task
        assert asyncio.get_running_loop().time() == 1
        assert asyncio.current_task().cancelling() == 0

        async def at_once_limited():
            async with api.timeout(0):
                return "done before"

        assert await api.create_task(at_once_limited()) == "done before"

    run_eagerly(main())


def test_a_lock_may_be_taken_in_the_first_step(api, run_eagerly):
    async def main():
        lock = api.Lock()
        log = []

        async def hold(name):
            async with lock:
                log.append(name)
                await api.sleep(1)

        tasks = [api.create_task(hold(name)) for name in "abc"]
        assert log == ["a"]
        assert lock.locked()
        await api.gather(*tasks)
        assert log == list("abc")

    run_eagerly(main())


def test_a_factory_makes_tasks_by_a_constructor(api, run_own):
    async def main():
        calls = []

        class OwnTask(api.Task):
            def __init__(self, coro, **options):
                calls.append(options)
                super().__init__(coro, **options)

        loop = asyncio.get_running_loop()
        factory = api.create_eager_task_factory(OwnTask)
        loop.set_task_factory(factory)
        assert loop.get_task_factory() is factory
        task = api.create_task(at_once("result"), name="name")
        assert type(task) is OwnTask
        assert task.done()
        assert task.get_name() == "name"
        assert calls[0]["eager_start"] is True
        assert calls[0]["loop"] is loop

    run_own(main())


def test_a_factory_shows_its_constructor_as_asyncios_does(api):
    """Libraries tell an eager factory by its code, and take its constructor out of its closure."""
    made = api.create_eager_task_factory(api.Task)
    for factory in (made, api.eager_task_factory):
        assert factory.__code__ is made.__code__
        assert [cell.cell_contents for cell in factory.__closure__] == [api.Task]
    if hasattr(asyncio, "eager_task_factory"):
        assert made.__code__ is asyncio.eager_task_factory.__code__


def test_a_constructor_may_return_anything(api, run_own):
    class Made(api.Future):
        def set_name(self, name):
            """Is called up to 3.13."""

    async def main():
        loop = asyncio.get_running_loop()
        made = []

        def construct(coro, *, loop, eager_start, **options):
            future = Made(loop=loop)
            made.append((future, coro, eager_start))
            return future

        loop.set_task_factory(api.create_eager_task_factory(construct))
        coroutine = at_once()
        assert loop.create_task(coroutine) is made[0][0]
        loop.set_task_factory(None)
        assert made[0][1:] == (coroutine, True)
        coroutine.close()

    run_own(main())


def test_a_constructor_that_fails_is_heard(api, run_own):
    async def main():
        def construct(coro, **options):
            coro.close()
            raise FailedError("constructor")

        loop = asyncio.get_running_loop()
        loop.set_task_factory(api.create_eager_task_factory(construct))
        with pytest.raises(FailedError, match="constructor"):
            api.create_task(at_once())
        loop.set_task_factory(None)

    run_own(main())


def test_a_task_may_be_eager_by_itself(api, run_own):
    async def main():
        loop = asyncio.get_running_loop()
        eager = api.Task(at_once("result"), loop=loop, eager_start=True)
        assert eager.result() == "result"
        lazy = api.Task(at_once("result"), loop=loop, eager_start=False)
        assert not lazy.done()
        assert await lazy == "result"

    run_own(main())


@pytest.mark.parametrize("api", [roundel])  # asyncio's takes it from 3.14 on
def test_create_task_takes_eager_start(api, run_own):
    async def main():
        loop = asyncio.get_running_loop()
        for create_task in (api.create_task, loop.create_task):
            assert create_task(at_once("result"), eager_start=True).result() == "result"
            for lazily in (False, None):
                lazy = create_task(at_once("result"), eager_start=lazily)
                assert not lazy.done()
                assert await lazy == "result"

    run_own(main())


HANDS_ON = any(
    parameter.kind is parameter.VAR_KEYWORD
    for parameter in inspect.signature(asyncio.BaseEventLoop.create_task).parameters.values()
)


def test_a_factory_gets_eager_start_where_asyncio_hands_it_on(api, run_eagerly):
    async def main():
        loop, work = asyncio.get_running_loop(), at_once("result")
        if HANDS_ON:
            lazy = loop.create_task(work, eager_start=False)
            assert not lazy.done()
            assert await lazy == "result"
        else:
            with pytest.raises(TypeError, match="unexpected keyword argument 'eager_start'"):
                loop.create_task(work, eager_start=False)
            work.close()

    run_eagerly(main())


def test_foreign_tasks_of_both_kinds_are_eager_on_one_loop(run_own):
    if sys.version_info < (3, 12):
        pytest.skip("asyncio's eager tasks came with 3.12")

    async def main():
        loop = asyncio.get_running_loop()
        outer = asyncio.current_task()
        seen = []

        async def look(inner=None):
            seen.append(asyncio.current_task())
            if inner:
                loop.set_task_factory(inner.eager_task_factory)
                task = loop.create_task(look())
                assert asyncio.current_task() is seen[0]
                await task

        for one, other in ((asyncio, roundel), (roundel, asyncio)):
            loop.set_task_factory(one.eager_task_factory)
            task = loop.create_task(look(other))
            assert asyncio.current_task() is outer
            await task
            assert [type(each) for each in seen] == [one.Task, other.Task]
            assert seen[0] is task
            seen.clear()

    run_own(main())
