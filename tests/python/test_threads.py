"""Other threads: floods of callbacks, coroutines submitted from outside, loops side by side."""

import asyncio
import concurrent.futures
import sys
import threading
import time

import pytest

import roundel


@pytest.fixture
def background():
    """A loop that runs in a thread of its own."""
    loop = roundel.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def in_threads(number, function):
    """Calls the function with 0, 1, 2… in as many threads at once and waits for all."""
    threads = [threading.Thread(target=function, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    return threads


def test_a_flood_from_several_threads_loses_nothing_and_keeps_each_threads_order(loop):
    each, floods = 5000, 4
    got = []

    def flood(index):
        for number in range(each):
            loop.call_soon_threadsafe(got.append, (index, number))
        loop.call_soon_threadsafe(finished)

    left = floods

    def finished():
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    threads = in_threads(floods, flood)
    loop.run_forever()
    for thread in threads:
        thread.join()
    for index in range(floods):
        assert [number for who, number in got if who == index] == list(range(each))


def test_call_soon_threadsafe_keeps_its_place_among_the_threads_own_calls(loop):
    order = []
    loop.call_soon(order.append, 1)
    loop.call_soon_threadsafe(order.append, 2)
    loop.call_soon(order.append, 3)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert sorted(order) == [1, 2, 3]
    assert order.index(1) < order.index(3)


def test_a_sleeping_loop_is_woken_at_once(background):
    for _ in range(20):
        called = threading.Event()
        start = time.monotonic()
        background.call_soon_threadsafe(called.set)
        assert called.wait(5)
        assert time.monotonic() - start < 1


def test_a_handle_from_another_thread_can_be_cancelled(background):
    called = []
    blocked, go_on = threading.Event(), threading.Event()

    def block():
        blocked.set()
        go_on.wait()

    background.call_soon_threadsafe(block)
    blocked.wait()
    handle = background.call_soon_threadsafe(called.append, "cancelled")
    handle.cancel()
    last = threading.Event()
    background.call_soon_threadsafe(last.set)
    go_on.set()
    assert last.wait(5)
    assert called == []


def test_a_coroutine_submitted_from_outside_returns_its_result(background):
    async def add(first, second):
        await asyncio.sleep(0)
        return first + second

    future = roundel.run_coroutine_threadsafe(add(1, 2), background)
    assert isinstance(future, concurrent.futures.Future)
    assert future.result(5) == 3


def test_a_coroutine_submitted_from_outside_raises_its_exception(background):
    async def fail():
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        roundel.run_coroutine_threadsafe(fail(), background).result(5)


def test_a_coroutine_submitted_from_outside_can_be_cancelled(background):
    started, cancelled = threading.Event(), threading.Event()

    async def wait():
        started.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    future = roundel.run_coroutine_threadsafe(wait(), background)
    assert started.wait(5)
    future.cancel()
    assert cancelled.wait(5)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(5)


def test_many_coroutines_are_submitted_from_several_threads(background):
    totals = [0] * 4

    async def double(number):
        await asyncio.sleep(0)
        return 2 * number

    def submit(index):
        futures = [
            roundel.run_coroutine_threadsafe(double(number), background) for number in range(200)
        ]
        totals[index] = sum(future.result(10) for future in futures)

    for thread in in_threads(4, submit):
        thread.join()
    assert totals == [2 * sum(range(200))] * 4


def test_loops_in_several_threads_do_not_mix(debug):
    results = [None] * 4

    async def count(index):
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        for _ in range(200):
            await asyncio.sleep(0)
            assert asyncio.get_running_loop() is loop
            assert asyncio.current_task() is task
            assert asyncio.all_tasks() == {task}
        return index

    def run(index):
        results[index] = roundel.run(count(index), debug=debug)

    for thread in in_threads(4, run):
        thread.join()
    assert results == list(range(4))


def test_queues_carry_items_from_loop_to_loop_by_call_soon_threadsafe():
    receiving = roundel.new_event_loop()
    queue = roundel.Queue()

    async def receive():
        return [await queue.get() for _ in range(500)]

    async def send():
        for number in range(500):
            receiving.call_soon_threadsafe(queue.put_nowait, number)
            if number % 10 == 0:
                await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: roundel.run(send()))
    thread.start()
    assert receiving.run_until_complete(receive()) == list(range(500))
    thread.join()
    receiving.close()


def test_to_thread_returns_raises_and_runs_beside_the_loop(run):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        ticking = roundel.create_task(tick())
        assert await roundel.to_thread(threading.get_ident) != threading.get_ident()
        await roundel.to_thread(time.sleep, 0.05)
        assert ticks > 5
        with pytest.raises(ValueError, match="invalid literal"):
            await roundel.to_thread(int, "x")
        ticking.cancel()

    run(main())


def test_stop_from_another_thread_takes_effect_when_the_loop_is_woken(background):
    assert background.is_running()
    background.call_soon_threadsafe(background.stop)
    deadline = time.monotonic() + 5
    while background.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_interpreters_switching_does_not_disturb_a_flood(loop):
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        got = []
        threads = in_threads(
            3, lambda index: [loop.call_soon_threadsafe(got.append, index) for _ in range(1000)]
        )

        async def main():
            while len(got) < 3000:
                await asyncio.sleep(0)

        loop.run_until_complete(asyncio.wait_for(main(), 20))
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert sorted(got) == [0] * 1000 + [1] * 1000 + [2] * 1000
