"""The pulse: one row that says until when the program was alive, on which boot of the machine, and how it ended.

It is written and read back with each beat, as proof that the database takes and gives; at the next start it tells how
long nobody watched.
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
    """What a run of the program left. at: its last beat; ended: why it ended in order, "" if it did not.

    boot_id: the kernel's id of that boot, "" where unknown. oom_kills: the kernel's count, by then, of processes that
    it ended for want of memory; None where unknown.
    """

    at: datetime
    boot_id: str
    started_at: datetime
    oom_kills: int | None = None
    ended: str = ""


class PulseRecords:
    """The table of the pulse, for one run of the program. Every method raises StorageError if it cannot."""

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
        """Return what the run before this one left, also after beats of this one; None where there was none."""
        if not self._is_read:
            rows = await self._database.rows(f"SELECT {_COLUMNS} FROM pulse")  # noqa: S608 - ours
            self._before, self._is_read = next((_last_run(row) for row in rows), None), True
        return self._before

    async def beat(self, at: datetime) -> None:
        """Write that the program lives, and read it back. Raises StorageError also where what is read differs."""
        await self.last()
        await self._write(at, self._ended)

    async def ended(self, why: str, at: datetime | None = None) -> None:
        """Write that this run ends in order, and why: also if it beats on for a while."""
        self._ended = why
        await self.last()
        await self._write(at or datetime.now(UTC), why)

    async def _write(self, at: datetime, ended: str) -> None:
        written = (_iso(at), self.boot_id, _iso(self.started_at), self._oom_kills(), ended)
        async with self._database.transaction() as connection:
            await connection.execute(
                f"INSERT OR REPLACE INTO pulse (id, {_COLUMNS}) VALUES (1, ?, ?, ?, ?, ?)",  # noqa: S608 - ours
                written,
            )
        read = [tuple(row) for row in await self._database.rows(f"SELECT {_COLUMNS} FROM pulse")]  # noqa: S608 - ours
        if read != [written]:
            raise StorageError(f"{self._database.path}: what was written is not what is read", heals=True)


def _last_run(row: sqlite3.Row) -> LastRun | None:
    at = tolerant.moment(row["at"])
    if at is None:
        return None
    started_at = tolerant.moment(row["started_at"], at) or at
    return LastRun(at, row["boot_id"], started_at, row["oom_kills"], row["ended"])


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
