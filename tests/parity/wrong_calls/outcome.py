"""What there is to see of a wrong call: result or exception, warnings, handler, survival."""

import asyncio
import gc
import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType

Call = Callable[[ModuleType, asyncio.AbstractEventLoop], object]

# What differs between any two runs.
ADDRESS = re.compile(r"0x[0-9a-f]+")
NUMBER = re.compile(r"Task-\d+")
PORT = re.compile(r"(?<='127\.0\.0\.1', )\d+|(?<=fd=)\d+")
CREATED = re.compile(r" created at [^\s>]+:\d+|(?<=\.\.\.)[^\s>]+\.py:\d+(?=>)")

PLAIN = (type(None), bool, int, float, str)


@dataclass
class Outcome:
    """What a call led to."""

    result: str = ""
    handled: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    alive: bool = False


def scrub(text: object) -> str:
    """Returns the text without what differs between any two runs."""
    text = PORT.sub("0", ADDRESS.sub("0x0", str(text)))
    return CREATED.sub("", NUMBER.sub("Task-0", text))


def describe(value: object) -> str:
    """Returns a value, or an exception's type and text, so that it can be compared."""
    if isinstance(value, BaseExceptionGroup):
        inner = ", ".join(map(describe, value.exceptions))
        return f"{type(value).__name__}: {scrub(value)}: [{inner}]"
    if isinstance(value, BaseException):
        cause = f" from {describe(value.__cause__)}" if value.__cause__ else ""
        return f"{type(value).__name__}: {scrub(value)}{cause}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(describe, value))})"
    return scrub(repr(value)) if isinstance(value, PLAIN) else type(value).__name__


class _Listener(logging.Handler):
    """Collects what asyncio logs."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        # The first line says what happened, the others where objects were made.
        self.lines.append(f"{record.levelname}: {scrub(record.getMessage().splitlines()[0])}")


def outcome(call: Call, aio: ModuleType, loop: asyncio.AbstractEventLoop) -> Outcome:
    """Makes the call, closes the loop and returns what was seen."""
    seen = Outcome()
    listener = _Listener(seen.logged)
    logger = logging.getLogger("asyncio")
    logger.addHandler(listener)

    def handle(_: object, context: dict[str, object]) -> None:
        error = context.get("exception")
        seen.handled.append(f"{scrub(context['message'])} ← {describe(error)}")

    loop.set_exception_handler(handle)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _make(call, aio, loop, seen)
            gc.collect()
    finally:
        logger.removeHandler(listener)
    seen.warned = [f"{w.category.__name__}: {scrub(w.message)}" for w in caught]
    return seen


def _make(call: Call, aio: ModuleType, loop: asyncio.AbstractEventLoop, seen: Outcome) -> None:
    try:
        value = call(aio, loop)
        if asyncio.isfuture(value) or asyncio.iscoroutine(value):
            value = loop.run_until_complete(value)
        seen.result = f"returned {describe(value)}"
    except BaseException as error:
        seen.result = f"raised {describe(error)}"
    value = None
    gc.collect()
    loop.set_task_factory(None)
    while not (seen.alive or loop.is_closed()):
        try:
            seen.alive = loop.run_until_complete(_afterwards(aio))
        except BaseException as error:
            seen.handled.append(f"afterwards ← {describe(error)}")
    loop.close()


async def _afterwards(aio: ModuleType) -> bool:
    """Lets what the call has left behind come out, then ends it."""
    for _ in range(3):
        await aio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await aio.sleep(0)
    await asyncio.get_running_loop().shutdown_asyncgens()
    return True
