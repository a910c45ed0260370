"""Runs programs on asyncio and on roundel and shows where what they log parts."""

from difflib import unified_diff

from .interpreter import LogLine
from .program import Writer
from .variants import REFERENCE, VARIANTS

CONTEXT_LINES = 12


def reference_log(seed: int) -> list[LogLine]:
    """Returns what asyncio does with the program of a seed."""
    return REFERENCE.log(Writer(seed).program())


def difference(seed: int, variant: str) -> str:
    """Returns the program and the difference of the logs, or nothing if they are equal."""
    program = Writer(seed).program()
    expected, got = reference_log(seed), VARIANTS[variant].log(program)
    if expected == got:
        return ""
    lines = unified_diff(
        [str(line) for line in expected],
        [str(line) for line in got],
        "asyncio",
        variant,
        n=CONTEXT_LINES,
        lineterm="",
    )
    return "\n".join((str(program), *lines))
