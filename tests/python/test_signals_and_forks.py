"""Signals, also between runs; what a forked child does to its parent's loop."""

import asyncio
import os
import signal
import socket
import threading
import time

import pytest

import roundel

SOON = 0.05


@pytest.fixture
def received(loop):
    """Receives SIGUSR1 on the loop."""
    received = []
    loop.add_signal_handler(signal.SIGUSR1, received.append, "signal")
    return received


def run_shortly(loop):
    loop.run_until_complete(asyncio.sleep(SOON))


def in_child(work):
    """Runs a function in a forked child and returns its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_signal_is_handled_on_the_loop(loop, received):
    loop.call_soon(signal.raise_signal, signal.SIGUSR1)
    run_shortly(loop)
    assert received == ["signal"]


def test_a_signal_between_runs_is_handled_in_the_next(loop, received):
    run_shortly(loop)
    signal.raise_signal(signal.SIGUSR1)
    assert received == []
    run_shortly(loop)
    assert received == ["signal"]


def test_a_cancelled_handler_is_not_run(loop, received):
    loop.call_soon(signal.raise_signal, signal.SIGUSR1)
    loop.call_soon(loop.remove_signal_handler, signal.SIGUSR1)
    loop.call_soon(signal.signal, signal.SIGUSR1, signal.SIG_IGN)
    run_shortly(loop)
    assert received == []
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def test_closing_restores_handlers_and_wakeup_descriptor(loop, received):
    loop.close()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize(
    ("sig", "callback", "error"),
    [
        (signal.SIGKILL, print, RuntimeError),
        (0, print, ValueError),
        ("SIGUSR1", print, TypeError),
        (signal.SIGUSR1, asyncio.sleep, TypeError),
    ],
)
def test_wrong_handlers_are_refused_as_by_asyncio(loop, sig, callback, error):
    standard = asyncio.SelectorEventLoop()
    with pytest.raises(error) as ours:
        loop.add_signal_handler(sig, callback)
    with pytest.raises(error) as theirs:
        standard.add_signal_handler(sig, callback)
    standard.close()
    assert str(ours.value) == str(theirs.value)


def test_handlers_of_the_program_run_while_the_loop_is_blocked(loop):
    woken = loop.create_future()
    previous = signal.signal(signal.SIGUSR1, lambda *_: woken.set_result(None))
    # Sent to another thread, the signal does not interrupt the dispatcher's wait by itself.
    thread = threading.Thread(target=signal_this_thread_later)
    thread.start()
    loop.run_until_complete(asyncio.wait_for(woken, 10))
    thread.join()
    signal.signal(signal.SIGUSR1, previous)


def signal_this_thread_later():
    time.sleep(SOON)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)


def test_the_wakeup_descriptor_is_lent_for_a_run_only(loop):
    run_shortly(loop)
    assert signal.set_wakeup_fd(-1) == -1


def test_somebody_elses_wakeup_descriptor_stays(loop):
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    signal.set_wakeup_fd(theirs.fileno())
    run_shortly(loop)
    assert signal.set_wakeup_fd(-1) == theirs.fileno()
    ours.close()
    theirs.close()


def test_a_child_that_closes_the_loop_does_not_harm_the_parents(loop, received):
    reader, writer = socket.socketpair()
    readable = []
    loop.add_reader(reader, lambda: readable.append(reader.recv(1)))
    run_shortly(loop)
    assert in_child(loop.close) == 0
    writer.send(b"x")
    signal.raise_signal(signal.SIGUSR1)
    run_shortly(loop)
    assert (readable, received) == ([b"x"], ["signal"])
    loop.remove_reader(reader)
    reader.close()
    writer.close()


def test_a_signal_to_a_child_is_not_the_parents(loop, received):
    run_shortly(loop)
    assert in_child(lambda: signal.raise_signal(signal.SIGUSR1)) == 0
    run_shortly(loop)
    assert received == []


def test_a_child_may_run_the_loop_and_handle_signals_itself(loop, received):
    run_shortly(loop)

    def work():
        loop.set_exception_handler(lambda _, context: os._exit(2))
        loop.add_signal_handler(signal.SIGUSR1, os._exit, 3)
        signal.raise_signal(signal.SIGUSR1)
        loop.run_until_complete(asyncio.sleep(10))

    assert in_child(work) == 3
    run_shortly(loop)
    assert received == []


def test_a_child_has_its_own_loop(loop):
    async def main():
        return in_child(lambda: roundel.run(asyncio.sleep(0)))

    assert loop.run_until_complete(main()) == 0
    assert in_child(lambda: run_shortly(roundel.new_event_loop())) == 0
