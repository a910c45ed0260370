"""Call graphs of native tasks and futures, as asyncio draws them from CPython 3.14 on."""

import asyncio
import sys

import pytest

import roundel

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="CPython 3.14 brings them")


async def forever(event):
    await event.wait()


def awaited_by(future):
    """Returns the names of the tasks that a call graph shows right above a future."""
    graph = roundel.capture_call_graph(future)
    return sorted(parent.future.get_name() for parent in graph.awaited_by)


async def ended(tasks):
    for task in tasks:
        task.cancel()
    await roundel.gather(*tasks, return_exceptions=True)


async def waits_by_await(task):
    await task


async def waits_by_gather(task):
    await roundel.gather(task, roundel.sleep(3600))


async def waits_by_gathered_gathers(task):
    await roundel.gather(roundel.gather(task, roundel.sleep(3600)), roundel.sleep(3600))


async def waits_by_wait(task):
    await roundel.wait([task, roundel.create_task(roundel.sleep(3600))])


async def waits_by_wait_for(task):
    await roundel.wait_for(task, 3600)


async def waits_by_wait_for_no_time(task):
    await roundel.wait_for(task, 0)


async def waits_by_shield(task):
    await roundel.shield(task)


async def waits_by_as_completed(task):
    for result in roundel.as_completed([task]):
        await result


async def waits_by_asynchronous_as_completed(task):
    async for _ in roundel.as_completed([task]):
        pass


async def waits_by_asyncios_gather(task):
    await asyncio.gather(task, asyncio.sleep(3600))


async def waits_by_asyncios_wait(task):
    await asyncio.wait([task])


async def waits_by_asyncios_shield(task):
    await asyncio.shield(task)


async def waits_by_asyncios_wait_for(task):
    await asyncio.wait_for(task, 3600)


async def waits_by_asyncios_as_completed(task):
    for result in asyncio.as_completed([task]):
        await result


WAYS = [function for name, function in globals().items() if name.startswith("waits_by_")]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_who_awaits_a_task_is_shown_while_it_does(run_virtual, way):
    async def stubborn(release):
        try:
            await roundel.get_running_loop().create_future()
        finally:
            await release.wait()

    async def main():
        release = roundel.Event()
        task = roundel.create_task(stubborn(release), name="awaited")
        await roundel.sleep(0)
        assert task._asyncio_awaited_by is None
        waiting = roundel.create_task(way(task), name="waiting")
        bystander = roundel.create_task(forever(release), name="bystander")
        for _ in range(3):
            await roundel.sleep(0)
        assert task._asyncio_awaited_by == {waiting}
        assert awaited_by(task) == ["waiting"]
        assert task._asyncio_awaited_by == {waiting}  # asking changes nothing
        waiting.cancel()
        release.set()
        await ended([task, waiting, bystander])
        assert task._asyncio_awaited_by is None

    run_virtual(main())


@pytest.mark.parametrize("module", [roundel, asyncio], ids=["native", "asyncio's"])
def test_a_groups_tasks_are_awaited_by_the_task_in_the_block(run_virtual, module):
    async def main():
        async with module.TaskGroup() as group:
            first = group.create_task(roundel.sleep(1))
            second = group.create_task(waits_by_await(first), name="second")
            assert first._asyncio_awaited_by == {roundel.current_task()}
            await roundel.sleep(0)
            assert first._asyncio_awaited_by == {roundel.current_task(), second}
            assert second._asyncio_awaited_by == {roundel.current_task()}
        assert second._asyncio_awaited_by is None

    run_virtual(main())


def test_who_awaits_a_future_is_shown(run):
    async def main():
        future = roundel.get_running_loop().create_future()
        native = roundel.create_task(waits_by_await(future), name="native")
        loop = roundel.get_running_loop()
        c = asyncio.tasks._CTask(waits_by_await(future), loop=loop, name="C")
        # Not shown, for the functions that draw the graph refuse it.
        python = asyncio.tasks._PyTask(waits_by_await(future), loop=loop)
        await roundel.sleep(0)
        assert awaited_by(future) == ["C", "native"]
        future.set_result(None)
        await roundel.gather(native, c, python)

    run(main())


def test_a_survivor_of_a_gathering_is_awaited_by_nobody(run):
    async def fail():
        raise ValueError("failed")

    async def main():
        survivor = roundel.create_task(forever(roundel.Event()))
        with pytest.raises(ValueError, match="failed"):
            await roundel.gather(survivor, fail())
        assert survivor._asyncio_awaited_by is None
        await ended([survivor])

    run(main())


def test_the_outer_future_of_a_shield_is_not_awaited_by_who_awaits_the_inner(run):
    async def main():
        inner = roundel.get_running_loop().create_future()
        outer = roundel.shield(inner)
        task = roundel.create_task(waits_by_await(inner))
        await roundel.sleep(0)
        assert outer._asyncio_awaited_by is None
        assert inner._asyncio_awaited_by == {task}
        inner.set_result(None)
        await task
        await outer

    run(main())


def test_a_callback_of_the_program_does_not_wait(run):
    async def main():
        future = roundel.get_running_loop().create_future()
        task = roundel.create_task(forever(roundel.Event()))
        future.add_done_callback(task.cancel)
        future.add_done_callback(lambda _, cur_task=task: None)
        await roundel.sleep(0)
        assert future._asyncio_awaited_by is None
        await ended([task])

    run(main())


def test_what_a_library_says_of_who_waits_is_shown(run):
    async def main():
        loop = roundel.get_running_loop()
        future, waiter, native = loop.create_future(), loop.create_future(), roundel.Future()
        roundel.future_add_to_awaited_by(future, waiter)
        roundel.future_add_to_awaited_by(future, waiter)
        roundel.future_add_to_awaited_by(future, "no future")
        assert future._asyncio_awaited_by == {waiter}
        roundel.future_discard_from_awaited_by(future, native)
        roundel.future_discard_from_awaited_by(future, waiter)
        roundel.future_discard_from_awaited_by(native, waiter)
        assert future._asyncio_awaited_by is None

    run(main())


def test_asyncios_futures_are_said_to_wait_as_before(run):
    async def main():
        future, waiter = asyncio.Future(), asyncio.Future()
        roundel.future_add_to_awaited_by(future, waiter)
        assert future._asyncio_awaited_by == {waiter}
        roundel.future_discard_from_awaited_by(future, waiter)
        assert not future._asyncio_awaited_by

    run(main())


def test_the_graph_is_printed_from_the_running_task_upwards(run, capsys):
    async def deep():
        await roundel.sleep(0)
        roundel.print_call_graph()

    async def main():
        await roundel.gather(roundel.create_task(deep(), name="deep"))

    run(main())
    printed = capsys.readouterr().out
    assert printed.startswith("* Task(name='deep'")
    assert (
        "async test_the_graph_is_printed_from_the_running_task_upwards.<locals>.deep()" in printed
    )
    assert printed.index("+ Awaited by:") < printed.index(".main()")
