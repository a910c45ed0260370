"""The event loop: the native dispatcher below, asyncio's own cold code above.

What runs once per callback, task or descriptor is native (`_roundel.EventLoop`, first among the
bases). What runs once per program or connection is the running version's asyncio, so behaviour
and wording are that version's. This file joins the two: life cycle, signals, threads, forks.
No selector is made.

The private names of CPython that are used here are those of `_AsyncioLoop` and those marked
`type: ignore[attr-defined]`; `tests/python/test_private_names.py` looks after them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import sys
import threading
import warnings
import weakref
from asyncio import coroutines, futures, timeouts, unix_events
from asyncio.log import logger
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar, TypeVarTuple

from roundel import _all_tasks, _network, _roundel, _sockets, _sslproto, _subprocess

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Callable

    from _typeshed import FileDescriptorLike

    _T = TypeVar("_T")
    _Ts = TypeVarTuple("_Ts")

    class _AsyncioLoop(asyncio.SelectorEventLoop):
        """The private names of asyncio's loops that this file relies on, on 3.11 to 3.15."""

        _default_executor: concurrent.futures.ThreadPoolExecutor | None
        _signal_handlers: dict[int, asyncio.Handle]
        _csock: socket.socket
        _ssock: socket.socket

        def _asyncgen_finalizer_hook(self, agen: AsyncGenerator[object, None]) -> None: ...
        def _asyncgen_firstiter_hook(self, agen: AsyncGenerator[object, None]) -> None: ...
        def _check_callback(self, callback: object, method: str) -> None: ...
        def _check_closed(self) -> None: ...
        def _check_default_executor(self) -> None: ...
        def _check_running(self) -> None: ...
        def _make_self_pipe(self) -> None: ...
        def _set_coroutine_origin_tracking(self, enabled: bool) -> None: ...
else:
    _AsyncioLoop = asyncio.SelectorEventLoop


class EventLoop(
    _roundel.EventLoop,
    _network.TransportMethods,
    _sockets.SocketMethods,
    _sslproto.SSLMethods,
    _subprocess.SubprocessMethods,
    _AsyncioLoop,
):
    """asyncio's event loop on roundel's dispatcher.

    Args:
        clock: ``"monotonic"``, or ``"virtual"``: time then starts at 0 and jumps to the next
            deadline whenever nothing is ready, so that no program waits for the sake of time.
        order: None to run what is ready first come, first served; a seed to have the tasks that
            are ready together take their turns in a random order, the same for the same seed.
        detect_deadlock: Whether to raise `roundel.Deadlock` when nothing can wake the loop any
            more. On the virtual clock that is done in any case.
    """

    # What every loop has of its own. While an instance has no dictionary, the interpreter finds its
    # methods twice as fast.
    __slots__ = (
        "_asyncgens",
        "_csock",
        "_default_executor",
        "_exception_handler",
        "_internal_fds",
        "_pidfds",
        "_signal_handlers",
        "_ssock",
        "_transports",
        "_unix_server_sockets",
        "detect_deadlock",
    )
    # What asyncio's loops start from, as far as it is immutable.
    _asyncgens_shutdown_called = False
    _coroutine_origin_tracking_enabled = False
    _coroutine_origin_tracking_saved_depth = None
    _executor_shutdown_called = False

    def __init__(
        self,
        clock: Literal["monotonic", "virtual"] = "monotonic",
        order: int | None = None,
        *,
        detect_deadlock: bool = False,
    ) -> None:
        # asyncio's own __init__ is not called: it would make a selector and a pipe.
        _roundel.EventLoop.__init__(self, clock, order)
        self.detect_deadlock = detect_deadlock
        self._default_executor: concurrent.futures.ThreadPoolExecutor | None = None
        self._exception_handler = None
        self._internal_fds = 1  # the dispatcher's notifier; asyncio adds the self-pipe
        # The self-pipe, by which signals arrive, is made when it is needed.
        self._csock: socket.socket = None  # type: ignore[assignment]
        self._ssock: socket.socket = None  # type: ignore[assignment]
        self._asyncgens: weakref.WeakSet[AsyncGenerator[object, None]] = weakref.WeakSet()
        self._signal_handlers = {}
        self._pidfds: set[int] = set()
        self._transports: weakref.WeakValueDictionary[int, asyncio.BaseTransport]
        self._transports = weakref.WeakValueDictionary()
        self._unix_server_sockets: dict[socket.socket, int] = {}
        if access := os.environ.get("ROUNDEL_FILES"):
            self._set_file_access(access)  # type: ignore[arg-type]  # it is checked
        self.set_debug(coroutines._is_debug_mode())  # type: ignore[attr-defined]
        _all_tasks.enter(self)

    @property
    def _selector(self) -> _SelectorView | None:
        # asyncio's transports ask it, for their repr, what of them is being watched.
        view = None if self.is_closed() else _SelectorView(self)
        return vars(self).get("_selector", view)

    @_selector.setter
    def _selector(self, selector: _SelectorView | None) -> None:
        vars(self)["_selector"] = selector

    @cached_property
    def _watcher(self) -> object:
        # From 3.14 on every loop has its child watcher; before, the policy has it.
        if unix_events.can_use_pidfd():  # type: ignore[attr-defined]
            return unix_events._PidfdChildWatcher()  # type: ignore[attr-defined]
        return unix_events._ThreadedChildWatcher()  # type: ignore[attr-defined]

    # -- Life cycle

    def run_forever(self) -> None:
        """Runs until stop() is called."""
        self._check_closed()
        self._check_running()
        agen_hooks = sys.get_asyncgen_hooks()
        owns_wakeup = self._claim_wakeup_fd()
        self._set_coroutine_origin_tracking(self.get_debug())
        sys.set_asyncgen_hooks(self._asyncgen_firstiter_hook, self._asyncgen_finalizer_hook)
        try:
            self._run_until_stopped()
        finally:
            sys.set_asyncgen_hooks(*agen_hooks)
            self._set_coroutine_origin_tracking(False)
            if owns_wakeup and not self._signal_handlers:
                signal.set_wakeup_fd(-1)

    def close(self) -> None:
        """Closes the loop, which must not be running: drops what waits, frees what it holds."""
        if self.is_running():
            raise RuntimeError("Cannot close a running event loop")
        if self.is_closed():
            return
        if self.get_debug():
            logger.debug("Close %r", self)
        self._close_native()
        self._executor_shutdown_called = True
        executor, self._default_executor = self._default_executor, None
        if executor is not None:
            executor.shutdown(wait=False)
        try:
            super().close()  # the loop being closed, what asyncio has left to do are the signals
        finally:
            self._close_self_pipe()
            self._internal_fds = 0

    # The native base has one, too, and comes first.
    __del__ = asyncio.SelectorEventLoop.__del__

    def _on_idle(self) -> None:
        """Called by the dispatcher when nothing that it knows of can wake the loop any more."""
        if self._virtual or self.detect_deadlock:
            from roundel import _deadlock

            _deadlock.check(self)

    # -- Signals

    def add_signal_handler(self, sig: int, callback: Callable[[*_Ts], object], *args: *_Ts) -> None:
        """Calls a callback on the loop when a signal arrives, also one that came between runs."""
        if not self.is_closed():
            self._open_self_pipe()
        super().add_signal_handler(sig, callback, *args)

    def _add_callback_signalsafe(self, handle: asyncio.Handle) -> None:
        self.call_soon(self._run_signal_handle, handle)

    def _run_signal_handle(self, handle: asyncio.Handle) -> None:
        if not handle.cancelled():
            handle._run()

    def _claim_wakeup_fd(self) -> bool:
        """Makes signals wake this loop while it runs; tells whether that is ours to undo.

        A signal that comes just before the dispatcher blocks does not interrupt it: only a byte
        in a descriptor it watches does.
        """
        if threading.get_ident() != threading.main_thread().ident:
            return False
        self._open_self_pipe()
        try:
            previous = signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)
        except ValueError:  # not the main interpreter
            return False
        if previous not in (-1, self._csock.fileno()):
            signal.set_wakeup_fd(previous)
        return previous == -1

    def _open_self_pipe(self) -> None:
        if not self._ssock:
            self._make_self_pipe()
            self._mark_internal(self._ssock.fileno())

    def _close_self_pipe(self) -> None:
        if self._ssock:
            self._ssock.close()
            self._csock.close()
            self._ssock = self._csock = None  # type: ignore[assignment]

    def _leave_self_pipe_to_parent(self) -> None:
        # A forked child shares it, and would send its own signals to the parent.
        if self._ssock:
            self._remove_reader(self._ssock.fileno())
            self._close_self_pipe()
            signal.set_wakeup_fd(-1)

    # -- Threads

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*_Ts], _T],
        *args: *_Ts,
    ) -> asyncio.Future[_T]:
        """Calls a function in a thread, or wherever the executor does, and returns its future."""
        self._check_closed()
        if self.get_debug():
            self._check_callback(func, "run_in_executor")
        if executor is None:
            executor = self._existing_default_executor()
        job = executor.submit(func, *args)
        future: asyncio.Future[_T] = self.create_future()
        self._external_begin()
        future.add_done_callback(partial(_cancel_job, job))
        job.add_done_callback(partial(self._post_job, future))
        return future

    def _existing_default_executor(self) -> concurrent.futures.Executor:
        self._check_default_executor()
        if self._default_executor is None:
            self._default_executor = concurrent.futures.ThreadPoolExecutor(
                thread_name_prefix="asyncio"
            )
        return self._default_executor

    def _post_job(self, future: asyncio.Future[_T], job: concurrent.futures.Future[_T]) -> None:
        """Hands a finished job to the loop, in whatever thread it finished."""
        try:
            self.call_soon_threadsafe(self._settle_job, future, job)
        except RuntimeError:
            if not self.is_closed():
                raise

    def _settle_job(self, future: asyncio.Future[_T], job: concurrent.futures.Future[_T]) -> None:
        self._external_end()
        futures._copy_future_state(job, future)  # type: ignore[attr-defined]

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  # asyncio's signature
    ) -> None:
        """Waits until the default executor's threads have ended, as asyncio does from 3.13 on.

        Args:
            timeout: How many seconds to wait; threads that are still busy are left alone then.
        """
        self._executor_shutdown_called = True
        executor = self._default_executor
        if executor is None:
            return
        joiner = concurrent.futures.ThreadPoolExecutor(1)
        try:
            async with timeouts.timeout(timeout):
                await self.run_in_executor(joiner, executor.shutdown)
        except TimeoutError:
            warnings.warn(
                f"The executor did not finishing joining its threads within {timeout} seconds.",
                RuntimeWarning,
                stacklevel=2,
            )
            executor.shutdown(wait=False)
        else:
            joiner.shutdown()
        finally:
            joiner.shutdown(wait=False)


class _Watched(NamedTuple):
    """What a descriptor is watched for, as `selectors.EVENT_READ` and `EVENT_WRITE`."""

    fd: int
    events: int


class _SelectorView:
    """Answers for the dispatcher what asyncio asks of a selector that is not there."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop

    def get_key(self, file: FileDescriptorLike) -> _Watched:
        """Tells what a file is watched for.

        Raises:
            KeyError: It is not watched.
        """
        fd = file if isinstance(file, int) else file.fileno()
        events = self._loop._watched(fd)
        if not events:
            raise KeyError(f"{file!r} is not registered")
        return _Watched(fd, events)


def _cancel_job(job: concurrent.futures.Future[_T], future: asyncio.Future[_T]) -> None:
    if future.cancelled():
        job.cancel()


def new_event_loop(
    clock: Literal["monotonic", "virtual"] = "monotonic",
    order: int | None = None,
    *,
    detect_deadlock: bool = False,
) -> EventLoop:
    """Makes an event loop, for ``asyncio.run(main(), loop_factory=roundel.new_event_loop)``.

    Args:
        clock: As for `EventLoop`, like all that follow.
        order: None, or the seed of a random order.
        detect_deadlock: Whether to raise `Deadlock` on the monotonic clock, too.
    """
    return EventLoop(clock, order, detect_deadlock=detect_deadlock)


def _leave_loops_to_parent() -> None:
    for loop in _all_tasks.open_loops:
        loop._leave_self_pipe_to_parent()


os.register_at_fork(after_in_child=_leave_loops_to_parent)
