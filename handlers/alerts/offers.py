"""Remedies to offer with an alert now, where the reason alone is not enough: they depend on page and saved copies.

A known dialog has a button, an unknown one has none; Restore is offered if there is a copy of the session. Copies
are looked up in the background, so that no alert waits for it; if one is found, the alert is re-examined.
"""

import logging
from collections.abc import Callable

from controller.accounts.reasons import Remedy
from controller.driver import DriverError
from controller.incidents import Entry
from controller.registry import Registry, UnknownAccountError
from controller.tasks import Tasks
from controller.troubles import traits_of
from handlers.alerts.incidents.incident_text import by_traits

log = logging.getLogger(__name__)


class LiveOffers:
    """Implements `Offers` from live accounts. changed: called with a number whose remedies have changed."""

    def __init__(self, accounts: Registry, tasks: Tasks, changed: Callable[[str], None]) -> None:
        self._accounts, self._tasks, self._changed = accounts, tasks, changed
        self._with_copies: set[str] = set()

    def __call__(self, entry: Entry) -> tuple[Remedy, ...]:
        """Return the remedies to offer with an entry."""
        offered = by_traits(entry)
        status = self._accounts.find_status(entry.number)
        if status is None:  # it is the controller's, the program has just started, or the account is being removed
            return offered
        if offered == (Remedy.CONTINUE,) and Remedy.CONTINUE not in status.remedies:
            return ()
        if traits_of(entry.reason).restorable and entry.number in self._with_copies:
            return (*offered, Remedy.RESTORE)
        return offered

    def look(self, entry: Entry) -> None:
        """Look for saved copies that may fix an entry. Returns at once."""
        if entry.number and traits_of(entry.reason).restorable:
            self._tasks.start(self._look(entry.number), "looking for saved sessions")

    async def _look(self, number: str) -> None:
        try:
            there = bool(await self._accounts.saved(number))
        except UnknownAccountError:
            there = False
        except (DriverError, OSError) as error:
            log.warning("Saved sessions cannot be looked for: %s", error)
            return
        if there != (number in self._with_copies):
            (self._with_copies.add if there else self._with_copies.discard)(number)
            self._changed(number)
