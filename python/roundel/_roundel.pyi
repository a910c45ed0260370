# The extension module. What behaves and is typed as asyncio's own is declared as asyncio's own, so
# that a checker lets either stand for the other, as the interpreter does.

import asyncio
import sys
from asyncio import Barrier as Barrier
from asyncio import BoundedSemaphore as BoundedSemaphore
from asyncio import Condition as Condition
from asyncio import Event as Event
from asyncio import Future as Future
from asyncio import Handle as Handle
from asyncio import Lock as Lock
from asyncio import Semaphore as Semaphore
from asyncio import StreamReader as StreamReader
from asyncio import StreamReaderProtocol as StreamReaderProtocol
from asyncio import StreamWriter as StreamWriter
from asyncio import Task as Task
from asyncio import Timeout as Timeout
from asyncio import TimerHandle as TimerHandle
from asyncio import _CoroutineLike
from asyncio import as_completed as as_completed
from asyncio import ensure_future as ensure_future
from asyncio import gather as gather
from asyncio import shield as shield
from asyncio import sleep as sleep
from asyncio import timeout as timeout
from asyncio import timeout_at as timeout_at
from asyncio import wait as wait
from asyncio import wait_for as wait_for
from asyncio.events import _TaskFactory
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from socket import _Address, _RetAddress, socket
from typing import IO, Literal, TypeVar, TypeVarTuple, final
from weakref import WeakSet

from _typeshed import (
    FileDescriptorLike,
    ReadableBuffer,
    SupportsRichComparisonT,
    WriteableBuffer,
)
from typing_extensions import disjoint_base

from roundel._abstract import DatagramTransport as _DatagramTransport

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

def create_task(
    coro: _CoroutineLike[_T],
    *,
    name: object = None,
    context: Context | None = None,
    eager_start: bool | None = None,
    **kwargs: object,
) -> Task[_T]: ...

if sys.version_info >= (3, 14):
    from asyncio import future_add_to_awaited_by as future_add_to_awaited_by
    from asyncio import future_discard_from_awaited_by as future_discard_from_awaited_by

if sys.version_info >= (3, 15):
    from asyncio import TaskGroup as TaskGroup
else:
    @disjoint_base
    class TaskGroup(asyncio.TaskGroup):
        def cancel(self) -> None: ...

if sys.version_info >= (3, 13):
    from asyncio import LifoQueue as LifoQueue
    from asyncio import PriorityQueue as PriorityQueue
    from asyncio import Queue as Queue
    from asyncio import QueueShutDown as QueueShutDown
else:
    class QueueShutDown(Exception): ...  # noqa: N818  # asyncio's name

    @disjoint_base
    class Queue(asyncio.Queue[_T]):
        def shutdown(self, immediate: bool = False) -> None: ...

    class PriorityQueue(
        Queue[SupportsRichComparisonT], asyncio.PriorityQueue[SupportsRichComparisonT]
    ): ...
    class LifoQueue(Queue[_T], asyncio.LifoQueue[_T]): ...

@disjoint_base
class EventLoop:
    slow_callback_duration: float
    _clock_resolution: float
    _closed: bool
    _current_handle: Handle | None
    _debug: bool
    _ready: list[Handle]
    _stopping: bool
    _thread_id: int | None
    _virtual: bool

    def __init__(
        self, clock: Literal["monotonic", "virtual"] = "monotonic", order: int | None = None
    ) -> None: ...
    def call_soon(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> Handle: ...
    def call_soon_threadsafe(
        self,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> Handle: ...
    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> TimerHandle: ...
    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> TimerHandle: ...
    def time(self) -> float: ...
    def create_future(self) -> Future[_T]: ...
    def create_task(
        self,
        coro: _CoroutineLike[_T],
        *,
        name: object = None,
        context: Context | None = None,
        eager_start: bool | None = None,
        **kwargs: object,
    ) -> Task[_T]: ...
    def set_task_factory(self, factory: _TaskFactory | None) -> None: ...
    def get_task_factory(self) -> _TaskFactory | None: ...
    def stop(self) -> None: ...
    def is_running(self) -> bool: ...
    def is_closed(self) -> bool: ...
    def get_debug(self) -> bool: ...
    async def sock_recv(self, sock: socket, n: int) -> bytes: ...
    async def sock_recv_into(self, sock: socket, buf: WriteableBuffer) -> int: ...
    async def sock_recvfrom(self, sock: socket, bufsize: int) -> tuple[bytes, _RetAddress]: ...
    async def sock_recvfrom_into(
        self, sock: socket, buf: WriteableBuffer, nbytes: int = 0
    ) -> tuple[int, _RetAddress]: ...
    async def sock_sendall(self, sock: socket, data: ReadableBuffer) -> None: ...
    async def sock_sendto(self, sock: socket, data: ReadableBuffer, address: _Address) -> int: ...
    async def sock_accept(self, sock: socket) -> tuple[socket, _RetAddress]: ...
    def _add_reader(
        self,
        fd: int,
        callback: Callable[[*_Ts], object],
        /,
        *args: *_Ts,
        context: Context | None = None,
    ) -> Handle: ...
    def _add_writer(
        self,
        fd: int,
        callback: Callable[[*_Ts], object],
        /,
        *args: *_Ts,
        context: Context | None = None,
    ) -> Handle: ...
    def _close_native(self) -> None: ...
    def _external_begin(self) -> None: ...
    def _external_end(self) -> None: ...
    def _mark_internal(self, fd: int, /) -> None: ...
    def _remove_reader(self, fd: int, /) -> bool: ...
    def _remove_writer(self, fd: int, /) -> bool: ...
    def _run_until_stopped(self) -> None: ...
    async def _sock_connect_resolved(self, sock: socket, address: object, /) -> None: ...
    def _set_file_access(self, access: Literal["best", "ring", "threads"], /) -> None: ...
    def _tasks(self) -> list[Task[object]]: ...
    def _watched(self, fd: int, /) -> int: ...
    def _ensure_fd_no_transport(self, fd: FileDescriptorLike, /) -> None: ...

def stream_transport(
    loop: asyncio.AbstractEventLoop,
    sock: socket,
    protocol: asyncio.BaseProtocol,
    waiter: asyncio.Future[None] | None,
    extra: dict[str, object] | None,
    server: asyncio.AbstractServer | None,
    context: Context | None,
) -> StreamTransport: ...
def datagram_transport(
    loop: asyncio.AbstractEventLoop,
    sock: socket,
    protocol: asyncio.BaseProtocol,
    address: _Address | None,
    waiter: asyncio.Future[None] | None,
    extra: dict[str, object],
) -> DatagramTransport: ...
def native_transport(loop: asyncio.AbstractEventLoop, fd: int) -> asyncio.Transport | None: ...
def read_pipe_transport(
    loop: asyncio.AbstractEventLoop,
    pipe: IO[bytes],
    protocol: asyncio.BaseProtocol,
    waiter: asyncio.Future[None] | None,
    extra: dict[str, object],
) -> ReadPipeTransport: ...
def write_pipe_transport(
    loop: asyncio.AbstractEventLoop,
    pipe: IO[bytes],
    protocol: asyncio.BaseProtocol,
    waiter: asyncio.Future[None] | None,
    extra: dict[str, object],
) -> WritePipeTransport: ...
def write_device_transport(
    loop: asyncio.AbstractEventLoop,
    pipe: IO[bytes],
    protocol: asyncio.BaseProtocol,
    waiter: asyncio.Future[None] | None,
    extra: dict[str, object],
) -> WritePipeTransport: ...
def clients(others: WeakSet[asyncio.BaseTransport]) -> WeakSet[asyncio.BaseTransport]: ...
def stream_factory(
    loop: asyncio.AbstractEventLoop,
    client_connected_cb: Callable[[StreamReader, StreamWriter], Awaitable[None] | None],
    limit: int,
) -> Callable[[], StreamReaderProtocol]: ...
def serve(
    loop: asyncio.AbstractEventLoop,
    sock: socket,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    server: asyncio.AbstractServer | None,
    backlog: int,
    context: Context | None,
) -> None: ...

@final
class ReadPipeTransport(asyncio.ReadTransport):
    def _close(self, exc: BaseException | None, /) -> None: ...
    def _call_connection_lost(self, exc: BaseException | None, /) -> None: ...

@final
class WritePipeTransport(asyncio.transports._FlowControlMixin):
    def _close(self, exc: BaseException | None, /) -> None: ...
    def _call_connection_lost(self, exc: BaseException | None, /) -> None: ...

@final
class DatagramTransport(_DatagramTransport):
    def _force_close(self, exc: BaseException | None, /) -> None: ...
    def _call_connection_lost(self, exc: BaseException | None, /) -> None: ...

@final
class StreamTransport(asyncio.transports._FlowControlMixin):
    def _force_close(self, exc: BaseException | None, /) -> None: ...
    def _call_connection_lost(self, exc: BaseException | None, /) -> None: ...
    def _make_empty_waiter(self) -> asyncio.Future[None]: ...
    def _reset_empty_waiter(self) -> None: ...
    def _lend(self) -> None: ...
    def _claim(self) -> None: ...
    @property
    def _sock_fd(self) -> int: ...

@disjoint_base
class SSLProtocol:
    _app_protocol_is_buffer: bool
    _app_reading_paused: bool
    _app_writing_paused: bool
    _ssl_reading_paused: bool
    _ssl_writing_paused: bool
    _write_buffer_size: int
    _outgoing_high_water: int
    _outgoing_low_water: int
    _incoming_high_water: int
    _incoming_low_water: int

    def _attach(self, socket: object, incoming: object, outgoing: object, /) -> bool: ...
    def _write_data(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def _do_read(self) -> None: ...
    def _process_outgoing(self) -> None: ...
    def _get_read_buffer_size(self) -> int: ...
    def _get_write_buffer_size(self) -> int: ...
    def get_buffer(self, sizehint: int, /) -> bytearray: ...
    def buffer_updated(self, nbytes: int, /) -> None: ...

@final
class RawFile:
    position: int
    def __init__(self, owner: object, fd: int, is_storage: bool, appends: bool) -> None: ...
    @property
    def appends(self) -> bool: ...
    @property
    def is_prompt(self) -> bool: ...
    @property
    def is_storage(self) -> bool: ...
    @property
    def taken(self) -> int: ...
    def read(self, size: int, /) -> Coroutine[object, None, bytes]: ...
    def write(self, data: ReadableBuffer, /) -> Coroutine[object, None, int]: ...
