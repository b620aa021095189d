"""The inbox: requests from people, from acceptance until they have been carried out and answered."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from controller.stored import StoredRequest
from storage.database import Database

KEPT_FOR = timedelta(hours=48)
"""How long finished requests are remembered: Telegram may redeliver an update for up to 24 hours."""


class Inbox:
    """The table of requests. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, rows: Iterable[StoredRequest], at: datetime) -> set[int]:
        """Store requests and return the ids of the updates that are new. Also deletes requests finished long ago."""
        new: set[int] = set()
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM inbox WHERE done_at < ?", ((at - KEPT_FOR).isoformat(),))
            for each in rows:
                cursor = await connection.execute(
                    "INSERT INTO inbox (update_id, user_id, name, chat, topic, private, words, message, code, press,"
                    " sent_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (
                        each.update, each.user, each.name, each.chat, each.topic, each.private, each.words,
                        each.message, each.code, each.press, each.sent_at.isoformat(),
                    ),
                )  # fmt: skip
                if cursor.rowcount == 1:
                    new.add(each.update)
        return new

    async def start(self, update: int, at: datetime) -> None:
        """Mark a request as started: after a crash it may or may not have been carried out."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE inbox SET started_at = ? WHERE update_id = ?", (at.isoformat(), update))

    async def finish(self, updates: Iterable[int], at: datetime) -> None:
        """Mark requests as carried out and answered."""
        async with self._database.transaction() as connection:
            await connection.executemany(
                "UPDATE inbox SET done_at = ? WHERE update_id = ?", [(at.isoformat(), each) for each in updates]
            )

    async def unfinished(self) -> Sequence[StoredRequest]:
        """Return unfinished requests, oldest first."""
        rows = await self._database.rows("SELECT * FROM inbox WHERE done_at IS NULL ORDER BY update_id")
        return [_row(row) for row in rows]

    async def find(self, update: int) -> StoredRequest | None:
        """Return a request that is still stored."""
        rows = await self._database.rows("SELECT * FROM inbox WHERE update_id = ?", (update,))
        return next((_row(row) for row in rows), None)


def _row(row: sqlite3.Row) -> StoredRequest:
    return StoredRequest(
        update=row["update_id"],
        user=row["user_id"],
        name=row["name"],
        chat=row["chat"],
        topic=row["topic"],
        private=bool(row["private"]),
        words=row["words"],
        message=row["message"],
        code=row["code"],
        press=row["press"],
        sent_at=datetime.fromisoformat(row["sent_at"]),
        started=row["started_at"] is not None,
    )
