"""Which of asyncio's names roundel defines anew: the one table that says what is native."""

from roundel import _eager, _roundel, _streams

_REPLACED = (
    "as_completed",
    "Barrier",
    "BoundedSemaphore",
    "Condition",
    "create_eager_task_factory",
    "create_task",
    "eager_task_factory",
    "ensure_future",
    "Event",
    "Future",
    "future_add_to_awaited_by",
    "future_discard_from_awaited_by",
    "gather",
    "Handle",
    "LifoQueue",
    "Lock",
    "open_connection",
    "open_unix_connection",
    "PriorityQueue",
    "Queue",
    "QueueShutDown",
    "Semaphore",
    "shield",
    "sleep",
    "start_server",
    "start_unix_server",
    "StreamReader",
    "StreamReaderProtocol",
    "StreamWriter",
    "Task",
    "TaskGroup",
    "timeout",
    "Timeout",
    "timeout_at",
    "TimerHandle",
    "wait",
    "wait_for",
)

NATIVE = {
    name: getattr(home, name)
    for name in _REPLACED
    for home in (_roundel, _streams, _eager)
    if name in vars(home)
}
"""asyncio's public names that are native here, and what they are."""
