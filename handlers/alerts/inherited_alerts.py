"""Alerts that an earlier run left open about an account's page rather than its state: a dialog, a number to confirm.

Only the run that raised such an alert can end it by an event. So after a start each one is checked against the account:
it is ended if its cause is gone, and not raised a second time if the cause is noticed again.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from controller.incidents import Entry
from controller.registry import Registry
from controller.troubles import traits_of
from handlers.alerts.absorber import Absorber
from handlers.alerts.incidents.book import Fact, Kind
from handlers.alerts.incidents.ledger import Ledger

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
"""Between two checks, as long as any are left."""
SETTLED = timedelta(minutes=2)
"""How long an account must be connected, or the program run, before a cause that is not visible counts as gone."""
STEADY = timedelta(hours=1)
"""How long an account that was flapping must stay connected before that alert ends."""


class InheritedAlerts:
    """Checks them until none is left. Load it with the entries that are open at the start, then run it.

    left: (number, reason) of the remaining ones, shared with the absorber so that these are not raised again.
    """

    def __init__(
        self,
        accounts: Registry,
        ledger: Ledger,
        absorber: Absorber,
        left: set[tuple[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._accounts, self._ledger, self._absorber, self._clock = accounts, ledger, absorber, clock
        self._left, self._numbers = left, set[str]()

    def load(self, entries: Iterable[Entry]) -> None:
        """Select the entries to check."""
        entries = [each for each in entries if each.number]
        self._left |= {(each.number, each.reason) for each in entries if traits_of(each.reason).persists}
        self._numbers = {each.number for each in entries}

    async def run(self) -> None:
        """Check until none is left."""
        if self._numbers:
            await asyncio.sleep(SETTLED.total_seconds())
        for number in sorted(self._numbers):
            if self._accounts.find(number) is None:  # as after a backup was restored
                await self._end(number, "", Kind.HANDLED)
        while self._left:
            await asyncio.sleep(LOOK_SECONDS)
            for number, reason in sorted(self._left):
                if self._is_over(number, reason):
                    await self._end(number, reason)

    async def _end(self, number: str, reason: str, kind: Kind = Kind.OVER) -> None:
        fact = Fact(kind, number, reason, self._clock())
        try:
            await self._ledger.update(lambda draft: self._absorber.absorb_facts(draft, (), [fact]))
        except OSError as error:
            log.error("The end of an alert could not be stored, trying again: %s", error)
        else:
            self._left.discard((number, reason))

    def _is_over(self, number: str, reason: str) -> bool:
        status = self._accounts.find_status(number)
        if status is None:
            return True
        connected_for = timedelta(seconds=status.uptime) if status.is_connected else timedelta(0)
        if reason == Reason.FLAPPING:
            return connected_for >= STEADY
        if reason == Reason.WATCHED_IN_PART:
            return not status.partial and connected_for >= SETTLED
        if _is_asked(status, reason) or status.state is State.CONNECTING:
            return False
        return connected_for >= SETTLED or not status.is_connected  # the program has run for so long by now


def _is_asked(status: Status, reason: str) -> bool:
    """Whether the page still shows what a person was asked about."""
    return bool(status.dialog) if reason == Reason.DIALOG else status.unconfirmed is not None
