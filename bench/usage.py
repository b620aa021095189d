"""What a process uses with all its children: memory by share, processor time, and how many they are."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class TreeUsage:
    """pss: bytes, shared pages counted by their share. cpu: seconds of user and system time, ended children's too."""

    pss: int
    cpu: float
    processes: int


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def usage(pid: int, *, memory: bool = True) -> TreeUsage:
    """Measure the tree under a process."""
    pss, cpu, count = 0, 0.0, 0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            times = process.cpu_times()
            cpu += times.user + times.system + times.children_user + times.children_system
            count += 1
            if memory:
                pss += _pss(process.pid)
    return TreeUsage(pss, cpu, count)


def kind_of(process: psutil.Process) -> str:
    """Return what a process is: "browser", "renderer", "gpu-process", "utility", "zygote", or its program's name."""
    command = process.cmdline()
    kind = next((part.removeprefix("--type=") for part in command if part.startswith("--type=")), "")
    is_browser = any(part.startswith("--user-data-dir=") for part in command) and process.name() != "sh"
    return kind or ("browser" if is_browser else process.name())


def cpu_by_kind(pid: int) -> dict[str, float]:
    """Return the seconds of processor time of the tree by kind of process, ended children's left out."""
    return _by_kind(pid, lambda process: sum(process.cpu_times()[:2]))


def pss_by_kind(pid: int) -> dict[str, float]:
    """Return the memory of the tree by kind of process, in MiB."""
    return _by_kind(pid, lambda process: _pss(process.pid) / (1 << 20))


def idle_by_kind(
    before: dict[tuple[int, int], int], after: dict[tuple[int, int], int], idle: float
) -> dict[str, float]:
    """Return the processor time between two `thread_times` by kind of process, in % of a core."""
    found: dict[str, float] = {}
    for thread, spent in after.items():
        with contextlib.suppress(psutil.Error):
            kind = kind_of(psutil.Process(thread[0]))
            found[kind] = found.get(kind, 0.0) + max(0, spent - before.get(thread, 0)) / 1e7 / idle
    return {kind: round(value, 2) for kind, value in found.items()}


def _by_kind(pid: int, of: Callable[[psutil.Process], float]) -> dict[str, float]:
    found: dict[str, float] = {}
    for process in tree(pid):
        with contextlib.suppress(psutil.Error, FileNotFoundError, ProcessLookupError):
            kind = kind_of(process)
            found[kind] = found.get(kind, 0.0) + of(process)
    return {kind: round(value, 2) for kind, value in found.items()}


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def thread_times(pid: int) -> dict[tuple[int, int], int]:
    """Return the processor time of each thread of the tree, in nanoseconds, by process and thread.

    The difference of two of these is exact where processor times in ticks of 10 ms are not: for what hardly does
    anything. Threads that end between them are not counted.
    """
    found = {}
    for process in tree(pid):
        for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError, IndexError):
                found[process.pid, int(path.parent.name)] = int(path.read_text("ascii").split()[0])
    return found


def used_between(before: dict[tuple[int, int], int], after: dict[tuple[int, int], int]) -> float:
    """Return the seconds of processor time between two `thread_times`."""
    return sum(max(0, spent - before.get(thread, 0)) for thread, spent in after.items()) / 1e9
