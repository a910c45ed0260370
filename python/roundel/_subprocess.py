"""Child processes: asyncio's transports, watched by the loop itself through their pidfds.

No child watcher is involved unless the program has chosen one; where there are no pidfds, asyncio's
that waits in threads is. The status
is collected under the lock of the child's `subprocess.Popen` and kept there: whoever asks that
object first, as `send_signal` does on some versions, loses it for nobody.

The private names of CPython that are used here are those of `_AsyncioTransport`, `_AsyncioLoop` and
`SubprocessStreamProtocol`, and `Popen._waitpid_lock`; `tests/python/test_private_names.py` looks
after them.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import events, unix_events
from asyncio.log import logger
from asyncio.subprocess import SubprocessStreamProtocol as _AsyncioProtocol
from typing import IO, TYPE_CHECKING, cast

from roundel._roundel import StreamReader

if TYPE_CHECKING:
    import subprocess
    from asyncio.base_subprocess import BaseSubprocessTransport
    from collections.abc import Callable, Sequence
    from typing import TypeVarTuple

    _Ts = TypeVarTuple("_Ts")

    class _AsyncioTransport(BaseSubprocessTransport):
        """The private names of asyncio's transport of a child that this file relies on."""

        _proc: subprocess.Popen[bytes]

        async def _wait(self) -> int: ...
        def _process_exited(self, returncode: int) -> None: ...

    class _AsyncioLoop(asyncio.SelectorEventLoop):
        """The private names of asyncio's loops that this file relies on."""

        def _add_reader(
            self, fd: int, callback: Callable[[*_Ts], object], /, *args: *_Ts
        ) -> asyncio.Handle: ...
        def _remove_reader(self, fd: int, /) -> bool: ...
        async def _make_subprocess_transport(
            self, *args: object, **kwargs: object
        ) -> asyncio.SubprocessTransport: ...
        def _child_watcher_callback(
            self, pid: int, returncode: int, transport: _AsyncioTransport
        ) -> None: ...

    _Stream = int | IO[bytes] | None
else:
    _AsyncioTransport = unix_events._UnixSubprocessTransport
    _AsyncioLoop = object


class SubprocessStreamProtocol(_AsyncioProtocol):
    """asyncio's protocol of a child's pipes, with native readers.

    `install()` puts it in the place of asyncio's, whose readers are instances of what the name in
    `asyncio.streams` stands for, which stays asyncio's own class.
    """

    _limit: int
    _loop: asyncio.AbstractEventLoop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Exchanges the readers that asyncio has made."""
        super().connection_made(transport)
        process = cast("asyncio.SubprocessTransport", transport)
        self.stdout = self._reader_of(process.get_pipe_transport(1))
        self.stderr = self._reader_of(process.get_pipe_transport(2))

    def _reader_of(self, pipe: asyncio.BaseTransport | None) -> StreamReader | None:
        if pipe is None:
            return None
        reader = StreamReader(limit=self._limit, loop=self._loop)
        reader.set_transport(pipe)
        return reader


class SubprocessMethods(_AsyncioLoop):
    """The methods of the event loop that have to do with child processes."""

    __slots__ = ()

    # The descriptors by which running children are watched.
    _pidfds: set[int]

    async def _make_subprocess_transport(  # type: ignore[override]  # the arguments in full
        self,
        protocol: asyncio.SubprocessProtocol,
        args: Sequence[str | bytes] | str | bytes,
        shell: bool,
        stdin: _Stream,
        stdout: _Stream,
        stderr: _Stream,
        bufsize: int,
        extra: dict[str, object] | None = None,
        **kwargs: object,
    ) -> asyncio.SubprocessTransport:
        options = (protocol, args, shell, stdin, stdout, stderr, bufsize)
        if _has_chosen_watcher():
            return await super()._make_subprocess_transport(*options, extra=extra, **kwargs)
        waiter: asyncio.Future[None] = self.create_future()
        transport = _AsyncioTransport(
            self,
            *options,
            waiter=waiter,
            extra=extra,
            **kwargs,  # type: ignore[arg-type]
        )
        self._watch_child(transport)
        try:
            await waiter
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException:
            transport.close()
            await transport._wait()
            raise
        return transport

    def _watch_child(self, transport: _AsyncioTransport) -> None:
        try:
            pidfd = os.pidfd_open(transport._proc.pid)
        except (AttributeError, OSError):  # no such call, or no more descriptors
            watcher = _threaded_child_watcher()
            watcher.add_child_handler(transport._proc.pid, self._child_watcher_callback, transport)
            return
        self._pidfds.add(pidfd)
        self._add_reader(pidfd, self._child_ended, pidfd, transport, transport._proc)

    def _child_ended(
        self, pidfd: int, transport: _AsyncioTransport, child: subprocess.Popen[bytes]
    ) -> None:
        self._remove_reader(pidfd)
        self._pidfds.remove(pidfd)
        os.close(pidfd)
        # At once: until the transport knows, it signals a number that may be another's by now.
        transport._process_exited(_returncode(child))

    def close(self) -> None:
        """Closes the loop; children that still run are watched no longer."""
        pidfds, self._pidfds = self._pidfds, set()
        for pidfd in pidfds:
            self._remove_reader(pidfd)
            os.close(pidfd)
        super().close()


def _returncode(child: subprocess.Popen[bytes]) -> int:
    """Collects the status of a child that has ended."""
    with child._waitpid_lock:  # type: ignore[attr-defined]
        if child.returncode is None:
            try:
                status = os.waitpid(child.pid, 0)[1]
            except ChildProcessError:
                logger.warning(
                    "child process pid %d exit status already read:  will report returncode 255",
                    child.pid,
                )
                child.returncode = 255
            else:
                child.returncode = os.waitstatus_to_exitcode(status)
        return child.returncode


def _threaded_child_watcher() -> asyncio.AbstractChildWatcher:
    """Makes a watcher that waits for each child in a thread; its name is private from 3.14 on."""
    kind = vars(unix_events).get("_ThreadedChildWatcher") or unix_events.ThreadedChildWatcher
    watcher: asyncio.AbstractChildWatcher = kind()
    return watcher


def _has_chosen_watcher() -> bool:
    """Tells whether the program has set a child watcher that works otherwise than we do."""
    policy = vars(events).get("_event_loop_policy")
    watcher = getattr(policy, "_watcher", None)
    return watcher is not None and type(watcher).__name__ not in (
        "PidfdChildWatcher",
        "ThreadedChildWatcher",
    )
