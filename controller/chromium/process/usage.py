"""Measures a browser with all its processes. `controller.host.resource_watch` decides what is too much."""

import psutil

from controller.accounts.reasons import Reason
from controller.driver import DriverError, Usage


def measure(pid: int) -> Usage:
    """Measure the browser with this pid and its children. Blocks for some milliseconds. Raises DriverError."""
    try:
        leader = psutil.Process(pid)
        family = [leader, *leader.children(recursive=True)]
    except psutil.Error as error:
        raise DriverError(Reason.SESSION_CLOSED, "the browser's process is gone") from error
    shares = [share for process in family if (share := _share(process)) is not None]
    return Usage(memory=sum(shares), processes=len(shares))


def _share(process: psutil.Process) -> int | None:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return None  # it has exited meanwhile
