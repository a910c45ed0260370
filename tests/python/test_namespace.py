"""`import roundel as asyncio`: the whole public namespace, and what importing costs and changes."""

import asyncio
import subprocess
import sys

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
