"""What a chat's worker says: duties performed one by one, each kept before and after it is sent.

Here is how a duty becomes calls of the messenger, and what is recorded of it. Which duty is next, and when, is decided
in `handlers.alerts.worker`.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from pydantic import TypeAdapter

from controller.registry import UnknownAccountError
from handlers.alerts import delivery
from handlers.alerts.delivery import Action, Edit, OpenTopic, Remind, Reply, Send
from handlers.alerts.incidents import Book, Incident
from handlers.alerts.owed import OutboxStore
from handlers.alerts.silences import Silence
from handlers.chat.errors import ChatGoneError, MessageGoneError, RefusedError, RightMissingError, TopicGoneError
from handlers.chat.messages import Place, Text
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue
from handlers.ports import Accounts
from handlers.texts import answers

log = logging.getLogger(__name__)

_AS_JSON = TypeAdapter(Incident)


@dataclass(slots=True)
class Counts:
    """What happened since the start. maybe_twice: sent again because it was not known whether it had been sent."""

    sent: int = 0
    maybe_twice: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What all workers share. on_gone: a chat cannot be written to, and why; on_moved: a group has a new id."""

    post: SendQueue
    accounts: Accounts
    outbox: OutboxStore
    silences: Callable[[], Iterable[Silence]]
    clock: Callable[[], datetime]
    repeat_after: timedelta
    on_gone: Callable[[int, str], None]
    on_moved: Callable[[int, int], None]
    counts: Counts = field(default_factory=Counts)


class Sender:
    """Performs the duties of one chat. Every method raises ChatError, or OSError where what was done cannot be kept."""

    def __init__(self, context: Context, book: Book) -> None:
        self._context, self._book = context, book
        self._topics: dict[str, int] | None = None

    def name(self, number: str) -> str:
        """Return what an account is called, as HTML."""
        try:
            return answers.title(self._context.accounts.account(number))
        except UnknownAccountError:
            return answers.number_title(number)

    async def keep(self, done: Iterable[int], changed: Iterable[int]) -> None:
        """Keep the incidents that changed, and drop the rows that became them."""
        incidents = [each for number in changed if (each := self._book.get(number)) is not None]
        await self._context.outbox.settle(list(done), [incident_row(each) for each in incidents])

    async def perform(self, chat: Messenger, incident: Incident, duty: Action) -> None:
        """Perform one duty."""
        match duty:
            case Send():
                await self._send(chat, incident, duty)
            case Edit():
                await self._edit(chat, incident, duty)
            case Reply():
                await self._reply(chat, incident, duty)
            case Remind():
                await _plainly(partial(self._say, chat, incident, silent=False), duty.text)
                now = self._context.clock()
                await self._put(delivery.reminded(self._fresh(incident), now, self._context.repeat_after))
            case OpenTopic():
                await self._open_topic(chat, incident, duty)

    async def show_picture(self, chat: Messenger, incident: Incident, picture: bytes, caption: str) -> None:
        """Show below an incident what a page looked like. caption: HTML."""
        place, first = self._below(incident)
        await chat.send_picture(place, picture, Text(caption), silent=True, reply_to=first)

    async def _send(self, chat: Messenger, incident: Incident, duty: Send) -> None:
        place = Place(self._book.chat, incident.topic)
        await self._put(delivery.sending(incident, duty))
        try:
            message = await _plainly(lambda text: chat.send(place, text, silent=duty.silent), duty.text)
        except TopicGoneError:
            await self._forget_topic(incident)
            return
        now = self._context.clock()
        self._context.counts.sent += 1
        await self._put(delivery.sent(self._fresh(incident), duty, message, now, self._context.repeat_after))

    async def _edit(self, chat: Messenger, incident: Incident, duty: Edit) -> None:
        try:
            if duty.text.html:
                await chat.edit(self._book.chat, duty.message, duty.text)
            else:
                await chat.delete(self._book.chat, duty.message)
        except (MessageGoneError, RefusedError) as error:
            log.info("A part of an incident in chat %d cannot be edited: %s", self._book.chat, error)
            if isinstance(error, MessageGoneError) and delivery.is_news(incident):
                await self._put(delivery.gone(self._fresh(incident), duty))
                return
        await self._put(delivery.edited(self._fresh(incident), duty, self._context.clock(), self._context.repeat_after))

    async def _reply(self, chat: Messenger, incident: Incident, duty: Reply) -> None:
        message = duty.message
        if message is None:
            await self._put(delivery.replying(incident))
            message = await _plainly(partial(self._say, chat, incident, silent=True), duty.text)
        else:
            try:
                await chat.edit(self._book.chat, message, duty.text)
            except (MessageGoneError, RefusedError) as error:
                log.info("A reply in chat %d cannot be edited: %s", self._book.chat, error)
        await self._put(delivery.replied(self._fresh(incident), duty, message, self._context.clock()))

    async def _say(self, chat: Messenger, incident: Incident, text: Text, *, silent: bool) -> int:
        place, first = self._below(incident)
        return await chat.send(place, text, silent=silent, reply_to=first)

    def _below(self, incident: Incident) -> tuple[Place, int | None]:
        """Return where the incident is told, and the message to reply to there."""
        return Place(self._book.chat, incident.topic), incident.parts[0].message if incident.parts else None

    async def _open_topic(self, chat: Messenger, incident: Incident, duty: OpenTopic) -> None:
        if self._topics is None:
            self._topics = await self._context.outbox.topics(self._book.chat)
        topic = self._topics.get(duty.number)
        if topic is None:
            try:
                topic = await chat.open_topic(self._book.chat, answers.topic_name(self.name(duty.number)))
            except (ChatGoneError, RefusedError, RightMissingError):
                await self._put(replace(self._fresh(incident), about=""))
                return
            self._topics[duty.number] = topic
            await self._context.outbox.set_topic(self._book.chat, duty.number, topic)
        await self._put(replace(self._fresh(incident), topic=topic))

    async def _forget_topic(self, incident: Incident) -> None:
        if self._topics is not None:
            self._topics.pop(incident.about, None)
        await self._context.outbox.set_topic(self._book.chat, incident.about, None)
        await self._put(replace(self._fresh(incident), topic=None, parts=()))

    async def _put(self, incident: Incident) -> None:
        self._book.put(incident)
        await self.keep((), {incident.id})

    def _fresh(self, incident: Incident) -> Incident:
        """Return the incident as it is now: it may have changed while a message was under way."""
        return self._book.get(incident.id) or incident


async def _plainly(send: Callable[[Text], Awaitable[int]], text: Text) -> int:
    """Send a text; where Telegram does not take its markup, without: an alert is not lost for a tag."""
    try:
        return await send(text)
    except RefusedError as error:
        log.error("Telegram refused an alert, it goes out plainly: %s", error)
        return await send(Text(re.sub(r"<[^>]*>", "", text.html)))


def incident_row(incident: Incident) -> tuple[int, int, str]:
    """Return an incident as it is kept: id, chat, body."""
    return incident.id, incident.chat, _AS_JSON.dump_json(incident).decode()


def incident_of(body: str) -> Incident:
    """Return a kept incident."""
    return _AS_JSON.validate_json(body)
