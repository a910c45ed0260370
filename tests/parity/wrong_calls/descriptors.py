"""Descriptors and signals that cannot be watched."""

import os
import signal
import socket
import threading

from .callbacks import coroutine_function
from .outcome import Call


class NoFileno:
    """Has a fileno that is none."""

    def __init__(self, value):
        self.value = value

    def fileno(self):
        """Returns the wrong value, or raises it."""
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def closed_descriptor():
    """Returns a number that no open descriptor has."""
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    return reading


def with_pipe(call):
    """Makes the call with a pipe's two ends."""

    def made(aio, loop):
        reading, writing = os.pipe()
        try:
            return call(loop, reading, writing)
        finally:
            loop.remove_reader(reading)
            loop.remove_writer(writing)
            os.close(reading)
            os.close(writing)

    return made


def watch_file(aio, loop):
    """Watches a regular file, which epoll refuses."""
    with open(__file__) as file:
        loop.add_reader(file, int)


def closed_socket(aio, loop):
    """Watches a socket that was closed."""
    left, right = socket.socketpair()
    left.close()
    right.close()
    loop.add_reader(left, int)


def callback_raises(loop, reading, writing):
    """Has a reader's callback raise, once."""

    def read():
        os.read(reading, 1)
        raise ValueError("reader")

    loop.add_reader(reading, read)
    os.write(writing, b"x")
    loop.call_later(0.02, loop.stop)
    loop.run_forever()


def in_a_thread(aio, loop):
    """Sets a signal handler in another thread."""
    raised = []

    def add():
        try:
            loop.add_signal_handler(signal.SIGUSR1, int)
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    thread.join()
    return raised


CALLS: dict[str, Call] = {
    "add_reader of less than nothing": lambda aio, loop: loop.add_reader(-1, int),
    "add_reader of a string": lambda aio, loop: loop.add_reader("stdin", int),
    "add_reader of None": lambda aio, loop: loop.add_reader(None, int),
    "add_reader of a float": lambda aio, loop: loop.add_reader(1.5, int),
    "add_reader of too much": lambda aio, loop: loop.add_reader(2**31, int),
    "add_reader of far too much": lambda aio, loop: loop.add_reader(2**70, int),
    "add_reader of a closed descriptor": lambda aio, loop: loop.add_reader(
        closed_descriptor(), int
    ),
    "add_reader of a closed socket": closed_socket,
    "add_reader of a file": watch_file,
    "add_reader of a fileno that is negative": lambda aio, loop: loop.add_reader(NoFileno(-7), int),
    "add_reader of a fileno that raises": lambda aio, loop: loop.add_reader(
        NoFileno(LookupError("fileno")), int
    ),
    "add_reader of None as a callback": with_pipe(lambda loop, r, w: loop.add_reader(r, None)),
    "add_reader of a coroutine function": with_pipe(
        lambda loop, r, w: loop.add_reader(r, coroutine_function)
    ),
    "remove_reader of an unknown descriptor": lambda aio, loop: loop.remove_reader(999),
    "remove_reader of a string": lambda aio, loop: loop.remove_reader("stdin"),
    "remove_reader of less than nothing": lambda aio, loop: loop.remove_reader(-1),
    "remove_reader of a writer": with_pipe(
        lambda loop, r, w: (loop.add_writer(w, int), loop.remove_reader(w), loop.remove_writer(w))
    ),
    "add_writer of None": lambda aio, loop: loop.add_writer(None, int),
    "add_writer of a closed descriptor": lambda aio, loop: loop.add_writer(
        closed_descriptor(), int
    ),
    "remove_writer of an unknown descriptor": lambda aio, loop: loop.remove_writer(999),
    "a reader's callback raises": with_pipe(callback_raises),
    "add_signal_handler of SIGKILL": lambda aio, loop: loop.add_signal_handler(9, int),
    "add_signal_handler of an unknown signal": lambda aio, loop: loop.add_signal_handler(999, int),
    "add_signal_handler of zero": lambda aio, loop: loop.add_signal_handler(0, int),
    "add_signal_handler of a string": lambda aio, loop: loop.add_signal_handler("INT", int),
    "add_signal_handler of a coroutine function": lambda aio, loop: loop.add_signal_handler(
        12, coroutine_function
    ),
    "add_signal_handler in a thread": in_a_thread,
    "remove_signal_handler of none": lambda aio, loop: loop.remove_signal_handler(12),
    "remove_signal_handler of an unknown signal": lambda aio, loop: loop.remove_signal_handler(999),
    "remove_signal_handler of a string": lambda aio, loop: loop.remove_signal_handler("INT"),
}
