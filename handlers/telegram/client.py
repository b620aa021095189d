"""The one place that gives messages to Telegram, and the one place where Telegram's errors are translated.

Nothing of python-telegram-bot leaves it. When a message may go, and what is done about an error, is decided in
`handlers.chat.send_queue`. An edit or a deletion may be repeated safely; a message that may have been sent may not.
"""

import asyncio
import os
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import httpx
import telegram
from telegram import Bot, ForceReply, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaPhoto, LinkPreviewOptions
from telegram.constants import ParseMode

from handlers.chat.errors import (
    ChatError,
    ChatGoneError,
    ChatMovedError,
    MessageGoneError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    TokenRefusedError,
    TooManyError,
    TopicGoneError,
)
from handlers.chat.messages import Keyboard, Place, Text

os.environ.setdefault("PTB_TIMEDELTA", "true")  # the library's way to get durations as what they will be

T = TypeVar("T")

CALL_DEADLINE = 40.0
"""Seconds that one call may take in all, its own time-outs included."""


class TelegramClient:
    """Telegram, as the rest of the program sees it. Every method raises ChatError or ends within `CALL_DEADLINE`."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def send(self, place: Place, text: Text, *, silent: bool = False, reply_to: int | None = None) -> int:
        """Send a message and return its id."""
        sent = await _call(
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
            )
        )
        return sent.message_id

    async def edit(self, chat: int, message: int, text: Text) -> None:
        """Let a message say something else. To say what it says already is no error."""
        await _again(
            self._bot.edit_message_text(
                text.html,
                chat,
                message,
                parse_mode=ParseMode.HTML,
                reply_markup=_markup(text.keyboard),
                link_preview_options=_NO_PREVIEW,
            )
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
        sent = await _call(
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
            )
        )
        return sent.message_id

    async def edit_picture(self, chat: int, message: int, picture: bytes, caption: Text) -> None:
        """Put another PNG and caption in the place of a message's."""
        media = InputMediaPhoto(picture, caption=caption.html, parse_mode=ParseMode.HTML, filename=_FILE_NAME)
        await _again(
            self._bot.edit_message_media(
                media, chat_id=chat, message_id=message, reply_markup=_markup(caption.keyboard)
            )
        )

    async def delete(self, chat: int, message: int) -> None:
        """Take a message away. That it is gone already is no error."""
        await _again(self._bot.delete_message(chat, message))

    async def answer_press(self, press: str, text: str = "", *, alert: bool = False) -> None:
        """Let a pressed button stop spinning, with at most 200 characters shown. A press too old is no error."""
        try:
            await _again(self._bot.answer_callback_query(press, text or None, show_alert=alert))
        except RefusedError as error:
            if "query" not in str(error):
                raise

    async def is_forum(self, chat: int) -> bool:
        """Tell whether the chat is a group with topics."""
        return bool((await _again(self._bot.get_chat(chat))).is_forum)

    async def open_topic(self, chat: int, name: str) -> int:
        """Open a topic in a forum and return its id."""
        return (await _call(self._bot.create_forum_topic(chat, name))).message_thread_id

    async def set_commands(self, commands: Sequence[tuple[str, str]], scope: telegram.BotCommandScope) -> None:
        """Set the menu of commands (name, what it does) that people of this scope see."""
        await _again(self._bot.set_my_commands(list(commands), scope=scope))


_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_FILE_NAME = "qr.png"


def _markup(keyboard: Keyboard) -> InlineKeyboardMarkup | None:
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(button.label, callback_data=button.code) for button in row] for row in keyboard]
    )


async def _again(call: Awaitable[Any]) -> Any:
    """Perform a call that may be repeated without harm: where the outcome is unknown, it counts as not done."""
    try:
        return await _call(call)
    except OutcomeUnknownError as error:
        raise NotSentError(str(error)) from None


async def _call(call: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(CALL_DEADLINE):
            return await call
    except TimeoutError:
        raise OutcomeUnknownError(f"no answer in {CALL_DEADLINE:g} s") from None
    except telegram.error.TelegramError as error:
        translated = translate(error)
        if translated is None:
            return None  # type: ignore[return-value]  # only edits and deletions are "already so", and return nothing
        raise translated from None


def translate(error: telegram.error.TelegramError) -> ChatError | None:
    """Return what an error of python-telegram-bot means here; None where what was asked is already so."""
    match error:
        case telegram.error.RetryAfter():
            wait = error.retry_after
            return TooManyError(wait.total_seconds() if isinstance(wait, timedelta) else float(wait))
        case telegram.error.ChatMigrated():
            return ChatMovedError(error.new_chat_id)
        case telegram.error.InvalidToken():
            return TokenRefusedError()
        case telegram.error.Forbidden():
            return ChatGoneError(error.message)
        case telegram.error.BadRequest():
            return _bad_request(error.message)
        case telegram.error.TimedOut():
            never_sent = isinstance(error.__cause__, httpx.PoolTimeout | httpx.ConnectTimeout)
            return NotSentError("it cannot be reached") if never_sent else OutcomeUnknownError("no answer in time")
        case telegram.error.NetworkError() | telegram.error.Conflict():
            if error.__cause__ is None or isinstance(error.__cause__, httpx.ConnectError):
                return NotSentError("it cannot be reached or is in trouble")
            return OutcomeUnknownError("the connection broke before the answer")
    return RefusedError(error.message)


def _bad_request(message: str) -> ChatError | None:
    words = message.lower()
    if "message is not modified" in words or "message to delete not found" in words:
        return None
    if "message thread not found" in words or "topic" in words:
        return TopicGoneError(message)
    if any(part in words for part in ("message to edit not found", "message can't be edited", "message_id_invalid")):
        return MessageGoneError(message)
    gone = ("chat not found", "user not found", "peer_id_invalid", "have no rights", "not enough rights", "chat_write")
    if any(part in words for part in gone):
        return ChatGoneError(message)
    return RefusedError(message)
