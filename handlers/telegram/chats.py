"""Chats that go, come back, and move: what is done about each, and admins are notified once."""

import logging
from collections.abc import Callable

from controller.tasks import Tasks
from handlers.alerts import alert_text
from handlers.alerts.recipients import Recipients
from handlers.alerts.service import Alerts
from handlers.alerts.silencing import Silencing
from handlers.ports import Messages
from handlers.telegram.admin_notices import AdminNotices
from handlers.telegram.ui.cards import Cards

log = logging.getLogger(__name__)

GONE = "gone"
"""Of the stored references: chats of which admins were notified that they cannot be written to."""


class ChatEvents:
    """What senders learn about chats, for those who listen: made before both."""

    def __init__(self) -> None:
        self.on_gone: list[Callable[[int, str], None]] = []
        self.on_moved: list[Callable[[int, int], None]] = []

    def gone(self, chat: int, why: str) -> None:
        """Announce that nothing can be sent to the chat, and why."""
        for listener in self.on_gone:
            listener(chat, why)

    def moved(self, chat: int, to: int) -> None:
        """Announce that the group has become a supergroup, under the id `to`."""
        for listener in self.on_moved:
            listener(chat, to)


class Chats:
    """Follows what becomes of chats. Every method returns at once."""

    def __init__(
        self,
        tasks: Tasks,
        events: ChatEvents,
        *,
        recipients: Recipients,
        messages: Messages,
        alerts: Alerts,
        silencing: Silencing,
        cards: Cards,
        notices: AdminNotices,
    ) -> None:
        self._tasks, self._recipients, self._messages = tasks, recipients, messages
        self._alerts, self._silencing, self._cards, self._notices = alerts, silencing, cards, notices
        self._gone: set[int] = set()
        events.on_gone.append(self.gone)
        events.on_moved.append(self.moved)

    def gone(self, chat: int, why: str) -> None:
        """Notify admins, once, that nothing can be sent to the chat."""
        log.warning("Chat %d cannot be written to: %s", chat, why)
        self._gone.add(chat)
        self._tasks.start(self._notify_gone(chat, why), "notifying that a chat is gone")

    def heard_from(self, chat: int) -> None:
        """Note that somebody wrote in a chat: if it was gone, it is back."""
        self._cards.came_back(chat)
        if chat in self._gone:
            self._gone.discard(chat)
            self._alerts.wake([chat])
            self._tasks.start(self._messages.forget(GONE, str(chat), chat=chat), "a chat is back")

    def moved(self, chat: int, to: int) -> None:
        """Send what goes to a group to the supergroup that it has become."""
        moved = self._recipients.moved
        if chat not in moved and all(place.chat != chat for place in self._recipients.of_admins()):
            return  # anybody may add the bot to a group
        new = moved.get(chat) != to
        moved[chat] = to
        if new:
            log.warning("The group %d has become the supergroup %d", chat, to)
        self._tasks.start(self._move(chat, to, notify=new), "moving to a supergroup")

    async def _notify_gone(self, chat: int, why: str) -> None:
        try:
            if any(kept.chat == chat for kept in await self._messages.kept(GONE)):
                return
            await self._messages.keep(GONE, str(chat), chat=chat, topic=None, message=0, shown="")
        except OSError as error:
            log.error("That a chat is gone could not be stored: %s", error)
        await self._notices.note(alert_text.chat_is_gone(chat, why), but=chat)

    async def _move(self, chat: int, to: int, *, notify: bool) -> None:
        await self._alerts.move(chat, to)
        await self._silencing.load()
        if notify:
            await self._notices.note(alert_text.chat_moved(chat, to))
