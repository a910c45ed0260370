"""`import roundel as asyncio`: the whole public namespace, and what importing costs and changes."""

import asyncio
import inspect
import socket
import subprocess
import sys
from asyncio import selector_events, unix_events

import pytest

import roundel
from roundel import _eager, _roundel, _streams
from roundel._names import NATIVE


def test_has_every_public_name_of_asyncio():
    namespace = {}
    exec("from roundel import *", namespace)
    assert set(asyncio.__all__) <= namespace.keys()


def test_names_of_roundels_own_come_from_the_module_that_has_them():
    homes = (_roundel, _streams, _eager)
    for name, native in NATIVE.items():
        home = next(home for home in homes if name in vars(home))
        assert getattr(roundel, name) is native is getattr(home, name)


def test_other_names_and_submodules_are_asyncios():
    assert roundel.to_thread is asyncio.to_thread
    assert roundel.CancelledError is asyncio.CancelledError
    assert roundel.subprocess is asyncio.subprocess
    assert roundel._get_running_loop is asyncio._get_running_loop


def test_a_name_that_neither_has_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'roundel' has no attribute 'nothing'"):
        roundel.nothing
    assert not hasattr(roundel, "__path_hooks__")


def test_dir_lists_what_getattr_finds():
    assert {"run", "EventLoop", "Queue", "to_thread", "subprocess"} <= set(dir(roundel))
    assert all(hasattr(roundel, name) for name in roundel.__all__)


def test_importing_changes_nothing_and_imports_little():
    program = """
import asyncio, sys
modules = {n: m for n, m in sys.modules.items() if n.split(".")[0] == "asyncio"}
before = {(n, k): v for n, m in modules.items() for k, v in vars(m).items()}
loaded = set(sys.modules)
import roundel
assert all(vars(modules[n])[k] is v for (n, k), v in before.items())
print(*(set(sys.modules) - loaded))
"""
    command = [sys.executable, "-W", "error", "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert {"roundel", "roundel._roundel", "roundel._names"} <= set(loaded)
    assert not {"roundel._run", "roundel._install", "argparse"} & set(loaded)


CLASSES = {
    **{
        name: (getattr(asyncio, name), getattr(roundel, name))
        for name in NATIVE
        if isinstance(getattr(asyncio, name, None), type)
    },
    "stream transport": (selector_events._SelectorSocketTransport, _roundel.StreamTransport),
    "datagram transport": (
        selector_events._SelectorDatagramTransport,
        _roundel.DatagramTransport,
    ),
    "read pipe transport": (unix_events._UnixReadPipeTransport, _roundel.ReadPipeTransport),
    "write pipe transport": (unix_events._UnixWritePipeTransport, _roundel.WritePipeTransport),
    "loop": (asyncio.SelectorEventLoop, roundel.EventLoop),
}


def parameters(function):
    """Returns name and kind of each parameter but `self`, and whether it is optional."""
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        (each.name, each.kind.name, each.default is not each.empty or each.kind in optional)
        for each in inspect.signature(function).parameters.values()
        if each.name != "self"
    ]


@pytest.mark.parametrize("name", CLASSES)
def test_methods_can_be_called_as_asyncios_are(name):
    theirs, ours = CLASSES[name]
    compared = 0
    for method in dir(theirs):
        if method.startswith("_") or not callable(getattr(theirs, method)):
            continue
        try:
            expected = parameters(getattr(theirs, method))
        except ValueError:  # a builtin that has no signature
            continue
        compared += 1
        found = parameters(getattr(ours, method))
        assert [each for each in found if each in expected] == expected, method
        # What asyncio takes on later versions only is taken on each.
        assert all(each in expected or each[-1] for each in found), method
    assert compared, name


def test_stream_writers_take_data_by_name(run):
    async def main():
        ours, theirs = socket.socketpair()
        reader, writer = await roundel.open_connection(sock=ours)
        writer.write(data=b"a")
        writer.writelines(data=[b"b", b"c"])
        await writer.drain()
        assert theirs.recv(10) == b"abc"
        with pytest.raises(TypeError, match=r"StreamWriter\.write\(\) .*'thing'"):
            writer.write(thing=b"d")
        with pytest.raises(TypeError, match=r"StreamWriter\.write\(\) missing 1 required"):
            writer.write()
        reader.feed_data(data=b"e")
        assert await reader.read(1) == b"e"
        writer.close()
        theirs.close()

    run(main())
