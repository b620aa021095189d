"""What is owed to chats until it is delivered: the outbox, the incidents it becomes, silences, topics, moved chats.

A row is written in the transaction of what it tells of (`write`). It is claimed with a lease while it is worked on, and
goes when what it became is kept (`settle`). What a body means is known to those who write it: here it is text.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import aiosqlite

from storage.database import Database


class Owed(Protocol):
    """What is to be written. kind, number: for finding it again; at: when it came about; picture: PNG."""

    @property
    def chat(self) -> int:
        """Whom it is owed to."""

    @property
    def kind(self) -> str:
        """What sort of thing it is."""

    @property
    def number(self) -> str:
        """The account it concerns, "" for none."""

    @property
    def body(self) -> str:
        """What it says, as text."""

    @property
    def at(self) -> datetime:
        """When it came about. Aware UTC."""

    @property
    def picture(self) -> bytes | None:
        """A PNG that goes with it."""


@dataclass(frozen=True, slots=True)
class OwedRow:
    """A claimed row. waited: it was held back by a silence. tries: claims before this one that came to nothing."""

    id: int
    chat: int
    kind: str
    number: str
    body: str
    at: datetime
    waited: bool
    tries: int
    picture: bytes | None


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """A silence. chat: None for everywhere. numbers: E.164, comma-separated, "" for all accounts."""

    id: int
    chat: int | None
    numbers: str
    until: datetime
    at: datetime
    user: int
    name: str
    reason: str


class Outbox:
    """The tables of what is owed. Every method raises StorageError if it cannot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- rows ---------------------------------------------------------------------------------------------------------

    async def write(self, connection: aiosqlite.Connection, owed: Iterable[Owed]) -> None:
        """Write what is owed, within the caller's transaction."""
        await connection.executemany(
            "INSERT INTO outbox (chat, kind, number, body, at, due_at, picture) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(o.chat, o.kind, o.number, o.body, _iso(o.at), _iso(o.at), o.picture) for o in owed],
        )

    async def put(self, owed: Iterable[Owed]) -> None:
        """Write what is owed, in a transaction of its own."""
        async with self._database.transaction() as connection:
            await self.write(connection, owed)

    async def release(self) -> int:
        """Take every claim back: the process that made them is gone. Returns how many there were."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute("UPDATE outbox SET claimed_until = NULL WHERE claimed_until IS NOT NULL")
            return cursor.rowcount

    async def waiting(self) -> Sequence[int]:
        """Return the chats that something is owed to."""
        rows = await self._database.rows("SELECT DISTINCT chat FROM outbox ORDER BY chat")
        return [row["chat"] for row in rows]

    async def numbers(self, kind: str) -> Sequence[str]:
        """Return the accounts that rows of this kind wait about."""
        rows = await self._database.rows("SELECT DISTINCT number FROM outbox WHERE kind = ?", (kind,))
        return [row["number"] for row in rows]

    async def claim(
        self, chat: int, kinds: Sequence[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[OwedRow]:
        """Take the chat's oldest due rows of these kinds, for nobody else to take before `until`."""
        marks = ", ".join("?" for _ in kinds)
        async with self._database.transaction() as connection:
            rows = await connection.execute_fetchall(
                f"SELECT * FROM outbox WHERE chat = ? AND kind IN ({marks}) AND due_at <= ?"  # noqa: S608 - marks only
                " AND (claimed_until IS NULL OR claimed_until <= ?) ORDER BY id LIMIT ?",
                (chat, *kinds, _iso(now), _iso(now), limit),
            )
            claimed = [_owed(row) for row in rows]
            await connection.executemany(
                "UPDATE outbox SET claimed_until = ?, tries = tries + 1 WHERE id = ?",
                [(_iso(until), row.id) for row in claimed],
            )
        return claimed

    async def settle(
        self, done: Iterable[int], incidents: Iterable[tuple[int, int, str]] = (), gone: Iterable[int] = ()
    ) -> None:
        """Keep incidents (id, chat, body); drop the rows that became them, and incidents that are gone: all or none."""
        async with self._database.transaction() as connection:
            await connection.executemany(
                "INSERT INTO incidents (id, chat, body) VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET chat = excluded.chat, body = excluded.body",
                list(incidents),
            )
            await connection.executemany("DELETE FROM outbox WHERE id = ?", [(row,) for row in done])
            await connection.executemany("DELETE FROM incidents WHERE id = ?", [(incident,) for incident in gone])

    async def postpone(self, rows: Iterable[int], until: datetime) -> None:
        """Let claimed rows wait until a silence ends."""
        async with self._database.transaction() as connection:
            await connection.executemany(
                "UPDATE outbox SET due_at = ?, waited = 1, claimed_until = NULL WHERE id = ?",
                [(_iso(until), row) for row in rows],
            )

    async def hasten(self, now: datetime) -> None:
        """Let whatever a silence holds back be due now; what another silence covers will be held back again."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE outbox SET due_at = ? WHERE waited = 1 AND due_at > ?", (_iso(now),) * 2)

    async def has_waiting(self, chat: int, number: str, kind: str) -> bool:
        """Tell whether a row about the account is held back by a silence."""
        rows = await self._database.rows(
            "SELECT 1 FROM outbox WHERE chat = ? AND number = ? AND kind = ? AND waited = 1 LIMIT 1",
            (chat, number, kind),
        )
        return bool(rows)

    # --- incidents ----------------------------------------------------------------------------------------------------

    async def incidents(self) -> Sequence[tuple[int, int, str]]:
        """Return all incidents that are kept as (id, chat, body), the oldest first."""
        rows = await self._database.rows("SELECT * FROM incidents ORDER BY id")
        return [(row["id"], row["chat"], row["body"]) for row in rows]

    # --- silences -----------------------------------------------------------------------------------------------------

    async def silences(self, now: datetime) -> Sequence[SilenceRow]:
        """Return the silences that last, and drop those that are over."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM silences WHERE until <= ?", (_iso(now),))
            rows = await connection.execute_fetchall("SELECT * FROM silences ORDER BY id")
            return [_silence(row) for row in rows]

    async def add_silence(
        self, *, chat: int | None, numbers: str, until: datetime, at: datetime, user: int, name: str, reason: str
    ) -> int:
        """Keep a silence; returns its id."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO silences (chat, numbers, until, at, user_id, name, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (chat, numbers, _iso(until), _iso(at), user, name, reason),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    async def end_silence(self, silence: int) -> None:
        """Drop a silence before its time."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM silences WHERE id = ?", (silence,))

    # --- chats --------------------------------------------------------------------------------------------------------

    async def topics(self, chat: int) -> dict[str, int]:
        """Return the forum's topics by account."""
        rows = await self._database.rows("SELECT number, topic FROM topics WHERE chat = ?", (chat,))
        return {row["number"]: row["topic"] for row in rows}

    async def set_topic(self, chat: int, number: str, topic: int | None) -> None:
        """Keep which topic is the account's; None if it has none any more."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM topics WHERE chat = ? AND number = ?", (chat, number))
            if topic is not None:
                await connection.execute(
                    "INSERT INTO topics (chat, number, topic) VALUES (?, ?, ?)", (chat, number, topic)
                )

    async def moved(self) -> dict[int, int]:
        """Return the groups that became supergroups, by their old ids."""
        return {row["chat"]: row["moved_to"] for row in await self._database.rows("SELECT * FROM moved_chats")}

    async def move(self, chat: int, to: int) -> None:
        """Let all that is owed to a chat be owed to the one that it has become; messages in the old one are lost."""
        async with self._database.transaction() as connection:
            await connection.execute("INSERT OR REPLACE INTO moved_chats (chat, moved_to) VALUES (?, ?)", (chat, to))
            await connection.execute("UPDATE moved_chats SET moved_to = ? WHERE moved_to = ?", (to, chat))
            await connection.execute("UPDATE outbox SET chat = ?, claimed_until = NULL WHERE chat = ?", (to, chat))
            await connection.execute("UPDATE silences SET chat = ? WHERE chat = ?", (to, chat))
            await connection.execute("DELETE FROM messages WHERE chat = ?", (chat,))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _owed(row: sqlite3.Row) -> OwedRow:
    return OwedRow(
        row["id"], row["chat"], row["kind"], row["number"], row["body"], datetime.fromisoformat(row["at"]),
        bool(row["waited"]), row["tries"], row["picture"],
    )  # fmt: skip


def _silence(row: sqlite3.Row) -> SilenceRow:
    return SilenceRow(
        row["id"], row["chat"], row["numbers"], datetime.fromisoformat(row["until"]), datetime.fromisoformat(row["at"]),
        row["user_id"], row["name"], row["reason"],
    )  # fmt: skip
