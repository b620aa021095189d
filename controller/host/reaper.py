"""Adopts and reaps orphaned descendants, so that a browser's zombies do not accumulate.

A browser's processes can outlive the one that started them. They would then be re-parented to process 1, which in a
container is often this program and elsewhere may not reap. So this program declares itself a "subreaper" and reaps
them. asyncio's own children are left alone: it reaps those at once.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
from pathlib import Path

import psutil

log = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36
LOOK_EVERY = 60.0
"""Seconds between two scans if no child's exit was noticed."""
SETTLE = 2.0
"""Seconds for which a child must have been a zombie before we reap it: its own waiter would have done so by then."""


def adopt_orphans() -> bool:
    """Become the parent of our descendants' orphans. Returns False if the kernel cannot do that (before 3.4)."""
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


class Reaper:
    """Reaps children that nobody waits for. Create it inside a running loop and `run` it."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Reap until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._ended.set)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._ended.wait()
                self._ended.clear()
                await asyncio.sleep(SETTLE)
                if before := zombies():
                    await asyncio.sleep(SETTLE)
                    self._reap(before & zombies())
        finally:
            loop.remove_signal_handler(signal.SIGCHLD)

    def _reap(self, pids: set[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if pids:
            log.debug("Reaped %d processes that had lost their parent", len(pids))


def zombies() -> set[int]:
    """Return this process's children that have exited and have not been reaped."""
    return {pid for pid in _children() if _is_zombie(pid)}


def _children() -> list[int]:
    try:
        return [
            int(pid)
            for thread in Path("/proc/self/task").iterdir()
            for pid in (thread / "children").read_text(encoding="ascii").split()
        ]
    except OSError:  # the kernel was built without it, or a thread ended meanwhile
        return [process.pid for process in psutil.Process().children()]


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return False
