"""Resource limits for accounts' browsers and the host, and what happens when they are exceeded.

An account above its limit is recycled at a quiet moment, at most once an hour; so is one whose browser has been open
for a day. If the host runs out of memory or disk, launches are held and people are alerted once. Decisions are pure
(`Shortage`, `why_too_much`, `may_recycle`); measurements come from the driver or the host.
"""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from controller.accounts.notices import Notice, Transition
from controller.accounts.reasons import Reason
from controller.accounts.status import Status
from controller.driver import Usage
from controller.host.limits import HostLimits
from controller.manager import utc_now
from controller.registry import Registry
from controller.troubles import Trouble, Troubles

log = logging.getLogger(__name__)

RECYCLE_EVERY = 3600.0
"""The least number of seconds between two recycles of one account."""
QUIET_FOR = 30.0
"""Seconds without a message after which a moment counts as quiet."""
PATIENCE = 900.0
"""Seconds to wait for a quiet moment before recycling regardless."""
MARGIN = 1.25
"""A shortage is over once free resources exceed the limit by this factor: hysteresis against flapping."""
FEWEST_FILES = 1000
"""A file system that can hold fewer further files (inodes) counts as full: a browser makes some hundred."""
MIB = 1 << 20
_NO_LIMIT = 1 << 62
_HOSTS_TROUBLE = {Reason.LAUNCH_FAILED, Reason.SESSION_CLOSED, Reason.UNRESPONSIVE}


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in bytes, 0 for none. account_memory: of one account's browser. free_memory, free_disk: of the host.

    free_processes: how many more must be allowed, if host or container limit them: what one browser needs.
    check_every: seconds. daily: seconds after which a browser that has been open throughout is recycled; 0 = never.
    """

    account_memory: int = 1500 * MIB
    account_processes: int = 60
    free_memory: int = 300 * MIB
    free_disk: int = 500 * MIB
    free_processes: int = 60
    check_every: float = 60.0
    daily: float = 86400.0


@dataclass(slots=True)
class Shortage:
    """Whether a measured resource is short, with hysteresis.

    short: None before the first measurement, whose result is always news: an earlier run may have reported otherwise.
    """

    limit: int
    short: bool | None = None

    def look(self, free: int) -> bool:
        """Take a measurement; return whether the answer changed."""
        before = self.short
        self.short = free < self.limit * (MARGIN if before else 1)
        return self.short is not before


@dataclass(slots=True)
class _Watch:
    """What is known about one account. Times are the loop's."""

    above_since: float | None = None
    recycled_at: float | None = None


def why_too_much(usage: Usage, uptime: float, budget: Budget) -> str | None:
    """Return one line about what exceeds its limit; None if nothing does."""
    if budget.account_memory and usage.memory > budget.account_memory:
        return f"its browser used {usage.memory // MIB} MiB, its budget is {budget.account_memory // MIB} MiB"
    if budget.account_processes and usage.processes > budget.account_processes:
        return f"its browser had {usage.processes} processes, its budget is {budget.account_processes}"
    if budget.daily and uptime > budget.daily:
        return "its browser has been open for a day"
    return None


def may_recycle(watch: _Watch, now: float, quiet_for: float | None) -> bool:
    """Return whether an account that exceeds its limit may be recycled now."""
    if watch.recycled_at is not None and now - watch.recycled_at < RECYCLE_EVERY:
        return False
    assert watch.above_since is not None
    return quiet_for is None or quiet_for >= QUIET_FOR or now - watch.above_since >= PATIENCE


def free_files(path: Path) -> int:
    """Return how many further files the file system can hold; very many where it does not count them."""
    found = os.statvfs(path)
    return found.f_favail if found.f_files else _NO_LIMIT


class ResourceWatch:
    """Watches accounts and host. Call `run` as a task."""

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
        free_files: Callable[[Path], int] = free_files,
    ) -> None:
        self._registry, self._troubles, self._budget, self._data_dir = registry, troubles, budget, data_dir
        self._clock, self._host, self._free_disk, self._free_files = clock, host or HostLimits(), free_disk, free_files
        self._watches: dict[str, _Watch] = {}
        self._look = asyncio.Event()
        self._memory = Shortage(budget.free_memory)
        self._disk = Shortage(budget.free_disk)
        self._disk_known = True
        self._processes = Shortage(budget.free_processes)
        self._short_until: dict[str, float] = {}

    def note(self, notice: Notice) -> None:
        """Handle a notice: a browser that failed to start or broke may be due to the host, so check at once."""
        if isinstance(notice, Transition) and not _HOSTS_TROUBLE.isdisjoint({notice.reason, notice.cause}):
            self._look.set()

    async def run(self) -> None:
        """Check periodically until cancelled."""
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
        """Hold launches while memory, disk or processes are short; alert people when that begins and ends.

        A process that the kernel killed for lack of memory, or refused to start, is a shortage whatever is free now.
        """
        host = self._host
        free = host.free_memory()
        await self._check(Trouble.MEMORY, self._memory, free, f"{free // MIB} MiB are free", self._kills(host))
        await self._check_disk()
        processes = host.free_processes()
        if processes is None:  # also where a limit was taken away meanwhile, or that of an earlier run
            await self._check(Trouble.PROCESSES, self._processes, _NO_LIMIT, "there is no limit")
        else:
            limit = f"{processes} more may be started, the limit is {host.process_limit()}"
            refused = f"{count} could not be started; {limit}" if (count := host.take_refusals()) else ""
            await self._check(Trouble.PROCESSES, self._processes, processes, limit, refused)

    async def _check_disk(self) -> None:
        try:
            free, files = self._free_disk(self._data_dir), self._free_files(self._data_dir)
        except OSError as error:  # it is gone or does not answer: the database's own check tells people
            if self._disk_known:
                log.error("How much of DATA_DIR's disk is free cannot be read: %s", error.strerror)
            self._disk_known = False
            return
        self._disk_known = True
        detail = f"{free // MIB} MiB are free"
        if files < FEWEST_FILES * (MARGIN if self._disk.short else 1):
            free, detail = 0, f"{files} more files can be made there (inodes)"
        await self._check(Trouble.DISK, self._disk, free, detail)

    def _kills(self, host: HostLimits) -> str:
        kills = host.take_kills()
        many = "1 process" if kills == 1 else f"{kills} processes"
        return f"the kernel ended {many} for want of memory ({host.words_for_memory()})" if kills else ""

    async def _check(self, kind: Trouble, shortage: Shortage, free: int, detail: str, happened: str = "") -> None:
        """Compare one measurement with its limit. happened: what has already gone wrong, one line, or ""."""
        was_short, changed = shortage.short, shortage.look(free)
        now = asyncio.get_running_loop().time()
        if happened:
            log.error("The host is in trouble (%s): %s", kind, happened)
            self._short_until[kind] = now + self._budget.check_every
            changed, shortage.short, detail = not was_short, True, happened
        elif now < self._short_until.get(kind, now):  # it has just gone wrong: what is free again proves little
            changed, shortage.short = False, True
        if not changed:
            return
        if shortage.short:
            self._registry.slots.hold(kind)
            log.error("The host is in trouble (%s): %s; no browser is started until more is", kind, detail)
            await self._troubles.raise_trouble(kind, detail)
        else:
            if was_short:
                self._registry.slots.release(kind)
                log.info("The host is well again (%s): %s", kind, detail)
            await self._troubles.clear_trouble(kind)

    async def check_accounts(self) -> None:
        """Recycle accounts that exceed their limit, but not while launches are held: they could not be reopened."""
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
        if self._registry.slots.holds:  # launches were held during the measurement
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
