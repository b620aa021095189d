"""Accounts, their transitions (append-only) and the audit of commands. Plain words, numbers and aware UTC times."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import aiosqlite

from storage.database import Database


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account. number: E.164; owner: the operator's id; wanted, state, reason: the controller's words."""

    number: str
    name: str
    owner: int
    wanted: str
    linked: bool
    state: str
    reason: str | None
    detail: str
    since: datetime
    block_ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class TransitionRow:
    """One transition. attempt, errors: the counters after it."""

    number: str
    at: datetime
    from_state: str
    to_state: str
    reason: str
    cause: str | None
    detail: str
    attempt: int
    errors: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account is after its newest transition."""

    number: str
    state: str
    reason: str
    detail: str
    since: datetime
    linked: bool
    block_ends_at: datetime | None


class Accounts:
    """The tables of accounts, transitions and audit. Every method raises StorageError if it cannot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[AccountRow]:
        """All accounts, the longest-served first."""
        rows = await self._database.rows("SELECT * FROM accounts ORDER BY added_at, rowid")
        return [_account(row) for row in rows]

    async def add(self, row: AccountRow) -> None:
        """Keep a new account."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.number, row.name, row.owner, row.wanted, row.linked, row.state, row.reason, row.detail,
                    row.since.isoformat(), _iso(row.block_ends_at), row.since.isoformat(),
                ),
            )  # fmt: skip

    async def want(self, number: str, wanted: str) -> None:
        """Keep what the account should be."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE accounts SET wanted = ? WHERE number = ?", (wanted, number))

    async def rename(self, number: str, name: str) -> None:
        """Keep what people call the account."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE accounts SET name = ? WHERE number = ?", (name, number))

    async def remove(self, number: str) -> None:
        """Forget the account. Its transitions stay."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM accounts WHERE number = ?", (number,))

    async def record(
        self, connection: aiosqlite.Connection, transitions: Iterable[TransitionRow], standings: Iterable[Standing]
    ) -> None:
        """Append transitions and bring their accounts up to date, within the caller's transaction."""
        await connection.executemany(
            "INSERT INTO transitions (number, at, from_state, to_state, reason, cause, detail, attempt, errors)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (t.number, t.at.isoformat(), t.from_state, t.to_state, t.reason, t.cause, t.detail, t.attempt, t.errors)
                for t in transitions
            ],
        )
        await connection.executemany(
            "UPDATE accounts SET state = ?, reason = ?, detail = ?, since = ?, linked = ?, block_ends_at = ?"
            " WHERE number = ?",
            [
                (s.state, s.reason, s.detail, s.since.isoformat(), s.linked, _iso(s.block_ends_at), s.number)
                for s in standings
            ],
        )

    async def history(self, number: str, limit: int) -> Sequence[TransitionRow]:
        """Return the account's newest transitions, the newest first."""
        rows = await self._database.rows(
            "SELECT * FROM transitions WHERE number = ? ORDER BY id DESC LIMIT ?", (number, limit)
        )
        return [
            TransitionRow(
                row["number"], datetime.fromisoformat(row["at"]), row["from_state"], row["to_state"], row["reason"],
                row["cause"], row["detail"], row["attempt"], row["errors"],
            )
            for row in rows
        ]  # fmt: skip

    async def audit(self, at: datetime, user_id: int, command: str, number: str | None, outcome: str) -> None:
        """Keep that a person changed something: who, when, what, and what came of it."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO audit (at, user_id, command, number, outcome) VALUES (?, ?, ?, ?, ?)",
                (at.isoformat(), user_id, command, number, outcome),
            )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _account(row: sqlite3.Row) -> AccountRow:
    ends = row["block_ends_at"]
    return AccountRow(
        number=row["number"],
        name=row["name"],
        owner=row["owner"],
        wanted=row["wanted"],
        linked=bool(row["linked"]),
        state=row["state"],
        reason=row["reason"],
        detail=row["detail"],
        since=datetime.fromisoformat(row["since"]),
        block_ends_at=None if ends is None else datetime.fromisoformat(ends),
    )
