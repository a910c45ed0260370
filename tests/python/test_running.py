"""`run` and `Runner`."""

import asyncio
import contextvars
import signal
import threading

import pytest

import roundel


async def current_loop():
    return asyncio.get_running_loop()


def test_run_makes_a_loop_returns_the_result_and_closes_the_loop():
    loop = roundel.run(current_loop())
    assert isinstance(loop, roundel.EventLoop)
    assert loop.is_closed()


def test_run_takes_the_loops_options():
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(3600)
        return loop.time(), loop.get_debug()

    assert roundel.run(main(), clock="virtual", debug=True) == (3600, True)
    assert roundel.run(main(), clock="virtual", order=1) == (3600, False)


def test_asyncio_runs_on_roundels_loop_factory():
    with asyncio.Runner(loop_factory=roundel.new_event_loop) as runner:
        assert isinstance(runner.run(current_loop()), roundel.EventLoop)


def test_a_loop_factory_excludes_options_for_the_loop():
    with pytest.raises(ValueError, match="loop_factory"):
        roundel.Runner(loop_factory=roundel.new_event_loop, clock="virtual")


def test_a_nested_run_is_refused_as_asyncio_refuses_it():
    async def main():
        inner = current_loop()
        with pytest.raises(RuntimeError) as run_refused:
            roundel.run(inner)
        with pytest.raises(RuntimeError) as runner_refused:
            roundel.Runner().run(inner)
        inner.close()
        return str(run_refused.value), str(runner_refused.value)

    assert roundel.run(main()) == (
        "asyncio.run() cannot be called from a running event loop",
        "Runner.run() cannot be called from a running event loop",
    )


def test_a_runner_keeps_its_loop_and_context():
    variable = contextvars.ContextVar("variable", default=0)

    async def count():
        variable.set(variable.get() + 1)
        return variable.get(), asyncio.get_running_loop()

    with roundel.Runner() as runner:
        first = runner.run(count())
        second = runner.run(count())
        assert runner.get_loop() is first[1] is second[1]
    assert (first[0], second[0], variable.get()) == (1, 2, 0)


def test_a_runner_cancels_what_is_left_and_shuts_down_generators():
    log = []

    async def forever():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("task")

    async def generator():
        try:
            yield
        finally:
            log.append("generator")

    left = []

    async def main():
        left.append(asyncio.create_task(forever()))
        left.append(generator())
        await anext(left[1])

    roundel.run(main())
    assert log == ["task", "generator"]


def test_the_runners_loop_is_the_threads_until_it_closes():
    with roundel.Runner() as runner:
        loop = runner.get_loop()
        assert asyncio.get_event_loop() is loop
    with pytest.raises(RuntimeError, match="There is no current event loop"):
        asyncio.get_event_loop()


def test_an_interrupt_cancels_the_main_task_once():
    log = []

    async def main():
        try:
            threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    with pytest.raises(KeyboardInterrupt):
        roundel.run(main())
    assert log == ["cancelled"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_failure_prints_the_orders_seed(capsys):
    async def fail():
        raise LookupError

    async def leave(code):
        raise SystemExit(code)

    for main in (fail(), leave(3)):
        with pytest.raises((LookupError, SystemExit)):
            roundel.run(main, order=42)
        assert capsys.readouterr().err == "roundel: order=42 gives this interleaving again\n"
    with pytest.raises(SystemExit):
        roundel.run(leave(0), order=42)
    with pytest.raises(LookupError):
        roundel.run(fail())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("awaited", [asyncio, roundel], ids=["asyncio's event", "ours"])
def test_a_task_whose_coroutine_was_closed_ends_when_it_is_cancelled(awaited):
    async def main():
        event = awaited.Event()

        async def wait():
            await event.wait()

        coroutine = wait()
        task = asyncio.create_task(coroutine)
        await asyncio.sleep(0)
        coroutine.close()
        assert task.cancel()
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await task

    roundel.run(main(), clock="virtual")
