"""Cards: what an account is, in each chat that follows it, as a silent message that is edited in place.

The first accounts of a chat have a message each. Those that come after share messages, since a chat takes some twenty
edits a minute: two hundred accounts that are lost and come back together are told in a few edits, true within a minute.
What a card says is read when its turn has come, so that what was superseded is never sent.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from controller.registry import Account, Registry, UnknownAccountError
from controller.tasks import Tasks
from handlers.alerts.recipients import Recipients
from handlers.chat.errors import ChatError, ChatGoneError, ChatMovedError, MessageGoneError, OutcomeUnknownError
from handlers.chat.html import rendered_length
from handlers.chat.messages import TEXT_LIMIT, Lane, Place, Text
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue
from handlers.ports import Messages
from handlers.telegram.ui import keyboards
from handlers.texts import status as status_text

log = logging.getLogger(__name__)

KIND = "card"
"""Of the references that are kept."""
OWN_MESSAGE = 5
"""Accounts of one chat that have a message each."""
SHARED = 50
"""Accounts in one message from then on: a line of some 60 characters each, and why where there is room."""


SPACING = 2.0
"""Seconds between two edits of a card: what lasts no longer than that is not worth one."""


@dataclass(slots=True)
class _Page:
    """One message with one account's card, or with the lines of many.

    shown: the digest of what it says now. sent_at: when it last changed, by the loop's clock.
    """

    place: Place
    shared: bool
    numbers: list[str] = field(default_factory=list)
    message: int | None = None
    shown: str = ""
    sent_at: float = float("-inf")
    stale: bool = False
    busy: bool = False


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
        clock: Callable[[], datetime],
    ) -> None:
        self._queue, self._tasks, self._accounts, self._clock = queue, tasks, accounts, clock
        self._recipients, self._messages = recipients, messages
        self._pages: dict[Place, list[_Page]] = {}
        self._early: set[str] | None = set()
        self._unwritable: set[int] = set()

    async def load(self) -> None:
        """Adopt the messages that an earlier run left. Raises OSError."""
        for kept in await self._messages.kept(KIND):
            place = Place(kept.chat, kept.topic)
            pages = self._pages.setdefault(place, [])
            page = next((page for page in pages if page.message == kept.message), None)
            if page is None:
                page = _Page(place, shared=len(pages) >= OWN_MESSAGE, message=kept.message, shown=kept.shown)
                pages.append(page)
            page.numbers.append(kept.key)
            page.shared = page.shared or len(page.numbers) > 1
        early, self._early = self._early or set(), None
        for number in early:
            self.refresh(number)

    def refresh_all(self) -> None:
        """Bring every card up to date with what changed while the program was away, or as it was killed."""
        for pages in self._pages.values():
            for page in pages:
                self._wake(page)

    def came_back(self, chat: int) -> None:
        """Bring a chat's cards up to date, if it could not be written to: somebody is heard there again.

        Returns at once.
        """
        if chat not in self._unwritable:
            return
        self._unwritable.discard(chat)
        for place, pages in self._pages.items():
            if place.chat == chat:
                for page in pages:
                    self._wake(page)

    def refresh(self, number: str) -> None:
        """Bring the account's cards up to date. What comes before `load` is not lost."""
        if self._early is not None:
            self._early.add(number)
            return
        try:
            account = self._accounts.account(number)
        except UnknownAccountError:
            places: Iterable[Place] = ()
        else:
            places = self._recipients.of_card(account)
        found = set()
        for pages in self._pages.values():
            for page in pages:
                if number in page.numbers:
                    found.add(page.place)
                    self._wake(page)
        for place in places:
            if place not in found:
                page = self._room(place)
                page.numbers.append(number)
                self._wake(page)

    def _room(self, place: Place) -> _Page:
        """Return the page that the next account of this chat goes on."""
        pages = self._pages.setdefault(place, [])
        if len(pages) < OWN_MESSAGE:
            pages.append(_Page(place, shared=False))
        elif not pages[-1].shared or len(pages[-1].numbers) >= SHARED:
            pages.append(_Page(place, shared=True))
        return pages[-1]

    def _wake(self, page: _Page) -> None:
        page.stale = True
        if not page.busy:
            page.busy = True
            self._tasks.start(self._sync(page), "a card")

    async def _sync(self, page: _Page) -> None:
        """Edit the message until it shows the present state, whatever changes meanwhile."""
        try:
            while page.stale:
                await asyncio.sleep(max(0.0, page.sent_at + SPACING - asyncio.get_running_loop().time()))
                await self._sync_once(page)
        except OSError as error:
            log.error("The reference of a card could not be stored: %s", error)
        finally:
            page.busy = False

    async def _sync_once(self, page: _Page) -> None:
        if self._digest(self._text(page)) == page.shown:
            page.stale = False  # it has come back to what the chat shows already
            return
        try:
            await self._queue.deliver(Lane.CARDS, page.place.chat, partial(self._send, page))
        except MessageGoneError:
            page.message, page.shown, page.stale = None, "", True  # somebody deleted it: a new one takes its place
            return
        except OutcomeUnknownError:
            page.stale = True  # a card that may have been sent stays behind, and a new one is remembered
            return
        except (ChatGoneError, ChatMovedError) as error:
            log.info("Cards cannot be shown in chat %d: %s", page.place.chat, error)
            if isinstance(error, ChatGoneError):
                self._unwritable.add(page.place.chat)
            return
        except ChatError as error:
            log.error("A card could not be shown: %s", error)
            return
        await self._save(page)

    async def _send(self, page: _Page, chat: Messenger) -> None:
        page.stale = False
        text = self._text(page)
        digest = self._digest(text)
        if text is None:
            if page.message is not None:
                await chat.delete(page.place.chat, page.message)
            page.message = None
        elif page.message is None:
            page.message = await chat.send(page.place, text, silent=True)
        elif digest != page.shown:
            await chat.edit(page.place.chat, page.message, text)
        page.shown = digest
        page.sent_at = asyncio.get_running_loop().time()

    async def _save(self, page: _Page) -> None:
        if page.message is None:
            for number in page.numbers:
                await self._messages.forget(KIND, number, chat=page.place.chat)
            page.numbers.clear()
            return
        for number in page.numbers:
            await self._messages.keep(
                KIND, number, chat=page.place.chat, topic=page.place.topic, message=page.message, shown=page.shown
            )

    def _text(self, page: _Page) -> Text | None:
        now = self._clock()
        shown = []
        for number in page.numbers:
            try:
                account, status = self._accounts.account(number), self._accounts.status(number)
            except UnknownAccountError:
                continue
            if self._follows(account, page.place):
                shown.append((account, status))
        if not shown:
            return None
        if not page.shared:
            account, status = shown[0]
            return Text(status_text.card(account, status, now), keyboards.under_card(account.number, status.remedies))
        lines = "\n".join(status_text.card_line(*each, now) for each in shown)
        if rendered_length(lines) > TEXT_LIMIT:
            lines = "\n".join(status_text.card_line(*each, now, short=True) for each in shown)
        return Text(lines)

    def _follows(self, account: Account, place: Place) -> bool:
        return place in self._recipients.of_card(account)

    @staticmethod
    def _digest(text: Text | None) -> str:
        if text is None:
            return ""
        labels = [[button.label for button in row] for row in text.keyboard]  # without the nonces of their codes
        return hashlib.sha256(f"{text.html}{labels or ''}".encode()).hexdigest()[:16]
