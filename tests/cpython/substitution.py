"""Puts the loop and the primitives under test where CPython's test_asyncio uses asyncio's own.

Imported in test processes only: it changes the asyncio of its process for good.
"""

import asyncio
import importlib
import inspect
from asyncio import events, futures, tasks, unix_events

from test.test_asyncio import utils as suite

# These files test the inside of the standard loop, mostly with mocks for its selector. What they
# derive or simulate stays the standard loop; what they make to use it is the loop under test.
INTERNALS = frozenset({"test_base_events", "test_selector_events", "test_unix_events"})


class Made:
    """Counts what the suite has made."""

    loops = 0


def substitute_loop(spec: str, file: str):
    """Makes the suite use another loop.

    Args:
        spec: The loop's class as "module:name".
        file: The test file that is about to be imported.
    """
    module, _, name = spec.partition(":")
    base = getattr(importlib.import_module(module), name)

    class LoopUnderTest(base):
        # The suite runs some tests on each kind of selector, which is asyncio's own affair.
        def __init__(self, selector=None, **options):
            Made.loops += 1
            super().__init__(**options)

        def advance_time(self, seconds):
            """Does nothing: a virtual clock is moved on by the waiting alone."""

    def new_test_loop(test, gen=None):
        if gen is None:
            loop = LoopUnderTest()
        elif "clock" in inspect.signature(base).parameters:
            # The generator would move a simulated clock on, timer by timer.
            loop = LoopUnderTest(clock="virtual")
        else:
            loop = suite.TestLoop(gen)
        test.set_event_loop(loop)
        return loop

    LoopUnderTest.__name__ = LoopUnderTest.__qualname__ = name
    asyncio.SelectorEventLoop = asyncio.EventLoop = LoopUnderTest
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = LoopUnderTest
    if file not in INTERNALS:
        asyncio.BaseEventLoop = LoopUnderTest
        suite.TestCase.new_test_loop = new_test_loop


def substitute_primitives(name: str):
    """Makes asyncio and the suite use the Task, Future, Queue… of the module of that name.

    The module's own `install()` does it for programs. The suite also asks for the C twins of what
    asyncio has in C and in Python, such as `futures._CFuture` and `tasks._c_current_task`.
    """
    module = importlib.import_module(name)
    module.install()
    for place in (futures, tasks, events):
        for twin in list(vars(place)):
            original = twin.removeprefix("_c_").removeprefix("_C")
            if original != twin and hasattr(module, original):
                setattr(place, twin, getattr(module, original))
