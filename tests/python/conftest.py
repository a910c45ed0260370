"""What the tests share: loops in both debug modes, runners of coroutines, a guard against leaks."""

import asyncio
import contextlib
import gc
import os
import signal
import threading

import pytest
from tests.parity.fuzz.reference import VirtualLoop

import roundel


def open_descriptors():
    """Returns the process's file descriptors, each with what it refers to."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # listdir's own
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Lets tests interrupt: a shell starts what runs in its background with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def leak_guard():
    """Fails a test that leaves a descriptor, a thread or a running loop behind.

    The collector sees no more than the test makes: to go through pytest's objects takes it longer
    than most tests take.
    """
    gc.freeze()
    descriptors, threads = open_descriptors(), set(threading.enumerate())
    yield
    gc.collect()
    left = open_descriptors().items() - descriptors.items()
    assert not left, f"descriptors left open: {sorted(left)}"
    for thread in set(threading.enumerate()) - threads:
        thread.join(1)  # a closed loop does not wait for its idle executor threads
    alive = set(threading.enumerate()) - threads
    assert not alive, f"threads left running: {alive}"
    assert asyncio._get_running_loop() is None, "a loop left running"


@pytest.fixture(params=[False, True], ids=["plain", "debug"])
def debug(request):
    """Runs a test once in each debug mode."""
    return request.param


@pytest.fixture
def loop(debug):
    """A loop that is not running yet, closed after the test; no task may be pending then."""
    loop = roundel.new_event_loop()
    loop.set_debug(debug)
    yield loop
    pending = set() if loop.is_closed() else asyncio.all_tasks(loop)
    loop.close()
    assert not pending, f"tasks left pending: {pending}"


@pytest.fixture
def run(debug):
    """Runs a coroutine on a loop of its own and returns its result."""
    return lambda main, **options: roundel.run(main, debug=debug, **options)


@pytest.fixture
def run_virtual(run):
    """Runs a coroutine like `run`, on the virtual clock."""
    return lambda main, **options: run(main, clock="virtual", **options)


@pytest.fixture(params=[asyncio, roundel], ids=["asyncio", "roundel"])
def api(request):
    """Whose names a test uses: asyncio's, which are right by definition, or roundel's."""
    return request.param


@pytest.fixture
def run_own(api, debug):
    """Runs a coroutine in virtual time on the loop of whose names the test uses."""

    def run(main):
        if api is roundel:
            return roundel.run(main, debug=debug, clock="virtual")
        with asyncio.Runner(debug=debug, loop_factory=VirtualLoop) as runner:
            return runner.run(main)

    return run


@pytest.fixture
def installed():
    """Has asyncio's names exchanged for roundel's while the test runs."""
    roundel.install()
    yield
    roundel.uninstall()
