"""What a row is, and the list that the `@row` decorator fills."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Body = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        name: As the table shows it.
        body: Does the given number of operations.
        operations: How many are timed at once; uvloop needs about 50 ms for them.
        target: What roundel with its own primitives has to reach, in multiples of uvloop.
        unmodified: What roundel's loop has to reach under asyncio's pure-Python primitives.
    """

    name: str
    body: Body
    operations: int
    target: float | None
    unmodified: float


ROWS: list[Row] = []


def row(
    name: str,
    operations: int,
    target: float | None,
    *,
    switches: bool = False,
) -> Callable[[Body], Body]:
    """Adds the decorated coroutine function to the table.

    Args:
        name: As the table shows it.
        operations: How many are timed at once.
        target: Multiple of uvloop that roundel has to reach, None where there is no target.
        switches: Tasks take turns in it, which roundel's loop must make faster by itself.
    """
    unmodified = 1.2 if switches else 1.0

    def add(body: Body) -> Body:
        ROWS.append(Row(name, body, operations, target, unmodified))
        return body

    return add


async def nothing() -> None:
    """Returns at once."""
