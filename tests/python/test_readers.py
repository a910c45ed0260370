"""Descriptors: readers and writers, their order, their end, and that nothing starves."""

import asyncio
import contextlib
import os
import socket
import time
import weakref

import pytest

import roundel


@pytest.fixture
def pair():
    """Two connected sockets that do not block."""
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    yield left, right
    left.close()
    right.close()


def run_for(loop, seconds=0.01):
    """Runs the loop for a moment."""
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def stop_after(loop, number):
    """Returns a list that stops the loop once it has a number of items."""

    class Counted(list):
        def append(self, item):
            super().append(item)
            if len(self) >= number:
                loop.stop()

    return Counted()


def test_a_reader_is_called_when_there_is_something_to_read(loop, pair):
    left, right = pair
    got = []
    loop.add_reader(left, lambda: got.append(left.recv(10)))
    run_for(loop)
    assert got == []
    right.send(b"hello")
    run_for(loop)
    assert got == [b"hello"]
    loop.remove_reader(left)


def test_a_reader_that_does_not_read_is_called_again(loop, pair):
    left, right = pair
    called = stop_after(loop, 5)
    loop.add_reader(left.fileno(), called.append, "again")
    right.send(b"x")
    loop.run_forever()
    assert called == ["again"] * 5
    assert loop.remove_reader(left.fileno())


def test_a_writer_is_called_while_there_is_room(loop, pair):
    left, _ = pair
    called = stop_after(loop, 3)
    loop.add_writer(left, called.append, "room")
    loop.run_forever()
    assert loop.remove_writer(left)
    run_for(loop)
    assert called == ["room"] * 3


def test_a_full_socket_is_writable_again_after_reading(loop, pair):
    left, right = pair
    with contextlib.suppress(BlockingIOError):
        while True:
            left.send(bytes(65536))
    called = []
    loop.add_writer(left, lambda: called.append("room") or loop.remove_writer(left))
    run_for(loop)
    assert called == []
    with contextlib.suppress(BlockingIOError):
        while True:
            right.recv(65536)
    run_for(loop)
    assert called == ["room"]


def test_reader_and_writer_of_one_descriptor_are_independent(loop, pair):
    left, right = pair
    called = []
    loop.add_reader(left, lambda: called.append(left.recv(10)))
    loop.add_writer(left, lambda: called.append("write") or loop.remove_writer(left))
    right.send(b"read")
    run_for(loop)
    assert sorted(map(str, called)) == ["b'read'", "write"]
    right.send(b"more")
    run_for(loop)
    assert called[-1] == b"more"
    assert loop.remove_reader(left)
    assert not loop.remove_reader(left)
    assert not loop.remove_writer(left)


def test_a_new_reader_replaces_the_old(loop, pair):
    left, right = pair
    called = []
    loop.add_reader(left, called.append, "old")
    loop.add_reader(left, lambda: called.append(left.recv(1)))
    right.send(b"x")
    run_for(loop)
    assert called == [b"x"]
    loop.remove_reader(left)


def test_a_reader_removed_in_the_turn_in_which_it_is_ready_is_not_called(loop):
    pairs = [socket.socketpair() for _ in range(2)]
    readers = [left for left, _ in pairs]
    called = []

    def remove_all(me):
        called.append(me)
        for reader in readers:
            loop.remove_reader(reader)

    for reader in readers:
        loop.add_reader(reader, remove_all, reader)
    for _, right in pairs:
        right.send(b"x")
    run_for(loop)
    assert len(called) == 1
    for left, right in pairs:
        left.close()
        right.close()


def test_a_descriptor_closed_and_opened_anew_is_watched_anew(loop):
    called = []
    for number in range(3):
        left, right = socket.socketpair()
        loop.add_reader(left, lambda left=left: called.append(left.recv(1)))
        right.send(b"%d" % number)
        run_for(loop, 0.005)
        loop.remove_reader(left)
        left.close()
        right.close()
    assert called == [b"0", b"1", b"2"]


def test_a_descriptor_closed_without_removal_does_no_harm(loop, pair):
    doomed, other = socket.socketpair()
    left, right = pair
    got = []
    loop.add_reader(doomed, got.append, "doomed")
    doomed_number = doomed.fileno()
    doomed.close()
    other.close()
    loop.add_reader(left, lambda: got.append(left.recv(1)))
    right.send(b"x")
    run_for(loop)
    assert got == [b"x"]
    loop.remove_reader(doomed_number)
    loop.remove_reader(left)


def test_the_end_of_a_pipe_is_something_to_read(loop):
    reading, writing = os.pipe()
    got = []

    def read():
        got.append(os.read(reading, 10))
        loop.remove_reader(reading)

    loop.add_reader(reading, read)
    os.close(writing)
    run_for(loop)
    assert got == [b""]
    os.close(reading)


def test_a_writer_whose_reader_has_gone_is_called(loop):
    reading, writing = os.pipe()
    called = []
    loop.add_writer(writing, lambda: called.append("broken") or loop.remove_writer(writing))
    os.close(reading)
    run_for(loop)
    assert called == ["broken"]
    os.close(writing)


def test_a_readers_exception_is_reported_and_the_reader_stays(loop, pair):
    left, right = pair
    handled = []
    loop.set_exception_handler(lambda loop, context: handled.append(context["exception"]))

    def fail():
        left.recv(1)
        raise ValueError("reader")

    loop.add_reader(left, fail)
    for _ in range(2):
        right.send(b"x")
        run_for(loop)
    assert [str(error) for error in handled] == ["reader", "reader"]
    loop.remove_reader(left)


def test_readers_are_called_although_tasks_are_always_ready(loop, pair):
    left, right = pair

    async def hog():
        while True:
            await asyncio.sleep(0)

    async def read():
        got = loop.create_future()
        loop.add_reader(left, got.set_result, time.monotonic())
        right.send(b"x")
        await got
        loop.remove_reader(left)

    async def main():
        hogs = [loop.create_task(hog()) for _ in range(10)]
        await asyncio.wait_for(read(), 5)
        for task in hogs:
            task.cancel()
        await asyncio.gather(*hogs, return_exceptions=True)

    loop.run_until_complete(main())


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, roundel.new_event_loop])
def test_what_has_come_before_is_heard_of_in_the_next_turn_of_a_busy_loop(new_loop, pair):
    left, right = pair
    right.send(b"x")

    async def turns_until_heard():
        loop = asyncio.get_running_loop()
        for _ in range(5):
            await asyncio.sleep(0)
        heard = []
        loop.add_reader(left, heard.append, "x")
        turns = 0
        while not heard:
            await asyncio.sleep(0)
            turns += 1
        loop.remove_reader(left)
        return turns

    with contextlib.closing(new_loop()) as loop:
        assert loop.run_until_complete(turns_until_heard()) == 2


def test_timers_and_tasks_take_turns_with_a_reader_that_is_always_ready(loop, pair):
    left, right = pair
    right.send(b"x")
    loop.add_reader(left, int)

    async def main():
        for _ in range(100):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)

    loop.run_until_complete(asyncio.wait_for(main(), 5))
    loop.remove_reader(left)


def test_an_idle_loop_takes_no_processor_time(loop, pair):
    left, _ = pair
    loop.add_reader(left, int)
    before = time.process_time()
    run_for(loop, 0.2)
    assert time.process_time() - before < 0.05
    loop.remove_reader(left)


def test_many_descriptors_are_watched_at_once(loop):
    pairs = [socket.socketpair() for _ in range(100)]
    got = stop_after(loop, len(pairs))
    for number, (left, _) in enumerate(pairs):
        loop.add_reader(left, lambda left=left, number=number: got.append((number, left.recv(1))))
    for _, right in reversed(pairs):
        right.send(b"x")
    loop.run_forever()
    assert sorted(got) == [(number, b"x") for number in range(len(pairs))]
    for left, right in pairs:
        assert loop.remove_reader(left)
        left.close()
        right.close()


def test_closing_the_loop_forgets_readers_but_closes_no_descriptor(pair):
    left, right = pair
    loop = roundel.new_event_loop()
    loop.add_reader(left, int)
    loop.add_writer(left, int)
    loop.close()
    right.send(b"x")
    assert left.recv(1) == b"x"


def test_a_reader_runs_in_the_context_of_its_registration(loop, pair):
    left, right = pair
    tasks = []
    loop.add_reader(left, lambda: tasks.append(asyncio.current_task()) or left.recv(1))
    right.send(b"x")

    async def main():
        await asyncio.sleep(0.005)

    loop.run_until_complete(main())
    # It is no part of the task that happens to run beside it.
    assert tasks == [None]
    loop.remove_reader(left)


def test_a_socket_that_is_closed_can_still_be_removed(loop, pair):
    """asyncio's selectors know a closed file by the object that they were given."""
    left, right = pair
    loop.add_reader(left, print)
    loop.add_writer(right, print)
    left.close()
    right.close()
    assert loop.remove_reader(left)
    assert loop.remove_writer(right)
    for unknown in (left, right):
        with pytest.raises(ValueError, match="Invalid file descriptor: -1"):
            loop.remove_reader(unknown)


def test_a_closed_socket_does_not_remove_what_has_its_number_now(loop, pair):
    left, right = pair
    loop.add_reader(left, print)
    number = left.fileno()
    left.close()
    again = right.dup()
    try:
        assert again.fileno() == number
        loop.add_reader(again, print)
        loop.remove_reader(again)
        loop.add_reader(again.fileno(), print)
        with pytest.raises(ValueError, match="Invalid file descriptor: -1"):
            loop.remove_reader(left)
        assert loop.remove_reader(again)
    finally:
        again.close()


def test_a_watched_socket_is_not_lost_when_nobody_else_has_it(loop):
    left, right = socket.socketpair()
    left.setblocking(False)
    got = []
    reference = weakref.ref(left)
    loop.add_reader(left, lambda: got.append(reference().recv(10)))
    del left
    right.send(b"hello")
    run_for(loop)
    assert got == [b"hello"]
    with reference(), right:
        assert loop.remove_reader(reference())
    assert reference() is None
