"""Where alerts go, as it was chosen from the chat, else as it was set: a chat, one topic, or a public name.

What a name stands for Telegram alone can tell. Until it is looked up, alerts go to the admins privately, and so they do
where there is no such chat; admins are told of that once.
"""

import asyncio
import logging

from controller.tasks import Tasks
from handlers.alerts.incidents.recipients import Recipients
from handlers.alerts.service import Alerts
from handlers.chat.choices import ChoiceStore
from handlers.chat.destination import Destination
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane
from handlers.chat.send_queue import SendQueue
from handlers.texts import answers

log = logging.getLogger(__name__)

AGAIN_AFTER = 3600.0
"""Seconds until a name that cannot be looked up is tried again."""
NO_CHAT = 0
"""Whose line in the queue a call has that is about no chat yet."""


class AlertChat:
    """Puts the destination of alerts into force."""

    def __init__(
        self,
        destination: Destination | None,
        *,
        queue: SendQueue,
        lasting: Tasks,
        recipients: Recipients,
        alerts: Alerts,
        store: ChoiceStore,
    ) -> None:
        self._destination, self._store = destination, store
        self._finding: asyncio.Task[None] | None = None
        self._queue, self._lasting, self._recipients, self._alerts = queue, lasting, recipients, alerts

    async def start(self) -> None:
        """Put into force what was chosen from the chat, else what was set. Raises OSError."""
        chosen = await self._store.destination()
        if chosen is not None:
            self._use(*chosen)
        else:
            self._use_setting()

    async def choose(self, chat: int, topic: int | None) -> None:
        """Let alerts go there from now on, whatever is set. Raises OSError."""
        await self._store.set_destination((chat, topic))
        if self._finding is not None:
            self._finding.cancel()
        self._use(chat, topic)

    async def reset(self) -> bool:
        """Let alerts go where the setting says; returns whether that is a chat of all admins. Raises OSError."""
        await self._store.set_destination(None)
        self._recipients.use_alert_chat(None)
        self._use_setting()
        return self._destination is not None

    def _use_setting(self) -> None:
        """Put an id into force at once; look a name up as soon as Telegram can be reached."""
        match self._destination:
            case Destination(int() as chat, topic):
                self._use(chat, topic)
            case Destination(str() as name, topic):
                self._finding = self._lasting.start(self._find(name, topic), "looking up the chat of alerts")

    def _use(self, chat: int, topic: int | None) -> None:
        self._recipients.use_alert_chat(chat)
        self._queue.alert_topics.pop(chat, None)
        if topic is not None:
            self._queue.alert_topics[chat] = topic

    async def _find(self, name: str, topic: int | None) -> None:
        told = False
        while True:
            try:
                found = await self._queue.deliver(
                    Lane.ALERTS, NO_CHAT, lambda messenger: messenger.find_chat(name), free=True
                )
            except ChatError as error:
                log.error("TELEGRAM_ALERT_CHAT_ID: %s cannot be looked up (%s): alerts go to the admins", name, error)
                if not told:
                    await self._alerts.announcer.notify_admins(answers.alert_chat_unknown(name, str(error)))
                told = True
                await asyncio.sleep(AGAIN_AFTER)
            else:
                log.info("Alerts go to %s, which is chat %d", name, found.chat)
                self._use(found.chat, topic)
                if told:
                    await self._alerts.announcer.notify_admins(answers.alert_chat_found(name))
                return
