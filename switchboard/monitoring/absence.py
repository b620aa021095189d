"""Reports when nothing was watched: before this start, with what ended the previous run, or while this run stood still.

The causes are told as far as they are known.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from controller.accounts.reasons import State
from controller.host.deadline import boot_time
from controller.manager import utc_now
from controller.registry import Registry
from handlers.chat.messages import escape
from handlers.texts.vocabulary import clock, count, span
from storage.pulse import LastRun

SHORTEST = timedelta(minutes=5)
"""Shorter downtime is not worth an alert: a restart."""
PATIENCE = 180.0
"""Seconds to wait for accounts to reconnect before reporting."""
LOOK_EVERY = 30.0
KNOWN_AFTER = 75.0
"""Seconds after which is known what has become of the accounts: what has to be probed takes so long (L8)."""
NAMES = 5


class Records(Protocol):
    """The previous run's pulse, and the current values."""

    boot_id: str
    started_at: datetime
    oom_kills_at_start: int | None

    async def last(self) -> LastRun | None:
        """Return the previous run. Raises OSError."""


def what_ended(last: LastRun, boot_id: str, oom_kills: int | None) -> str:
    """Return what ended a run, as far as it is known. boot_id, oom_kills: current values."""
    if last.ended:
        return f"It was stopped in order ({last.ended})."
    if boot_id and last.boot_id and boot_id != last.boot_id:
        return "The machine was restarted, or lost its power."
    if oom_kills is not None and last.oom_kills is not None and oom_kills > last.oom_kills:
        killed = count(oom_kills - last.oom_kills, "process", "processes")
        return f"It was killed or crashed. The kernel ended {killed} of this host for want of memory: maybe this one."
    return "It was killed or crashed: there was no orderly end, and nothing tells why."


def what_stopped(gone: float, ran: float) -> str:
    """Return why nothing happened for so many seconds. ran: those of them in which the machine was not suspended."""
    if gone - ran > gone / 2:
        return "The machine was suspended."
    return "This program was stopped (or its container), or the machine was too busy to run it."


def describe_absence(at: datetime, now: datetime, why: str, *, accounts: int, back: int, missing: list[str]) -> str:
    """Describe when nothing was watched, as HTML.

    at, now: its begin and end. why: plain text. missing: names of accounts that are not connected, as HTML.
    """
    when = f"{clock(at, now)} – {clock(now, now)}</b> ({span((now - at).total_seconds())})"
    unwatched = f"{count(accounts, 'account')} unwatched; {back} {'is' if back == 1 else 'are'} back."
    lines = [f"🕳 <b>I was away {when}, {unwatched}", escape(why)]
    if missing:
        more = f" and {len(missing) - NAMES} more" if len(missing) > NAMES else ""
        lines.append(f"Not back yet: {', '.join(missing[:NAMES])}{more}.")
    return "\n".join(lines)


async def report_absence(records: Records, registry: Registry, notify: Callable[[str], Awaitable[None]]) -> None:
    """Report the downtime before this start, if it was long. Call it once the accounts are loaded.

    Nothing is reported if the clock was set back since. Raises OSError if the pulse cannot be read.
    """
    last = await records.last()
    started_at = records.started_at
    if last is None or started_at - last.at < SHORTEST:
        return
    why = what_ended(last, records.boot_id, records.oom_kills_at_start)
    await _report(registry, _taken_up(registry), notify, last.at, started_at, why)


async def watch_gaps(
    registry: Registry,
    notify: Callable[[str], Awaitable[None]],
    *,
    clock: Callable[[], datetime] = utc_now,
    boot_time: Callable[[], float] = boot_time,
) -> None:
    """Report each time in which this program did not run although it was started, if it was long; until cancelled.

    boot_time: seconds since the machine's start, those in which it was suspended included. A wall clock that is set
    makes no difference.
    """
    loop = asyncio.get_running_loop()
    while True:
        began, ran_from = boot_time(), loop.time()
        await asyncio.sleep(LOOK_EVERY)
        gone = boot_time() - began - LOOK_EVERY
        if gone >= SHORTEST.total_seconds():
            until, numbers = clock(), _taken_up(registry)
            why = what_stopped(gone, ran=loop.time() - ran_from - LOOK_EVERY)
            await asyncio.sleep(KNOWN_AFTER)
            await _report(registry, numbers, notify, until - timedelta(seconds=gone), until, why)


def _taken_up(registry: Registry) -> list[str]:
    taken_up = {State.CONNECTING, State.CONNECTED}
    return [each.number for each in registry.accounts() if registry.status(each.number).state in taken_up]


async def _report(
    registry: Registry,
    numbers: list[str],
    notify: Callable[[str], Awaitable[None]],
    at: datetime,
    now: datetime,
    why: str,
) -> None:
    """Report that these were not watched for a while, once they are back or had their time for it."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + PATIENCE
    away = _not_back(registry, numbers)
    while away and loop.time() < ends_at:
        await asyncio.sleep(1)
        away = _not_back(registry, numbers)
    names = [escape(registry.account(number).name or f"•••{number[-4:]}") for number in away]
    await notify(describe_absence(at, now, why, accounts=len(numbers), back=len(numbers) - len(away), missing=names))


def _not_back(registry: Registry, numbers: list[str]) -> list[str]:
    known = {each.number for each in registry.accounts()}
    return [number for number in numbers if number in known and not registry.status(number).is_connected]


def read_oom_kills(proc: Path = Path("/proc")) -> int | None:
    """Return how many processes the kernel has killed for lack of memory since boot, in all control groups.

    That of our own group would be more exact, but begins anew with it: whatever restarts the program makes a new one.
    """
    try:
        lines = (proc / "vmstat").read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
