"""Context variables: which context each callback and each task runs in, and who sees a change."""

import asyncio
import collections
import contextlib
import contextvars
import gc
import sys
import weakref

import pytest

import roundel

variable = contextvars.ContextVar("variable", default="default")


def in_context(value):
    """Returns a context in which the variable has a value."""
    context = contextvars.copy_context()
    context.run(variable.set, value)
    return context


async def read():
    """Returns what the variable is in this task."""
    return variable.get()


@pytest.mark.parametrize("schedule", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
@pytest.mark.parametrize("given", [True, False], ids=["given", "copied"])
def test_a_callback_runs_in_its_context(loop, schedule, given):
    seen = []

    def note():
        seen.append(variable.get())
        variable.set("changed by the callback")
        loop.stop()

    def start():
        delay = () if schedule.startswith("call_soon") else (loop.time() * (schedule == "call_at"),)
        options = {"context": in_context("given")} if given else {}
        getattr(loop, schedule)(*delay, note, **options)
        variable.set("changed after scheduling")

    in_context("scheduler's").run(start)
    loop.run_forever()
    assert seen == ["given" if given else "scheduler's"]
    assert variable.get() == "default"


def test_a_callbacks_change_is_seen_by_the_next_in_the_same_context(loop):
    context = in_context("first")
    seen = []
    loop.call_soon(variable.set, "second", context=context)
    loop.call_soon(lambda: seen.append(variable.get()), context=context)
    loop.call_soon(lambda: seen.append(variable.get()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["second", "default"]


SCHEDULERS = {
    "call_soon": lambda loop, *call: loop.call_soon(*call),
    "call_soon_threadsafe": lambda loop, *call: loop.call_soon_threadsafe(*call),
    "call_later": lambda loop, *call: loop.call_later(0, *call),
}


@pytest.mark.parametrize("schedule", SCHEDULERS.values(), ids=SCHEDULERS)
def test_callbacks_handed_in_together_see_nothing_of_each_other(run, schedule):
    seen = []

    def note(value):
        seen.append(variable.get())
        variable.set(value)

    async def main():
        loop = asyncio.get_running_loop()
        for value in "ab":
            schedule(loop, note, value)
        variable.set("changed")
        schedule(loop, note, "c")
        await roundel.sleep(0.01)
        assert variable.get() == "changed"

    in_context("initial").run(run, main())
    assert seen == ["initial", "initial", "changed"]


@pytest.mark.parametrize("schedule", SCHEDULERS.values(), ids=SCHEDULERS)
def test_a_handles_context_is_the_one_that_its_callback_runs_in(run, schedule):
    async def main():
        loop = asyncio.get_running_loop()
        variable.set("initial")
        handles = [schedule(loop, variable.set, value) for value in "abc"]
        asked = handles[0].get_context()
        assert asked is handles[0].get_context()
        assert asked is not handles[1].get_context()
        assert asked[variable] == "initial"
        asked.run(variable.set, "of the handle")
        variable.set("changed")
        assert handles[2].get_context()[variable] == "initial"
        await roundel.sleep(0.01)
        assert [handle.get_context()[variable] for handle in handles] == ["a", "b", "c"]
        assert asked is handles[0].get_context()

    run(main())


@pytest.mark.parametrize("schedule", SCHEDULERS.values(), ids=SCHEDULERS)
def test_a_context_that_somebody_keeps_is_no_other_callbacks(run, schedule):
    handles, kept = collections.deque(), []

    def keep():
        kept.append(handles.popleft().get_context())

    async def main():
        loop = asyncio.get_running_loop()
        handles.extend(schedule(loop, keep) for _ in range(3))
        await roundel.sleep(0.01)

    run(main())
    assert len(set(map(id, kept))) == 3


@pytest.mark.parametrize("schedule", SCHEDULERS.values(), ids=SCHEDULERS)
def test_a_callbacks_context_dies_with_it(run, schedule):
    handles, dead = collections.deque(), []

    def watch():
        context = handles.popleft().get_context()
        dead.append(0)
        weakref.finalize(context, lambda: dead.append(1))

    async def main():
        loop = asyncio.get_running_loop()
        handles.extend(schedule(loop, watch) for _ in range(3))
        await roundel.sleep(0.01)

    run(main())
    assert dead == [0, 1] * 3


@pytest.mark.parametrize("schedule", SCHEDULERS.values(), ids=SCHEDULERS)
def test_what_a_variable_held_goes_with_the_callbacks(loop, schedule):
    class Value:
        """Can be referred to weakly."""

    def start(value):
        variable.set(value)
        for _ in range(3):
            schedule(loop, int)

    value = Value()
    alive = weakref.ref(value)
    contextvars.copy_context().run(start, value)
    del value
    gc.collect()
    assert alive() is not None
    loop.run_until_complete(roundel.sleep(0.01))
    assert alive() is None


def test_a_task_runs_in_a_copy_of_its_makers_context(run):
    async def change():
        assert variable.get() == "maker's"
        variable.set("task's")
        await roundel.sleep(0)
        assert variable.get() == "task's"

    async def main():
        variable.set("maker's")
        task = roundel.create_task(change())
        variable.set("changed since")
        await task
        assert variable.get() == "changed since"

    run(main())


def test_a_task_runs_in_the_context_it_is_given(run):
    async def change():
        await roundel.sleep(0)
        variable.set("task's")
        return variable.get()

    async def main():
        context = in_context("given")
        task = roundel.create_task(change(), context=context)
        assert task.get_context() is context if hasattr(task, "get_context") else True
        assert await task == "task's"
        assert context[variable] == "task's"
        assert variable.get() == "default"

    run(main())


@pytest.mark.parametrize("form", ["gather", "wait_for", "shield", "group", "ensure_future"])
def test_what_runs_a_coroutine_runs_it_in_its_callers_context(run, form):
    async def in_group():
        async with roundel.TaskGroup() as group:
            task = group.create_task(read())
        return task.result()

    async def main():
        variable.set("caller's")
        forms = {
            "gather": lambda: roundel.gather(read()),
            "wait_for": lambda: roundel.wait_for(read(), 1),
            "shield": lambda: roundel.shield(read()),
            "group": in_group,
            "ensure_future": lambda: roundel.ensure_future(read()),
        }
        result = await forms[form]()
        assert result in ("caller's", ["caller's"])

    run(main())


def test_what_a_coroutine_sets_under_wait_for_is_seen_by_its_caller(run):
    async def change():
        variable.set("inside")

    async def main():
        await roundel.wait_for(change(), 1)
        return variable.get()

    assert run(main()) == "inside"


def test_a_done_callback_runs_in_the_context_it_was_added_in(run):
    async def main():
        seen = []
        future = asyncio.get_running_loop().create_future()
        variable.set("adder's")
        future.add_done_callback(lambda _: seen.append(variable.get()))
        future.add_done_callback(lambda _: seen.append(variable.get()), context=in_context("given"))
        variable.set("changed since")
        in_context("setter's").run(future.set_result, None)
        await roundel.sleep(0)
        assert seen == ["adder's", "given"]

    run(main())


def test_an_exception_handler_runs_in_the_callbacks_context_where_asyncios_does(loop):
    def handled_in(loop):
        seen = []
        loop.set_exception_handler(lambda loop, context: seen.append(variable.get("none")))
        loop.call_soon(lambda: 1 / 0, context=in_context("callback's"))
        loop.call_soon(loop.stop)
        loop.run_forever()
        return seen

    with contextlib.closing(asyncio.SelectorEventLoop()) as theirs:
        assert handled_in(loop) == handled_in(theirs)
    if sys.version_info >= (3, 12):  # it is asyncio's own code that does so, from there on
        assert handled_in(loop) == ["callback's"]


def test_to_thread_carries_the_context_along(run):
    async def main():
        variable.set("caller's")
        return await roundel.to_thread(variable.get)

    assert run(main()) == "caller's"


def test_main_tasks_share_the_runners_context():
    with roundel.Runner() as runner:
        assert runner.run(read()) == "default"

        async def change():
            variable.set("kept")

        runner.run(change())
        assert runner.run(read()) == "kept"
    assert variable.get() == "default"


def test_an_asynchronous_generator_is_finished_in_a_context_of_its_own(run):
    finished = []

    async def generate():
        try:
            yield variable.get()
        finally:
            finished.append(variable.get())

    async def main():
        variable.set("consumer's")
        async for _ in generate():
            break
        await roundel.sleep(0)
        await roundel.sleep(0)

    run(main())
    assert finished == ["consumer's"]


def test_each_of_many_tasks_has_a_context_of_its_own_from_when_it_was_made():
    async def change(value):
        before = variable.get()
        variable.set(value)
        await roundel.sleep(0)
        return before, variable.get()

    async def main():
        tasks = []
        for number in range(300):
            if number % 100 == 0:
                variable.set(f"from {number}")
            tasks.append(asyncio.create_task(change(number)))
        variable.set("changed after")
        contexts = [task.get_context() for task in tasks[::7]]
        assert len(set(map(id, contexts))) == len(contexts)
        seen = await asyncio.gather(*tasks)
        assert seen == [(f"from {number // 100 * 100}", number) for number in range(300)]
        assert all(a is task.get_context() for a, task in zip(contexts, tasks[::7], strict=True))
        assert [context[variable] for context in contexts] == list(range(300))[::7]
        assert variable.get() == "changed after"

    roundel.run(main())
