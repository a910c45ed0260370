"""Wrong calls are answered as asyncio answers them, and the loop lives on."""

import asyncio
import dataclasses
import gc
import re

import pytest
from tests.parity.wrong_calls import CALLS, outcome

import roundel


def loop_class(base):
    """Gives both loops the same name, which occurs in messages."""
    return type("Loop", (base,), {})


ASYNCIO = loop_class(asyncio.SelectorEventLoop)
ROUNDEL = loop_class(roundel.EventLoop)


# In full, and as far as a shortened repr has it.
TRANSPORT = re.compile(
    r"_SelectorSocketTransport|StreamTransport|_SelectorDatagramTransport|DatagramTransport"
    r"|_SelectorTransport"
    r"|(?<=<)(_SelectorSoc|StreamTransp|_SelectorDat|DatagramTran)"
)
# Where the words are the interpreter's own, about what asyncio happens to do with an argument.
WORDED_BY_PYTHON = {
    "transports: writelines of a number",
    "transports: writelines of a string",
    "transports: writelines of bytes",
    "transports: writelines of strings",
    "transports: limits of strings",
    "sockets: sock_accept of no socket",
    "streams: writelines of a number by a stream",
    "streams: readexactly of a string",
    "streams: read of a string",
    "streams: read of None",
    "streams: readuntil a string",
    "streams: feed_data of a string",
}

MODULES = re.compile(r"asyncio\.locks\.|_asyncio\.|roundel\.")


def without_modules(name, answer):
    """Takes out of the interpreter's own messages what a type is called and where it is from."""
    result = MODULES.sub("", answer.result)
    if name in WORDED_BY_PYTHON:
        result = re.sub(r"(\w+Error): .*", r"\1", result)
    scrubbed = {
        field: [TRANSPORT.sub("Transport", line) for line in lines]
        for field, lines in dataclasses.asdict(answer).items()
        if isinstance(lines, list)
    }
    result = TRANSPORT.sub("Transport", result)
    return dataclasses.replace(answer, result=result, **scrubbed)


@pytest.fixture(scope="module", autouse=True)
def frozen():
    """Spares the collector, which every call needs, what the test runner has allocated."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("name", CALLS)
def test_wrong_calls_are_answered_as_asyncio_answers_them(name, debug):
    answers = []
    for aio, new_loop in ((asyncio, ASYNCIO), (roundel, ROUNDEL)):
        loop = new_loop()
        loop.set_debug(debug)
        answers.append(without_modules(name, outcome(CALLS[name], aio, loop)))
    assert answers[1] == answers[0]
