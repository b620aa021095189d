"""The only place that sends to Telegram: implements `handlers.chat.messenger` with python-telegram-bot.

No type of that library leaves it. `refusals` interprets its errors; `handlers.chat.send_queue` decides when a message
may be sent and how errors are handled. An edit or a deletion may be repeated safely; a message that may
have been sent may not.
"""

import asyncio
import functools
import io
import os
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import telegram
from telegram import Bot, ForceReply, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto, LinkPreviewOptions
from telegram.constants import ParseMode

from handlers.chat.errors import (
    ChatError,
    NotSentError,
    OutcomeUnknownError,
    TokenRefusedError,
    UnfinishedError,
)
from handlers.chat.messages import Keyboard, Place, Text
from handlers.chat.messenger import ChatInfo
from handlers.telegram.refusals import TokenWatch, translate

os.environ.setdefault("PTB_TIMEDELTA", "true")  # makes the library return durations as timedelta

T = TypeVar("T")

LOOK_BACK = 10
"""How many ids are examined for a message whose response was lost."""
REMEMBERED, REMEMBERED_CHATS = 100, 1000
"""How many message ids per chat, and how many chats, are remembered."""
ANSWER_LIMIT = 200
"""Characters that are shown above a chat."""
CALL_DEADLINE = 40.0
"""Seconds that one call may take in all, including its own time-outs."""


class TelegramClient:
    """Telegram as a messenger. Every method raises ChatError or returns within `CALL_DEADLINE`."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._sent: OrderedDict[int, deque[int]] = OrderedDict()
        self._performed: Counter[str] = Counter()
        """How many calls of each kind Telegram has performed, "" for those that need not be told apart."""
        self.performed: Callable[[], None] = lambda: None
        """Called whenever Telegram has performed a call, a poll too. Returns at once."""
        self.token_watch = TokenWatch()
        """Rejections of the token, whoever notices them: shared with polling."""

    async def send(self, place: Place, text: Text, *, silent: bool = False, reply_to: int | None = None) -> int:
        """Send a message and return its id."""
        sent = await self.perform(
            self._bot.send_message(
                place.chat,
                text.html,
                parse_mode=ParseMode.HTML,
                reply_markup=ForceReply(selective=True) if text.asks else _markup(text.keyboard),
                message_thread_id=place.topic,
                disable_notification=silent,
                link_preview_options=_NO_PREVIEW,
                reply_to_message_id=reply_to,
                allow_sending_without_reply=None if reply_to is None else True,
            ),
            kind="message",
            shape=telegram.Message,
        )
        return self._remember(place.chat, sent.message_id)

    async def edit(self, chat: int, message: int, text: Text) -> None:
        """Replace a message's text and buttons. No error if it is unchanged."""
        await self._again(
            self._bot.edit_message_text(
                text.html,
                chat,
                message,
                parse_mode=ParseMode.HTML,
                reply_markup=_markup(text.keyboard),
                link_preview_options=_NO_PREVIEW,
            ),
            kind="edit",
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
        """Send a PNG with a caption and return the message's id. protect: it cannot be forwarded or saved."""
        sent = await self.perform(
            self._bot.send_photo(
                place.chat,
                picture,
                caption=caption.html,
                parse_mode=ParseMode.HTML,
                reply_markup=_markup(caption.keyboard),
                message_thread_id=place.topic,
                disable_notification=silent,
                protect_content=protect or None,
                reply_to_message_id=reply_to,
                allow_sending_without_reply=None if reply_to is None else True,
                filename=_FILE_NAME,
            ),
            kind="picture",
            shape=telegram.Message,
        )
        return self._remember(place.chat, sent.message_id)

    async def edit_picture(self, chat: int, message: int, picture: bytes, caption: Text) -> None:
        """Replace a message's PNG and caption."""
        media = InputMediaPhoto(picture, caption=caption.html, parse_mode=ParseMode.HTML, filename=_FILE_NAME)
        await self._again(
            self._bot.edit_message_media(
                media, chat_id=chat, message_id=message, reply_markup=_markup(caption.keyboard)
            ),
            kind="picture's edit",
        )

    async def blank(self, chat: int, message: int, caption: Text) -> None:
        """Replace a message's picture by an empty one, and its caption and buttons, where it cannot be deleted."""
        await self.edit_picture(chat, message, _empty_picture(), caption)

    def unaccounted(self, chat: int, before: int) -> Sequence[int]:
        """Return the ids below `before` that a message may have whose answer was lost, the newest first.

        Telegram counts a bot's messages of private chats and groups together, so most of them are other chats'.
        """
        sent = self._sent.get(chat)
        if not sent:
            return ()
        first = max(sent[0], before - LOOK_BACK - 1)
        return [each for each in range(before - 1, first, -1) if each not in sent]

    def _remember(self, chat: int, message: int) -> int:
        self._sent.setdefault(chat, deque(maxlen=REMEMBERED)).append(message)
        self._sent.move_to_end(chat)
        if len(self._sent) > REMEMBERED_CHATS:
            self._sent.popitem(last=False)
        return message

    async def delete(self, chat: int, message: int) -> None:
        """Delete a message. That it is gone already is no error; DeletionRefusedError: an edit may still work."""
        await self._again(self._bot.delete_message(chat, message), kind="deletion")

    async def answer_press(self, press: str, text: str = "") -> bool:
        """Answer a press, so that its button stops spinning; cut at 200 characters. Returns False if it is too old."""
        return bool(await self._again(self._bot.answer_callback_query(press, text[:ANSWER_LIMIT] or None)))

    async def find_chat(self, chat: int | str) -> ChatInfo:
        """Look a chat up by its id or its public `@name`: what it is, and what the bot may do there."""
        found: telegram.ChatFullInfo = await self._again(self._bot.get_chat(chat))
        if found.type == telegram.Chat.PRIVATE:
            return ChatInfo(found.id, found.full_name or "", private=True, forum=False)
        bot_id = int(self._bot.token.partition(":")[0])
        own: telegram.ChatMember = await self._again(self._bot.get_chat_member(found.id, bot_id))
        writes, is_forum = may_write(own, found.permissions), bool(found.is_forum)
        return ChatInfo(found.id, found.title or "", private=False, forum=is_forum, may_write=writes)

    async def is_forum(self, chat: int) -> bool:
        """Return whether the chat is a group with topics."""
        return bool((await self._again(self._bot.get_chat(chat))).is_forum)

    async def open_topic(self, chat: int, name: str) -> int:
        """Open a topic in a forum and return its id."""
        return (await self.perform(self._bot.create_forum_topic(chat, name))).message_thread_id

    async def set_commands(self, commands: Sequence[tuple[str, str]], scope: telegram.BotCommandScope) -> None:
        """Set the menu of commands (name, description) that people of this scope see."""
        await self._again(self._bot.set_my_commands(list(commands), scope=scope))

    async def _again(self, call: Awaitable[Any], *, kind: str = "") -> Any:
        """Perform a call that may be repeated without harm: where the outcome is unknown, it counts as not done."""
        try:
            return await self.perform(call, kind=kind)
        except OutcomeUnknownError as error:
            raise NotSentError(str(error)) from None

    async def perform(
        self,
        call: Awaitable[T],
        *,
        kind: str = "",
        unchanged: tuple[type[Exception], ...] = (),
        shape: type[Any] = object,
    ) -> T:
        """Perform a call of the library and return its result. unchanged: errors of the library that come as they are.

        kind: of which calls those are that show by succeeding that Telegram is not out of order for this one.
        shape: what the result must be: the library passes on a bare `true` in place of a message.
        Raises ChatError, or ends within a deadline.
        """
        try:
            async with asyncio.timeout(CALL_DEADLINE):
                result = _checked(await call, shape)
        except TimeoutError:
            raise self._counted(OutcomeUnknownError(f"no answer in {CALL_DEADLINE:g} s"), kind) from None
        except unchanged:
            raise
        except telegram.error.TelegramError as error:
            translated = translate(error)
            if isinstance(translated, TokenRefusedError):
                if not self.token_watch.refuse(asyncio.get_running_loop().time()):
                    raise NotSentError("the bot's token was refused, which is not believed at once") from None
            elif not isinstance(translated, NotSentError | OutcomeUnknownError):
                self.token_watch.accept()
            if translated is None:
                self._performed[kind] += 1
                return None  # type: ignore[return-value]  # only calls that return nothing are "already so"
            raise self._counted(translated, kind) from None
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:  # not Telegram's JSON
            what = f"an answer that cannot be read ({type(error).__name__})"
            raise self._counted(OutcomeUnknownError(what), kind) from None
        self.token_watch.accept()
        self._performed[kind] += 1
        self.performed()
        return result

    def _counted(self, error: ChatError, kind: str) -> ChatError:
        """Return the error with what Telegram has performed until then, where that tells an outage from one message."""
        if isinstance(error, UnfinishedError):
            error.performed, error.performed_alike = self._performed.total(), self._performed[kind]
        return error


def _checked(result: T, shape: type[Any]) -> T:
    if not isinstance(result, shape):
        raise TypeError(type(result).__name__)
    return result


_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_FILE_NAME = "qr.png"


@functools.cache
def _empty_picture() -> bytes:
    """Return a PNG without anything on it."""
    from PIL import Image  # not needed before the first picture

    encoded = io.BytesIO()
    Image.new("L", (320, 320), 224).save(encoded, "PNG")
    return encoded.getvalue()


def may_write(own: telegram.ChatMember, everybody: telegram.ChatPermissions | None) -> bool | None:
    """Return whether the bot may write in a group; None if Telegram does not say."""
    match own:
        case telegram.ChatMemberAdministrator():
            return own.can_post_messages is not False
        case telegram.ChatMemberRestricted():
            return own.can_send_messages
        case telegram.ChatMemberLeft() | telegram.ChatMemberBanned():
            return False
    return None if everybody is None else everybody.can_send_messages


def _markup(keyboard: Keyboard) -> InlineKeyboardMarkup | None:
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(button.label, callback_data=button.code) for button in row] for row in keyboard]
    )
