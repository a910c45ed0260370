"""Calls that a program should not make, by subject: what asyncio answers, roundel must answer.

A call takes the module whose names it uses and a loop that is not running. If it returns a
coroutine or a future, that is run by the loop and its result counts.
"""

from . import (
    callbacks,
    combinators,
    connections,
    descriptors,
    futures,
    locks,
    loops,
    queues,
    sockets,
    streams,
    tasks,
    transports,
)
from .outcome import Outcome, outcome

SUBJECTS = (
    callbacks,
    loops,
    descriptors,
    futures,
    tasks,
    combinators,
    locks,
    queues,
    transports,
    connections,
    sockets,
    streams,
)

CALLS = {
    f"{subject.__name__.rpartition('.')[2]}: {name}": call
    for subject in SUBJECTS
    for name, call in subject.CALLS.items()
}

__all__ = ["CALLS", "Outcome", "outcome"]
