"""Measures the open browsers every few seconds, cheaply, and reports those far beyond their limits.

One pass over /proc covers all of them: a browser's processes share the session led by its first one. File-backed memory
is not counted (otherwise shared code would count many times). `usage` has the exact but expensive figure, and
`controller.host.resource_watch` the limits above which a browser is merely recycled. Linux only.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two measurements."""
EVERY_NEAR = 0.3
"""Seconds between two measurements while a browser uses more than half of its limit."""
MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Hard limits for one browser, 0 for none. memory: bytes."""

    memory: int = 3000 * MIB
    processes: int = 80

    def exceeded_by(self, use: "RoughUsage") -> str | None:
        """Return one line about what exceeds the limits; None if nothing does."""
        if self.memory and use.memory > self.memory:
            return f"its browser used {use.memory // MIB} MiB, the most is {self.memory // MIB} MiB"
        if self.processes and use.processes > self.processes:
            return f"its browser had {use.processes} processes, the most is {self.processes}"
        return None

    def is_near(self, use: "RoughUsage") -> bool:
        """Whether closer watching is worthwhile."""
        return bool(self.memory) and use.memory > self.memory // 2


@dataclass(frozen=True, slots=True)
class RoughUsage:
    """What a browser uses. memory: bytes, private or shared between its processes."""

    memory: int = 0
    processes: int = 0


def rough_usage(leaders: Iterable[int]) -> dict[int, RoughUsage]:
    """Measure the process trees led by these pids. Blocks for some milliseconds."""
    wanted = {leader: [0, 0] for leader in leaders}
    for name in os.listdir("/proc"):  # noqa: PTH208 - hundreds of Path objects would be wasteful
        if not name.isdigit():
            continue
        try:
            found = wanted.get(os.getsid(int(name)))
            if found is not None:
                found[0] += _memory(name)
                found[1] += 1
        except (OSError, ValueError, IndexError):
            continue  # it has exited meanwhile
    return {leader: RoughUsage(memory, count) for leader, (memory, count) in wanted.items()}


def _memory(pid: str) -> int:
    """Return memory that is not file-backed; `statm` counts shared memory as such, so large values are verified."""
    size = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    resident, shared = int(size[1]) * _PAGE, int(size[2]) * _PAGE
    if shared < 200 * MIB:
        return resident - shared
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    sizes = dict(line.split(":", 1) for line in status.splitlines() if line.startswith(("RssAnon", "RssShmem")))
    return sum(int(value.split()[0]) << 10 for value in sizes.values())


class BoundsWatch:
    """Watches open browsers, if there are any. For one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._watched: dict[int, Callable[[str], None]] = {}
        self.newest: dict[int, RoughUsage] = {}
        """Each browser's latest measurement, by the pid of its first process."""
        self._task: asyncio.Task[None] | None = None

    def add(self, pid: int, exceeded: Callable[[str], None]) -> None:
        """Watch a browser. exceeded: called once with one line for people if it exceeds the limits."""
        self._watched[pid] = exceeded
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="bounds of browsers")

    def remove(self, pid: int) -> None:
        """Stop watching a browser."""
        self._watched.pop(pid, None)
        self.newest.pop(pid, None)

    async def stop(self) -> None:
        """Stop watching all browsers."""
        self._watched.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        wait = EVERY
        while self._watched:
            await asyncio.sleep(wait)
            try:
                wait = await self._look()
            except Exception:
                log.exception("The browsers' bounds could not be watched")
                wait = EVERY

    async def _look(self) -> float:
        used = await asyncio.to_thread(rough_usage, tuple(self._watched))
        self.newest = used
        for pid, use in used.items():
            why = self._bounds.exceeded_by(use)
            exceeded = self._watched.pop(pid, None) if why is not None else None
            if why is not None and exceeded is not None:
                exceeded(why)
        return EVERY_NEAR if any(map(self._bounds.is_near, used.values())) else EVERY
