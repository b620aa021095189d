"""The port that a chat service implements: everything the program needs of one, without reference to any service.

`handlers.telegram.client` is the only implementation so far. Ids of chats, topics and messages are the service's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from handlers.chat.messages import Place, Text


@dataclass(frozen=True, slots=True)
class ChatInfo:
    """Properties of a chat. may_write: None if unknown. topics: whether it is a forum."""

    chat: int
    title: str
    private: bool
    forum: bool
    may_write: bool | None = None


class Messenger(Protocol):
    """A chat service. Every method raises ChatError or returns within a deadline of the implementation's."""

    async def send(self, place: Place, text: Text, *, silent: bool = False, reply_to: int | None = None) -> int:
        """Send a message and return its id."""

    async def edit(self, chat: int, message: int, text: Text) -> None:
        """Replace a message's text and buttons. No error if it is unchanged."""

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
        """Delete a message. No error if it does not exist."""

    async def blank(self, chat: int, message: int, caption: Text) -> None:
        """Replace a message that cannot be deleted by an empty picture, with this caption and no other content.

        Raises MessageGoneError if the message does not exist any more.
        """

    def unaccounted(self, chat: int, before: int) -> Sequence[int]:
        """Return the ids below `before` of messages that may be ours although the response was lost: few, newest first.

        Excludes what this messenger knows to have sent, and anything before its first message in the chat.
        """

    async def find_chat(self, chat: int | str) -> ChatInfo:
        """Look a chat up by its id or public `@name`. Raises ChatGoneError if the bot cannot see it."""

    async def is_forum(self, chat: int) -> bool:
        """Return whether the chat is a group with topics."""

    async def open_topic(self, chat: int, name: str) -> int:
        """Open a topic in a forum and return its id."""
