"""Faults of the program itself and its environment: process, disk, database, clock, Telegram.

Each runs by itself and returns a row. Not here: faults of one account (`faults`).
"""

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.stage import Stage, StageError
from tests.chaos.table import Row
from tests.chaos.trial import between, count_alerts, repair
from tests.e2e.harness import left_behind

Outage = Callable[[Stage], Awaitable[Row]]

_FULL_SECONDS = 75.0
"""Longer than the interval of the host's disk check."""
_FULL_ALERTS = (1, 3)
"""The database's, the disk's, and the breaker's, if it trips before the host's disk was checked."""
STOP_LIMIT = 25.0
"""Seconds that a SIGTERM may take (L15: each browser within 20 s, in parallel, then pending alerts)."""


def outages(stage: Stage) -> list[tuple[str, Outage]]:
    """All of them, by name."""
    return [
        ("controller killed (-9), restarted", _killed),
        ("SIGTERM during a launch", _terminated),
        ("database locked for 12 s", _locked),
        ("disk full for 75 s", _full),
        ("Telegram gone for 15 s", _telegram_gone),
        ("clock jumps an hour, both ways", _clock),
    ]


async def perform(stage: Stage, name: str, outage: Outage) -> Row:
    """Run one; a condition not met in time makes the row wrong."""
    try:
        for account in stage.accounts:
            await stage.reset(account)
        await stage.settled()
        row = await outage(stage)
        row.fault = name
    except StageError as error:
        row = Row(name, wrong=[str(error)])
        if stage.running is None or stage.program.process.returncode is not None:
            if stage.running is not None:
                await stage.stop()
            await stage.start()
        await repair(stage, stage.accounts)
    if not row.skipped:
        census = await stage.settled()
        row.left = (
            "; ".join(filter(None, (row.left if row.left != "0" else "", "" if census.clean else str(census)))) or "0"
        )
        if not census.clean:
            row.wrong.append("something is left behind")
    return row


async def _all_back(stage: Stage, marks: dict[str, int], since: float, limit: float, row: Row) -> None:
    limit *= stage.patience
    ends = [await stage.until_back(each, marks[each.number], limit + 30) for each in stage.accounts]
    row.back = max(end.at for end in ends) - since
    if row.back > limit:
        row.wrong.append(f"back only after {row.back:.0f} s, at most {limit:.0f}")
    logs = [t for each in stage.accounts for t in stage.log(each, marks[each.number])]
    row.attempts = max((t.attempts for t in logs), default=0)
    row.errors = max((t.errors for t in logs), default=0)


def _marks(stage: Stage) -> dict[str, int]:
    return {each.number: stage.mark(each) for each in stage.accounts}


def _photos(stage: Stage) -> int:
    return len(stage.here.client.requests("sendPhoto"))


async def _gone(stage: Stage, row: Row) -> None:
    """Check that nothing of an ended program is still running."""
    began = time.monotonic()
    while left := left_behind(stage.here.data_dir):
        if time.monotonic() - began > 5:
            row.left = f"{len(left)} processes 5 s after the end"
            row.wrong.append("processes live on")
            return
        await asyncio.sleep(0.05)


async def _killed(stage: Stage) -> Row:
    """All browsers end with it, and the next start reconnects every account without a code (L14)."""
    row = Row("", layer="controller")
    marks, photos, message = _marks(stage), _photos(stage), stage.last_message()
    stage.program.send(signal.SIGKILL)
    await stage.stop()
    await _gone(stage, row)
    restarted = time.time()
    await stage.start()
    await _all_back(stage, marks, restarted, 10 + 5 * len(stage.accounts), row)
    if _photos(stage) != photos:
        row.wrong.append("a code was shown")
    row.alerts = await count_alerts(stage, message, stage.accounts, (0, 0))
    between(row, "alerts", row.alerts, (0, 0))
    row.note = "back: from the restart"
    return row


async def _terminated(stage: Stage) -> Row:
    """SIGTERM while a browser is starting: exit 0 in time, nothing left, all reconnect at the next start (L15)."""
    row = Row("", layer="controller")
    account, photos, message = stage.accounts[0], _photos(stage), stage.last_message()
    await stage.says(account, f"/suspend {account.number}")
    await stage.until(lambda: stage.state(account) == "SUSPENDED", f"{account.name} suspended", 30)
    tickets = stage.here.data_dir / "run"
    await stage.says(account, f"/reconnect {account.number}")
    await stage.until(lambda: list(tickets.glob(f"{stage.here.profile_name(account.number)}.*.sh")), "a launch", 15)
    began = time.monotonic()
    stage.program.send(signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await stage.program.ended(STOP_LIMIT + 15)
    row.detected = time.monotonic() - began
    code = await stage.stop()
    if code != 0 or row.detected > STOP_LIMIT:
        row.wrong.append(f"it ended with {code} after {row.detected:.0f} s")
    await _gone(stage, row)
    files = stage.census().files
    if files:
        row.wrong.append(f"files are left: {', '.join(files)}")
    marks, restarted = _marks(stage), time.time()
    await stage.start()
    await _all_back(stage, marks, restarted, 10 + 5 * len(stage.accounts), row)
    if _photos(stage) != photos:
        row.wrong.append("a code was shown")
    row.alerts = await count_alerts(stage, message, stage.accounts, (0, 0))
    between(row, "alerts", row.alerts, (0, 0))
    row.note = "detected: until exit 0"
    return row


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


async def _locked(stage: Stage) -> Row:
    """Accounts run and recover while nothing can be stored; afterwards all of it is in the database."""
    row = Row("", layer="database")
    account, marks, message = stage.accounts[0], _marks(stage), stage.last_message()
    others = stage.accounts[1:]
    with _lock(stage.here.data_dir / "switchboard.sqlite"):
        browser = stage.browser(account)
        began = time.time()
        browser.kill()
        await asyncio.sleep(1)
        await stage.until(lambda: stage.is_online(account), f"{account.name} online while the database is locked", 15)
        while time.time() < began + 12:
            row.wrong += [f"{each.name} went down" for each in others if not stage.is_online(each)]
            await asyncio.sleep(1)
    freed = time.time()
    await stage.until_back(account, marks[account.number], 30)
    log = stage.log(account, marks[account.number])
    if [t.state for t in log] != ["DISCONNECTED", "CONNECTING", "CONNECTED"]:
        row.wrong.append(f"stored: {' → '.join(t.state for t in log)}")
    row.detected, row.back = log[0].at - began, log[-1].at - began
    row.attempts, row.errors = max(t.attempts for t in log), max(t.errors for t in log)
    row.alerts = await count_alerts(stage, message, stage.accounts, (0, 1))
    between(row, "alerts", row.alerts, (0, 1))
    row.note = f"stored {max(0.0, time.time() - freed):.0f} s after it was free"
    return row


async def _full(stage: Stage) -> Row:
    """What is open stays open, the fault is reported once, and unstored data is stored as soon as possible."""
    if not stage.on_tmpfs:
        return Row("", skipped="a file system of its own cannot be mounted here (root only)")
    row = Row("", layer="disk")
    account, marks, message = stage.accounts[0], _marks(stage), stage.last_message()
    ballast = stage.here.data_dir / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 65536)
        free = os.statvfs(stage.here.data_dir).f_bavail
        browser = stage.browser(account)
        began = time.time()
        browser.kill()
        while time.time() < began + _FULL_SECONDS:
            await asyncio.sleep(0.5)
            row.wrong += [f"{a.name} went down" for a in stage.accounts[1:] if not stage.is_online(a)]
        if free > 16:
            row.wrong.append(f"{free} blocks were free: the fault did not come")
    finally:
        ballast.unlink(missing_ok=True)
    freed = time.time()
    await _all_back(stage, marks | {each.number: 0 for each in stage.accounts[1:]}, freed, 60, row)
    log = stage.log(account, marks[account.number])
    row.detected, row.back = log[0].at - began, max(0.0, log[-1].at - freed)
    row.attempts, row.errors = max(t.attempts for t in log), max(t.errors for t in log)
    row.alerts = await count_alerts(stage, message, stage.accounts, _FULL_ALERTS)
    between(row, "alerts", row.alerts, _FULL_ALERTS)
    row.wrong = list(dict.fromkeys(row.wrong))
    if stage.here.rows("PRAGMA integrity_check") != [("ok",)]:
        row.wrong.append("the database is damaged")
    return row


async def _telegram_gone(stage: Stage) -> Row:
    """Accounts are not affected; the alert that was pending meanwhile is sent afterwards, once."""
    row = Row("", layer="Telegram")
    lost = stage.calmest()
    killed = next(each for each in stage.accounts if each != lost)
    marks, message = _marks(stage), stage.last_message()
    stage.here.client.fail("drop")
    try:
        browser = stage.browser(killed)
        began = time.time()
        browser.kill()
        stage.here.phones.logout(lost.number)
        await stage.until_back(killed, marks[killed.number], 30)
        log = stage.log(killed, marks[killed.number])
        row.detected, row.back = log[0].at - began, log[-1].at - began
        row.attempts, row.errors = max(t.attempts for t in log), max(t.errors for t in log)
        await asyncio.sleep(max(0.0, began + 15 - time.time()))
    finally:
        stage.here.client.heal()
    healed = time.monotonic()
    await stage.until(lambda: stage.alerts(message), "the alert that was owed", 60)
    row.note = f"the owed alert came {time.monotonic() - healed:.0f} s after Telegram"
    await asyncio.sleep(3)
    row.alerts = await count_alerts(stage, message, [lost], (1, 1))
    between(row, "alerts", row.alerts, (1, 1))
    await stage.link(lost)
    return row


async def _clock(stage: Stage) -> Row:
    """Every duration runs on the monotonic clock: a jump of the wall clock moves nothing."""
    row = Row("", layer="clock")
    clock = stage.here.data_dir.parent / "clock"
    await stage.stop()
    marks, message = _marks(stage), stage.last_message()
    await stage.start("tests.chaos.clock", CHAOS_CLOCK=str(clock))
    for each in stage.accounts:
        await stage.until_back(each, marks[each.number], 60)
    account = stage.accounts[0]
    for jump in (3600.0, 0.0):
        marks = _marks(stage)
        clock.with_suffix(".new").write_text(f"{jump:g}\n")
        clock.with_suffix(".new").replace(clock)
        await asyncio.sleep(6)
        moved = [each.name for each in stage.accounts if stage.mark(each) != marks[each.number]]
        if moved:
            row.wrong.append(f"{', '.join(moved)} did not stay as they were")
        browser, began = stage.browser(account), time.monotonic()
        browser.kill()
        seen = lambda: stage.mark(account) != marks[account.number]  # noqa: B023 - called at once
        await stage.until(seen, "the kill is told", 5)
        row.detected = max(row.detected or 0.0, time.monotonic() - began)
        told = await stage.until_back(account, marks[account.number], 30)
        row.back = max(row.back or 0.0, time.monotonic() - began)
        row.attempts, row.errors = max(row.attempts, told.attempts), max(row.errors, told.errors)
        ahead = told.at - time.time()
        if abs(ahead - jump) > 60:
            row.wrong.append(f"its clock stood {ahead:.0f} s ahead: the fault did not come")
        await stage.reset(account)
    row.alerts = await count_alerts(stage, message, stage.accounts, (0, 0))
    between(row, "alerts", row.alerts, (0, 0))
    await stage.stop()
    marks = _marks(stage)
    await stage.start()
    for each in stage.accounts:
        await stage.until_back(each, marks[each.number], 60)
    return row
