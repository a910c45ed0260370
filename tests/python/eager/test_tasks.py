"""Tasks that take their first step while they are made."""

import asyncio
import contextvars
import gc
import sys

import pytest
from tests.python.eager import FailedError, at_once, fail_at_once

import roundel

variable = contextvars.ContextVar("variable", default="outside")


def test_the_first_step_is_taken_while_the_task_is_made(api, run_eagerly):
    async def main():
        log = []

        async def work():
            log.append("first step")
            await api.sleep(0)
            log.append("second step")

        task = api.create_task(work())
        assert log == ["first step"]
        assert not task.done()
        await api.sleep(0)
        assert log == ["first step", "second step"]
        await task

    run_eagerly(main())


def test_who_ends_in_the_first_step_is_done(api, run_eagerly):
    async def main():
        turned = []
        asyncio.get_running_loop().call_soon(turned.append, 1)
        task = api.create_task(at_once("result"))
        assert task.done()
        assert await task == "result"
        if api is roundel or sys.version_info >= (3, 13):  # before, asyncio's crashes there
            assert task.get_coro() is None
        assert not turned  # awaiting what is done takes no turn

    run_eagerly(main())


def test_the_callbacks_of_who_ends_in_the_first_step_are_called_in_the_next_turn(api, run_eagerly):
    async def main():
        called = []
        task = api.create_task(at_once())
        task.add_done_callback(called.append)
        assert not called
        await api.sleep(0)
        assert called == [task]

    run_eagerly(main())


def test_a_failure_in_the_first_step_is_the_tasks(api, run_eagerly):
    async def main():
        task = api.create_task(fail_at_once("eagerly"))
        assert task.done()
        with pytest.raises(FailedError, match="eagerly"):
            await task

    run_eagerly(main())


def test_a_failure_in_the_first_step_that_nobody_asks_for_is_reported(api, run_eagerly):
    async def main():
        reported = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append((context["message"], context["exception"].args))
        )
        api.create_task(fail_at_once("unheard"))
        gc.collect()
        assert reported == [("Task exception was never retrieved", ("unheard",))]

    run_eagerly(main())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_leaves_create_task(api, run_eagerly, kind):
    async def end():
        raise kind("now")

    async def main():
        outer = asyncio.current_task()
        with pytest.raises(kind, match="now"):
            api.create_task(end())
        assert asyncio.current_task() is outer
        assert asyncio.all_tasks() == {outer}

    run_eagerly(main())


def test_who_cancels_itself_in_the_first_step_is_cancelled(api, run_eagerly):
    async def main():
        async def raise_cancelled():
            raise asyncio.CancelledError("by itself")

        async def cancel_and_end():
            asyncio.current_task().cancel("asked for")

        async def cancel_and_wait():
            asyncio.current_task().cancel("asked for")
            await api.sleep(1_000)

        raised = api.create_task(raise_cancelled())
        assert raised.cancelled()
        ended = api.create_task(cancel_and_end())
        assert ended.cancelled()
        waits = api.create_task(cancel_and_wait())
        assert not waits.done()
        for task, message in ((raised, "by itself"), (ended, "asked for"), (waits, "asked for")):
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.args == (message,)
        assert asyncio.current_task().cancelling() == 0

    run_eagerly(main())


def test_it_can_be_cancelled_at_its_first_wait(api, run_eagerly):
    async def main():
        log = []

        async def work():
            try:
                await api.sleep(1_000)
            except asyncio.CancelledError as error:
                log.append(error.args)
                raise

        task = api.create_task(work())
        task.cancel("message")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == [("message",)]
        assert asyncio.get_running_loop().time() == 0

    run_eagerly(main())


def test_it_is_the_current_task_in_its_first_step_and_its_maker_afterwards(api, run_eagerly):
    async def main():
        outer = asyncio.current_task()
        seen = {}

        async def inner():
            seen["inner"] = asyncio.current_task()
            await api.sleep(0)
            assert asyncio.current_task() is seen["inner"]

        async def middle():
            seen["middle"] = asyncio.current_task()
            task = api.create_task(inner())
            assert asyncio.current_task() is seen["middle"]
            assert task is seen["inner"]
            await task
            assert asyncio.current_task() is seen["middle"]

        task = api.create_task(middle())
        assert asyncio.current_task() is outer
        assert task is seen["middle"]
        with pytest.raises(FailedError):
            await api.create_task(fail_at_once())
        assert asyncio.current_task() is outer
        await task

    run_eagerly(main())


def test_a_callback_that_makes_one_is_no_task_before_or_after(api, run_eagerly):
    async def main():
        seen = []

        async def look():
            seen.append(asyncio.current_task())

        def callback():
            seen.append(asyncio.current_task())
            tasks.append(api.create_task(look()))
            seen.append(asyncio.current_task())

        tasks = []
        asyncio.get_running_loop().call_soon(callback)
        await api.sleep(0)
        assert seen == [None, tasks[0], None]

    run_eagerly(main())


def test_it_is_among_all_tasks_until_it_ends(api, run_eagerly):
    async def main():
        outer = asyncio.current_task()
        seen = []

        async def look():
            seen.append(asyncio.all_tasks() == {outer, asyncio.current_task()})
            await api.sleep(0)
            seen.append(asyncio.all_tasks() == {outer, asyncio.current_task()})

        task = api.create_task(look())
        assert asyncio.all_tasks() == {outer, task}
        await task
        assert seen == [True, True]
        api.create_task(at_once())
        assert asyncio.all_tasks() == {outer}

    run_eagerly(main())


def test_its_first_step_runs_in_a_copy_of_its_makers_context(api, run_eagerly):
    async def main():
        variable.set("maker's")
        seen = []

        async def work():
            seen.append(variable.get())
            variable.set("task's")
            await api.sleep(0)
            seen.append(variable.get())

        task = api.create_task(work())
        assert variable.get() == "maker's"
        await task
        assert seen == ["maker's", "task's"]
        assert variable.get() == "maker's"

    run_eagerly(main())


def test_its_first_step_runs_in_the_context_it_is_given(api, run_eagerly):
    async def main():
        context = contextvars.copy_context()
        context.run(variable.set, "given")

        async def work():
            seen = variable.get()
            variable.set("changed")
            return seen

        task = api.create_task(work(), context=context)
        assert task.result() == "given"
        assert task.get_context() is context
        assert context[variable] == "changed"
        assert variable.get() == "outside"

    run_eagerly(main())


@pytest.mark.parametrize("api", [roundel])  # asyncio takes the new task for the current one then
def test_a_context_that_is_entered_already_is_refused(api, run_eagerly):
    async def main():
        context = contextvars.copy_context()

        async def refused():
            own = asyncio.current_task()
            coroutine = at_once()
            with pytest.raises(RuntimeError, match="is already entered"):
                api.create_task(coroutine, context=context)
            coroutine.close()
            assert asyncio.current_task() is own
            return "refused"

        assert await api.create_task(refused(), context=context) == "refused"

    run_eagerly(main())


def test_it_has_its_name(api, run_eagerly):
    async def main():
        async def whose():
            return asyncio.current_task().get_name()

        task = api.create_task(whose(), name="given")
        assert task.get_name() == "given"
        loop = asyncio.get_running_loop()
        direct = api.Task(whose(), loop=loop, name="given", eager_start=True)
        assert direct.result() == "given"
        made = api.eager_task_factory(loop, whose(), name="given")
        assert made.result() == "given"

    run_eagerly(main())


def test_each_in_a_deep_nest_takes_its_first_step_at_once(api, run_eagerly):
    async def main():
        log = []

        async def nest(depth):
            log.append(depth)
            if depth:
                await api.create_task(nest(depth - 1))
            else:
                await api.sleep(1)
            log.append(-depth)

        task = api.create_task(nest(20))
        assert log == list(range(20, -1, -1))
        await task
        assert log[21:] == list(range(0, -21, -1))

    run_eagerly(main())


def test_what_yields_wrongly_in_its_first_step_hears_of_it_in_the_next(api, run_eagerly):
    class Wrong:
        def __await__(self):
            yield "wrong"

    async def main():
        async def work():
            await Wrong()

        task = api.create_task(work())
        assert not task.done()
        with pytest.raises(RuntimeError, match="Task got bad yield: 'wrong'"):
            await task

    run_eagerly(main())


def test_what_is_no_coroutine_is_refused(api, run_eagerly):
    async def main():
        outer = asyncio.current_task()
        for wrong in (1, None, at_once, asyncio.get_running_loop().create_future()):
            with pytest.raises(TypeError, match="a coroutine was expected"):
                api.create_task(wrong)
        assert asyncio.current_task() is outer
        assert asyncio.all_tasks() == {outer}

    run_eagerly(main())


def test_a_loop_that_does_not_run_yet_takes_the_first_step_later(api):
    loop = api.new_event_loop()
    loop.set_task_factory(api.eager_task_factory)
    begun = []

    async def work():
        begun.append(asyncio.current_task())
        return "result"

    task = loop.create_task(work())
    assert not begun
    assert asyncio.all_tasks(loop) == {task}
    assert loop.run_until_complete(task) == "result"
    assert begun == [task]
    loop.close()


def test_a_main_task_may_be_eager(api):
    loop = api.new_event_loop()
    loop.set_task_factory(api.eager_task_factory)
    assert loop.run_until_complete(at_once("result")) == "result"
    with pytest.raises(FailedError):
        loop.run_until_complete(fail_at_once())
    loop.close()
