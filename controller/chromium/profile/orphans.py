"""Ends browsers and Playwright drivers whose controller is gone, and spares those of a living one.

They are recognised by our pid files and by our profile folders on their command line, never by name.
Not here: how a tree is ended (`tree`).
"""

import asyncio
import logging
import shutil
from pathlib import Path

from controller.accounts.reasons import Reason
from controller.chromium.process.launch_script import ticket_owner
from controller.chromium.process.tree import PidFile, ProcessId, end_tree, find_users, this_process
from controller.chromium.profile.profile import Profile, run_folder
from controller.driver import DriverError

log = logging.getLogger(__name__)

_GRACE_SECONDS = 4.0
_END_SECONDS = 10.0


async def make_free(profile: Profile) -> None:
    """End an orphan on a profile. Raises DriverError(PROFILE_IN_USE) if a living process uses it."""
    holder = profile.holder()
    if holder is not None:
        if not holder.is_orphaned() and holder.owner != this_process():  # ours: closing it has failed
            raise _in_use(holder.process)
        await _end(holder.process)
    for user in await asyncio.to_thread(find_users, profile.folder):
        # No pid file mentions it: it holds our lock, so we started it, and its controller must have died in between.
        if not (profile.is_locked() and user.parent_is_gone()):
            raise _in_use(user)
        await _end(user)


async def end_orphans(data_dir: Path, host: str = "") -> int:
    """End everything that a killed controller left under DATA_DIR. Returns how many trees were ended.

    host: this machine's name where many share DATA_DIR.
    """
    run = run_folder(data_dir, host)
    orphans = []
    for path in sorted(run.glob("*.json")):
        found = PidFile.read(path)
        if found is None or not found.process.is_alive():
            path.unlink(missing_ok=True)
        elif found.is_orphaned():
            orphans.append((path, found.process))
    # All are found before any is ended: a driver takes its browsers down with it, and these must be counted too.
    for path, process in orphans:
        await _end(process)
        path.unlink(missing_ok=True)
    for ticket in run.glob("*.sh"):
        owner = ticket_owner(ticket)
        if owner is None or not owner.is_alive():
            ticket.unlink(missing_ok=True)
    for temporary in run.glob("*.tmp"):
        if not temporary.with_suffix(".sh").exists():
            await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
    return len(orphans)


def _in_use(process: ProcessId) -> DriverError:
    return DriverError(Reason.PROFILE_IN_USE, f"profile in use by process {process.pid}", transient=True)


async def _end(process: ProcessId) -> None:
    log.warning("Ending an orphaned process tree of ours (pid %d)", process.pid)
    if not await end_tree(process, grace=_GRACE_SECONDS, timeout=_END_SECONDS):
        raise DriverError(Reason.PROFILE_IN_USE, f"process {process.pid} cannot be ended", transient=True)
