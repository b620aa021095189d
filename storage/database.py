"""The one SQLite file: opening it, its settings, its migrations, and the one connection that all stores share.

A transaction is `async with database.transaction() as connection`; they run one after another. Whatever SQLite or the
disk refuses comes out as `StorageError`, and so does a statement that has not ended by its deadline. SQLite runs in a
thread that no cancellation reaches, so whoever waits for it leaves at once, and the turn passes on when the thread is
idle again. What never lives here: what the tables mean (the other modules of `storage`).
"""

import asyncio
import contextlib
import errno
import functools
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from storage.migrations import MIGRATIONS, Statement

T = TypeVar("T")
log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""How long another process's lock on the file is waited for."""
DEADLINE = 20.0
"""Seconds that a transaction may take in all: the wait for its turn, its statements, and its commit."""
GRACE = 2.0
"""Seconds that a cancelled or failed transaction waits for its rollback; after that it ends behind its back."""
CLOSE_SECONDS = 4.0
"""Seconds that closing may take."""

_BUSY_STEP = 0.05
_THREAD_BUSY_SECONDS = 0.2
"""How long SQLite itself waits for a lock: in its thread, where nothing can end it."""

_PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA,
}  # fmt: skip
_PASSING_ERRNO = {
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EBUSY,
    errno.ESTALE, errno.ETIMEDOUT, errno.EINTR,
}  # fmt: skip


class StorageError(OSError):
    """The database cannot be opened, read or written. Its text is one line for people.

    heals: whether trying again later may work, as with a full disk or another program's lock.
    """

    def __init__(self, text: str, *, heals: bool = False) -> None:
        super().__init__(text)
        self.heals = heals


class NewerDatabaseError(StorageError):
    """The database was made by a newer version of the program."""


class UnknownOutcomeError(StorageError):
    """The commit did not end by its deadline: whether it will have been made is known by `committed`."""

    def __init__(self, text: str, commit: "asyncio.Future[None]") -> None:
        super().__init__(text, heals=True)
        self._commit = commit

    async def committed(self) -> bool:
        """Wait for the commit to end, however long that takes; return whether it was made."""
        await asyncio.wait({self._commit})
        return not self._commit.cancelled() and self._commit.exception() is None


def passes(error: BaseException) -> bool:
    """Return whether an error of storage, SQLite or the system may be gone when the same is tried later."""
    if isinstance(error, StorageError):
        return error.heals
    if isinstance(error, sqlite3.Error):
        return _code(error) in _PASSING
    return isinstance(error, OSError) and error.errno in _PASSING_ERRNO


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # those of Python's own have none


class Database:
    """An open database. Make it with `open_database`."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._rolling_back: asyncio.Task[None] | None = None
        self.path = path

    @contextlib.asynccontextmanager
    async def transaction(self, on_commit: Callable[[], None] | None = None) -> AsyncIterator[aiosqlite.Connection]:
        """Everything or nothing: committed when the block ends, rolled back if it raises or is cancelled.

        on_commit: called once it is committed and before the next one begins, also where nobody waits for that any
        more. Raises StorageError, UnknownOutcomeError.
        """
        commit: asyncio.Future[None] | None = None
        try:
            async with self._taking_turns() as connection:
                await _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
                yield connection
                commit = asyncio.ensure_future(connection.commit())
                commit.add_done_callback(functools.partial(_after, on_commit))
                await asyncio.shield(commit)
        except StorageError as error:
            if commit is not None and not commit.done():
                raise UnknownOutcomeError(str(error), commit) from error
            raise

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Read. Sees what earlier transactions have written, and nothing of one under way. Raises StorageError."""
        async with self._taking_turns() as connection:
            return list(await _patiently(lambda: connection.execute_fetchall(sql, parameters)))

    @contextlib.asynccontextmanager
    async def _taking_turns(self) -> AsyncIterator[aiosqlite.Connection]:
        """Hold the connection, until `DEADLINE` at most; what the block leaves open is rolled back."""
        try:
            async with asyncio.timeout(DEADLINE) as deadline:
                await self._turn.acquire()
                try:
                    yield self._connection
                except BaseException:
                    await self._settle()
                    raise
                self._turn.release()
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise StorageError(f"{self.path}: no answer in {DEADLINE:g} s", heals=True) from error
        except sqlite3.Error as error:
            raise StorageError(f"{self.path}: {error}", heals=passes(error)) from error

    async def _settle(self) -> None:
        """Roll back, and give the turn away once the connection is idle: a statement that hangs outlives its caller."""
        self._rolling_back = asyncio.create_task(self._roll_back(), name="rollback")
        self._rolling_back.add_done_callback(lambda _: self._turn.release())
        await asyncio.wait({self._rolling_back}, timeout=GRACE)

    async def _roll_back(self) -> None:
        rollback = asyncio.ensure_future(self._connection.rollback())  # queued behind whatever is under way
        rollback.add_done_callback(_retrieved)
        while not (await asyncio.wait({rollback}, timeout=_BUSY_STEP))[0]:
            await _interrupt(self._connection)
        if not rollback.cancelled() and (error := rollback.exception()) is not None:
            log.debug("Nothing could be rolled back: %s", error)  # SQLite has done so itself, or it is closed


def _retrieved(rollback: "asyncio.Future[None]") -> None:
    """Read what came of a rollback that nobody waits for any more: the connection may be closed by then."""
    if not rollback.cancelled():
        rollback.exception()


async def _interrupt(connection: aiosqlite.Connection) -> None:
    with contextlib.suppress(ValueError):  # closed meanwhile
        await connection.interrupt()


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Try again while another program holds the file, for `BUSY_SECONDS`: here, where a cancellation ends it."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + BUSY_SECONDS
    while True:
        try:
            return await call()
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or loop.time() >= ends_at:
                raise
        await asyncio.sleep(_BUSY_STEP)


def _after(on_commit: Callable[[], None] | None, commit: "asyncio.Future[None]") -> None:
    """Read the outcome, so that one that nobody waits for any more is not logged at length, and pass it on."""
    if not commit.cancelled() and commit.exception() is None and on_commit is not None:
        on_commit()


@contextlib.asynccontextmanager
async def open_database(path: Path, migrations: Sequence[Sequence[Statement]] = MIGRATIONS) -> AsyncIterator[Database]:
    """Open, and where need be create, the database at `path`: folder 0700, file 0600, all migrations applied.

    Raises StorageError, NewerDatabaseError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)  # a link could lead anywhere
        try:
            os.fchmod(file, 0o600)
        finally:
            os.close(file)
        connection = aiosqlite.connect(path, isolation_level=None, timeout=_THREAD_BUSY_SECONDS)
        connection._thread.daemon = True  # noqa: SLF001 - a disk that hangs must not keep the program from ending
        await connection
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", heals=passes(error)) from error
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}", heals=passes(error)) from error
    try:
        try:
            await _prepare(connection, path, migrations)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}", heals=passes(error)) from error
        yield Database(connection, path)
    finally:
        await _close(connection)


async def _close(connection: aiosqlite.Connection) -> None:
    """Close once what is under way has ended; where it hangs, leave it to the end of the process."""
    closed = connection.stop()  # unlike `close` it leaves nothing behind that would wait for ever
    if closed is None:
        return
    with_interrupt = max(0.0, CLOSE_SECONDS - GRACE)
    if (await asyncio.wait({closed}, timeout=with_interrupt))[0]:
        return
    await _interrupt(connection)
    if not (await asyncio.wait({closed}, timeout=CLOSE_SECONDS - with_interrupt))[0]:
        log.error("The database could not be closed: the disk does not answer. What was committed is kept")


async def _prepare(connection: aiosqlite.Connection, path: Path, migrations: Sequence[Sequence[Statement]]) -> None:
    connection.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        await _patiently(lambda pragma=pragma: connection.execute(f"PRAGMA {pragma}"))  # type: ignore[misc]
    ((version,),) = await _patiently(lambda: connection.execute_fetchall("PRAGMA user_version"))
    if version > len(migrations):
        raise NewerDatabaseError(
            f"{path} was made by a newer version of Switchboard (its schema is {version}, this one knows"
            f" {len(migrations)}): update the program, or point DATA_DIR elsewhere. Nothing was changed."
        )
    for number, statements in enumerate(migrations[version:], start=version + 1):
        await _patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
        try:
            for statement in statements:
                await (connection.execute(statement) if isinstance(statement, str) else statement(connection))
            await connection.execute(f"PRAGMA user_version = {number}")
        except sqlite3.Error:
            await connection.rollback()
            raise
        await connection.commit()
