"""Deletes rows past their retention, in small chunks so that nobody has to wait for it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from storage.database import Database

CHUNK = 500
"""Rows examined in one transaction."""
CHUNKS = 100
"""Transactions per table and run; the rest is left to the next run."""


class Retention:
    """Deletion by age. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accounts(self) -> Sequence[str]:
        """Return the numbers of all accounts, even of those whose other columns cannot be parsed."""
        return [row["number"] for row in await self._database.rows("SELECT number FROM accounts")]

    async def delete_history(self, now: datetime, keep: timedelta) -> int:
        """Delete transitions and audit rows older than `keep`; each account's latest transition stays."""
        newest = " AND id <> (SELECT max(id) FROM transitions AS all_of WHERE all_of.number = transitions.number)"
        return await self._delete("transitions", now, keep, newest) + await self._delete("audit", now, keep)

    async def delete_strangers(self, before: datetime) -> int:
        """Forget strangers first seen before then; they would be reported again."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "DELETE FROM strangers WHERE at < ? AND NOT ignored", (before.isoformat(),)
            )
            return cursor.rowcount

    async def _delete(self, table: str, now: datetime, keep: timedelta, but: str = "") -> int:
        """Walk a table from its oldest row to the first that is kept, or until the run's limit is reached.

        Rows are in the order in which they were written. One that is dated before an earlier one was written while the
        clock was behind, and is as young as that; one dated in the future was written while it was ahead, and says
        nothing of the others.
        """
        before, today = (now - keep).isoformat(), now.isoformat()
        deleted, last = 0, 0
        for _ in range(CHUNKS):
            async with self._database.transaction() as connection:
                rows = list(
                    await connection.execute_fetchall(
                        f"SELECT id, at FROM {table} WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - a name of ours
                        (last, CHUNK),
                    )
                )
                kept = next((row["id"] for row in rows if before <= row["at"] <= today), None)
                if not rows or rows[0]["id"] == kept:
                    return deleted
                last = rows[-1]["id"] if kept is None else kept - 1
                cursor = await connection.execute(
                    f"DELETE FROM {table} WHERE id BETWEEN ? AND ? AND at < ?{but}",  # noqa: S608 - likewise
                    (rows[0]["id"], last, before),
                )
                deleted += cursor.rowcount
            await asyncio.sleep(0)  # let others use the database first
        return deleted
