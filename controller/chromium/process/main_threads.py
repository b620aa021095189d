"""Measures how much processor time the main thread of a browser's page uses, from the kernel's counters.

A thread that waits for a processor counts as busy, so that an overloaded machine hides no endless loop.
Costs one small file per page and measurement. Linux only.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_NS = 1e9


@dataclass(frozen=True, slots=True)
class Work:
    """What the main threads of a browser's pages have done.

    busy: the highest share of the time since the last measurement in which one of them ran, or waited for a processor.
    ran: pid → seconds of processor time since the process began.
    """

    busy: float = 0.0
    ran: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Counted:
    at: float
    ran: float
    waited: float


def read_schedule(pid: int, thread: int | None = None) -> tuple[float, float]:
    """Return the seconds that a thread has run, and has waited for a processor. None: the main one. Raises OSError."""
    ran, waited, _ = Path(f"/proc/{pid}/task/{thread or pid}/schedstat").read_text(encoding="ascii").split()
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

    def look(self, pids: Iterable[int]) -> Work:
        """Measure one browser's processes."""
        busy, ran = 0.0, {}
        for pid in pids:
            before = self._counted.get(pid)
            if (counted := self._look_at(pid)) is None:
                continue
            ran[pid] = counted.ran
            if before is not None and counted.at > before.at:
                worked = counted.ran + counted.waited - before.ran - before.waited
                busy = max(busy, worked / (counted.at - before.at))
        return Work(busy, ran)

    def forget_all_but(self, pids: Iterable[int]) -> None:
        """Drop the measurements of processes that have exited."""
        alive = set(pids)
        self._others &= alive
        for gone in self._counted.keys() - alive:
            del self._counted[gone]

    def _look_at(self, pid: int) -> _Counted | None:
        if pid in self._others:
            return None
        if pid not in self._counted and not self._is_page(pid):
            self._others.add(pid)
            return None
        now = self._clock()
        try:
            ran, waited = self._read(pid)
        except (OSError, ValueError):
            return None
        counted = self._counted[pid] = _Counted(now, ran, waited)
        return counted
