"""A consistent copy of the live database, made with SQLite's backup API.

Copying the file alone is not enough: the latest writes are in the write-ahead log beside it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from storage.database import BUSY_SECONDS, NewerDatabaseError, StorageError, is_transient
from storage.migrations import MIGRATIONS


def copy_database(source: Path, target: Path) -> None:
    """Copy the database at `source` to a new file. Blocking. Raises StorageError."""
    try:
        target.touch(mode=0o600, exist_ok=False)
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)) as here,
            closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)
            there.execute("PRAGMA journal_mode = DELETE")  # a single file, whatever the source's journal mode
    except sqlite3.Error as error:
        raise StorageError(f"{source}: {error}", transient=is_transient(error)) from error
    except OSError as error:
        raise StorageError(f"{target}: {error.strerror}", transient=is_transient(error)) from error


def check_copy(path: Path) -> None:
    """Check a copy's integrity. Blocking. Raises StorageError, or NewerDatabaseError if this version cannot use it."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            ((verdict,), *_) = connection.execute("PRAGMA integrity_check").fetchall()
            ((schema,),) = connection.execute("PRAGMA user_version").fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"the database in it is damaged: {error}") from error
    if verdict != "ok":
        raise StorageError(f"the database in it is damaged: {verdict}")
    if schema > len(MIGRATIONS):
        raise NewerDatabaseError(
            f"it was made by a newer version of Switchboard (its schema is {schema}, this one knows"
            f" {len(MIGRATIONS)}): update the program first"
        )


def accounts_in(path: Path) -> dict[str, bool]:
    """Return account number → whether it is linked, as stored in a copy. Blocking. Raises StorageError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return {
                number: bool(linked) for number, linked in connection.execute("SELECT number, linked FROM accounts")
            }
    except sqlite3.Error as error:
        raise StorageError(f"{path.name}: {error}") from error
