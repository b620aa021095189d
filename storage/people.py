"""Who may use the bot beside those whom the settings name, and who knocked without being let in."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from storage import tolerant
from storage.database import Database


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody who was let in. role: a word of `handlers.chat.people`. added_by: whoever let them in."""

    user: int
    role: str
    name: str
    added_by: int
    at: datetime


@dataclass(frozen=True, slots=True)
class StrangerRow:
    """Somebody who wrote to the bot and was not let in. at: when first."""

    user: int
    name: str
    at: datetime


class PeopleRecords:
    """The tables of people and strangers. Every method raises StorageError if it cannot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def people(self) -> Sequence[PersonRow]:
        """Return everybody who was let in, the first first."""
        rows = await self._database.rows("SELECT * FROM people ORDER BY at, user_id")
        return [PersonRow(row["user_id"], row["role"], row["name"], row["added_by"], _at(row)) for row in rows]

    async def save(self, user: int, role: str, name: str, *, added_by: int, at: datetime) -> None:
        """Insert a person, or change their role. They are no stranger any more."""
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
        """Return whether this stranger was never met before, and remember that now they were."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO strangers (user_id, name, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (user, name, at.isoformat()),
            )
            return cursor.rowcount == 1

    async def strangers(self) -> Sequence[StrangerRow]:
        """Return the strangers whom nobody has ignored, the newest first."""
        rows = await self._database.rows("SELECT * FROM strangers WHERE NOT ignored ORDER BY at DESC, user_id")
        return [StrangerRow(row["user_id"], row["name"], _at(row)) for row in rows]

    async def stranger(self, user: int) -> StrangerRow | None:
        """Return a stranger who was met, ignored or not."""
        rows = await self._database.rows("SELECT * FROM strangers WHERE user_id = ?", (user,))
        return next((StrangerRow(row["user_id"], row["name"], _at(row)) for row in rows), None)

    async def ignore(self, user: int) -> None:
        """List a stranger no more."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE strangers SET ignored = 1 WHERE user_id = ?", (user,))


def _at(row: sqlite3.Row) -> datetime:
    return tolerant.moment(row["at"]) or datetime.fromtimestamp(0, UTC)
