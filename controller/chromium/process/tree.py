"""Which processes are ours, and how exactly those are ended: by pid and start time, by group, never by name.

A tree is the group and session that its first process (the browser or Playwright's driver, started by `launcher`)
leads, with all descendants. Linux only: everything is read from /proc, and a zombie counts as gone.
What never lives here: anything about pages, and when a tree is ended.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.chromium.process.launcher import boot_id, start_ticks

_POLL_SECONDS = 0.02
_RESCAN_SECONDS = 0.5
_DEAD = "ZX"
_STOPPED = "Tt"
_EXITING = 0x4  # PF_EXITING of linux/sched.h


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process for ever: a pid is used again, a pid with its start time is not. start: ticks since boot."""

    pid: int
    start: int

    def is_alive(self) -> bool:
        """Whether it still runs (a stopped one does, a zombie does not)."""
        found = _stat(self.pid)
        return found is not None and found.start == self.start and found.state not in _DEAD

    def is_ending(self) -> bool:
        """Whether it has ended, or is about to: its files are closed before it is seen as gone."""
        found = _stat(self.pid)
        return found is None or found.start != self.start or found.state in _DEAD or bool(found.flags & _EXITING)

    def is_stopped(self) -> bool:
        """Whether a SIGSTOP holds it."""
        found = _stat(self.pid)
        return found is not None and found.start == self.start and found.state in _STOPPED

    def parent_is_gone(self) -> bool:
        """Whether who started it has ended, so that it was handed to another."""
        found = _stat(self.pid)
        # We always start through Playwright's driver, which leads a group; a reaper (init) never is one of ours.
        parent = None if found is None else _stat(found.parent)
        return parent is None or parent.pid == 1 or b"run-driver" not in _command(parent.pid)

    def __str__(self) -> str:
        return f"{self.pid}:{self.start}"


def this_process() -> ProcessId:
    """Identify the process that runs this."""
    start = start_ticks()
    assert start is not None
    return ProcessId(os.getpid(), start)


@dataclass(frozen=True, slots=True)
class PidFile:
    """What `launcher` left: the leader of a tree, and the controller that it belongs to."""

    process: ProcessId
    owner: ProcessId
    ticket: str
    """The name of the file with which it was started: which launch it came of."""

    @classmethod
    def read(cls, path: Path) -> "PidFile | None":
        """Read one; None if there is none, it is damaged, or it is of another boot or machine."""
        try:
            told = json.loads(path.read_text(encoding="ascii"))
            if told["boot"] != boot_id():
                return None
            owner = told["owner"]
            return cls(
                ProcessId(told["pid"], told["start"]), ProcessId(owner["pid"], owner["start"]), str(told["ticket"])
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
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return _Stat(pid, fields[0], int(fields[1]), int(fields[2]), int(fields[3]), int(fields[6]), int(fields[19]))


def _command(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _all() -> Iterator[_Stat]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each of hundreds of names is waste
        if name.isdigit() and (found := _stat(int(name))) is not None:
            yield found


def tree(leader: ProcessId) -> list[ProcessId]:
    """Every living process of a tree, also when its leader is gone already."""
    processes = list(_all())
    first = next((one for one in processes if one.pid == leader.pid), None)
    if first is not None and first.start != leader.start:
        return []  # a group's number is not given to a new process while the group has members: nothing is left
    family = {one.pid for one in processes if leader.pid in {one.pid, one.group, one.session}}
    while grown := {one.pid for one in processes if one.parent in family} - family:
        family |= grown
    return [
        ProcessId(one.pid, one.start)
        for one in processes
        if one.pid in family and one.state not in _DEAD and one.start >= leader.start
    ]


def _signal(processes: list[ProcessId], number: signal.Signals) -> None:
    for process in processes:
        if process.is_alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)


async def end_tree(leader: ProcessId, *, grace: float, timeout: float) -> bool:  # noqa: ASYNC109 - not the caller's
    """End a tree: SIGTERM to its leader, after `grace` seconds SIGKILL to all. Returns whether nothing is left.

    It takes at most some `timeout` seconds, even where the kernel cannot end a process.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    killing = grace <= 0 or leader.is_stopped()  # a stopped process heeds nothing but SIGKILL
    if not killing:
        _signal([leader], signal.SIGTERM)
        await _gone([leader], grace)
    while left := await asyncio.to_thread(tree, leader):
        if loop.time() - begun >= timeout:
            return False
        _signal(left, signal.SIGKILL)
        await _gone(left, _RESCAN_SECONDS)  # a process may have been born between the look and the kill
    return True


async def _gone(processes: list[ProcessId], seconds: float) -> None:
    """Wait until these have ended, for some seconds at most: far cheaper than to look at all processes again."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    while any(process.is_alive() for process in processes):
        if loop.time() >= ends_at:
            return
        await asyncio.sleep(_POLL_SECONDS)


def find_users(profile: Path) -> list[ProcessId]:
    """Find browsers that anybody started on a profile folder, by their command line's exact argument."""
    wanted = b"--user-data-dir=" + os.fsencode(profile)
    found = []
    for one in _all():
        arguments = _command(one.pid)
        if wanted in arguments and not any(argument.startswith(b"--type=") for argument in arguments):
            found.append(ProcessId(one.pid, one.start))
    return found


class ExitWatch:
    """Calls back on the event loop, once, as soon as a process has ended; at once if it has already."""

    def __init__(self, process: ProcessId, ended: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = ended
        self._soon: asyncio.Handle | None = None
        self._descriptor: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._descriptor = os.pidfd_open(process.pid)
        if self._descriptor is not None and process.is_alive():
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
