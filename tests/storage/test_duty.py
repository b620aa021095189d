"""The duty roster is read back as stored."""

from datetime import UTC, datetime

from controller.incidents import DutyOverride, Roster, Shift, Target
from storage.database import open_database
from storage.duty import DutyRecords

UNTIL = datetime(2026, 3, 1, 18, tzinfo=UTC)


async def test_a_roster_is_kept(tmp_path):
    roster = Roster(
        DutyOverride(None, "nobody", UNTIL),
        (Shift(1, "Ada", frozenset({0, 4}), 480, 1080), Shift(2, "Bob", frozenset(range(7)), 1080, 480)),
        (Target(2, "Bob"), Target(-100, "Night")),
    )
    async with open_database(tmp_path / "db") as database:
        await DutyRecords(database).save(Roster(targets=(Target(9, "gone"),)))
        await DutyRecords(database).save(roster)

        assert await DutyRecords(database).roster() == roster


async def test_without_one_nobody_is_on_duty(tmp_path):
    async with open_database(tmp_path / "db") as database:
        assert await DutyRecords(database).roster() == Roster()


async def test_a_turn_that_cannot_be_read_is_none(tmp_path):
    async with open_database(tmp_path / "db") as database:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO duty_turn (id, name, until) VALUES (1, 'Ada', 'noon')")

        assert await DutyRecords(database).roster() == Roster()
