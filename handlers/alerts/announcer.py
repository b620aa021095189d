"""Reliable notifications to admins: troubles of the controller, single lines, and alerts that cannot be stored.

Whatever is stored in time is a regular incident or note. Otherwise it is sent directly, once, without
buttons, and becomes a regular alert as soon as it can be stored: by the same message, which does not sound again. Its
end is an edit of that message.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

from controller.accounts.notices import Transition
from controller.accounts.reasons import State
from controller.incidents import CRITICAL, Entry, Note
from controller.tasks import Tasks
from controller.troubles import Trouble
from handlers.alerts import alert_text
from handlers.alerts.absorber import Absorber
from handlers.alerts.escalation.audience import Audience
from handlers.alerts.escalation.escalator import Escalator
from handlers.alerts.incidents.book import Fact, Kind
from handlers.alerts.incidents.ledger import Draft, Ledger
from handlers.chat.chat_settings import Loudness
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue
from handlers.texts.vocabulary import Readers

log = logging.getLogger(__name__)

REMEMBERED = 200
"""How many notes with buttons are remembered with their messages."""
STORED_WITHIN = 5.0
"""Seconds within which something must be stored; after that it is sent unstored."""


class Announcer:
    """Notifies admins. No method raises."""

    def __init__(
        self,
        queue: SendQueue,
        tasks: Tasks,
        *,
        ledger: Ledger,
        audience: Audience,
        absorber: Absorber,
        escalator: Escalator,
        clock: Callable[[], datetime],
    ) -> None:
        self._queue, self._tasks, self._ledger, self._clock = queue, tasks, ledger, clock
        self._audience, self._absorber, self._escalator = audience, absorber, escalator
        self._notes: OrderedDict[str, list[tuple[int, int]]] = OrderedDict()
        """The messages of notes with buttons by their text: a chat and an id each."""
        self._sent_unstored: dict[tuple[str, str], list[tuple[int, int]]] = {}
        """(number, reason) of what was sent without being stored, with its messages: a chat and an id each."""

    async def trouble(self, kind: Kind, reason: Trouble, detail: str = "") -> None:
        """Notify admins of a trouble of the controller itself, or of its end."""
        fact = Fact(kind, "", reason, self._clock(), detail=detail)
        places = self._audience.of_controller()
        chats = [place.chat for place in places] if kind is Kind.ALERT else []
        if await self.store(lambda draft: self._absorber.absorb_facts(draft, chats, [fact])):
            if kind is Kind.OVER:  # there is no incident that this could end
                await self._end_unstored(("", reason), alert_text.unstored_over(reason))
            else:
                await self._settle_unstored(("", reason))
            if kind is Kind.OVER and reason is Trouble.DATABASE:
                for key in tuple(self._sent_unstored):
                    await self._settle_unstored(key)
        elif kind is Kind.ALERT:
            entry = Entry("", reason, fact.at, detail=detail)
            self._send_unstored(entry, self._audience.of_controller())

    def not_stored(self, transition: Transition) -> None:
        """Send an alert that cannot be stored. Returns at once."""
        number, reason = transition.number, transition.alert
        if reason is None:
            if transition.state is State.CONNECTED:
                connected = alert_text.unstored_connected(self._audience.name(number))
                for key in [each for each in self._sent_unstored if each[0] == number]:
                    self._tasks.start(self._end_unstored(key, connected), "the end of an alert that was not stored")
            return
        entry = Entry(number, reason, transition.at, transition.cause, transition.detail, silent=transition.silent)
        self._send_unstored(entry, self._audience.of_account(number))

    async def notify_admins(
        self, html: str, *, sounds: bool = False, buttons: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Send admins one message. buttons: as in `Note`."""
        await self.notify(self._audience.recipients.of_admins(), html, sounds=sounds, buttons=buttons)

    async def sound(self, html: str) -> None:
        """Send admins one message with sound."""
        await self.notify_admins(html, sounds=True)

    async def notify(
        self, places: Iterable[Place], html: str, *, sounds: bool, buttons: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Send each of these chats one message."""
        chats = [place.chat for place in places]

        def change(draft: Draft) -> None:
            for chat in chats:
                draft.add_note(chat, html, sounds=sounds, buttons=buttons)

        await self.store(change)

    def note_sent(self, note: Note, message: int) -> None:
        """Remember the message of a note with buttons."""
        if note.buttons:
            self._notes.setdefault(note.html, []).append((note.chat, message))
            if len(self._notes) > REMEMBERED:
                self._notes.popitem(last=False)

    def replace_notes(self, html: str, by: str) -> None:
        """Replace the messages of a note with buttons, which are settled by now, in every chat. Returns at once."""
        for chat, message in self._notes.pop(html, ()):
            self._tasks.start(self._settle_note(chat, message, by), "a note whose buttons are settled")

    async def _settle_note(self, chat: int, message: int, html: str) -> None:
        try:
            await self._queue.deliver(Lane.UPDATES, chat, _edit(chat, message, Text(html)))
        except ChatError as error:
            log.info("The buttons of a note in chat %d stay: %s", chat, error)

    async def store(self, change: Callable[[Draft], None]) -> bool:
        """Store a change; False if that fails or takes too long, in which case it may still be stored later."""
        saving = self._tasks.start(self._save(change), "storing what admins are to know")
        done, _ = await asyncio.wait({saving}, timeout=STORED_WITHIN)
        if not done:
            log.error("What admins are to know is not stored after %g s", STORED_WITHIN)
            return False
        return not saving.cancelled() and saving.exception() is None and saving.result()

    async def _save(self, change: Callable[[Draft], None]) -> bool:
        try:
            await self._ledger.update(change)
        except OSError as error:
            log.error("What admins are to know cannot be stored: %s", error)
            return False
        return True

    def _send_unstored(self, entry: Entry, places: Iterable[Place]) -> None:
        key = entry.number, entry.reason
        if key not in self._sent_unstored:
            messages = self._sent_unstored[key] = []
            name, what = self._audience.name(entry.number), "an alert that cannot be stored"
            loudness = {place: self._absorber.loudness(place.chat, entry) for place in places}
            sending = [
                self._tasks.start(
                    self._send(
                        place,
                        Text(alert_text.unstored(entry, name, self._readers(place.chat, entry.number))),
                        messages,
                        silent=loud is Loudness.SILENT,
                    ),
                    what,
                )
                for place, loud in loudness.items()
                if loud is not Loudness.OFF
            ]
            if entry.reason in CRITICAL and sending:
                html = alert_text.unstored(entry, name)
                self._tasks.start(self._escalator.send_unless_taken(sending, html), what)

    def _readers(self, chat: int, number: str) -> Readers:
        """Return who reads a chat's alerts: only steps that they can take are named."""
        if chat < 0:
            return Readers.MANY
        return Readers.ACTS if self._audience.reader(chat).acts(number) else Readers.WATCHES

    async def _send(self, place: Place, text: Text, messages: list[tuple[int, int]], *, silent: bool) -> bool:
        """Send an alert and add it to `messages`. Returns whether it arrived."""
        try:
            message = await self._queue.deliver(
                Lane.ALERTS, place.chat, lambda chat: chat.send(place, text, silent=silent), repeat=True
            )
        except ChatError as error:
            log.error("An alert could not be sent to chat %d: %s", place.chat, error)
            return False
        messages.append((place.chat, message))
        return True

    # --- what was sent without being stored, and is stored by now -----------------------------------------------------

    def sent_unstored(self, chat: int, entries: Iterable[Entry]) -> int | None:
        """Return the message that told a chat of all these without being stored; None if it knows of one of them only.

        Of several the first: its incident may go on in it.
        """
        told = [self._messages((entry.number, entry.reason), chat) for entry in entries]
        return told[0][0] if told and all(told) else None

    def superseded(self, chat: int, entries: Iterable[Entry], by: int) -> None:
        """Note that a message is a regular alert of all these now. Returns at once."""
        for entry in entries:
            key = entry.number, entry.reason
            for message in self._messages(key, chat):
                self._sent_unstored[key].remove((chat, message))
                if message != by:
                    what = "replacing what was not stored"
                    self._tasks.start(self._replace(chat, message, alert_text.STORED_BY_NOW), what)

    def _messages(self, key: tuple[str, str], chat: int) -> list[int]:
        return [message for there, message in self._sent_unstored.get(key, ()) if there == chat]

    async def _settle_unstored(self, key: tuple[str, str]) -> None:
        """Replace what was sent without being stored, except where its incident will go on in that message."""
        left = [each for each in self._sent_unstored.get(key, ()) if self._will_be_sent(key, each[0])]
        await self._end_unstored(key, alert_text.STORED_BY_NOW, but=left)

    def _will_be_sent(self, key: tuple[str, str], chat: int) -> bool:
        return any(
            incident.told_at is None and any((entry.number, entry.reason) == key for entry in incident.open_entries)
            for incident in self._ledger.book(chat).incidents
        )

    async def _end_unstored(self, key: tuple[str, str], html: str, *, but: Sequence[tuple[int, int]] = ()) -> None:
        """Replace what was sent without being stored, if it was. but: messages that stay."""
        messages = self._sent_unstored.pop(key, ())
        if but:
            self._sent_unstored[key] = list(but)
        for chat, message in messages:
            if (chat, message) not in but:
                await self._replace(chat, message, html)

    async def _replace(self, chat_id: int, message: int, html: str) -> None:
        """Replace a message; where that is impossible, its end is a new one."""
        try:
            await self._queue.deliver(Lane.ALERTS, chat_id, _edit(chat_id, message, Text(html)))
        except ChatError as error:
            log.info("The end of an alert in chat %d is a new message: %s", chat_id, error)
            await self.notify([Place(chat_id)], html, sounds=False)


def _edit(chat_id: int, message: int, text: Text) -> Callable[[Messenger], Awaitable[None]]:
    return lambda chat: chat.edit(chat_id, message, text)
