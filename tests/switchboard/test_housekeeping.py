"""Housekeeping runs every few hours, and a failure in one part or run does not affect the others."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import Vault
from storage.database import StorageError
from switchboard.housekeeping import Housekeeping
from tests.virtual_time import run_virtual

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Rows:
    def __init__(self, error=None):
        self.before, self.error, self.asked = [], error, 0

    async def delete_history(self, now, keep):
        self.before.append((now, keep))
        if self.error is not None:
            raise self.error
        return 1

    async def delete_strangers(self, before):
        return 0

    async def accounts(self):
        self.asked += 1
        return []


def after(tmp_path, hours, rows, history_days=365, confirmed_time=lambda: NOW):
    """Run it for so long; return what admins were sent."""
    sent = []

    async def notify(html):
        sent.append(html)

    async def main():
        housekeeping = Housekeeping(
            rows, Vault(tmp_path), tmp_path, history_days, confirmed_time=confirmed_time, notify=notify
        )
        task = asyncio.create_task(housekeeping.run())
        await asyncio.sleep(hours * 3600)
        task.cancel()

    run_virtual(main())
    return sent


@pytest.mark.parametrize("error", [None, StorageError("it is locked"), RuntimeError("a bug")])
def test_it_is_done_again_and_again_whatever_fails(tmp_path, error):
    rows = Rows(error)
    after(tmp_path, 24, rows)
    assert rows.before == [(NOW, timedelta(days=365))] * 4
    assert rows.asked == 4


def test_history_is_kept_for_ever_where_people_say_so(tmp_path):
    rows = Rows()
    after(tmp_path, 24, rows, history_days=0)
    assert rows.before == []
    assert rows.asked == 4


def test_nothing_is_deleted_by_a_time_that_nobody_has_confirmed(tmp_path):
    rows, asked = Rows(), []

    def time():
        asked.append(1)
        return None if len(asked) < 5 else NOW

    after(tmp_path, 0.05, rows, confirmed_time=time)
    assert (rows.before, rows.asked) == ([], 0)
    asked.clear()
    after(tmp_path, 1, rows, confirmed_time=time)
    assert (len(rows.before), rows.asked) == (1, 1)


def test_sessions_that_belong_to_no_account_are_told_once_and_stay(tmp_path):
    profile = Profile.of(tmp_path, "+491511234567")
    profile.folder.mkdir(parents=True)
    (text,) = after(tmp_path, 24, Rows())
    assert "DATA_DIR holds 1 session, and none belongs to an account that I know" in text
    assert profile.folder.exists()
