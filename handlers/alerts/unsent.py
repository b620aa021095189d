"""Which alerts nobody was told of though somebody should have been, and since when: what a watcher outside is to know.

An alert is one, in however many chats it stands: told in one of them, or by the second way, it is told. What a silence,
quiet hours or its own rule holds back is not waited for, and counts from the moment on which it is not held back.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from controller.incidents import Incident
from handlers.alerts.incidents.book import Book

Key = tuple[int, int]


class Unsent:
    """Looks at the books. is_held: whether an incident is held back in its chat now."""

    def __init__(
        self,
        books: Callable[[], Iterable[Book]],
        is_held: Callable[[Incident], bool],
        clock: Callable[[], datetime],
    ) -> None:
        self._books, self._is_held, self._clock = books, is_held, clock
        self._held_at: dict[Key, datetime] = {}
        """When an incident was last seen to be held back, by chat and id."""

    def since(self) -> list[datetime]:
        """Return since when each of them waits. Ask again and again: what is held back is noticed by asking."""
        incidents = [each for book in self._books() for each in book.incidents if each.open_entries]
        told = {
            (entry.number, entry.reason)
            for each in incidents
            for entry in each.open_entries
            if each.told_at is not None or entry.second_way_at is not None
        }
        untold = {
            (each.chat, each.id): each
            for each in incidents
            if each.told_at is None and any((e.number, e.reason) not in told for e in each.open_entries)
        }
        held = {key for key, each in untold.items() if self._is_held(each)}
        self._held_at = {key: at for key, at in self._held_at.items() if key in untold}
        self._held_at |= dict.fromkeys(held, self._clock())
        return [
            max(each.opened_at, self._held_at.get(key, each.opened_at))
            for key, each in untold.items()
            if key not in held
        ]
