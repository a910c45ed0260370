"""Debug mode: where things were made, what was slow, what was called in the wrong thread."""

import asyncio
import logging
import sys
import threading
import time

import pytest

import roundel


@pytest.fixture
def debug():
    """Debug mode is on in all of these tests."""
    return True


@pytest.fixture
def logged(caplog):
    """Returns what asyncio has logged so far."""
    caplog.set_level(logging.DEBUG, "asyncio")
    return lambda level: [
        record.getMessage() for record in caplog.records if record.levelno == level
    ]


def made_here(traceback):
    """Tells whether the innermost frame of a source traceback is in this file."""
    return traceback[-1].filename == __file__


def test_handles_and_timers_know_where_they_were_made(loop):
    for handle in (loop.call_soon(int), loop.call_soon_threadsafe(int), loop.call_later(9, int)):
        assert made_here(handle._source_traceback)
        assert f"created at {__file__}:" in repr(handle)
        handle.cancel()


def test_futures_and_tasks_know_where_they_were_made(loop):
    future = loop.create_future()
    assert made_here(future._source_traceback)
    assert f"created at {__file__}:" in repr(future)
    task = loop.create_task(asyncio.sleep(0))
    assert made_here(task._source_traceback)
    assert f"created at {__file__}:" in repr(task)
    loop.run_until_complete(task)


def test_a_future_made_by_its_class_knows_where(loop):
    assert made_here(roundel.Future(loop=loop)._source_traceback)


def test_without_debug_mode_nobody_knows_where_it_was_made(loop):
    loop.set_debug(False)
    task = loop.create_task(asyncio.sleep(0))
    for made in (task, loop.create_future(), loop.call_soon(int)):
        assert made._source_traceback is None
        assert "created at" not in repr(made)
    loop.run_until_complete(task)


def test_an_exception_never_retrieved_is_reported_with_where_the_future_was_made(loop, logged):
    future = loop.create_future()
    future.set_exception(ValueError("unseen"))
    del future
    (message,) = logged(logging.ERROR)
    assert "Future exception was never retrieved" in message
    assert f'File "{__file__}", line' in message


def test_a_slow_callback_is_reported(loop, logged):
    loop.slow_callback_duration = 0.01
    loop.call_soon(time.sleep, 0.02)
    loop.call_soon(loop.stop)
    loop.run_forever()
    (message,) = logged(logging.WARNING)
    assert message.startswith("Executing <Handle ")
    assert f"created at {__file__}:" in message
    assert " took 0.02" in message


def test_a_slow_step_of_a_task_is_reported_with_the_task(loop, logged):
    async def slow():
        time.sleep(0.02)

    loop.slow_callback_duration = 0.01
    loop.run_until_complete(loop.create_task(slow(), name="the slow one"))
    (message,) = [text for text in logged(logging.WARNING) if "took" in text]
    assert message.startswith("Executing <Task ")
    assert "name='the slow one'" in message


def test_a_slow_timer_is_reported(loop, logged):
    loop.slow_callback_duration = 0.01
    loop.call_later(0, time.sleep, 0.02)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    (message,) = logged(logging.WARNING)
    assert message.startswith("Executing <TimerHandle ")


def test_what_is_fast_enough_is_not_reported(loop, logged):
    loop.slow_callback_duration = 5
    loop.call_soon(time.sleep, 0.02)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert logged(logging.WARNING) == []


def test_slow_callbacks_are_not_reported_without_debug_mode(loop, logged):
    loop.set_debug(False)
    loop.slow_callback_duration = 0.001
    loop.call_soon(time.sleep, 0.01)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert logged(logging.WARNING) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda loop: loop.call_soon(int),
        lambda loop: loop.call_later(1, int),
        lambda loop: loop.call_at(1, int),
        lambda loop: loop.create_future().set_result(1) or loop.call_soon(int),
    ],
    ids=["call_soon", "call_later", "call_at", "from a future"],
)
def test_calls_from_another_thread_are_refused_while_the_loop_runs(loop, call):
    raised = []

    def call_from_thread():
        try:
            call(loop)
        except RuntimeError as error:
            raised.append(str(error))

    async def main():
        await asyncio.to_thread(call_from_thread)

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    assert raised == [
        "Non-thread-safe operation invoked on an event loop other than the current one"
    ]


def test_a_result_set_in_another_thread_is_refused_while_the_loop_runs(loop):
    raised = []

    async def main():
        future = loop.create_future()
        future.add_done_callback(int)

        def settle():
            try:
                future.set_result(1)
            except RuntimeError as error:
                raised.append(str(error))

        await asyncio.to_thread(settle)

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    assert raised == [
        "Non-thread-safe operation invoked on an event loop other than the current one"
    ]


def test_call_soon_threadsafe_is_allowed_in_another_thread(loop):
    called = []

    async def main():
        thread = threading.Thread(
            target=loop.call_soon_threadsafe, args=(called.append, "from a thread")
        )
        thread.start()
        while not called:
            await asyncio.sleep(0.001)
        thread.join()

    loop.run_until_complete(main())
    assert called == ["from a thread"]


def test_debug_mode_can_be_switched_while_the_loop_runs(loop):
    async def main():
        depths = []
        for enabled in (True, False, True):
            loop.set_debug(enabled)
            await asyncio.sleep(0)
            depths.append(sys.get_coroutine_origin_tracking_depth() > 0)
            assert (loop.create_future()._source_traceback is None) is not enabled
        return depths

    assert loop.run_until_complete(main()) == [True, False, True]
    assert sys.get_coroutine_origin_tracking_depth() == 0


def test_the_representation_of_the_loop_tells_its_state(loop):
    assert repr(loop) == "<EventLoop running=False closed=False debug=True>"

    async def main():
        return repr(loop)

    assert loop.run_until_complete(main()) == "<EventLoop running=True closed=False debug=True>"
    loop.close()
    assert repr(loop) == "<EventLoop running=False closed=True debug=True>"


def test_the_current_handle_is_known_while_it_runs(loop):
    seen = []
    handle = loop.call_soon(lambda: seen.append(loop._current_handle))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [handle]
    assert loop._current_handle is None
