"""From figures to a table: medians, spreads, ratios and targets."""

from collections.abc import Sequence
from statistics import median

from .footprint import Footprint
from .loops import BASELINE
from .rows import Row

# Loop → one dictionary of figures per round.
Results = dict[str, list[dict[str, float]]]

# What a ratio of 1 may fall short by without meaning anything.
NOISE = 0.03


def figures(results: Results, loop: str, name: str) -> list[float]:
    """Returns the figures of a line, one per round."""
    return [figures[name] for figures in results.get(loop, ())]


def ratios(results: Results, loop: str, row: Row) -> list[float]:
    """Returns how many times as fast as the baseline the loop was, round by round."""
    costs = figures(results, loop, row.name)
    baseline = figures(results, BASELINE, row.name)
    return [theirs / ours for ours, theirs in zip(costs, baseline, strict=False)]


def spread(values: Sequence[float]) -> float:
    """Returns half the distance between the extremes, relative to the median."""
    return (max(values) - min(values)) / 2 / median(values)


def target(row: Row, loop: str) -> float | None:
    """Returns the ratio that the loop has to reach in this row, if any."""
    return {"roundel": row.target, "roundel-loop": row.unmodified}.get(loop)


def limit(results: Results, footprint: Footprint) -> float | None:
    """Returns what roundel may take at most, if that is known."""
    if footprint.limit is not None:
        return footprint.limit
    theirs = figures(results, "asyncio", footprint.name)
    return median(theirs) if theirs else None


def render(results: Results, rows: list[Row], footprints: list[Footprint]) -> str:
    """Lays the results out, a line a row, a column a loop."""
    head = f"{'':22}" + "".join(f"{loop:>21}" for loop in results)
    lines = [head]
    for row in rows:
        cells = "".join(f"{_ratio_cell(results, loop, row):>21}" for loop in results)
        lines.append(f"{row.name:22}{cells}")
    if footprints:
        lines += ["", head]
    for footprint in footprints:
        cells = "".join(f"{_footprint_cell(results, loop, footprint):>21}" for loop in results)
        lines.append(f"{footprint.name:22}{cells}")
    return "\n".join(lines)


def _ratio_cell(results: Results, loop: str, row: Row) -> str:
    ours = ratios(results, loop, row)
    if loop == BASELINE or not ours:
        return f"{median(figures(results, loop, row.name)):.0f} ns"
    wanted = target(row, loop)
    goal = "" if wanted is None else f"/{wanted:g}"
    return f"{median(ours):.2f}{goal} ±{spread(ours):3.0%}"


def _footprint_cell(results: Results, loop: str, footprint: Footprint) -> str:
    return f"{median(figures(results, loop, footprint.name)):.1f} {footprint.unit}"


def shortfalls(results: Results, rows: list[Row], footprints: list[Footprint]) -> list[str]:
    """Returns a sentence for each target that was missed."""
    missed = []
    for row in rows:
        for loop in results:
            ours, wanted = ratios(results, loop, row), target(row, loop)
            if ours and wanted is not None and median(ours) < wanted - NOISE * (wanted <= 1):
                missed.append(f"{row.name}: {loop} reached {median(ours):.2f} of {wanted:g}")
    for footprint in footprints:
        ours, allowed = figures(results, "roundel", footprint.name), limit(results, footprint)
        if ours and allowed is not None and median(ours) > allowed * (1 + NOISE):
            missed.append(
                f"{footprint.name}: roundel took {median(ours):.1f} {footprint.unit}"
                f", {allowed:.1f} allowed"
            )
    return missed
