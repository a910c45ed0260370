"""Task groups: what comes out of the block, who is cancelled, and when tasks are refused."""

import asyncio
import contextvars
import sys

import pytest

import roundel

pytestmark = pytest.mark.parametrize("api", [asyncio, roundel])


@pytest.fixture
def since_3_13(api):
    """Skips asyncio before the version in which it got the behaviour right."""
    if api is asyncio and sys.version_info < (3, 13):
        pytest.skip("asyncio got it right in 3.13")


closes_what_it_refuses = pytest.mark.skipif(
    sys.version_info < (3, 13), reason="there a refused coroutine stays open, on asyncio and here"
)


def run(main):
    return roundel.run(main, clock="virtual")


class FailedError(Exception):
    pass


async def fail(delay, *args):
    await roundel.sleep(delay)
    raise FailedError(*args)


async def note_cancellation(log, name, cleanup=0):
    try:
        await roundel.sleep(1_000)
    except asyncio.CancelledError:
        log.append(name)
        await roundel.sleep(cleanup)
        raise


def leaves(group):
    """Returns the arguments of the exceptions in a group, nested as they are."""
    return [leaves(e) if isinstance(e, BaseExceptionGroup) else e.args for e in group.exceptions]


def test_the_block_ends_when_all_tasks_have(api):
    async def main():
        loop = asyncio.get_running_loop()
        begin = loop.time()
        async with api.TaskGroup() as group:
            tasks = [group.create_task(roundel.sleep(delay, delay)) for delay in (3, 1, 2)]
        assert [task.result() for task in tasks] == [3, 1, 2]
        assert loop.time() - begin == 3

    run(main())


def test_an_empty_group_ends_without_a_turn(api):
    async def main():
        turned = []
        asyncio.get_running_loop().call_soon(turned.append, 1)
        async with api.TaskGroup():
            pass
        assert not turned

    run(main())


def test_the_first_failure_cancels_the_others_and_the_block(api):
    async def main():
        log = []
        with pytest.raises(ExceptionGroup, match="unhandled errors in a TaskGroup") as caught:
            async with api.TaskGroup() as group:
                group.create_task(note_cancellation(log, "a"))
                group.create_task(fail(1, "first"))
                group.create_task(note_cancellation(log, "b"))
                await note_cancellation(log, "block")
        assert leaves(caught.value) == [("first",)]
        assert sorted(log) == ["a", "b", "block"]
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_failures_are_in_the_order_in_which_they_came(api):
    async def stubborn(name):
        try:
            await roundel.sleep(1_000)
        finally:
            raise FailedError(name)

    async def main():
        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as group:
                group.create_task(stubborn("second"))
                group.create_task(fail(1, "first"))
                group.create_task(stubborn("third"))
                await stubborn("the block's is the last")
        first, *others, last = leaves(caught.value)
        assert (first, last) == (("first",), ("the block's is the last",))
        assert sorted(others) == [("second",), ("third",)]

    run(main())


def test_an_exception_of_the_block_cancels_the_tasks(api):
    async def main():
        log = []
        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as group:
                group.create_task(note_cancellation(log, "task"))
                await roundel.sleep(0)
                raise FailedError("block")
        assert leaves(caught.value) == [("block",)]
        assert log == ["task"]

    run(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_comes_out_of_the_block_alone(api, kind):
    async def main():
        log = []
        with pytest.raises(kind) as caught:
            async with api.TaskGroup() as group:
                group.create_task(note_cancellation(log, "task"))
                await roundel.sleep(0)
                raise kind("now")
        assert caught.value.args == ("now",)
        assert log == ["task"]

    run(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_leaves_the_loop_from_a_task(api, kind):
    async def end():
        raise kind("now")

    async def main():
        async with api.TaskGroup() as group:
            group.create_task(end())
            await roundel.sleep(1_000)

    with pytest.raises(kind):
        run(main())


def test_other_base_exceptions_come_out_in_a_base_exception_group(api):
    class Base(BaseException):
        pass

    async def fail_basely():
        raise Base("task")

    async def main():
        with pytest.raises(BaseExceptionGroup) as caught:
            async with api.TaskGroup() as group:
                group.create_task(fail_basely())
        assert type(caught.value) is BaseExceptionGroup
        assert leaves(caught.value) == [("task",)]

    run(main())


def test_a_cancelled_task_does_not_fail_the_group(api):
    async def main():
        async with api.TaskGroup() as group:
            task = group.create_task(roundel.sleep(1_000))
            other = group.create_task(roundel.sleep(1, "other"))
            await roundel.sleep(0)
            task.cancel()
        assert task.cancelled()
        assert other.result() == "other"

    run(main())


def test_a_cancellation_from_outside_waits_for_the_tasks_and_comes_out(api):
    async def main():
        log = []

        async def work():
            async with api.TaskGroup() as group:
                group.create_task(note_cancellation(log, "a", cleanup=5))
                group.create_task(note_cancellation(log, "b"))

        worker = roundel.create_task(work())
        await roundel.sleep(1)
        worker.cancel("outside")
        begin = asyncio.get_running_loop().time()
        with pytest.raises(asyncio.CancelledError):
            await worker
        assert asyncio.get_running_loop().time() - begin == 5
        assert sorted(log) == ["a", "b"]

    run(main())


def test_failures_of_tasks_have_precedence_over_a_cancellation_from_outside(api):
    async def main():
        async def fail_when_cancelled():
            try:
                await roundel.sleep(1_000)
            finally:
                raise FailedError("cleanup")

        async def work():
            async with api.TaskGroup() as group:
                group.create_task(fail_when_cancelled())
                await roundel.sleep(1_000)

        worker = roundel.create_task(work())
        await roundel.sleep(1)
        worker.cancel()
        with pytest.raises(ExceptionGroup) as caught:
            await worker
        assert leaves(caught.value) == [("cleanup",)]
        assert worker.cancelling() == 1

    run(main())


@pytest.mark.usefixtures("since_3_13")
def test_a_cancellation_that_a_failure_hides_comes_at_the_next_await(api):
    async def main():
        log = []

        async def fail_when_cancelled():
            try:
                await roundel.sleep(1_000)
            finally:
                raise FailedError("cleanup")

        async def work():
            try:
                async with api.TaskGroup() as group:
                    group.create_task(fail_when_cancelled())
            except* FailedError:
                log.append(asyncio.current_task().cancelling())
            await roundel.sleep(0)
            log.append("went on")

        worker = roundel.create_task(work())
        asyncio.get_running_loop().call_later(1, worker.cancel)
        with pytest.raises(asyncio.CancelledError):
            await worker
        assert log == [1]

    run(main())


@pytest.mark.usefixtures("since_3_13")
def test_nested_groups_fail_from_the_inside_out(api):
    async def main():
        log = []
        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as outer:
                outer.create_task(note_cancellation(log, "outer"))
                async with api.TaskGroup() as inner:
                    inner.create_task(note_cancellation(log, "inner"))
                    inner.create_task(fail(1, "deep"))
        assert leaves(caught.value) == [[("deep",)]]
        assert log == ["inner", "outer"]
        assert asyncio.current_task().cancelling() == 0

    run(main())


def test_a_failure_of_the_outer_group_cancels_the_inner_block(api):
    async def main():
        log = []
        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as outer:
                outer.create_task(fail(1, "outer"))
                async with api.TaskGroup() as inner:
                    inner.create_task(note_cancellation(log, "inner", cleanup=3))
        assert leaves(caught.value) == [("outer",)]
        assert log == ["inner"]

    run(main())


def test_a_task_can_add_tasks_while_the_block_waits(api):
    async def main():
        done = []

        async def grow(group, depth):
            if depth:
                group.create_task(grow(group, depth - 1))
            await roundel.sleep(1)
            done.append(depth)

        async with api.TaskGroup() as group:
            group.create_task(grow(group, 3))
        assert done == [3, 2, 1, 0]

    run(main())


@closes_what_it_refuses
@pytest.mark.parametrize("entered", [False, True])
def test_a_group_that_takes_no_tasks_closes_the_coroutine(api, entered):
    async def main():
        group = api.TaskGroup()
        if entered:
            async with group:
                pass
        coroutine = fail(0)
        with pytest.raises(
            RuntimeError, match="is finished" if entered else "has not been entered"
        ):
            group.create_task(coroutine)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await coroutine

    run(main())


@closes_what_it_refuses
def test_a_group_that_is_shutting_down_takes_no_tasks(api):
    async def main():
        refusals = []

        async def add_late(group):
            try:
                await roundel.sleep(1_000)
            finally:
                with pytest.raises(RuntimeError, match="is shutting down") as caught:
                    group.create_task(fail(0))
                refusals.append(caught)

        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as group:
                group.create_task(add_late(group))
                group.create_task(fail(1, "first"))
        assert leaves(caught.value) == [("first",)]
        assert len(refusals) == 1

    run(main())


def test_a_group_is_entered_once(api):
    async def main():
        group = api.TaskGroup()
        async with group:
            with pytest.raises(RuntimeError, match="has already been entered"):
                await group.__aenter__()
        with pytest.raises(RuntimeError, match="has already been entered"):
            await group.__aenter__()

    run(main())


@pytest.mark.usefixtures("since_3_13")
def test_tasks_get_name_and_context(api):
    async def main():
        variable = contextvars.ContextVar("variable", default="outside")
        context = contextvars.copy_context()
        context.run(variable.set, "inside")

        async def read():
            return variable.get()

        async with api.TaskGroup() as group:
            task = group.create_task(read(), name="reader", context=context)
        assert task.get_name() == "reader"
        assert task.result() == "inside"

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
def test_eager_tasks_may_end_or_fail_before_they_are_added(api):
    async def at_once(value):
        return value

    async def fail_at_once():
        raise FailedError("eagerly")

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with api.TaskGroup() as group:
            task = group.create_task(at_once("value"))
            assert task.done()
        assert task.result() == "value"
        reached = []
        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as group:
                group.create_task(fail_at_once())
                reached.append("after")
                await roundel.sleep(1_000)
        assert leaves(caught.value) == [("eagerly",)]
        assert reached == ["after"]

    run(main())


def test_a_failure_after_the_parent_has_ended_goes_to_the_exception_handler(api):
    async def main():
        loop = asyncio.get_running_loop()
        reported = []
        loop.set_exception_handler(lambda _, context: reported.append(context))
        group = api.TaskGroup()
        parent = roundel.create_task(group.__aenter__())
        await parent
        task = group.create_task(fail(1, "late"))
        await roundel.sleep(2)
        assert task.done()
        assert [context["exception"].args for context in reported] == [("late",)]
        assert "has errored out but its parent task" in reported[0]["message"]

    run(main())


def test_many_tasks_end_in_the_order_in_which_they_were_made(api):
    async def main():
        ended = []

        async def end(number):
            ended.append(number)

        async with api.TaskGroup() as group:
            for number in range(1_000):
                group.create_task(end(number))
        assert ended == list(range(1_000))
        assert not group._tasks

    run(main())


def test_tasks_that_outlive_thousands_of_others_are_cancelled_with_the_group(api):
    async def main():
        log = []
        with pytest.raises(ExceptionGroup):
            async with api.TaskGroup() as group:
                for number in range(3):
                    group.create_task(note_cancellation(log, number))
                    for _ in range(20):
                        for task in [group.create_task(roundel.sleep(0)) for _ in range(50)]:
                            await task
                        await roundel.sleep(0)
                assert len(group._tasks) == 3
                group.create_task(fail(1))
        assert sorted(log) == [0, 1, 2]

    run(main())


@pytest.mark.parametrize("kind", [asyncio.Task, roundel.Task])
def test_tasks_of_any_kind_belong_to_a_group(api, kind):
    class OwnTask(kind):
        """Of a derived class."""

    async def main():
        log = []
        loop = asyncio.get_running_loop()
        kinds = iter([kind, OwnTask, roundel.Task, kind])
        loop.set_task_factory(lambda loop, coro, **kwargs: next(kinds)(coro, loop=loop, **kwargs))
        with pytest.raises(ExceptionGroup) as caught:
            async with api.TaskGroup() as group:
                for number in range(3):
                    group.create_task(note_cancellation(log, number))
                assert len(group._tasks) == 3
                group.create_task(fail(1, "cause"))
        loop.set_task_factory(None)
        assert leaves(caught.value) == [("cause",)]
        assert sorted(log) == [0, 1, 2]

    run(main())


def test_a_task_can_be_in_two_groups(api):
    async def main():
        loop = asyncio.get_running_loop()
        task = roundel.Task(roundel.sleep(1, "done"), loop=loop)
        other = roundel.sleep(0)
        loop.set_task_factory(lambda loop, coro, **kwargs: task)
        async with api.TaskGroup() as outer:
            outer.create_task(other)
            async with api.TaskGroup() as inner:
                inner.create_task(other)
                assert list(inner._tasks) == list(outer._tasks) == [task]
            loop.set_task_factory(None)
        assert task.result() == "done"
        other.close()

    run(main())
