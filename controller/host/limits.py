"""Free resources of this host and of our control groups, and processes that the kernel killed for lack of them.

/proc/meminfo describes the whole host even inside a container, so the minimum of it and of every control group counts
(v1 and v2, every level up to the root), not counting the page cache, which the kernel can reclaim. `resource_watch`
decides what to do about a shortage. Linux only.
"""

import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

RECENT_SECONDS = 10.0
"""For so long after an OOM kill, a browser that ended is assumed to be its victim."""
_NO_LIMIT = 1 << 60
"""v1 expresses "no limit" by a value close to the largest number."""
MIB = 1 << 20
_ULIMITS = (
    (resource.RLIMIT_AS, "addresses", "ulimit -v, LimitAS="),
    (resource.RLIMIT_DATA, "data", "ulimit -d, LimitDATA="),
    (resource.RLIMIT_FSIZE, "files", "ulimit -f, LimitFSIZE="),
)


@dataclass(frozen=True, slots=True)
class _Files:
    """File names of a cgroup controller in one version of control groups. Words are keys of lines `key value`.

    limits: the lowest counts. Beyond memory.high nothing is killed, but all is slowed down until it does not answer.
    """

    limits: tuple[str, ...]
    used: str
    stat: str
    reclaimable: tuple[str, ...]
    events: str
    event: str


_MEMORY_V2 = _Files(
    ("memory.max", "memory.high"), "memory.current", "memory.stat",
    ("inactive_file", "active_file", "slab_reclaimable"),
    "memory.events", "oom_kill",
)  # fmt: skip
_MEMORY_V1 = _Files(
    ("memory.limit_in_bytes",), "memory.usage_in_bytes", "memory.stat", ("total_inactive_file", "total_active_file"),
    "memory.oom_control", "oom_kill",
)  # fmt: skip
_PIDS = _Files(("pids.max",), "pids.current", "", (), "pids.events", "max")


@dataclass(slots=True)
class _Counter:
    """A monotonic counter of the kernel's. rose_at: when it was last seen to rise, on the clock of `HostLimits`."""

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
    """Reads the limits afresh on each call; blocks for less than a millisecond. proc: where /proc is."""

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
        if not any((folder / _MEMORY_V1.limits[0]).exists() for folder in self._memory):
            self._memory, self._memory_files = unified, _MEMORY_V2
        self._pids = groups.get("pids") or unified
        self._kills, self._refusals = _Counter(self._count_kills()), _Counter(self._count_refusals())

    def free_memory(self) -> int:
        """Return how many bytes are available here."""
        return min([self.host_free(), *_free(self._memory, self._memory_files)])

    def memory_limit(self) -> int | None:
        """Return the lowest memory limit of our control groups, in bytes; None if there is none."""
        return min(_limits(self._memory, self._memory_files), default=None)

    def free_processes(self) -> int | None:
        """Return how many more processes and threads can be started here; None if no control group limits them."""
        return min(_free(self._pids, _PIDS), default=None)

    def process_limit(self) -> int | None:
        """Return the lowest limit on processes and threads of our control groups; None if there is none."""
        return min(_limits(self._pids, _PIDS), default=None)

    def look(self) -> None:
        """Read the kernel's counters."""
        now = self.clock()
        self._kills.look(self._count_kills(), now)
        self._refusals.look(self._count_refusals(), now)

    def take_kills(self) -> int:
        """Return how many processes the kernel killed here for lack of memory since the last call."""
        self.look()
        kills, self._kills.unreported = self._kills.unreported, 0
        return kills

    def take_refusals(self) -> int:
        """Return how often a process could not be started, due to their limit, since the last call."""
        self.look()
        refusals, self._refusals.unreported = self._refusals.unreported, 0
        return refusals

    def cause(self) -> str:
        """Return what the kernel did to processes here in the last seconds, in words; "" if nothing is known."""
        self.look()
        now = self.clock()
        if self._kills.rose_at is not None and now - self._kills.rose_at <= RECENT_SECONDS:
            return f"the kernel ended a process for want of memory ({self.words_for_memory()})"
        if self._refusals.rose_at is not None and now - self._refusals.rose_at <= RECENT_SECONDS:
            return f"no more processes may be started here (the limit is {self.process_limit() or 'unknown'})"
        return ""

    def words_for_memory(self) -> str:
        """Return the memory limit in words."""
        limit = self.memory_limit()
        return "the whole host is short" if limit is None else f"the limit is {limit // MIB} MiB"

    def _count_kills(self) -> int:
        return sum(_read(self._memory[:1], self._memory_files.events, self._memory_files.event))

    def _count_refusals(self) -> int:
        return sum(_read(self._pids, _PIDS.events, _PIDS.event))


def inherited_limits() -> str:
    """Return which limits of a single process are set that browsers fail at, whatever is free; "" if none is.

    A browser reserves more addresses than any machine has memory, and grows files that it shares.
    """
    found = [(what, resource.getrlimit(kind)[0], by) for kind, what, by in _ULIMITS]
    set_here = [f"{what} to {limit // MIB} MiB ({by})" for what, limit, by in found if limit != resource.RLIM_INFINITY]
    return f"a process is limited here: {', '.join(set_here)}" if set_here else ""


def control_groups(proc: Path) -> dict[str, list[Path]]:
    """Return the folders of our control groups by controller ("" for v2's tree), from our own up to the root."""
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
    """Yield (root, mount point) of each mount of a controller; the columns are those of proc(5)."""
    for line in lines:
        before, _, after = line.partition(" - ")
        kind, _, options = (*after.split(), "", "", "")[:3]
        if (kind == "cgroup2" and not controller) or (kind == "cgroup" and controller in options.split(",")):
            columns = before.split()
            yield columns[3], Path(columns[4])


def _levels(mount: Path, root: str, path: str) -> list[Path]:
    """Return the folders from our group up to the mount. A container may see only part of the tree."""
    inside = "" if ".." in path else path.removeprefix(root if root != "/" else "").strip("/")
    own = mount / inside
    if not own.is_dir():
        own = mount  # the path is the host's, of which only our own group is visible here
    return [own, *(parent for parent in own.parents if parent == mount or mount in parent.parents)]


def _limits(folders: list[Path], files: _Files) -> list[int]:
    return [limit for folder in folders for limit in _limits_of(folder, files)]


def _limits_of(folder: Path, files: _Files) -> list[int]:
    return [limit for name in files.limits if (limit := _number(folder / name)) is not None]


def _free(folders: list[Path], files: _Files) -> list[int]:
    free = []
    for folder in folders:
        limit, used = min(_limits_of(folder, files), default=None), _number(folder / files.used)
        if limit is not None and used is not None:
            reclaimable = sum(sum(_read([folder], files.stat, key)) for key in files.reclaimable)
            free.append(max(0, limit - max(0, used - reclaimable)))
    return free


def _number(path: Path) -> int | None:
    try:
        number = int(path.read_bytes())
    except (OSError, ValueError):  # the root has no such file, and "max" means no limit
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
