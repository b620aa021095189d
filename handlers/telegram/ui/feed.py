"""The feed: each transition as a silent line, in the chats that have turned it on.

It has the lowest priority in the chat: while a code is open there, nothing is sent that would push it off the screen.
Lines that arrive within seconds, or while the chat waits for its turn, form one message. They are held in memory
only: what a crash prevents the feed from listing is in the account's history.
"""

import asyncio
import logging
from collections.abc import Callable

from controller.accounts.notices import Transition
from controller.registry import Account, Registry
from controller.tasks import Tasks
from handlers.chat.chat_settings import ChatSettings
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.messenger import Messenger
from handlers.chat.people import People
from handlers.chat.send_queue import SendQueue
from handlers.texts import answers
from handlers.texts import feed as texts

log = logging.getLogger(__name__)

GATHER_SECONDS = 5.0
"""Lines that arrive within this many seconds form one message."""
HELD_SECONDS = 120.0
"""Lines wait no longer than this for a code to be scanned."""
LOOK_SECONDS = 1.0
LINES = 40
"""Lines in one message; if there are more, the newest are listed and the others counted."""


class Feed:
    """Lists transitions. fits: returns whether a stored word matches an account; has_code: whether a code is open."""

    def __init__(
        self,
        queue: SendQueue,
        tasks: Tasks,
        *,
        accounts: Registry,
        people: People,
        chat_settings: ChatSettings,
        fits: Callable[[Account, str], bool],
        has_code: Callable[[int], bool],
    ) -> None:
        self._has_code = has_code
        self._queue, self._tasks, self._accounts = queue, tasks, accounts
        self._people, self._chat_settings, self._fits = people, chat_settings, fits
        self._waiting: dict[int, list[str]] = {}
        self._left_out: dict[int, int] = {}
        self._begun: set[int] = set()
        """Chats whose feed was turned on automatically, and whose people have not been shown yet how to turn it off."""

    def note(self, transition: Transition) -> None:
        """List a transition where the feed is turned on. Returns at once."""
        account = self._accounts.find(transition.number)
        if transition.within_state or account is None:
            return
        for chat, words in self._chat_settings.feeds():
            if self._may_read(chat, account) and any(not word or self._fits(account, word) for word in words):
                self._add(chat, texts.line(transition, answers.title(account)))

    async def begin(self, user: int, account: Account) -> None:
        """Turn the feed on for an admin's first account, unless they have ever made a choice. Raises OSError.

        The first message says how to turn it off.
        """
        first = all(each.number == account.number for each in self._accounts.accounts() if each.owner == user)
        if not first or not self._people.is_admin(user) or self._chat_settings.feed(user) is not None:
            return
        await self._chat_settings.set_feed(user, (account.number,))
        self._begun.add(user)

    def _may_read(self, chat: int, account: Account) -> bool:
        """Return whether a chat may list an account: a group with the feed on, or a person who may see it."""
        return chat < 0 or self._people.sees(chat, account)

    def _add(self, chat: int, line: str) -> None:
        first = chat not in self._waiting
        waiting = self._waiting.setdefault(chat, [])
        waiting.append(line)
        if len(waiting) > LINES:
            del waiting[0]
            self._left_out[chat] = self._left_out.get(chat, 0) + 1
        if first:
            self._tasks.start(self._send(chat), "listing changes of accounts")

    async def _send(self, chat: int) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        for _ in range(round(HELD_SECONDS / LOOK_SECONDS)):
            if not self._has_code(chat):
                break
            await asyncio.sleep(LOOK_SECONDS)

        async def send(messenger: Messenger) -> None:
            if changes := self._waiting.pop(chat, []):
                more = [texts.BEGAN] if chat in self._begun else []
                text = Text(texts.lines([*changes, *more], self._left_out.pop(chat, 0)))
                await messenger.send(Place(chat), text, silent=True)
                self._begun.discard(chat)

        try:
            await self._queue.deliver(Lane.CARDS, chat, send)
        except ChatError as error:
            log.info("Changes of accounts could not be listed in chat %d: %s", chat, error)
            self._waiting.pop(chat, None)
