"""A messenger that routes a chat's alerts to one topic of it: messages sent to such a chat get that topic.

It wraps the messenger for the alert lanes, so that senders need not know. A message with a topic of its own keeps it.
Such a chat does not count as a forum: accounts get no topics beside the one that is set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from handlers.chat.messages import Place, Text
from handlers.chat.messenger import ChatInfo, Messenger


class AlertTopics:
    """topics: chat → the topic for alerts; may change at any time."""

    def __init__(self, messenger: Messenger, topics: Mapping[int, int]) -> None:
        self._messenger, self._topics = messenger, topics

    async def send(self, place: Place, text: Text, *, silent: bool = False, reply_to: int | None = None) -> int:
        """Send a message, to the chat's topic if it has one."""
        return await self._messenger.send(self._placed(place), text, silent=silent, reply_to=reply_to)

    async def send_picture(
        self,
        place: Place,
        picture: bytes,
        caption: Text,
        *,
        protect: bool = False,
        silent: bool = False,
        reply_to: int | None = None,
    ) -> int:
        """Send a picture, to the chat's topic if it has one."""
        return await self._messenger.send_picture(
            self._placed(place), picture, caption, protect=protect, silent=silent, reply_to=reply_to
        )

    async def is_forum(self, chat: int) -> bool:
        """Return whether accounts have their own topics in the chat."""
        return await self._messenger.is_forum(chat) and chat not in self._topics

    async def edit(self, chat: int, message: int, text: Text) -> None:
        """Delegate to the messenger."""
        await self._messenger.edit(chat, message, text)

    async def edit_picture(self, chat: int, message: int, picture: bytes, caption: Text) -> None:
        """Delegate to the messenger."""
        await self._messenger.edit_picture(chat, message, picture, caption)

    async def blank(self, chat: int, message: int, caption: Text) -> None:
        """Delegate to the messenger."""
        await self._messenger.blank(chat, message, caption)

    def unaccounted(self, chat: int, before: int) -> Sequence[int]:
        """Delegate to the messenger."""
        return self._messenger.unaccounted(chat, before)

    async def delete(self, chat: int, message: int) -> None:
        """Delegate to the messenger."""
        await self._messenger.delete(chat, message)

    async def find_chat(self, chat: int | str) -> ChatInfo:
        """Delegate to the messenger."""
        return await self._messenger.find_chat(chat)

    async def open_topic(self, chat: int, name: str) -> int:
        """Delegate to the messenger."""
        return await self._messenger.open_topic(chat, name)

    def _placed(self, place: Place) -> Place:
        return place if place.topic is not None else replace(place, topic=self._topics.get(place.chat))
