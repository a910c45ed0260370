"""Wrong calls are answered as asyncio answers them, and the loop lives on."""

import asyncio
import dataclasses
import gc

import pytest
from tests.parity.wrong_calls import CALLS, outcome

import roundel


def loop_class(base):
    """Gives both loops the same name, which occurs in messages."""
    return type("Loop", (base,), {})


ASYNCIO = loop_class(asyncio.SelectorEventLoop)
ROUNDEL = loop_class(roundel.EventLoop)


def without_modules(answer):
    """Takes out of the interpreter's own messages where a type is from."""
    result = answer.result.replace("asyncio.locks.", "").replace("roundel.", "")
    return dataclasses.replace(answer, result=result)


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
        answers.append(without_modules(outcome(CALLS[name], aio, loop)))
    assert answers[1] == answers[0]
