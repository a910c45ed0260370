"""asyncio, made as predictable as roundel is: its loop in virtual time, its groups in order."""

import asyncio
import selectors


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's selector loop in virtual time, for programs without input or output."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Returns the virtual seconds since the loop was made."""
        return self.now


class _JumpingSelector(selectors.DefaultSelector):
    """Lets the clock jump instead of waiting."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Polls; if nothing has come, the time for which to wait has passed."""
        events = super().select(0)
        if not events:
            assert timeout is not None, "nothing can wake the loop"
            self.loop.now += max(timeout, 0.0)
        return events


class OrderedTaskGroup(asyncio.TaskGroup):
    """A task group that cancels its tasks in the order of their creation, not of a set."""

    def __init__(self) -> None:
        super().__init__()
        self._tasks = _OrderedSet()


class _OrderedSet(dict[object, None]):
    """As much of a set as a task group needs."""

    def add(self, task: object) -> None:
        self[task] = None

    def discard(self, task: object) -> None:
        self.pop(task, None)
