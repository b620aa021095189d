"""Outages per route: accounts reach WhatsApp by the common route or by proxies of their own; each is watched.

An account whose own proxy does not respond is paused, like all accounts in an outage of WhatsApp: nothing is attempted
that must fail, and nothing counts as a failure. `outage` watches a single route.
"""

import asyncio
from collections.abc import Callable, Sequence

from controller.accounts.notices import Notice, Transition
from controller.accounts.status import Status
from controller.network.account_proxies import AccountProxies
from controller.network.outage import OutageWatch, Reach
from controller.network.proxy import Proxy
from controller.registry import OUTAGE, Account, Registry
from controller.troubles import Trouble, Troubles


class _RouteAccounts:
    """The accounts of one route: implements `outage.Accounts`."""

    def __init__(self, registry: Registry, hold: str, concerns: Callable[[str], bool]) -> None:
        self._registry, self._hold, self._concerns = registry, hold, concerns

    def accounts(self) -> Sequence[Account]:
        return [account for account in self._registry.accounts() if self._concerns(account.number)]

    def status(self, number: str) -> Status:
        return self._registry.status(number)

    def hold(self) -> None:
        self._registry.hold(self._hold, self._concerns)

    def release(self) -> None:
        self._registry.release(self._hold)


class _ProxyTroubles:
    """Combines all proxies that do not respond into one trouble: `of` implements `Troubles` for each route."""

    def __init__(self, troubles: Troubles) -> None:
        self._troubles = troubles
        self.unsettled: set[Proxy] = set()
        """People may have been notified of these in an earlier run."""
        self._down: dict[Proxy, str] = {}

    async def down(self, proxy: Proxy, words: str) -> None:
        self.unsettled.discard(proxy)
        self._down[proxy] = words
        await self._notify()

    async def up(self, proxy: Proxy) -> None:
        self.unsettled.discard(proxy)
        was_down = self._down.pop(proxy, None) is not None
        if self._down and was_down:
            await self._notify()
        else:
            await self.settle()

    async def settle(self) -> None:
        """Clear the trouble, unless a proxy is down or not checked yet."""
        if not self._down and not self.unsettled:
            await self._troubles.clear_trouble(Trouble.PROXY)

    async def _notify(self) -> None:
        words = "; ".join(f"{proxy.server}: {words}" for proxy, words in self._down.items())
        await self._troubles.raise_trouble(Trouble.PROXY, words)


class _TroublesOfOne:
    """Implements `Troubles` for the watch of one proxy."""

    def __init__(self, all_: _ProxyTroubles, proxy: Proxy) -> None:
        self._all, self._proxy = all_, proxy

    async def raise_trouble(self, reason: Trouble, detail: str = "") -> None:  # noqa: ARG002 - it knows of one alone
        await self._all.down(self._proxy, detail)

    async def clear_trouble(self, reason: Trouble) -> None:  # noqa: ARG002
        await self._all.up(self._proxy)


class RouteOutages:
    """Watches every route. Pass every notice to `note`, and `run` it.

    reach: queries the common route, None if it cannot be queried. reach_by: returns what queries through an account's
    own proxy.
    """

    def __init__(
        self,
        registry: Registry,
        troubles: Troubles,
        proxies: AccountProxies,
        *,
        reach: Reach | None,
        reach_by: Callable[[Proxy], Reach | None],
    ) -> None:
        self._registry, self._proxies, self._reach_by = registry, proxies, reach_by
        self._common = OutageWatch(
            _RouteAccounts(registry, OUTAGE, lambda number: proxies.server(number) is None), troubles, reach
        )
        self._troubles = _ProxyTroubles(troubles)
        self._watches: dict[Proxy, OutageWatch] = {}
        self._running: dict[Proxy, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        proxies.changed.append(self._has_changed)

    @property
    def is_outage(self) -> bool:
        """Whether the accounts on the common route are paused now."""
        return self._common.is_outage

    def note(self, notice: Notice) -> None:
        """Process a notice; returns at once."""
        if not isinstance(notice, Transition):
            return
        proxy = self._proxies.find(notice.number)
        if proxy is not None:
            self._watch(proxy).note(notice)
        elif not self._proxies.is_unreadable(notice.number):
            self._common.note(notice)

    async def run(self) -> None:
        """Watch until cancelled, each route separately."""
        self._troubles.unsettled = set(self._proxies.all().values())
        await self._troubles.settle()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._common.run(), name="outages")
            while True:
                self._changed.clear()
                await self._follow(group)
                await self._changed.wait()

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        """Watch exactly the routes that are in use."""
        wanted = set(self._proxies.all().values())
        for proxy in [each for each in self._watches if each not in wanted]:
            del self._watches[proxy]
            if (task := self._running.pop(proxy, None)) is not None:
                task.cancel()
                await asyncio.wait({task})
            await self._troubles.up(proxy)
        for proxy in wanted - set(self._running):
            self._running[proxy] = group.create_task(self._watch(proxy).run(), name="outages of a proxy")

    def _watch(self, proxy: Proxy) -> OutageWatch:
        if proxy not in self._watches:
            self._watches[proxy] = OutageWatch(
                _RouteAccounts(
                    self._registry, f"proxy {id(proxy)}", lambda number: self._proxies.find(number) == proxy
                ),
                _TroublesOfOne(self._troubles, proxy),
                self._reach_by(proxy),
                way=f"through {proxy.server}",
            )
        return self._watches[proxy]

    def _has_changed(self, number: str) -> None:
        self._registry.apply_holds(number)
        self._changed.set()
