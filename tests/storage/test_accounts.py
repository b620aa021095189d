"""Accounts are read back as stored; what another version wrote costs a value, but never the start."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.accounts.model import Stage, Wanted
from controller.accounts.notices import PastTransition, Transition
from controller.accounts.reasons import Reason, State
from controller.registry import Account
from storage.accounts import AccountRecords
from storage.database import StorageError, open_database

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
BERLIN = Account("+491511234567", "Support Berlin", 42, since=NOW)
BONN = replace(BERLIN, number="+4915112345999", name="", since=NOW + timedelta(seconds=1))


def transition(before: State, state: State, reason: Reason, at: datetime = NOW, **more) -> Transition:
    given = {
        "number": BERLIN.number, "at": at, "before": before, "state": state, "stage": None, "reason": reason,
        "cause": None, "detail": "", "attempts": 0, "max_attempts": 10, "errors": 0, "linked": False,
    }  # fmt: skip
    return Transition(**(given | more))


STEP = transition(State.IDLE, State.CONNECTING, Reason.ASKED)


async def test_accounts_come_back_the_longest_served_first(tmp_path):
    path = tmp_path / "db"
    async with open_database(path) as database:
        records = AccountRecords(database)
        await records.add_account(BERLIN)
        await records.add_account(BONN)
    async with open_database(path) as database:
        assert await AccountRecords(database).accounts() == [BERLIN, BONN]


async def test_an_account_is_kept_once(tmp_path):
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        await records.add_account(BERLIN)
        with pytest.raises(StorageError, match="UNIQUE"):
            await records.add_account(BERLIN)


async def test_wishes_names_and_removal(tmp_path):
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        await records.add_account(BERLIN)
        await records.add_account(BONN)
        await records.set_wanted(BERLIN.number, Wanted.CONNECTED)
        await records.rename(BERLIN.number, "Sales")
        await records.remove_account(BONN.number)
        assert await records.accounts() == [replace(BERLIN, wanted=Wanted.CONNECTED, name="Sales")]


async def test_transitions_are_appended_and_bring_the_account_up_to_date(tmp_path):
    ends = NOW + timedelta(days=1)
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        await records.add_account(BERLIN)
        banned = transition(
            State.CONNECTING, State.SUSPENDED, Reason.BANNED, ends, cause=Reason.STALE, detail="why", linked=True,
            block_ends_at=ends, attempts=3, errors=2,
        )  # fmt: skip
        within = replace(STEP, stage=Stage.LAUNCHING, within_state=True)
        confirmed = replace(within, alias="+49151123456")
        await records.record([STEP, within, confirmed, banned])
        first = PastTransition(NOW, "IDLE", "CONNECTING", Reason.ASKED)
        last = PastTransition(ends, "CONNECTING", "SUSPENDED", Reason.BANNED, Reason.STALE, "why")
        assert await records.history(BERLIN.number, 10) == [last, first]
        assert await records.history(BERLIN.number, 1) == [last]
        assert await records.history(BONN.number, 10) == []
        assert await records.accounts() == [
            replace(
                BERLIN, linked=True, state=State.SUSPENDED, reason=Reason.BANNED, detail="why", since=ends,
                block_ends_at=ends, cause=Reason.STALE, attempts=3, errors=2, alias="+49151123456",
            )
        ]  # fmt: skip
        await records.remove_account(BERLIN.number)
        (kept,) = await database.rows("SELECT count(*) FROM transitions")
        assert kept[0] == 2, "history outlives its account"


async def test_what_is_left_of_a_removed_account_does_not_say_whose_it_was(tmp_path):
    longer = replace(BONN, number=BERLIN.number + "8")
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        for account in (BERLIN, longer):
            await records.add_account(account)
            await records.record([replace(STEP, number=account.number, detail="of a phone")])
        await records.audit(NOW, 1, "rename", BERLIN.number, "renamed to Support Berlin")
        await records.audit(NOW, 1, "silence", f"{longer.number},{BERLIN.number}", "until 14:00")
        await records.remove_account(BERLIN.number)
        await records.record([replace(STEP, detail="late")])
        rows = await database.rows("SELECT number, detail FROM transitions ORDER BY id")
        word = rows[0]["number"]
        assert word.startswith("removed-")
        assert [tuple(row) for row in rows] == [(word, ""), (longer.number, "of a phone"), (word, "")]
        kept = [tuple(row) for row in await database.rows("SELECT number, outcome FROM audit ORDER BY id")]
        assert kept == [(word, "renamed"), (f"{longer.number},{word}", "until 14:00")]
        await records.add_account(BERLIN)
        await records.record([STEP])
        assert len(await records.history(BERLIN.number, 9)) == 1


async def test_words_of_another_version_are_read_as_unknown_with_one_warning_each(tmp_path, caplog):
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        for account in (BERLIN, BONN):
            await records.add_account(replace(account, wanted=Wanted.CONNECTED, linked=True))
        async with database.transaction() as connection:
            await connection.execute("UPDATE accounts SET state = 'HIBERNATING', reason = 'moon_phase'")
            await connection.execute(
                "INSERT INTO transitions VALUES (1, ?, ?, 'IDLE', 'HIBERNATING', 'moon_phase', 'tides', '', 0, 0)",
                (BERLIN.number, NOW.isoformat()),
            )
        for _ in range(2):
            read = await records.accounts()
            assert [(each.state, each.reason) for each in read] == [(State.DISCONNECTED, Reason.UNKNOWN)] * 2
            (past,) = await records.history(BERLIN.number, 10)
            assert (past.to_state, past.reason, past.cause) == ("HIBERNATING", Reason.UNKNOWN, Reason.UNKNOWN)
        warned = [each.getMessage() for each in caplog.records]
        for unknown in ("HIBERNATING", "moon_phase", "tides"):
            assert len([line for line in warned if unknown in line]) == 1


async def test_a_moment_that_cannot_be_read_costs_the_moment(tmp_path):
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        await records.add_account(BERLIN)
        async with database.transaction() as connection:
            await connection.execute("UPDATE accounts SET since = 'yesterday', block_ends_at = '2026-01-01T12:00:00'")
        (account,) = await records.accounts()
        assert account.since is None
        assert account.block_ends_at == datetime(2026, 1, 1, 12, 0, tzinfo=UTC), "a moment without a zone is UTC"


async def test_the_audit_keeps_who_when_and_what_came_of_it(tmp_path):
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        await records.audit(NOW, 42, "/suspend", BERLIN.number, "suspended")
        await records.audit(NOW, 43, "silence", f"{BONN.number},{BERLIN.number}", "until noon")
        await records.audit(NOW, 42, "duty", None, "me")
        assert [each.command for each in await records.audit_trail(2)] == ["duty", "silence"]
        assert [each.command for each in await records.audit_trail(5, 2)] == ["/suspend"]
        assert [each.command for each in await records.audit_trail(5, number=BERLIN.number)] == ["silence", "/suspend"]
        assert [each.command for each in await records.audit_trail(5, user=42)] == ["duty", "/suspend"]
        assert [each.user for each in await records.audit_trail(5, command="silence")] == [43]
        row, *_ = await database.rows("SELECT * FROM audit")
        assert tuple(row)[1:] == (NOW.isoformat(), 42, "/suspend", BERLIN.number, "suspended")
