"""Native functions that are coroutine functions to whoever asks: `inspect`, mocks, frameworks."""

import asyncio
import ctypes
import inspect
import pickle
import sys
from unittest import mock

import pytest

import roundel

CAN_BE_TOLD = sys.version_info >= (3, 12)
FUNCTIONS = ["sleep", "wait", "wait_for"]
SOCKET_CALLS = ["accept", "recv", "recv_into", "recvfrom", "recvfrom_into", "sendall", "sendto"]
METHODS = [
    *((kind, "acquire") for kind in ("Lock", "Condition", "Semaphore", "BoundedSemaphore")),
    *(("Condition", name) for name in ("wait", "wait_for")),
    *(("Barrier", name) for name in ("wait", "reset", "abort")),
    *((kind, "join") for kind in ("Queue", "LifoQueue", "PriorityQueue")),
    *(("StreamReader", name) for name in ("read", "readexactly", "readline", "readuntil")),
    *(("StreamWriter", name) for name in ("drain", "start_tls", "wait_closed")),
    *(("SelectorEventLoop", f"sock_{name}") for name in SOCKET_CALLS),
    ("Event", "wait"),
]
NO_KEYWORDS: dict[str, object] = {}
LEFT_OUT = {
    (kind, name) for kind in ("Queue", "LifoQueue", "PriorityQueue") for name in ("put", "get")
}


def native_class(name):
    return roundel.EventLoop if name == "SelectorEventLoop" else getattr(roundel, name)


def both(kind, name):
    if (kind, name) == ("Condition", "acquire"):  # a method of the lock there
        return asyncio.Lock.acquire, roundel.Condition.acquire
    return getattr(getattr(asyncio, kind), name), getattr(native_class(kind), name)


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_a_method_is_a_coroutine_function_with_asyncios_signature(kind, name):
    theirs, ours = both(kind, name)
    assert inspect.iscoroutinefunction(theirs)
    assert inspect.iscoroutinefunction(ours) is CAN_BE_TOLD
    added_later = set() if CAN_BE_TOLD else {"ssl_shutdown_timeout"}  # which we take everywhere
    parameters = [each for each in defaults(ours).items() if each[0] not in added_later]
    assert parameters == list(defaults(theirs).items())
    assert ours.__name__ == name
    assert ours.__doc__


def defaults(function):
    return {name: each.default for name, each in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_a_coroutine_function_with_asyncios_signature(name):
    theirs, ours = getattr(asyncio, name), getattr(roundel, name)
    assert inspect.iscoroutinefunction(ours) is CAN_BE_TOLD
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert ours.__name__ == name
    assert ours.__module__ == ("roundel" if CAN_BE_TOLD else "roundel._roundel")
    assert ours.__doc__
    assert pickle.loads(pickle.dumps(ours)) is ours


@pytest.mark.skipif(not CAN_BE_TOLD, reason="inspect looks for Python code alone on 3.11")
def test_no_public_method_that_asyncio_has_as_async_def_is_left_out_but_two_of_queues():
    missing = set()
    for kind in asyncio.__all__:
        theirs, ours = getattr(asyncio, kind), getattr(roundel, kind, None)
        if not (isinstance(theirs, type) and isinstance(ours, type)) or theirs is ours:
            continue
        for name in dir(theirs):
            if name.startswith("_") or not inspect.iscoroutinefunction(getattr(theirs, name)):
                continue
            if not inspect.iscoroutinefunction(getattr(ours, name)):
                missing.add((kind, name))
    assert missing == LEFT_OUT


@pytest.mark.skipif(not CAN_BE_TOLD, reason="inspect looks for Python code alone on 3.11")
@pytest.mark.usefixtures("installed")
def test_a_patched_sleep_is_an_awaitable_mock():
    async def main():
        with mock.patch("asyncio.sleep") as sleep:
            await asyncio.sleep(1000)
        return sleep.await_args

    assert asyncio.run(main(), loop_factory=roundel.new_event_loop) == mock.call(1000)


@pytest.mark.skipif(not CAN_BE_TOLD, reason="inspect looks for Python code alone on 3.11")
def test_mocks_of_streams_are_awaitable_where_the_streams_are():
    reader = mock.create_autospec(roundel.StreamReader, instance=True)
    reader.readexactly.return_value = b"ab"
    writer = mock.MagicMock(spec=roundel.StreamWriter)

    async def main():
        writer.write(b"x")
        await writer.drain()
        with pytest.raises(TypeError, match="missing a required argument: 'n'"):
            await reader.readexactly()
        return await reader.readexactly(2)

    assert roundel.run(main()) == b"ab"
    writer.drain.assert_awaited_once_with()


def test_it_can_be_called_in_every_way_a_method_is():
    class Mine(roundel.Event):
        async def wait(self):
            return "mine", await super().wait()

    async def main():
        event, mine = roundel.Event(), Mine()
        event.set()
        mine.set()
        bound = event.wait
        return [
            await event.wait(),
            await bound(),
            await roundel.Event.wait(event),
            await roundel.Event.wait(*[event], **NO_KEYWORDS),
            await mine.wait(),
            await roundel.Event.wait(mine),
        ]

    assert roundel.run(main()) == [True, True, True, True, ("mine", True), True]


def test_it_can_be_called_from_c_with_no_names_at_all():
    event = roundel.Event()
    event.set()
    vectorcall = ctypes.pythonapi.PyObject_Vectorcall
    vectorcall.restype = ctypes.py_object
    arguments = (ctypes.py_object * 1)(event)
    made = vectorcall(
        ctypes.py_object(roundel.Event.wait), arguments, ctypes.c_size_t(1), ctypes.py_object(())
    )
    assert roundel.run(made) is True


WORDED_AS_NATIVE = pytest.mark.skipif(
    not CAN_BE_TOLD, reason="CPython 3.11 itself refuses it, in its words for native methods"
)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda kinds: kinds.Event().wait(1), marks=WORDED_AS_NATIVE),
        pytest.param(lambda kinds: kinds.Event().wait(timeout=1), marks=WORDED_AS_NATIVE),
        pytest.param(lambda kinds: kinds.Event.wait(), marks=WORDED_AS_NATIVE),
        pytest.param(lambda kinds: kinds.Condition.wait_for(), marks=WORDED_AS_NATIVE),
        lambda kinds: kinds.Condition().wait_for(),
        lambda kinds: kinds.StreamReader().readexactly(1, 2),
        lambda kinds: kinds.sleep(),
        lambda kinds: kinds.sleep(1, 2, 3),
        lambda kinds: kinds.wait_for(1),
    ],
)
def test_wrong_arguments_are_refused_in_asyncios_words(call):
    async def message(kinds):
        with pytest.raises(TypeError) as caught:
            await call(kinds)
        return str(caught.value)

    assert roundel.run(message(roundel)) == asyncio.run(message(asyncio))


@pytest.mark.parametrize("receiver", [None, 1, object(), roundel.Event])
def test_a_method_refuses_what_is_not_of_its_class(receiver):
    for method in (roundel.Lock.acquire, roundel.StreamReader.read, roundel.Condition.wait_for):
        with pytest.raises(TypeError, match="doesn't apply to"):
            method(receiver)


@pytest.mark.skipif(not CAN_BE_TOLD, reason="a native method on CPython 3.11")
def test_self_is_given_by_position():
    with pytest.raises(TypeError, match="self is to be given by position"):
        roundel.run(roundel.Event.wait(self=roundel.Event()))
