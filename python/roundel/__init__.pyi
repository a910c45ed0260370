# asyncio's public names; in the place of those that are native, roundel's.

import sys
from asyncio import ALL_COMPLETED as ALL_COMPLETED
from asyncio import FIRST_COMPLETED as FIRST_COMPLETED
from asyncio import FIRST_EXCEPTION as FIRST_EXCEPTION
from asyncio import AbstractEventLoop as AbstractEventLoop
from asyncio import AbstractServer as AbstractServer
from asyncio import BaseEventLoop as BaseEventLoop
from asyncio import BaseProtocol as BaseProtocol
from asyncio import BaseTransport as BaseTransport
from asyncio import BrokenBarrierError as BrokenBarrierError
from asyncio import BufferedProtocol as BufferedProtocol
from asyncio import CancelledError as CancelledError
from asyncio import DatagramProtocol as DatagramProtocol
from asyncio import DatagramTransport as DatagramTransport
from asyncio import IncompleteReadError as IncompleteReadError
from asyncio import InvalidStateError as InvalidStateError
from asyncio import LimitOverrunError as LimitOverrunError
from asyncio import Protocol as Protocol
from asyncio import QueueEmpty as QueueEmpty
from asyncio import QueueFull as QueueFull
from asyncio import ReadTransport as ReadTransport
from asyncio import SelectorEventLoop as SelectorEventLoop
from asyncio import SendfileNotAvailableError as SendfileNotAvailableError
from asyncio import Server as Server
from asyncio import StreamReader as StreamReader
from asyncio import StreamReaderProtocol as StreamReaderProtocol
from asyncio import StreamWriter as StreamWriter
from asyncio import SubprocessProtocol as SubprocessProtocol
from asyncio import SubprocessTransport as SubprocessTransport
from asyncio import TimeoutError as TimeoutError  # noqa: A004
from asyncio import Transport as Transport
from asyncio import WriteTransport as WriteTransport
from asyncio import _enter_task as _enter_task
from asyncio import _get_running_loop as _get_running_loop
from asyncio import _leave_task as _leave_task
from asyncio import _register_task as _register_task
from asyncio import _set_running_loop as _set_running_loop
from asyncio import _unregister_task as _unregister_task
from asyncio import all_tasks as all_tasks
from asyncio import base_events as base_events
from asyncio import constants as constants
from asyncio import coroutines as coroutines
from asyncio import create_subprocess_exec as create_subprocess_exec
from asyncio import create_subprocess_shell as create_subprocess_shell
from asyncio import current_task as current_task
from asyncio import events as events
from asyncio import exceptions as exceptions
from asyncio import futures as futures
from asyncio import get_event_loop as get_event_loop
from asyncio import get_event_loop_policy as get_event_loop_policy
from asyncio import get_running_loop as get_running_loop
from asyncio import iscoroutine as iscoroutine
from asyncio import iscoroutinefunction as iscoroutinefunction
from asyncio import isfuture as isfuture
from asyncio import locks as locks
from asyncio import log as log
from asyncio import open_connection as open_connection
from asyncio import open_unix_connection as open_unix_connection
from asyncio import protocols as protocols
from asyncio import queues as queues
from asyncio import run_coroutine_threadsafe as run_coroutine_threadsafe
from asyncio import runners as runners
from asyncio import selector_events as selector_events
from asyncio import set_event_loop as set_event_loop
from asyncio import set_event_loop_policy as set_event_loop_policy
from asyncio import sslproto as sslproto
from asyncio import start_server as start_server
from asyncio import start_unix_server as start_unix_server
from asyncio import streams as streams
from asyncio import subprocess as subprocess
from asyncio import taskgroups as taskgroups
from asyncio import tasks as tasks
from asyncio import threads as threads
from asyncio import timeouts as timeouts
from asyncio import to_thread as to_thread
from asyncio import transports as transports
from asyncio import trsock as trsock
from asyncio import unix_events as unix_events
from asyncio import wrap_future as wrap_future

from roundel import fs as fs
from roundel._binary_file import BinaryFile as BinaryFile
from roundel._deadlock import Deadlock as Deadlock
from roundel._eager import create_eager_task_factory as create_eager_task_factory
from roundel._eager import eager_task_factory as eager_task_factory
from roundel._install import install as install
from roundel._install import uninstall as uninstall
from roundel._loop import EventLoop as EventLoop
from roundel._loop import new_event_loop as new_event_loop
from roundel._open import open as open  # noqa: A004
from roundel._roundel import Barrier as Barrier
from roundel._roundel import BoundedSemaphore as BoundedSemaphore
from roundel._roundel import Condition as Condition
from roundel._roundel import Event as Event
from roundel._roundel import Future as Future
from roundel._roundel import Handle as Handle
from roundel._roundel import LifoQueue as LifoQueue
from roundel._roundel import Lock as Lock
from roundel._roundel import PriorityQueue as PriorityQueue
from roundel._roundel import Queue as Queue
from roundel._roundel import QueueShutDown as QueueShutDown
from roundel._roundel import Semaphore as Semaphore
from roundel._roundel import Task as Task
from roundel._roundel import TaskGroup as TaskGroup
from roundel._roundel import Timeout as Timeout
from roundel._roundel import TimerHandle as TimerHandle
from roundel._roundel import as_completed as as_completed
from roundel._roundel import create_task as create_task
from roundel._roundel import ensure_future as ensure_future
from roundel._roundel import gather as gather
from roundel._roundel import shield as shield
from roundel._roundel import sleep as sleep
from roundel._roundel import timeout as timeout
from roundel._roundel import timeout_at as timeout_at
from roundel._roundel import wait as wait
from roundel._roundel import wait_for as wait_for
from roundel._run import Runner as Runner
from roundel._run import run as run
from roundel._text_file import TextFile as TextFile

if sys.version_info < (3, 14):
    from asyncio import AbstractChildWatcher as AbstractChildWatcher
    from asyncio import AbstractEventLoopPolicy as AbstractEventLoopPolicy
    from asyncio import DefaultEventLoopPolicy as DefaultEventLoopPolicy
    from asyncio import FastChildWatcher as FastChildWatcher
    from asyncio import MultiLoopChildWatcher as MultiLoopChildWatcher
    from asyncio import PidfdChildWatcher as PidfdChildWatcher
    from asyncio import SafeChildWatcher as SafeChildWatcher
    from asyncio import ThreadedChildWatcher as ThreadedChildWatcher
    from asyncio import get_child_watcher as get_child_watcher
    from asyncio import set_child_watcher as set_child_watcher

if sys.version_info >= (3, 14):
    from asyncio import FrameCallGraphEntry as FrameCallGraphEntry
    from asyncio import FutureCallGraph as FutureCallGraph
    from asyncio import capture_call_graph as capture_call_graph
    from asyncio import format_call_graph as format_call_graph
    from asyncio import future_add_to_awaited_by as future_add_to_awaited_by
    from asyncio import future_discard_from_awaited_by as future_discard_from_awaited_by
    from asyncio import print_call_graph as print_call_graph

if sys.version_info < (3, 16):
    from roundel._policy import EventLoopPolicy as EventLoopPolicy

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "AbstractEventLoop",
    "AbstractServer",
    "Barrier",
    "BaseEventLoop",
    "BaseProtocol",
    "BaseTransport",
    "BinaryFile",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "BufferedProtocol",
    "CancelledError",
    "Condition",
    "DatagramProtocol",
    "DatagramTransport",
    "Deadlock",
    "Event",
    "EventLoop",
    "Future",
    "Handle",
    "IncompleteReadError",
    "InvalidStateError",
    "LifoQueue",
    "LimitOverrunError",
    "Lock",
    "PriorityQueue",
    "Protocol",
    "Queue",
    "QueueEmpty",
    "QueueFull",
    "QueueShutDown",
    "ReadTransport",
    "Runner",
    "SelectorEventLoop",
    "Semaphore",
    "SendfileNotAvailableError",
    "Server",
    "StreamReader",
    "StreamReaderProtocol",
    "StreamWriter",
    "SubprocessProtocol",
    "SubprocessTransport",
    "Task",
    "TaskGroup",
    "TextFile",
    "Timeout",
    "TimeoutError",
    "TimerHandle",
    "Transport",
    "WriteTransport",
    "_enter_task",
    "_get_running_loop",
    "_leave_task",
    "_register_task",
    "_set_running_loop",
    "_unregister_task",
    "all_tasks",
    "as_completed",
    "create_eager_task_factory",
    "create_subprocess_exec",
    "create_subprocess_shell",
    "create_task",
    "current_task",
    "eager_task_factory",
    "ensure_future",
    "fs",
    "gather",
    "get_event_loop",
    "get_event_loop_policy",
    "get_running_loop",
    "install",
    "iscoroutine",
    "iscoroutinefunction",
    "isfuture",
    "new_event_loop",
    "open_connection",
    "open_unix_connection",
    "run",
    "run_coroutine_threadsafe",
    "set_event_loop",
    "set_event_loop_policy",
    "shield",
    "sleep",
    "start_server",
    "start_unix_server",
    "timeout",
    "timeout_at",
    "to_thread",
    "uninstall",
    "wait",
    "wait_for",
    "wrap_future",
]
if sys.version_info < (3, 14):
    __all__ += [
        "AbstractChildWatcher",
        "AbstractEventLoopPolicy",
        "DefaultEventLoopPolicy",
        "FastChildWatcher",
        "MultiLoopChildWatcher",
        "PidfdChildWatcher",
        "SafeChildWatcher",
        "ThreadedChildWatcher",
        "get_child_watcher",
        "set_child_watcher",
    ]
if sys.version_info >= (3, 14):
    __all__ += [
        "FrameCallGraphEntry",
        "FutureCallGraph",
        "capture_call_graph",
        "format_call_graph",
        "future_add_to_awaited_by",
        "future_discard_from_awaited_by",
        "print_call_graph",
    ]
if sys.version_info < (3, 16):
    __all__ += ["EventLoopPolicy"]

def __dir__() -> list[str]: ...
