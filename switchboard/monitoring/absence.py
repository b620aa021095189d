"""Reports downtime at start, with the cause of the previous run's end as far as it is known."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from controller.accounts.reasons import State
from controller.registry import Registry
from handlers.chat.messages import escape
from handlers.texts.vocabulary import clock, count, span
from storage.pulse import LastRun

SHORTEST = timedelta(minutes=5)
"""Shorter downtime is not worth an alert: a restart."""
PATIENCE = 180.0
"""Seconds to wait for accounts to reconnect before reporting."""
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


def describe_absence(last: LastRun, now: datetime, ended: str, *, accounts: int, back: int, missing: list[str]) -> str:
    """Describe the downtime, as HTML. now: its end. missing: names of accounts that are not connected, as HTML."""
    when = f"{clock(last.at, now)} – {clock(now, now)}</b> ({span((now - last.at).total_seconds())})"
    unwatched = f"{count(accounts, 'account')} unwatched; {back} {'is' if back == 1 else 'are'} back."
    lines = [f"🕳 <b>I was away {when}, {unwatched}", escape(ended)]
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
    taken_up = {State.CONNECTING, State.CONNECTED}
    numbers = [each.number for each in registry.accounts() if registry.status(each.number).state in taken_up]
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + PATIENCE
    away = _not_back(registry, numbers)
    while away and loop.time() < ends_at:
        await asyncio.sleep(1)
        away = _not_back(registry, numbers)
    names = [escape(registry.account(number).name or f"•••{number[-4:]}") for number in away]
    ended = what_ended(last, records.boot_id, records.oom_kills_at_start)
    back = len(numbers) - len(away)
    await notify(describe_absence(last, started_at, ended, accounts=len(numbers), back=back, missing=names))


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
