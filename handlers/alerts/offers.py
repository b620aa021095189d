"""What can be done about an alert now, where its reason alone does not tell: the page and the saved copies do.

A known dialog has a button, an unknown one has none; Restore is offered where there is a copy of the session. Copies
are looked for beside the sending, so that no alert waits for it; when one is found, the alert is looked at again.
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
    """An `Offers` of the accounts as they are. changed: called with a number about which more can be offered now."""

    def __init__(self, accounts: Registry, tasks: Tasks, changed: Callable[[str], None]) -> None:
        self._accounts, self._tasks, self._changed = accounts, tasks, changed
        self._with_copies: set[str] = set()

    def __call__(self, entry: Entry) -> tuple[Remedy, ...]:
        """Return the remedies whose buttons belong under an entry."""
        offered = by_traits(entry)
        if not entry.number:
            return offered
        try:
            asked = self._accounts.status(entry.number).remedies
        except UnknownAccountError:  # the program has just started, or the account is about to be told gone
            return offered
        if offered == (Remedy.CONTINUE,) and Remedy.CONTINUE not in asked:
            return ()
        if traits_of(entry.reason).restorable and entry.number in self._with_copies:
            return (*offered, Remedy.RESTORE)
        return offered

    def look(self, entry: Entry) -> None:
        """Look for saved copies that may mend an entry. Returns at once."""
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
