"""Parses updates from Telegram's JSON to plain data. The only module that reads the library's classes.

Parsing raises whatever the library raises on an update that it does not understand: the caller skips it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto, unique
from typing import Any

import telegram
from telegram import Bot, Message

from handlers.chat.request import Request
from handlers.telegram.client import may_write
from handlers.telegram.connection import Update

_NEVER_READ = frozenset({"entities", "caption_entities", "reply_to_message", "reply_markup", "quote"})
_NEVER_READ_OF_PRESSED = _NEVER_READ | {"text", "caption", "photo", "link_preview_options"}
_INVISIBLE = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
"""Marks that keyboards and copied text leave around words."""
_ANONYMOUS_ADMIN = 1087968824
"""Telegram's GroupAnonymousBot: stands for an admin who posts as the group."""


@unique
class Kind(Enum):
    """What an update is about."""

    TEXT = auto()
    """A message with text, or a contact: in a private chat it is a /link, elsewhere its number is its text."""
    OTHER_CONTENT = auto()
    """A message with a picture, a sticker, a voice …"""
    EDITED = auto()
    """A message that was edited: what it says now is not obeyed."""
    PRESS = auto()
    CHANNEL_POST = auto()
    """A post in a channel: its author is unknown, so that nothing in it is obeyed."""
    MOVED = auto()
    """A group became a supergroup, under the id `moved_to`."""
    MEMBERSHIP = auto()
    """What the bot may do in the chat has changed: it was added, removed, promoted, blocked …"""
    NOTHING = auto()
    """Not for us: a service message, another bot."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An update.

    anonymous: its sender posts as the group or as a channel, so that their permissions are unknown. may_write: whether
    the bot may write in the chat, where that has changed. album: the id of what was sent together, "" for one alone.
    caption: the text below a picture and the like, in which nothing is obeyed.
    """

    kind: Kind
    update: int
    request: Request | None = None
    anonymous: bool = False
    album: str = ""
    caption: str = ""
    moved_to: int = 0
    may_write: bool = True

    @property
    def chat(self) -> int:
        """The chat it comes from, 0 if there is none."""
        return 0 if self.request is None else self.request.place.chat


def read_update(raw: Update, bot: Bot, now: datetime, earliest: datetime | None) -> Incoming:
    """Parse an update.

    now: Telegram's time. earliest: a lower bound for the update's, since the previous one was received then; None if
    unknown.
    Raises whatever the library raises.
    """
    number = int(raw["update_id"])
    update = telegram.Update.de_json(_lean(raw), bot)
    if (message := update.message) is not None:
        return _message(number, message, now, earliest)
    if (edited := update.edited_message) is not None:
        return replace(_message(number, edited, now, earliest), kind=Kind.EDITED)
    if (post := update.channel_post) is not None:
        request = Request(
            user=0, name="", chat=post.chat.id, private=False, words=post.text or "", update=number,
            asked=post.message_id,
        )  # fmt: skip
        return Incoming(Kind.CHANNEL_POST, number, request)
    if (query := update.callback_query) is not None:
        return _press(number, query, now, earliest)
    if (member := update.my_chat_member) is not None:
        user, chat, is_private = member.from_user, member.chat.id, member.chat.type == "private"
        request = Request(user=user.id, name=_name(user), chat=chat, private=is_private, update=number)
        may = may_write(member.new_chat_member, None) is not False
        return Incoming(Kind.MEMBERSHIP, number, request, may_write=may)
    return Incoming(Kind.NOTHING, number)


def _lean(raw: Update) -> dict[str, Any]:
    """Drop the parts of an update that we never use, which take most of the time to parse: a thousand may arrive."""
    lean = dict(raw)
    for kind in ("message", "edited_message", "channel_post"):
        if isinstance(message := lean.get(kind), dict):
            lean[kind] = {key: value for key, value in message.items() if key not in _NEVER_READ}
    if isinstance(query := lean.get("callback_query"), dict) and isinstance(message := query.get("message"), dict):
        about = {key: value for key, value in message.items() if key not in _NEVER_READ_OF_PRESSED}
        lean["callback_query"] = query | {"message": about}
    return lean


def _message(number: int, message: Message, now: datetime, earliest: datetime | None) -> Incoming:
    user, chat = message.from_user, message.chat
    if message.is_automatic_forward:  # a post of the channel that the group belongs to
        return Incoming(Kind.NOTHING, number)
    anonymous = message.sender_chat is not None or (user is not None and user.id == _ANONYMOUS_ADMIN)
    if user is None or (user.is_bot and not anonymous):
        return Incoming(Kind.NOTHING, number)
    words = (message.text or "").strip(_INVISIBLE)
    if message.contact is not None:
        names = (message.contact.first_name, message.contact.last_name)
        words = " ".join(part for part in (_of_contact(message.contact.phone_number), *names) if part)
        if chat.type == "private":
            words = f"/link {' '.join(words.split())}"  # why else would somebody send it
    request = Request(
        user=user.id,
        name=_name(user),
        chat=chat.id,
        topic=message.message_thread_id if message.is_topic_message else None,
        private=chat.type == "private",
        words=words,
        update=number,
        sent_at=_sent_at(message.date, now, earliest),
        asked=message.message_id,
        forwarded=message.forward_origin is not None and message.contact is None,
    )
    if message.migrate_to_chat_id is not None:
        return Incoming(Kind.MOVED, number, request, moved_to=message.migrate_to_chat_id)
    if words:
        return Incoming(Kind.TEXT, number, request, anonymous)
    kind = Kind.OTHER_CONTENT if _is_content(message) else Kind.NOTHING
    caption = (message.caption or "").strip(_INVISIBLE)
    return Incoming(kind, number, request, anonymous, message.media_group_id or "", caption)


def _name(user: telegram.User) -> str:
    """Return a person's name; a deleted account has none."""
    return user.full_name or f"User {user.id}"


def _of_contact(number: str) -> str:
    """Return a contact's number as typed: Telegram omits the +, phone books may contain anything."""
    return number if number.startswith(("+", "0")) else f"+{number}"


def _press(number: int, query: telegram.CallbackQuery, now: datetime, earliest: datetime | None) -> Incoming:
    message, user = query.message, query.from_user
    written = message.date if isinstance(message, Message) else datetime.fromtimestamp(0, UTC)
    request = Request(
        user=user.id,
        name=_name(user),
        chat=0 if message is None else message.chat.id,
        topic=message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None,
        private=message is not None and message.chat.type == "private",
        message=message.message_id if isinstance(message, Message) else None,
        code=query.data or "",
        press=query.id,
        update=number,
        sent_at=_sent_at(written, now, earliest),
    )
    return Incoming(Kind.PRESS, number, request)


def _sent_at(date: datetime, now: datetime, earliest: datetime | None) -> datetime:
    """Return when something was sent, limited to what is possible by the time at which it came."""
    return min(now, date if earliest is None else max(date, earliest))


def _is_content(message: Message) -> bool:
    """Return whether it is a real message, as opposed to a service message about the chat.

    What the library does not know counts as real: new kinds of content are more frequent than new service messages.
    """
    known = message.effective_attachment or message.checklist or message.giveaway
    return bool(known) or bool(message.api_kwargs)
