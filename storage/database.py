"""The SQLite file: opening, pragmas, migrations, and the one connection that all stores share.

Use `async with database.transaction() as connection`, or `database.write`. Transactions are serialised, the urgent ones
first. Whatever SQLite or the disk refuses surfaces as `StorageError`, and so does a statement that misses its deadline.
SQLite runs in a thread that cancellation cannot reach, so a waiting caller returns at once and the lock is released
when the thread is idle again. What the tables mean is left to the other modules of `storage`.
"""

import asyncio
import contextlib
import errno
import functools
import logging
import os
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from storage.migrations import MIGRATIONS, Statement

T = TypeVar("T")
Rows = Sequence[Sequence[Any]]
log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""How long to wait for another process's lock on the file."""
DEADLINE = 20.0
"""Seconds that a transaction may take in all: waiting for the lock, its statements, and its commit."""
GRACE = 2.0
"""Seconds that a cancelled or failed transaction waits for its rollback, which then finishes in the background."""
URGENT_IN_A_ROW = 8
"""Urgent transactions that may go ahead of one that waits: on a slow disk there may be no end of them."""
CLOSE_SECONDS = 4.0
"""Seconds that closing may take."""

_BUSY_STEP = 0.05
_THREAD_BUSY_SECONDS = 0.2
"""How long SQLite itself waits for a lock. Kept short because its thread cannot be interrupted meanwhile."""

_PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_CANTOPEN,
}  # fmt: skip
"""CANTOPEN is about the files beside the database, for want of inodes or descriptors: itself it was opened by us."""
_PASSING_ERRNO = {
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EBUSY,
    errno.ESTALE, errno.ETIMEDOUT, errno.EINTR,
}  # fmt: skip

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class StorageError(OSError):
    """The database cannot be opened, read or written. The text is one line for people.

    Once it is open, the text does not name its folder: it may reach a chat, where a server's paths have no place.
    transient: whether a later retry may succeed, as with a full disk or another process's lock.
    """

    def __init__(self, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient


class NewerDatabaseError(StorageError):
    """The database was made by a newer version of the program."""


class UnknownOutcomeError(StorageError):
    """The commit missed its deadline; `committed` returns whether it was made in the end."""

    def __init__(self, text: str, commit: "asyncio.Future[None]") -> None:
        super().__init__(text, transient=True)
        self._commit = commit

    async def committed(self) -> bool:
        """Wait for the commit to finish, however long that takes; return whether it was made."""
        await asyncio.wait({self._commit})
        return not self._commit.cancelled() and self._commit.exception() is None


def is_transient(error: BaseException) -> bool:
    """Return whether an error from storage, SQLite or the system is transient."""
    if isinstance(error, StorageError):
        return error.transient
    if isinstance(error, sqlite3.Error):
        return _code(error) in _PASSING
    if isinstance(error, TimeoutError | ConnectionError):  # without a number where a busy machine was too slow
        return True
    return isinstance(error, OSError) and error.errno in _PASSING_ERRNO


def _refused(where: object, error: sqlite3.Error) -> StorageError:
    """Return what SQLite refused, as one line for people."""
    advice = ""
    if _code(error) in _DAMAGED:
        advice = (
            ". The file is damaged: stop, move DATA_DIR away, and restore a backup into an empty one"
            " (switchboard restore-backup FILE)"
        )
    return StorageError(f"{where}: {error}{advice}", transient=is_transient(error))


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # Python's own sqlite3 errors have no code


class _Turns:
    """A lock that is handed on in the order in which it was asked for, but to urgent callers first: some in a row."""

    def __init__(self) -> None:
        self._taken = False
        self._urgent_in_a_row = 0
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    async def acquire(self, *, urgent: bool = False) -> None:
        """Wait for the lock."""
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._others).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was handed to us just before
                self.release()
            raise

    def release(self) -> None:
        """Hand the lock on."""
        urgent_first = self._urgent_in_a_row < URGENT_IN_A_ROW
        for waiting in (self._urgent, self._others) if urgent_first else (self._others, self._urgent):
            while waiting:
                turn = waiting.popleft()
                if not turn.done():  # cancelled
                    self._urgent_in_a_row = self._urgent_in_a_row + 1 if waiting is self._urgent else 0
                    turn.set_result(None)
                    return
        self._taken = False

    def locked(self) -> bool:
        """Return whether somebody has the lock."""
        return self._taken


class Database:
    """An open database. Make it with `open_database`."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._turn = _Turns()
        self._rolling_back: asyncio.Task[None] | None = None
        self.path = path
        self._file = _identity(path)

    def check_in_place(self) -> None:
        """Raise StorageError if what is written is not found at `path` any more. In a thread: the disk may hang."""
        if _identity(self.path) != self._file:
            raise StorageError(
                f"{self.path.name}: the file was removed or replaced, so nothing of now outlives this run: put it back,"
                " and start again"
            )

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run a block atomically: commit when it ends, roll back if it raises or is cancelled.

        Raises StorageError, UnknownOutcomeError.
        """
        async with self._transaction() as transaction:
            connection = transaction.connection
            await _retry_while_locked(lambda: connection.execute("BEGIN IMMEDIATE"))
            yield connection
            visit: Any = connection._execute  # noqa: SLF001 - see `write`
            await transaction.finish(visit(_commit, connection._conn, self.check_in_place))  # noqa: SLF001

    async def write(
        self,
        plan: Callable[[], Sequence[tuple[str, Rows]]],
        on_commit: Callable[[], None] | None = None,
        *,
        urgent: bool = False,
    ) -> None:
        """Run statements in a transaction, each for all of its rows.

        plan: returns them, called when the transaction's turn has come. All of it takes one visit to SQLite's thread:
        each visit costs two switches of threads, which are milliseconds on a busy machine, while all other transactions
        wait. on_commit: called after the commit and before the next transaction begins, even if the caller is no longer
        waiting. urgent: go ahead of whatever else waits. For records of what has happened outside already, such as a
        message that the chat has: a crash before the commit makes it happen twice. No statements: no visit.

        Raises StorageError, UnknownOutcomeError.
        """
        async with self._transaction(urgent=urgent) as transaction:
            statements, connection = plan(), transaction.connection
            if not statements:
                if on_commit is not None:
                    on_commit()
                return
            visit: Any = connection._execute  # noqa: SLF001 - what it offers itself is one statement a visit
            raw = connection._conn  # noqa: SLF001
            await _retry_while_locked(
                lambda: transaction.finish(visit(_execute_and_commit, raw, statements, self.check_in_place), on_commit)
            )

    @contextlib.asynccontextmanager
    async def _transaction(self, *, urgent: bool = False) -> AsyncIterator["_Transaction"]:
        transaction = _Transaction(self._connection)
        try:
            async with self._taking_turns(urgent=urgent):
                yield transaction
        except StorageError as error:
            if transaction.commit is not None and not transaction.commit.done():
                raise UnknownOutcomeError(str(error), transaction.commit) from error
            raise

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run a query. It sees committed data only. Raises StorageError."""
        async with self._taking_turns() as connection:
            return list(await _retry_while_locked(lambda: connection.execute_fetchall(sql, parameters)))

    @contextlib.asynccontextmanager
    async def _taking_turns(self, *, urgent: bool = False) -> AsyncIterator[aiosqlite.Connection]:
        """Take the connection's lock for at most `DEADLINE` seconds; whatever the block leaves open is rolled back."""
        try:
            async with asyncio.timeout(DEADLINE) as deadline:
                await self._turn.acquire(urgent=urgent)
                try:
                    yield self._connection
                except BaseException:
                    await self._settle()
                    raise
                self._turn.release()
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise StorageError(f"{self.path.name}: no answer in {DEADLINE:g} s", transient=True) from error
        except sqlite3.Error as error:
            raise _refused(self.path.name, error) from error

    async def _settle(self) -> None:
        """Roll back, and release the lock once the connection is idle: a hung statement outlives its caller."""
        self._rolling_back = asyncio.create_task(self._roll_back(), name="rollback")
        self._rolling_back.add_done_callback(lambda _: self._turn.release())
        await asyncio.wait({self._rolling_back}, timeout=GRACE)

    async def _roll_back(self) -> None:
        rollback = asyncio.ensure_future(self._connection.rollback())  # queued behind the current statement
        rollback.add_done_callback(_consume)
        while not (await asyncio.wait({rollback}, timeout=_BUSY_STEP))[0]:
            await _interrupt(self._connection)
        if not rollback.cancelled() and (error := rollback.exception()) is not None:
            log.debug(
                "Nothing could be rolled back: %s", error
            )  # SQLite has rolled back by itself, or the connection is closed


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from any other; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass(slots=True)
class _Transaction:
    """A transaction whose turn has come. commit: its end under way, which outlives whoever waits for it."""

    connection: aiosqlite.Connection
    commit: "asyncio.Future[None] | None" = None

    async def finish(self, commit: Coroutine[Any, Any, None], on_commit: Callable[[], None] | None = None) -> None:
        """Wait for the commit."""
        self.commit = asyncio.ensure_future(commit)
        self.commit.add_done_callback(functools.partial(_after, on_commit))
        await asyncio.shield(self.commit)


def _commit(connection: sqlite3.Connection, check: Callable[[], None]) -> None:
    check()
    connection.commit()


def _execute_and_commit(
    connection: sqlite3.Connection, statements: Sequence[tuple[str, Rows]], check: Callable[[], None]
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for sql, rows in statements:
            connection.executemany(sql, rows)
        _commit(connection, check)
    except BaseException:
        connection.rollback()
        raise


def _consume(rollback: "asyncio.Future[None]") -> None:
    """Consume the result of a rollback that nobody awaits any more: the connection may be closed by then."""
    if not rollback.cancelled():
        rollback.exception()


async def _interrupt(connection: aiosqlite.Connection) -> None:
    with contextlib.suppress(ValueError):  # closed meanwhile
        await connection.interrupt()


async def _retry_while_locked(call: Callable[[], Awaitable[T]]) -> T:
    """Retry while another process locks the file, for `BUSY_SECONDS`; done here so that cancellation can end it."""
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
    """Consume the result, so that asyncio does not log it as never retrieved, and call `on_commit` on success."""
    if not commit.cancelled() and commit.exception() is None and on_commit is not None:
        on_commit()


@contextlib.asynccontextmanager
async def open_database(path: Path, migrations: Sequence[Sequence[Statement]] = MIGRATIONS) -> AsyncIterator[Database]:
    """Open the database at `path`, creating it if need be (folder 0700, file 0600), and apply all migrations.

    Raises StorageError, NewerDatabaseError.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)  # a symbolic link could lead anywhere
        try:
            os.fchmod(file, 0o600)
        finally:
            os.close(file)
        connection = aiosqlite.connect(path, isolation_level=None, timeout=_THREAD_BUSY_SECONDS)
        connection._thread.daemon = True  # noqa: SLF001 - a hung disk must not prevent the program from exiting
        await connection
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", transient=is_transient(error)) from error
    except sqlite3.Error as error:
        raise _refused(path, error) from error
    try:
        try:
            await _prepare(connection, path, migrations)
        except sqlite3.Error as error:
            raise _refused(path, error) from error
        yield Database(connection, path)
    finally:
        await _close(connection)


async def _close(connection: aiosqlite.Connection) -> None:
    """Close once the current statement has ended; if it hangs, leave it to process exit."""
    closed = connection.stop()  # unlike `close`, leaves nothing behind that would wait for ever
    if closed is None:
        return
    with_interrupt = max(0.0, CLOSE_SECONDS - GRACE)
    if (await asyncio.wait({closed}, timeout=with_interrupt))[0]:
        return
    await _interrupt(connection)
    if not (await asyncio.wait({closed}, timeout=CLOSE_SECONDS - with_interrupt))[0]:
        log.error("The database could not be closed: the disk does not respond. Committed data is safe")


async def _prepare(connection: aiosqlite.Connection, path: Path, migrations: Sequence[Sequence[Statement]]) -> None:
    connection.row_factory = sqlite3.Row
    # What is deleted is overwritten: a password that was replaced must not stay in the file.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        await _retry_while_locked(lambda pragma=pragma: connection.execute(f"PRAGMA {pragma}"))  # type: ignore[misc]
    ((version,),) = await _retry_while_locked(lambda: connection.execute_fetchall("PRAGMA user_version"))
    if version > len(migrations):
        raise NewerDatabaseError(
            f"{path} was made by a newer version of Switchboard (its schema is {version}, this one knows"
            f" {len(migrations)}): update the program, or point DATA_DIR elsewhere. Nothing was changed."
        )
    for number, statements in enumerate(migrations[version:], start=version + 1):
        raw, visit = connection._conn, connection._execute  # noqa: SLF001 - one visit to the thread, as in `write`
        await _retry_while_locked(functools.partial(visit, _migrate, raw, statements, number))


def _migrate(connection: sqlite3.Connection, statements: Sequence[Statement], version: int) -> None:
    """Apply one migration, which leads to `version`, in a transaction of its own."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            if isinstance(statement, str):
                connection.execute(statement)
            else:
                statement(connection)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
