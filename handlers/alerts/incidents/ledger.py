"""The books of all chats, in memory and in the database, always identical.

A change is computed from the current books within the transaction that stores it, and takes effect on commit. A change
that could not be stored has not happened: the caller repeats it from the books as they are then.

Each commit takes along all changes that wait for the disk at that moment: an alert reaches several chats at once, and
until it is recorded that a chat has it, a crash makes it come twice there.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from controller.incidents import Changes, Incident, Note, Silence
from handlers.alerts.incidents.book import Book, differences

log = logging.getLogger(__name__)


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

    def with_change(self, change: "Change") -> "Draft | None":
        """Return a draft with a further change; None if that cannot be computed, or stored together with this one."""
        further = replace(
            self,
            changed=dict(self.changed), pictures=dict(self.pictures), topics=list(self.topics), moved=None,
            gone=list(self.gone),
        )  # fmt: skip
        try:
            change(further)
        except Exception:
            log.debug("A change of alerts is left to a transaction of its own", exc_info=True)
            return None
        if self.moved is not None and further.moved is not None:
            return None
        further.moved = further.moved or self.moved
        return further

    @property
    def last_ids(self) -> tuple[int, int]:
        """The highest ids of an incident and a note."""
        return self._last_incident, self._last_note


Change = Callable[[Draft], None]


@dataclass(eq=False, slots=True)
class _Waiting:
    """A change whose caller waits for the disk. stored: another caller's commit took it along."""

    change: Change
    stored: bool = False


class Ledger:
    """All chats' books. changed: called with the chats whose books have changed, once that is stored."""

    def __init__(self, store: AlertStore, changed: Callable[[Iterable[int]], None]) -> None:
        self.store = store
        self._changed = changed
        self._books: dict[int, Book] = {}
        self._last_ids = (0, 0)
        self._waiting: dict[_Waiting, None] = {}

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

    async def update(self, change: Change, *, urgent: bool = False) -> None:
        """Store a change, computed from the current books. Raises OSError; then nothing has changed.

        urgent: as in `AlertStore.save`.
        """
        waiting = _Waiting(change)

        def plan() -> Changes:
            self._waiting.pop(waiting, None)  # what fails now is not stored by the next one
            return Changes() if waiting.stored else self.plan(change)

        self._waiting[waiting] = None
        try:
            await self.store.save(plan, urgent=urgent)
        finally:
            self._waiting.pop(waiting, None)

    def plan(self, change: Change) -> Changes:
        """Return what a change would store, together with those that wait.

        Call it within a transaction, which reports its commit to the result.
        """
        draft = Draft(self._books, *self._last_ids)
        change(draft)
        along = []
        for waiting in self._waiting:
            if not waiting.stored and (further := draft.with_change(waiting.change)) is not None:
                draft = further
                along.append(waiting)
        before = [self._books[chat] for chat in draft.changed if chat in self._books]
        incidents, incidents_gone, notes, notes_gone = differences(before, draft.changed.values())

        def committed() -> None:
            for waiting in along:
                waiting.stored = True
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
