"""The loop's life: making, running, stopping, closing; debug mode; asynchronous generators."""

import asyncio
import gc
import socket
import sys
import threading
from collections import Counter
from unittest import mock

import pytest

import roundel


def test_making_a_loop_opens_no_pipe_and_a_run_elsewhere_neither():
    loop = roundel.new_event_loop()
    assert loop._ssock is None
    thread = threading.Thread(target=loop.run_until_complete, args=[asyncio.sleep(0)])
    thread.start()
    thread.join()
    assert loop._ssock is None
    loop.close()


def test_a_subclass_may_override_and_add(debug):
    class Loop(roundel.EventLoop):
        def __init__(self):
            super().__init__("virtual")
            self.calls = []

        def call_soon(self, callback, *args, context=None):
            self.calls.append(callback)
            return super().call_soon(callback, *args, context=context)

    loop = Loop()
    loop.set_debug(debug)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert loop.calls == [loop.stop]
    loop.note = 1
    loop.close()


def calls_of_replaced_methods(api, debug):
    """Counts calls of methods replaced on the instance, while all sorts of things wait."""
    calls = Counter()
    loop = api.new_event_loop()
    loop.set_debug(debug)

    def replace(name):
        original = getattr(loop, name)

        def replaced(*arguments, **options):
            calls[name] += 1
            return original(*arguments, **options)

        setattr(loop, name, replaced)

    for name in ("call_soon", "call_at", "call_later", "create_task"):
        replace(name)

    async def main():
        await api.sleep(0.001)
        await api.create_task(api.sleep(0))
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        await future
        queue = api.Queue()
        getting = api.create_task(queue.get())
        await api.sleep(0)
        queue.put_nowait(1)
        await getting
        await api.gather(api.sleep(0), api.sleep(0))
        async with api.timeout(1):
            await api.sleep(0)

    loop.run_until_complete(main())
    loop.close()
    return calls


def test_methods_replaced_on_the_instance_are_called_as_often_as_asyncios(debug):
    calls = calls_of_replaced_methods(roundel, debug)
    assert calls == calls_of_replaced_methods(asyncio, debug)
    assert all(calls.values())


def test_a_replaced_clock_is_asked_for_delays(api, debug):
    class Loop(api.SelectorEventLoop if api is asyncio else api.EventLoop):
        def time(self):
            return super().time() + 1_000

    loop = Loop()
    loop.set_debug(debug)
    before = loop.time()
    timer = loop.call_later(5, print)
    assert before + 5 <= timer.when() <= loop.time() + 5
    timer.cancel()
    with pytest.raises(TypeError, match="delay must not be None"):
        loop.call_later(None, print)
    loop.close()


def test_a_replaced_clock_says_when_timers_are_due(api, debug):
    class Loop(api.SelectorEventLoop if api is asyncio else api.EventLoop):
        now = 1_000.0

        def time(self):
            return self.now

    async def main():
        loop = api.get_running_loop()
        fired = []
        loop.call_later(2, fired.append, "later")
        loop.call_at(1_001, fired.append, "at")
        for _ in range(3):
            await api.sleep(0)
        assert fired == []
        loop.now = 1_001.0
        await api.sleep(0)
        await api.sleep(0)
        assert fired == ["at"]
        loop.now = 1_005.0
        await api.sleep(0)
        await api.sleep(0)
        assert fired == ["at", "later"]

    loop = Loop()
    loop.set_debug(debug)
    loop.run_until_complete(main())
    loop.close()


def test_a_clock_replaced_on_the_instance_says_when_timers_are_due(api, debug):
    async def main():
        loop = api.get_running_loop()
        fired = []
        loop.call_later(1_000, fired.append, "later")
        until = loop.time() + 1_000
        with mock.patch.object(loop, "time") as time:
            time.return_value = until
            await api.sleep(0)
            await api.sleep(0)
        assert fired == ["later"]
        await api.sleep(0.001)

    loop = api.new_event_loop()
    loop.set_debug(debug)
    loop.run_until_complete(main())
    loop.close()


def test_what_a_replaced_clock_raises_leaves_the_loop(api):
    async def main():
        loop = api.get_running_loop()
        loop.call_later(1_000, print)
        loop.time = mock.Mock(side_effect=ZeroDivisionError)
        await api.get_running_loop().create_future()

    loop = api.new_event_loop()
    task = loop.create_task(main())
    with pytest.raises(ZeroDivisionError):
        loop.run_until_complete(task)
    del loop.time
    task.cancel()
    with pytest.raises(api.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_a_timer_says_when_as_it_was_told(api):
    loop = api.new_event_loop()
    for when in (5, 5.5, True, 10**15):
        timer = loop.call_at(when, print)
        assert (type(timer.when()), timer.when()) == (type(when), when)
        assert f"when={when}" in repr(timer)
        timer.cancel()
    loop.close()


def test_what_was_set_can_be_asked_for(api, debug):
    loop = api.new_event_loop()
    assert loop.get_exception_handler() is None
    assert loop.get_task_factory() is None

    def handler(loop, context):
        """Is never called."""

    def factory(loop, coroutine):
        """Is never called."""

    loop.set_exception_handler(handler)
    loop.set_task_factory(factory)
    loop.set_debug(debug)
    loop.slow_callback_duration = 0.5
    assert loop.get_exception_handler() is handler
    assert loop.get_task_factory() is factory
    assert loop.get_debug() is debug
    assert loop.slow_callback_duration == 0.5
    loop.set_exception_handler(None)
    loop.set_task_factory(None)
    assert loop.get_exception_handler() is None
    assert loop.get_task_factory() is None
    loop.close()


def test_running_twice_is_refused(loop):
    async def main():
        with pytest.raises(RuntimeError, match=r"^This event loop is already running$"):
            loop.run_forever()
        other = roundel.new_event_loop()
        with pytest.raises(RuntimeError, match=r"while another loop is running$"):
            other.run_forever()
        other.close()

    loop.run_until_complete(main())


def test_closing_a_running_loop_is_refused(loop):
    async def main():
        with pytest.raises(RuntimeError, match=r"^Cannot close a running event loop$"):
            loop.close()

    loop.run_until_complete(main())
    assert not loop.is_closed()


def test_a_closed_loop_stays_closed(loop):
    loop.call_soon(pytest.fail)
    loop.close()
    loop.close()
    assert loop.is_closed()
    for refused in (
        loop.run_forever,
        lambda: loop.call_soon(print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.call_later(1, print),
        lambda: loop.run_in_executor(None, print),
    ):
        with pytest.raises(RuntimeError, match=r"^Event loop is closed$"):
            refused()


def test_an_unclosed_loop_warns_and_is_closed():
    loops = [roundel.new_event_loop()]
    with pytest.warns(ResourceWarning, match="unclosed event loop <EventLoop running=False"):
        loops.clear()


def test_asyncio_reads_what_its_own_loops_have(loop):
    standard = asyncio.SelectorEventLoop()
    missing = {name for name in vars(standard) if not hasattr(loop, name)}
    standard.close()
    # The selector, and the timers that asyncio's loop keeps in Python.
    assert missing <= {"_selector", "_scheduled", "_timer_cancelled_count", "_old_agen_hooks"}


def test_hooks_of_generators_are_restored(loop):
    hooks = sys.get_asyncgen_hooks()

    async def main():
        return sys.get_asyncgen_hooks()

    assert loop.run_until_complete(main()) != hooks
    assert sys.get_asyncgen_hooks() == hooks


def test_a_dropped_generator_is_finished_on_the_loop(loop):
    finished = []

    async def generator():
        try:
            yield
        finally:
            await asyncio.sleep(0)
            finished.append(asyncio.get_running_loop())

    async def main():
        async for _ in generator():
            break
        gc.collect()
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    assert finished == [loop]


def test_debug_mode_tracks_where_coroutines_are_made():
    async def main():
        depths = [sys.get_coroutine_origin_tracking_depth()]
        asyncio.get_running_loop().set_debug(False)
        await asyncio.sleep(0)
        return [*depths, sys.get_coroutine_origin_tracking_depth()]

    before = sys.get_coroutine_origin_tracking_depth()
    assert roundel.run(main(), debug=True) == [10, before]
    assert sys.get_coroutine_origin_tracking_depth() == before


def test_the_environment_switches_debug_mode_on(monkeypatch):
    monkeypatch.setattr(asyncio.coroutines, "_is_debug_mode", lambda: True)
    loop = roundel.new_event_loop()
    assert loop.get_debug()
    loop.close()


def test_asyncios_transports_tell_what_they_wait_for(loop):
    async def main():
        reader, writer = socket.socketpair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=reader)
        texts = [repr(transport)]
        transport.pause_reading()
        texts.append(repr(transport))
        transport.close()
        writer.close()
        await asyncio.sleep(0)
        return texts

    watching, paused = loop.run_until_complete(main())
    assert "read=polling write=<idle, bufsize=0>" in watching
    assert "read=idle" in paused


def test_a_loop_that_could_not_be_made_is_no_unclosed_one():
    with pytest.raises(ValueError, match="clock"):
        roundel.EventLoop("sundial")
    gc.collect()
