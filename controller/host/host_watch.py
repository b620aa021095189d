"""Watches many machines as one: how many browsers may launch at once, and whether people must know of a lost machine.

The same for the store of archived profiles, if there is one: while it is out of reach, nothing is launched.

A machine that comes back within a minute is nobody's business; one that stays away is one incident with all that ran
there. While no machine takes an account, launches are held, so that no account counts that as its own failure. With one
machine alone there is nothing to watch here.
"""

import asyncio
import logging
from collections.abc import Sequence

from controller.hosts import Hosts, HostState, HostUsage
from controller.launch_slots import LaunchSlots, Room
from controller.troubles import Trouble, Troubles

log = logging.getLogger(__name__)

NO_HOST = "no host takes an account"
"""The name under which launches are held."""
LOOK_EVERY = 1.0
NO_ARCHIVES = "the archives cannot be used"
"""Likewise."""
CHECK_EVERY = 10.0
"""Seconds between two checks of the archives. Two of them take less than an account's first five attempts."""
CHECK_AGAIN = 3.0
"""Seconds until a check that failed is repeated."""
PATIENCE = 60.0
"""Seconds for which a machine may be lost before people are alerted."""
_FAILED_CHECKS = 2


class HostWatch:
    """Looks at the machines again and again. launches: how many may go on at once on each of them."""

    def __init__(self, hosts: Hosts, slots: LaunchSlots, troubles: Troubles, *, launches: int) -> None:
        self._hosts, self._slots, self._troubles, self._launches = hosts, slots, troubles, launches
        self._lost_since: dict[str, float] = {}
        self._told: frozenset[str] | None = None
        self._accounts: dict[str, int] = {}
        self._failed_checks = 0
        self._archives_fail: bool | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        await asyncio.gather(self._run_hosts(), self._run_archives())

    async def _run_archives(self) -> None:
        while True:
            try:
                await self.check_archives()
            except Exception:
                log.exception("The archives could not be checked")
            await asyncio.sleep(CHECK_AGAIN if self._archives_fail else CHECK_EVERY)

    async def check_archives(self) -> None:
        """Check the archives once. One failure may be an accident; people are alerted after the second in a row."""
        why = await self._hosts.check_archives()
        self._failed_checks = self._failed_checks + 1 if why else 0
        if why and self._failed_checks == _FAILED_CHECKS:
            log.warning("Launches wait: %s", why)
            self._slots.hold(NO_ARCHIVES)
            await self._troubles.raise_trouble(Trouble.ARCHIVES, why)
        elif not why and self._archives_fail is not False:
            self._slots.release(NO_ARCHIVES)
            await self._troubles.clear_trouble(Trouble.ARCHIVES)
        self._archives_fail = bool(why)

    async def _run_hosts(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("The hosts could not be looked at")
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Look once."""
        usage = self._hosts.usage()
        self._follow(usage)
        now = asyncio.get_running_loop().time()
        for one in usage:
            if one.state is not HostState.LOST:
                self._lost_since.pop(one.name, None)
                self._accounts[one.name] = one.accounts
            else:
                self._lost_since.setdefault(one.name, now)
        lost = frozenset(name for name, since in self._lost_since.items() if now - since >= PATIENCE)
        if lost == self._told:
            return
        self._told = lost
        if lost:
            await self._troubles.raise_trouble(Trouble.HOST_LOST, self._detail(lost, usage))
        else:
            await self._troubles.clear_trouble(Trouble.HOST_LOST)

    def _follow(self, usage: Sequence[HostUsage]) -> None:
        ready = [one for one in usage if one.state is HostState.UP]
        if any(one.capacity is None or one.accounts < one.capacity for one in ready):
            self._slots.allow(Room(self._launches * len(ready)))
            self._slots.release(NO_HOST)
        elif NO_HOST not in self._slots.holds:
            log.warning("No host takes an account: launches wait")
            self._slots.hold(NO_HOST)

    def _detail(self, lost: frozenset[str], usage: Sequence[HostUsage]) -> str:
        ran = sum(self._accounts.get(name, 0) for name in lost)
        up = sum(one.state is not HostState.LOST for one in usage)
        return f"{', '.join(sorted(lost))}; {ran} accounts ran there, {up} of {len(usage)} hosts are up"
