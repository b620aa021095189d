"""A test of every channel: an alert of each loudness to each chat that gets alerts, and one per fallback service."""

import asyncio
from datetime import datetime

from handlers.alerts.escalation import escalation_text
from handlers.alerts.escalation.duty import Duty
from handlers.alerts.escalation.fallback import FallbackChannel, plain
from handlers.alerts.incidents.recipients import Recipients
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane, Place, Text, escape
from handlers.chat.request import Request
from handlers.chat.send_queue import SendQueue
from handlers.telegram.actions.context import Context

PATIENCE = 60.0
"""Seconds that Telegram may take in all; the fallback has its own deadline."""


class DeliveryCheck:
    """Sends the test, and reports in one message which channel accepted what. way: None if there is no fallback."""

    def __init__(
        self, context: Context, *, queue: SendQueue, recipients: Recipients, duty: Duty, way: FallbackChannel | None
    ) -> None:
        self._queue, self._recipients, self._duty = queue, recipients, duty
        self._way, self._responder, self._clock = way, context.responder, context.clock

    async def run(self, request: Request) -> None:
        """Test every channel. Answers when all results are known."""
        chats, now = self._chats(), self._clock()
        tries = [(chat, silent) for chat in chats for silent in (False, True)]
        telegram, outside = await asyncio.gather(
            asyncio.gather(*(self._try(chat, request.name, now, silent=silent) for chat, silent in tries)),
            self._try_fallback(request.name, now),
        )
        results = dict(zip(tries, telegram, strict=True))
        lines = [
            escalation_text.tested(name, results[chat, False], results[chat, True]) for chat, name in chats.items()
        ]
        lines += [escalation_text.tested_outside(name, took=took) for name, took in outside.items()]
        await self._responder.answer(request, escalation_text.test_result(lines, outside=bool(outside)))

    def _chats(self) -> dict[int, str]:
        """Return the chats that get alerts with sound, with their names."""
        moved = self._recipients.moved
        chats = {place.chat: f"chat <code>{place.chat}</code>" for place in self._recipients.of_admins()}
        if (on_duty := self._duty.now()) is not None:
            chats[on_duty.user] = escape(on_duty.name)
        return chats | {moved.get(each.chat, each.chat): escape(each.name) for each in self._duty.roster.targets}

    async def _try(self, chat: int, name: str, now: datetime, *, silent: bool) -> str:
        """Send one; return why it failed, "" if the chat service accepted it."""
        text = Text(escalation_text.test_alert(name, now, silent=silent))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._queue.deliver(Lane.ALERTS, chat, lambda each: each.send(Place(chat), text, silent=silent))
        except TimeoutError:
            return f"not taken in {PATIENCE:g} s"
        except ChatError as error:
            return str(error) or type(error).__name__
        return ""

    async def _try_fallback(self, name: str, now: datetime) -> dict[str, bool]:
        if self._way is None:
            return {}
        return await self._way.send("Switchboard: a test", plain(escalation_text.test_alert(name, now, silent=False)))
