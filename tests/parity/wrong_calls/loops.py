"""Loops that are closed, running already, or handed something they cannot use."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import gc
import sys

from .callbacks import coroutine_function, run_callback, throw
from .outcome import Call


def closed(call):
    """Makes the call on a closed loop."""

    def made(aio, loop):
        loop.close()
        return call(loop)

    return made


def running(call):
    """Makes the call while the loop runs."""

    async def made(aio, loop):
        return call(aio, loop)

    return made


def coroutine_on(call):
    """Makes the call with a coroutine, which is closed if the call does not take it."""

    def made(aio, loop):
        with contextlib.closing(coroutine_function()) as coroutine:
            return call(aio, loop, coroutine)

    return made


def coroutine_on_closed(call):
    """Makes the call with a coroutine on a closed loop."""

    def made(aio, loop):
        loop.close()
        with contextlib.closing(coroutine_function()) as coroutine:
            return call(loop, coroutine)

    return made


def other_loop_running(aio, loop):
    """Runs a loop inside another."""
    other = type(loop)()

    async def nest():
        other.run_until_complete(coroutine)

    with contextlib.closing(coroutine_function()) as coroutine, contextlib.closing(other):
        loop.run_until_complete(nest())


async def run_inside(aio, loop):
    """Calls run in a running loop."""
    with contextlib.closing(coroutine_function()) as coroutine:
        aio.run(coroutine)


def stopped_too_early(aio, loop):
    """Stops the loop before the future is done that it is run for."""
    loop.call_soon(loop.stop)
    return loop.run_until_complete(loop.create_future())


def future_of_another(aio, loop):
    """Runs a loop for another's future."""
    with contextlib.closing(type(loop)()) as other:
        loop.run_until_complete(other.create_future())


def handler_raises(error):
    """Has the exception handler itself raise."""

    def made(aio, loop):
        loop.set_exception_handler(lambda loop, context: throw(error))
        run_callback(loop, throw, ValueError("callback"))

    return made


def default_handler(context):
    """Hands the context to the default handler, which logs it."""

    def made(aio, loop):
        loop.set_exception_handler(None)
        return loop.call_exception_handler(context)

    return made


def default_handler_by_callback(aio, loop):
    """Has the default handler log a callback's exception."""
    loop.set_exception_handler(None)
    run_callback(loop, throw, ValueError("callback"))


def executor_after_shutdown(aio, loop):
    """Uses the default executor after its shutdown."""
    loop.run_until_complete(loop.shutdown_default_executor())
    return loop.run_in_executor(None, int)


def finaliser_raises(aio, loop):
    """Leaves an asynchronous generator whose end raises."""

    async def generate():
        try:
            yield 1
        finally:
            raise ArithmeticError("finaliser")

    async def leave():
        async for item in generate():
            return item

    loop.run_until_complete(leave())
    loop.run_until_complete(aio.sleep(0))
    return loop.shutdown_asyncgens()


def del_raises(aio, loop):
    """Drops a callback's argument whose finaliser schedules another callback."""
    called = []

    class Dropped:
        def __del__(self):
            loop.call_soon(called.append, "dropped")

    run_callback(loop, lambda dropped: None, Dropped())
    run_callback(loop, int)
    return called


def del_fails(aio, loop):
    """Drops what a finaliser raises for: an argument, a result, an item, a context's value."""
    unraisable = []

    class Dropped:
        def __del__(self):
            raise ArithmeticError("dropped")

    async def hand_on():
        queue = aio.Queue()
        queue.put_nowait(Dropped())
        await queue.get()
        await aio.create_task(aio.sleep(0, Dropped()))
        context = contextvars.copy_context()
        context.run(contextvars.ContextVar("variable").set, Dropped())
        await aio.create_task(aio.sleep(0), context=context)
        loop.call_later(3600, int, Dropped()).cancel()
        return "handed on"

    hook = sys.unraisablehook
    sys.unraisablehook = lambda seen: unraisable.append(str(seen.exc_value))
    try:
        run_callback(loop, lambda dropped: None, Dropped())
        result = loop.run_until_complete(hand_on())
        run_callback(loop, int)
        gc.collect()
    finally:
        sys.unraisablehook = hook
    return [result, *unraisable]


def generator_after_shutdown(aio, loop):
    """Starts an asynchronous generator after their shutdown."""

    async def generate():
        yield 1

    async def start():
        generator = generate()
        item = await anext(generator)
        await generator.aclose()
        return item

    loop.run_until_complete(loop.shutdown_asyncgens())
    return loop.run_until_complete(start())


def executor_raises(error):
    """Has a function in the executor raise."""

    def made(aio, loop):
        try:
            return loop.run_until_complete(loop.run_in_executor(None, throw, error))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())

    return made


def process_pool(aio, loop):
    """Makes the default executor one of processes."""
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        loop.set_default_executor(pool)


CALLS: dict[str, Call] = {
    "run_forever when closed": closed(lambda loop: loop.run_forever()),
    "run_until_complete when closed": coroutine_on_closed(
        lambda loop, coroutine: loop.run_until_complete(coroutine)
    ),
    "call_soon when closed": closed(lambda loop: loop.call_soon(int)),
    "call_soon_threadsafe when closed": closed(lambda loop: loop.call_soon_threadsafe(int)),
    "call_later when closed": closed(lambda loop: loop.call_later(1, int)),
    "call_at when closed": closed(lambda loop: loop.call_at(1, int)),
    "create_task when closed": coroutine_on_closed(lambda loop, it: loop.create_task(it)),
    "create_future when closed": closed(lambda loop: str(loop.create_future())[:15]),
    "run_in_executor when closed": closed(lambda loop: loop.run_in_executor(None, int)),
    "add_reader when closed": closed(lambda loop: loop.add_reader(0, int)),
    "remove_reader when closed": closed(lambda loop: loop.remove_reader(0)),
    "add_writer when closed": closed(lambda loop: loop.add_writer(0, int)),
    "remove_writer when closed": closed(lambda loop: loop.remove_writer(0)),
    "add_signal_handler when closed": closed(lambda loop: loop.add_signal_handler(12, int)),
    "stop when closed": closed(lambda loop: loop.stop()),
    "close when closed": closed(lambda loop: loop.close()),
    "time when closed": closed(lambda loop: loop.time() >= 0),
    "state when closed": closed(lambda loop: (loop.is_closed(), loop.is_running())),
    "close when running": running(lambda aio, loop: loop.close()),
    "run_forever when running": running(lambda aio, loop: loop.run_forever()),
    "run_until_complete when running": running(
        lambda aio, loop: loop.run_until_complete(loop.create_future())
    ),
    "run_until_complete when another runs": other_loop_running,
    "run when running": run_inside,
    "run_until_complete of a number": lambda aio, loop: loop.run_until_complete(1),
    "run_until_complete of None": lambda aio, loop: loop.run_until_complete(None),
    "run_until_complete of a function": lambda aio, loop: loop.run_until_complete(
        coroutine_function
    ),
    "run_until_complete of another's future": future_of_another,
    "run_until_complete stopped too early": stopped_too_early,
    "set_task_factory to a number": lambda aio, loop: loop.set_task_factory(1),
    "set_exception_handler to a number": lambda aio, loop: loop.set_exception_handler(1),
    "an exception handler raises": handler_raises(KeyError("handler")),
    "an exception handler raises KeyboardInterrupt": handler_raises(KeyboardInterrupt("handler")),
    "an exception handler raises SystemExit": handler_raises(SystemExit(4)),
    "the default handler gets nothing": default_handler({}),
    "the default handler gets a message": default_handler({"message": "beware", "future": 1}),
    "the default handler gets an exception": default_handler({"exception": ValueError(1)}),
    "the default handler gets a number": default_handler(1),
    "the default handler by a callback": default_handler_by_callback,
    "set_default_executor to None": lambda aio, loop: loop.set_default_executor(None),
    "set_default_executor to a number": lambda aio, loop: loop.set_default_executor(1),
    "set_default_executor to processes": process_pool,
    "run_in_executor of None": lambda aio, loop: loop.run_in_executor(None, None),
    "run_in_executor of a coroutine function": coroutine_on(
        lambda aio, loop, coroutine: loop.run_in_executor(None, coroutine)
    ),
    "run_in_executor in a number": lambda aio, loop: loop.run_in_executor(1, int),
    "run_in_executor after shutdown": executor_after_shutdown,
    "a function in the executor raises": executor_raises(LookupError("thread")),
    "an asynchronous generator's finaliser raises": finaliser_raises,
    "an asynchronous generator after shutdown": generator_after_shutdown,
    "a finaliser calls call_soon": del_raises,
    "a finaliser raises": del_fails,
    "set_debug to a string": lambda aio, loop: loop.set_debug("yes"),
    "get_running_loop when none runs": lambda aio, loop: aio.get_running_loop(),
    "set_event_loop to a number": lambda aio, loop: asyncio.set_event_loop(1),
}
# Before, asyncio never returned from it.
if sys.version_info >= (3, 13):
    CALLS["a function in the executor raises StopIteration"] = executor_raises(StopIteration("it"))
