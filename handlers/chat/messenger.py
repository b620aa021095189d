"""The port that a chat service implements: what the rest of the program needs of it, and nothing of any service.

`handlers.telegram.client` is the one implementation today. Ids of chats, topics and messages are the service's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from handlers.chat.messages import Place, Text


@dataclass(frozen=True, slots=True)
class ChatInfo:
    """What the service tells of a chat. may_write: None where it does not tell. topics: whether it is a forum."""

    chat: int
    title: str
    private: bool
    forum: bool
    may_write: bool | None = None
    may_open_topics: bool | None = None


class Messenger(Protocol):
    """A chat service. Every method raises ChatError or ends within a deadline of the implementation's."""

    async def send(self, place: Place, text: Text, *, silent: bool = False, reply_to: int | None = None) -> int:
        """Send a message and return its id."""

    async def edit(self, chat: int, message: int, text: Text) -> None:
        """Replace a message's text and buttons. That it reads so already is no error."""

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
        """Send a PNG with a caption and return the message's id. protect: it cannot be forwarded or saved."""

    async def edit_picture(self, chat: int, message: int, picture: bytes, caption: Text) -> None:
        """Replace a message's PNG and caption."""

    async def delete(self, chat: int, message: int) -> None:
        """Delete a message. That it is gone already is no error."""

    async def blank(self, chat: int, message: int, caption: Text) -> None:
        """Replace a message's picture by an empty one, and its caption and buttons, where it cannot be deleted.

        Raises MessageGoneError where there is nothing to blank any more.
        """

    def unaccounted(self, chat: int, before: int) -> Sequence[int]:
        """Return the ids below `before` that a message may have whose answer was lost: few, the newest first.

        Left out is what this messenger knows to have sent, and what is older than the first of that in the chat.
        """

    async def find_chat(self, chat: int | str) -> ChatInfo:
        """Look a chat up by its id or its public `@name`. Raises ChatGoneError where the bot cannot see it."""

    async def is_forum(self, chat: int) -> bool:
        """Return whether the chat is a group with topics."""

    async def open_topic(self, chat: int, name: str) -> int:
        """Open a topic in a forum and return its id."""
