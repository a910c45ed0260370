"""The rows of the table: what is measured, and what roundel has to reach.

A row is a coroutine function that does `n` operations in the running loop. It looks
asyncio's names up when it runs, so that `roundel.install()` decides whose they are.
"""

from importlib import import_module

from .row import ROWS, Row

__all__ = ["ROWS", "Row", "select"]

# In the order in which the table shows them.
SUBJECTS = ("tasks", "queues", "locks", "timeouts", "timers", "threads", "files")

for subject in SUBJECTS:
    import_module(f"{__name__}.{subject}")


def select(patterns: list[str]) -> list[Row]:
    """Returns the rows whose name contains one of the patterns, or all for no patterns."""
    wanted = [pattern.casefold() for pattern in patterns]
    return [
        row
        for row in ROWS
        if not wanted or any(pattern in row.name.casefold() for pattern in wanted)
    ]
