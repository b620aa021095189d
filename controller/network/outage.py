"""The fleet: whether WhatsApp itself can be reached, and what follows for all accounts at once (L13).

An outage of the world is not counted against the accounts: when WhatsApp's host does not answer, or most accounts are
lost within moments, all are held, people are told once, and when it answers again they go on in turn. How one account
waits is in `controller.accounts.lifecycle`.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from controller.accounts.notices import Notice, Transition
from controller.accounts.reasons import TRAITS, VERDICTS, State
from controller.manager import Status, utc_now
from controller.registry import Account
from controller.troubles import Trouble, Troubles

log = logging.getLogger(__name__)

PROBE_EVERY = 5.0
"""Seconds between two probes while something is wrong."""
SETTLE_EVERY = 60.0
"""Seconds between two looks whether an outage that an earlier run told of is over."""
MOST_WITHIN = 30.0
FEWEST = 3
"""Most accounts, and at least so many, lost within so many seconds: it is not they (L13)."""
GOOD_PROBES = 2
"""Answers in a row after which WhatsApp counts as reachable again."""
LONGEST_BLIND = 900.0
"""Seconds for which accounts are held by a probe that has never once succeeded: it may be the probe that is wrong."""

BELIED_AFTER = 10.0
"""Seconds after which a word from a connected account's server is of now, and not of before an outage."""
QUIET_SECONDS = 75.0
"""For so long most accounts may be connected before people are notified: they hear from the server each minute."""

_OURS = frozenset(reason for reason, traits in TRAITS.items() if traits.ours)
"""What ends in our own processes, all at once where they share one: it tells nothing of WhatsApp."""

Reach = Callable[[], Awaitable[None]]
"""Reaches WhatsApp's host. Raises OSError (TimeoutError is one) if it does not answer."""


class Accounts(Protocol):
    """The registry, as the fleet uses it."""

    def accounts(self) -> Sequence[Account]:
        """All accounts."""

    def status(self, number: str) -> Status:
        """Where an account is."""

    def hold(self) -> None:
        """Try nothing and count nothing."""

    def release(self) -> None:
        """Go on, in turn."""


class OutageWatch:
    """Watches. Give it every notice (`note`), and `run` it.

    reach: None where WhatsApp's host cannot be asked the way in which the browsers ask it (`reach`);
    then only the loss of most accounts tells.
    """

    def __init__(
        self, accounts: Accounts, troubles: Troubles, reach: Reach | None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._accounts, self._troubles, self._reach, self._clock = accounts, troubles, reach, clock
        self._lost: deque[tuple[float, str]] = deque()
        self._woken = asyncio.Event()
        self._trusted = False
        self._held_since: float | None = None
        self._told = ""
        self._settled = False
        """Whether an outage that an earlier run told of is known to be over."""

    @property
    def held(self) -> bool:
        """Whether all accounts are held now."""
        return self._held_since is not None

    def note(self, notice: Notice) -> None:
        """Take a notice; returns at once."""
        if not isinstance(notice, Transition):
            return
        if notice.state is State.CONNECTED:  # it is lost no more
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
        """Watch for ever. Sleeps while nothing is wrong."""
        await self._settle()  # asks once at the start: what was never reached is not missed
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
        """End what an earlier run told of an outage, once WhatsApp answers or an account is connected."""
        answers = self._reach is not None and await self._answers()
        if answers or self._connected():
            self._settled = True
            await self._troubles.tell_trouble_over(Trouble.UNREACHABLE)

    async def _is_outage(self) -> bool:
        if self._lost_most():
            return True
        if await self._answers() or not self._may_judge():
            return False
        await asyncio.sleep(1)
        return not await self._answers()

    async def _outage(self) -> None:
        """Hold all until WhatsApp answers again."""
        loop = asyncio.get_running_loop()
        began = self._held_since = loop.time()
        self._lost.clear()
        self._accounts.hold()
        log.warning("WhatsApp cannot be reached: all accounts wait")
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
            self._lost.clear()  # what was lost in this outage is no sign of another
            self._accounts.release()
        if good:
            log.info("WhatsApp can be reached again, after %.0f s: accounts go on in turn", loop.time() - began)
        if self._told:
            self._told = ""
            await self._troubles.tell_trouble_over(Trouble.UNREACHABLE)

    def _is_belied(self, seconds: float) -> bool:
        """Tell whether the probe, which has failed for so long, is not to be believed; then it is not, from now on."""
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
        now = self._clock()
        for account in self._accounts.accounts():
            status = self._accounts.status(account.number)
            heard = status.last_activity
            if status.is_connected and heard is not None and (now - heard).total_seconds() < seconds:
                return True
        return False

    async def _tell(self) -> None:
        waiting = self._waiting()
        words = f"{waiting} account is waiting" if waiting == 1 else f"{waiting} accounts are waiting"
        if words != self._told:
            self._told = words
            await self._troubles.tell_trouble(Trouble.UNREACHABLE, words)

    def _waiting(self) -> int:
        """Count the accounts that would be connected if WhatsApp could be reached."""
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
        """Count the accounts that are connected or on their way: after an outage most wait for their turn."""
        return sum(
            self._accounts.status(account.number).state in {State.CONNECTED, State.CONNECTING}
            for account in self._accounts.accounts()
            if account.number not in but
        )

    def _may_judge(self) -> bool:
        """Tell whether the probe's failure means anything: not while accounts are connected that it cannot reach."""
        return self._reach is not None and (self._trusted or not self._connected())

    async def _answers(self) -> bool:
        if self._reach is None:
            return True
        try:
            await self._reach()
        except (OSError, ValueError) as error:  # ValueError: an address that is none
            log.debug("WhatsApp's host does not answer: %s", error or "no answer in time")
            return False
        self._trusted = True
        return True
