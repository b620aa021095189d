"""The state of one Telegram: its bot, people, chats and their permissions.

Contents: which users and chats exist, and the access rules of the official server (`check_chat` in telegram-bot-api).
Not here: sending and editing (`posting`), reading calls (`methods`), HTTP.
"""

import itertools
from collections.abc import Callable
from typing import Any

from sandbox.telegram.budgets import Budgets, Limits
from sandbox.telegram.delivery.updates import Updates
from sandbox.telegram.errors import bad_request, blocked_by_user, chat_not_found, forbidden, migrated, too_many_requests
from sandbox.telegram.faults import Faults
from sandbox.telegram.feed import Feed
from sandbox.telegram.files import FileStore
from sandbox.telegram.journal import Journal
from sandbox.telegram.model import Chat, Message, User

BOT_USERNAME = "switchboard_bot"
BOT_NAME = "Switchboard"
FIRST_SUPERGROUP = -1_001_000_000_000
FIRST_GROUP = -4_000_000_000


class World:
    """The whole state of one stand-in. Times are seconds of the injected clock."""

    def __init__(self, bot_id: int, now: Callable[[], float], limits: Limits | None, callback_seconds: float) -> None:
        self.now = now
        self.bot = User(bot_id, BOT_NAME, username=BOT_USERNAME, is_bot=True)
        self.users: dict[int, User] = {bot_id: self.bot}
        self.chats: dict[int, Chat] = {}
        self.files = FileStore()
        self.feed = Feed(now)
        self.updates = Updates(now, lambda: self.feed.publish("polling"))
        self.budgets = Budgets(limits)
        self.faults = Faults()
        self.journal = Journal()
        self.callback_seconds = callback_seconds
        self.queries: dict[str, dict[str, Any]] = {}
        self.profile: dict[str, Any] = {}
        self._shared_message_ids = itertools.count(1)
        self._query_ids = itertools.count(4_100_000_000_000_000_001)
        self._supergroups = itertools.count(1)
        self._groups = itertools.count(1)

    # People and chats

    def add_user(self, user: User) -> User:
        """Add a person, or update one."""
        self.users[user.id] = user
        if (chat := self.chats.get(user.id)) is not None:
            chat.person, chat.title = user, user.name
        self.feed.publish("user", user=user.to_json())
        return user

    def user(self, user_id: int) -> User:
        """Return the person, created with a default name if never introduced."""
        found = self.users.get(user_id)
        return found if found is not None else self.add_user(User(user_id, f"User {user_id}"))

    def private_chat(self, user_id: int) -> Chat:
        """Return the person's chat with the bot; it is opened by their first message."""
        chat = self.chats.get(user_id)
        if chat is None:
            person = self.user(user_id)
            chat = Chat(user_id, "private", person.name, username=person.username, person=person)
            chat.members = {user_id: "member"}
            self._add_chat(chat)
        return chat

    def add_group(
        self,
        title: str,
        *,
        supergroup: bool,
        forum: bool,
        members: dict[int, str],
        admin: bool,
        chat_id: int | None = None,
    ) -> Chat:
        """Create a group, supergroup or forum in which the bot is a member or an administrator."""
        large = supergroup or forum
        if chat_id is None:
            chat_id = (FIRST_SUPERGROUP if large else FIRST_GROUP) - next(self._supergroups if large else self._groups)
        chat = Chat(chat_id, "supergroup" if large else "group", title, is_forum=forum)
        chat.members = dict(members)
        chat.bot_status = "administrator" if admin else "member"
        for member in members:
            self.user(member)
        return self._add_chat(chat)

    def _add_chat(self, chat: Chat) -> Chat:
        self.chats[chat.id] = chat
        self.feed.publish("chat", chat=chat.to_json())
        return chat

    # Numbers

    def next_message_id(self, chat: Chat) -> int:
        """Return the next id, as Telegram numbers: private chats and groups jointly, each supergroup separately."""
        if chat.type not in {"supergroup", "channel"}:
            return next(self._shared_message_ids)
        chat.next_message_id += 1
        return chat.next_message_id - 1

    def next_query_id(self) -> str:
        """Return a fresh callback query id."""
        return str(next(self._query_ids))

    # Access, for the bot

    def chat(self, given: str, *, write: bool = False) -> Chat:
        """Return the chat that a call names by id or @username.

        Raises ApiError: unknown, blocked by the person, migrated, or the bot was removed. `write` adds the checks that
        apply to sending only.
        """
        if not given:
            raise bad_request("chat_id is empty")
        chat = self._find(given)
        if chat is None:
            raise chat_not_found()
        if chat.migrated_to is not None and write:
            raise migrated(chat.migrated_to)
        if chat.deactivated and write:
            raise forbidden("the group chat was deleted" if chat.type == "group" else "user is deactivated")
        kind = f"{chat.type} chat"
        if chat.bot_status == "kicked":
            raise forbidden(f"bot was kicked from the {kind}")
        if chat.bot_status == "left":
            raise forbidden(f"bot is not a member of the {kind}")
        if chat.blocked and write:
            raise blocked_by_user()
        return chat

    def _find(self, given: str) -> Chat | None:
        if given.startswith("@"):
            name = given.removeprefix("@").lower()
            named = (chat for chat in self.chats.values() if (chat.username or "").lower() == name)
            return next((chat for chat in named if chat.type != "private"), None)
        try:
            return self.chats.get(int(given))
        except ValueError:
            return None

    def message(self, chat: Chat, message_id: int) -> Message | None:
        """Return a message that still exists."""
        found = chat.messages.get(message_id)
        return found if found is not None and found.deleted_at is None else None

    def charge(self, chat: Chat) -> None:
        """Take one message from the chat's and the bot's budget; raises the 429 if it is exhausted."""
        wait = self.budgets.charge(chat.id, self.now())
        if wait:
            self.feed.publish("limited", chat_id=chat.id, retry_after=wait)
            raise too_many_requests(wait)
