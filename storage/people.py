"""People who were given access from the chat, beside those in the settings, and strangers who tried to use the bot."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from controller.stored import StoredPerson, Stranger
from storage import tolerant
from storage.database import Database


class PeopleRecords:
    """The tables of people and strangers. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def people(self) -> Sequence[StoredPerson]:
        """Return everybody with access, oldest first."""
        rows = await self._database.rows("SELECT * FROM people ORDER BY at, user_id")
        return [StoredPerson(row["user_id"], row["role"], row["name"], row["added_by"], _at(row)) for row in rows]

    async def save(self, user: int, role: str, name: str, *, added_by: int, at: datetime) -> None:
        """Insert a person, or change their role, and remove them from the strangers."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO people (user_id, role, name, added_by, at) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (user_id) DO UPDATE SET role = excluded.role, name = excluded.name",
                (user, role, name, added_by, at.isoformat()),
            )
            await connection.execute("DELETE FROM strangers WHERE user_id = ?", (user,))

    async def remove(self, user: int) -> None:
        """Delete a person."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM people WHERE user_id = ?", (user,))

    async def first_meeting(self, user: int, name: str, at: datetime) -> bool:
        """Record a stranger; returns whether this is the first time they were seen."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO strangers (user_id, name, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (user, name, at.isoformat()),
            )
            return cursor.rowcount == 1

    async def strangers(self) -> Sequence[Stranger]:
        """Return the strangers that were not ignored, newest first."""
        rows = await self._database.rows("SELECT * FROM strangers WHERE NOT ignored ORDER BY at DESC, user_id")
        return [Stranger(row["user_id"], row["name"], _at(row)) for row in rows]

    async def stranger(self, user: int) -> Stranger | None:
        """Return a recorded stranger, ignored or not."""
        rows = await self._database.rows("SELECT * FROM strangers WHERE user_id = ?", (user,))
        return next((Stranger(row["user_id"], row["name"], _at(row)) for row in rows), None)

    async def ignore(self, user: int) -> None:
        """Hide a stranger from the list."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE strangers SET ignored = 1 WHERE user_id = ?", (user,))


def _at(row: sqlite3.Row) -> datetime:
    return tolerant.time(row["at"]) or datetime.fromtimestamp(0, UTC)
