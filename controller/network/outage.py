"""Detects outages of WhatsApp itself, and pauses all accounts during them (L13).

An outage is not counted against the accounts: if WhatsApp's host does not answer, or most accounts are lost within
moments, all are put on hold and people are alerted once; when it answers again the accounts reconnect in turn. How one
account waits is in `controller.accounts.lifecycle`.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from controller.accounts.notices import Notice, Transition
from controller.accounts.reasons import TRAITS, VERDICTS, State
from controller.accounts.status import Status
from controller.manager import utc_now
from controller.network.reach import UnknownRouteError, UntrustedError
from controller.registry import Account
from controller.troubles import Trouble, Troubles

log = logging.getLogger(__name__)

PROBE_EVERY = 5.0
"""Seconds between two probes during an outage."""
SETTLE_EVERY = 60.0
"""Seconds between two checks whether an outage reported by an earlier run is over."""
MOST_WITHIN = 30.0
FEWEST = 3
"""If most accounts, and at least so many, are lost within so many seconds, the cause is not theirs (L13)."""
GOOD_PROBES = 2
"""Successful probes in a row after which WhatsApp counts as reachable again."""
LONGEST_BLIND = 900.0
"""The longest hold on the word of a probe that has never succeeded: the probe itself may be wrong. Seconds."""

BELIED_AFTER = 10.0
"""Seconds after which a sign of life from a connected account is known not to predate the outage."""
QUIET_SECONDS = 75.0
"""How long most accounts may stay connected before people are alerted: each hears from the server every minute."""

_OURS = frozenset(reason for reason, traits in TRAITS.items() if traits.ours)
"""Ends caused by our own processes, where many can come at once: they prove nothing about WhatsApp."""

_REFUSED_CERTIFICATE = "net::ERR_CERT_"
"""How the driver tells that a browser did not trust the host."""

Reach = Callable[[], Awaitable[None]]
"""Connects to WhatsApp's host. Raises OSError (TimeoutError is one) if it does not answer."""


class Accounts(Protocol):
    """The part of the registry that is used here."""

    def accounts(self) -> Sequence[Account]:
        """All accounts."""

    def status(self, number: str) -> Status:
        """Return an account's status."""

    def hold(self) -> None:
        """Suspend all attempts and counting."""

    def release(self) -> None:
        """Resume, in turn."""


class OutageWatch:
    """Detects outages. Pass it every notice (`note`), and `run` it.

    reach: None if WhatsApp's host cannot be probed over the browsers' own network path; only the loss of most
    accounts then counts. way: that network path, for the log.
    """

    def __init__(
        self,
        accounts: Accounts,
        troubles: Troubles,
        reach: Reach | None,
        *,
        way: str = "",
    ) -> None:
        self._accounts, self._troubles, self._reach = accounts, troubles, reach
        self._way = f" {way}" if way else ""
        self._lost: deque[tuple[float, str]] = deque()
        self._woken = asyncio.Event()
        self._trusted = False
        self._held_since: float | None = None
        self._told = ""
        self._why = ""
        """Why the last probe failed, for people."""
        self._browsers_distrust = False
        """Whether browsers refuse the host's certificate as well."""
        self._settled = False
        """Whether an outage reported by an earlier run is known to be over."""

    @property
    def is_outage(self) -> bool:
        """Whether all accounts are on hold now."""
        return self._held_since is not None

    def note(self, notice: Notice) -> None:
        """Handle a notice; returns at once."""
        if not isinstance(notice, Transition):
            return
        self._browsers_distrust = notice.state is not State.CONNECTED and (
            self._browsers_distrust or _REFUSED_CERTIFICATE in notice.detail
        )
        if notice.state is State.CONNECTED:  # no longer lost
            self._lost = deque(each for each in self._lost if each[1] != notice.number)
            if not self._settled:
                self._woken.set()
        if notice.state not in {State.DISCONNECTED, State.ERROR, State.SUSPENDED}:
            return
        verdict = VERDICTS.get(notice.cause or notice.reason)
        if verdict is None or verdict.needs_person:
            return
        if notice.before is State.CONNECTED and notice.reason not in _OURS:
            self._lost.append((asyncio.get_running_loop().time(), notice.number))
        self._woken.set()

    async def run(self) -> None:
        """Watch until cancelled. Sleeps while all is well."""
        await self._settle()  # probes once at the start: a host that was never reached proves nothing by not answering
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self._settled else SETTLE_EVERY):
                    await self._woken.wait()
            if self._woken.is_set():
                self._woken.clear()
                if await self._is_outage():
                    await self._outage()
            if not self._settled:
                await self._settle()
            await asyncio.sleep(PROBE_EVERY)

    async def _settle(self) -> None:
        """Clear an outage reported by an earlier run once WhatsApp answers or an account is connected."""
        answers = self._reach is not None and await self._answers()
        if answers or self._connected():
            self._settled = True
            await self._troubles.clear_trouble(Trouble.UNREACHABLE)

    async def _is_outage(self) -> bool:
        if self._lost_most():
            return True
        if await self._answers() or not self._may_judge():
            return False
        await asyncio.sleep(1)
        return not await self._answers()

    async def _outage(self) -> None:
        """Hold all accounts until WhatsApp answers again."""
        loop = asyncio.get_running_loop()
        began = self._held_since = loop.time()
        self._lost.clear()
        self._accounts.hold()
        log.warning("WhatsApp cannot be reached%s: the accounts that go this way wait", self._way)
        good = 0
        try:
            while good < GOOD_PROBES:
                if self._connected() <= self._waiting() or loop.time() - began >= QUIET_SECONDS:
                    await self._tell()
                await asyncio.sleep(PROBE_EVERY)
                good = good + 1 if await self._answers() else 0
                if not good and self._is_belied(loop.time() - began):
                    break
        finally:
            self._held_since = None
            self._lost.clear()  # losses of this outage must not trigger another
            self._accounts.release()
        if good:
            seconds = loop.time() - began
            log.info("WhatsApp can be reached again%s, after %.0f s: accounts go on in turn", self._way, seconds)
        if self._told:
            self._told = ""
            await self._troubles.clear_trouble(Trouble.UNREACHABLE)

    def _is_belied(self, seconds: float) -> bool:
        """Return whether the probe, which has failed for so long, is contradicted; it is then distrusted."""
        if self._heard_within(seconds - BELIED_AFTER):
            log.warning("WhatsApp's host does not answer us, but connected accounts hear from it: all go on")
            self._trusted = False  # until it answers again
            return True
        if self._trusted or seconds <= LONGEST_BLIND:
            return False
        log.warning("WhatsApp's host was never reached from here; the browsers may know a way: they go on")
        self._reach = None
        return True

    def _heard_within(self, seconds: float) -> bool:
        now = utc_now()
        for account in self._accounts.accounts():
            status = self._accounts.status(account.number)
            heard = status.last_activity
            if status.is_connected and heard is not None and (now - heard).total_seconds() < seconds:
                return True
        return False

    async def _tell(self) -> None:
        waiting = self._waiting()
        words = f"{waiting} account is waiting" if waiting == 1 else f"{waiting} accounts are waiting"
        words = f"{self._why}, {words}" if self._why else words
        if words != self._told:
            self._told = words
            await self._troubles.raise_trouble(Trouble.UNREACHABLE, words)

    def _waiting(self) -> int:
        """Count the accounts that would be connected if WhatsApp were reachable."""
        statuses = [self._accounts.status(account.number) for account in self._accounts.accounts()]
        return sum(status.wants_connection and not status.is_connected for status in statuses)

    def _connected(self) -> int:
        return sum(self._accounts.status(account.number).is_connected for account in self._accounts.accounts())

    def _lost_most(self) -> bool:
        now = asyncio.get_running_loop().time()
        while self._lost and now - self._lost[0][0] > MOST_WITHIN:
            self._lost.popleft()
        lost = {number for _, number in self._lost}
        return len(lost) >= FEWEST and len(lost) > self._well(but=lost)

    def _well(self, but: Collection[str]) -> int:
        """Count the accounts that are connected or on their way: after an outage most wait for a launch slot."""
        return sum(
            self._accounts.status(account.number).state in {State.CONNECTED, State.CONNECTING}
            for account in self._accounts.accounts()
            if account.number not in but
        )

    def _may_judge(self) -> bool:
        """Return whether the probe's failure is significant: not while accounts are connected regardless."""
        return self._reach is not None and (self._trusted or not self._connected())

    async def _answers(self) -> bool:
        if self._reach is None:
            return True
        try:
            await self._reach()
        except UnknownRouteError as error:
            log.info("Browsers go their own way (%s): outages are noticed by lost accounts alone", error)
            self._reach = None
            return True
        except UntrustedError as error:
            if self._browsers_distrust:
                self._why = str(error)
                return False
        except (OSError, ValueError) as error:  # ValueError: an invalid address
            log.debug("WhatsApp's host does not answer: %s", error or "no answer in time")
            self._why = str(error)
            return False
        self._trusted = True
        return True
