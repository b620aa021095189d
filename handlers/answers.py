"""Answers to people, and those that go on: a command that takes time reports itself by editing its own answer."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from controller.registry import UnknownAccountError
from handlers import keyboards, status_wording
from handlers.chat import ChatError
from handlers.live import LiveMessage
from handlers.markup import split
from handlers.messages import Keyboard, Lane, Place, Text
from handlers.ports import Accounts
from handlers.post import Post
from handlers.tasks import Tasks

log = logging.getLogger("switchboard.telegram")

FOLLOWED_SECONDS = 900.0
"""How long an answer goes on being edited, at most."""


@dataclass(frozen=True, slots=True)
class _Followed:
    """An answer that goes on, and when it ends at the latest."""

    live: LiveMessage
    until: float


class Answers:
    """Gives answers."""

    def __init__(self, post: Post, tasks: Tasks, *, accounts: Accounts, clock: Callable[[], datetime]) -> None:
        self._post, self._tasks, self._accounts, self._clock = post, tasks, accounts, clock
        self._followed: dict[str, list[_Followed]] = {}

    async def say(self, place: Place, html: str, keyboard: Keyboard = (), *, asks: bool = False) -> LiveMessage | None:
        """Answer in as many messages as the text needs; the last has the buttons. None if it could not be said."""
        *parts, last = split(html)
        for part in parts:
            await self._send(place, Text(part))
        return await self._send(place, Text(last, keyboard, asks))

    async def edit(self, place: Place, message: int, html: str, keyboard: Keyboard = ()) -> LiveMessage:
        """Let the message whose button was pressed be the answer. What is too long for it goes on below."""
        first, *more = split(html)
        text = Text(first, () if more else keyboard)
        live = LiveMessage(self._post, self._tasks, Lane.ANSWERS, chat=place.chat, message=message, shown=Text(""))
        live.show(text)
        for number, part in enumerate(more, start=1):
            await self._send(place, Text(part, keyboard if number == len(more) else ()))
        return live

    async def put(self, place: Place, message: int | None, html: str, keyboard: Keyboard = ()) -> LiveMessage | None:
        """Answer in the message whose button was pressed, or in a new one where there is none."""
        if message is None:
            return await self.say(place, html, keyboard)
        return await self.edit(place, message, html, keyboard)

    def follow(self, number: str, live: LiveMessage | None) -> None:
        """Let the answer tell how the account's start goes on, until it has settled."""
        if live is not None:
            until = self._clock().timestamp() + FOLLOWED_SECONDS
            self._followed.setdefault(number, []).append(_Followed(live, until))
            self.refresh(number)

    def refresh(self, number: str) -> None:
        """Let the account's answers say what it is now."""
        followed = self._followed.get(number)
        if not followed:
            return
        now = self._clock()
        try:
            account, status = self._accounts.account(number), self._accounts.status(number)
        except UnknownAccountError:
            del self._followed[number]
            return
        html = status_wording.progress(account, status, now)
        if html is None:
            return
        settled = status_wording.is_settled(status)
        buttons = keyboards.next_step(number, status.state, status.reason) if settled else ()
        for one in followed:
            one.live.show(Text(html, buttons))
        left = [one for one in followed if not settled and not one.live.gone and one.until > now.timestamp()]
        if left:
            self._followed[number] = left
        else:
            del self._followed[number]

    async def _send(self, place: Place, text: Text) -> LiveMessage | None:
        try:
            message = await self._post.deliver(Lane.ANSWERS, place.chat, lambda chat: chat.send(place, text))
        except ChatError as error:
            log.warning("An answer could not be given in chat %d: %s", place.chat, error)
            return None
        return LiveMessage(self._post, self._tasks, Lane.UPDATES, chat=place.chat, message=message, shown=text)
