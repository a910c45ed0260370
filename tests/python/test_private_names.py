"""What the package takes from CPython that CPython does not promise is there, and as expected.

One test per place, so that a new version of CPython that changes one tells which. The list of the
loop's own is `_AsyncioLoop` in `_loop.py`.
"""

import ast
import asyncio
import concurrent.futures.thread
import contextvars
import gc
import inspect
import re
import runpy
import ssl
import subprocess
import sys
import threading
import weakref
from asyncio import (
    base_events,
    constants,
    coroutines,
    events,
    futures,
    sslproto,
    taskgroups,
    transports,
    trsock,
    unix_events,
)
from pathlib import Path

import pytest

import roundel
from roundel import _roundel

SOURCES = [ast.parse(path.read_text()) for path in Path(roundel.__file__).parent.glob("*.py")]
NODES = [node for tree in SOURCES for node in ast.walk(tree)]
# Declared with asyncio's names, and native.
OURS = {"_sock_connect_resolved"}


def names_the_loop_relies_on():
    listed = [
        node for node in NODES if isinstance(node, ast.ClassDef) and node.name == "_AsyncioLoop"
    ]
    for node in (node for body in listed for node in body.body):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id


@pytest.mark.parametrize("name", sorted(set(names_the_loop_relies_on()) - OURS))
def test_asyncios_loops_have(name):
    loop = asyncio.SelectorEventLoop()
    assert hasattr(loop, name)
    loop.close()


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_is_not_asyncios_is_native(name):
    assert not hasattr(asyncio.SelectorEventLoop, name)
    assert name in vars(_roundel.EventLoop)


# What is asked for on some versions only: tested below, one by one.
BY_VERSION = {
    ("tasks", "_all_tasks"),
    ("tasks", "_scheduled_tasks"),
    ("unix_events", "_PidfdChildWatcher"),
    ("unix_events", "_ThreadedChildWatcher"),
}


def private_names_in_modules():
    """Finds `module._name` and `asyncio.module._name` in the package, for asyncio's modules."""
    for node in NODES:
        if not (isinstance(node, ast.Attribute) and re.fullmatch("_[A-Za-z]\\w*", node.attr)):
            continue
        module = getattr(node.value, "attr", None) or getattr(node.value, "id", None)
        # A local variable may be called as a module is.
        if module in ASYNCIOS_MODULES and not isinstance(node.ctx, ast.Store):
            yield module, node.attr


ASYNCIOS_MODULES = {
    name
    for name, module in vars(asyncio).items()
    if inspect.ismodule(module) and module.__package__ == "asyncio" and name != "streams"
}


@pytest.mark.parametrize(
    ("module", "name"), sorted(set(private_names_in_modules()) - BY_VERSION), ids=str
)
def test_asyncios_modules_have(module, name):
    assert hasattr(getattr(asyncio, module), name)


def test_asyncio_has_its_tasks_in_a_weak_set():
    if sys.version_info < (3, 12):
        assert isinstance(asyncio.tasks._all_tasks, weakref.WeakSet)
    elif sys.version_info < (3, 14):
        assert isinstance(asyncio.tasks._scheduled_tasks, weakref.WeakSet)
    else:
        parts = gc.get_referents(sys.modules["_asyncio"])
        assert [isinstance(part, weakref.WeakSet) for part in parts].count(True) == 1


def test_asyncios_futures_and_tasks_tell_what_they_are():
    async def main():
        future = asyncio.get_running_loop().create_future()
        assert future._asyncio_future_blocking is False
        assert future._cancel_message is None
        assert isinstance(future._make_cancelled_error(), asyncio.CancelledError)
        future.add_done_callback(print, context=contextvars.copy_context())
        assert [callback for callback, _ in future._callbacks] == [print]
        task = asyncio.current_task()
        assert task._log_destroy_pending is True
        async with taskgroups.TaskGroup() as group:
            assert group._parent_task is task
        future.remove_done_callback(print)

    asyncio.run(main())


def test_asyncios_streams_can_be_given_a_transport():
    class Closed(asyncio.Transport):
        def is_closing(self):
            return True

    loop = asyncio.SelectorEventLoop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    writer = asyncio.StreamWriter(Closed(), protocol, reader, loop)
    assert protocol._client_connected_cb is None
    assert writer._protocol is protocol
    assert writer._loop is loop
    assert isinstance(writer._transport, Closed)
    assert hasattr(protocol, "_replace_transport") or hasattr(protocol, "_replace_writer")
    assert callable(reader._maybe_resume_transport)
    loop.close()


@pytest.mark.parametrize(
    "name",
    [
        "_call_eof_received",
        "_control_app_writing",
        "_control_ssl_reading",
        "_do_flush",
        "_do_handshake",
        "_do_shutdown",
        "_do_write",
        "_fatal_error",
        "_get_app_transport",
        "_start_shutdown",
        "_write_appdata",
    ],
)
def test_asyncios_tls_protocol_has(name):
    assert callable(getattr(sslproto.SSLProtocol, name))


def test_asyncios_tls_protocol_keeps_its_session_and_the_state_of_its_transport():
    loop = asyncio.SelectorEventLoop()
    context = ssl.create_default_context()
    protocol = sslproto.SSLProtocol(loop, asyncio.Protocol(), context, None, False, "localhost")
    assert isinstance(protocol._incoming, ssl.MemoryBIO)
    assert isinstance(protocol._outgoing, ssl.MemoryBIO)
    assert type(protocol._sslobj._sslobj).__name__ == "_SSLSocket"
    assert protocol._app_transport_created is True
    assert protocol._app_transport._closed is False
    assert protocol._state.name == "UNWRAPPED"
    protocol._app_transport._closed = True
    loop.close()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (base_events, "_set_nodelay"),
        (constants._SendfileMode, "TRY_NATIVE"),
        (futures, "_set_result_unless_cancelled"),
        (trsock, "TransportSocket"),
    ],
)
def test_asyncios_transports_use(module, name):
    assert hasattr(module, name)


def test_transports_with_flow_control_have_five_slots():
    mixin = transports._FlowControlMixin
    slots = [slot for kind in mixin.__mro__ for slot in vars(kind).get("__slots__", ())]
    assert sorted(slots) == ["_extra", "_high_water", "_loop", "_low_water", "_protocol_paused"]


def test_asyncios_streams_keep_what_they_have_read():
    loop = asyncio.SelectorEventLoop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    reader.feed_data(b"early")
    assert protocol._stream_reader is reader
    assert reader._buffer == bytearray(b"early")
    loop.close()


def test_asyncio_tells_debug_mode_by_a_function():
    assert coroutines._is_debug_mode() is False or sys.flags.dev_mode


def test_asyncio_copies_a_threads_result_by_a_function():
    source, copy = concurrent.futures.Future(), asyncio.SelectorEventLoop()
    future = copy.create_future()
    source.set_result(1)
    futures._copy_future_state(source, future)
    assert future.result() == 1
    copy.close()


def test_a_loop_has_its_own_child_watcher_from_3_14_on():
    loop = asyncio.SelectorEventLoop()
    assert hasattr(loop, "_watcher") == (sys.version_info >= (3, 14))
    if hasattr(loop, "_watcher"):
        watchers = unix_events._ThreadedChildWatcher, unix_events._PidfdChildWatcher
        assert type(loop._watcher) is watchers[unix_events.can_use_pidfd()]
    loop.close()


@pytest.mark.parametrize("name", ["_process_exited", "_wait"])
def test_asyncios_transport_of_a_child_has(name):
    assert callable(getattr(unix_events._UnixSubprocessTransport, name))


def test_asyncios_transport_of_a_child_keeps_its_popen():
    async def main():
        loop = asyncio.get_running_loop()
        transport, _ = await loop.subprocess_exec(asyncio.SubprocessProtocol, "true")
        assert isinstance(transport._proc, subprocess.Popen)
        assert await transport._wait() == 0
        transport.close()

    asyncio.run(main())


def test_asyncios_protocol_of_a_childs_streams_keeps_their_limit_and_its_loop():
    loop = asyncio.SelectorEventLoop()
    protocol = asyncio.subprocess.SubprocessStreamProtocol(limit=7, loop=loop)
    assert (protocol._limit, protocol._loop) == (7, loop)
    loop.close()


def test_asyncios_loop_makes_the_transport_of_a_child_and_hears_of_its_end():
    assert callable(asyncio.SelectorEventLoop._make_subprocess_transport)
    assert callable(asyncio.SelectorEventLoop._child_watcher_callback)


def test_popen_collects_the_status_under_a_lock():
    with subprocess.Popen(["true"]) as child, child._waitpid_lock:
        assert child.returncode is None


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="child watchers are gone from 3.14 on")
def test_the_policy_keeps_the_child_watcher_that_was_chosen():
    assert asyncio.DefaultEventLoopPolicy()._watcher is None


def test_a_runner_resets_the_threads_loop_when_told():
    runner = asyncio.Runner()
    assert runner._set_event_loop is False
    runner.get_loop()
    assert runner._set_event_loop is True
    runner.close()


def test_the_policy_is_a_global_of_events():
    assert "_event_loop_policy" in vars(events)


def test_an_idle_pool_thread_is_in_worker():
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        thread = executor.submit(threading.get_ident).result()
        code = concurrent.futures.thread._worker.__code__
        while sys._current_frames()[thread].f_code is not code:
            pass


def test_what_a_task_awaits_can_be_asked():
    async def main():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(asyncio.wait_for(future, None))
        gathered = asyncio.gather(task)
        await asyncio.sleep(0)
        assert task._fut_waiter is future
        assert list(gathered._children) == [task]
        future.set_result(None)
        await gathered

    asyncio.run(main(), debug=False)


def test_a_task_group_has_its_tasks():
    async def main():
        async with taskgroups.TaskGroup() as group:
            task = group.create_task(asyncio.sleep(0))
            assert set(group._tasks) == {task}

    asyncio.run(main())


def test_the_interpreter_runs_modules_by_a_function():
    parameters = list(inspect.signature(runpy._run_module_as_main).parameters)
    assert parameters == ["mod_name", "alter_argv"]
