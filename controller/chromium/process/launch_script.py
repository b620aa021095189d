"""The ticket of one launch: a script that runs `launcher` for one command, given to whoever starts it.

The launch can proceed only while the file exists; once it is removed, it cannot start a process any more.
"""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.accounts.reasons import Reason
from controller.chromium.process import launcher
from controller.chromium.process.tree import ProcessId, this_process
from controller.driver import DriverError

NOT_RUNNABLE = "DATA_DIR must allow programs to be run: mount it without the option noexec"

_OWNER = re.compile(r"--owner (\d+):(\d+) ")


def write_ticket(
    ticket: Path, pid_file: Path, parent: int, command: Path, *more: str, first: Sequence[str] = ()
) -> None:
    """Write a ticket. parent: the pid that will start it; command: what to run; more: further options of `launcher`.

    first: arguments ahead of those that the ticket is started with.

    Raises OSError, and DriverError if the folder does not allow execution.
    """
    arguments = [
        sys.executable, "-I", "-S", launcher.__file__,
        "--parent", str(parent), "--pid-file", str(pid_file), "--owner", str(this_process()), "--ticket", str(ticket),
        *more, "--", str(command), *first,
    ]  # fmt: skip
    descriptor = os.open(ticket, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f'#!/bin/sh\nexec {shlex.join(arguments)} "$@"\n')
    if not os.access(ticket, os.X_OK):
        ticket.unlink()
        raise DriverError(Reason.LAUNCH_FAILED, NOT_RUNNABLE)


def ticket_owner(ticket: Path) -> ProcessId | None:
    """Return the controller that wrote a ticket; None if it cannot be read."""
    try:
        found = _OWNER.search(ticket.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return None
    return ProcessId(int(found[1]), int(found[2])) if found else None
