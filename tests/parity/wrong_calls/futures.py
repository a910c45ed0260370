"""Futures asked too early, settled twice, or awaited in the wrong way."""

import concurrent.futures
import contextlib
import sys

from .callbacks import throw
from .outcome import Call


def future(call):
    """Makes the call with a pending future."""
    return lambda aio, loop: call(loop.create_future())


def settled(call):
    """Makes the call with a future that has a result."""

    def made(aio, loop):
        done = loop.create_future()
        done.set_result(1)
        return call(done)

    return made


def cancelled(call):
    """Makes the call with a future that was cancelled."""

    def made(aio, loop):
        done = loop.create_future()
        done.cancel("why not")
        return call(done)

    return made


def awaiting(make):
    """Awaits what the function makes of the module and the loop, in a task."""

    async def made(aio, loop):
        return await make(aio, loop)

    return made


class Awaitable:
    """Awaits by an iterator over the given values."""

    def __init__(self, *values):
        self.values = values

    def __await__(self):
        yield from self.values


class AwaitsNothing:
    """Has an __await__ that returns no iterator."""

    def __await__(self):
        return 1


def callback_raises(aio, loop):
    """Has a done callback raise; the one after it must be called all the same."""
    called = []
    done = loop.create_future()
    done.add_done_callback(lambda _: throw(ValueError("done callback")))
    done.add_done_callback(lambda _: called.append("next"))
    done.set_result(None)
    loop.run_until_complete(aio.sleep(0))
    return called


def never_retrieved(aio, loop):
    """Drops a future whose exception nobody has seen."""
    dropped = loop.create_future()
    dropped.set_exception(ValueError("unseen"))
    del dropped


def other_loops_future(aio, loop):
    """Awaits another loop's future."""

    async def wait(foreign):
        await foreign

    with contextlib.closing(type(loop)()) as other:
        return loop.run_until_complete(wait(other.create_future()))


def unblocked(aio, loop):
    """Yields a future without the flag that says it is awaited."""
    return Awaitable(loop.create_future())


def resumed_early(pending):
    """Resumes a future's iterator before the future is done."""
    iterator = iter(pending.__await__())
    next(iterator)
    return next(iterator)


def twice_initialised(pending):
    """Initialises a future again."""
    pending.__init__(loop=pending.get_loop())
    return pending.done()


def error_set_after_cancel(aio, loop):
    """Fails a future that was cancelled meanwhile, from a callback."""
    late = loop.create_future()
    loop.call_soon(late.cancel)
    loop.call_soon(late.set_exception, ValueError("late"))
    return aio.sleep(0)


def wrapped(aio, loop):
    """Wraps what is no future."""
    return aio.wrap_future(1, loop=loop)


def wrapped_cancelled(aio, loop):
    """Cancels the future that wraps a thread's."""
    inner = concurrent.futures.Future()
    outer = aio.wrap_future(inner, loop=loop)
    outer.cancel()
    loop.run_until_complete(aio.sleep(0))
    return inner.cancelled(), outer.cancelled()


CALLS: dict[str, Call] = {
    "result of a pending one": future(lambda it: it.result()),
    "exception of a pending one": future(lambda it: it.exception()),
    "result of a cancelled one": cancelled(lambda it: it.result()),
    "exception of a cancelled one": cancelled(lambda it: it.exception()),
    "set_result twice": settled(lambda it: it.set_result(2)),
    "set_exception after set_result": settled(lambda it: it.set_exception(ValueError())),
    "set_result of a cancelled one": cancelled(lambda it: it.set_result(2)),
    "set_exception to a number": future(lambda it: it.set_exception(1)),
    "set_exception to None": future(lambda it: it.set_exception(None)),
    "set_exception to a string": future(lambda it: it.set_exception("failed")),
    "set_exception to a class": future(lambda it: (it.set_exception(KeyError), it.exception())),
    "cancel with a number": future(lambda it: (it.cancel(1), it.cancelled())),
    "cancel a done one": settled(lambda it: it.cancel()),
    "cancel twice": cancelled(lambda it: it.cancel()),
    "add_done_callback of None": future(lambda it: (it.add_done_callback(None), it.set_result(1))),
    "add_done_callback of a number": settled(lambda it: it.add_done_callback(1)),
    "add_done_callback with a context that is none": settled(
        lambda it: it.add_done_callback(int, context=1)
    ),
    "remove_done_callback of an unknown one": future(lambda it: it.remove_done_callback(int)),
    "add_done_callback raises when called": callback_raises,
    "an exception never retrieved": never_retrieved,
    "an exception set after cancellation": error_set_after_cancel,
    "awaiting another loop's": other_loops_future,
    "awaiting a number": awaiting(lambda aio, loop: 1),
    "awaiting None": awaiting(lambda aio, loop: None),
    "awaiting what yields a number": awaiting(lambda aio, loop: Awaitable(1)),
    "awaiting what yields a string": awaiting(lambda aio, loop: Awaitable("1")),
    "awaiting what yields nothing": awaiting(lambda aio, loop: Awaitable(None, None)),
    "awaiting what yields a generator": awaiting(lambda aio, loop: Awaitable(x for x in ())),
    "awaiting what yields a future": awaiting(unblocked),
    "awaiting what is no iterator": awaiting(lambda aio, loop: AwaitsNothing()),
    "resuming a pending one": future(resumed_early),
    "throwing into one": future(lambda it: it.__await__().throw(LookupError("thrown"))),
    "sending to one": future(lambda it: type(it.__await__().send(None)).__name__),
    "initialising one again": future(twice_initialised),
    "initialising without a loop": lambda aio, loop: aio.Future(),
    "initialising with a number for a loop": lambda aio, loop: aio.Future(loop=1),
    "using one that was never initialised": lambda aio, loop: aio.Future.__new__(
        aio.Future
    ).get_loop(),
    "setting one that was never initialised": lambda aio, loop: aio.Future.__new__(
        aio.Future
    ).set_result(1),
    "wrap_future of a number": wrapped,
    "wrap_future cancelled": wrapped_cancelled,
    "isfuture of a number": lambda aio, loop: aio.isfuture(1),
    "isfuture of a class": lambda aio, loop: aio.isfuture(aio.Future),
}
# The first 3.12 refused them.
if not (3, 12) <= sys.version_info < (3, 12, 2):
    CALLS |= {
        "set_exception to StopIteration": future(lambda it: it.set_exception(StopIteration)),
        "set_exception to a StopIteration": future(
            lambda it: (it.set_exception(StopIteration(1)), it.exception())
        ),
    }
