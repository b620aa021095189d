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
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from controller.accounts.notices import Notice, Transition
from controller.accounts.reasons import Reason
from controller.driver import Usage
from controller.host.limits import HostLimits
from controller.manager import Status, utc_now
from controller.registry import Registry
from controller.troubles import Trouble, Troubles

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
_HOSTS_TROUBLE = {Reason.LAUNCH_FAILED, Reason.SESSION_CLOSED, Reason.UNRESPONSIVE}


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in bytes, 0 for none. account_memory: of one account's browser. free_memory, free_disk: of the host.

    free_processes: how many must still be allowed, where the host or container limits them: what one browser needs.
    check_every: seconds. daily: seconds after which a browser that has been open all the time is recycled; 0 = never.
    """

    account_memory: int = 1500 * MIB
    account_processes: int = 60
    free_memory: int = 300 * MIB
    free_disk: int = 500 * MIB
    free_processes: int = 60
    check_every: float = 60.0
    daily: float = 86400.0


@dataclass(slots=True)
class Verge:
    """Whether something that is measured is short, with a margin before it counts as enough again.

    short: None before the first look; the answer to that is news in any case, since an earlier run may have said so.
    """

    limit: int
    short: bool | None = None

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
        host: HostLimits | None = None,
        free_disk: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self._registry, self._troubles, self._budget, self._data_dir = registry, troubles, budget, data_dir
        self._clock, self._host, self._free_disk = clock, host or HostLimits(), free_disk
        self._watches: dict[str, _Watch] = {}
        self._look = asyncio.Event()
        self._memory = Verge(budget.free_memory)
        self._disk = Verge(budget.free_disk)
        self._processes = Verge(budget.free_processes)
        self._short_until: dict[str, float] = {}

    def note(self, notice: Notice) -> None:
        """Take what managers report: a browser that did not start or broke may be the host's trouble: look at once."""
        if isinstance(notice, Transition) and not _HOSTS_TROUBLE.isdisjoint({notice.reason, notice.cause}):
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
        """Hold launches while memory, disk or processes are short; notify people when that begins and when it ends.

        What the kernel has ended for want of memory, or refused to start, is a shortage whatever is free now.
        """
        host = self._host
        free = host.free_memory()
        await self._check(Trouble.MEMORY, self._memory, free, f"{free // MIB} MiB are free", self._kills(host))
        free = self._free_disk(self._data_dir)
        await self._check(Trouble.DISK, self._disk, free, f"{free // MIB} MiB are free")
        processes = host.free_processes()
        if processes is not None:
            limit = f"{processes} more may be started, the limit is {host.process_limit()}"
            refused = f"{count} could not be started; {limit}" if (count := host.take_refusals()) else ""
            await self._check(Trouble.PROCESSES, self._processes, processes, limit, refused)
        elif self._processes.short is None:
            self._processes.short = False
            await self._troubles.tell_trouble_over(Trouble.PROCESSES)  # there is no limit, whatever an earlier run met

    def _kills(self, host: HostLimits) -> str:
        kills = host.take_kills()
        many = "1 process" if kills == 1 else f"{kills} processes"
        return f"the kernel ended {many} for want of memory ({host.words_for_memory()})" if kills else ""

    async def _check(self, kind: Trouble, verge: Verge, free: int, detail: str, happened: str = "") -> None:
        """Compare one measure with its limit. happened: what has gone wrong already, one line, or ""."""
        was_short, changed = verge.short, verge.look(free)
        now = asyncio.get_running_loop().time()
        if happened:
            log.error("The host is in trouble (%s): %s", kind, happened)
            self._short_until[kind] = now + self._budget.check_every
            changed, verge.short, detail = not was_short, True, happened
        elif now < self._short_until.get(kind, now):  # it has just gone wrong: that much is free again says little
            changed, verge.short = False, True
        if not changed:
            return
        if verge.short:
            self._registry.slots.hold(kind)
            log.error("The host is in trouble (%s): %s; no browser is started until more is", kind, detail)
            await self._troubles.tell_trouble(kind, detail)
        else:
            if was_short:
                self._registry.slots.release(kind)
                log.info("The host is well again (%s): %s", kind, detail)
            await self._troubles.tell_trouble_over(kind)

    async def check_accounts(self) -> None:
        """Recycle what is above its budget, but nothing while launches are held: it could not be opened again."""
        if self._registry.slots.holds:
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
        if self._registry.slots.holds:  # launches were held while it was measured
            return
        watch, now = self._watches.setdefault(number, _Watch()), asyncio.get_running_loop().time()
        why = why_too_much(usage, status.uptime, self._budget)
        if why is None:
            watch.above_since = None
            return
        if watch.above_since is None:
            watch.above_since = now
        heard = status.last_message
        quiet_for = None if heard is None else (self._clock() - heard).total_seconds()
        if may_recycle(watch, now, quiet_for) and self._registry.recycle(number, why):
            watch.recycled_at, watch.above_since = now, None

    def _forget(self, numbers: Iterable[str]) -> None:
        for number in list(numbers):
            del self._watches[number]
