"""The pulse: one row with the time at which the program was last alive, the machine's boot, and how the run ended.

Each beat is written and read back, as proof that the database works; at the next start it shows for how long nothing
was being watched.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from storage import tolerant
from storage.database import Database, StorageError

_COLUMNS = "at, boot_id, started_at, oom_kills, ended"


@dataclass(frozen=True, slots=True)
class LastRun:
    """The previous run. at: its last beat; ended: why it was stopped, "" if it crashed or was killed.

    boot_id: the kernel's boot id, "" if unknown. oom_kills: the kernel's counter of processes killed for lack of
    memory, as of the last beat; None if unknown.
    """

    at: datetime
    boot_id: str
    started_at: datetime
    oom_kills: int | None = None
    ended: str = ""


class PulseRecords:
    """The pulse's table, for one run of the program. Every method raises StorageError on failure."""

    def __init__(
        self,
        database: Database,
        *,
        boot_id: str,
        started_at: datetime,
        oom_kills: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._database, self._oom_kills = database, oom_kills
        self.boot_id, self.started_at = boot_id, started_at
        self.oom_kills_at_start = oom_kills()
        self._before: LastRun | None = None
        self._is_read = False
        self._ended = ""

    async def last(self) -> LastRun | None:
        """Return the previous run, even after beats of this one; None if there was none."""
        if not self._is_read:
            rows = await self._database.rows(f"SELECT {_COLUMNS} FROM pulse")  # noqa: S608 - ours
            self._before, self._is_read = next((_last_run(row) for row in rows), None), True
        return self._before

    async def beat(self, at: datetime) -> None:
        """Write a beat and read it back. Raises StorageError also if they differ or the file was moved."""
        await self.last()
        await self._write(at, self._ended)

    async def ended(self, why: str, at: datetime | None = None) -> None:
        """Record that this run is ending in an orderly way, and why; it may beat on for a while."""
        self._ended = why
        await self.last()
        await self._write(at or datetime.now(UTC), why)

    async def _write(self, at: datetime, ended: str) -> None:
        written = (at.isoformat(), self.boot_id, self.started_at.isoformat(), self._oom_kills(), ended)
        async with self._database.transaction() as connection:
            await connection.execute(
                f"INSERT OR REPLACE INTO pulse (id, {_COLUMNS}) VALUES (1, ?, ?, ?, ?, ?)",  # noqa: S608 - ours
                written,
            )
        read = [tuple(row) for row in await self._database.rows(f"SELECT {_COLUMNS} FROM pulse")]  # noqa: S608 - ours
        if read != [written]:
            raise StorageError(f"{self._database.path.name}: what was written is not what is read", transient=True)


def _last_run(row: sqlite3.Row) -> LastRun | None:
    at = tolerant.time(row["at"])
    if at is None:
        return None
    started_at = tolerant.time(row["started_at"], at) or at
    return LastRun(at, row["boot_id"], started_at, row["oom_kills"], row["ended"])
