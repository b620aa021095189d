"""Messengers that know topics, so that senders need not: alerts to one topic, and General if a topic is gone.

They wrap the messenger, one for the lanes of alerts and one for the others. A chat with a topic for alerts does not
count as a forum: accounts get no topics beside the one that is set.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from handlers.chat.errors import TopicGoneError
from handlers.chat.messages import Place, Text
from handlers.chat.messenger import ChatInfo, Messenger


class InTopics:
    """Sends where a request came from: to General if its topic is closed or deleted meanwhile."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger

    async def send(self, place: Place, text: Text, *, silent: bool = False, reply_to: int | None = None) -> int:
        """Send a message."""
        return await self._in_topic(
            place, lambda there: self._messenger.send(there, text, silent=silent, reply_to=reply_to)
        )

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
        """Send a picture."""
        return await self._in_topic(
            place,
            lambda there: self._messenger.send_picture(
                there, picture, caption, protect=protect, silent=silent, reply_to=reply_to
            ),
        )

    async def is_forum(self, chat: int) -> bool:
        """Delegate to the messenger."""
        return await self._messenger.is_forum(chat)

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

    async def _in_topic(self, place: Place, send: Callable[[Place], Awaitable[int]]) -> int:
        try:
            return await send(place)
        except TopicGoneError:
            if place.topic is None:
                raise
            return await send(replace(place, topic=None))


class AlertTopics(InTopics):
    """Sends alerts to the topic that is set for their chat, if one is. A message with a topic of its own keeps it.

    topics: chat → the topic for alerts; may change at any time. lost: called with a chat whose topic takes nothing.
    """

    def __init__(self, messenger: Messenger, topics: Mapping[int, int], lost: Callable[[int], None]) -> None:
        super().__init__(messenger)
        self._topics, self._lost = topics, lost

    async def is_forum(self, chat: int) -> bool:
        """Return whether accounts have their own topics in the chat."""
        return await self._messenger.is_forum(chat) and chat not in self._topics

    async def _in_topic(self, place: Place, send: Callable[[Place], Awaitable[int]]) -> int:
        topic = self._topics.get(place.chat)
        if place.topic is not None or topic is None:
            return await send(place)
        try:
            return await send(replace(place, topic=topic))
        except TopicGoneError:
            self._lost(place.chat)
            return await send(place)
