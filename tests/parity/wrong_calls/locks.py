"""Locks released too often, waited for in the wrong loop, entered in the wrong way."""

import contextlib

from .outcome import Call


def two_loops(make, wait):
    """Has two loops wait for the same thing."""

    def made(aio, loop):
        shared = make(aio)

        async def block():
            await aio.wait_for(wait(shared), 0.001)

        def block_on(loop):
            with contextlib.suppress(TimeoutError):
                loop.run_until_complete(block())

        block_on(loop)
        with contextlib.closing(type(loop)()) as other:
            block_on(other)

    return made


def taken_lock(aio):
    """Makes a lock that is taken."""
    lock = aio.Lock()
    with contextlib.suppress(StopIteration):
        lock.acquire().__await__().send(None)
    return lock


async def await_it(thing):
    """Awaits something that cannot be awaited."""
    await thing


def enter_plainly(thing):
    """Enters something by `with` instead of `async with`."""
    with thing:
        pass


async def leave_unentered(aio, loop):
    """Leaves a lock that was not entered."""
    await aio.Lock().__aexit__(None, None, None)


async def shared_lock(aio, loop):
    """Releases the lock of a condition twice."""
    lock = aio.Lock()
    condition = aio.Condition(lock)
    async with condition:
        lock.release()


async def wait_with_predicate(aio, predicate):
    """Waits until a predicate is true."""
    condition = aio.Condition()
    async with condition:
        return await condition.wait_for(predicate)


async def notify(aio, number):
    """Notifies some number of nobodies."""
    condition = aio.Condition()
    async with condition:
        return condition.notify(number)


async def broken_barrier(aio, loop):
    """Waits at a barrier that was broken."""
    barrier = aio.Barrier(2)
    await barrier.abort()
    await barrier.wait()


async def barrier_reset_with_waiter(aio, loop):
    """Resets a barrier at which a task waits."""
    barrier = aio.Barrier(2)
    waiting = loop.create_task(barrier.wait())
    await aio.sleep(0)
    await barrier.reset()
    return await waiting


async def release_too_often(semaphore):
    """Releases a semaphore once more than it was acquired."""
    await semaphore.acquire()
    semaphore.release()
    semaphore.release()


CALLS: dict[str, Call] = {
    "release of a lock that is free": lambda aio, loop: aio.Lock().release(),
    "release of a lock by leaving": leave_unentered,
    "release of a condition that is free": lambda aio, loop: aio.Condition().release(),
    "release of a condition's lock": shared_lock,
    "release of a semaphore": lambda aio, loop: release_too_often(aio.Semaphore()),
    "release of a bounded semaphore": lambda aio, loop: release_too_often(aio.BoundedSemaphore()),
    "awaiting a lock": lambda aio, loop: await_it(aio.Lock()),
    "awaiting a semaphore": lambda aio, loop: await_it(aio.Semaphore()),
    "with a lock": lambda aio, loop: enter_plainly(aio.Lock()),
    "with a semaphore": lambda aio, loop: enter_plainly(aio.Semaphore()),
    "with a condition": lambda aio, loop: enter_plainly(aio.Condition()),
    "a lock in two loops": two_loops(taken_lock, lambda it: it.acquire()),
    "an event in two loops": two_loops(lambda aio: aio.Event(), lambda it: it.wait()),
    "a semaphore in two loops": two_loops(lambda aio: aio.Semaphore(0), lambda it: it.acquire()),
    "a lock with a loop": lambda aio, loop: aio.Lock(loop=loop),
    "an event with a loop": lambda aio, loop: aio.Event(loop=loop),
    "a semaphore of less than nothing": lambda aio, loop: aio.Semaphore(-1),
    "a semaphore of a string": lambda aio, loop: aio.Semaphore("1"),
    "a bounded semaphore of less than nothing": lambda aio, loop: aio.BoundedSemaphore(-1),
    "a barrier of nobody": lambda aio, loop: aio.Barrier(0),
    "a barrier of less than nobody": lambda aio, loop: aio.Barrier(-1),
    "a barrier of a string": lambda aio, loop: aio.Barrier("1"),
    "a broken barrier": broken_barrier,
    "a barrier reset with a waiter": barrier_reset_with_waiter,
    "waiting for a condition that is free": lambda aio, loop: aio.Condition().wait(),
    "waiting for a condition's predicate that is none": lambda aio, loop: wait_with_predicate(
        aio, None
    ),
    "waiting for a condition's predicate that raises": lambda aio, loop: wait_with_predicate(
        aio, lambda: 1 / 0
    ),
    "notifying a condition that is free": lambda aio, loop: aio.Condition().notify(),
    "notifying all of a condition that is free": lambda aio, loop: aio.Condition().notify_all(),
    "notifying less than nobody": lambda aio, loop: notify(aio, -1),
}
