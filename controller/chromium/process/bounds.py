"""Measures the open browsers every few seconds, cheaply, and reports those far beyond their limits.

The limits are of memory, of processes, and of a script that never pauses: a page whose main thread runs on and on
without answering even the cheapest question is in an endless loop.
One pass over /proc covers all of them: a browser's processes share the session led by its first one. File-backed memory
is not counted (otherwise shared code would count many times). `usage` has the exact but expensive figure, and
`controller.host.resource_watch` the limits above which a browser is merely recycled. Linux only.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from controller.chromium.process.main_threads import MainThreads, Stretch
from controller.driver import DriverError

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two measurements."""
EVERY_NEAR = 0.3
"""Seconds between two measurements while a browser uses more than half of its limit, or its page does not answer."""
ASKED_AFTER = 1.5
"""Seconds of uninterrupted script after which a page is asked whether it answers."""
SILENT_FOR = 4.0
"""Seconds that it then has to answer, if its script still does not pause."""
LOOP_CPU = 2.5
"""CPU seconds that it must have used by then: on a machine short of processors, it is merely slow."""
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


@dataclass(slots=True)
class _Watched:
    """A browser being watched. asking: the pending question whether its page answers; asked_at: loop's seconds."""

    exceeded: Callable[[str], None]
    ask: Callable[[], Awaitable[object]]
    asking: asyncio.Task[None] | None = None
    asked_at: float = 0.0

    def stop_asking(self) -> None:
        if self.asking is not None:
            self.asking.cancel()
            self.asking = None


class BoundsWatch:
    """Watches all open browsers. For one event loop."""

    def __init__(self, bounds: Bounds, threads: MainThreads | None = None) -> None:
        self._bounds = bounds
        self._threads = threads or MainThreads()
        self._watched: dict[int, _Watched] = {}
        self.newest: dict[int, RoughUsage] = {}
        """Each browser's latest measurement, by the pid of its first process."""
        self._task: asyncio.Task[None] | None = None

    def add(self, pid: int, exceeded: Callable[[str], None], ask: Callable[[], Awaitable[object]]) -> None:
        """Watch a browser. exceeded: called once with one line for people if it exceeds the limits.

        ask: asks its page the cheapest question there is, and returns once it is answered. May raise DriverError.
        """
        self._watched[pid] = _Watched(exceeded, ask)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="bounds of browsers")

    def remove(self, pid: int) -> None:
        """Stop watching a browser."""
        if (watched := self._watched.pop(pid, None)) is not None:
            watched.stop_asking()
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
        used, stretches = await asyncio.to_thread(self._measure, tuple(self._watched))
        self.newest = used
        is_near = False
        for pid, use in used.items():
            watched = self._watched.get(pid)
            if watched is None:
                continue
            why = self._bounds.exceeded_by(use) or self._loops(watched, stretches[pid])
            if why is None:
                is_near = is_near or self._bounds.is_near(use) or watched.asking is not None
                continue
            self._watched.pop(pid)
            watched.stop_asking()
            watched.exceeded(why)
        return EVERY_NEAR if is_near else EVERY

    def _measure(self, leaders: tuple[int, ...]) -> tuple[dict[int, RoughUsage], dict[int, Stretch]]:
        used = rough_usage(leaders)
        stretches = {leader: self._threads.look(use.pids) for leader, use in used.items()}
        self._threads.forget_all_but(pid for use in used.values() for pid in use.pids)
        return used, stretches

    def _loops(self, watched: _Watched, stretch: Stretch) -> str | None:
        """Describe in one line that a page's script does not pause; None if it does, or the page answers anyway."""
        now = asyncio.get_running_loop().time()
        has_answered = watched.asking is not None and watched.asking.done()
        if stretch.seconds < ASKED_AFTER or has_answered:
            watched.stop_asking()
            return None
        if watched.asking is None:
            watched.asked_at = now
            watched.asking = asyncio.create_task(_answered(watched.ask), name="question to a busy page")
        elif now - watched.asked_at >= SILENT_FOR and stretch.cpu >= LOOP_CPU:
            return f"its script ran for {stretch.seconds:.0f} s without a pause"
        return None


async def _answered(ask: Callable[[], Awaitable[object]]) -> None:
    try:
        await ask()
    except DriverError as error:
        log.debug("A busy page could not be asked: %s", error)
