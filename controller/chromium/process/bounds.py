"""Looks at what the open browsers use every few seconds, cheaply, and says which is far beyond what any may use.

One pass over /proc serves all of them: a browser's processes share the session that its first one leads. Memory is
counted without what is only a file's (so shared code is not counted many times). The exact figure, which is dear, is
`usage`'s; what a browser may use before it is merely recycled is `controller.host.resource_watch`'s. Linux only.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks."""
EVERY_NEAR = 0.3
"""Seconds between two looks while a browser uses more than half of what it may."""
MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a browser may use at most, 0 for any amount. memory: bytes."""

    memory: int = 3000 * MIB
    processes: int = 80

    def exceeded_by(self, use: "RoughUsage") -> str | None:
        """Say in one line what is beyond the bounds; None where nothing is."""
        if self.memory and use.memory > self.memory:
            return f"its browser used {use.memory // MIB} MiB, the most is {self.memory // MIB} MiB"
        if self.processes and use.processes > self.processes:
            return f"its browser had {use.processes} processes, the most is {self.processes}"
        return None

    def is_near(self, use: "RoughUsage") -> bool:
        """Whether it is worth a closer look."""
        return bool(self.memory) and use.memory > self.memory // 2


@dataclass(frozen=True, slots=True)
class RoughUsage:
    """What a browser uses. memory: bytes, of its own or shared between its processes."""

    memory: int = 0
    processes: int = 0


def rough_usage(leaders: Iterable[int]) -> dict[int, RoughUsage]:
    """Measure the trees that these pids lead. Blocks for some milliseconds."""
    wanted = {leader: [0, 0] for leader in leaders}
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each of hundreds of names is waste
        if not name.isdigit():
            continue
        try:
            found = wanted.get(os.getsid(int(name)))
            if found is not None:
                found[0] += _memory(name)
                found[1] += 1
        except (OSError, ValueError, IndexError):
            continue  # ended meanwhile
    return {leader: RoughUsage(memory, count) for leader, (memory, count) in wanted.items()}


def _memory(pid: str) -> int:
    """Count what is not a file's: `statm` tells shared memory as a file's, so a large one is looked at closely."""
    size = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    resident, shared = int(size[1]) * _PAGE, int(size[2]) * _PAGE
    if shared < 200 * MIB:
        return resident - shared
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    told = dict(line.split(":", 1) for line in status.splitlines() if line.startswith(("RssAnon", "RssShmem")))
    return sum(int(value.split()[0]) << 10 for value in told.values())


class BoundsWatch:
    """Watches the browsers that are open, while any is. For one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._watched: dict[int, Callable[[str], None]] = {}
        self.newest: dict[int, RoughUsage] = {}
        """What each browser used at the last look, by the pid of its first process."""
        self._task: asyncio.Task[None] | None = None

    def add(self, pid: int, exceeded: Callable[[str], None]) -> None:
        """Watch a browser. exceeded: called once with one line for people, when it is beyond the bounds."""
        self._watched[pid] = exceeded
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="bounds of browsers")

    def remove(self, pid: int) -> None:
        """Watch a browser no more."""
        self._watched.pop(pid, None)
        self.newest.pop(pid, None)

    async def stop(self) -> None:
        """Watch nothing any more."""
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
