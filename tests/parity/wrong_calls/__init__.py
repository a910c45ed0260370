"""Calls that a program should not make, by subject: what asyncio answers, roundel must answer.

A call takes the module whose names it uses and a loop that is not running. If it returns a
coroutine or a future, that is run by the loop and its result counts.
"""

from . import callbacks, combinators, descriptors, futures, locks, loops, queues, tasks
from .outcome import Outcome, outcome

CALLS = {
    f"{subject.__name__.rpartition('.')[2]}: {name}": call
    for subject in (callbacks, loops, descriptors, futures, tasks, combinators, locks, queues)
    for name, call in subject.CALLS.items()
}

__all__ = ["CALLS", "Outcome", "outcome"]
