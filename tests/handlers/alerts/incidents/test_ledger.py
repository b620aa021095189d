"""The books of all chats: what is stored together, and what a failure undoes."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from controller.accounts.reasons import Reason
from controller.incidents import Entry, Incident
from handlers.alerts.incidents.ledger import Draft, Ledger
from storage.accounts import AccountRecords
from storage.database import open_database
from storage.incidents import IncidentRecords

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
CHATS = (1001, 1002, 1003)


@pytest.fixture
async def database(tmp_path):
    async with open_database(tmp_path / "db") as database:
        yield database


@pytest.fixture
def commits(database):
    """The transactions that reached the disk, as their numbers of statements."""
    made, execute = [], database._connection._execute

    def counted(call, *arguments):
        if call.__name__ == "_execute_and_commit":
            made.append(len(arguments[1]))
        return execute(call, *arguments)

    database._connection._execute = counted
    return made


@pytest.fixture
async def ledger(database):
    ledger = Ledger(IncidentRecords(database), lambda _: None)
    await ledger.load()
    return ledger


def opened(chat: int):
    def change(draft: Draft) -> None:
        entry = Entry("+491511234567", Reason.LOGGED_OUT, AT)
        draft.put(draft.book(chat).put(Incident(draft.next_incident(), chat, AT, AT, (entry,))))

    return change


@contextlib.asynccontextmanager
async def busy(database):
    """The database has a transaction under way, behind which others wait."""
    async with database.transaction():
        yield
        await asyncio.sleep(0.01)


async def stored(database) -> list[int]:
    return [incident.chat for incident in await IncidentRecords(database).incidents()]


async def test_changes_that_wait_for_the_disk_are_stored_by_one_commit(database, ledger, commits):
    async with busy(database):
        waiting = [asyncio.ensure_future(ledger.update(opened(chat), urgent=True)) for chat in CHATS]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(commits) == 1
    assert await stored(database) == list(CHATS)
    assert [each.id for book in ledger.books() for each in book.incidents] == [1, 2, 3]


async def test_what_a_transition_stores_takes_along_what_waits(database, ledger, commits):
    accounts = AccountRecords(database)
    async with busy(database):
        transition = asyncio.ensure_future(accounts.record([], lambda _: ledger.plan(opened(1001))))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(ledger.update(opened(1002)))
        await asyncio.sleep(0)
    await asyncio.gather(transition, waiting)
    assert len(commits) == 1
    assert await stored(database) == [1001, 1002]


async def test_a_change_that_fails_takes_no_other_with_it(database, ledger):
    def fails(draft: Draft) -> None:
        opened(1002)(draft)
        raise ValueError("it cannot be computed")

    async with busy(database):
        waiting = [
            asyncio.ensure_future(ledger.update(change, urgent=True)) for change in (opened(1001), fails, opened(1003))
        ]
        await asyncio.sleep(0)
    one, error, other = await asyncio.gather(*waiting, return_exceptions=True)
    assert (one, other) == (None, None)
    assert isinstance(error, ValueError)
    assert await stored(database) == [1001, 1003]


async def test_a_commit_that_fails_stores_none_and_each_is_tried_by_itself(database, ledger, monkeypatch):
    write, failed = database.write, []

    async def fails_once(plan, on_commit=None, *, urgent=False):
        def spoilt():
            statements = list(plan())
            if not failed:
                failed.append(True)
                statements.append(("INSERT INTO no_such_table VALUES (?)", [(1,)]))
            return statements

        await write(spoilt, on_commit, urgent=urgent)

    monkeypatch.setattr(database, "write", fails_once)
    async with busy(database):
        waiting = [asyncio.ensure_future(ledger.update(opened(chat), urgent=True)) for chat in CHATS]
        await asyncio.sleep(0)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(each, OSError) for each in results] == [True, False, False]
    assert await stored(database) == [1002, 1003]
    assert ledger.book(1001).incidents == ()


async def test_a_change_whose_caller_has_gone_is_not_stored(database, ledger):
    async with busy(database):
        waiting = [asyncio.ensure_future(ledger.update(opened(chat), urgent=True)) for chat in CHATS]
        await asyncio.sleep(0)
        waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await stored(database) == [1001, 1003]
