"""Sends answers to people. A change of an account is answered by its card instead (`cards`), which stays up to date.

An answer that is too long for one message has its buttons under the last one; pressing one edits all of them.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from controller.tasks import Tasks
from handlers.chat.errors import (
    ChatError,
    ChatMovedError,
    OutcomeUnknownError,
    RefusedError,
    SupersededError,
    TokenRefusedError,
)
from handlers.chat.html import rendered_length, split, without_markup
from handlers.chat.live_message import LiveMessage
from handlers.chat.messages import TEXT_LIMIT, Keyboard, Lane, Place, Text
from handlers.chat.messenger import Messenger
from handlers.chat.request import Request
from handlers.chat.send_queue import SendQueue
from handlers.telegram.ui.questions import Questions
from handlers.texts import answers

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often an answer is sent that may not have arrived, or whose group moves."""
LATE = 120.0
"""Seconds after which an answer that waited says so: it tells how things were when it was asked for."""
LONG_ANSWERS = 200
"""How many multi-message answers are remembered: of others, only the last message is edited."""


Html = str | Callable[[], str]
"""A text, or a function that renders it when its turn to be sent has come."""


class Responder:
    """Answers requests. questions: closes those among the answers that nobody answers in time."""

    def __init__(self, queue: SendQueue, tasks: Tasks, questions: Questions) -> None:
        self._queue, self._tasks, self.questions = queue, tasks, questions
        self._above: OrderedDict[tuple[int, int], list[LiveMessage]] = OrderedDict()
        self._unsettled: dict[int, list[LiveMessage | asyncio.Task[Any]]] = {}
        """What is still being sent, by the update that it answers."""
        self._press_answers: dict[int, asyncio.Task[int | None]] = {}
        """The answers to presses that are still being sent, by update: in which chat each is in the end."""

    async def answer(
        self, request: Request, html: Html, keyboard: Keyboard = (), *, asks: bool = False
    ) -> LiveMessage | None:
        """Answer in the message whose button was pressed, or in a new one if a message asked.

        asks: the chat's app opens the keyboard for a reply. Returns None if it could not be sent. Where a group takes
        no answers, since the bot may not write there or Telegram demands a long silence, they go to whoever asked.
        """
        if request.message is None:
            return await self._send_to_asker(request, html, keyboard, asks=asks)
        return await self._edit(request, request.message, html if isinstance(html, str) else html(), keyboard)

    async def _send_to_asker(
        self, request: Request, html: Html, keyboard: Keyboard, *, asks: bool = False
    ) -> LiveMessage | None:
        """Send an answer where it was asked for, or privately where nothing can be sent."""
        asker = _privately(request)
        place = asker if asker is not None and self.silence(request.chat) else request.place
        return await self.send(place, html, keyboard, asks=asks, instead=asker)

    async def send(
        self, place: Place, html: Html, keyboard: Keyboard = (), *, asks: bool = False, instead: Place | None = None
    ) -> LiveMessage | None:
        """Send as many messages as the text needs; the last has the buttons. Returns None if it could not be sent.

        instead: where to send it if the place cannot be written to.
        """
        if isinstance(html, str):
            return await self._send_parts(place, [], split(html), keyboard, asks=asks, instead=instead)
        parts: list[str] = []

        def first() -> Text:
            parts[:] = split(html())
            return Text(parts[0], keyboard, asks) if len(parts) == 1 else Text(parts[0])

        live = await self._send(place, first, instead)
        if live is None or len(parts) == 1:
            return live
        return await self._send_parts(place, [live], parts[1:], keyboard, asks=asks, instead=instead)

    def silence(self, chat: int) -> float:
        """Return the seconds for which nothing can be answered in a chat, as Telegram demands; 0 if not for long."""
        return self._queue.silence(chat)

    def ask(self, request: Request, html: str, keyboard: Keyboard) -> None:
        """Send a question. Returns at once: a pressed button must not spin until the chat's budget permits it."""
        self.answers_press(request, _chat_of(self._send_to_asker(request, html, keyboard)), "a question")

    async def shown_elsewhere(self, request: Request, within: float) -> str:
        """Return what to show above a group in which a press cannot be answered; "" if it is, or not known in time.

        within: seconds for which this waits.
        """
        sending = self._press_answers.get(request.update)
        if sending is None or request.private:
            return ""
        done, _ = await asyncio.wait({sending}, timeout=within)
        if not done or sending.cancelled() or sending.exception() is not None:
            return ""
        chat = sending.result()
        if chat is None:
            return answers.NOWHERE_TO_ANSWER
        return answers.ANSWERED_PRIVATELY if chat == request.user else ""

    async def settled(self, request: Request) -> None:
        """Wait until everything that answers the request is done and in the chat, or has failed."""
        self._press_answers.pop(request.update, None)
        while unsettled := self._unsettled.pop(request.update, None):  # what is waited for may answer once more
            for each in unsettled:
                if isinstance(each, LiveMessage):
                    await each.settled()
                else:
                    await asyncio.wait({each})

    async def _edit(self, request: Request, message: int, html: str, keyboard: Keyboard) -> LiveMessage:
        """Edit the message whose button was pressed, and those above it that belong to the same answer.

        Text that does not fit is sent in further messages below. Returns at once.
        """
        place, parts = request.place, split(html)
        above = [live.message for live in self._above.pop((place.chat, message), []) if not live.gone]
        surplus = max(0, len(above) + 1 - len(parts))
        for each in above[:surplus]:
            self._tasks.start(self.delete(place.chat, each), "deleting a part of an answer")
        lives = [
            LiveMessage(self._queue, self._tasks, Lane.ANSWERS, chat=place.chat, message=each, shown=Text(""))
            for each in (*above[surplus:], message)
        ]
        more = parts[len(lives) :]
        for live, part in zip(lives, parts, strict=False):
            live.show(Text(part, () if more or live is not lives[-1] else keyboard))
            self.track(request, live)
        if more:
            sending = self._tasks.start(self._send_parts(place, lives, more, keyboard), "the rest of an answer")
            self.track(request, sending)
        else:
            self._remember(lives)
            self.questions.show(lives[-1], keyboard)
        anew = self._send_if_lost(request, lives[-1], parts, keyboard)
        self.answers_press(request, _chat_of(anew), "an answer that was not edited")
        return lives[-1]

    async def _send_if_lost(
        self, request: Request, last: LiveMessage, parts: list[str], keyboard: Keyboard
    ) -> LiveMessage | None:
        """Send an answer in new messages if the one with its buttons cannot be edited any more; return where it is."""
        await last.settled()
        asker = _privately(request)
        if last.barred and asker is not None:
            return await self._send_parts(asker, [], parts, keyboard)
        return await self._send_parts(request.place, [], parts, keyboard, instead=asker) if last.lost else last

    def answers_press(self, request: Request, sending: Coroutine[Any, Any, int | None], what: str) -> None:
        """Send an answer of which a press is to say if it is not where the button is. Returns at once.

        sending: returns the chat in which the answer is in the end, None if in none. what: for the log.
        """
        task = self._tasks.start(sending, what)
        self.track(request, task)
        if request.update and request.press:
            self._press_answers[request.update] = task

    def track(self, request: Request, sending: "LiveMessage | asyncio.Task[Any]") -> None:
        """Register what belongs to the answer of a request, which counts as answered only once this is in the chat."""
        if request.update:
            self._unsettled.setdefault(request.update, []).append(sending)

    async def _send_parts(
        self,
        place: Place,
        above: list[LiveMessage],
        parts: list[str],
        keyboard: Keyboard,
        *,
        asks: bool = False,
        instead: Place | None = None,
    ) -> LiveMessage | None:
        """Send the remaining parts of an answer below the existing ones; the last message has the buttons."""
        *parts, last = parts
        sent = [await self._send(place, Text(part), instead) for part in parts]
        live = await self._send(place, Text(last, keyboard, asks), instead)
        if live is not None:
            self._remember([*above, *(each for each in sent if each is not None), live])
        return live

    def _remember(self, lives: list[LiveMessage]) -> None:
        """Remember which messages precede the last one of an answer."""
        *above, last = lives
        if above:
            self._above[last.chat, last.message] = above
            if len(self._above) > LONG_ANSWERS:
                self._above.popitem(last=False)

    async def delete(self, chat_id: int, message: int) -> None:
        """Delete one of our messages, which another one replaces."""
        try:
            await self._queue.deliver(Lane.ANSWERS, chat_id, lambda chat: chat.delete(chat_id, message), free=True)
        except ChatError as error:
            log.info("A superseded answer in chat %d cannot be deleted: %s", chat_id, error)

    async def delete_asked(self, request: Request) -> bool:
        """Delete the person's own message. Returns whether it is certainly gone."""
        if (message := request.asked) is None:
            return False
        try:
            await self._queue.deliver(
                Lane.ANSWERS, request.chat, lambda chat: chat.delete(request.chat, message), free=True
            )
        except ChatError as error:
            log.info("A person's message in chat %d cannot be deleted: %s", request.chat, error)
            return False
        return True

    async def _send(
        self, place: Place, text: Text | Callable[[], Text], instead: Place | None = None
    ) -> LiveMessage | None:
        """Send one message. text: the text, or a function that renders it when its turn has come.

        One that is refused is sent without its markup, and then elsewhere, or its failure is reported. instead: as in
        `send`.
        """
        sent, loop = Text(""), asyncio.get_running_loop()
        asked_at, refused = loop.time(), False

        async def send(messenger: Messenger) -> int:
            nonlocal sent
            sent = _dated(text, loop.time() - asked_at) if isinstance(text, Text) else text()
            return await messenger.send(place, sent)

        for _ in range(ATTEMPTS):
            try:
                message = await self._queue.deliver(Lane.ANSWERS, place.chat, send)
                break
            except ChatMovedError as error:
                place = Place(error.chat)
            except OutcomeUnknownError as error:  # twice is better than never
                log.info("An answer may have been sent to chat %d without our knowing: %s", place.chat, error)
            except RefusedError as error:
                log.error("Telegram refuses an answer in chat %d: %s", place.chat, error)
                if refused and instead not in {None, place}:
                    place = instead
                else:
                    text = Text(answers.NOT_SENT) if refused else replace(sent, html=without_markup(sent.html))
                refused = True
            except ChatError as error:
                log.warning("An answer could not be sent to chat %d: %s", place.chat, error)
                if isinstance(error, SupersededError | TokenRefusedError) or instead in {None, place}:
                    return None
                assert instead is not None
                place = instead
        else:
            log.warning("An answer may be missing in chat %d", place.chat)
            return None
        live = LiveMessage(self._queue, self._tasks, Lane.UPDATES, chat=place.chat, message=message, shown=sent)
        self.questions.show(live, sent.keyboard)
        return live


async def _chat_of(sending: Awaitable[LiveMessage | None]) -> int | None:
    live = await sending
    return None if live is None else live.chat


def _privately(request: Request) -> Place | None:
    """Return the private chat of whoever asks, where a group takes no answer; None if they ask there already."""
    return None if request.private or not request.user else Place(request.user)


def _dated(text: Text, seconds: float) -> Text:
    """Return an answer as it is sent, this long after it was made."""
    html = f"{answers.late_answer(seconds)}\n{text.html}"
    return replace(text, html=html) if seconds > LATE and rendered_length(html) <= TEXT_LIMIT else text
