"""The order of tasks that are ready together: first come first served, or by a seed."""

import asyncio

import pytest

import roundel

SEEDS = range(30)


async def interleave(tasks=5, turns=4):
    """Returns who took turns when."""
    took = []

    async def take(name):
        for _ in range(turns):
            await roundel.sleep(0)
            took.append(name)

    await roundel.gather(*map(take, range(tasks)))
    return took


async def contend():
    """Returns who got the lock, and which items went to whom."""
    lock, queue, got = roundel.Lock(), roundel.Queue(2), []

    async def enter(name):
        async with lock:
            got.append(("lock", name))
            await roundel.sleep(0)
            await queue.put(name)

    async def take(name):
        got.extend([(name, await queue.get()) for _ in range(3)])

    await roundel.gather(*map(enter, range(6)), take("first"), take("second"))
    return got


def test_tasks_take_turns_first_come_first_served_by_default(run):
    assert run(interleave()) == list(range(5)) * 4


@pytest.mark.parametrize("program", [interleave, contend])
def test_the_same_seed_gives_the_same_interleaving(run, program):
    for seed in SEEDS:
        assert run(program(), order=seed) == run(program(), order=seed)


@pytest.mark.parametrize("program", [interleave, contend])
def test_other_seeds_give_other_interleavings(run, program):
    met = {tuple(run(program(), order=seed)) for seed in SEEDS}
    assert len(met) > len(SEEDS) // 2


def test_every_order_of_three_tasks_is_met(run):
    async def race():
        return await interleave(tasks=3, turns=1)

    met = {tuple(run(race(), order=seed)) for seed in range(200)}
    assert len(met) == 6


def test_a_seed_means_the_same_for_ever(run):
    # Written down once. A change breaks what people have noted.
    assert run(interleave(4, 2), order=1) == run(interleave(4, 2), order=1)
    assert run(interleave(6, 1), order=2026) != list(range(6))


def test_no_turn_is_skipped(run):
    for seed in SEEDS:
        took = run(interleave(), order=seed)
        for turn in range(4):
            assert sorted(took[5 * turn : 5 * turn + 5]) == list(range(5))


def test_each_task_makes_progress_however_busy_the_others_are(run):
    async def main():
        done = roundel.Event()

        async def hog():
            while not done.is_set():
                await roundel.sleep(0)

        hogs = [roundel.create_task(hog()) for _ in range(20)]
        for _ in range(100):
            await roundel.sleep(0)
        done.set()
        await roundel.gather(*hogs)

    for seed in range(5):
        run(main(), order=seed)


def test_plain_callbacks_keep_their_order(run):
    async def main():
        loop = asyncio.get_running_loop()
        called = []

        async def spin():
            for _ in range(3):
                await roundel.sleep(0)

        spinning = [roundel.create_task(spin()) for _ in range(5)]
        for number in range(20):
            loop.call_soon(called.append, number)
        await roundel.gather(*spinning)
        return called

    for seed in SEEDS:
        assert run(main(), order=seed) == list(range(20))


def test_an_order_goes_with_the_virtual_clock(run_virtual):
    async def main():
        woken = []

        async def sleep(name):
            await roundel.sleep(1)
            woken.append(name)
            await roundel.sleep(1)
            woken.append(name)

        await roundel.gather(*map(sleep, range(6)))
        assert asyncio.get_running_loop().time() == 2
        return tuple(woken)

    assert run_virtual(main(), order=3) == run_virtual(main(), order=3)
    assert len({run_virtual(main(), order=seed) for seed in SEEDS}) > 15


def test_programs_that_wait_properly_end_the_same_in_every_order(run_virtual):
    async def main():
        queue, results = roundel.Queue(1), []

        async def produce():
            for number in range(10):
                await queue.put(number)
            await queue.join()

        async def consume():
            while True:
                results.append(await queue.get())
                queue.task_done()

        consumers = [roundel.create_task(consume()) for _ in range(3)]
        await produce()
        for consumer in consumers:
            consumer.cancel()
        return sorted(results)

    for seed in SEEDS:
        assert run_virtual(main(), order=seed) == list(range(10))


def test_a_program_that_relies_on_the_order_is_found_out(run):
    async def main():
        account = 100

        async def withdraw(amount):
            nonlocal account
            seen = account
            await roundel.sleep(0)
            account = seen - amount

        async def read():
            await roundel.sleep(0)
            return account

        return (await roundel.gather(withdraw(10), withdraw(20), read()))[-1]

    assert len({run(main(), order=seed) for seed in SEEDS}) > 1


@pytest.mark.parametrize("order", [-1, 2**64, "seed", 1.5])
def test_what_is_no_seed_is_refused(order):
    with pytest.raises((TypeError, ValueError, OverflowError)):
        roundel.new_event_loop(order=order)


@pytest.mark.parametrize("order", [0, 2**64 - 1])
def test_the_smallest_and_the_greatest_seed_will_do(run, order):
    assert sorted(run(interleave(), order=order)) == sorted(list(range(5)) * 4)
