"""What updates reveal about chats: that somebody writes there, and that a group became a supergroup."""

from controller.tasks import Tasks
from handlers.alerts.service import Alerts
from handlers.chat.chat_settings import ChatSettings
from handlers.telegram.actions.linking import Linking
from handlers.telegram.ui.cards import Cards


class Chats:
    """Forwards these events. Every method returns at once."""

    def __init__(
        self, alerts: Alerts, cards: Cards, linking: Linking, chat_settings: ChatSettings, tasks: Tasks
    ) -> None:
        self._alerts, self._cards, self._linking = alerts, cards, linking
        self._chat_settings, self._tasks = chat_settings, tasks

    def heard_from(self, chat: int) -> None:
        """Note that somebody wrote in a chat: if it was unreachable, it is back."""
        self._cards.came_back(chat)
        self._alerts.chats.heard_from(chat)

    def membership_changed(self, chat: int, *, may_write: bool) -> None:
        """Note that the bot was added to a chat, removed, promoted, restricted or blocked, whoever did it."""
        if may_write:
            self.heard_from(chat)
        self._alerts.membership_changed(chat, may_write=may_write)

    def moved(self, chat: int, to: int) -> None:
        """Redirect a group's messages to the supergroup it has become."""
        self._alerts.chats.moved(chat, to)
        self._linking.moved(chat, to)
        self._cards.moved(chat, to)
        self._tasks.start(self._chat_settings.move(chat, to), "moving what was chosen for a group")
