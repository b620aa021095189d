"""Automatic backups: one a day into BACKUP_DIR, kept for a week.

The time of the last one is taken from the file names, so a restart changes nothing. A failed one is retried
after an hour, and admins are alerted once.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.troubles import Trouble, Troubles
from switchboard.backup.create import BackupReport, create_backup

log = logging.getLogger(__name__)

EVERY = timedelta(days=1)
KEEP = 7
"""Backups kept in BACKUP_DIR."""
RETRY_SECONDS = 3600.0
FIRST_SECONDS = 300.0
"""Until the first one after a start, so that accounts can connect first."""

_TIME = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"switchboard-(\d{8}T\d{6}Z)\.tar\.gz(\.age)?")
_UNFINISHED = re.compile(rf"\.{_NAME.pattern}\.[0-9a-f]{{8}}\.part")


class BackupSchedule:
    """Creates backups. Call `run` as a task."""

    def __init__(
        self,
        data_dir: Path,
        folder: Path,
        key: str | None,
        troubles: Troubles,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        create: Callable[[Path, Path, str | None, Callable[[], bool]], BackupReport] = create_backup,
    ) -> None:
        self._data_dir, self._folder, self._key, self._troubles = data_dir, folder, key, troubles
        self._clock, self._create = clock, create
        self._trouble = ""

    async def run(self) -> None:
        """Create one whenever it is due, until cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                due_in = await asyncio.to_thread(self._due_in)
                if due_in <= 0:
                    await self._make()
                    due_in = EVERY.total_seconds()
                await asyncio.sleep(min(due_in, RETRY_SECONDS))
            except OSError as error:
                await self._report(str(error) if error.strerror is None else f"BACKUP_DIR: {error.strerror}")
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("A backup ended by a bug")
                await self._report("a bug, see the log")
                await asyncio.sleep(RETRY_SECONDS)

    def _due_in(self) -> float:
        self._folder.mkdir(
            mode=0o700, exist_ok=True
        )  # without its parents: one that is no disk of its own is a mistake
        now = self._clock()
        # One dated in the future was made while the clock was ahead, and proves nothing.
        ages = [now - at for at, _ in backups_in(self._folder) if at <= now]
        return 0.0 if not ages else (EVERY - min(ages)).total_seconds()

    async def _make(self) -> None:
        suffix = ".tar.gz" if self._key is None else ".tar.gz.age"
        now = self._clock()
        target, given_up = self._folder / f"switchboard-{now:{_TIME}}{suffix}", threading.Event()
        try:
            made = await asyncio.to_thread(self._create, self._data_dir, target, self._key, given_up.is_set)
        finally:
            given_up.set()
        if made.accounts:
            await asyncio.to_thread(remove_old, self._folder, now)
            log.info("Backup: %s", made.summary)
        else:  # in a week of such ones, those with what may have been lost here would be gone
            await asyncio.to_thread(target.unlink)
            log.info("Backup: none is kept, as there is no account")
        if made.problem:
            await self._report(made.problem)
        else:  # even if an earlier run reported it
            self._trouble = ""
            await self._troubles.clear_trouble(Trouble.BACKUP)

    async def _report(self, why: str) -> None:
        log.error("Backup: %s", why)
        if why != self._trouble:
            self._trouble = why
            # A command's error names the server's folders. A chat is told what their settings are called.
            named = why.replace(str(self._folder.absolute()), "BACKUP_DIR")
            named = named.replace(str(self._data_dir.absolute()), "DATA_DIR")
            await self._troubles.raise_trouble(Trouble.BACKUP, named)


def backups_in(folder: Path) -> list[tuple[datetime, Path]]:
    """Return our backups in a folder, newest first."""
    found = [(match[1], path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted(((datetime.strptime(at, _TIME).replace(tzinfo=UTC), path) for at, path in found), reverse=True)


def remove_old(folder: Path, now: datetime) -> None:
    """Delete all but the latest ones, those dated in the future first, and what killed runs left unfinished."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            path.unlink(missing_ok=True)
    found = sorted(backups_in(folder), key=lambda each: (each[0] <= now, each[0]), reverse=True)
    for _, path in found[KEEP:]:
        path.unlink(missing_ok=True)
