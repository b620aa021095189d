"""The one SQLite file: opening it, its settings, its migrations, and the one connection that all stores share.

A transaction is `async with database.transaction() as connection`; they run one after another. Whatever SQLite or the
disk refuses comes out as `StorageError`. What never lives here: what the tables mean (the other modules of `storage`).
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite

from storage.migrations import MIGRATIONS

BUSY_SECONDS = 5.0
"""How long another process's lock on the file is waited for."""


class StorageError(OSError):
    """The database cannot be opened, read or written. Its text is one line for people."""


class NewerDatabaseError(StorageError):
    """The database was made by a newer version of the program."""


class Database:
    """An open database. Make it with `open_database`."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self.path = path

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Everything or nothing: committed when the block ends, rolled back if it raises."""
        async with self._turn:
            try:
                try:
                    await _finish(self._connection.execute("BEGIN IMMEDIATE"))
                    yield self._connection
                    await _finish(self._connection.commit())
                except BaseException:
                    if self._connection.in_transaction:
                        await _finish(self._connection.rollback())
                    raise
            except sqlite3.Error as error:
                raise StorageError(f"{self.path}: {error}") from error

    async def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Read. Sees what earlier transactions have written, and nothing of one under way."""
        async with self._turn:
            try:
                return list(await self._connection.execute_fetchall(sql, parameters))
            except sqlite3.Error as error:
                raise StorageError(f"{self.path}: {error}") from error


async def _finish(ending: Any) -> None:
    """Let the begin or the end of a transaction end, also when the task that waits for it is cancelled meanwhile."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


@asynccontextmanager
async def open_database(path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> AsyncIterator[Database]:
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
        connection = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error
    try:
        try:
            await _prepare(connection, path, migrations)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}") from error
        yield Database(connection, path)
    finally:
        await connection.close()


async def _prepare(connection: aiosqlite.Connection, path: Path, migrations: Sequence[Sequence[str]]) -> None:
    connection.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        await connection.execute(f"PRAGMA {pragma}")
    ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
    if version > len(migrations):
        raise NewerDatabaseError(
            f"{path} was made by a newer version of Switchboard (its schema is {version}, this one knows"
            f" {len(migrations)}): update the program, or point DATA_DIR elsewhere. Nothing was changed."
        )
    for number, statements in enumerate(migrations[version:], start=version + 1):
        await connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                await connection.execute(statement)
            await connection.execute(f"PRAGMA user_version = {number}")
        except sqlite3.Error:
            await connection.rollback()
            raise
        await connection.commit()
