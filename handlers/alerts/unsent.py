"""Alerts that have reached nobody although they should have, and since when: for external monitoring.

An alert counts once, however many chats have it: sent to one of them, or through the fallback, it has been delivered.
Time during which it is held back by a silence, quiet hours or its own rule does not count.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from controller.incidents import Incident
from handlers.alerts.incidents.book import Book

Key = tuple[int, int]


class Unsent:
    """Examines the books. is_held: whether an incident is held back in its chat now."""

    def __init__(
        self,
        books: Callable[[], Iterable[Book]],
        is_held: Callable[[Incident], bool],
        clock: Callable[[], datetime],
    ) -> None:
        self._books, self._is_held, self._clock = books, is_held, clock
        self._held_at: dict[Key, datetime] = {}
        """When an incident was last seen held back, by chat and id."""

    def since(self) -> list[datetime]:
        """Return since when each is pending. Must be called regularly: that is how held-back times are noticed."""
        incidents = [each for book in self._books() for each in book.incidents if each.open_entries]
        reported = {
            (entry.number, entry.reason)
            for each in incidents
            for entry in each.open_entries
            if each.told_at is not None or entry.fallback_at is not None
        }
        untold = {
            (each.chat, each.id): each
            for each in incidents
            if each.told_at is None and any((e.number, e.reason) not in reported for e in each.open_entries)
        }
        held = {key for key, each in untold.items() if self._is_held(each)}
        self._held_at = {key: at for key, at in self._held_at.items() if key in untold}
        self._held_at |= dict.fromkeys(held, self._clock())
        return [
            max(each.opened_at, self._held_at.get(key, each.opened_at))
            for key, each in untold.items()
            if key not in held
        ]
