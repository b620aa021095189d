"""Stand-in, real driver in real Chromium, and managers with short durations: for tests of edge cases.

Asserts what people would be notified of. Not here: any case.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from controller.accounts.notices import Notice, Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Report
from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.chromium.session import ChromiumSession
from controller.driver import DriverError, Opening
from controller.launch_slots import LaunchSlots
from controller.manager import Manager
from sandbox.whatsapp import Options, PhoneError, Timings, WhatsAppStandIn
from tests.controller.chromium.conftest import PatientOptions, left_behind
from tests.controller.observed import Observed

A, B, C = "+4915112345671", "+4915112345672", "+4915112345673"
STRANGER = "+4915119999999"
POLICY = Policy(
    delays=(0.2, 0.4, 0.8, 1.6),
    breaker_cooldown=1.5,
    qr_debounce=0.1,
    health_check=0.5,
    keep_alive=0.5,
    stable_after=60.0,
    connect_timeout=90.0,
    sync_timeout=60.0,
    stale_after=60.0,
)
"""What recurs is quick. Deadlines are as in earnest, since a busy machine would exceed short ones: a test of a deadline
shortens that one, for the account that is to exceed it."""
WITHIN = 150.0
T = TypeVar("T")
STARTING: ContextVar[asyncio.Lock | None] = ContextVar("STARTING", default=None)
"""Held while a driver starts Playwright, where there are several: it takes its launcher from the environment."""

MET: dict[str, set[str]] = {}
"""Switch → the tests that show how the product handles it."""


def meets(*switches: str) -> Callable[[Any], Any]:
    """Declare which switches a test sets; the fixture checks that it does."""

    def mark(test: Any) -> Any:
        for switch in switches:
            MET.setdefault(switch, set()).add(test.__name__)
        return test

    return mark


class Account(Observed):
    """A manager, and all its notices."""

    def __init__(self, number: str, driver: "RememberingDriver", slots: LaunchSlots, policy: Policy) -> None:
        self.number = number
        self.driver = driver
        self.told: list[Notice] = []
        self.manager = Manager(number, driver=driver, slots=slots, policy=policy, listener=self.told.append)

    @property
    def connection(self) -> Any:
        return self.manager.connection

    def ends(self) -> list[tuple[State, Reason]]:
        """Every transition that ended something, as state and reason, in order."""
        over = {State.DISCONNECTED, State.ERROR, State.SUSPENDED}
        return [(each.state, each.reason) for each in self.moves if each.state in over]

    async def until(self, met: Callable[[], Any], within: float = WITHIN) -> Any:
        deadline = asyncio.get_running_loop().time() + within
        while not (found := met()):
            if asyncio.get_running_loop().time() > deadline:
                path = [f"{m.state} ({m.reason}: {m.detail})" for m in self.moves]
                page = await self._page()
                raise AssertionError(f"not within {within} s; it is {self.connection.phase} after {path}; {page}")
            await asyncio.sleep(0.02)
        return found

    async def _page(self) -> str:
        """Describe what its page shows and stores, and whether its profile holds a session on the disk."""
        session = self.driver.opened.get(self.number)
        if session is None:
            return "no page was ever open"
        look = "() => [location.href, document.body.innerText.slice(0, 300), JSON.stringify({...localStorage})]"
        try:
            page = await session._evaluate(look, None)
        except DriverError as error:
            page = error.detail
        stored = session._parts.profile.has_session()
        return f"its page: {page}; on the disk: {'a' if stored else 'no'} session"

    async def until_ended(self, reason: Reason, after: int = 0) -> Transition:
        """Return its first transition with this reason after the first `after` ones."""
        found: Transition = await self.until(lambda: next((m for m in self.moves[after:] if m.reason is reason), None))
        return found

    async def until_connected(self, after: int = 0) -> None:
        await self.until(lambda: len(self.moves) > after and self.connection.state is State.CONNECTED)

    async def rests(self) -> None:
        """Wait until nothing will happen by itself, and no browser is open."""
        await self.until(lambda: self.connection.browser.name == "NONE")
        count = len(self.moves)
        await asyncio.sleep(3 * POLICY.delays[0])
        assert len(self.moves) == count
        assert self.connection.armed == frozenset()

    async def counters(self) -> tuple[int, int]:
        return self.connection.attempts, self.connection.errors


class RememberingDriver(ChromiumDriver):
    """The real driver. opened: account → its newest session, to look into its page."""

    def __init__(self, options: ChromiumOptions) -> None:
        super().__init__(options)
        self.opened: dict[str, ChromiumSession] = {}

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> ChromiumSession:
        self.opened[opening.account] = session = await super().open(opening, report)
        return session


class World:
    """A stand-in, its driver, and accounts."""

    def __init__(self, stand_in: WhatsAppStandIn, data_dir: Path, policy: Policy, **options: Any) -> None:
        self.stand_in, self.policy = stand_in, policy
        self.phones, self.switches = stand_in.phones, stand_in.switches
        told: dict[str, Any] = {
            "page_url": stand_in.url,
            "data_dir": data_dir,
            "connect_timeout": policy.connect_timeout,
            "close_timeout": 30.0,  # a browser that is killed in its close loses what these tests link
            **options,
        }
        self.driver = RememberingDriver(PatientOptions(**told))
        self.slots = LaunchSlots(3)
        self.accounts: list[Account] = []

    def account(self, number: str = A, **policy: Any) -> Account:
        made = Account(number, self.driver, self.slots, replace(self.policy, **policy))
        self.accounts.append(made)
        return made

    async def scan(self, account: Account, number: str | None = None) -> None:
        """Scan the newest code shown, again if it has expired meanwhile."""

        def scanned() -> bool:
            try:
                self.phones.scan(account.codes[-1], number or account.number)
            except (PhoneError, IndexError):
                return False
            return True

        await account.until(scanned)

    async def linked(self, number: str = A, **policy: Any) -> Account:
        account = self.account(number, **policy)
        assert await account.manager.start()
        await self.scan(account)
        await account.until_connected()
        return account

    async def reopen(self, account: Account) -> None:
        """Suspend and start: the next load is that of a saved session, with counters at zero."""
        await account.manager.suspend()
        await account.manager.start()

    async def stop(self) -> None:
        await asyncio.gather(*(each.manager.stop() for each in self.accounts))
        await self.driver.stop()


@asynccontextmanager
async def a_world(
    tmp_path: Path,
    *,
    policy: Policy = POLICY,
    tls: bool = False,
    speed: float = 20,
    timings: Any = None,
    **options: Any,
) -> AsyncIterator[World]:
    durations = Timings().scaled(speed).with_given(timings or {})
    async with WhatsAppStandIn(Options(timings=durations, tls=tls)) as stand_in:
        if tls:
            options["page_url"] = "https://web.whatsapp.com/"
            options["extra_args"] = (
                f"--host-resolver-rules=MAP web.whatsapp.com 127.0.0.1:{stand_in.port}",
                "--ignore-certificate-errors",
            )
        world = World(stand_in, tmp_path / "data", policy, **options)
        try:
            if (starting := STARTING.get()) is not None:
                async with starting:
                    await world.driver._host.get()
            yield world
        finally:
            await world.stop()
            assert left_behind(tmp_path / "data") == []


async def side_by_side(tmp_path: Path, run: Callable[[Path, T], Awaitable[None]], values: Iterable[T]) -> None:
    """Run one case for each value, all at once, each in a world of its own: what they mostly do is wait."""
    STARTING.set(asyncio.Lock())
    async with asyncio.TaskGroup() as together:
        for place, value in enumerate(values):
            (tmp_path / str(place)).mkdir()
            together.create_task(run(tmp_path / str(place), value), name=f"{run.__name__}: {value}")
