"""What this host and each control group around us leave free, and what the kernel ended here for want of it.

/proc/meminfo is the whole host's also inside a container, so that the least of it and of every control group counts
(v1 and v2, every level up to the root), without the file cache, which the kernel gives back. What is done about a
shortage is `resource_watch`'s. Linux only.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

RECENT_SECONDS = 10.0
"""For so long after the kernel ended a process, a browser that ended is taken for one that it ended."""
_NO_LIMIT = 1 << 60
"""What v1 shows where there is no limit is near the largest number that there is."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class _Files:
    """The names of a controller's files in one version of control groups. Words are keys of lines `key value`."""

    limit: str
    used: str
    stat: str
    reclaimable: tuple[str, ...]
    events: str
    event: str


_MEMORY_V2 = _Files(
    "memory.max", "memory.current", "memory.stat", ("inactive_file", "active_file", "slab_reclaimable"),
    "memory.events", "oom_kill",
)  # fmt: skip
_MEMORY_V1 = _Files(
    "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", ("total_inactive_file", "total_active_file"),
    "memory.oom_control", "oom_kill",
)  # fmt: skip
_PIDS = _Files("pids.max", "pids.current", "", (), "pids.events", "max")


@dataclass(slots=True)
class _Counter:
    """A count of the kernel's that only rises. rose_at: when a rise was last seen, on the clock of `HostLimits`."""

    last: int
    rose_at: float | None = None
    unreported: int = 0

    def look(self, count: int, now: float) -> None:
        if count > self.last:
            self.rose_at = now
            self.unreported += count - self.last
        self.last = count


@dataclass(slots=True)
class HostLimits:
    """Reads the limits anew with each question; blocks for less than a millisecond. proc: where /proc is."""

    proc: Path = Path("/proc")
    host_free: Callable[[], int] = lambda: int(psutil.virtual_memory().available)
    clock: Callable[[], float] = time.monotonic
    _memory: list[Path] = field(init=False)
    _memory_files: _Files = field(init=False)
    _pids: list[Path] = field(init=False)
    _kills: _Counter = field(init=False)
    _refusals: _Counter = field(init=False)

    def __post_init__(self) -> None:
        groups = control_groups(self.proc)
        self._memory, self._memory_files = groups.get("memory", []), _MEMORY_V1
        unified = groups.get("", [])
        if not any((folder / _MEMORY_V1.limit).exists() for folder in self._memory):
            self._memory, self._memory_files = unified, _MEMORY_V2
        self._pids = groups.get("pids") or unified
        self._kills, self._refusals = _Counter(self._count_kills()), _Counter(self._count_refusals())

    def free_memory(self) -> int:
        """Return how many bytes can still be used here."""
        return min([self.host_free(), *_free(self._memory, self._memory_files)])

    def memory_limit(self) -> int | None:
        """Return the least limit of memory, in bytes, of a control group around us; None where there is none."""
        return min(_limits(self._memory, self._memory_files), default=None)

    def free_processes(self) -> int | None:
        """Return how many processes and threads can still be started here; None where no control group limits it."""
        return min(_free(self._pids, _PIDS), default=None)

    def process_limit(self) -> int | None:
        """Return the least limit of processes and threads of a control group around us; None where there is none."""
        return min(_limits(self._pids, _PIDS), default=None)

    def look(self) -> None:
        """Notice what the kernel has done since the last look."""
        now = self.clock()
        self._kills.look(self._count_kills(), now)
        self._refusals.look(self._count_refusals(), now)

    def take_kills(self) -> int:
        """Return how many processes the kernel ended here for want of memory since this was last asked."""
        self.look()
        kills, self._kills.unreported = self._kills.unreported, 0
        return kills

    def take_refusals(self) -> int:
        """Return how often a process could not be started, for their limit, since this was last asked."""
        self.look()
        refusals, self._refusals.unreported = self._refusals.unreported, 0
        return refusals

    def cause(self) -> str:
        """Say what the kernel did to processes here in the last seconds; "" where it did nothing that is known."""
        self.look()
        now = self.clock()
        if self._kills.rose_at is not None and now - self._kills.rose_at <= RECENT_SECONDS:
            return f"the kernel ended a process for want of memory ({self.words_for_memory()})"
        if self._refusals.rose_at is not None and now - self._refusals.rose_at <= RECENT_SECONDS:
            return f"no more processes may be started here (the limit is {self.process_limit() or 'unknown'})"
        return ""

    def words_for_memory(self) -> str:
        """Return the limit of memory in words."""
        limit = self.memory_limit()
        return "the whole host is short" if limit is None else f"the limit is {limit // MIB} MiB"

    def _count_kills(self) -> int:
        return sum(_read(self._memory[:1], self._memory_files.events, self._memory_files.event))

    def _count_refusals(self) -> int:
        return sum(_read(self._pids, _PIDS.events, _PIDS.event))


def control_groups(proc: Path) -> dict[str, list[Path]]:
    """Return the folders of our control groups by controller ("" for v2's one tree), from our own up to the root."""
    try:
        ours = (proc / "self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
        mounts = (proc / "self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found: dict[str, list[Path]] = {}
    for line in ours:
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            for root, mount in _mounts(mounts, name):
                found.setdefault(name, _levels(mount, root, path))
    return found


def _mounts(lines: list[str], controller: str) -> Iterator[tuple[str, Path]]:
    """Yield (root, mount point) of where a controller is mounted; the columns are those of proc(5)."""
    for line in lines:
        before, _, after = line.partition(" - ")
        kind, _, options = (*after.split(), "", "", "")[:3]
        if (kind == "cgroup2" and not controller) or (kind == "cgroup" and controller in options.split(",")):
            columns = before.split()
            yield columns[3], Path(columns[4])


def _levels(mount: Path, root: str, path: str) -> list[Path]:
    """Return the folders from our group up to the mount. A container may see a part of the tree alone."""
    inside = "" if ".." in path else path.removeprefix(root if root != "/" else "").strip("/")
    own = mount / inside
    if not own.is_dir():
        own = mount  # the path is that of the host, of which only our own group is to be seen here
    return [own, *(parent for parent in own.parents if parent == mount or mount in parent.parents)]


def _limits(folders: list[Path], files: _Files) -> list[int]:
    return [limit for folder in folders if (limit := _number(folder / files.limit)) is not None]


def _free(folders: list[Path], files: _Files) -> list[int]:
    free = []
    for folder in folders:
        limit, used = _number(folder / files.limit), _number(folder / files.used)
        if limit is not None and used is not None:
            reclaimable = sum(sum(_read([folder], files.stat, key)) for key in files.reclaimable)
            free.append(max(0, limit - max(0, used - reclaimable)))
    return free


def _number(path: Path) -> int | None:
    try:
        number = int(path.read_bytes())
    except (OSError, ValueError):  # there is no such file at the root, and "max" is no limit
        return None
    return number if number < _NO_LIMIT else None


def _read(folders: list[Path], name: str, key: str) -> list[int]:
    """Return the values of lines `key value` in a file of each folder that has it."""
    values = []
    for folder in folders:
        try:
            lines = (folder / name).read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        values += [int(value) for line in lines for word, _, value in [line.partition(" ")] if word == key]
    return values
