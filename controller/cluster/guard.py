"""The second end of a lease: a process in a session of its own that kills what a machine's host process leaves behind.

The kernel's timer (`deadline`) ends the host process, and that ends its browsers. Whatever survives this, a helper that
left its parent, a browser whose parent hung, is ended here: once the lease is over, or the host process has gone (its
pipe ends). It knows browsers by the pid files that `launcher` leaves before it becomes one, so none can be missed.
"""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from controller.chromium.process.tree import PidFile, ProcessId, end_tree, this_process
from controller.cluster.deadline import boot_time

_END_SECONDS = 10.0


def start_guard(run: Path) -> "subprocess.Popen[bytes]":
    """Start a guard for this process. run: the folder of pid files. Its stdin takes deadlines, one to a line."""
    command = [sys.executable, "-m", "controller.cluster.guard", str(run), str(this_process())]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def main() -> None:
    """Guard. Arguments: the folder of pid files, and the host process as <pid>:<start ticks>. stdin: deadlines."""
    folder, owner = Path(sys.argv[1]), ProcessId(*map(int, sys.argv[2].split(":")))
    _wait(owner)
    if owner.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGKILL)
    found = [PidFile.read(path) for path in folder.glob("*.json")]
    asyncio.run(_end([one.process for one in found if one is not None and one.owner == owner]))


def _wait(owner: ProcessId) -> None:
    """Return when the lease is over or the host process has gone. Each line of stdin moves the end of the lease."""
    ends_at: float | None = None
    rest = b""
    while owner.is_alive():
        seconds = 1.0 if ends_at is None else min(1.0, ends_at - boot_time())
        if seconds <= 0:
            return
        readable, _, _ = select.select([0], [], [], seconds)
        if not readable:
            continue
        if not (read := os.read(0, 4096)):
            return
        *lines, rest = (rest + read).split(b"\n")
        if lines:
            ends_at = float(lines[-1])


async def _end(trees: list[ProcessId]) -> None:
    await asyncio.gather(*(end_tree(one, grace=0, timeout=_END_SECONDS) for one in trees))


if __name__ == "__main__":
    main()
