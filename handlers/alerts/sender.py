"""Performs a chat worker's actions one by one, each recorded before and after it is sent.

This module turns actions into calls of the messenger and records their results. A message that was sent would be sent
again after a crash until that is recorded, so these records are urgent. `handlers.alerts.worker` decides which action
comes next, and when.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from controller.incidents import Incident, Note
from controller.registry import Registry
from handlers.alerts import alert_text
from handlers.alerts.announcer import Announcer
from handlers.alerts.incidents import delivery, incident_text
from handlers.alerts.incidents.delivery import Action, Edit, OpenTopic, Remind, Send, Withdraw
from handlers.alerts.incidents.ledger import Draft, Ledger
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.chat.errors import (
    ChatError,
    ChatMovedError,
    DeletionRefusedError,
    MessageGoneError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    RightMissingError,
    TokenRefusedError,
    TooManyError,
    TopicGoneError,
)
from handlers.chat.html import without_markup
from handlers.chat.messages import Button, Place, Text
from handlers.chat.messenger import Messenger
from handlers.texts import answers

log = logging.getLogger(__name__)

PASSING = (TooManyError, NotSentError, OutcomeUnknownError, ChatMovedError, TokenRefusedError)
"""Transient errors, which say nothing about the message."""


@dataclass(frozen=True, slots=True)
class ChatState:
    """What is known about a chat apart from its book. topics: it is a forum in which the bot opens topics."""

    chat: int
    accounts: Registry
    ledger: Ledger
    clock: Callable[[], datetime]
    policy: AlertPolicy
    no_topics: Callable[[str], None]
    """Called with the error if topics cannot be opened there."""
    announcer: Announcer


class Sender:
    """Performs the actions of one chat. Every method raises ChatError, or OSError if the result cannot be stored."""

    def __init__(self, state: ChatState) -> None:
        self._state, self._chat = state, state.chat
        self._ledger, self._clock, self._policy = state.ledger, state.clock, state.policy
        self._topics: dict[str, int] | None = None
        self.topics_refused = False
        """Opening a topic was rejected: it is not retried."""
        self._reopened: set[int] = set()

    def name(self, number: str) -> str:
        """Return an account's name, as HTML."""
        account = self._state.accounts.find(number)
        return answers.removed_title(number) if account is None else answers.title(account)

    async def perform(self, chat: Messenger, incident: Incident, action: Action) -> None:
        """Perform one action."""
        match action:
            case Send():
                await self._send(chat, incident, action)
            case Edit():
                await self._edit(chat, incident, action)
            case Remind():
                await self._remind(chat, incident, action)
            case Withdraw():
                await self._withdraw(chat, action.message)
                await self._record(incident, delivery.withdrawn)
            case OpenTopic():
                await self._open_topic(chat, incident, action)

    async def send_note(self, chat: Messenger, note: Note, incident: Incident | None) -> None:
        """Send a note, below its incident if it has one."""
        if note.sending:
            log.warning("A note of chat %d may have been sent already: it is sent again", self._chat)
        else:
            await self._ledger.update(lambda draft: self._put_note(draft, replace(note, sending=True)))
        picture = await self._ledger.store.picture(note.id) if note.has_picture else None
        if picture is not None and incident is not None:
            first = incident.parts[0].message if incident.parts else None
            send = partial(chat.send_picture, picture=picture, caption=Text(note.html), silent=True, reply_to=first)
            try:
                await send(Place(self._chat, incident.topic))
            except TopicGoneError:
                await send(Place(self._chat))
        else:
            buttons = [Button(*each) for each in note.buttons]
            keyboard = tuple(tuple(buttons[start : start + 2]) for start in range(0, len(buttons), 2))
            send_line = partial(chat.send, Place(self._chat), silent=not note.sounds)
            self._state.announcer.note_sent(note, await _plainly(send_line, Text(note.html, keyboard)))
        await self.drop_note(note)

    async def give_up_note(self, note: Note, why: str) -> None:
        """Delete a note that is rejected; if an alert refers to its picture, say that this cannot be shown."""
        await self.drop_note(note)
        if note.has_picture:
            html = alert_text.picture_refused(note.html, why)
            await self._state.announcer.notify([Place(self._chat)], html, sounds=False)

    async def drop_note(self, note: Note) -> None:
        """Delete a note that was sent, or never will be."""
        await self._ledger.update(lambda draft: draft.put(draft.book(self._chat).without_note(note.id)), urgent=True)

    async def set_aside(self, incident: Incident, action: Action) -> None:
        """Record that an action is given up."""
        if isinstance(action, Edit):
            await self._edit_rejected(incident, action)
            return
        await self._record(incident, lambda now: delivery.set_aside(now, action, self._clock(), self._policy))

    async def _send(self, chat: Messenger, incident: Incident, action: Send) -> None:
        if action.part == 0 and await self._goes_on_in_unstored(incident):
            return
        place = Place(self._chat, incident.topic)
        if not await self._record(incident, lambda now: delivery.sending(now, action)):
            return  # it ended before it was sent, during a silence
        try:
            message = await _plainly(partial(chat.send, place, silent=action.silent), action.text)
        except TopicGoneError:
            if incident.topic is None:
                raise
            await self._forget_topic(incident)
            return
        await self._record_sent(
            incident,
            lambda now, at: delivery.with_news(delivery.sent(now, action, message, at, self._policy), incident),
        )
        self._state.announcer.superseded(self._chat, incident.open_entries, message)

    async def _goes_on_in_unstored(self, incident: Incident) -> bool:
        """Let an incident go on in the message that told all of it before it could be stored, if there is one.

        That has made its sound. It is edited at once.
        """
        announcer, message = self._state.announcer, None

        def told(now: Incident, at: datetime) -> Incident:
            nonlocal message
            message = None if now.told_at is not None else announcer.sent_unstored(self._chat, now.open_entries)
            if message is None:
                return now
            unknown = Send(0, Text(""), silent=True)
            return replace(delivery.sent(now, unknown, message, at, self._policy), edited_at=None)

        if announcer.sent_unstored(self._chat, incident.open_entries) is None:
            return False
        await self._record_sent(incident, told)
        if message is not None:
            announcer.superseded(self._chat, incident.open_entries, message)
        return message is not None

    async def _record_sent(self, incident: Incident, change: Callable[[Incident, datetime], Incident]) -> None:
        """Record what was sent of the current incident, which may differ by now."""

        def record(draft: Draft) -> None:
            book, at = draft.book(self._chat), self._clock()
            if (now := book.get(incident.id)) is None:
                return
            after = change(now, at)
            first = now.told_at is None and after.told_at is not None
            book = book.put(after)
            draft.put(book.superseded_by(after, at) if first else book)

        await self._ledger.update(record, urgent=True)

    async def _edit(self, chat: Messenger, incident: Incident, action: Edit) -> None:
        try:
            if action.text.html:
                await chat.edit(self._chat, action.message, action.text)
            else:
                await chat.delete(self._chat, action.message)
        except (MessageGoneError, RefusedError) as error:
            log.info("A part of an incident in chat %d cannot be edited: %s", self._chat, error)
            await self._edit_rejected(incident, action)
        else:
            await self._record_edited(incident, action)

    async def _edit_rejected(self, incident: Incident, action: Edit) -> None:
        """Record that an edit is not possible: what people should learn from it is sent anew."""
        unseen = incident.news and incident.open_entries
        if unseen or (action.part == 0 and action.text.html and delivery.shows_an_end(incident)):
            await self._record(incident, lambda now: delivery.gone(now, action))
        else:
            await self._record_edited(incident, action)

    async def _record_edited(self, incident: Incident, action: Edit) -> None:
        def change(now: Incident) -> Incident:
            return delivery.with_news(delivery.edited(now, action, self._clock(), self._policy), incident)

        await self._record(incident, change)

    async def _remind(self, chat: Messenger, incident: Incident, action: Remind) -> None:
        """Make a sound again below the alert; only the latest reminder remains."""
        first = incident.parts[0].message if incident.parts else None
        send = partial(chat.send, Place(self._chat, incident.topic), silent=False, reply_to=first)
        message = await _plainly(send, action.text)
        await self._record(
            incident, lambda now: delivery.reminded(now, message, self._clock(), self._policy), urgent=True
        )
        if action.earlier is not None:
            await self._withdraw(chat, action.earlier)

    async def _withdraw(self, chat: Messenger, message: int) -> None:
        """Delete a reminder; if that is rejected, replace its text by one that cannot be wrong."""
        try:
            await chat.delete(self._chat, message)
        except (DeletionRefusedError, RightMissingError, RefusedError):
            try:
                await chat.edit(self._chat, message, Text(incident_text.REMINDER_PAST))
            except (MessageGoneError, RefusedError) as error:
                log.info("A reminder in chat %d cannot be taken away: %s", self._chat, error)

    # --- topics -------------------------------------------------------------------------------------------------------

    async def _open_topic(self, chat: Messenger, incident: Incident, action: OpenTopic) -> None:
        """Find or open the account's topic; if that is rejected, this alert and later ones go to General."""
        if self._topics is None:
            self._topics = await self._ledger.store.topics(self._chat)
        topic = self._topics.get(action.number)
        if topic is None and not self.topics_refused:
            try:
                topic = await chat.open_topic(self._chat, answers.topic_name(self.name(action.number)))
            except PASSING:
                raise
            except ChatError as error:
                self.topics_refused = True
                self._state.no_topics(str(error))
        if topic is None:
            await self._record(incident, lambda now: replace(now, about=""))
            return
        known = topic == self._topics.get(action.number)
        self._topics[action.number] = topic

        def record(draft: Draft) -> None:
            book = draft.book(self._chat)
            if not known:
                draft.topics.append((self._chat, action.number, topic))
            if (now := book.get(incident.id)) is not None:
                draft.put(book.put(replace(now, topic=topic)))

        await self._ledger.update(record, urgent=True)

    async def _forget_topic(self, incident: Incident) -> None:
        """Allow the incident to open another topic, once; after that it goes to General."""
        if self._topics is not None:
            self._topics.pop(incident.about, None)
        about = "" if incident.id in self._reopened else incident.about
        self._reopened.add(incident.id)

        def record(draft: Draft) -> None:
            book = draft.book(self._chat)
            draft.topics.append((self._chat, incident.about, None))
            if (now := book.get(incident.id)) is not None:
                draft.put(book.put(replace(now, topic=None, about=about, parts=())))

        await self._ledger.update(record)

    # --- records ------------------------------------------------------------------------------------------------------

    async def _record(
        self, incident: Incident, change: Callable[[Incident], Incident], *, urgent: bool = False
    ) -> bool:
        """Change the current incident, which may differ by now, and store it; False if it no longer exists."""
        found = False

        def record(draft: Draft) -> None:
            nonlocal found
            book = draft.book(self._chat)
            now = book.get(incident.id)
            found = now is not None
            if now is not None:
                draft.put(book.put(change(now)))

        await self._ledger.update(record, urgent=urgent)
        return found

    def _put_note(self, draft: Draft, note: Note) -> None:
        book = draft.book(self._chat)
        if any(each.id == note.id for each in book.notes):
            draft.put(book.put_note(note))


async def _plainly(send: Callable[[Text], Awaitable[int]], text: Text) -> int:
    """Send a text, without markup if that may be why it is rejected: no alert is lost because of a tag."""
    try:
        return await send(text)
    except RefusedError as error:
        log.error("Telegram refused an alert, it goes out plainly: %s", error)
        return await send(replace(text, html=without_markup(text.html)))
