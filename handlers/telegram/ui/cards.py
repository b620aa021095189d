"""Cards: one account's current state, in each chat that follows it, as a silent message that is edited in place.

The card also answers whatever changes its account: it is sent again at the bottom of the chat, and the previous message
is deleted. So a chat never has two messages about the state of one account.

The first accounts of a chat have a message each, and so have the most recently requested ones. The others share
messages, since a chat allows about twenty edits a minute: two hundred accounts that are lost and recover together
take a few edits, and are up to date within a minute. A card's text is rendered when its turn in the send queue has
come, so that outdated text is never sent. The module is longer than others: what happens to a card's message (moved,
shared, lost, deleted) is one subject, and each case concerns the others.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from controller.registry import Account, Registry
from controller.stored import MessageReference
from controller.tasks import Tasks
from handlers.alerts.incidents.recipients import Recipients
from handlers.chat.errors import (
    ChatError,
    ChatGoneError,
    ChatMovedError,
    MessageGoneError,
    OutcomeUnknownError,
    RefusedError,
    SupersededError,
)
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.messenger import Messenger
from handlers.chat.request import Request
from handlers.chat.send_queue import SendQueue
from handlers.ports import Messages
from handlers.telegram.ui import card_text
from handlers.telegram.ui.card_text import Note
from handlers.telegram.ui.link_queues import LinkQueues
from handlers.texts import status as status_text

log = logging.getLogger(__name__)

KIND, ASKED_FOR, LEFT = "card", "asked card", "left card"
"""Kinds of stored references: cards where the account's operator is, cards where somebody else has requested the
account, and messages to be deleted because the card has moved to the bottom."""
OWN_MESSAGE = 5
"""Accounts of one chat that have a message each, not counting those whose outcome somebody is waiting for."""
SHARED = 50
"""Accounts per shared message: one line of about 60 characters each, with the reason where there is room."""
REFUSALS = 3
"""How often a card is sent that is rejected; a message may be rejected once for no lasting reason."""
LONGEST_PAUSE = 120.0
"""The most seconds until a card is sent again that may have been sent."""
SPACING = 2.0
"""Seconds between two edits of a card: a shorter-lived state is not worth an edit."""


@dataclass(slots=True, eq=False)
class _Page:
    """One message with the card of one account, or with one line for each of several.

    shown: the digest of its current text. sent_at: when it last changed, by the loop's clock. lost: how often in a row
    it may have been sent without our knowing; refused: how often it was rejected. failed: it cannot be shown. asked:
    somebody waits for the outcome; answers: it is still to be sent as an answer. turn: incremented whenever another
    message replaces this one. note: additional text while the account's state lasts; since: when that state began.
    left: messages to be deleted once the card is in the chat.
    """

    place: Place
    shared: bool
    numbers: list[str] = field(default_factory=list)
    message: int | None = None
    shown: str = ""
    sent_at: float = float("-inf")
    lost: int = 0
    refused: int = 0
    failed: bool = False
    stale: bool = False
    busy: bool = False
    asked: bool = False
    answers: bool = False
    turn: int = 0
    note: Note | None = None
    since: datetime | None = None
    left: list[int] = field(default_factory=list)
    waiting: list[asyncio.Future[bool]] = field(default_factory=list)


class Cards:
    """The cards of all chats. `refresh` returns at once."""

    def __init__(
        self,
        queue: SendQueue,
        tasks: Tasks,
        *,
        accounts: Registry,
        recipients: Recipients,
        messages: Messages,
        link_queues: LinkQueues,
        has_code: Callable[[int], bool],
        clock: Callable[[], datetime],
    ) -> None:
        """has_code: whether a linking code is open in a private chat."""
        self._queue, self._tasks, self._accounts, self._clock = queue, tasks, accounts, clock
        self._has_code = has_code
        self._recipients, self._messages, self._link_queues = recipients, messages, link_queues
        self._pages: dict[Place, list[_Page]] = {}
        """The pages of each place, the most recently requested last."""
        self._guests: set[tuple[str, int]] = set()
        """Accounts, with the chats in which somebody requested them: their cards stay there."""
        self._hurried: set[int] = set()
        """Chats in which one card is being sent in the lane of answers."""
        self._early: set[str] | None = set()
        self._unwritable: set[int] = set()

    async def load(self) -> None:
        """Adopt the messages that an earlier run left. Raises OSError."""
        for kept in await self._messages.references(KIND):
            self._adopt(kept)
        for kept in await self._messages.references(ASKED_FOR):
            self._guests.add((kept.key, kept.chat))
            self._adopt(kept)
        for kept in await self._messages.references(LEFT):
            self._tasks.start(self._delete(kept.chat, kept.message), "deleting a card that stands below")
        early, self._early = self._early or set(), None
        for number in early:
            self.refresh(number)

    def _adopt(self, kept: MessageReference) -> None:
        place = Place(kept.chat, kept.topic)
        pages = self._pages.setdefault(place, [])
        page = next((page for page in pages if page.message == kept.message), None)
        if page is None:
            page = _Page(place, shared=False, message=kept.message, shown=kept.shown)
            pages.append(page)
        page.numbers.append(kept.key)
        page.shared = page.shared or len(page.numbers) > 1

    def answer(self, request: Request, number: str, note: Note | None = None) -> asyncio.Task[bool]:
        """Answer a request with the account's card: in the message whose button was pressed, else at the bottom.

        note: additional text. Returns at once; the task returns True once the card is in the chat, False if it cannot
        be sent.
        """
        place = request.place
        page = self._own_page(place, number)
        if page.message is not None and page.message != request.message:
            page.left.append(page.message)
        page.message, page.shown = request.message, ""
        page.turn += 1
        page.answers = True
        page.refused = 0
        shown: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        page.waiting.append(shown)
        self._ask_for(page, number, note)
        return self._tasks.start(self._wait(shown), "waiting for a card")

    def follow(self, request: Request, number: str, note: Note | None = None) -> None:
        """Show the account's card where it was requested, once what is more urgent has been sent.

        The request has been answered by something else, and a card that is in the chat stays where it is.
        note: additional text. Returns at once.
        """
        self._ask_for(self._own_page(request.place, number), number, note)

    def _ask_for(self, page: _Page, number: str, note: Note | None) -> None:
        page.asked = True
        page.note, page.since = note, self._since(number)
        self._wake(page)
        self._share(page.place)

    @staticmethod
    async def _wait(shown: "asyncio.Future[bool]") -> bool:
        return await shown

    def _since(self, number: str) -> datetime | None:
        status = self._accounts.find_status(number)
        return None if status is None else status.since

    def look_at_account(self, number: str) -> None:
        """Re-examine the existing cards of an account, which joined or left a linking queue. Returns at once."""
        for page in self._all():
            if number in page.numbers:
                self._wake(page)

    def look_at(self, chat: int | None = None) -> None:
        """Re-examine all cards, or those of a chat after what its people may see has changed. Returns at once."""
        for page in self._all():
            if chat in {None, page.place.chat}:
                self._wake(page)

    def _all(self) -> list[_Page]:
        return [page for pages in self._pages.values() for page in pages]

    def moved(self, chat: int, to: int) -> None:
        """Show a group's cards in the supergroup that it has become, as its own cannot be edited. Returns at once."""
        self._guests = {(number, to if at == chat else at) for number, at in self._guests}
        there = {number for page in self._all() if page.place.chat == to for number in page.numbers}
        for place in [each for each in self._pages if each.chat == chat]:
            for page in self._pages.pop(place):
                page.numbers = [number for number in page.numbers if number not in there]
                page.place, page.message, page.shown = Place(to), None, ""
                page.left.clear()
                page.turn += 1
                self._pages.setdefault(page.place, []).append(page)
                self._wake(page)
        self._tasks.start(self._forget(chat), "forgetting where a group's cards were")

    async def _forget(self, chat: int) -> None:
        for kind in (KIND, ASKED_FOR, LEFT):
            try:
                for kept in await self._messages.references(kind):
                    if kept.chat == chat:
                        await self._messages.delete(kind, kept.key, chat=chat)
            except OSError as error:
                log.error("Where a group's cards were could not be forgotten: %s", error)

    def came_back(self, chat: int) -> None:
        """Update a chat's cards if it could not be written to, and somebody has written there. Returns at once."""
        if chat not in self._unwritable:
            return
        self._unwritable.discard(chat)
        self.look_at(chat)

    def refresh(self, number: str) -> None:
        """Update the account's cards. Calls made before `load` are not lost."""
        if self._early is not None:
            self._early.add(number)
            return
        account = self._accounts.find(number)
        places = () if account is None else self._recipients.of_card(account)
        found = set()
        for page in self._all():
            if number in page.numbers:
                found.add(page.place.chat)
                self._wake(page)
            elif page.asked and self._is_in_line(page):
                self._wake(page)  # somebody may have left the queue
        for place in places:
            if place.chat not in found:
                page = self._room(place)
                page.numbers.append(number)
                self._wake(page)

    def _status(self, page: _Page) -> Status | None:
        """Return the status of a page's first account; None if there is no such account."""
        return self._accounts.find_status(page.numbers[0]) if page.numbers else None

    def _is_in_line(self, page: _Page) -> bool:
        status = self._status(page)
        return status is not None and status.place_in_line is not None

    def _room(self, place: Place, *, shared: bool = False) -> _Page:
        """Return the page for another account of this chat. shared: always a shared page."""
        pages = self._pages.setdefault(place, [])
        if not shared and sum(not page.shared for page in pages) < OWN_MESSAGE:
            pages.append(_Page(place, shared=False))
            return pages[-1]
        for page in pages:
            if page.shared and len(page.numbers) < SHARED:
                return page
        pages.append(_Page(place, shared=True))
        return pages[-1]

    def _own_page(self, place: Place, number: str) -> _Page:
        """Return a page for this account alone in this chat, as the most recently requested one."""
        account = self._accounts.find(number)
        of_card = () if account is None else self._recipients.of_card(account)
        if all(each.chat != place.chat for each in of_card):
            self._guests.add((number, place.chat))
        mine = _Page(place, shared=False, numbers=[number])
        for pages in self._pages.values():
            for page in [page for page in pages if page.place.chat == place.chat and number in page.numbers]:
                if page.shared:
                    page.numbers.remove(number)
                    self._wake(page)
                elif page.place == place:
                    mine = page
                    pages.remove(page)
                elif page.message is not None:  # in another topic of the chat
                    pages.remove(page)
                    mine.left.append(page.message)
        self._pages.setdefault(place, []).append(mine)
        return mine

    def _share(self, place: Place) -> None:
        """Move the least recently requested cards to shared messages if too many have a message of their own."""
        own = [page for page in self._pages[place] if not page.shared]
        surplus = [page for page in own if not page.asked][: max(0, len(own) - OWN_MESSAGE)]
        for page in surplus:
            self._pages[place].remove(page)
            shared = self._room(place, shared=True)
            shared.numbers.extend(page.numbers)
            shared.left += [*page.left, *([] if page.message is None else [page.message])]
            page.numbers, page.left, page.message, page.shown = [], [], None, ""
            page.turn += 1  # an edit in progress no longer counts
            self._wake(shared)

    def _wake(self, page: _Page) -> None:
        page.stale = True
        self._drop_note(page)
        if not page.busy:
            page.busy = True
            self._tasks.start(self._sync(page), "a card")

    async def _sync(self, page: _Page) -> None:
        """Edit the message until it shows the current state, including changes made meanwhile."""
        loop = asyncio.get_running_loop()
        try:
            while page.stale:
                if not page.answers:
                    await asyncio.sleep(max(0.0, page.sent_at + SPACING - loop.time()))
                await self._sync_once(page)
                while page.left and (page.message is not None or not page.numbers):
                    await self._delete(page.place.chat, page.left.pop())
        finally:
            page.busy = page.answers = False
            for each in page.waiting:
                if not each.done():
                    each.set_result(not page.failed)
            page.waiting.clear()

    async def _sync_once(self, page: _Page) -> None:
        text = self._text(page, answers=page.answers)
        if _digest(text) == page.shown and (page.message is not None or text is None):
            page.stale = False  # it is back to what the chat already shows
            return
        chat, lane = page.place.chat, self._lane(page)
        hurried = lane is Lane.ANSWERS and not page.answers
        if hurried:
            self._hurried.add(chat)
        try:
            for left in page.left:
                await self._store(self._messages.upsert(LEFT, str(left), chat=chat, topic=None, message=left, shown=""))
            if not await self._deliver(page, lane):
                return
        finally:
            if hurried:
                self._hurried.discard(chat)
        if page.asked and not page.stale and self._is_settled(page):
            page.asked = False
            self._share(page.place)
        await self._store(self._save(page))

    @staticmethod
    async def _store(storing: Awaitable[None]) -> None:
        """Store a reference. A card without one is shown all the same, and at most not edited after a restart."""
        try:
            await storing
        except OSError as error:
            log.error("The reference of a card could not be stored: %s", error)

    async def _deliver(self, page: _Page, lane: Lane) -> bool:
        """Render and send the card when its turn has come; return whether it is in the chat.

        If not, it is either stale or given up.
        """
        chat, turn, page.failed = page.place.chat, page.turn, False
        try:
            await self._queue.deliver(lane, chat, partial(self._send, page))
        except MessageGoneError:
            if page.turn == turn:
                page.message, page.shown = None, ""  # somebody deleted it: send a new one
            page.stale = True
        except (OutcomeUnknownError, SupersededError) as error:
            page.answers = False
            page.stale = True  # a card that may have been sent is left behind; the new one is stored
            if isinstance(error, OutcomeUnknownError):  # each attempt may leave one more
                page.lost += 1
                page.sent_at = asyncio.get_running_loop().time() + min(2.0**page.lost, LONGEST_PAUSE)
        except RefusedError as error:
            log.error("A card could not be shown: %s", error)
            page.refused += 1
            page.failed = page.refused >= REFUSALS
            page.stale = page.stale or not page.failed
            page.sent_at = asyncio.get_running_loop().time()
        except (ChatGoneError, ChatMovedError) as error:
            page.failed = isinstance(error, ChatGoneError)
            log.info("Cards cannot be shown in chat %d: %s", chat, error)
            if isinstance(error, ChatGoneError):
                self._unwritable.add(chat)
        except ChatError as error:
            page.failed = True
            log.error("A card could not be shown: %s", error)
        else:
            return True
        return False

    def _lane(self, page: _Page) -> Lane:
        """Return the lane for a card.

        Requested cards are sent before others, and their outcome as an answer, so that within 5 s no message in the
        chat contradicts it. Only one at a time, so that it delays answers to people by no more than one message.
        """
        if page.answers:
            return Lane.ANSWERS
        if not page.asked:
            return Lane.CARDS
        urgent = page.place.chat not in self._hurried and self._is_settled(page)
        return Lane.ANSWERS if urgent else Lane.UPDATES

    def _is_settled(self, page: _Page) -> bool:
        status = self._status(page)
        return status is None or status_text.is_settled(status)

    async def _send(self, page: _Page, chat: Messenger) -> None:
        answers, page.stale, page.answers = page.answers, False, False
        turn, message, text = page.turn, page.message, self._text(page, answers=answers)
        digest = _digest(text)
        if text is None:
            if message is not None:
                await chat.delete(page.place.chat, message)
            message = None
        elif message is None:
            message = await chat.send(page.place, text, silent=not answers)
        elif digest != page.shown:
            await chat.edit(page.place.chat, message, text)
        if page.turn != turn:  # another message has replaced it meanwhile
            if message is not None and message != page.message and message not in page.left:
                page.left.append(message)
            page.stale = True
            return
        page.message, page.shown, page.lost, page.refused = message, digest, 0, 0
        page.sent_at = asyncio.get_running_loop().time()

    async def _delete(self, chat_id: int, message: int) -> None:
        """Delete a message whose card has moved to the bottom; if that is rejected, reduce it to one line."""
        gone = Text(status_text.CARD_BELOW)
        try:
            try:
                await self._queue.deliver(Lane.CARDS, chat_id, lambda chat: chat.delete(chat_id, message), free=True)
            except (MessageGoneError, ChatGoneError):
                pass
            except ChatError:
                await self._queue.deliver(Lane.CARDS, chat_id, lambda chat: chat.edit(chat_id, message, gone))
        except ChatError as error:
            log.info("A card in chat %d cannot be deleted: %s", chat_id, error)
        await self._store(self._messages.delete(LEFT, str(message), chat=chat_id))

    async def _save(self, page: _Page) -> None:
        chat = page.place.chat
        if page.message is None:
            for number in tuple(page.numbers):
                await self._messages.delete(KIND, number, chat=chat)
                await self._messages.delete(ASKED_FOR, number, chat=chat)
                self._guests.discard((number, chat))
            page.numbers.clear()
            if page in self._pages[page.place]:
                self._pages[page.place].remove(page)  # its room is for another account
            return
        for kind in (KIND, ASKED_FOR):
            # An account may be moved to another message meanwhile, which is then stored after this one.
            numbers = [number for number in page.numbers if ((number, chat) in self._guests) is (kind == ASKED_FOR)]
            if numbers and page.message is not None:
                await self._messages.upsert(
                    kind, *numbers, chat=chat, topic=page.place.topic, message=page.message, shown=page.shown
                )

    def _text(self, page: _Page, *, answers: bool) -> Text | None:
        now = self._clock()
        shown = []
        for number in page.numbers:
            account = self._accounts.find(number)
            if account is None or not self._follows(account, page.place):
                continue
            status = self._accounts.status(number)
            if answers or not self._says_nothing(page, number, status):
                shown.append((account, status))
        if not shown:
            return None
        if page.shared:
            return card_text.of_many(shown, now)
        return card_text.of_one(*shown[0], now, page.note, queued=self._link_queues.waits(shown[0][0].number))

    def _says_nothing(self, page: _Page, number: str, status: Status) -> bool:
        """Return whether a card that is not in the chat yet would only push up, or repeat, what is.

        A code is there, which a card below would push out of sight; or it was never linked and its turn has not come.
        """
        if page.message is None and self._has_code(page.place.chat):
            return True
        if page.message is not None and not page.shared:
            return False
        if page.place.chat > 0 and status.stage is Stage.AWAITING_SCAN:
            return not page.shared
        rests = status.state is State.IDLE or status.reason is Reason.SUSPENDED_BY_OPERATOR
        return not (page.asked or status.linked) and (rests or self._link_queues.waits(number))

    def _drop_note(self, page: _Page) -> None:
        """Discard a note that no longer applies, so that it does not reappear if the account returns to this state."""
        status = self._status(page)
        if status is None or status.since != page.since or (page.note is not None and not page.note(status)):
            page.note = None

    def _follows(self, account: Account, place: Place) -> bool:
        if any(each.chat == place.chat for each in self._recipients.of_card(account)):
            return True
        return (account.number, place.chat) in self._guests and self._recipients.may_follow(place.chat, account)


def _digest(text: Text | None) -> str:
    return "" if text is None else text.digest
