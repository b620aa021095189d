"""Recognises a browser one of whose threads never rests for minutes: a worker in a loop, or tasks without end.

Such a page answers everything, and takes a processor from all others for ever. As in `main_threads`, waiting for a
processor counts as work. Costs one small file per process and measurement, and one per thread only where the processes
have used a noticeable part of a processor. Linux only.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from controller.chromium.process.main_threads import read_schedule

EVERY = 30.0
"""Seconds between two measurements."""
LONGEST = 300.0
"""Seconds that a thread may compute without a rest, once its page has loaded its chats."""
BUSY = 0.9
"""Share of the time in which a thread must have worked to count as never resting."""
_NOTICEABLE = 0.2
"""Share of a processor that a browser must have used for its threads to be looked at."""
_TICKS = os.sysconf("SC_CLK_TCK")

T = TypeVar("T")
Thread = tuple[int, int]
"""A process and one of its threads."""


def read_processor_time(pid: int) -> float:
    """Return the seconds of processor time that all threads of a process have used. Raises OSError, ValueError."""
    stat = Path(f"/proc/{pid}/stat").read_bytes()
    user, system = stat[stat.rindex(b")") + 2 :].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def read_threads(pid: int) -> dict[int, float]:
    """Return for each thread the seconds that it has run, or waited for a processor. Raises OSError, ValueError."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - a Path for each thread is waste
        found[int(name)] = sum(read_schedule(pid, int(name)))
    return found


class BusyThreads:
    """Watches one browser."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        read_time: Callable[[int], float] = read_processor_time,
        read: Callable[[int], Mapping[int, float]] = read_threads,
    ) -> None:
        self._clock, self._read_time, self._read = clock, read_time, read
        self._at = clock()
        self._used = 0.0
        self._worked: dict[Thread, float] = {}
        self._since: dict[Thread, float] = {}

    def look(self, pids: Iterable[int], *, is_loading: bool) -> str | None:
        """Measure if it is time to, and describe in one line what never rests; None if everything does. Blocking."""
        now = self._clock()
        elapsed, before = now - self._at, self._at
        if elapsed < EVERY:
            return None
        processes = list(pids)
        nothing: Mapping[int, float] = {}
        used = sum(_of(self._read_time, pid, 0.0) for pid in processes)
        is_noticeable = used - self._used >= _NOTICEABLE * elapsed
        self._at, self._used = now, used
        worked = {
            (pid, thread): seconds
            for pid in (processes if is_noticeable else ())
            for thread, seconds in _of(self._read, pid, nothing).items()
        }
        self._since = {
            each: self._since.get(each, before)
            for each, seconds in worked.items()
            if not is_loading and each in self._worked and seconds - self._worked[each] >= BUSY * elapsed
        }
        self._worked = worked
        longest = now - min(self._since.values(), default=now)
        return f"one of its threads computed for {longest // 60:.0f} min without a rest" if longest >= LONGEST else None


def _of(read: Callable[[int], T], pid: int, gone: T) -> T:
    try:
        return read(pid)
    except (OSError, ValueError, IndexError):
        return gone  # it has exited meanwhile
