"""The database file: its modes, its migrations, its transactions, and what it refuses."""

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess

import pytest

from storage.database import URGENT_IN_A_ROW, NewerDatabaseError, StorageError, open_database
from storage.migrations import MIGRATIONS

AUDIT = "INSERT INTO audit (at, user_id, command, outcome) VALUES ('', 1, '', '')"
TWO = (("CREATE TABLE one (n INTEGER)",), ("CREATE TABLE two (n INTEGER)", "INSERT INTO two VALUES (2)"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "switchboard.sqlite"


async def test_folder_and_files_are_for_their_owner_only(path):
    before = os.umask(0)
    try:
        async with open_database(path) as database:
            async with database.transaction() as connection:
                await connection.execute(AUDIT)
            files = sorted(file.name for file in path.parent.iterdir())
            assert files == ["switchboard.sqlite", "switchboard.sqlite-shm", "switchboard.sqlite-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)


async def test_its_settings(path):
    async with open_database(path) as database:
        assert [row[0] for row in await database.rows("PRAGMA journal_mode")] == ["wal"]
        assert [row[0] for row in await database.rows("PRAGMA foreign_keys")] == [1]


async def test_migrations_are_applied_in_order_and_once(path):
    async with open_database(path, TWO[:1]) as database:
        assert (await database.rows("PRAGMA user_version"))[0][0] == 1
    for _ in range(2):
        async with open_database(path, TWO) as database:
            assert (await database.rows("PRAGMA user_version"))[0][0] == 2
            assert [row[0] for row in await database.rows("SELECT n FROM two")] == [2]


async def test_a_migration_that_fails_leaves_the_version_before(path):
    broken = (*TWO, ("CREATE TABLE three (n INTEGER)", "NONSENSE"))
    with pytest.raises(StorageError, match="NONSENSE"):
        async with open_database(path, broken):
            pass
    async with open_database(path, TWO) as database:
        tables = [row[0] for row in await database.rows("SELECT name FROM sqlite_master ORDER BY name")]
        assert tables == ["one", "two"]


async def test_a_newer_database_is_refused_and_left_as_it_is(path):
    async with open_database(path, (*MIGRATIONS, ("CREATE TABLE later (n INTEGER)",))):
        pass
    with pytest.raises(NewerDatabaseError, match="newer version of Switchboard"):
        async with open_database(path):
            pass
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
    assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    connection.close()


async def test_a_file_that_is_no_database_is_one_clear_line(path):
    path.parent.mkdir()
    path.write_bytes(b"x" * 5000)
    with pytest.raises(StorageError, match=r"not a database\. .* \(switchboard restore-backup FILE\)") as caught:
        async with open_database(path):
            pass
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"x" * 5000


async def test_damage_that_is_found_late_names_what_mends_it(path):
    async with open_database(path) as database:
        await database.write(lambda: [(AUDIT, [()])])
        pages = await database.rows("SELECT rootpage FROM sqlite_schema WHERE name = 'audit'")
    with path.open("r+b") as file:
        file.seek(4096 * (pages[0][0] - 1))
        file.write(b"x" * 4096)
    async with open_database(path) as database:
        with pytest.raises(StorageError, match=r"malformed\. .* restore-backup FILE") as caught:
            await database.rows("SELECT * FROM audit")
    assert str(path.parent) not in str(caught.value)
    assert not caught.value.transient


@pytest.fixture
def few_files(path):
    """Give the database a file system of its own that holds four files and folders."""
    path.parent.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=4", "none", path.parent], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield path.parent
    subprocess.run(["umount", "--lazy", path.parent], check=True)


async def test_a_file_system_without_room_for_another_file_may_have_it_later(path, few_files):
    """SQLite calls it CANTOPEN: its log cannot be made beside the database, although that itself can be opened."""
    async with open_database(path):
        pass
    with contextlib.suppress(OSError):
        for name in "abcd":
            (few_files / name).touch()
    with pytest.raises(StorageError, match="unable to open") as raised:
        async with open_database(path):
            pass
    assert raised.value.transient


async def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"db: File exists$"):
        async with open_database(tmp_path / "file" / "db"):
            pass


async def test_a_transaction_is_everything_or_nothing(path):
    async with open_database(path, TWO) as database:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO one VALUES (1)")
                raise ZeroDivisionError
        with pytest.raises(StorageError, match="no such table") as refused:
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO one VALUES (1)")
                await connection.execute("INSERT INTO nowhere VALUES (1)")
        assert str(path.parent) not in str(refused.value), "it may be shown in a chat"
        assert await database.rows("SELECT * FROM one") == []
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO one VALUES (3)")
        assert [row[0] for row in await database.rows("SELECT n FROM one")] == [3]


async def test_transactions_run_one_after_another(path):
    async with open_database(path, TWO) as database:

        async def add() -> None:
            async with database.transaction() as connection:
                ((n,),) = await connection.execute_fetchall("SELECT count(*) FROM one")
                await asyncio.sleep(0)
                await connection.execute("INSERT INTO one VALUES (?)", (n,))

        await asyncio.gather(*(add() for _ in range(20)))
        assert [row[0] for row in await database.rows("SELECT n FROM one ORDER BY n")] == list(range(20))


async def test_what_has_happened_already_is_recorded_before_whatever_waits(path):
    async with open_database(path, TWO) as database:

        def add(n: int, *, urgent: bool = False) -> asyncio.Task[None]:
            return asyncio.create_task(database.write(lambda: [("INSERT INTO one VALUES (?)", [(n,)])], urgent=urgent))

        async with database.transaction() as connection:
            writing = [add(n) for n in range(1, 4)]
            writing += [add(n, urgent=True) for n in range(4, 6)]
            await asyncio.sleep(0)
            for each in (writing[0], writing[4]):  # whoever gives up leaves its turn to the next
                each.cancel()
            await connection.execute("INSERT INTO one VALUES (0)")
        await asyncio.gather(*writing, return_exceptions=True)
        assert [row[0] for row in await database.rows("SELECT n FROM one ORDER BY rowid")] == [0, 4, 2, 3]


async def test_urgent_records_without_end_hold_up_nothing_else(path):
    async with open_database(path, TWO) as database:

        def add(n: int, *, urgent: bool) -> asyncio.Task[None]:
            return asyncio.create_task(database.write(lambda: [("INSERT INTO one VALUES (?)", [(n,)])], urgent=urgent))

        async with database.transaction():
            writing = [add(0, urgent=False), add(0, urgent=False), *(add(1, urgent=True) for _ in range(20))]
            await asyncio.sleep(0)
        await asyncio.gather(*writing)
        order = [row[0] for row in await database.rows("SELECT n FROM one ORDER BY rowid")]
        first = order.index(0)
        assert first <= URGENT_IN_A_ROW
        assert order.index(0, first + 1) <= 2 * URGENT_IN_A_ROW + 1


async def test_whoever_is_cancelled_when_its_turn_has_come_passes_it_on(path):
    async with open_database(path, TWO) as database:
        await database._turn.acquire()
        waiting = [asyncio.create_task(database.rows("SELECT 1")) for _ in range(2)]
        await asyncio.sleep(0)
        database._turn.release()
        waiting[0].cancel()
        assert len(await waiting[1]) == 1
        assert not database._turn.locked()


async def test_a_write_is_everything_or_nothing_and_reports_its_commit(path):
    committed = []
    async with open_database(path, TWO) as database:
        with pytest.raises(StorageError, match="no such table"):
            await database.write(
                lambda: [("INSERT INTO one VALUES (?)", [(1,)]), ("INSERT INTO nowhere VALUES (?)", [(1,)])],
                lambda: committed.append("the broken one"),
            )
        with pytest.raises(ZeroDivisionError):
            await database.write(lambda: 1 / 0, lambda: committed.append("no plan"))  # type: ignore[arg-type, return-value]
        await database.write(
            lambda: [("INSERT INTO one VALUES (?)", [(2,), (3,)])], lambda: committed.append("this one")
        )
        assert [row[0] for row in await database.rows("SELECT n FROM one")] == [2, 3]
        assert committed == ["this one"]


async def test_a_cancelled_transaction_leaves_the_next_one_a_clean_connection(path):
    async with open_database(path, TWO) as database:

        async def hang() -> None:
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO one VALUES (1)")
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        assert database._turn.locked()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO one VALUES (2)")
        assert [row[0] for row in await database.rows("SELECT n FROM one")] == [2]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("replaced", [True, False])
async def test_nothing_is_said_to_be_stored_in_a_file_that_nobody_finds_any_more(path, at_once, replaced):
    """Somebody deletes or moves it while the program runs, or puts an older backup in its place."""

    async def insert(database):
        if at_once:
            await database.write(lambda: [("INSERT INTO one VALUES (1)", [()])])
            return
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO one VALUES (1)")

    async with open_database(path, [["CREATE TABLE one (a)"]]) as database:
        await insert(database)
        path.rename(path.with_suffix(".moved"))
        if replaced:
            path.touch()
        with pytest.raises(StorageError, match="removed or replaced") as refused:
            await insert(database)
        assert (refused.value.transient, str(path.parent) in str(refused.value)) == (False, False)
        path.with_suffix(".moved").rename(path)
        await insert(database)
        assert len(await database.rows("SELECT * FROM one")) == 2


async def test_another_programs_lock_is_told(path, monkeypatch):
    monkeypatch.setattr("storage.database.BUSY_SECONDS", 0.05)
    async with open_database(path, TWO) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked"):
            async with database.transaction():
                pass
        with pytest.raises(StorageError, match="locked"):
            await database.write(lambda: [("INSERT INTO one VALUES (?)", [(0,)])])
        monkeypatch.setattr("storage.database.BUSY_SECONDS", 5.0)
        writing = asyncio.create_task(database.write(lambda: [("INSERT INTO one VALUES (?)", [(1,)])]))
        await asyncio.sleep(0.3)
        other.close()
        await writing
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO one VALUES (1)")
