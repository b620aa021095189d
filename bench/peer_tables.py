"""What `bench.peers` measured, as tables: medians, ratios to the peer, how figures grow, and what hosts hold."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields

from bench.figures import number


@dataclass(frozen=True)
class Start:
    """What one engine did with N linked accounts. Seconds, bytes; idle: seconds of processor time per second."""

    boot: float
    boot_cpu: float
    memory: float
    processes: float
    idle: float
    recovery: float


@dataclass(frozen=True)
class Figures:
    """One start, with the seconds that the accounts had taken to be linked."""

    link: float
    boot: float
    boot_cpu: float
    memory: float
    processes: float
    idle: float
    recovery: float


def median(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return Figures(
        **{each.name: statistics.median(getattr(run, each.name) for run in runs) for each in fields(Figures)}
    )


def rows(
    ours_one: Figures, theirs_one: Figures, ours: Figures, theirs: Figures, count: int, page: float
) -> list[tuple[str, float, float, str, float]]:
    """Return the comparisons: (figure, product, peer, unit, goal of the ratio).

    The first two are of one account, the others of `count`. page: seconds that the page itself needs to be synced.
    """
    mib = 1 << 20

    def further(all_of_them: Figures, single: Figures) -> float:
        return (all_of_them.memory - single.memory) / (count - 1) / mib

    return [
        ("memory for each further account", further(ours, ours_one), further(theirs, theirs_one), "MiB", 0.40),
        (f"memory of all {count}", ours.memory / mib, theirs.memory / mib, "MiB", 0.50),
        (f"boot of {count} linked accounts", ours.boot, theirs.boot, "s", 0.80),
        ("CPU of that boot", ours.boot_cpu, theirs.boot_cpu, "s", 0.40),
        ("crash → ready", ours.recovery, theirs.recovery, "s", 1.0),
        ("recovery beyond the page's own time", ours.recovery - page, theirs.recovery - page, "s", 0.40),
        ("idle CPU", ours.idle * 100, theirs.idle * 100, "% of a core", 0.50),
        (f"linking {count}", ours.link, theirs.link, "s", 1.5),
        ("processes for each account", ours.processes / count, theirs.processes / count, "", 0.58),
    ]


def markdown(compared: dict[str, list[tuple[str, float, float, str, float]]]) -> str:
    """Return the table. compared: the comparisons with each peer by its name; the goals hold for the first."""
    first, *others = compared
    lines = [
        f"| figure | product | {first} | ratio | goal |" + "".join(f" {name} | ratio |" for name in others),
        "|---|--:|--:|--:|--:|" + "--:|--:|" * len(others),
    ]
    for place, (what, ours, theirs, unit, goal) in enumerate(compared[first]):
        ratio = _ratio(ours, theirs)
        missed = "" if ratio <= goal else " (missed)"
        line = f"| {what} | {number(ours)} {unit} | {number(theirs)} {unit} | {ratio:.2f}{missed} | ≤ {goal:g} |"
        for name in others:
            other = compared[name][place][2]
            line += f" {number(other)} {unit} | {_ratio(ours, other):.2f} |"
        lines.append(line)
    return "\n".join(lines)


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else float("nan")


GROWTH = (1, 2, 4, 8, 16, 32)
HOSTS = (8, 16, 32, 64)
"""GiB."""
LEFT_FREE = 0.15
"""GiB of a host's memory reserved for the system and for browsers that are starting."""


def fit(points: dict[int, float]) -> tuple[float, float]:
    """Return (base, slope) of the least-squares line of a figure over the number of accounts."""
    across, up = statistics.mean(points), statistics.mean(points.values())
    spread = sum((count - across) ** 2 for count in points)
    each = sum((count - across) * (value - up) for count, value in points.items()) / spread
    return up - each * across, each


def growth_table(grown: dict[str, dict[int, Start]]) -> str:
    """Return how the figures grow, and the linear estimate of how many accounts hosts of several sizes hold."""
    mib, names = 1 << 20, list(grown)
    lines = [
        "| accounts | " + " | ".join(f"{name}: boot | CPU | memory | processes" for name in names) + " |",
        "|--:|" + "--:|--:|--:|--:|" * len(names),
    ]
    for count in sorted({count for each in grown.values() for count in each}):
        cells = [
            f"{one.boot:.1f} s | {one.boot_cpu:.1f} s | {one.memory / mib:.0f} MiB | {one.processes:.0f}"
            if (one := grown[name].get(count))
            else "– | – | – | –"
            for name in names
        ]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    lines += [
        "",
        "| a host of | " + " | ".join(f"{name} holds" for name in names) + " |",
        "|--:|" + "--:|" * len(names),
    ]
    fits = {name: fit({count: one.memory / mib for count, one in each.items()}) for name, each in grown.items()}
    for host in HOSTS:
        room = host * 1024 * (1 - LEFT_FREE)
        held = (f"{max(0, int((room - base) / each)):,}" for base, each in fits.values())
        lines.append(f"| {host} GiB | {' | '.join(held)} |")
    straight = "; ".join(
        f"{name} {base:.0f} MiB + {each:.1f} MiB for each account" for name, (base, each) in fits.items()
    )
    lines += ["", f"The straight lines: {straight}. Real pages are heavier than the stand-in's, for both alike."]
    return "\n".join(lines)
