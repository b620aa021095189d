"""Downtime: what is reported at the start, and what ended the previous run."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from controller.accounts.reasons import Reason, State
from storage.pulse import LastRun
from switchboard.monitoring.absence import read_oom_kills, report_absence, watch_gaps, what_ended, what_stopped
from tests.handlers.fakes import FakeAccounts
from tests.virtual_time import pass_time, virtual, virtual_loop

START = datetime(2026, 3, 1, 3, 58, tzinfo=UTC)
AWAY_SINCE = datetime(2026, 3, 1, 3, 12, tzinfo=UTC)
LAST = LastRun(AWAY_SINCE, "one", AWAY_SINCE - timedelta(days=1), 7)


@dataclass
class Records:
    run: LastRun | None
    boot_id: str = "one"
    started_at: datetime = START
    oom_kills_at_start: int | None = 7

    async def last(self) -> LastRun | None:
        return self.run


async def told(records: Records, accounts: FakeAccounts) -> list[str]:
    came: list[str] = []

    async def notify(html: str) -> None:
        came.append(html)

    await report_absence(records, accounts, notify)
    return came


def fleet(connected: int, connecting: int = 0) -> FakeAccounts:
    accounts = FakeAccounts(virtual_loop().clock)
    for at in range(connected + connecting):
        state = State.CONNECTED if at < connected else State.CONNECTING
        accounts.put(f"+4915110000{at:03}", f"Account {at}", state=state, is_connected=at < connected)
    accounts.put("+49159", "Asleep", state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR)
    return accounts


@virtual
async def test_a_long_absence_is_told_with_who_is_back():
    began = virtual_loop().time()
    (text,) = await told(Records(LAST), fleet(39, 1))

    assert f"{AWAY_SINCE.astimezone():%H:%M}" in text
    assert f"{START.astimezone():%H:%M}" in text
    assert "(46 min), 40 accounts unwatched; 39 are back." in text
    assert "Not back yet: Account 39." in text
    assert "It was killed or crashed" in text
    assert virtual_loop().time() - began >= 180, "it had its time to come back"


@virtual
async def test_it_is_told_as_soon_as_all_are_back():
    (text,) = await told(Records(LAST), fleet(2))

    assert "2 accounts unwatched; 2 are back." in text
    assert "Not back" not in text
    assert virtual_loop().time() < 5
    await pass_time(0)


@virtual
async def test_a_restart_a_first_start_and_a_clock_set_back_are_not_told():
    soon = LastRun(START - timedelta(seconds=299), "one", AWAY_SINCE)
    ahead = LastRun(START + timedelta(hours=1), "one", AWAY_SINCE)
    for run in (None, soon, ahead):
        assert await told(Records(run), fleet(1)) == []


@pytest.mark.parametrize(
    ("last", "boot_id", "oom_kills", "part"),
    [
        (LastRun(AWAY_SINCE, "one", AWAY_SINCE, 7, ended="SIGTERM"), "two", 0, "stopped in order (SIGTERM)"),
        (LAST, "two", 0, "machine was restarted"),
        (LAST, "one", 9, "The kernel ended 2 processes of this host for want of memory: maybe this one"),
        (LAST, "one", 7, "nothing tells why"),
        (LAST, "", None, "nothing tells why"),
        (LastRun(AWAY_SINCE, "", AWAY_SINCE), "two", 9, "nothing tells why"),
    ],
)
def test_what_ended_it_is_told_as_far_as_it_is_known(last, boot_id, oom_kills, part):
    assert part in what_ended(last, boot_id, oom_kills)


@virtual
async def test_a_machine_that_was_suspended_is_told_once_it_is_known_who_is_back():
    came, slept, accounts = [], [0.0], fleet(3)

    async def notify(html: str) -> None:
        came.append(html)

    boot_time = lambda: virtual_loop().time() + slept[0]
    watching = asyncio.create_task(watch_gaps(accounts, notify, clock=virtual_loop().clock, boot_time=boot_time))
    await pass_time(3600)
    slept[0] += 299
    await pass_time(120)
    assert came == [], "that is shorter than what is told after a restart"
    slept[0] += 8 * 3600
    await pass_time(31)
    accounts.move(accounts.accounts()[0].number, State.DISCONNECTED, Reason.CONNECTION_LOST)
    await pass_time(70)
    assert came == [], "it may take a while until a dead connection shows"
    await pass_time(200)
    (text,) = came
    assert "(8 h), 3 accounts unwatched; 2 are back." in text
    assert "The machine was suspended." in text
    assert "Not back yet: Account 0." in text
    await pass_time(3600)
    assert len(came) == 1
    watching.cancel()


def test_why_it_stood_still_is_told_by_whether_the_machine_ran():
    assert what_stopped(600, ran=0) == "The machine was suspended."
    assert what_stopped(600, ran=600).startswith("This program was stopped")


def test_the_kernels_count_is_read_where_there_is_one(tmp_path):
    assert read_oom_kills(tmp_path) is None
    (tmp_path / "vmstat").write_text("nr_free_pages 12\noom_kill 3\n")
    assert read_oom_kills(tmp_path) == 3
