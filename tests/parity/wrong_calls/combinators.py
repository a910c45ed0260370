"""gather, wait, timeouts, groups: of nothing, of the wrong thing, in the wrong place."""

import contextlib
import math
import sys

from .callbacks import coroutine_function
from .loops import coroutine_on
from .outcome import Call
from .tasks import raise_error


def awaiting(make):
    """Awaits what the function makes of the module, in a task."""

    async def made(aio, loop):
        return await make(aio)

    return made


def awaiting_with_coroutine(make):
    """Awaits what the function makes of the module and a coroutine."""

    async def made(aio, loop):
        with contextlib.closing(coroutine_function()) as coroutine:
            return await make(aio, coroutine)

    return made


async def gather_nothing(aio, loop):
    """Gathers nothing."""
    return await aio.gather()


def of_two_loops(aio, loop):
    """Gathers futures of two loops."""
    with contextlib.closing(type(loop)()) as other:
        return aio.gather(loop.create_future(), other.create_future())


async def same_twice(aio, loop):
    """Gathers one coroutine twice."""
    coroutine = aio.sleep(0, "once")
    return await aio.gather(coroutine, coroutine)


async def two_fail(aio, loop):
    """Gathers two coroutines that both fail."""
    return await aio.gather(raise_error(ValueError(1)), raise_error(KeyError(2)))


async def inner_cancelled(aio, loop):
    """Gathers a future that is cancelled from elsewhere."""
    future = loop.create_future()
    loop.call_soon(future.cancel, "elsewhere")
    return await aio.gather(future, aio.sleep(0))


async def wait_for_coroutine(aio, loop):
    """Waits for a bare coroutine."""
    with contextlib.closing(coroutine_function()) as coroutine:
        await aio.wait([coroutine])


async def wait_with(aio, loop, **options):
    """Waits for a future that is done."""
    future = loop.create_future()
    future.set_result(1)
    done, pending = await aio.wait([future], **options)
    return len(done), len(pending)


async def wait_for_task(aio, loop):
    """Waits for a task where a list of tasks is expected."""
    task = loop.create_task(coroutine_function())
    try:
        await aio.wait(task)
    finally:
        await task


async def wait_for_future(aio, limit):
    """Waits for a future that is never done, within the limit."""
    return await aio.wait_for(aio.get_running_loop().create_future(), limit)


async def entered_twice(aio, loop):
    """Enters a timeout twice."""
    timeout = aio.timeout(1)
    async with timeout:
        pass
    async with timeout:
        pass


async def entered_inside(aio, loop):
    """Enters a timeout inside itself."""
    timeout = aio.timeout(1)
    async with timeout, timeout:
        pass


def timeout_without_task(aio, loop):
    """Enters a timeout where no task runs."""
    with contextlib.suppress(StopIteration):
        aio.timeout(1).__aenter__().send(None)


async def timeout_without_task_in_loop(aio, loop):
    """Enters a timeout in a callback."""
    failed = loop.create_future()

    def enter():
        try:
            aio.timeout(1).__aenter__().send(None)
        except BaseException as error:
            failed.set_result(error)

    loop.call_soon(enter)
    return await failed


async def rescheduled(aio, when, enter):
    """Reschedules a timeout outside its block."""
    timeout = aio.timeout(1)
    if enter:
        async with timeout:
            pass
    timeout.reschedule(when)


async def expires(aio, delay):
    """Sleeps longer than allowed."""
    async with aio.timeout(delay):
        await aio.sleep(1)


async def group_not_entered(aio, loop):
    """Makes a task in a group that was not entered."""
    with contextlib.closing(coroutine_function()) as coroutine:
        aio.TaskGroup().create_task(coroutine)


async def group_left(aio, loop):
    """Makes a task in a group that was left."""
    async with aio.TaskGroup() as group:
        pass
    with contextlib.closing(coroutine_function()) as coroutine:
        group.create_task(coroutine)


async def group_twice(aio, loop):
    """Enters a group twice."""
    async with aio.TaskGroup() as group, group:
        pass


async def group_of(aio, loop, thing):
    """Makes a task of something in a group."""
    async with aio.TaskGroup() as group:
        group.create_task(thing)


async def group_fails(aio, loop):
    """Has two tasks and the body of a group fail."""
    async with aio.TaskGroup() as group:
        group.create_task(raise_error(ValueError(1)))
        group.create_task(raise_error(KeyError(2)))
        raise LookupError(3)


async def group_interrupted(aio, loop):
    """Has a task of a group raise SystemExit."""
    async with aio.TaskGroup() as group:
        group.create_task(raise_error(SystemExit(6)))
        await aio.sleep(1)


async def group_aborting(aio, loop):
    """Makes a task in a group that shuts down."""
    async with aio.TaskGroup() as group:
        group.create_task(raise_error(ValueError(1)))
        with contextlib.suppress(aio.CancelledError):
            await aio.sleep(1)
        with contextlib.closing(coroutine_function()) as coroutine:
            group.create_task(coroutine)


def group_without_task(aio, loop):
    """Enters a group where no task runs."""
    aio.TaskGroup().__aenter__().send(None)


async def shielded_fails(aio, loop):
    """Cancels the waiter for a shielded task that fails later."""
    inner = loop.create_task(aio.sleep(0.001))
    inner.add_done_callback(lambda _: None)
    failing = loop.create_task(raise_error(ValueError("shielded")))
    outer = aio.shield(failing)
    outer.cancel()
    await inner
    return outer.cancelled(), failing.done()


async def completed_late(aio, loop):
    """Runs into the time limit of as_completed."""
    return [await each for each in aio.as_completed([aio.sleep(0.001)], timeout=0)]


async def first_completed(aio, things):
    """Awaits what completes first."""
    return await next(iter(aio.as_completed(things)))


CALLS: dict[str, Call] = {
    "gather of nothing": gather_nothing,
    "gather of a number": awaiting(lambda aio: aio.gather(1)),
    "gather of a list": awaiting(lambda aio: aio.gather([])),
    "gather when no loop runs": coroutine_on(lambda aio, loop, it: aio.gather(it)),
    "gather of futures of two loops": of_two_loops,
    "gather of one coroutine twice": same_twice,
    "gather of two that fail": two_fail,
    "gather of a cancelled future": inner_cancelled,
    "wait for nothing": awaiting(lambda aio: aio.wait([])),
    "wait for a number": awaiting(lambda aio: aio.wait(1)),
    "wait for numbers": awaiting(lambda aio: aio.wait([1, 2])),
    "wait for a coroutine": wait_for_coroutine,
    "wait for a bare coroutine": awaiting_with_coroutine(lambda aio, it: aio.wait(it)),
    "wait for a bare task": wait_for_task,
    "wait until what never is": lambda aio, loop: wait_with(aio, loop, return_when="NEVER"),
    "wait until None": lambda aio, loop: wait_with(aio, loop, return_when=None),
    "wait for less than nothing": lambda aio, loop: wait_with(aio, loop, timeout=-1),
    "wait_for within a string": awaiting_with_coroutine(lambda aio, it: aio.wait_for(it, "1")),
    "wait_for within no time": awaiting(lambda aio: wait_for_future(aio, 0)),
    "wait_for within less than no time": awaiting(lambda aio: wait_for_future(aio, -1)),
    "wait_for within a moment": awaiting(lambda aio: wait_for_future(aio, 0.001)),
    "as_completed of a number": awaiting(lambda aio: first_completed(aio, 1)),
    "as_completed of a coroutine": awaiting_with_coroutine(first_completed),
    "as_completed too late": completed_late,
    "shield of a number": awaiting(lambda aio: aio.shield(1)),
    "shield of what fails": shielded_fails,
    "sleep for a string": awaiting(lambda aio: aio.sleep("1")),
    "sleep for None": awaiting(lambda aio: aio.sleep(None)),
    "sleep for less than nothing": awaiting(lambda aio: aio.sleep(-1, "awake")),
    "sleep for a complex number": awaiting(lambda aio: aio.sleep(1j)),
    "sleep without arguments": awaiting(lambda aio: aio.sleep(delay=0, result=1)),
    "to_thread of None": awaiting(lambda aio: aio.to_thread(None)),
    "to_thread of what raises": awaiting(lambda aio: aio.to_thread(int, "x")),
    "timeout of a string": awaiting(lambda aio: expires(aio, "1")),
    "timeout of no time": awaiting(lambda aio: expires(aio, 0)),
    "timeout of less than no time": awaiting(lambda aio: expires(aio, -1)),
    "timeout entered twice": entered_twice,
    "timeout entered inside itself": entered_inside,
    "timeout without a loop": timeout_without_task,
    "timeout without a task": timeout_without_task_in_loop,
    "timeout rescheduled before it is entered": lambda aio, loop: rescheduled(aio, 1, False),
    "timeout rescheduled after it was left": lambda aio, loop: rescheduled(aio, 1, True),
    "timeout_at a string": awaiting(lambda aio: aio.timeout_at("now").__aenter__()),
    "TaskGroup not entered": group_not_entered,
    "TaskGroup left already": group_left,
    "TaskGroup entered twice": group_twice,
    "TaskGroup.create_task of a number": lambda aio, loop: group_of(aio, loop, 1),
    "TaskGroup.create_task of None": lambda aio, loop: group_of(aio, loop, None),
    "TaskGroup in which three fail": group_fails,
    "TaskGroup interrupted": group_interrupted,
    "TaskGroup that shuts down": group_aborting,
    "TaskGroup without a task": group_without_task,
}
if sys.version_info >= (3, 12):
    CALLS["wait_for a number"] = awaiting(lambda aio: aio.wait_for(1, 1))
# Before, asyncio woke at once.
if sys.version_info >= (3, 13):
    CALLS["sleep for NaN"] = awaiting(lambda aio: aio.sleep(math.nan))
