"""Callbacks that cannot be called, or that raise; delays that are none."""

import asyncio
import contextlib
import contextvars
import math

from .outcome import Call


async def coroutine_function():
    """Does nothing."""


def throw(error):
    """Raises the error."""
    raise error


def raising(error):
    """Makes a call that has a callback raise."""
    return lambda aio, loop: run_callback(loop, lambda: throw(error))


def run_callback(loop, callback, *args, **options):
    """Calls back and lets the loop turn once."""
    loop.call_soon(callback, *args, **options)
    loop.run_until_complete(asyncio.sleep(0))


def with_coroutine(call):
    """Makes a call with a coroutine that is closed afterwards."""

    def made(aio, loop):
        with contextlib.closing(coroutine_function()) as coroutine:
            return call(loop, coroutine)

    return made


def cancel_later(handle):
    """Keeps a timer that may not fire from staying behind."""
    handle.cancel()
    return handle


class Uncallable:
    """Says so when it is called."""

    def __call__(self):
        raise NotImplementedError("uncallable")


def later_than_ever(aio, loop):
    """Sleeps for a moment beside a timer that never fires."""
    handle = loop.call_later(math.inf, print)
    loop.run_until_complete(aio.sleep(0.001))
    handle.cancel()


def stopped_by_interrupt(aio, loop):
    """Shows which of the callbacks around an interrupt were called, and when."""
    called = []
    loop.call_soon(called.append, "before")
    loop.call_soon(throw, KeyboardInterrupt("stop"))
    loop.call_soon(called.append, "after")
    with contextlib.suppress(KeyboardInterrupt):
        loop.run_forever()
    called.append("interrupted")
    loop.run_until_complete(aio.sleep(0))
    return called


def twice_cancelled(aio, loop):
    """Cancels a handle twice, and one that was called already."""
    handle = loop.call_soon(print)
    handle.cancel()
    handle.cancel()
    run_callback(loop, int)
    called = loop.call_soon(int)
    run_callback(loop, int)
    called.cancel()
    return handle.cancelled(), called.cancelled()


def context_in_use(aio, loop):
    """Calls back in a context that the code around the loop has entered."""
    context = contextvars.copy_context()
    context.run(run_callback, loop, int, context=context)


CALLS: dict[str, Call] = {
    "call_soon of None": lambda aio, loop: run_callback(loop, None),
    "call_soon of a string": lambda aio, loop: run_callback(loop, "callback"),
    "call_soon of a coroutine function": lambda aio, loop: run_callback(loop, coroutine_function),
    "call_soon of a coroutine": with_coroutine(lambda loop, it: run_callback(loop, it)),
    "call_soon with too many arguments": lambda aio, loop: run_callback(
        loop, coroutine_function, 1
    ),
    "call_soon with a context that is none": lambda aio, loop: run_callback(loop, int, context=1),
    "call_soon with a context that is in use": context_in_use,
    "call_soon of what raises when called": lambda aio, loop: run_callback(loop, Uncallable()),
    "call_later of None": lambda aio, loop: cancel_later(loop.call_later(0, None)),
    "call_later of a coroutine": with_coroutine(lambda loop, it: loop.call_later(9, it).cancel()),
    "call_later by None": lambda aio, loop: loop.call_later(None, int),
    "call_later by a string": lambda aio, loop: loop.call_later("1", int),
    "call_later by NaN": lambda aio, loop: cancel_later(loop.call_later(math.nan, int)),
    "call_later by less than nothing": lambda aio, loop: loop.call_later(-5, int).cancelled(),
    "call_later by a boolean": lambda aio, loop: cancel_later(loop.call_later(True, int)),
    "call_later by for ever": later_than_ever,
    "call_later by less than for ever": lambda aio, loop: loop.call_later(-math.inf, int).when(),
    "call_at None": lambda aio, loop: loop.call_at(None, int),
    "call_at of None": lambda aio, loop: cancel_later(loop.call_at(loop.time() + 9, None)),
    "call_at long ago": lambda aio, loop: loop.call_at(-1e9, int).when(),
    "call_soon_threadsafe of None": lambda aio, loop: loop.call_soon_threadsafe(None).cancel(),
    "call_soon_threadsafe of a coroutine": with_coroutine(
        lambda loop, it: loop.call_soon_threadsafe(it).cancel()
    ),
    "a callback raises an exception": raising(ValueError("callback")),
    "a callback raises KeyboardInterrupt": raising(KeyboardInterrupt("callback")),
    "a callback raises SystemExit": raising(SystemExit(3)),
    "a callback raises CancelledError": lambda aio, loop: run_callback(
        loop, lambda: throw(aio.CancelledError("callback"))
    ),
    "a callback raises GeneratorExit": raising(GeneratorExit("callback")),
    "a callback raises a group": raising(ExceptionGroup("two", [ValueError(1), KeyError(2)])),
    "callbacks around KeyboardInterrupt": stopped_by_interrupt,
    "a handle cancelled twice": twice_cancelled,
}
