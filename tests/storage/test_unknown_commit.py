"""What the recorder stores is in the database exactly once, whatever the disk does meanwhile."""

import sqlite3
import threading
from datetime import UTC, datetime

import pytest

from controller.accounts.notices import Transition
from controller.accounts.reasons import Reason, State
from controller.registry import Account
from storage import database as module
from storage.accounts import AccountRecords
from storage.database import UnknownOutcomeError, open_database

NUMBER = "+491511234567"
MOVE = Transition(
    number=NUMBER, at=datetime(2026, 1, 1, tzinfo=UTC), before=State.CONNECTED, state=State.DISCONNECTED, stage=None,
    reason=Reason.CONNECTION_LOST, cause=None, detail="", attempts=0, max_attempts=10, errors=0, linked=True,
    next_retry_at=None,
)  # fmt: skip


@pytest.mark.parametrize("comes_true", [True, False])
async def test_what_was_in_a_commit_that_hung_is_written_once(tmp_path, monkeypatch, comes_true):
    monkeypatch.setattr(module, "DEADLINE", 0.3)
    monkeypatch.setattr(module, "GRACE", 0.1)
    async with open_database(tmp_path / "db") as database:
        records = AccountRecords(database)
        await records.add_account(Account(NUMBER, "", 1))
        release, real = threading.Event(), module._execute_and_commit

        def hang(connection, *rest):
            monkeypatch.setattr(module, "_execute_and_commit", real)
            release.wait(20)
            if not comes_true:
                raise sqlite3.OperationalError("disk I/O error")
            real(connection, *rest)

        monkeypatch.setattr(module, "_execute_and_commit", hang)
        with pytest.raises(UnknownOutcomeError):
            await records.record([MOVE])
        release.set()
        await records.record([MOVE])
        assert len(await database.rows("SELECT reason FROM transitions")) == 1
