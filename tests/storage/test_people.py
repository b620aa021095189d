"""People with access, and strangers, are read back as stored."""

from datetime import UTC, datetime, timedelta

from controller.stored import StoredPerson, Stranger
from storage.database import open_database
from storage.people import PeopleRecords

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


async def test_people_outlive_the_process(tmp_path):
    async with open_database(tmp_path / "db") as database:
        people = PeopleRecords(database)
        await people.save(7, "viewer", "Eve", added_by=1, at=NOW)
        await people.save(8, "operator", "Olga", added_by=1, at=NOW + timedelta(seconds=1))
        await people.save(7, "admin", "Eve", added_by=2, at=NOW + timedelta(days=1))
        await people.remove(8)
    async with open_database(tmp_path / "db") as database:
        assert await PeopleRecords(database).people() == [StoredPerson(7, "admin", "Eve", 1, NOW)]


async def test_a_stranger_is_met_for_the_first_time_once(tmp_path):
    async with open_database(tmp_path / "db") as database:
        assert await PeopleRecords(database).first_meeting(1, "Eve", NOW)
        assert not await PeopleRecords(database).first_meeting(1, "Eve", NOW)
    async with open_database(tmp_path / "db") as database:
        assert not await PeopleRecords(database).first_meeting(1, "Eve", NOW)


async def test_an_ignored_stranger_is_listed_no_more_and_one_who_was_let_in_is_none(tmp_path):
    async with open_database(tmp_path / "db") as database:
        people = PeopleRecords(database)
        for user in (1, 2, 3):
            await people.first_meeting(user, f"Eve {user}", NOW)
        await people.ignore(1)
        await people.save(2, "viewer", "Eve 2", added_by=9, at=NOW)
        assert await people.strangers() == [Stranger(3, "Eve 3", NOW)]
        assert await people.stranger(1) == Stranger(1, "Eve 1", NOW)
        assert await people.stranger(2) is None
        await people.remove(2)
        assert await people.first_meeting(2, "Eve 2", NOW), "whoever was removed knocks anew"
