"""The books of all chats, in memory and in the database, always identical.

A change is computed from the current books within the transaction that stores it, and takes effect on commit. A change
that could not be stored has not happened: the caller repeats it from the books as they are then.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from controller.incidents import Changes, Incident, Note, Silence
from handlers.alerts.incidents.book import Book, differences


class AlertStore(Protocol):
    """Storage of incidents, notes and silences. Every method raises OSError on failure."""

    async def incidents(self) -> Sequence[Incident]:
        """Return all incidents, oldest first."""

    async def notes(self) -> Sequence[Note]:
        """Return all notes, oldest first."""

    async def last_ids(self) -> tuple[int, int]:
        """Return the highest ids ever given to an incident and a note."""

    async def picture(self, note: int) -> bytes | None:
        """Return a note's PNG."""

    async def save(self, plan: Callable[[], Changes], *, urgent: bool = False) -> None:
        """Store what `plan`, called within the transaction, returns, and notify it of the commit.

        urgent: ahead of all that waits, since it records what a crash would repeat.
        """

    async def silences(self, now: datetime) -> Sequence[Silence]:
        """Return the active silences."""

    async def add_silence(self, silence: Silence, at: datetime, user: int) -> int:
        """Store a silence; returns its id."""

    async def end_silence(self, silence: int) -> None:
        """Delete a silence before it ends."""

    async def topics(self, chat: int) -> dict[str, int]:
        """Return the forum's topics by account."""

    async def moved(self) -> dict[int, int]:
        """Return the groups that became supergroups, by their old ids."""

    async def gone(self) -> set[int]:
        """Return the chats that cannot be written to."""


@dataclass(slots=True)
class Draft:
    """The books as they will be. topics, moved, gone: as in `Changes`."""

    _books: dict[int, Book]
    _last_incident: int
    _last_note: int
    changed: dict[int, Book] = field(default_factory=dict)
    pictures: dict[int, bytes] = field(default_factory=dict)
    topics: list[tuple[int, str, int | None]] = field(default_factory=list)
    moved: tuple[int, int] | None = None
    gone: list[tuple[int, bool]] = field(default_factory=list)

    def book(self, chat: int) -> Book:
        """Return a chat's book."""
        return self.changed.get(chat) or self._books.get(chat) or Book(chat)

    def books(self) -> Iterable[Book]:
        """Return all chats' books."""
        return [self.book(chat) for chat in dict.fromkeys((*self._books, *self.changed))]

    def put(self, book: Book) -> None:
        """Replace the chat's book by a changed one."""
        if book is not self.book(book.chat):
            self.changed[book.chat] = book

    def next_incident(self) -> int:
        """Return the id of a new incident."""
        self._last_incident += 1
        return self._last_incident

    def add_note(
        self,
        chat: int,
        html: str,
        *,
        incident: int | None = None,
        picture: bytes | None = None,
        sounds: bool = False,
        buttons: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Add a note for a chat. buttons: as in `Note`."""
        self._last_note += 1
        has_picture = picture is not None
        note = Note(self._last_note, chat, html, incident, has_picture, sounds=sounds, buttons=buttons)
        if picture is not None:
            self.pictures[note.id] = picture
        self.put(self.book(chat).put_note(note))

    @property
    def last_ids(self) -> tuple[int, int]:
        """The highest ids of an incident and a note."""
        return self._last_incident, self._last_note


class Ledger:
    """All chats' books. changed: called with the chats whose books have changed, once that is stored."""

    def __init__(self, store: AlertStore, changed: Callable[[Iterable[int]], None]) -> None:
        self.store = store
        self._changed = changed
        self._books: dict[int, Book] = {}
        self._last_ids = (0, 0)

    async def load(self) -> None:
        """Load what an earlier run stored. Raises OSError."""
        incidents, notes = await self.store.incidents(), await self.store.notes()
        for chat in dict.fromkeys([*(each.chat for each in incidents), *(each.chat for each in notes)]):
            ours = tuple(each for each in incidents if each.chat == chat)
            self._books[chat] = Book(chat, ours, tuple(each for each in notes if each.chat == chat))
        self._last_ids = await self.store.last_ids()

    @property
    def chats(self) -> tuple[int, ...]:
        """The chats that have a book."""
        return tuple(self._books)

    def books(self) -> Iterable[Book]:
        """Return all chats' books as they are stored."""
        return list(self._books.values())

    def book(self, chat: int) -> Book:
        """Return a chat's book as it is stored."""
        return self._books.get(chat) or Book(chat)

    async def update(self, change: Callable[[Draft], None], *, urgent: bool = False) -> None:
        """Store a change, computed from the current books. Raises OSError; then nothing has changed.

        urgent: as in `AlertStore.save`.
        """
        await self.store.save(lambda: self.plan(change), urgent=urgent)

    def plan(self, change: Callable[[Draft], None]) -> Changes:
        """Return what a change would store. Call it within a transaction, which reports its commit to the result."""
        draft = Draft(self._books, *self._last_ids)
        change(draft)
        before = [self._books[chat] for chat in draft.changed if chat in self._books]
        incidents, incidents_gone, notes, notes_gone = differences(before, draft.changed.values())

        def committed() -> None:
            self._books.update(draft.changed)
            self._last_ids = draft.last_ids
            if draft.changed:
                self._changed(draft.changed)

        return Changes(
            tuple(incidents),
            tuple(incidents_gone),
            tuple(notes),
            tuple(notes_gone),
            draft.pictures,
            tuple(draft.topics),
            draft.moved,
            tuple(draft.gone),
            committed,
        )
