"""Measures a browser with all its processes. `controller.host.resource_watch` decides what is too much.

A browser's processes share the session that its first one leads, so they are found without reading the parent of each
process of the host; only the sum of their memory is read. Linux only.
"""

import os
from pathlib import Path

from controller.accounts.reasons import Reason
from controller.driver import DriverError, Usage


def measure(pid: int) -> Usage:
    """Measure the browser with this pid and its processes. Blocks for some milliseconds. Raises DriverError."""
    names = _session_of(pid)
    shares = [share for name in names if (share := _pss(name)) is not None]
    if str(pid) not in names:
        raise DriverError(Reason.SESSION_CLOSED, "the browser's process is gone")
    return Usage(memory=sum(shares), processes=len(shares))


def _session_of(leader: int) -> list[str]:
    """Return the pids, as /proc names them, of a session."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each of hundreds of names is waste
        try:
            if name.isdigit() and os.getsid(int(name)) == leader:
                found.append(name)
        except OSError:
            continue  # it has exited meanwhile
    return found


def _pss(pid: str) -> int | None:
    """Return a process's memory in bytes, shared pages by their share; None for one that is gone or a zombie."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    return None
