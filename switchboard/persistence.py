"""What the registry and the recorder keep, put into the storage's rows and read back from them.

The only place where the controller's words and the database's rows meet.
"""

from collections.abc import Sequence
from typing import Protocol

import aiosqlite

from controller.accounts.model import Wanted
from controller.accounts.notices import Transition
from controller.accounts.reasons import Reason, State
from controller.manager import utc_now
from controller.registry import Account
from storage.accounts import AccountRow, Accounts, Standing, TransitionRow
from storage.database import Database, UnknownOutcomeError


class Owed(Protocol):
    """Writes what transitions owe to people, in the transaction that stores them."""

    async def __call__(self, connection: aiosqlite.Connection, transitions: Sequence[Transition]) -> None:
        """Write the messages owed."""


class Memory:
    """The `AccountStore` of the registry and the `TransitionStore` of the recorder, over one database."""

    def __init__(self, database: Database, accounts: Accounts, owed: Owed | None = None) -> None:
        self._database, self._accounts, self._owed = database, accounts, owed
        self._uncertain: tuple[tuple[Transition, ...], UnknownOutcomeError] | None = None
        """What was to be recorded in a commit that hung, and how to learn what came of it."""

    async def accounts(self) -> Sequence[Account]:
        return [
            Account(
                number=row.number,
                name=row.name,
                owner=row.owner,
                wanted=Wanted(row.wanted),
                linked=row.linked,
                state=State(row.state),
                reason=None if row.reason is None else Reason(row.reason),
                detail=row.detail,
                since=row.since,
                block_ends_at=row.block_ends_at,
            )
            for row in await self._accounts.all()
        ]

    async def add_account(self, account: Account) -> None:
        await self._accounts.add(
            AccountRow(
                account.number, account.name, account.owner, account.wanted, account.linked, account.state,
                account.reason, account.detail, account.since or utc_now(), account.block_ends_at,
            )
        )  # fmt: skip

    async def want(self, number: str, wanted: Wanted) -> None:
        await self._accounts.want(number, wanted)

    async def rename(self, number: str, name: str) -> None:
        await self._accounts.rename(number, name)

    async def remove_account(self, number: str) -> None:
        await self._accounts.remove(number)

    async def record(self, transitions: Sequence[Transition]) -> None:
        """Append transitions, bring their accounts up to date, and write what they owe: in one transaction.

        One within a state is no row, but what it owes is owed all the same. When the same are recorded again after a
        commit whose outcome was not known, they are not written twice.
        """
        if self._uncertain is not None:
            earlier, unknown = self._uncertain
            written = await unknown.committed()
            self._uncertain = None
            if written and earlier == tuple(transitions):
                return
        try:
            await self._record(transitions)
        except UnknownOutcomeError as error:
            self._uncertain = tuple(transitions), error
            raise

    async def _record(self, transitions: Sequence[Transition]) -> None:
        moves = [t for t in transitions if not t.within_state]
        newest = {t.number: t for t in moves}
        async with self._database.transaction() as connection:
            await self._accounts.record(
                connection,
                (
                    TransitionRow(t.number, t.at, t.before, t.state, t.reason, t.cause, t.detail, t.attempts, t.errors)
                    for t in moves
                ),
                (
                    Standing(t.number, t.state, t.reason, t.detail, t.at, t.linked, t.block_ends_at)
                    for t in newest.values()
                ),
            )
            if self._owed is not None:
                await self._owed(connection, transitions)
