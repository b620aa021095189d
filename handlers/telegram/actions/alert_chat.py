"""The destination of alerts, as chosen in the chat or else configured: a chat, one topic, or a public name.

Only Telegram can resolve a name. Until it is resolved, or if there is no such chat, alerts go to the admins
privately; admins are notified of the latter once.
"""

import asyncio
import logging

from controller.tasks import Tasks
from handlers.alerts.incidents.recipients import Recipients
from handlers.alerts.service import Alerts
from handlers.chat.chat_settings import ChatSettingsStore
from handlers.chat.destination import Destination
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane
from handlers.chat.send_queue import SendQueue
from handlers.texts import answers

log = logging.getLogger(__name__)

AGAIN_AFTER = 3600.0
"""Seconds until the look-up of a name is retried."""
NO_CHAT = 0
"""The key in the send queue of calls that concern no chat yet."""


class AlertChat:
    """Applies the destination of alerts."""

    def __init__(
        self,
        destination: Destination | None,
        *,
        queue: SendQueue,
        lasting: Tasks,
        recipients: Recipients,
        alerts: Alerts,
        store: ChatSettingsStore,
    ) -> None:
        self._destination, self._store = destination, store
        self._finding: asyncio.Task[None] | None = None
        self._topics_lost: set[int] = set()
        queue.alert_topic_lost = self._topic_lost
        self._queue, self._lasting, self._recipients, self._alerts = queue, lasting, recipients, alerts

    async def start(self) -> None:
        """Apply the choice made in the chat, else the setting. Raises OSError."""
        chosen = await self._store.destination()
        if chosen is not None:
            self._use(*chosen)
        else:
            self._use_setting()

    async def choose(self, chat: int, topic: int | None) -> None:
        """Send alerts there from now on, overriding the setting. Raises OSError."""
        await self._store.set_destination((chat, topic))
        if self._finding is not None:
            self._finding.cancel()
        self._use(chat, topic)

    async def reset(self) -> bool:
        """Send alerts where the setting says; returns whether that is a chat of all admins. Raises OSError."""
        await self._store.set_destination(None)
        self._recipients.use_alert_chat(None)
        self._use_setting()
        return self._destination is not None

    def _use_setting(self) -> None:
        """Apply an id at once; look a name up as soon as Telegram can be reached."""
        match self._destination:
            case Destination(int() as chat, topic):
                self._use(chat, topic)
            case Destination(str() as name, topic):
                self._finding = self._lasting.start(self._find(name, topic), "looking up the chat of alerts")

    def _use(self, chat: int, topic: int | None) -> None:
        self._recipients.use_alert_chat(chat)
        self._queue.alert_topics.pop(chat, None)
        self._topics_lost.discard(chat)
        if topic is not None:
            self._queue.alert_topics[chat] = topic

    def _topic_lost(self, chat: int) -> None:
        """Tell admins once that the topic that is set is closed or gone. Returns at once."""
        if chat in self._topics_lost:
            return
        self._topics_lost.add(chat)
        log.warning("The topic for alerts of chat %d is closed or gone: they go to General", chat)
        notifying = self._alerts.announcer.notify_admins(answers.alert_topic_gone(chat))
        self._lasting.start(notifying, "telling that the topic for alerts is gone")

    async def _find(self, name: str, topic: int | None) -> None:
        notified = False
        while True:
            try:
                found = await self._queue.deliver(
                    Lane.ALERTS, NO_CHAT, lambda messenger: messenger.find_chat(name), free=True
                )
            except ChatError as error:
                log.error("TELEGRAM_ALERT_CHAT_ID: %s cannot be looked up (%s): alerts go to the admins", name, error)
                if not notified:
                    await self._alerts.announcer.notify_admins(answers.alert_chat_unknown(name, str(error)))
                notified = True
                await asyncio.sleep(AGAIN_AFTER)
            else:
                log.info("Alerts go to %s, which is chat %d", name, found.chat)
                self._use(found.chat, topic)
                if notified:
                    await self._alerts.announcer.notify_admins(answers.alert_chat_found(name))
                return
