"""Measures the open browsers every few seconds, cheaply, and reports those far beyond their limits.

The limits are of memory, of processes, of threads that compute at the same time (workers), of a script that never
returns (`endless_loop`), of threads that never rest (`busy_threads`), and of what Playwright's driver is sent
(`driver_flood`).
One pass over /proc covers most of them: a browser's processes share the session led by its first one. File-backed
memory is not counted (otherwise shared code would count many times). `usage` has the exact but expensive figure, and
`controller.host.resource_watch` the limits above which a browser is merely recycled. Linux only.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from controller.chromium.process.busy_threads import BusyThreads
from controller.chromium.process.driver_flood import DriverFlood
from controller.chromium.process.endless_loop import EndlessLoop, Page
from controller.chromium.process.main_threads import MainThreads, Work

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two measurements."""
EVERY_NEAR = 0.3
"""Seconds between two measurements while a browser uses more than half of its limit, or its page does not answer."""
PARALLEL = 4 * (os.cpu_count() or 1) + 8
"""Threads of a page that may compute at the same time: well-meant workers are about as many as there are processors."""
LOOKS = 4
"""Measurements in a row that must find more of them: for a moment, a page may have that much to do."""
MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a browser may use, 0 for any amount. memory: bytes. disk: bytes that its page may store."""

    memory: int = 3000 * MIB
    processes: int = 80
    disk: int = 5000 * MIB

    def exceeded_by(self, use: "RoughUsage") -> str | None:
        """Describe in one line which limit is exceeded; None if none is."""
        if self.memory and use.memory > self.memory:
            return f"its browser used {use.memory // MIB} MiB, the most is {self.memory // MIB} MiB"
        if self.processes and use.processes > self.processes:
            return f"its browser had {use.processes} processes, the most is {self.processes}"
        return None

    def is_near(self, use: "RoughUsage") -> bool:
        """Whether it needs closer watching."""
        return bool(self.memory) and use.memory > self.memory // 2


@dataclass(frozen=True, slots=True)
class RoughUsage:
    """A browser's usage. memory: bytes, private or shared between its processes. pids: its processes."""

    memory: int = 0
    processes: int = 0
    pids: tuple[int, ...] = ()


def rough_usage(leaders: Iterable[int]) -> dict[int, RoughUsage]:
    """Measure the process trees led by these pids. Blocks for some milliseconds."""
    memory = dict.fromkeys(leaders, 0)
    pids: dict[int, list[int]] = {leader: [] for leader in memory}
    for name in os.listdir("/proc"):  # noqa: PTH208 - hundreds of Path objects would be wasteful
        if not name.isdigit():
            continue
        try:
            leader = os.getsid(int(name))
            if leader in memory:
                memory[leader] += _memory(name)
                pids[leader].append(int(name))
        except (OSError, ValueError, IndexError):
            continue  # it has exited meanwhile
    return {leader: RoughUsage(used, len(pids[leader]), tuple(pids[leader])) for leader, used in memory.items()}


def _memory(pid: str) -> int:
    """Count anonymous memory: `statm` reports shared memory as file-backed, so a large process is measured exactly."""
    size = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    resident, shared = int(size[1]) * _PAGE, int(size[2]) * _PAGE
    if shared < 200 * MIB:
        return resident - shared
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    told = dict(line.split(":", 1) for line in status.splitlines() if line.startswith(("RssAnon", "RssShmem")))
    return sum(int(value.split()[0]) << 10 for value in told.values())


def running_threads(pids: Iterable[int]) -> int:
    """Return how many threads of these processes run or wait for a processor."""
    count = 0
    for pid in pids:
        try:
            for name in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - a Path for each thread is waste
                stat = Path(f"/proc/{pid}/task/{name}/stat").read_bytes()
                count += stat[stat.rindex(b")") + 2 :][:1] == b"R"
        except (OSError, ValueError):
            continue  # it has exited meanwhile
    return count


def all_running() -> int:
    """Return how many threads of the whole machine run or wait for a processor."""
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("procs_running "):
            return int(line.split()[1])
    return 0


@dataclass(slots=True)
class _Watched:
    """A browser being watched. driver: the pid of Playwright's process that drives it.

    crowded: measurements in a row that found too many of its threads computing.
    """

    exceeded: Callable[[str], None]
    page: Page
    driver: int
    loop: EndlessLoop
    threads: BusyThreads = field(default_factory=BusyThreads)
    crowded: int = 0


class BoundsWatch:
    """Watches all open browsers. For one event loop."""

    def __init__(self, bounds: Bounds, threads: MainThreads | None = None) -> None:
        self._bounds = bounds
        self._threads = threads or MainThreads()
        self._flood = DriverFlood()
        self._watched: dict[int, _Watched] = {}
        self.newest: dict[int, RoughUsage] = {}
        """Each browser's latest measurement, by the pid of its first process."""
        self._task: asyncio.Task[None] | None = None

    def add(self, pid: int, exceeded: Callable[[str], None], page: Page, driver: int) -> None:
        """Watch a browser and its page. exceeded: called once with one line for people if it exceeds the limits.

        driver: the pid of Playwright's process that drives it.
        """
        self._watched[pid] = _Watched(exceeded, page, driver, EndlessLoop(page))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="bounds of browsers")

    def remove(self, pid: int) -> None:
        """Stop watching a browser."""
        if (watched := self._watched.pop(pid, None)) is not None:
            watched.loop.stop()
        self.newest.pop(pid, None)

    async def stop(self) -> None:
        """Stop watching all browsers."""
        for pid in list(self._watched):
            self.remove(pid)
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
        used, work, running, others = await asyncio.to_thread(self._measure, dict(self._watched))
        self.newest = used
        is_near = False
        for pid, use in used.items():
            watched = self._watched.get(pid)
            if watched is None:
                continue
            watched.crowded = watched.crowded + 1 if running.get(pid, 0) > PARALLEL else 0
            why = self._bounds.exceeded_by(use) or watched.loop.look(work[pid]) or others.get(pid)
            if watched.crowded == LOOKS:
                why = why or f"{running[pid]} threads of its page computed at the same time, the most is {PARALLEL}"
            if why is None:
                is_near = is_near or self._bounds.is_near(use) or watched.loop.is_silent or watched.crowded > 0
                continue
            self._watched.pop(pid)
            watched.loop.stop()
            watched.exceeded(why)
        return EVERY_NEAR if is_near or self._flood.is_near else EVERY

    def _measure(
        self, watched: dict[int, _Watched]
    ) -> tuple[dict[int, RoughUsage], dict[int, Work], dict[int, int], dict[int, str]]:
        used = rough_usage(watched)
        work = {leader: self._threads.look(use.pids) for leader, use in used.items()}
        self._threads.forget_all_but(pid for use in used.values() for pid in use.pids)
        is_crowded = all_running() > PARALLEL  # else no page's threads need be counted
        running = {leader: running_threads(each.ran) for leader, each in work.items()} if is_crowded else {}
        loading = {leader for leader, each in watched.items() if each.page.is_loading}
        others = self._flood.look({leader: each.driver for leader, each in watched.items()}, loading)
        for leader, each in watched.items():
            if (why := each.threads.look(used[leader].pids, is_loading=leader in loading)) is not None:
                others[leader] = why
        return used, work, running, others
