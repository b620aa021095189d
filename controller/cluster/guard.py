"""Second enforcement of a lease: a process in its own session that kills what a machine's host process leaves behind.

The kernel's timer (`deadline`) kills the host process, and that ends its browsers. Whatever survives, such as a
re-parented helper or a browser whose parent hung, is killed here once the lease has expired or the host process has
exited (its pipe closes). Browsers are found by the pid files that `launcher` writes before its exec: none is missed.
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
from controller.host.deadline import boot_time

_END_SECONDS = 10.0


def start_guard(run: Path) -> "subprocess.Popen[bytes]":
    """Start a guard for this process. run: the folder of pid files. Its stdin accepts deadlines, one per line."""
    command = [sys.executable, "-m", "controller.cluster.guard", str(run), str(this_process())]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def main() -> None:
    """Run the guard. Arguments: folder of pid files, and the host process as <pid>:<start ticks>. stdin: deadlines."""
    folder, owner = Path(sys.argv[1]), ProcessId(*map(int, sys.argv[2].split(":")))
    _wait(owner)
    if owner.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner.pid, signal.SIGKILL)
    found = [PidFile.read(path) for path in folder.glob("*.json")]
    asyncio.run(_end([one.process for one in found if one is not None and one.owner == owner]))


def _wait(owner: ProcessId) -> None:
    """Return when the lease has expired or the host process has exited. Each line of stdin changes the lease's end."""
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
