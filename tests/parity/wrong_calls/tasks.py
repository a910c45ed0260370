"""Tasks of what is no coroutine, of one coroutine twice, and what coroutines should not raise."""

import asyncio
import contextlib
import sys

from .callbacks import coroutine_function
from .futures import Awaitable
from .loops import coroutine_on, running
from .outcome import Call


async def raise_error(error):
    """Raises the error in a coroutine."""
    raise error


def raising(error):
    """Makes a call whose task raises."""
    return lambda aio, loop: loop.create_task(raise_error(error))


async def generate():
    """Is an asynchronous generator."""
    yield 1


def awaited_twice(aio, loop):
    """Awaits a coroutine again that has ended."""
    coroutine = coroutine_function()

    async def twice():
        await coroutine
        await coroutine

    return twice()


def two_tasks(aio, loop):
    """Makes two tasks of one coroutine."""
    future = loop.create_future()

    async def wait():
        return await future

    coroutine = wait()
    loop.call_later(0.001, future.set_result, "once")
    first, second = loop.create_task(coroutine), loop.create_task(coroutine)
    return aio.gather(first, second, return_exceptions=True)


async def awaits_itself(aio, loop):
    """Awaits the task that awaits."""
    await aio.current_task()


def cancelled_while_waiting(aio, loop):
    """Cancels a task that waits for what nobody else knows."""

    async def wait():
        await loop.create_future()

    task = loop.create_task(wait())
    loop.run_until_complete(aio.sleep(0))
    task.cancel()
    loop.run_until_complete(aio.sleep(0))
    return task.cancelled(), task.cancelling()


def ignores_cancellation(aio, loop):
    """Cancels a task that goes on."""

    async def stubborn():
        with contextlib.suppress(aio.CancelledError):
            await loop.create_future()
        return "went on"

    task = loop.create_task(stubborn())
    loop.call_soon(task.cancel)
    return task


def cancel_with(message):
    """Cancels a task with a message."""

    def made(aio, loop):
        task = loop.create_task(aio.sleep(1))
        loop.call_soon(task.cancel, message)
        return task

    return made


def done_task(call):
    """Makes the call with a task that is done."""

    def made(aio, loop):
        task = loop.create_task(coroutine_function())
        loop.run_until_complete(task)
        return call(task)

    return made


def name_of_number(aio, loop):
    """Names a task by a number."""
    task = loop.create_task(coroutine_function(), name=5)
    loop.run_until_complete(task)
    task.set_name(6.5)
    return task.get_name()


def factory_returns_nothing(aio, loop):
    """Uses a task factory that returns nothing."""
    loop.set_task_factory(lambda loop, coroutine, **options: coroutine.close())
    return loop.create_task(coroutine_function(), name="named")


def factory_raises(aio, loop):
    """Uses a task factory that raises."""

    def factory(loop, coroutine, **options):
        coroutine.close()
        raise LookupError("factory")

    loop.set_task_factory(factory)
    return loop.create_task(coroutine_function())


def of_another_loop(aio, loop):
    """Makes sure of another loop's future."""
    with contextlib.closing(type(loop)()) as other:
        return aio.ensure_future(other.create_future(), loop=loop)


def threadsafe(thing):
    """Hands something to run_coroutine_threadsafe."""
    return lambda aio, loop: aio.run_coroutine_threadsafe(thing, loop)


def runner(call):
    """Makes the call with a runner that makes loops like the one given."""

    def made(aio, loop):
        with (
            aio.Runner(loop_factory=type(loop)) as it,
            contextlib.closing(coroutine_function()) as coroutine,
        ):
            return call(it, coroutine)

    return made


def closed_runner(runner, coroutine):
    """Runs with a runner that is closed."""
    runner.close()
    return runner.run(coroutine)


def throw_away(aio, loop):
    """Drops a task whose exception nobody has seen."""
    loop.create_task(raise_error(ValueError("unseen")))
    return aio.sleep(0)


def closes_itself(aio, loop):
    """Closes the coroutine of a task that runs, from inside."""

    async def close_itself():
        coroutine.close()

    coroutine = close_itself()
    return loop.create_task(coroutine)


CALLS: dict[str, Call] = {
    "create_task of a number": lambda aio, loop: loop.create_task(1),
    "create_task of None": lambda aio, loop: loop.create_task(None),
    "create_task of a coroutine function": lambda aio, loop: loop.create_task(coroutine_function),
    "create_task of a future": lambda aio, loop: loop.create_task(loop.create_future()),
    "create_task of an asynchronous generator": lambda aio, loop: loop.create_task(generate()),
    "create_task of an awaitable": lambda aio, loop: loop.create_task(Awaitable()),
    "create_task of a generator": lambda aio, loop: loop.create_task(x for x in ()),
    "create_task when no loop runs": coroutine_on(lambda aio, loop, it: aio.create_task(it)),
    "create_task with a number for a name": name_of_number,
    "Task of a number": lambda aio, loop: aio.Task(1, loop=loop),
    "Task when no loop runs": coroutine_on(lambda aio, loop, it: aio.Task(it)),
    "a factory that returns nothing": factory_returns_nothing,
    "a factory that raises": factory_raises,
    "a coroutine awaited twice": awaited_twice,
    "a coroutine in two tasks": two_tasks,
    "a task that awaits itself": awaits_itself,
    "a task that closes its coroutine": closes_itself,
    "a task cancelled while it waits": cancelled_while_waiting,
    "a task that ignores cancellation": ignores_cancellation,
    "a task raises an exception": raising(ValueError("task")),
    "a task raises StopIteration": raising(StopIteration("task")),
    "a task raises StopAsyncIteration": raising(StopAsyncIteration("task")),
    "a task raises GeneratorExit": raising(GeneratorExit("task")),
    "a task raises KeyboardInterrupt": raising(KeyboardInterrupt("task")),
    "a task raises SystemExit": raising(SystemExit(5)),
    "a task raises CancelledError": raising(asyncio.CancelledError("task")),
    "a task raises BaseException": raising(BaseException("task")),
    "a task's exception never retrieved": throw_away,
    "cancel with a number": cancel_with(1),
    "cancel with None": cancel_with(None),
    "cancel a done one": done_task(lambda task: (task.cancel(), task.cancelling())),
    "uncancel too often": done_task(lambda task: (task.uncancel(), task.uncancel())),
    "set_result": done_task(lambda task: task.set_result(1)),
    "set_exception": done_task(lambda task: task.set_exception(ValueError())),
    "get_stack of a done one": done_task(lambda task: task.get_stack()),
    "current_task when no loop runs": lambda aio, loop: aio.current_task(),
    "current_task of a loop that does not run": lambda aio, loop: aio.current_task(loop),
    "all_tasks when no loop runs": lambda aio, loop: aio.all_tasks(),
    "current_task of a number": lambda aio, loop: aio.current_task(1),
    "ensure_future of a number": lambda aio, loop: aio.ensure_future(1, loop=loop),
    "ensure_future of None": running(lambda aio, loop: aio.ensure_future(None)),
    "ensure_future of another loop's future": of_another_loop,
    "run_coroutine_threadsafe of a number": threadsafe(1),
    "run_coroutine_threadsafe of a function": threadsafe(coroutine_function),
    "run of a number": lambda aio, loop: aio.run(1),
    "run of None": lambda aio, loop: aio.run(None),
    "run of a coroutine function": lambda aio, loop: aio.run(coroutine_function),
    "Runner.run of a number": runner(lambda it, coroutine: it.run(1)),
    "Runner.run when closed": runner(closed_runner),
    "Runner.get_loop when closed": runner(lambda it, coroutine: (it.close(), it.get_loop())),
    "Runner closed twice": runner(lambda it, coroutine: (it.close(), it.close())),
    "iscoroutine of a number": lambda aio, loop: aio.iscoroutine(1),
}
if sys.version_info < (3, 14):
    CALLS["all_tasks of a number"] = lambda aio, loop: aio.all_tasks(1)
