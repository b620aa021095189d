"""Recognises a browser that floods Playwright's driver, which the accounts share.

The driver is sent every request, socket frame and line of every page, at any length, and no option of Playwright's
limits that. So what counts is how much a driver reads, and which browser writes most of it. A driver that gets little
of a processor reads little, so if it never rests, less is a flood. Costs two small files per driver and measurement,
and one per browser while a driver reads too much. Linux only.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from controller.chromium.process.main_threads import read_schedule

FLOOD = 8 << 20
"""Bytes per second that a driver reads in a flood: a page that loads its first history stays far below."""
FLOOD_BUSY = 1 << 20
"""The same for a driver that never rests."""
BUSY = 0.9
"""Share of the time in which such a driver works, or waits for a processor."""
LONGEST = 5.0
"""Seconds that a flood may last."""
LOADING = 3.0
"""The factor for a page that still loads its chats."""
T = TypeVar("T", int, float)
_MOST = 0.5
"""Share of what the driver reads that the browser must have written at least."""


def read_transferred(pid: int) -> tuple[int, int]:
    """Return how many bytes a process has read and written, pipes included. Raises OSError, ValueError."""
    lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    told = dict(line.split(": ") for line in lines)
    return int(told["rchar"]), int(told["wchar"])


class DriverFlood:
    """Watches all drivers and browsers."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[int], tuple[int, int]] = read_transferred,
        read_work: Callable[[int], tuple[float, float]] = read_schedule,
    ) -> None:
        self._clock, self._read, self._read_work = clock, read, read_work
        self._at = clock()
        self._drivers: dict[int, int] = {}
        self._worked: dict[int, float] = {}
        self._browsers: dict[int, int] = {}
        self._since: dict[int, float] = {}

    @property
    def is_near(self) -> bool:
        """Whether a browser is flooding its driver now."""
        return bool(self._since)

    def look(self, drivers: Mapping[int, int], loading: Collection[int] = ()) -> dict[int, str]:
        """Measure, and describe which browsers flood their driver. Blocking.

        drivers: browser → driver, as pids. loading: the browsers whose page still loads its chats.
        """
        now = self._clock()
        elapsed, before = now - self._at, self._at
        if elapsed <= 0:
            return {}
        self._at = now
        read = self._all(drivers.values(), lambda pid: self._read(pid)[0])
        rates = {pid: (count - self._drivers.get(pid, count)) / elapsed for pid, count in read.items()}
        self._drivers = read
        worked = self._all(read, lambda pid: sum(self._read_work(pid)))
        busy = {pid for pid, seconds in worked.items() if seconds - self._worked.get(pid, seconds) >= BUSY * elapsed}
        self._worked = worked
        flooded = {pid for pid, rate in rates.items() if rate >= (FLOOD_BUSY if pid in busy else FLOOD)}
        written = self._all(
            [browser for browser, driver in drivers.items() if driver in flooded], lambda pid: self._read(pid)[1]
        )
        self._since = {
            browser: self._since.get(browser, before)
            for browser, count in written.items()
            if browser in self._browsers
            and (count - self._browsers[browser]) / elapsed >= _MOST * rates[drivers[browser]]
        }
        self._browsers = written
        return {
            browser: f"it sent {rates[drivers[browser]] / 2**20:.0f} MiB each second to what all accounts share"
            for browser, since in self._since.items()
            if now - since >= LONGEST * (LOADING if browser in loading else 1.0)
        }

    @staticmethod
    def _all(pids: Iterable[int], read: Callable[[int], T]) -> dict[int, T]:
        found = {}
        for pid in set(pids):
            try:
                found[pid] = read(pid)
            except (OSError, ValueError, KeyError):
                continue  # it has exited meanwhile, or may not be read
        return found
