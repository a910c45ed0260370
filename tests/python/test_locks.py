"""Locks and their kin: who is served when, and that no turn is lost by a cancellation."""

import asyncio
import sys

import pytest

import roundel

pytestmark = pytest.mark.parametrize("api", [asyncio, roundel])


def run(main):
    return roundel.run(main, clock="virtual")


async def settle(turns=5):
    """Lets all that is ready run."""
    for _ in range(turns):
        await roundel.sleep(0)


async def cancelled(task):
    """Tells whether a task ends cancelled."""
    await roundel.wait([task])
    return task.cancelled()


class Users:
    """Tasks that acquire something and hold it until they are told to let go."""

    def __init__(self, guard):
        self.guard = guard
        self.got = []
        self.release = {}
        self.tasks = {}

    def start(self, *names):
        for name in names:
            self.release[name] = asyncio.Event()
            self.tasks[name] = roundel.create_task(self.use(name))

    async def use(self, name):
        async with self.guard:
            self.got.append(name)
            await self.release[name].wait()

    async def finish(self):
        for event in self.release.values():
            event.set()
        await roundel.wait(self.tasks.values())


def guards(api):
    return [api.Lock(), api.Semaphore(1), api.BoundedSemaphore(1), api.Condition()]


def test_who_comes_first_is_served_first(api):
    async def main():
        for guard in guards(api):
            users = Users(guard)
            users.start(*"abcde")
            await settle()
            assert users.got == ["a"]
            assert guard.locked()
            await users.finish()
            assert users.got == list("abcde")
            assert not guard.locked()

    run(main())


def test_nobody_overtakes_who_was_woken(api):
    async def main():
        for guard in guards(api):
            users = Users(guard)
            users.start("a", "b")
            await settle()
            for event in users.release.values():
                event.set()
            await roundel.sleep(0)  # "a" has released, "b" is woken and has not run
            async with guard:
                assert users.got == ["a", "b"]
            await users.finish()

    run(main())


@pytest.mark.parametrize("turns", range(6))
def test_a_waiter_that_is_cancelled_at_any_time_loses_no_turn(api, turns):
    async def main():
        for guard in guards(api):
            users = Users(guard)
            users.start("a", "b", "c")
            await settle()
            users.release["a"].set()
            await settle(turns)
            users.tasks["b"].cancel()
            assert await cancelled(users.tasks["b"])
            await settle()
            assert users.got[-1] == "c"
            await users.finish()
            assert not guard.locked()

    run(main())


def test_all_waiters_cancelled_in_the_turn_of_the_release_leave_it_free(api):
    async def main():
        for guard in guards(api):
            users = Users(guard)
            users.start(*"abcd")
            await settle()
            users.release["a"].set()
            for name in "bcd":
                users.tasks[name].cancel()
            await users.finish()
            assert users.got == ["a"]
            assert not guard.locked()

    run(main())


def test_the_first_waiter_cancelled_before_the_release_passes_to_the_second(api):
    async def main():
        for guard in guards(api):
            users = Users(guard)
            users.start("a", "b", "c")
            await settle()
            users.tasks["b"].cancel()
            users.release["a"].set()
            await settle()
            assert users.got == ["a", "c"]
            await users.finish()

    run(main())


def test_any_task_may_release(api):
    async def main():
        lock = api.Lock()
        await lock.acquire()

        async def release():
            lock.release()

        await roundel.create_task(release())
        assert not lock.locked()
        with pytest.raises(RuntimeError, match="Lock is not acquired"):
            lock.release()

    run(main())


def test_an_exception_in_the_block_releases(api):
    async def main():
        for guard in guards(api):
            with pytest.raises(ZeroDivisionError):
                async with guard:
                    raise ZeroDivisionError
            assert not guard.locked()

    run(main())


def test_a_bounded_semaphore_refuses_a_release_too_many(api):
    async def main():
        bounded = api.BoundedSemaphore(2)
        await bounded.acquire()
        bounded.release()
        with pytest.raises(ValueError, match="released too many times"):
            bounded.release()
        unbounded = api.Semaphore(0)
        unbounded.release()
        assert not unbounded.locked()
        with pytest.raises(ValueError, match="initial value must be >= 0"):
            api.Semaphore(-1)

    run(main())


def test_a_semaphore_lets_as_many_in_as_it_has_permits(api):
    async def main():
        users = Users(api.Semaphore(3))
        users.start(*"abcdef")
        await settle()
        assert users.got == list("abc")
        users.release["b"].set()
        users.release["c"].set()
        await settle()
        assert users.got == list("abcde")
        await users.finish()

    run(main())


def test_overridden_methods_are_called_by_async_with(api):
    log = []

    def counting(kind):
        class Counting(kind):
            async def acquire(self):
                log.append("acquire")
                return await super().acquire()

            def release(self):
                log.append("release")
                super().release()

        return Counting()

    async def main():
        for kind in (api.Lock, api.Semaphore, api.BoundedSemaphore):
            async with counting(kind):
                log.append("inside")
        async with api.Condition(counting(api.Lock)):
            log.append("inside")

    run(main())
    assert log == ["acquire", "inside", "release"] * 4


def test_who_waits_on_another_loop_is_refused(api):
    async def contend(guard):
        task = roundel.create_task(guard.acquire())
        second = roundel.create_task(guard.acquire())
        await settle()
        second.cancel()
        await roundel.wait([task, second])
        return second

    for guard in (api.Lock(), api.Semaphore(1)):
        run(contend(guard))

        async def elsewhere(guard=guard):
            with pytest.raises(RuntimeError, match="is bound to a different event loop"):
                await guard.acquire()

        run(elsewhere())


def test_notify_wakes_as_many_as_it_is_told(api):
    async def main():
        condition, woken = api.Condition(), []

        async def wait(name):
            async with condition:
                assert await condition.wait() is True
                woken.append(name)

        tasks = [roundel.create_task(wait(name)) for name in "abcd"]
        await settle()
        async with condition:
            condition.notify()
            assert woken == []
        await settle()
        assert woken == ["a"]
        async with condition:
            condition.notify(2)
        await settle()
        assert woken == list("abc")
        async with condition:
            condition.notify_all()
        await roundel.wait(tasks)
        assert woken == list("abcd")

    run(main())


def test_a_condition_has_to_be_locked(api):
    async def main():
        condition = api.Condition()
        with pytest.raises(RuntimeError, match="cannot wait on un-acquired lock"):
            await condition.wait()
        with pytest.raises(RuntimeError, match="cannot notify on un-acquired lock"):
            condition.notify()
        with pytest.raises(RuntimeError, match="cannot notify on un-acquired lock"):
            condition.notify_all()

    run(main())


@pytest.mark.parametrize("turns", range(5))
def test_a_cancelled_wait_holds_the_lock_and_passes_its_notification_on(api, turns):
    if api is asyncio and sys.version_info < (3, 13):
        pytest.skip("asyncio loses the notification of a waiter that is cancelled before 3.13")

    async def main():
        condition, woken = api.Condition(), []

        async def wait(name):
            async with condition:
                try:
                    await condition.wait()
                    woken.append(name)
                except asyncio.CancelledError:
                    assert condition.locked()
                    raise

        first, second = (roundel.create_task(wait(name)) for name in ("first", "second"))
        await settle()
        async with condition:
            condition.notify()
            first.cancel()
            await settle(turns)
        await roundel.wait([first])
        await settle()
        assert woken == ["second"]
        assert not condition.locked()
        assert not second.cancelled()

    run(main())


def test_wait_for_returns_what_the_predicate_did(api):
    async def main():
        condition, values = api.Condition(), [0, "", "value"]

        async def wait():
            async with condition:
                return await condition.wait_for(lambda: values[0])

        task = roundel.create_task(wait())
        while len(values) > 1:
            await settle()
            assert not task.done()
            async with condition:
                del values[0]
                condition.notify()
        assert await task == "value"

    run(main())


def test_an_event_wakes_all_that_wait_even_if_it_is_cleared_at_once(api):
    async def main():
        event = api.Event()
        tasks = [roundel.create_task(event.wait()) for _ in range(3)]
        await settle()
        tasks[1].cancel()
        event.set()
        event.clear()
        late = roundel.create_task(event.wait())
        await settle()
        assert [task.cancelled() for task in tasks] == [False, True, False]
        assert all(task.done() for task in tasks)
        assert not late.done()
        event.set()
        assert await late is True

    run(main())


def test_a_barrier_lets_a_full_party_through_and_fills_again(api):
    async def main():
        barrier = api.Barrier(3)
        for _ in range(2):
            numbers = await roundel.gather(*(barrier.wait() for _ in range(3)))
            assert sorted(numbers) == [0, 1, 2]
            assert barrier.n_waiting == 0
        with pytest.raises(ValueError, match="parties must be"):
            api.Barrier(0)

    run(main())


@pytest.mark.parametrize("end", ["abort", "reset"])
def test_who_waits_at_a_barrier_hears_that_it_was_broken_or_reset(api, end):
    async def main():
        barrier = api.Barrier(3)
        waiting = [roundel.create_task(barrier.wait()) for _ in range(2)]
        await settle()
        assert barrier.n_waiting == 2
        await getattr(barrier, end)()
        results = await roundel.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, asyncio.BrokenBarrierError) for result in results)
        assert barrier.broken == (end == "abort")
        if end == "abort":
            with pytest.raises(asyncio.BrokenBarrierError):
                await barrier.wait()
            await barrier.reset()
        assert not barrier.broken
        assert sorted(await roundel.gather(*(barrier.wait() for _ in range(3)))) == [0, 1, 2]

    run(main())


def test_a_cancelled_party_leaves_a_barrier_to_the_others(api):
    async def main():
        barrier = api.Barrier(2)
        first = roundel.create_task(barrier.wait())
        await settle()
        first.cancel()
        assert await cancelled(first)
        assert barrier.n_waiting == 0
        assert sorted(await roundel.gather(barrier.wait(), barrier.wait())) == [0, 1]

    run(main())
