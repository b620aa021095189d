"""Measures the machine's load: the kernel's pressure figures (PSI), its run queue, and the processors we may use.

/proc/pressure covers the whole host, a control group's own file what runs in it; the worse one counts. The kernel's
averages cover ten seconds or more, so shares are computed from its totals between two measurements. Where the kernel
does not measure pressure, it is None. Linux only. `launch_policy` evaluates the figures.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from controller.host.launch_policy import Strain
from controller.host.limits import HostLimits, control_groups

_KINDS = ("cpu", "memory", "io")
_MICRO = 1e-6


@dataclass(slots=True)
class Pressure:
    """Measures the load since its last measurement; blocks for less than a millisecond. proc: the path of /proc."""

    limits: HostLimits
    proc: Path = Path("/proc")
    clock: Callable[[], float] = time.monotonic
    _files: dict[str, list[Path]] = field(init=False)
    _totals: dict[Path, float] = field(init=False, default_factory=dict)
    _looked_at: float = field(init=False)
    _cores: float = field(init=False)

    def __post_init__(self) -> None:
        own = control_groups(self.proc).get("", [])[:1]
        self._files = {
            kind: [self.proc / "pressure" / kind, *(group / f"{kind}.pressure" for group in own)] for kind in _KINDS
        }
        self._cores = cores(self.proc)
        self.look(0.0)

    def look(self, lag: float) -> Strain:
        """Measure. lag: the event loop's maximum lag in seconds since the last measurement."""
        now = self.clock()
        passed = now - self._looked_at if hasattr(self, "_looked_at") else 0.0
        self._looked_at = now
        shares = {kind: self._share(kind, passed) for kind in _KINDS}
        return Strain(
            cpu=shares["cpu"], memory=shares["memory"], disk=shares["io"],
            queue=_runnable(self.proc) / self._cores, lag=lag, free_memory=self.limits.free_memory(),
        )  # fmt: skip

    def _share(self, kind: str, passed: float) -> float | None:
        found = []
        for path in self._files[kind]:
            if (total := _stalled(path)) is None:
                continue
            before, self._totals[path] = self._totals.get(path, total), total
            found.append(min(1.0, max(0.0, (total - before) / passed)) if passed > 0 else 0.0)
        return max(found, default=None)


def cores(proc: Path = Path("/proc")) -> float:
    """Return how many processors we may use: our CPU affinity, or less by a control group's quota."""
    quotas = [quota for group in control_groups(proc).get("", []) if (quota := _quota_v2(group)) is not None]
    quotas += [quota for group in control_groups(proc).get("cpu", []) if (quota := _quota_v1(group)) is not None]
    return min([float(len(os.sched_getaffinity(0))), *quotas])


def _quota_v2(group: Path) -> float | None:
    words = _words(group / "cpu.max")
    return int(words[0]) / int(words[1]) if len(words) == 2 and words[0].isdigit() else None  # noqa: PLR2004 - quota, period


def _quota_v1(group: Path) -> float | None:
    quota, period = _words(group / "cpu.cfs_quota_us"), _words(group / "cpu.cfs_period_us")
    return int(quota[0]) / int(period[0]) if quota and period and int(quota[0]) > 0 else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        return []


def _stalled(path: Path) -> float | None:
    """Return the seconds during which some task waited, from a pressure file's line `some … total=<microseconds>`."""
    words = _words(path)
    total = next((word for word in words if word.startswith("total=")), None) if words[:1] == ["some"] else None
    return None if total is None else int(total.removeprefix("total=")) * _MICRO


def _runnable(proc: Path) -> int:
    """Return how many tasks are running or waiting for a processor, excluding ourselves."""
    for line in (proc / "stat").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("procs_running "):
            return max(0, int(line.split()[1]) - 1)
    return 0
