"""Accounts, their transitions (append-only) and the audit log of commands, as the dataclasses of `controller`.

Enum values that this version does not know are read as unknown, and a row that cannot be parsed is skipped with a
warning: no single row can prevent the program from starting.
"""

import logging
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from controller.accounts.model import Wanted
from controller.accounts.notices import BuildLoaded, PastTransition, Transition
from controller.accounts.reasons import Reason, State
from controller.incidents import Changes
from controller.recorder import Absorb
from controller.registry import Account, UnknownAccountError
from controller.stored import AuditEntry, StoredProxy
from storage import incidents, tolerant
from storage.database import Database, Rows, UnknownOutcomeError
from storage.page_loads import PageLoads

log = logging.getLogger(__name__)


class AccountRecords:
    """Implements the registry's `AccountStore` and the recorder's `TransitionStore`. Methods raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._removed: dict[str, str] = {}
        """Replacement keys for the numbers of removed accounts: whatever they still report is stored under these."""
        self._uncertain: tuple[tuple[Transition, ...], UnknownOutcomeError] | None = None
        """The transitions of a commit that timed out, and the error that can tell whether it was made after all."""

    async def accounts(self) -> Sequence[Account]:
        """Return all accounts, oldest first."""
        rows = await self._database.rows("SELECT * FROM accounts ORDER BY added_at, rowid")
        return [account for row in rows if (account := _account(row)) is not None]

    async def add_account(self, account: Account) -> None:
        """Insert a new account."""
        now = (account.since or datetime.now(UTC)).isoformat()
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO accounts (number, name, owner, wanted, linked, state, reason, detail, since,"
                " block_ends_at, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    account.number, account.name, account.owner, account.wanted, account.linked, account.state,
                    account.reason, account.detail, now, _iso(account.block_ends_at), now,
                ),
            )  # fmt: skip
        self._removed.pop(account.number, None)

    async def set_wanted(self, number: str, wanted: Wanted) -> None:
        """Set the state that the account should be in."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE accounts SET wanted = ? WHERE number = ?", (wanted, number))

    async def rename(self, number: str, name: str) -> None:
        """Set the account's display name."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE accounts SET name = ? WHERE number = ?", (name, number))

    async def change_owner(self, number: str, owner: int) -> None:
        """Set the account's owner."""
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE accounts SET owner = ? WHERE number = ?", (owner, number))

    async def remove_account(self, number: str) -> None:
        """Delete the account. Its transitions and audit rows remain, under an anonymous key."""
        word = f"removed-{secrets.token_hex(4)}"
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM accounts WHERE number = ?", (number,))
            await connection.execute("DELETE FROM account_proxies WHERE number = ?", (number,))
            await connection.execute("UPDATE transitions SET number = ?, detail = '' WHERE number = ?", (word, number))
            await connection.execute(
                "UPDATE audit SET outcome = 'renamed' WHERE number = ? AND command = 'rename'", (number,)
            )
            await connection.execute(
                "UPDATE audit SET number = trim(replace(',' || number || ',', ',' || ? || ',', ',' || ? || ','), ',')"
                " WHERE instr(',' || number || ',', ',' || ? || ',')",
                (number, word, number),
            )
            await connection.execute("DELETE FROM page_loads WHERE number = ?", (number,))
            await connection.execute("UPDATE builds SET by_number = '' WHERE by_number = ?", (number,))
            await connection.execute("DELETE FROM topics WHERE number = ?", (number,))
            await connection.execute("DELETE FROM silences WHERE numbers = ?", (number,))
            await connection.execute("UPDATE feeds SET words = replace(words, ?, '')", (number,))
        self._removed[number] = word

    async def record(self, transitions: Sequence[Transition], absorb: Absorb | None = None) -> None:
        """Append transitions, update their accounts and store what `absorb` returns, all in one transaction.

        A transition within one state adds no row but may still raise an alert. Transitions that are recorded again
        after a commit of unknown outcome are not written twice.
        """
        if self._uncertain is not None:
            earlier, unknown = self._uncertain
            written = await unknown.committed()
            self._uncertain = None
            if written and earlier == tuple(transitions):
                return
        try:
            await self._record(transitions, absorb)
        except UnknownOutcomeError as error:
            self._uncertain = tuple(transitions), error
            raise

    async def _record(self, transitions: Sequence[Transition], absorb: Absorb | None) -> None:
        changes = Changes()

        def committed() -> None:
            changes.committed()

        def plan() -> Sequence[tuple[str, Rows]]:
            nonlocal changes
            if absorb is not None:
                changes = absorb(transitions)
            return [*self._statements(transitions), *incidents.statements(changes)]

        await self._database.write(plan, committed)

    def _statements(self, transitions: Sequence[Transition]) -> list[tuple[str, Rows]]:
        moves = [each for each in transitions if not each.within_state]
        newest = {each.number: each for each in moves}
        return [
            (
                (
                    "INSERT INTO transitions (number, at, from_state, to_state, reason, cause, detail, attempt, errors)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                ),
                [
                    (
                        self._removed.get(t.number, t.number), t.at.isoformat(), t.before, t.state, t.reason, t.cause,
                        "" if t.number in self._removed else t.detail, t.attempts, t.errors,
                    )
                    for t in moves
                ],
            ),
            (
                (
                    "UPDATE accounts SET state = ?, reason = ?, cause = ?, detail = ?, since = ?, linked = ?,"
                    " block_ends_at = ?, attempts = ?, errors = ? WHERE number = ?"
                ),
                [
                    (
                        t.state, t.reason, t.cause, t.detail, t.at.isoformat(), t.linked, _iso(t.block_ends_at),
                        t.attempts, t.errors, t.number,
                    )
                    for t in newest.values()
                ],
            ),
            (
                "UPDATE accounts SET alias = ? WHERE number = ?",
                list({(t.alias, t.number) for t in transitions if t.alias is not None}),
            ),
        ]  # fmt: skip

    async def history(self, number: str, limit: int) -> Sequence[PastTransition]:
        """Return the account's latest transitions, newest first."""
        rows = await self._database.rows(
            "SELECT * FROM transitions WHERE number = ? ORDER BY id DESC LIMIT ?", (number, limit)
        )
        return [
            PastTransition(
                at=at,
                from_state=row["from_state"],
                to_state=row["to_state"],
                reason=tolerant.member(Reason, row["reason"], Reason.UNKNOWN),
                cause=None if row["cause"] is None else tolerant.member(Reason, row["cause"], Reason.UNKNOWN),
                detail=row["detail"],
            )
            for row in rows
            if (at := tolerant.time(row["at"])) is not None
        ]

    async def loads(self, number: str, limit: int) -> Sequence[BuildLoaded]:
        """Return the page builds that the account has loaded, newest first."""
        return await PageLoads(self._database).loads(number, limit)

    async def audit_trail(
        self,
        limit: int,
        offset: int = 0,
        *,
        number: str | None = None,
        user: int | None = None,
        command: str | None = None,
    ) -> Sequence[AuditEntry]:
        """Return audit rows, newest first: of an account, a user or a command where that is given."""
        rows = await self._database.rows(
            "SELECT at, user_id, command, number, outcome FROM audit WHERE"
            " (?1 IS NULL OR instr(',' || number || ',', ',' || ?1 || ',')) AND (?2 IS NULL OR user_id = ?2)"
            " AND (?3 IS NULL OR command = ?3) ORDER BY rowid DESC LIMIT ?4 OFFSET ?5",
            (number, user, command, limit, offset),
        )
        return [
            AuditEntry(at, row["user_id"], row["command"], row["number"], row["outcome"])
            for row in rows
            if (at := tolerant.time(row["at"])) is not None
        ]

    async def audit(self, at: datetime, user_id: int, command: str, number: str | None, outcome: str) -> None:
        """Append an audit row: who ran which command when, on which account, and its outcome."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO audit (at, user_id, command, number, outcome) VALUES (?, ?, ?, ?, ?)",
                (at.isoformat(), user_id, command, number, outcome),
            )


class ProxyRecords:
    """The table of proxies that accounts have of their own. Every method raises StorageError if it cannot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def proxies(self) -> Sequence[StoredProxy]:
        """Return all."""
        rows = await self._database.rows("SELECT * FROM account_proxies ORDER BY number")
        return [StoredProxy(row["number"], row["server"], row["login"], bool(row["encrypted"])) for row in rows]

    async def save_proxy(self, number: str, server: str, login: str, *, encrypted: bool) -> None:
        """Insert or replace an account's proxy. Raises UnknownAccountError if the account was removed meanwhile."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO account_proxies (number, server, login, encrypted)"
                " SELECT number, ?, ?, ? FROM accounts WHERE number = ?"
                " ON CONFLICT (number) DO UPDATE SET server = excluded.server, login = excluded.login,"
                " encrypted = excluded.encrypted",
                (server, login, encrypted, number),
            )
            if cursor.rowcount == 0:
                raise UnknownAccountError(number)

    async def remove_proxy(self, number: str) -> None:
        """Delete an account's proxy."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM account_proxies WHERE number = ?", (number,))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _account(row: sqlite3.Row) -> Account | None:
    """Parse an account; returns None, with a warning, if the row is malformed."""
    try:
        return Account(
            number=row["number"],
            name=row["name"],
            owner=row["owner"],
            wanted=tolerant.member(Wanted, row["wanted"], Wanted.IDLE),
            linked=bool(row["linked"]),
            state=tolerant.member(State, row["state"], State.DISCONNECTED),
            reason=None if row["reason"] is None else tolerant.member(Reason, row["reason"], Reason.UNKNOWN),
            detail=row["detail"],
            since=tolerant.time(row["since"]),
            block_ends_at=tolerant.time(row["block_ends_at"]),
            cause=None if row["cause"] is None else tolerant.member(Reason, row["cause"], Reason.UNKNOWN),
            attempts=row["attempts"],
            errors=row["errors"],
            alias=row["alias"],
        )
    except (IndexError, TypeError, ValueError) as error:
        log.warning("An account in the database cannot be read and is left out: %s", error)
        return None
