"""Budgets: what accounts' browsers and the host may use, and what is done above it.

An account above its budget is recycled at a quiet moment, at most once an hour; so is one whose browser has been open
for a day. A host that runs out of memory or disk holds new launches, and people are told once. Decisions are pure
(`Verge`, `why_too_much`, `may_recycle`); measuring is the driver's, or the host's own figures.
"""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import psutil

from controller.accounts.notices import Notice, Transition
from controller.accounts.reasons import Reason
from controller.driver import Usage
from controller.manager import Status, utc_now
from controller.registry import Registry
from controller.troubles import DISK, MEMORY, Troubles

log = logging.getLogger(__name__)

RECYCLE_EVERY = 3600.0
"""Seconds at least between two recycles of one account."""
QUIET_FOR = 30.0
"""Seconds without a message that make a moment quiet."""
PATIENCE = 900.0
"""Seconds that a quiet moment is waited for before a recycle comes all the same."""
MARGIN = 1.25
"""How much more than its limit must be free again before a shortage is over, so that it does not flap."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in bytes, 0 for none. account_memory: of one account's browser. free_memory, free_disk: of the host.

    check_every: seconds. daily: seconds after which a browser that has been open all the time is recycled; 0 = never.
    """

    account_memory: int = 1500 * MIB
    account_processes: int = 60
    free_memory: int = 300 * MIB
    free_disk: int = 500 * MIB
    check_every: float = 60.0
    daily: float = 86400.0


@dataclass(slots=True)
class Verge:
    """Whether something that is measured is short, with a margin before it counts as enough again."""

    limit: int
    short: bool = False

    def look(self, free: int) -> bool:
        """Take a measure; return whether this changed the answer."""
        before = self.short
        self.short = free < self.limit * (MARGIN if before else 1)
        return self.short is not before


@dataclass(slots=True)
class _Watch:
    """What is remembered of one account. Times are the loop's."""

    above_since: float | None = None
    recycled_at: float | None = None


def why_too_much(usage: Usage, uptime: float, budget: Budget) -> str | None:
    """Say in one line what is above the budget; None if nothing is."""
    if budget.account_memory and usage.memory > budget.account_memory:
        return f"its browser used {usage.memory // MIB} MiB, its budget is {budget.account_memory // MIB} MiB"
    if budget.account_processes and usage.processes > budget.account_processes:
        return f"its browser had {usage.processes} processes, its budget is {budget.account_processes}"
    if budget.daily and uptime > budget.daily:
        return "its browser has been open for a day"
    return None


def may_recycle(watch: _Watch, now: float, quiet_for: float | None) -> bool:
    """Decide whether an account that is above its budget is recycled now."""
    if watch.recycled_at is not None and now - watch.recycled_at < RECYCLE_EVERY:
        return False
    assert watch.above_since is not None
    return quiet_for is None or quiet_for >= QUIET_FOR or now - watch.above_since >= PATIENCE


class ResourceWatch:
    """Watches accounts and host. `run` it as a task."""

    def __init__(
        self,
        registry: Registry,
        troubles: Troubles,
        budget: Budget,
        data_dir: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        free_memory: Callable[[], int] = lambda: int(psutil.virtual_memory().available),
        free_disk: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._registry, self._troubles, self._budget, self._data_dir = registry, troubles, budget, data_dir
        self._clock, self._free_memory, self._free_disk = clock, free_memory, free_disk
        self._watches: dict[str, _Watch] = {}
        self._look = asyncio.Event()
        self._memory = Verge(budget.free_memory)
        self._disk = Verge(budget.free_disk)

    def note(self, notice: Notice) -> None:
        """Take what managers tell: a browser that did not start may be the host's trouble, so look at once."""
        if isinstance(notice, Transition) and Reason.LAUNCH_FAILED in {notice.reason, notice.cause}:
            self._look.set()

    async def run(self) -> None:
        """Check again and again until cancelled."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        while True:
            is_due = loop.time() >= next_at
            if is_due:
                next_at = loop.time() + self._budget.check_every
            try:
                await self.check_host()
                if is_due:
                    await self.check_accounts()
            except Exception:
                log.exception("The budgets could not be checked")
            self._look.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(next_at):
                    await self._look.wait()

    async def check_host(self) -> None:
        """Hold launches while memory or disk is short; tell people when that begins and when it ends."""
        for kind, verge, free in (
            (MEMORY, self._memory, self._free_memory()),
            (DISK, self._disk, self._free_disk(self._data_dir)),
        ):
            if not verge.look(free):
                continue
            detail = f"{free // MIB} MiB are free"
            if verge.short:
                self._registry.slots.hold(kind)
                log.error("The host is in trouble (%s): %s; no browser is started until more is", kind, detail)
                await self._troubles.tell_trouble(kind, detail)
            else:
                self._registry.slots.release(kind)
                log.info("The host is well again (%s): %s", kind, detail)
                await self._troubles.tell_trouble_over(kind)

    async def check_accounts(self) -> None:
        """Recycle what is above its budget; nothing that could not be opened again, since launches are held."""
        if self._registry.slots.holds - {MEMORY}:
            return
        numbers = {account.number for account in self._registry.accounts()}
        self._forget(self._watches.keys() - numbers)
        for number in numbers:
            status = self._registry.status(number)
            if status.is_connected:
                await self._check_account(number, status)

    async def _check_account(self, number: str, status: Status) -> None:
        usage = await self._registry.usage(number)
        if usage is None:
            return
        watch, now = self._watches.setdefault(number, _Watch()), asyncio.get_running_loop().time()
        budget = self._budget
        if self._registry.slots.holds:  # for want of memory, and it is the only thing that its end would give back
            budget = replace(budget, account_processes=0, daily=0)
        why = why_too_much(usage, status.uptime, budget)
        if why is None:
            watch.above_since = None
            return
        if watch.above_since is None:
            watch.above_since = now
        heard = status.last_message
        if may_recycle(watch, now, None if heard is None else (self._clock() - heard).total_seconds()):
            watch.recycled_at, watch.above_since = now, None
            self._registry.recycle(number, why)

    def _forget(self, numbers: Iterable[str]) -> None:
        for number in list(numbers):
            del self._watches[number]
