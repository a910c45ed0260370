"""`Deadlock`: when it is raised, and what it tells."""

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import threading
import time

import pytest

import roundel


def deadlock(main, **options):
    """Runs a coroutine that deadlocks and returns the report."""
    options.setdefault("clock", "virtual")
    with pytest.raises(roundel.Deadlock) as raised:
        roundel.run(main, **options)
    return raised.value


def line_of(function, text):
    """Returns the number of the function's line that contains the text."""
    with open(__file__) as file:
        lines = file.readlines()
    first = function.__code__.co_firstlineno
    return next(n for n, line in enumerate(lines[first:], first + 1) if text in line)


def test_it_names_the_task_its_place_and_what_it_awaits():
    queue = roundel.Queue(1)

    async def produce():
        await queue.put(1)
        await queue.put(2)

    async def main():
        await asyncio.sleep(20)
        await produce()

    report = deadlock(main())
    (blocked,) = report.tasks
    line = line_of(produce, "put(2)")
    name = f"{test_it_names_the_task_its_place_and_what_it_awaits.__name__}.<locals>"
    assert blocked.coroutine == f"{name}.main"
    assert blocked.place == (__file__, line, f"{name}.produce")
    assert (blocked.operation, blocked.owner, blocked.waits_for) == ("put", queue, ())
    assert str(report).startswith(
        "nothing can wake the loop any more, 1 task waits for good\n"
        f"  {blocked.task.get_name()}: {name}.main() at {__file__}:{line} in {name}.produce "
        "awaits put() of <Queue at 0x"
    )


def test_it_names_a_locks_holder_and_the_ring_of_those_who_wait():
    async def take(first, second):
        async with first:
            await asyncio.sleep(1)
            async with second:
                pytest.fail("got both")

    async def main():
        fork, knife = roundel.Lock(), roundel.Lock()
        await asyncio.gather(
            asyncio.create_task(take(fork, knife), name="left"),
            asyncio.create_task(take(knife, fork), name="right"),
        )

    report = deadlock(main())
    waits_for = {
        blocked.task.get_name(): {other.get_name() for other in blocked.waits_for}
        for blocked in report.tasks
    }
    main_name = (waits_for.keys() - {"left", "right"}).pop()
    assert waits_for == {"left": {"right"}, "right": {"left"}, main_name: {"left", "right"}}
    (ring,) = report.cycles
    assert {task.get_name() for task in ring} == {"left", "right"}
    assert "held by left" in str(report)
    assert str(report).splitlines()[-1].strip() in (
        "waiting for each other: left → right → left",
        "waiting for each other: right → left → right",
    )


def test_it_follows_tasks_groups_and_generators():
    async def generate():
        yield 1
        await asyncio.get_running_loop().create_future()

    async def iterate():
        async for _ in generate():
            pass

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(iterate(), name="member")

    member, parent = sorted(deadlock(main()).tasks, key=lambda each: len(each.waits_for))
    assert member.task.get_name() == "member"
    assert member.place[1:] == (line_of(generate, "create_future"), generate.__qualname__)
    assert parent.waits_for == (member.task,)


async def by_gather(module, member):
    await module.gather(member, module.sleep(0))


async def by_group(module, member):
    async with module.TaskGroup() as group:
        group.create_task(module.wait_for(member, None), name="waiter")


async def by_wait(module, member):
    await module.wait([member])


async def by_iteration(module, member):
    for first in module.as_completed([member]):
        await first


async def by_shield(module, member):
    await module.shield(member)


@pytest.mark.parametrize("how", [by_gather, by_group, by_wait, by_iteration, by_shield])
def test_it_tells_which_tasks_are_awaited(how):
    async def main():
        member = asyncio.create_task(roundel.Event().wait(), name="member")
        await asyncio.create_task(how(roundel, member), name="parent")

    waits_for = {
        blocked.task.get_name(): [other.get_name() for other in blocked.waits_for]
        for blocked in deadlock(main()).tasks
    }
    assert waits_for["parent"] == (["waiter"] if how is by_group else ["member"])
    assert waits_for["member"] == []
    if how is by_group:
        assert waits_for["waiter"] == ["member"]


def test_a_ring_may_lead_through_tasks_and_locks():
    async def main():
        lock = roundel.Lock()

        async def take():
            async with lock:
                pytest.fail("got it")

        async with lock:
            await asyncio.create_task(take(), name="taker")

    report = deadlock(main())
    (ring,) = report.cycles
    assert set(ring) == {blocked.task for blocked in report.tasks}
    assert len(ring) == 2


def test_it_knows_what_is_asked_of_asyncios_own_primitives():
    async def main():
        reader = asyncio.StreamReader()
        waiters = [asyncio.queues.Queue().get, asyncio.locks.Event().wait, reader.readline]
        await asyncio.gather(*(waiter() for waiter in waiters))

    asked = {(each.operation, type(each.owner).__name__) for each in deadlock(main()).tasks}
    assert asked == {
        ("get", "Queue"),
        ("wait", "Event"),
        ("readline", "StreamReader"),
        (None, "NoneType"),
    }


def test_many_tasks_are_not_all_listed():
    async def main():
        await asyncio.gather(*(roundel.Event().wait() for _ in range(100)))

    report = deadlock(main())
    assert len(report.tasks) == 101
    assert "\n  and 51 more" in str(report)
    assert len(str(report).splitlines()) == 52


def test_the_tasks_are_cancelled_and_the_loop_closed_as_usual():
    log = []

    async def main():
        log.append(asyncio.get_running_loop())
        try:
            await roundel.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    deadlock(main())
    assert log[1:] == ["cancelled"]
    assert log[0].is_closed()


def test_a_loop_without_tasks_waits_for_nobody():
    loop = roundel.EventLoop("virtual")
    with pytest.raises(roundel.Deadlock, match="no tasks wait for good"):
        loop.run_forever()
    loop.close()


def test_on_the_monotonic_clock_it_is_raised_on_request():
    async def main():
        await asyncio.sleep(0.01)
        await roundel.Event().wait()

    deadlock(main(), clock="monotonic", detect_deadlock=True)


@pytest.mark.parametrize("options", [{"clock": "virtual"}, {"detect_deadlock": True}])
@pytest.mark.parametrize("waker", ["thread", "executor", "descriptor", "signal", "timer"])
def test_what_can_be_woken_is_no_deadlock(waker, options):
    wakers = {
        "thread": wake_from_thread,
        "executor": wake_from_executor,
        "descriptor": wake_by_descriptor,
        "signal": wake_by_signal,
        "timer": wake_by_timer,
    }

    async def main():
        loop = asyncio.get_running_loop()
        woken = loop.create_future()
        with wakers[waker](loop, woken):
            return await woken

    assert roundel.run(main(), **options) == "woken"


@contextlib.contextmanager
def wake_from_thread(loop, woken):
    def wake():
        time.sleep(0.05)
        loop.call_soon_threadsafe(woken.set_result, "woken")

    thread = threading.Thread(target=wake)
    thread.start()
    yield
    thread.join()


@contextlib.contextmanager
def wake_from_executor(loop, woken):
    job = loop.run_in_executor(None, time.sleep, 0.05)
    job.add_done_callback(lambda _: woken.set_result("woken"))
    yield


@contextlib.contextmanager
def wake_by_descriptor(loop, woken):
    reader, writer = os.pipe()
    loop.add_reader(reader, woken.set_result, "woken")
    timer = threading.Timer(0.05, os.write, [writer, b"x"])
    timer.start()
    yield
    timer.join()
    loop.remove_reader(reader)
    os.close(reader)
    os.close(writer)


@contextlib.contextmanager
def wake_by_signal(loop, woken):
    loop.add_signal_handler(signal.SIGALRM, woken.set_result, "woken")
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    yield
    loop.remove_signal_handler(signal.SIGALRM)


@contextlib.contextmanager
def wake_by_timer(loop, woken):
    loop.call_later(0.05, woken.set_result, "woken")
    yield


def test_pool_threads_without_work_do_not_hide_it():
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(int)
        with concurrent.futures.ThreadPoolExecutor() as executor:
            await loop.run_in_executor(executor, int)
            await loop.create_future()

    deadlock(main())
