"""The virtual clock: time passes as the program says, and nobody waits for it."""

import asyncio
import os
import threading
import time

import pytest

import roundel


@pytest.fixture(autouse=True)
def hurry():
    """Fails a test that takes real time."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 5


def test_time_starts_at_nothing_and_passes_by_sleeping(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        assert loop.time() == 0
        await roundel.sleep(3600)
        assert loop.time() == 3600
        await asyncio.sleep(0.5)
        assert loop.time() == 3600.5

    run_virtual(main())


def test_time_stands_still_while_something_is_ready(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        fired = []
        loop.call_later(1, fired.append, "too early")
        for _ in range(1000):
            await roundel.sleep(0)
        time.sleep(0.01)
        await roundel.sleep(0)
        assert loop.time() == 0
        assert fired == []

    run_virtual(main())


def test_a_sleep_never_wakes_early(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        for delay in (0.1, 1e-9, 0.3, 1 / 3, 1e6, 1e-6):
            due = loop.time() + delay
            await roundel.sleep(delay)
            assert loop.time() >= due

    run_virtual(main())


def test_sleepers_wake_in_the_order_of_their_deadlines(run_virtual):
    async def main():
        woken = []

        async def sleep(delay):
            await roundel.sleep(delay)
            woken.append((delay, asyncio.get_running_loop().time()))

        await roundel.gather(*(sleep(delay) for delay in (3, 1, 2, 0.5)))
        assert woken == [(0.5, 0.5), (1, 1), (2, 2), (3, 3)]

    run_virtual(main())


def test_equal_deadlines_are_kept_first_come_first_served(run_virtual):
    async def main():
        woken = []

        async def sleep(name):
            await roundel.sleep(1)
            woken.append(name)

        await roundel.gather(*map(sleep, range(50)))
        assert woken == list(range(50))

    run_virtual(main())


def test_timeouts_expire_in_virtual_time(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            await roundel.wait_for(loop.create_future(), 86400)
        assert loop.time() == 86400
        with pytest.raises(TimeoutError):
            async with roundel.timeout(14):
                await roundel.Event().wait()
        assert loop.time() == 86414
        done, pending = await roundel.wait([loop.create_future()], timeout=6)
        assert not done
        assert len(pending) == 1
        assert loop.time() == 86420

    run_virtual(main())


def test_a_decade_of_ticks_takes_no_time(run_virtual):
    async def main():
        for _ in range(3650):
            await roundel.sleep(86400)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 3650 * 86400


def test_call_at_and_when_are_in_virtual_time(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        fired = loop.create_future()
        handle = loop.call_at(12.5, lambda: fired.set_result(loop.time()))
        assert handle.when() == 12.5
        assert await fired == 12.5

    run_virtual(main())


def test_time_does_not_jump_while_a_thread_works(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        late = roundel.create_task(roundel.sleep(60, "late"))
        assert await roundel.to_thread(time.sleep, 0.02) is None
        assert loop.time() < 60
        assert not late.done()
        assert await late == "late"
        assert loop.time() == 60

    run_virtual(main())


def test_what_comes_from_a_descriptor_is_waited_for_a_moment(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        got = loop.create_future()
        loop.add_reader(reading, lambda: got.set_result(os.read(reading, 1)))
        os.write(writing, b"x")
        assert await roundel.wait_for(got, 60) == b"x"
        assert loop.time() < 60
        loop.remove_reader(reading)
        os.close(reading)
        os.close(writing)

    run_virtual(main())


def test_a_call_from_another_thread_arrives_in_virtual_time(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        arrived = loop.create_future()
        thread = threading.Thread(
            target=loop.call_soon_threadsafe, args=(arrived.set_result, "arrived")
        )
        thread.start()
        assert await arrived == "arrived"
        thread.join()

    run_virtual(main())


def test_each_loop_has_a_clock_of_its_own():
    async def sleep(delay):
        await roundel.sleep(delay)
        return asyncio.get_running_loop().time()

    assert roundel.run(sleep(100), clock="virtual") == 100
    assert roundel.run(sleep(7), clock="virtual") == 7
    assert roundel.run(sleep(0), clock="monotonic") > 0


def test_asyncios_own_primitives_live_in_virtual_time_too(run_virtual):
    async def main():
        loop = asyncio.get_running_loop()
        queue = asyncio.Queue()
        loop.call_later(30, queue.put_nowait, "item")
        async with asyncio.timeout(60):
            assert await queue.get() == "item"
        await asyncio.wait_for(asyncio.sleep(5), 10)
        return loop.time()

    assert run_virtual(main()) == 35


def test_an_unknown_clock_is_refused():
    with pytest.raises(ValueError, match="clock"):
        roundel.new_event_loop(clock="sundial")
