"""Every call that storage makes of SQLite hangs, fails, or is cancelled, in turn: none of it is the end of anything.

A hang is a thread that blocks and heeds no interrupt, like a disk that stalls: the stand-in that `sqlite3` has none of.
"""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from aiosqlite import core

from storage import database as module
from storage.database import StorageError, UnknownOutcomeError, open_database
from tests.virtual_time import VirtualLoop, virtual, virtual_loop

TABLE = (("CREATE TABLE one (n INTEGER)",),)
SOON = 15.0
"""Real seconds within which whoever waits for a faulty statement must be free again."""
FREE_AFTER = module.DEADLINE + module.GRACE + 0.1
"""The same in virtual time: it passes while a faulty statement hangs, and during no other."""


class Fault:
    """Lets the call number `at` (from 0) of all calls of SQLite's thread go wrong."""

    def __init__(self, kind: str, at: int) -> None:
        self.kind, self.at, self.calls = kind, at, 0
        self.reached, self.release = asyncio.Event(), threading.Event()
        self.loop: VirtualLoop | None = None

    def arm(self) -> None:
        self.loop = virtual_loop()

    def end(self) -> None:
        self.release.set()
        if self.loop is not None:
            self.loop.stalled = False

    def _reach(self) -> None:
        """Let time pass from now on, after whoever waits for this moment has gone on."""
        assert self.loop is not None
        self.loop.stalled = self.kind != "fail" and not self.release.is_set()
        self.reached.set()

    def wrap(self, function):
        if self.loop is None:
            return function
        self.calls += 1
        if self.calls - 1 != self.at:
            return function

        def broken(*args, **kwargs):
            self.loop.call_soon_threadsafe(self._reach)
            if self.kind != "fail":
                self.release.wait()
            if self.kind != "hang":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            return function(*args, **kwargs)

        return broken


@pytest.fixture
def inject(monkeypatch):
    real = core.Connection._execute
    faults = []

    async def execute(self, fn, *args, **kwargs):
        return await real(self, faults[-1].wrap(fn) if faults else fn, *args, **kwargs)

    monkeypatch.setattr(core.Connection, "_execute", execute)

    def make(kind, at):
        faults.append(Fault(kind, at))
        return faults[-1]

    yield make
    for fault in faults:
        fault.end()


async def write(database):
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO one VALUES (1)")
        await connection.executemany("INSERT INTO one VALUES (?)", [(2,), (3,)])
        await connection.execute_fetchall("SELECT * FROM one")


async def write_at_once(database):
    await database.write(lambda: [("INSERT INTO one VALUES (?)", [(1,)]), ("INSERT INTO one VALUES (?)", [(2,), (3,)])])


async def read(database):
    await database.rows("SELECT * FROM one")


CALLS = [(write, at) for at in range(5)] + [(write_at_once, 0)] + [(read, 0)]
"""BEGIN, three statements and COMMIT; all of these at once; and one SELECT."""
COMMITS = [(write, 4), (write_at_once, 0)]


async def count(database):
    return (await database.rows("SELECT count(*) FROM one"))[0][0]


@virtual
async def test_these_are_all_the_calls(tmp_path, inject):
    async with open_database(tmp_path / "db", TABLE) as database:
        for work in (write, write_at_once, read):
            fault = inject("none", -1)
            fault.arm()
            await work(database)
            assert fault.calls == sum(1 for each, _ in CALLS if each is work)


@pytest.mark.parametrize(("work", "at"), CALLS)
@pytest.mark.parametrize("kind", ["hang", "fail"])
@virtual
async def test_a_call_that_hangs_or_fails_ends_at_its_deadline_and_the_next_goes_on(tmp_path, inject, work, at, kind):
    async with open_database(tmp_path / "db", TABLE) as database:
        fault = inject(kind, at)
        fault.arm()
        began = virtual_loop().time()
        with pytest.raises(StorageError) as raised:
            await work(database)
        assert virtual_loop().time() - began < FREE_AFTER
        assert raised.value.transient
        assert fault.reached.is_set()
        fault.end()
        if isinstance(raised.value, UnknownOutcomeError):
            assert await raised.value.committed()
            assert await count(database) == 3
        else:
            assert await count(database) == 0
        await write(database)
        assert await count(database) in {3, 6}


@pytest.mark.parametrize(("work", "at"), CALLS)
@pytest.mark.parametrize("kind", ["hang", "hang, then fail"])
@pytest.mark.parametrize("released", ["before it is noticed", "later"])
@virtual
async def test_a_cancellation_survives(tmp_path, inject, work, at, kind, released):
    async with open_database(tmp_path / "db", TABLE) as database:
        fault = inject(kind, at)
        fault.arm()
        task = asyncio.create_task(work(database))
        await fault.reached.wait()
        task.cancel()
        if released != "later":
            fault.end()
        done, _ = await asyncio.wait({task}, timeout=module.GRACE + 0.1)
        assert done, "it waits for what hangs"
        assert task.cancelled()
        fault.end()
        assert await count(database) in ({0, 3} if (work, at) in COMMITS else {0})
        await write(database)


@virtual
async def test_who_waits_for_a_turn_behind_a_call_that_hangs_leaves_at_the_deadline_or_when_cancelled(tmp_path, inject):
    async with open_database(tmp_path / "db", TABLE) as database:
        fault = inject("hang", 1)
        fault.arm()
        first = asyncio.create_task(write(database))
        await fault.reached.wait()
        second, third = asyncio.create_task(write(database)), asyncio.create_task(write(database))
        await asyncio.sleep(0.05)
        third.cancel()
        _, late = await asyncio.wait({first, second, third}, timeout=FREE_AFTER)
        assert not late
        assert third.cancelled()
        assert all(isinstance(task.exception(), StorageError) for task in (first, second))
        fault.end()
        assert await count(database) == 0


async def test_a_lock_of_another_program_keeps_no_cancellation_away(tmp_path):
    path = tmp_path / "db"
    async with open_database(path, TABLE) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        task = asyncio.create_task(write(database))
        await asyncio.sleep(0.3)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=module.DEADLINE / 2)
        assert done
        assert task.cancelled()
        other.close()
        await write(database)


async def test_a_long_select_is_interrupted(tmp_path, monkeypatch):
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    async with open_database(tmp_path / "db", TABLE) as database:
        began = time.monotonic()
        with monkeypatch.context() as hasty, pytest.raises(StorageError, match="no answer"):
            hasty.setattr(module, "DEADLINE", 0.2)
            await database.rows(endless)
        await write(database)
        assert time.monotonic() - began < SOON


HANGING_CLOSE = """
import asyncio, sys, threading
from pathlib import Path
from storage import database
database.CLOSE_SECONDS, database.GRACE, database.DEADLINE = 0.3, 0.1, 0.2

async def main():
    try:
        async with database.open_database(Path(sys.argv[1])) as opened:
            async with opened.transaction() as connection:
                await connection._execute(threading.Event().wait)
    except database.StorageError as error:
        print(error)

asyncio.run(main())
"""


def test_a_disk_that_hangs_for_ever_does_not_keep_the_program_from_ending(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HANGING_CLOSE, str(tmp_path / "db")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "no answer in 0.2 s" in done.stdout
    assert "could not be closed" in done.stderr
