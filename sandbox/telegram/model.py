"""The stand-in's objects: users, chats, messages and their contents, and their Bot API JSON.

Contents: plain data and its JSON forms. Not here: rules, time, HTTP.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.telegram.markup.text import RichText

Json = dict[str, Any]
ChatType = Literal["private", "group", "supergroup", "channel"]
BotStatus = Literal["member", "administrator", "restricted", "left", "kicked"]

# In a forum, messages without a topic are shown in "General", whose thread id is 1 and is never sent.
GENERAL_TOPIC = 1
TOPIC_COLORS = (0x6FB9F0, 0xFFD67E, 0xCB86DB, 0x8EEE98, 0xFF93B2, 0xFB6F5F)


@dataclass(frozen=True, slots=True)
class User:
    """A person or the bot itself."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    is_bot: bool = False
    language_code: str = "en"

    @property
    def name(self) -> str:
        """The name as shown in chats."""
        return f"{self.first_name} {self.last_name}" if self.last_name else self.first_name

    def to_json(self) -> Json:
        """Return the Bot API's User."""
        found: Json = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        if self.last_name:
            found["last_name"] = self.last_name
        if self.username:
            found["username"] = self.username
        if not self.is_bot:
            found["language_code"] = self.language_code
        return found


@dataclass(frozen=True, slots=True)
class File:
    """Bytes stored by Telegram; `path` is what getFile returns, `unique_id` is the same for equal bytes."""

    file_id: str
    unique_id: str
    path: str
    data: bytes
    mime_type: str
    name: str | None = None
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Media:
    """A photo (in several sizes, the largest last) or a document (one file)."""

    kind: Literal["photo", "document"]
    files: tuple[File, ...]
    spoiler: bool = False

    @property
    def best(self) -> File:
        """The file in full size."""
        return self.files[-1]

    def to_json(self) -> Json:
        """Return the fields of Message for this media."""
        if self.kind == "photo":
            sizes = [
                {
                    "file_id": file.file_id,
                    "file_unique_id": file.unique_id,
                    "width": file.width,
                    "height": file.height,
                    "file_size": len(file.data),
                }
                for file in self.files
            ]
            return {"photo": sizes, "has_media_spoiler": True} if self.spoiler else {"photo": sizes}
        file = self.best
        document: Json = {"file_id": file.file_id, "file_unique_id": file.unique_id, "file_size": len(file.data)}
        if file.name:
            document["file_name"] = file.name
        document["mime_type"] = file.mime_type
        return {"document": document}


@dataclass(frozen=True, slots=True)
class Content:
    """Everything in a message that an edit can change; two equal contents are "not modified"."""

    text: RichText = field(default_factory=RichText)
    media: Media | None = None
    markup: tuple[tuple[tuple[tuple[str, Any], ...], ...], ...] | None = None
    link_preview: tuple[tuple[str, Any], ...] | None = None
    caption_above: bool = False

    def keyboard(self) -> list[list[Json]]:
        """Return the inline keyboard's rows of buttons."""
        return [[dict(button) for button in row] for row in self.markup or ()]


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """What a message looked like until it was edited or deleted; `at` is when it began to. Compared by identity."""

    at: float
    content: Content


@dataclass(slots=True)
class Message:
    """One message of a chat, with its earlier versions."""

    id: int
    chat: "Chat"
    sender: User
    date: float
    content: Content
    thread_id: int | None = None
    reply_to: "Message | None" = None
    silent: bool = False
    protected: bool = False
    edited_at: float | None = None
    deleted_at: float | None = None
    deleted_by: str | None = None
    service: Json | None = None
    reactions: list[Json] = field(default_factory=list)
    history: list[Version] = field(default_factory=list)

    def replace(self, content: Content, at: float) -> None:
        """Replace the content, and store the previous version."""
        self.history.append(Version(self.edited_at or self.date, self.content))
        self.content = content
        self.edited_at = at

    def to_json(self, *, with_reply: bool = True) -> Json:
        """Return the Bot API's Message; a reply is embedded one level deep."""
        found: Json = {"message_id": self.id}
        if self.thread_id is not None:
            found["message_thread_id"] = self.thread_id
        if self.chat.type == "channel":  # who posts is not told
            found["sender_chat"] = self.chat.to_json()
        else:
            found["from"] = self.sender.to_json()
        found["chat"] = self.chat.to_json()
        found["date"] = int(self.date)
        if self.edited_at is not None:
            found["edit_date"] = int(self.edited_at)
        if self.thread_id is not None and self.chat.is_forum:
            found["is_topic_message"] = True
        if self.protected:
            found["has_protected_content"] = True
        if with_reply and self.reply_to is not None:
            found["reply_to_message"] = self.reply_to.to_json(with_reply=False)
        if self.service is not None:
            return {**found, **self.service}
        found.update(self._content_json())
        return found

    def _content_json(self) -> Json:
        content = self.content
        found: Json = {}
        text, entities = "text", "entities"
        if content.media is not None:
            found.update(content.media.to_json())
            text, entities = "caption", "caption_entities"
        if content.text.text or content.media is None:
            found[text] = content.text.text
        if content.text.entities:
            found[entities] = [entity.to_json() for entity in content.text.entities]
        if content.caption_above and content.media is not None:
            found["show_caption_above_media"] = True
        if content.link_preview is not None:
            found["link_preview_options"] = dict(content.link_preview)
        if content.markup:
            found["reply_markup"] = {"inline_keyboard": content.keyboard()}
        return found


@dataclass(slots=True)
class Topic:
    """One topic of a forum."""

    thread_id: int
    name: str
    icon_color: int
    closed: bool = False

    def to_json(self) -> Json:
        """Return the Bot API's ForumTopic."""
        return {"message_thread_id": self.thread_id, "name": self.name, "icon_color": self.icon_color}


@dataclass(slots=True)
class Chat:
    """A private chat, a group, a supergroup or a channel, with all its messages."""

    id: int
    type: ChatType
    title: str
    username: str | None = None
    is_forum: bool = False
    blocked: bool = False
    bot_status: BotStatus = "member"
    missing_rights: set[str] = field(default_factory=set)
    general_closed: bool = False
    migrated_to: int | None = None
    deactivated: bool = False
    members: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    pinned: list[int] = field(default_factory=list)
    topics: dict[int, Topic] = field(default_factory=dict)
    person: User | None = None
    next_message_id: int = 2  # 1 is the service message that creates the supergroup

    def to_json(self) -> Json:
        """Return the Bot API's Chat."""
        found: Json = {"id": self.id, "type": self.type}
        if self.person is not None:
            person = self.person.to_json()
            found.update({key: person[key] for key in ("first_name", "last_name", "username") if key in person})
            return found
        found["title"] = self.title
        if self.username:
            found["username"] = self.username
        if self.is_forum:
            found["is_forum"] = True
        if self.type == "group":
            found["all_members_are_administrators"] = False
        return found

    def bot_may(self, right: str) -> bool:
        """Return whether the bot has an administrator's right here."""
        return self.bot_status == "administrator" and right not in self.missing_rights

    def visible(self) -> list[Message]:
        """Return what a person sees now, oldest first."""
        return [message for message in self.messages.values() if message.deleted_at is None]
