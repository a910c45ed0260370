"""From figures to tables: medians, spreads, ratios and targets."""

from collections.abc import Callable
from statistics import median

from ..loops import BASELINE
from ..table import NOISE, spread
from .measure import Figure
from .row import NATIVE, Idle, Line, Row, Served

# Loop → one dictionary of figures per round, in which what failed is missing.
Results = dict[str, list[dict[str, Figure | float]]]
# What ratios may be of, each as "more is better".
BASES: dict[str, Callable[[Figure], float]] = {
    "rate": lambda figure: figure.rate,
    "cpu": lambda figure: 1 / figure.cpu_us,
}
# Which loop has to reach at least which other, besides what its row asks for.
NEVER_BELOW = (("roundel", "asyncio"), ("roundel-loop", "asyncio"), ("roundel-loop", BASELINE))
NAME_WIDTH, CELL_WIDTH = 27, 26


class Table:
    """The results, and how they compare."""

    def __init__(self, results: Results, basis: str) -> None:
        self.results = results
        self.basis = basis

    def figures(self, loop: str, name: str) -> list[Figure | float]:
        """Returns the figures of a line, one per round."""
        return [found[name] for found in self.results.get(loop, ()) if name in found]

    def ratios(self, loop: str, other: str, row: Row) -> list[float]:
        """Returns how many times as fast as the other the loop was, round by round."""
        name, speed = row.name, BASES[getattr(row, "by", "") or self.basis]
        pairs = zip(self.results.get(loop, ()), self.results.get(other, ()), strict=False)
        return [
            speed(ours[name]) / speed(theirs[name])
            for ours, theirs in pairs
            if name in ours and name in theirs
        ]

    def render(self, rows: list[Row], idles: list[Idle]) -> str:
        """Lays the results out, a line a row, a column a loop."""
        tables = [(rows, self._cell), (idles, self._idle_cell)]
        laid_out = [self._lay_out(lines, cell) for lines, cell in tables if lines]
        if any(self._mark(row) for row in rows):
            laid_out.append("* by CPU time")
        return "\n\n".join(laid_out)

    def _mark(self, line: Line) -> str:
        """Returns what is added to the name of a row whose ratios are not what was asked for."""
        return " *" if getattr(line, "by", "") not in {"", self.basis} else ""

    def _lay_out(self, lines: list, cell: Callable[[str, object], str]) -> str:
        head = " " * NAME_WIDTH + "".join(f"{loop:>{CELL_WIDTH}}" for loop in self.results)
        laid_out = [
            f"{line.name + self._mark(line):{NAME_WIDTH}}"
            + "".join(f"{cell(loop, line):>{CELL_WIDTH}}" for loop in self.results)
            for line in lines
        ]
        return "\n".join([head, *laid_out])

    def _cell(self, loop: str, row: Row) -> str:
        figures = self.figures(loop, row.name)
        if not figures:
            return "-"
        cpu = f"{median(figure.cpu_us for figure in figures):.1f} µs"
        ratios = self.ratios(loop, BASELINE, row)
        if loop == BASELINE or not ratios:
            return f"{_rounded(median(figure.rate for figure in figures))}/s {cpu:>9}"
        goal = f"/{row.target:g}" if loop == "roundel" else ""
        return f"{median(ratios):.2f}{goal} ±{spread(ratios):3.0%} {cpu:>9}"

    def _idle_cell(self, loop: str, idle: Idle) -> str:
        figures = self.figures(loop, idle.name)
        if not figures:
            return "-"
        goal = f"/{idle.limit:g}" if loop == "roundel" else ""
        return f"{median(figures):.4g}{goal} {idle.unit}"

    def shortfalls(self, rows: list[Row], idles: list[Idle]) -> list[str]:
        """Returns a sentence for each target that was missed."""
        missed = []
        for row in rows:
            for loop, other, wanted in _targets(row):
                ratios = self.ratios(loop, other, row)
                if ratios and median(ratios) < wanted - NOISE * (wanted <= 1):
                    reached = f"{median(ratios):.2f} of {other}, {wanted:g} wanted"
                    missed.append(f"{row.name}: {loop} reached {reached}")
        for idle in idles:
            figures = self.figures("roundel", idle.name)
            if figures and median(figures) > idle.limit * (1 + NOISE):
                took = f"{median(figures):.4g} {idle.unit}, {idle.limit:g} allowed"
                missed.append(f"{idle.name}: roundel took {took}")
        return missed


def _targets(row: Row) -> list[tuple[str, str, float]]:
    """Returns which loop has to reach how much of which other."""
    targets = [("roundel", BASELINE, row.target)]
    if isinstance(row, Served) and row.of_native is not None:
        targets.append(("roundel", NATIVE, row.of_native))
    return targets + [(loop, other, 1.0) for loop, other in NEVER_BELOW]


def _rounded(rate: float) -> str:
    return f"{rate / 1e3:.0f}k" if rate >= 10_000 else f"{rate:.0f}"
