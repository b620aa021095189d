"""What is kept of accounts comes back as it was given."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.accounts import AccountRow, Accounts, Standing, TransitionRow
from storage.database import StorageError, open_database

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
BERLIN = AccountRow(
    "+491511234567", "Support Berlin", 42, "idle", linked=False, state="IDLE", reason=None, detail="", since=NOW,
    block_ends_at=None,
)  # fmt: skip
BONN = replace(BERLIN, number="+4915112345999", name="", since=NOW + timedelta(seconds=1))
STEP = TransitionRow(BERLIN.number, NOW, "IDLE", "CONNECTING", "asked", None, "", 0, 0)


async def test_accounts_come_back_the_longest_served_first(tmp_path):
    path = tmp_path / "db"
    async with open_database(path) as database:
        accounts = Accounts(database)
        await accounts.add(BERLIN)
        await accounts.add(BONN)
    async with open_database(path) as database:
        assert await Accounts(database).all() == [BERLIN, BONN]


async def test_an_account_is_kept_once(tmp_path):
    async with open_database(tmp_path / "db") as database:
        accounts = Accounts(database)
        await accounts.add(BERLIN)
        with pytest.raises(StorageError, match="UNIQUE"):
            await accounts.add(BERLIN)


async def test_wishes_names_and_removal(tmp_path):
    async with open_database(tmp_path / "db") as database:
        accounts = Accounts(database)
        await accounts.add(BERLIN)
        await accounts.add(BONN)
        await accounts.want(BERLIN.number, "connected")
        await accounts.rename(BERLIN.number, "Sales")
        await accounts.remove(BONN.number)
        assert await accounts.all() == [replace(BERLIN, wanted="connected", name="Sales")]


async def test_transitions_are_appended_and_bring_the_account_up_to_date(tmp_path):
    ends = NOW + timedelta(days=1)
    async with open_database(tmp_path / "db") as database:
        accounts = Accounts(database)
        await accounts.add(BERLIN)
        later = TransitionRow(BERLIN.number, ends, "CONNECTING", "SUSPENDED", "banned", "stale", "why", 3, 2)
        standing = Standing(BERLIN.number, "SUSPENDED", "banned", "why", ends, linked=True, block_ends_at=ends)
        async with database.transaction() as connection:
            await accounts.record(connection, [STEP, later], [standing])
        assert await accounts.history(BERLIN.number, 10) == [later, STEP]
        assert await accounts.history(BERLIN.number, 1) == [later]
        assert await accounts.history(BONN.number, 10) == []
        assert await accounts.all() == [
            replace(
                BERLIN, linked=True, state="SUSPENDED", reason="banned", detail="why", since=ends, block_ends_at=ends
            )
        ]
        await accounts.remove(BERLIN.number)
        assert len(await accounts.history(BERLIN.number, 10)) == 2, "history outlives its account"


async def test_the_audit_keeps_who_when_and_what_came_of_it(tmp_path):
    async with open_database(tmp_path / "db") as database:
        await Accounts(database).audit(NOW, 42, "/suspend", BERLIN.number, "suspended")
        (row,) = await database.rows("SELECT * FROM audit")
        assert tuple(row)[1:] == (NOW.isoformat(), 42, "/suspend", BERLIN.number, "suspended")
