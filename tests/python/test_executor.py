"""Work in threads."""

import asyncio
import concurrent.futures
import threading
import time

import pytest

import roundel


def test_a_function_runs_in_a_thread(loop):
    result = loop.run_in_executor(None, lambda *args: (args, threading.get_ident()), 1, 2)
    args, thread = loop.run_until_complete(result)
    assert args == (1, 2)
    assert thread != threading.get_ident()


def test_an_exception_comes_back(loop):
    with pytest.raises(ValueError, match="invalid literal"):
        loop.run_until_complete(loop.run_in_executor(None, int, "x"))


def test_a_cancelled_job_that_waits_for_a_thread_never_starts(loop):
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        gate = threading.Event()
        first = loop.run_in_executor(executor, gate.wait)
        second = loop.run_in_executor(executor, pytest.fail)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(second)
        gate.set()
        assert loop.run_until_complete(first)


def test_a_job_cancelled_by_its_executor_is_cancelled(loop):
    gate = threading.Event()
    executor = concurrent.futures.ThreadPoolExecutor(1)
    first = loop.run_in_executor(executor, gate.wait)
    second = loop.run_in_executor(executor, pytest.fail)
    executor.shutdown(wait=False, cancel_futures=True)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(second)
    loop.run_until_complete(first)


def test_a_job_that_outlives_the_loop_is_forgotten(caplog):
    gate = threading.Event()
    loop = roundel.new_event_loop()
    job = loop.run_in_executor(None, gate.wait)
    executor = loop._default_executor
    loop.close()
    gate.set()
    executor.shutdown()
    assert not job.done()
    assert not caplog.records


def test_virtual_time_stands_still_while_a_thread_works():
    async def main():
        loop = asyncio.get_running_loop()
        deadline = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.to_thread(time.sleep, 0.05)
        at_work = loop.time()
        await deadline
        return at_work, loop.time()

    assert roundel.run(main(), clock="virtual") == (0, 3600)


def test_each_job_is_counted_once_whatever_becomes_of_it(monkeypatch):
    """Too few, and a virtual loop would jump ahead of a thread; too many, and it would hang."""
    running = [0]

    class Loop(roundel.EventLoop):
        def _external_begin(self):
            running[0] += 1
            super()._external_begin()

        def _external_end(self):
            running[0] -= 1
            super()._external_end()

    async def main():
        loop = asyncio.get_running_loop()
        cancelled = loop.run_in_executor(None, time.sleep, 0.01)
        cancelled.cancel()
        jobs = [cancelled, loop.run_in_executor(None, int, "x"), asyncio.to_thread(int)]
        await asyncio.gather(*jobs, return_exceptions=True)
        executor = concurrent.futures.ThreadPoolExecutor()
        executor.shutdown()
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            await loop.run_in_executor(executor, int)
        await loop.shutdown_default_executor()

    roundel.run(main(), loop_factory=Loop)
    assert running == [0]


def test_shutting_the_executor_down_joins_its_threads(loop):
    threads = threading.active_count()
    loop.run_until_complete(loop.run_in_executor(None, time.sleep, 0.01))
    assert threading.active_count() > threads
    loop.run_until_complete(loop.shutdown_default_executor())
    assert threading.active_count() == threads
    with pytest.raises(RuntimeError, match=r"^Executor shutdown has been called$"):
        loop.run_in_executor(None, int)


def test_shutting_the_executor_down_gives_up_after_a_timeout(loop):
    gate = threading.Event()
    job = loop.run_in_executor(None, gate.wait)
    with pytest.warns(RuntimeWarning, match="did not finishing joining its threads within 0.01"):
        loop.run_until_complete(loop.shutdown_default_executor(0.01))
    gate.set()
    loop.run_until_complete(job)


def test_an_error_of_the_executors_shutdown_is_raised(loop):
    class Executor(concurrent.futures.ThreadPoolExecutor):
        def shutdown(self, wait=True, **options):
            super().shutdown(wait, **options)
            if wait:
                raise LookupError

    loop.set_default_executor(Executor())
    with pytest.raises(LookupError):
        loop.run_until_complete(loop.shutdown_default_executor())


def test_a_coroutine_is_refused_in_debug_mode(loop):
    loop.set_debug(True)
    with pytest.raises(TypeError, match=r"^coroutines cannot be used with run_in_executor"):
        loop.run_in_executor(None, asyncio.sleep)
    with pytest.raises(TypeError, match=r"^a callable object was expected by run_in_executor"):
        loop.run_in_executor(None, 1)
