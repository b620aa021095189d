"""The accounts' states, read directly from the database file, even while the program runs. Read-only."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from controller.stored import StoredProxy
from storage.database import StorageError, is_transient


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """An account. wanted, state, reason: values of the lifecycle's enums as stored; since: ISO 8601, UTC."""

    number: str
    name: str
    wanted: str
    linked: bool
    state: str
    reason: str | None
    since: str


def open_read_only(path: Path, patience: float) -> sqlite3.Connection:
    """Open a database that exists, whatever signs are in its path. patience: seconds for another process's lock."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=patience)


def read_summaries(path: Path) -> Sequence[AccountSummary]:
    """Read all accounts, oldest first. Raises StorageError."""
    if not path.is_file():
        raise StorageError(f"{path}: there is no database here; is DATA_DIR right?")
    try:
        with closing(open_read_only(path, 5)) as connection:
            rows = connection.execute(
                "SELECT number, name, wanted, linked, state, reason, since FROM accounts ORDER BY added_at, rowid"
            ).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}", transient=is_transient(error)) from error
    return [
        AccountSummary(number, name, wanted, bool(linked), state, reason, since)
        for number, name, wanted, linked, state, reason, since in rows
    ]


def read_proxies(path: Path) -> Sequence[StoredProxy]:
    """Read the proxies that accounts have of their own; none where there is no database yet. Raises StorageError."""
    if not path.is_file():
        return []
    try:
        with closing(open_read_only(path, 5)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'account_proxies'").fetchall():
                return []  # of an earlier version
            rows = connection.execute(
                "SELECT number, server, login, encrypted FROM account_proxies ORDER BY number"
            ).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}", transient=is_transient(error)) from error
    return [StoredProxy(number, server, login, bool(encrypted)) for number, server, login, encrypted in rows]
