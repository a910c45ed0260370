"""Which of asyncio's names the extension defines anew: the one table that says what is native."""

from roundel import _roundel

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
    "gather",
    "Handle",
    "LifoQueue",
    "Lock",
    "PriorityQueue",
    "Queue",
    "QueueShutDown",
    "Semaphore",
    "shield",
    "sleep",
    "Task",
    "TaskGroup",
    "timeout",
    "Timeout",
    "timeout_at",
    "TimerHandle",
    "wait",
    "wait_for",
)

NATIVE = {name: getattr(_roundel, name) for name in _REPLACED if hasattr(_roundel, name)}
"""asyncio's public names that are native here, and what they are."""
