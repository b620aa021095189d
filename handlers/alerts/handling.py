"""Changes that people make to incidents: acknowledge, release, add a line; and the effects of removals and rights."""

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
    """Reads and changes the incidents of all chats. Every async method raises OSError if it cannot store."""

    def __init__(self, ledger: Ledger, absorber: Absorber, silences: Silences, clock: Callable[[], datetime]) -> None:
        self._ledger, self._absorber, self._silences, self._clock = ledger, absorber, silences, clock

    def find(self, chat: int, incident: int) -> Incident | None:
        """Return an incident of a chat by its id; None if it is no longer stored."""
        return self._ledger.book(chat).get(incident)

    def open_incidents(self, chat: int) -> list[Incident]:
        """Return the incidents of a chat that have open entries, oldest first."""
        return [each for each in self._ledger.book(chat).incidents if each.open_entries]

    def all_open_incidents(self) -> list[Incident]:
        """Return the incidents of all chats that have open entries."""
        return [each for book in self._ledger.books() for each in book.incidents if each.open_entries]

    async def acknowledge(self, incident: Incident, line: str, *, take_over: bool = False) -> bool:
        """Mark an incident as acknowledged, in every chat that has the same problems: no more reminders.

        line: who did, as shown in the message; HTML. Returns False if somebody else has meanwhile, unless `take_over`.
        """
        about = {(entry.number, entry.reason) for entry in incident.open_entries}
        done = True

        def change(draft: Draft) -> None:
            nonlocal done
            now = draft.book(incident.chat).get(incident.id)
            done = take_over or now is None or not now.acknowledged_by
            if not done:
                return
            for book in draft.books():
                for each in book.incidents:
                    theirs = {(entry.number, entry.reason) for entry in each.open_entries}
                    if each.id == incident.id or (theirs and theirs <= about):
                        book = book.put(replace(each, acknowledged_by=line, repeat_at=None, edited_at=None))  # noqa: PLW2901
                draft.put(book)

        await self._ledger.update(change)
        return done

    async def release(self, incident: Incident, line: str) -> None:
        """Undo an acknowledgement, in every chat that has the same problems: reminders and escalation start over.

        line: who did, as shown in the message; HTML.
        """
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
        """Append a line about who did what to the incident's message; HTML."""

        def change(draft: Draft) -> None:
            book = draft.book(incident.chat)
            if (now := book.get(incident.id)) is not None:
                draft.put(book.put(with_line(now, line)))

        await self._ledger.update(change)

    async def account_gone(self, number: str) -> None:
        """End all open entries of an account that was removed."""
        fact = Fact(Kind.HANDLED, number, "", self._clock())
        await self._ledger.update(lambda draft: self._absorber.absorb_facts(draft, (), [fact]))
        await self._silences.load()

    async def keep_only(self, chat: int, may_see: Callable[[str], bool]) -> None:
        """Remove from a chat's book the entries that may not be seen there any more. Sent messages stay in the chat.

        may_see: whether an account's entries may be seen, by number, "" for the controller itself.
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
