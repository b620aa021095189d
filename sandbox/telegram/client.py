"""The people: what tests and the web page can do in a Telegram chat.

Contents: sending, pressing, reading, blocking, groups, faults, as plain calls. Not here: HTTP, which is
in `control`.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from sandbox.telegram import posting
from sandbox.telegram.delivery.rival import Rival
from sandbox.telegram.delivery.updates import Webhook
from sandbox.telegram.faults import POLLING, Fault
from sandbox.telegram.journal import Request
from sandbox.telegram.methods.bot import commands_seen
from sandbox.telegram.model import GENERAL_TOPIC, Chat, Message, User
from sandbox.telegram.views import chat_view, message_view
from sandbox.telegram.world import World

T = TypeVar("T")
WAIT = 60.0
UNREADABLE = {"message_id": "seven", "date": "yesterday", "chat": {"id": 1, "type": "private"}, "text": "/secret words"}
"""A message that no client library can read."""


class Client:
    """Everything a person, or whoever simulates people, can do. Unknown chats and messages raise LookupError."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rival = Rival(world.updates)

    # Actions

    def add_user(
        self,
        user_id: int,
        first_name: str,
        *,
        last_name: str | None = None,
        username: str | None = None,
        language: str = "en",
    ) -> dict[str, Any]:
        """Introduce a person; someone never introduced is called "User <id>"."""
        user = User(user_id, first_name, last_name, username, language_code=language)
        return self.world.add_user(user).to_json()

    async def send(
        self,
        user_id: int,
        text: str,
        *,
        chat_id: int | None = None,
        thread_id: int | None = None,
        reply_to: int | None = None,
    ) -> dict[str, Any]:
        """Send a message as a person, by default in their private chat, which their first message opens."""
        chat = self.world.private_chat(user_id) if chat_id in {None, user_id} else self.chat(chat_id or 0)
        user = self.world.user(user_id)
        if chat.type != "private" and user_id not in chat.members:
            raise LookupError(f"user {user_id} is not in chat {chat.id}")
        target = self._message(chat, reply_to) if reply_to else None
        message = posting.person_says(self.world, chat, user, text, thread_id=thread_id, reply_to=target)
        await asyncio.sleep(0)  # lets a waiting getUpdates take it before the caller continues
        return message_view(message)

    async def press(
        self,
        message_id: int,
        data: str,
        *,
        user_id: int | None = None,
        chat_id: int | None = None,
        wait: float = 0.0,
        stale: bool = False,
    ) -> dict[str, Any]:
        """Press the button with `data`; with `wait` seconds, return the bot's answer too (None if there was none).

        stale: on a phone that has not seen the message's last edit yet.
        """
        message = self._named(message_id, chat_id)
        presser = user_id if user_id is not None else next(iter(message.chat.members))
        query_id = posting.press(self.world, message, self.world.user(presser), data, stale=stale)
        answer = None
        if wait > 0:
            query = self.world.queries[query_id]
            try:
                answer = await self.world.feed.wait_for(lambda: query["answer"], wait)
            except TimeoutError:
                answer = None
        return {"query_id": query_id, "answer": answer}

    async def press_text(self, message_id: int, text: str, **options: Any) -> dict[str, Any]:
        """Press the button labelled `text`."""
        message = self._named(message_id, options.get("chat_id"))
        for row in message.content.keyboard():
            for button in row:
                if button["text"] == text and button.get("callback_data"):
                    return await self.press(message_id, button["callback_data"], **options)
        raise LookupError(f"message {message_id} has no button that reads {text!r}")

    def delete(self, chat_id: int, message_id: int) -> None:
        """Delete a message for both sides as the person; bots are not notified."""
        posting.remove(self.world, self._message(self.chat(chat_id), message_id), by="person")

    def block(self, user_id: int) -> None:
        """Block the bot as the person."""
        posting.block(self.world, self.chat(user_id))

    def unblock(self, user_id: int) -> None:
        """Unblock the bot as the person."""
        posting.unblock(self.world, self.chat(user_id))

    def add_group(
        self,
        title: str,
        members: list[int],
        *,
        supergroup: bool = False,
        forum: bool = False,
        admin: bool = True,
        chat_id: int | None = None,
    ) -> dict[str, Any]:
        """Create a group (or supergroup, or forum) of these people and the bot; the first is its creator."""
        statuses = {member: "creator" if place == 0 else "member" for place, member in enumerate(members)}
        chat = self.world.add_group(
            title, supergroup=supergroup, forum=forum, members=statuses, admin=admin, chat_id=chat_id
        )
        return chat_view(chat)

    def add_channel(self, title: str, members: list[int]) -> dict[str, Any]:
        """Create a channel of which the bot is an administrator: its people post as the channel."""
        chat = self.world.add_group(
            title, supergroup=True, forum=False, members=dict.fromkeys(members, "administrator"), admin=True
        )
        chat.type = "channel"
        return chat_view(chat)

    def migrate(self, chat_id: int, *, forum: bool = False) -> dict[str, Any]:
        """Upgrade a group to a supergroup; return the new chat."""
        return chat_view(posting.migrate(self.world, self.chat(chat_id), forum=forum))

    def set_bot_status(self, chat_id: int, status: str) -> None:
        """Make the bot "member", "administrator" or "restricted" in a group, or remove it: "left", "kicked"."""
        posting.set_bot_status(self.world, self.chat(chat_id), status)

    def set_missing_rights(self, chat_id: int, rights: Collection[str]) -> None:
        """Revoke rights of the bot, e.g. `can_manage_topics` or `can_send_messages`; it has all others."""
        posting.set_missing_rights(self.world, self.chat(chat_id), set(rights))

    def open_topic(self, chat_id: int, name: str, user_id: int) -> int:
        """Open a topic in a forum as a person; return its thread id."""
        chat = self.chat(chat_id)
        return posting.open_topic(self.world, chat, self.world.user(user_id), name).thread_id

    def close_topic(self, chat_id: int, thread_id: int | None = None, *, closed: bool = True) -> None:
        """Close a topic of a forum, or reopen it; without a thread, the General topic."""
        chat = self.chat(chat_id)
        if thread_id not in {None, GENERAL_TOPIC, *chat.topics}:
            raise LookupError(f"there is no topic {thread_id} in chat {chat_id}")
        posting.set_topic(self.world, chat, thread_id, closed=closed)

    def delete_topic(self, chat_id: int, thread_id: int) -> None:
        """Delete a topic of a forum with all its messages."""
        chat = self.chat(chat_id)
        if thread_id not in chat.topics:
            raise LookupError(f"there is no topic {thread_id} in chat {chat_id}")
        posting.delete_topic(self.world, chat, thread_id, by="person")

    def delete_group(self, chat_id: int) -> None:
        """Delete a group for everybody: the bot can no longer write there."""
        chat = self.chat(chat_id)
        if chat.type == "supergroup":
            posting.set_bot_status(self.world, chat, "left")
        else:
            chat.deactivated = True

    # Other programs with the bot's token

    def set_webhook(self, url: str) -> None:
        """Set a webhook as another program would: the bot's polls are refused until it deletes the webhook."""
        self.world.updates.set_webhook(Webhook(url))

    def start_rival(self) -> None:
        """Start another program that polls with the bot's token, until `stop_rival`."""
        self.rival.start()

    async def stop_rival(self) -> None:
        """Stop the other program."""
        await self.rival.stop()

    def push_update(self, kind: str = "message", body: Any = None) -> int:
        """Queue an update for the bot as it is; by default one that client libraries cannot parse."""
        return self.world.updates.push_raw(kind, UNREADABLE if body is None else body)

    # Reading

    def chat(self, chat_id: int) -> Chat:
        """Return the chat object itself."""
        try:
            return self.world.chats[chat_id]
        except KeyError:
            raise LookupError(f"there is no chat {chat_id}") from None

    def chats(self) -> list[dict[str, Any]]:
        """Return all chats, each with its newest message."""
        return [chat_view(chat) for chat in self.world.chats.values()]

    def users(self) -> list[dict[str, Any]]:
        """Return all people."""
        return [user.to_json() for user in self.world.users.values() if not user.is_bot]

    def messages(self, chat_id: int, *, deleted: bool = False, after: int = 0) -> list[dict[str, Any]]:
        """Return what a person sees now, oldest first; with `deleted`, also the deleted messages, marked."""
        chat = self.world.chats.get(chat_id)
        if chat is None:
            return []
        found = chat.messages.values() if deleted else chat.visible()
        return [message_view(message) for message in found if message.id > after]

    def from_bot(self, chat_id: int, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Return only the bot's messages, without service messages."""
        found = self.messages(chat_id, deleted=deleted)
        return [message for message in found if message["from"]["is_bot"] and message["service"] is None]

    def message(self, chat_id: int, message_id: int) -> dict[str, Any]:
        """Return one message, even if deleted."""
        return message_view(self._message(self.chat(chat_id), message_id))

    def picture(self, message: dict[str, Any]) -> bytes:
        """Return the JPEG of a message (as returned here, or one of its `history`)."""
        unique_id = message["photo"]["url"].rsplit("/", 1)[1]
        file = self.world.files.by_unique_id(unique_id)
        if file is None:
            raise LookupError(f"there is no file {unique_id}")
        return file.data

    def commands(self, user_id: int, chat_id: int | None = None) -> list[dict[str, Any]]:
        """Return the command menu that a person sees in a chat."""
        return commands_seen(self.world, user_id if chat_id is None else chat_id, user_id)

    def requests(self, *methods: str) -> list[Request]:
        """Return the journal: every request, or those of certain methods."""
        return self.world.journal.of(*methods) if methods else list(self.world.journal.requests)

    async def wait_for(self, predicate: Callable[[], T | None], deadline: float = WAIT) -> T:
        """Return the first truthy result of `predicate`, evaluated after every event; otherwise TimeoutError."""
        return await self.world.feed.wait_for(predicate, deadline)

    async def wait_for_message(
        self,
        chat_id: int,
        matches: Callable[[dict[str, Any]], bool] = lambda _: True,
        *,
        after: int = 0,
        deadline: float = WAIT,
    ) -> dict[str, Any]:
        """Return the first visible message of the bot that satisfies `matches`, with an id above `after`."""
        return await self.wait_for(
            lambda: next((m for m in self.from_bot(chat_id) if m["message_id"] > after and matches(m)), None),
            deadline,
        )

    # Faults

    def fail(self, kind: str | int, **rule: Any) -> Fault:
        """Make calls fail; see `Fault` for kinds and fields. Without count and seconds it applies until removed.

        A timed rule that covers getUpdates also ends the poll that is waiting.
        """
        fault = self.world.faults.add(Fault(str(kind), **rule), self.world.now())
        polls = fault.matches(POLLING, None, self.world.now()) and fault.kind != "slow"
        if polls and self.world.updates.polling and self.world.faults.take(POLLING, None, self.world.now()) is fault:
            self.world.updates.interrupt(fault.error())
        self._faults_changed()
        return fault

    def heal(self, number: int | None = None) -> None:
        """Remove one rule, or all."""
        self.world.faults.clear(number)
        self._faults_changed()

    def _faults_changed(self) -> None:
        self.world.feed.publish("faults", rules=[rule.to_json() for rule in self.world.faults.rules])

    def _message(self, chat: Chat, message_id: int) -> Message:
        try:
            return chat.messages[message_id]
        except KeyError:
            raise LookupError(f"there is no message {message_id} in chat {chat.id}") from None

    def _named(self, message_id: int, chat_id: int | None) -> Message:
        if chat_id is not None:
            return self._message(self.chat(chat_id), message_id)
        found = [chat.messages[message_id] for chat in self.world.chats.values() if message_id in chat.messages]
        if not found:
            raise LookupError(f"there is no message {message_id}")
        return max(found, key=lambda message: message.date)
