"""`install()` and `uninstall()`, and the policy."""

import asyncio
import sys
import types

import pytest

import roundel
from roundel._names import NATIVE


class Closing(asyncio.Transport):
    """A transport that needs nobody to close it."""

    def is_closing(self):
        return True


BOUND_BEFORE = asyncio.StreamReader, asyncio.StreamWriter


@pytest.fixture(autouse=True)
def asyncio_restored():
    """Fails a test after which any name of asyncio is not what it was."""
    before = names_of_asyncio()
    yield
    after = names_of_asyncio()
    assert not [name for name in before | after if before.get(name) is not after.get(name)]


def names_of_asyncio():
    return {
        (module_name, name): value
        for module_name, module in sys.modules.items()
        if module_name.split(".")[0] == "asyncio"
        for name, value in vars(module).items()
        if not isinstance(value, types.ModuleType) and name != "__warningregistry__"
    }


@pytest.mark.usefixtures("installed")
def test_native_names_take_asyncios_place_in_its_submodules_too():
    for name, native in NATIVE.items():
        if name in asyncio.__all__:
            assert getattr(asyncio, name) is native
    assert asyncio.queues.Queue is asyncio.Queue is roundel.Queue
    assert asyncio.tasks.gather is roundel.gather


@pytest.mark.usefixtures("installed")
def test_stream_classes_that_were_bound_before_go_on_working():
    reader_class, writer_class = BOUND_BEFORE

    async def main():
        reader = reader_class()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport = Closing()
        writer = writer_class(transport, protocol, reader, asyncio.get_running_loop())
        protocol.data_received(b"abc")
        assert writer.transport is transport
        return await reader.read(9)

    assert asyncio.StreamReader is roundel.StreamReader
    assert asyncio.run(main()) == b"abc"


@pytest.mark.usefixtures("installed")
def test_the_readers_of_a_child_are_of_the_class_that_asyncio_has():
    async def main():
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-c", "import sys; print(input()); print('oh', file=sys.stderr)"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=7,
        )
        for reader in (process.stdout, process.stderr):
            assert isinstance(reader, asyncio.StreamReader)
            assert "limit=7" in repr(reader)
        assert isinstance(process.stdin, asyncio.StreamWriter)
        return await process.communicate(b"hello\n"), process.returncode

    assert asyncio.run(main()) == ((b"hello\n", b"oh\n"), 0)


@pytest.mark.usefixtures("installed")
def test_a_child_without_pipes_has_no_readers():
    async def main():
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        assert (process.stdin, process.stdout, process.stderr) == (None, None, None)
        return await process.wait()

    assert asyncio.run(main()) == 0


@pytest.mark.usefixtures("installed")
def test_whatever_makes_a_loop_makes_roundels():
    async def loop_class():
        return type(asyncio.get_running_loop())

    loop = asyncio.new_event_loop()
    loop.close()
    assert isinstance(loop, roundel.EventLoop)
    assert issubclass(asyncio.run(loop_class()), roundel.EventLoop)
    with asyncio.Runner() as runner:
        assert issubclass(runner.run(loop_class()), roundel.EventLoop)
    if sys.version_info >= (3, 13):
        assert issubclass(asyncio.EventLoop, roundel.EventLoop)


def test_loops_are_made_with_the_options():
    roundel.install(clock="virtual", debug=True, detect_deadlock=True)
    try:
        loop = asyncio.new_event_loop()
    finally:
        roundel.uninstall()
    assert loop.time() == 0
    assert loop.get_debug()
    assert loop.detect_deadlock
    assert repr(loop) == "<EventLoop running=False closed=False debug=True>"
    loop.close()


def test_installing_twice_wants_uninstalling_twice():
    roundel.install(clock="virtual")
    roundel.install()
    inner = asyncio.new_event_loop()
    roundel.uninstall()
    outer = asyncio.new_event_loop()
    assert asyncio.Future is roundel.Future
    roundel.uninstall()
    assert asyncio.Future is not roundel.Future
    assert inner.time() > outer.time() == 0
    inner.close()
    outer.close()


def test_uninstalling_what_is_not_installed_does_nothing():
    roundel.uninstall()


def test_what_others_put_in_place_meanwhile_stays(monkeypatch):
    roundel.install()
    monkeypatch.setattr(asyncio, "Queue", list)
    roundel.uninstall()
    assert asyncio.Queue is list
    # monkeypatch would restore what it found, and that was roundel's.
    monkeypatch.undo()
    asyncio.Queue = asyncio.queues.Queue


def test_the_policy_makes_roundels_loops():
    loop = roundel.EventLoopPolicy().new_event_loop()
    assert isinstance(loop, roundel.EventLoop)
    loop.close()
