"""Measurements of a running program, and the limits of their growth. Runs nothing.

A process figure (memory, descriptors, threads, tasks) starts anew with each start, so the first calm moment of
each run is compared with its last. Slow growth is hidden by the warm-up, so if a run is long enough,
its last third is compared with its middle one ("creep"). A disk figure is compared from beginning to end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

MIB = 1 << 20
HEADINGS = ("what", "first", "last", "highest", "growth", "allowed", "creep", "allowed", "verdict")
LONG_ENOUGH = 12
"""Calm moments that a run must have for its thirds to be compared."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One calm moment: every account is CONNECTED. run: which start of the program; at: seconds since the beginning."""

    run: int
    at: float
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure and how much it may grow. per_run: within each run of the program. unit: bytes are shown as MiB.

    creep: how much it may grow from the middle third of a run to its last; half of the runs at most may exceed it.
    """

    name: str
    allowed: float
    creep: float | None = None
    per_run: bool = True
    unit: str = ""


@dataclass(slots=True)
class Row:
    """One line of the table."""

    what: str
    cells: tuple[str, ...] = ("–",) * 7
    wrong: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def verdict(self) -> str:
        return ("WRONG: " + "; ".join(self.wrong)) if self.wrong else "ok" + (f" ({self.note})" if self.note else "")


def measures(accounts: int, transitions: int) -> tuple[Measure, ...]:
    """Return the measures. transitions: how many were stored meanwhile, which determines the database's growth."""
    return (
        Measure("controller, memory", 40 * MIB, creep=2 * MIB, unit="MiB"),
        Measure("controller, open files", 10, creep=1),
        Measure("controller, threads", 8, creep=2),
        Measure("controller, tasks", 3, creep=1),
        Measure("Playwright's driver, memory", 120 * MIB, creep=15 * MIB, unit="MiB"),
        Measure("browsers, processes", 4 * accounts, creep=2),
        Measure("database", 6 * MIB + 2048 * transitions, per_run=False, unit="MiB"),
        Measure("profiles", 40 * MIB * accounts, per_run=False, unit="MiB"),
        Measure("saved copies", 3 * accounts, per_run=False),
        Measure("files in run", 2 * accounts, per_run=False),
        Measure("temporary files", 4 * accounts, per_run=False),
    )


def judge(measure: Measure, samples: Sequence[Sample]) -> Row:
    """Compare the first with the last; samples: in order of time."""
    values = [(sample.run, sample.values[measure.name]) for sample in samples if measure.name in sample.values]
    if len(values) < 2:
        return Row(measure.name, wrong=["fewer than two calm moments"])
    creep: float | None = None
    if measure.per_run:
        runs = [[value for run, value in values if run == each] for each in sorted({run for run, _ in values})]
        first, last = median(run[0] for run in runs), median(map(_end, runs))
        growth = max(_end(run) - run[0] for run in runs)
        creep = _creep(runs) if measure.creep is not None else None
    else:
        first, last = values[0][1], values[-1][1]
        growth = last - first
    shown = (first, last, max(value for _, value in values), growth, measure.allowed, creep, measure.creep)
    row = Row(measure.name, tuple(_shown(value, measure.unit) for value in shown))
    if growth > measure.allowed:
        row.wrong.append("it grows")
    if creep is not None and measure.creep is not None and creep > measure.creep:
        row.wrong.append("it creeps")
    return row


def _end(run: Sequence[float]) -> float:
    """Return the final level of a run: for a long one not only the last sample, which may include a transient task."""
    return median(run[-3:]) if len(run) >= LONG_ENOUGH else run[-1]


def _creep(runs: Sequence[Sequence[float]]) -> float | None:
    """Return how much the last third of a run is above its middle one, as the median of the long runs."""
    long = [run for run in runs if len(run) >= LONG_ENOUGH]
    thirds = [(run[len(run) // 3 : 2 * len(run) // 3], run[2 * len(run) // 3 :]) for run in long]
    return median(fmean(late) - fmean(middle) for middle, late in thirds) if thirds else None


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value / MIB:.1f} MiB" if unit else f"{round(value, 1):g}"


def table(rows: Sequence[Row]) -> str:
    """Format rows as Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    lines += [f"| {row.what} | {' | '.join(row.cells)} | {row.verdict} |" for row in rows]
    return "\n".join(lines)
