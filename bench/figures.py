"""A figure with its target, and the table of all figures. How a figure is measured is up to each bench."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value. aim: the smallest value that is good enough, or with `at_most` the largest.

    floor: the best possible value, in the same unit; by: how that was determined, in a few words.
    """

    what: str
    value: float
    unit: str
    aim: float | None = None
    at_most: bool = False
    floor: float | None = None
    by: str = ""

    @property
    def ratio(self) -> float | None:
        """Value relative to the aim: 1 just meets it, more is better. None without an aim."""
        if self.aim is None:
            return None
        return self.aim / self.value if self.at_most else self.value / self.aim

    @property
    def to_floor(self) -> float | None:
        """Cost relative to the floor: 1 is optimal, more is worse. None without a floor."""
        if self.floor is None:
            return None
        return self.value / self.floor if self.at_most or self.aim is None else self.floor / self.value


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    rows = [("figure", "measured", "floor", "times the floor", "aim", "as good as the aim")]
    rows.append(("---", "--:", "--:", "--:", "--:", "--:"))
    for one in figures:
        aim = "" if one.aim is None else f"{'≤' if one.at_most else '≥'} {number(one.aim)} {one.unit}"
        ratio = "" if one.ratio is None else f"{one.ratio:.1f} times" + ("" if one.ratio >= 1 else ": missed")
        floor = "" if one.floor is None else f"{number(one.floor)} {one.unit} ({one.by})"
        times = "" if one.to_floor is None else f"{one.to_floor:.1f}"
        rows.append((one.what, f"{number(one.value)} {one.unit}", floor, times, aim, ratio))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for i, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if i == 1:
            cells = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def side_by_side(figures: Sequence[Figure], name: str, theirs: Mapping[str, str]) -> str:
    """Return the figures as a Markdown table beside another checkout's. theirs: what → its value with its unit."""
    lines = [f"| figure | here | {name} |", "|---|--:|--:|"]
    lines += [f"| {each.what} | {written(each)} | {theirs.get(each.what, '')} |" for each in figures]
    return "\n".join(lines)


def written(figure: Figure) -> str:
    """Return the value with its unit."""
    return f"{number(figure.value)} {figure.unit}".rstrip()


def number(value: float) -> str:
    """Return three significant digits, or a whole number from 100 on."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
