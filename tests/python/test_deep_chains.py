"""Chains of awaits longer than the stack is deep: to cancel, to finish and to let go of."""

import asyncio
import gc

import pytest

import roundel

DEEP = 100_000


async def settle(turns=3):
    """Lets all that is ready run."""
    for _ in range(turns):
        await roundel.sleep(0)


async def follow(awaitable):
    return await awaitable


async def chain(end, length=DEEP, link=lambda awaited: roundel.create_task(follow(awaited))):
    """Returns tasks of which each awaits the one before, the first one `end`."""
    tasks = [link(end)]
    while len(tasks) < length:
        tasks.append(link(tasks[-1]))
    await settle()
    return tasks


def test_cancelling_the_outermost_task_of_a_deep_chain_cancels_them_all():
    async def main():
        tasks = await chain(asyncio.get_running_loop().create_future())
        assert tasks[-1].cancel()
        await roundel.wait([tasks[-1]])
        assert all(task.cancelled() and task.cancelling() == 1 for task in tasks)

    roundel.run(main())


def test_the_result_of_a_deep_chain_comes_out_at_its_end():
    async def main():
        future = asyncio.get_running_loop().create_future()
        tasks = await chain(future)
        future.set_result("result")
        assert await tasks[-1] == "result"

    roundel.run(main())


def test_the_message_reaches_the_innermost_future_and_comes_back():
    async def main():
        tasks = await chain(asyncio.get_running_loop().create_future(), length=5)
        tasks[-1].cancel("enough")
        with pytest.raises(asyncio.CancelledError) as caught:
            await tasks[-1]
        assert caught.value.args == ("enough",)

    roundel.run(main())


def test_a_chain_whose_end_is_done_is_cancelled_at_its_next_step():
    async def main():
        future = asyncio.get_running_loop().create_future()
        inner, outer = await chain(future, length=2)
        future.set_result(None)
        await roundel.sleep(0)
        assert inner.done()
        assert not outer.done()
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer

    roundel.run(main())


@pytest.mark.parametrize(
    "waits_for", [[1, 0], [1, 2, 0], [1, 2, 3, 4, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 3]]
)
def test_cancelling_tasks_that_wait_for_one_another_in_a_ring_is_refused(waits_for):
    async def main():
        tasks = []

        async def wait(number):
            await tasks[number]

        tasks.extend(map(roundel.create_task, map(wait, waits_for)))
        await settle()
        with pytest.raises(RecursionError, match="maximum recursion depth exceeded"):
            tasks[0].cancel()
        tasks[-1].get_coro().close()
        tasks[-1]._wakeup(None)  # to find that out
        await roundel.wait(tasks)

    roundel.run(main())


def test_cancelling_a_deep_chain_of_gathers_is_refused():
    async def main():
        end = asyncio.get_running_loop().create_future()
        gathers = await chain(end, link=roundel.gather)
        with pytest.raises(RecursionError):
            gathers[-1].cancel()
        assert not end.cancelled()
        end.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gathers[-1]

    roundel.run(main())


def test_letting_go_of_a_deep_chain_of_finished_futures_does_not_overflow_the_stack():
    async def main():
        loop = asyncio.get_running_loop()
        last = None
        for _ in range(DEEP):
            future = loop.create_future()
            future.set_result(last)
            last = future
        del future, last

    roundel.run(main())


def test_letting_go_of_a_deep_chain_of_failed_futures_reports_each():
    length = 1_000

    class HolderError(Exception):
        pass

    async def main():
        loop = asyncio.get_running_loop()
        reported = []
        loop.set_exception_handler(
            lambda loop, context: reported.append(context["exception"].args[0])
        )
        last = None
        for number in range(length):
            future = loop.create_future()
            future.set_exception(HolderError(number, last))
            last = future
        del future, last
        await settle()
        gc.collect()
        assert sorted(reported) == list(range(length))

    roundel.run(main())


def test_letting_go_of_a_deep_chain_of_finished_tasks_does_not_overflow_the_stack():
    async def main():
        last = None
        for _ in range(DEEP):
            task = roundel.Task(follow_nothing(last), eager_start=True)
            last = task
        del task, last

    async def follow_nothing(value):
        return value

    roundel.run(main())


def test_the_garbage_collector_takes_a_deep_chain_of_pending_tasks():
    async def leave_behind():
        for task in await chain(asyncio.get_running_loop().create_future()):
            task._log_destroy_pending = False

    loop = roundel.new_event_loop()
    loop.run_until_complete(leave_behind())
    gc.collect()
    assert not asyncio.all_tasks(loop)
    loop.close()
