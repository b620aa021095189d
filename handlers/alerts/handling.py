"""What people change of alerts: who is on it, lines about who did what, accounts that go, rights that end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from controller.incidents import Incident
from handlers.alerts.absorber import Absorber
from handlers.alerts.escalation.steps import marked, with_line
from handlers.alerts.incidents.book import Fact, Kind
from handlers.alerts.incidents.ledger import Draft, Ledger
from handlers.alerts.incidents.silences import Silences


class Handling:
    """Changes the books for people. Every method that stores raises OSError where it cannot."""

    def __init__(self, ledger: Ledger, absorber: Absorber, silences: Silences, clock: Callable[[], datetime]) -> None:
        self._ledger, self._absorber, self._silences, self._clock = ledger, absorber, silences, clock

    def find(self, chat: int, incident: int) -> Incident | None:
        """Return an incident of a chat, if it is still remembered."""
        return self._ledger.book(chat).get(incident)

    def open_incidents(self, chat: int) -> list[Incident]:
        """Return the incidents of a chat in which something stands, the oldest first."""
        return [each for each in self._ledger.book(chat).incidents if each.open_entries]

    def all_open_incidents(self) -> list[Incident]:
        """Return the incidents of all chats in which something stands."""
        return [each for book in self._ledger.books() for each in book.incidents if each.open_entries]

    async def acknowledge(self, incident: Incident, line: str) -> None:
        """Somebody is on it: it is not repeated, here or wherever else the same is told."""
        about = {(entry.number, entry.reason) for entry in incident.open_entries}

        def change(draft: Draft) -> None:
            for book in draft.books():
                for each in book.incidents:
                    theirs = {(entry.number, entry.reason) for entry in each.open_entries}
                    if each.id == incident.id or (theirs and theirs <= about):
                        book = book.put(replace(each, acknowledged_by=line, repeat_at=None, edited_at=None))  # noqa: PLW2901
                draft.put(book)

        await self._ledger.update(change)

    async def release(self, incident: Incident, line: str) -> None:
        """Nobody is on it any more: it is repeated and escalated anew, wherever the same is told."""
        keys = [(entry.number, entry.reason) for entry in incident.open_entries]

        def change(draft: Draft) -> None:
            anew = partial(replace, escalated=0, escalated_at=self._clock())
            for book in list(draft.books()):
                book = marked(book, anew, keys)  # noqa: PLW2901
                for each in book.incidents:
                    if each.acknowledged_by and {(e.number, e.reason) for e in each.open_entries} <= set(keys):
                        book = book.put(with_line(replace(each, acknowledged_by=""), line))  # noqa: PLW2901
                draft.put(book)

        await self._ledger.update(change)

    async def add_line(self, incident: Incident, line: str) -> None:
        """Let the incident tell who did what."""

        def change(draft: Draft) -> None:
            book = draft.book(incident.chat)
            if (now := book.get(incident.id)) is not None:
                draft.put(book.put(with_line(now, line)))

        await self._ledger.update(change)

    async def account_gone(self, number: str) -> None:
        """Let all that stands about an account end: it was removed."""
        fact = Fact(Kind.HANDLED, number, "", self._clock())
        await self._ledger.update(lambda draft: self._absorber.absorb_facts(draft, (), [fact]))
        await self._silences.load()

    async def keep_only(self, chat: int, may_see: Callable[[str], bool]) -> None:
        """Let a chat's book tell nothing more of what may not be seen there any more.

        may_see: of an account's number, "" for the controller itself. What was sent stays in the chat.
        """

        def change(draft: Draft) -> None:
            book = draft.book(chat)
            hidden = [each for each in book.incidents if not all(may_see(entry.number) for entry in each.entries)]
            left = {each.id: each for each in book.incidents if each not in hidden}
            for each in hidden:
                if entries := tuple(entry for entry in each.entries if may_see(entry.number)):
                    left[each.id] = replace(each, entries=entries)
            notes = book.notes if may_see("") else ()
            if hidden or notes != book.notes:
                draft.put(replace(book, incidents=tuple(left.values()), notes=notes))

        await self._ledger.update(change)
