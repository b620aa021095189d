"""Measures how long the main thread of a browser's page has run without a pause, from the kernel's counters.

A thread counts as running while it runs or waits for a processor, so that an overloaded machine hides no endless loop.
Costs one small file per page and measurement. Linux only.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

UNBROKEN = 0.9
"""Minimum share of time for which a thread without a pause is running or runnable, between two measurements."""
_NS = 1e9


@dataclass(frozen=True, slots=True)
class Stretch:
    """A main thread's uninterrupted running time. seconds: wall clock; cpu: processor time."""

    seconds: float = 0.0
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class _Counted:
    at: float
    ran: float
    waited: float
    stretch: Stretch


def read_schedule(pid: int) -> tuple[float, float]:
    """Return the seconds that a process's main thread has run, and has waited for a processor. Raises OSError."""
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
    return int(ran) / _NS, int(waited) / _NS


def is_renderer(pid: int) -> bool:
    """Return whether a Chromium process is a renderer."""
    try:
        # Chromium rewrites its children's command lines, which are then separated by spaces.
        return b"--type=renderer" in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b" ", b"\0").split(b"\0")
    except OSError:
        return False


class MainThreads:
    """Measures the renderers of all browsers repeatedly."""

    def __init__(
        self,
        read: Callable[[int], tuple[float, float]] = read_schedule,
        is_page: Callable[[int], bool] = is_renderer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._is_page, self._clock = read, is_page, clock
        self._counted: dict[int, _Counted] = {}
        self._others: set[int] = set()

    def look(self, pids: Iterable[int]) -> Stretch:
        """Measure one browser's processes; return the longest stretch among its pages."""
        return max(map(self._look_at, pids), key=lambda stretch: stretch.seconds, default=Stretch())

    def forget_all_but(self, pids: Iterable[int]) -> None:
        """Drop the measurements of processes that have exited."""
        alive = set(pids)
        self._others &= alive
        for gone in self._counted.keys() - alive:
            del self._counted[gone]

    def _look_at(self, pid: int) -> Stretch:
        if pid in self._others:
            return Stretch()
        before = self._counted.get(pid)
        if before is None and not self._is_page(pid):
            self._others.add(pid)
            return Stretch()
        now = self._clock()
        try:
            ran, waited = self._read(pid)
        except (OSError, ValueError):
            return Stretch()
        stretch = Stretch() if before is None else _longer(before, now, ran, waited)
        self._counted[pid] = _Counted(now, ran, waited, stretch)
        return stretch


def _longer(before: _Counted, now: float, ran: float, waited: float) -> Stretch:
    passed = now - before.at
    ran, waited = ran - before.ran, waited - before.waited
    if passed <= 0 or ran + waited < UNBROKEN * passed:
        return Stretch()
    return Stretch(before.stretch.seconds + passed, before.stretch.cpu + ran)
