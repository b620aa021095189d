"""The pulse: a beat is read back as written, and the next run finds how the last one ended."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.database import StorageError, open_database
from storage.pulse import LastRun, PulseRecords

NOW = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=46)


async def test_the_first_run_finds_nothing_before_it(tmp_path):
    async with open_database(tmp_path / "db") as database:
        pulse = PulseRecords(database, boot_id="one", started_at=NOW)
        await pulse.beat(NOW)

        assert await pulse.last() is None


async def test_what_a_killed_run_left_is_found_also_after_beats_of_the_next(tmp_path):
    async with open_database(tmp_path / "db") as database:
        await PulseRecords(database, boot_id="one", started_at=NOW, oom_kills=lambda: 7).beat(
            NOW + timedelta(seconds=15)
        )
    async with open_database(tmp_path / "db") as database:
        pulse = PulseRecords(database, boot_id="two", started_at=LATER)
        await pulse.beat(LATER)

        assert await pulse.last() == LastRun(NOW + timedelta(seconds=15), "one", NOW, 7)
        assert await PulseRecords(database, boot_id="three", started_at=LATER).last() == LastRun(LATER, "two", LATER)


async def test_an_orderly_end_is_kept_until_the_next_beat(tmp_path):
    async with open_database(tmp_path / "db") as database:
        pulse = PulseRecords(database, boot_id="one", started_at=NOW)
        await pulse.beat(NOW)
        await pulse.ended("SIGTERM", NOW)
        await pulse.beat(LATER)
        after = PulseRecords(database, boot_id="one", started_at=LATER)

        assert await after.last() == LastRun(LATER, "one", NOW, ended="SIGTERM")

        await after.beat(LATER)
        last = await PulseRecords(database, boot_id="one", started_at=LATER).last()

        assert last is not None
        assert last.ended == ""


async def test_a_beat_that_is_not_read_back_is_no_proof(tmp_path):
    async with open_database(tmp_path / "db") as database:
        async with database.transaction() as connection:
            await connection.execute("CREATE TRIGGER lost AFTER INSERT ON pulse BEGIN UPDATE pulse SET at = 'x'; END")
        with pytest.raises(StorageError, match="not what is read"):
            await PulseRecords(database, boot_id="one", started_at=NOW).beat(NOW)


async def test_a_row_that_cannot_be_read_is_no_run(tmp_path):
    async with open_database(tmp_path / "db") as database:
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO pulse (id, at, boot_id, started_at) VALUES (1, 'long ago', 'one', 'longer')"
            )

        assert await PulseRecords(database, boot_id="two", started_at=NOW).last() is None


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_file_that_is_not_where_it_was_is_no_beat(tmp_path, replaced):
    """Somebody moves DATA_DIR of a running program, or copies another database there."""
    (tmp_path / "data").mkdir()
    async with open_database(tmp_path / "data/switchboard.sqlite") as database:
        pulse = PulseRecords(database, boot_id="one", started_at=NOW)
        await pulse.beat(NOW)
        (tmp_path / "data").rename(tmp_path / "old")
        if replaced:
            (tmp_path / "data").mkdir()
            (tmp_path / "data/switchboard.sqlite").touch()
        with pytest.raises(StorageError, match="removed or replaced") as refused:
            await pulse.beat(LATER)
        assert str(tmp_path) not in str(refused.value), "it may be shown in a chat"
        (tmp_path / "data").rename(tmp_path / "other") if replaced else None
        (tmp_path / "old").rename(tmp_path / "data")
        await pulse.beat(LATER)
