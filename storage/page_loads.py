"""Which builds of WhatsApp Web each account has loaded, which of the page's parts were there, and known verdicts.

Both tables are bounded: the latest loads of each account, and the latest builds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.accounts.notices import BuildLoaded
from storage import tolerant
from storage.database import Database

LOADS = 50
"""Loads kept for each account."""
BUILDS = 200
"""Builds kept."""


@dataclass(frozen=True, slots=True)
class BuildRow:
    """A build that was tried. works: False if it failed. by: the account, E.164. missing: parts that were not found."""

    build: str
    works: bool
    by: str = ""
    missing: frozenset[str] = frozenset()


class PageLoads:
    """The tables of loads and builds. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, loaded: BuildLoaded) -> None:
        """Append a load; the account's oldest ones are deleted."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO page_loads (number, at, build, present, missing) VALUES (?, ?, ?, ?, ?)",
                (loaded.number, loaded.at.isoformat(), loaded.build, _joined(loaded.present), _joined(loaded.missing)),
            )
            await connection.execute(
                "DELETE FROM page_loads WHERE number = ? AND id <="
                " (SELECT id FROM page_loads WHERE number = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (loaded.number, loaded.number, LOADS),
            )

    async def loads(self, number: str, limit: int = LOADS) -> Sequence[BuildLoaded]:
        """Return an account's loads, newest first."""
        rows = await self._database.rows(
            "SELECT * FROM page_loads WHERE number = ? ORDER BY id DESC LIMIT ?", (number, limit)
        )
        return [
            BuildLoaded(number, at, row["build"], _parted(row["present"]), _parted(row["missing"]))
            for row in rows
            if (at := tolerant.time(row["at"])) is not None
        ]

    async def builds(self) -> Sequence[BuildRow]:
        """Return the builds with a known verdict, oldest first."""
        rows = await self._database.rows("SELECT * FROM builds ORDER BY at, rowid")
        return [
            BuildRow(row["build"], row["verdict"] != _FAILED, row["by_number"], _parted(row["missing"])) for row in rows
        ]

    async def judge(self, build: str, *, works: bool, by: str, missing: frozenset[str], at: datetime) -> None:
        """Store the verdict on a build; the oldest ones are deleted."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT OR REPLACE INTO builds (build, verdict, by_number, missing, at) VALUES (?, ?, ?, ?, ?)",
                (build, _WORKS if works else _FAILED, by, _joined(missing), at.isoformat()),
            )
            await connection.execute(
                "DELETE FROM builds WHERE build NOT IN (SELECT build FROM builds ORDER BY at DESC, rowid DESC LIMIT ?)",
                (BUILDS,),
            )


_WORKS, _FAILED = "works", "failed"


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(sorted(parts))


def _parted(stored: str) -> frozenset[str]:
    return frozenset(stored.split("\n")) - {""}
