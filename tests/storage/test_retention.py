"""History past its retention is deleted, a bounded share at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from storage import retention
from storage.database import open_database
from storage.people import PeopleRecords
from storage.retention import Retention

NOW = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
BERLIN, PARIS = "+491511234567", "+33612345678"


@pytest.fixture
async def database(tmp_path):
    async with open_database(tmp_path / "switchboard.sqlite") as database:
        yield database


async def fill(database, days, number=BERLIN):
    """One transition and one row of the audit for each of these days ago."""
    async with database.transaction() as connection:
        for day in days:
            at = (NOW - timedelta(days=day)).isoformat()
            await connection.execute(
                "INSERT INTO transitions (number, at, from_state, to_state, reason, detail, attempt, errors)"
                " VALUES (?, ?, '', '', '', '', 0, 0)",
                (number, at),
            )
            await connection.execute(
                "INSERT INTO audit (at, user_id, command, outcome) VALUES (?, 1, 'link', 'ok')", (at,)
            )


async def ages(database, table):
    rows = await database.rows(f"SELECT at FROM {table} ORDER BY id")
    return [(NOW - datetime.fromisoformat(row["at"])).days for row in rows]


async def test_what_is_older_goes_and_the_rest_stays(database):
    await fill(database, [800, 400, 366, 364, 1, 0])
    assert await Retention(database).delete_history(NOW, YEAR) == 6
    assert await ages(database, "transitions") == await ages(database, "audit") == [364, 1, 0]
    assert await Retention(database).delete_history(NOW, YEAR) == 0


async def test_the_newest_transition_of_an_account_stays_however_old(database):
    await fill(database, [900, 800], PARIS)
    await fill(database, [700, 1])
    await Retention(database).delete_history(NOW, YEAR)
    assert await ages(database, "transitions") == [800, 1]


async def test_one_run_does_a_bounded_share_and_the_next_ones_the_rest(database, monkeypatch):
    monkeypatch.setattr(retention, "CHUNK", 3)
    monkeypatch.setattr(retention, "CHUNKS", 2)
    await fill(database, [*range(420, 400, -1), 0])
    left = []
    for _ in range(4):
        await Retention(database).delete_history(NOW, YEAR)
        left.append(len(await ages(database, "audit")))
    assert left == [15, 9, 3, 1]


async def test_a_row_of_a_clock_that_was_ahead_keeps_none_behind_it(database):
    await fill(database, [-4000, 500, 400, 0])
    await Retention(database).delete_history(NOW, YEAR)
    assert await ages(database, "audit") == [-4000, 0]


async def test_what_was_written_while_the_clock_was_behind_is_as_young_as_what_was_before_it(database, monkeypatch):
    monkeypatch.setattr(retention, "CHUNK", 2)
    await fill(database, [500, 2, 20000, 20000, 20000, 1])
    await Retention(database).delete_history(NOW, YEAR)
    assert await ages(database, "transitions") == await ages(database, "audit") == [2, 20000, 20000, 20000, 1]


async def test_strangers_are_forgotten(database):
    store = PeopleRecords(database)
    await store.first_meeting(1, "", NOW - timedelta(days=100))
    await store.first_meeting(2, "", NOW - timedelta(days=1))
    assert await Retention(database).delete_strangers(NOW - timedelta(days=90)) == 1
    assert await store.first_meeting(1, "", NOW)
    assert not await store.first_meeting(2, "", NOW)
