"""The duties of a parent: what was re-parented to us is reaped, so that no zombie of a browser stays for ever.

A browser's processes outlive the one that started them. Left alone they go to process 1, which in a container is often
this program, and elsewhere may reap nothing. So this program adopts them itself (a "subreaper"), and reaps them.
What never lives here: whom asyncio waits for, which reaps its own children at once.
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
"""Seconds between two looks where no child's end was noticed."""
SETTLE = 2.0
"""Seconds for which a child must have been a zombie: whoever waits for it has reaped it by then."""


def adopt_orphans() -> bool:
    """Become the parent of what our descendants leave behind. Returns False where the kernel cannot (before 3.4)."""
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


class Reaper:
    """Reaps children that nobody waits for. Make it inside a running loop and `run` it."""

    def __init__(self) -> None:
        self.reaped = 0
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
                self.reaped += 1
        if pids:
            log.debug("Reaped %d processes that had lost their parent", len(pids))


def zombies() -> set[int]:
    """Return the children of this process that have ended and that nobody has reaped."""
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
