"""The accounts' states, read directly from the database file, even while the program runs. Read-only."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

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


def read_summaries(path: Path) -> Sequence[AccountSummary]:
    """Read all accounts, oldest first. Raises StorageError."""
    if not path.is_file():
        raise StorageError(f"{path}: there is no database here; is DATA_DIR right?")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            rows = connection.execute(
                "SELECT number, name, wanted, linked, state, reason, since FROM accounts ORDER BY added_at, rowid"
            ).fetchall()
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}", transient=is_transient(error)) from error
    return [
        AccountSummary(number, name, wanted, bool(linked), state, reason, since)
        for number, name, wanted, linked, state, reason, since in rows
    ]
