"""Which processes are ours, and how exactly those are ended: by pid and start time, or by group, never by name.

A tree is the process group and session led by its first process (the browser or Playwright's driver, started by
`launcher`), with all descendants. Linux only: everything is read from /proc, and a zombie counts as gone.
Not here: pages, and when a tree is ended.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.chromium.process.launcher import boot_id, start_ticks

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.02
_RESCAN_SECONDS = 0.5
_DEAD = "ZX"
_STOPPED = "Tt"
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
_EXITING = 0x4  # PF_EXITING of linux/sched.h


@dataclass(frozen=True, slots=True)
class ProcessId:
    """Identifies one process: pids are reused, a pid with its start time is not. start: ticks since boot."""

    pid: int
    start: int

    # Where it cannot be seen, for want of descriptors or memory, nothing is known to have changed.

    def is_alive(self) -> bool:
        """Whether it is still running (a stopped process is, a zombie is not)."""
        try:
            return self._living() is not None
        except OSError:
            return True

    def is_ending(self) -> bool:
        """Whether it has ended or is ending: its files are closed before it counts as gone."""
        try:
            found = self._living()
        except OSError:
            return False
        return found is None or bool(found.flags & _EXITING)

    def is_stopped(self) -> bool:
        """Whether it is stopped by a SIGSTOP."""
        try:
            found = self._living()
        except OSError:
            return False
        return found is not None and found.state in _STOPPED

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal if it is alive and ours. Raises OSError if it cannot be seen."""
        if self._living() is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def _living(self) -> "_Stat | None":
        found = _stat(self.pid)
        return None if found is None or found.start != self.start or found.state in _DEAD else found

    def parent_is_gone(self) -> bool:
        """Whether its parent has ended, so that it was re-parented. Raises OSError if it cannot be seen."""
        found = _stat(self.pid)
        # We always start through Playwright's driver, which leads a group; a reaper (init) is never ours.
        parent = None if found is None else _stat(found.parent)
        return parent is None or parent.pid == 1 or b"run-driver" not in _command(parent.pid)

    def __str__(self) -> str:
        return f"{self.pid}:{self.start}"


def this_process() -> ProcessId:
    """Return the identity of the current process."""
    start = start_ticks()
    assert start is not None
    return ProcessId(os.getpid(), start)


@dataclass(frozen=True, slots=True)
class PidFile:
    """What `launcher` wrote: a tree's leader, and the controller that owns it."""

    process: ProcessId
    owner: ProcessId
    ticket: str
    """Name of the ticket that started it: identifies the launch."""

    @classmethod
    def read(cls, path: Path) -> "PidFile | None":
        """Read a pid file; None if it is missing, damaged, or from another boot or machine."""
        try:
            stored = json.loads(path.read_text(encoding="ascii"))
            if stored["boot"] != boot_id():
                return None
            owner = stored["owner"]
            return cls(
                ProcessId(stored["pid"], stored["start"]),
                ProcessId(owner["pid"], owner["start"]),
                str(stored["ticket"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_orphaned(self) -> bool:
        """Whether its controller is gone."""
        return not self.owner.is_alive()


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    state: str
    parent: int
    group: int
    session: int
    flags: int
    start: int


def _stat(pid: int) -> _Stat | None:
    """Return what the kernel says of a process; None if it is gone or hidden. Raises OSError."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except _GONE:
        return None
    fields = text.rpartition(")")[2].split()
    return _Stat(pid, fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[6]), int(fields[19]))


def _command(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except _GONE:
        return []


def _all() -> Iterator[_Stat]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - hundreds of Path objects would be wasteful
        if name.isdigit() and (found := _stat(int(name))) is not None:
            yield found


def tree(leader: ProcessId) -> list[ProcessId]:
    """Return every living process of a tree, even if its leader is gone. Raises OSError if they cannot be seen."""
    processes = list(_all())
    first = next((one for one in processes if one.pid == leader.pid), None)
    if first is not None and first.start != leader.start:
        return []  # a group id is not reused while the group has members: nothing is left
    family = {one.pid for one in processes if leader.pid in {one.pid, one.group, one.session}}
    while grown := {one.pid for one in processes if one.parent in family} - family:
        family |= grown
    return [
        ProcessId(one.pid, one.start)
        for one in processes
        if one.pid in family and one.state not in _DEAD and one.start >= leader.start
    ]


async def end_tree(leader: ProcessId, *, grace: float, timeout: float) -> bool:  # noqa: ASYNC109 - not the caller's
    """End a tree: SIGTERM to its leader, after `grace` seconds SIGKILL to all. Returns whether nothing is left.

    It takes little more than `timeout` seconds, even if the kernel cannot end a process.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    killing = grace <= 0 or leader.is_stopped()  # a stopped process responds to SIGKILL only
    if not killing:
        with contextlib.suppress(OSError):
            leader.signal(signal.SIGTERM)
        await _gone([leader], grace)
    while True:
        left = [leader]
        try:
            left = await asyncio.to_thread(tree, leader)
            for each in left:
                each.signal(signal.SIGKILL)
        except OSError as error:
            log.warning("The processes to be ended cannot be seen, trying on: %s", error.strerror)
        if not left:
            return True
        if loop.time() - begun >= timeout:
            return False
        await _gone(left, _RESCAN_SECONDS)  # a process may have been born between the scan and the kill


async def _gone(processes: list[ProcessId], seconds: float) -> None:
    """Wait up to so many seconds until these have ended: far cheaper than rescanning all processes."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    while any(process.is_alive() for process in processes):
        if loop.time() >= ends_at:
            return
        await asyncio.sleep(_POLL_SECONDS)


def find_users(profile: Path) -> list[ProcessId]:
    """Find browsers started by anybody on a profile folder, by the exact argument on their command line."""
    wanted = b"--user-data-dir=" + os.fsencode(profile)
    found = []
    for one in _all():
        arguments = _command(one.pid)
        if wanted in arguments and not any(argument.startswith(b"--type=") for argument in arguments):
            found.append(ProcessId(one.pid, one.start))
    return found


class ExitWatch:
    """Calls back once on the event loop as soon as a process has ended; immediately if it already has."""

    def __init__(self, process: ProcessId, ended: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = ended
        self._soon: asyncio.Handle | None = None
        self._descriptor: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._descriptor = os.pidfd_open(process.pid)
        if self._descriptor is not None and process.is_alive():  # else it is another one with its pid
            self._loop.add_reader(self._descriptor, self._exited)
        else:
            self._soon = self._loop.call_soon(self._exited)

    def _exited(self) -> None:
        self.cancel()
        self._ended()

    def cancel(self) -> None:
        """Stop watching."""
        if self._soon is not None:
            self._soon.cancel()
        if self._descriptor is not None:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
