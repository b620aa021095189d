"""Watches many machines as one: how many browsers may launch at once, and whether people must know of a lost machine.

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
PATIENCE = 60.0
"""Seconds for which a machine may be lost before people are alerted."""


class HostWatch:
    """Looks at the machines again and again. launches: how many may go on at once on each of them."""

    def __init__(self, hosts: Hosts, slots: LaunchSlots, troubles: Troubles, *, launches: int) -> None:
        self._hosts, self._slots, self._troubles, self._launches = hosts, slots, troubles, launches
        self._lost_since: dict[str, float] = {}
        self._told: frozenset[str] | None = None
        self._accounts: dict[str, int] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
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
