"""Interprets Telegram's errors by status code and complete text, in one table, and judges rejections of the token.

Texts are matched as a whole, since the general phrase hides the specific one: "not enough rights to create a topic" is
a missing right, not a missing topic. Anything else is an UnknownRefusalError. `docs/stand-ins-telegram.md` has the
sources of the texts.
"""

import re
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import httpx
import telegram

from controller.network import http_errors
from handlers.chat.errors import (
    CallFailedError,
    ChatError,
    ChatGoneError,
    ChatMovedError,
    DeletionRefusedError,
    MarkupRefusedError,
    MessageGoneError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    RightMissingError,
    TokenRefusedError,
    TooLongError,
    TooManyError,
    TopicClosedError,
    TopicGoneError,
    UnknownRefusalError,
    WritingForbiddenError,
)

TOKEN_REFUSALS, TOKEN_SPAN = 3, 120.0
"""A token counts as rejected after so many rejections over so many seconds, with no other response in between."""

_ANSWERED_BY_SOMEBODY_ELSE = "the answer is not Telegram's: a proxy, or a network that wants a login, stands in between"

_NOT_EDITABLE = (
    r"message to edit not found|message can't be edited|message_id_invalid|message_edit_time_expired"
    r"|message_author_required"
)
_NO_TOPIC = r"message thread not found|topic_deleted|topic_id_invalid|invalid message thread identifier specified"
_CHAT_GONE = (
    r"chat not found|user not found|peer_id_invalid|chat_id_invalid|group chat was deactivated"
    r"|group chat was upgraded to a supergroup chat|user_is_blocked|input_user_deactivated|channel_(private|invalid)"
    r"|(user|chat|bot)_(is_)?(deactivated|forbidden)|user_(not_participant|kicked|banned_in_channel)|chat_guest_send_forbidden"
)
_OUR_MISTAKE = (
    r"button_(data|url)_invalid|reply_markup_(invalid|too_long)|reply markup is too long|message text is empty"
    r"|text must be non-empty|there is no (text|caption|media) in the message to edit|the chat is not a forum"
    r"|message to be replied not found|photo_invalid_dimensions|image_process_failed|wrong type of chat"
    r"|bot_command(s_too_much|_invalid|_description_invalid)|topic_title_(empty|invalid)|can't parse .*"
)
_KEPT_OUT = (
    r"bot was blocked by the user|user is deactivated|bot can't initiate conversation with a user"
    r"|bots? can't send messages to (the user|bots)|bot was kicked from the (group|supergroup|channel) chat"
    r"|bot is not a (member|participant) of the (group|supergroup|channel)( chat)?"
    r"|the (group|supergroup) chat was deleted"
)
_NO_TEXT = r"not enough rights to (send (?:text )?messages?)(?: to the chat)?"
"""Pictures and the like may be forbidden where text is not."""
Make = Callable[[str, re.Match[str]], ChatError | None]


def _already(_: str, __: re.Match[str]) -> None:
    """Return None: the requested state exists already."""


def _as(kind: type[ChatError]) -> Make:
    return lambda text, _: kind(text)


def _right(kind: type[RightMissingError], right: str = "") -> Make:
    return lambda _, match: kind(right or match[1])


_BAD_REQUEST: tuple[tuple[str, Make], ...] = (
    (r"message is not modified(:.*)?|message_not_modified", _already),
    (r"message to delete not found", _already),
    (r"query is too old and response timeout expired or query id is invalid|query_id_invalid", _already),
    (_NOT_EDITABLE, _as(MessageGoneError)),
    (r"message can't be deleted( for everyone)?|message_delete_forbidden", _as(DeletionRefusedError)),
    (_NO_TOPIC, _as(TopicGoneError)),
    (r"topic_closed", _as(TopicClosedError)),
    (r"have no rights to (send a message)", _right(WritingForbiddenError)),
    (_NO_TEXT, _right(WritingForbiddenError)),
    (r"not enough rights to (send .+?)(?: to the chat)?", _right(RightMissingError)),
    (
        r"chat_send_plain_forbidden|chat_write_forbidden|chat_restricted",
        _right(WritingForbiddenError, "send a message"),
    ),
    (r"chat_send_\w+_forbidden", _right(RightMissingError, "send this kind of message")),
    (
        r"need administrator rights in the channel chat",
        _right(WritingForbiddenError, "write without being an administrator of the channel"),
    ),
    (r"not enough rights to (.+)", _right(RightMissingError)),
    (r"not enough rights|chat_admin_required", _right(RightMissingError, "do this without more rights")),
    (
        _CHAT_GONE,
        _as(ChatGoneError),
    ),
    (
        r"message is too long|message_too_long|message caption is too long|media_caption_too_long|text is too long",
        _as(TooLongError),
    ),
    (r"can't parse entities:.*", _as(MarkupRefusedError)),
    (
        _OUR_MISTAKE,
        _as(RefusedError),
    ),
)
_FORBIDDEN: tuple[tuple[str, Make], ...] = (
    (
        _KEPT_OUT,
        _as(ChatGoneError),
    ),
    (_NO_TEXT, _right(WritingForbiddenError)),
    (r"not enough rights to (.+?)(?: to the chat)?", _right(RightMissingError)),
    (r"chat_write_forbidden", _right(WritingForbiddenError, "send a message")),
)


def translate(error: telegram.error.TelegramError) -> ChatError | None:
    """Translate an error of python-telegram-bot; None if the requested state exists already."""
    if isinstance(error.__cause__, telegram.error.TelegramError | ValueError):  # the response is not JSON
        return CallFailedError(_ANSWERED_BY_SOMEBODY_ELSE)
    match error:
        case telegram.error.RetryAfter():
            wait = error.retry_after
            return TooManyError(wait.total_seconds() if isinstance(wait, timedelta) else float(wait))
        case telegram.error.ChatMigrated():
            return ChatMovedError(error.new_chat_id)
        case telegram.error.InvalidToken():
            unknown_method = error.message.casefold().endswith("method not found")
            return UnknownRefusalError(error.message) if unknown_method else TokenRefusedError()
        case telegram.error.Forbidden():
            return classify(HTTPStatus.FORBIDDEN, error.message)
        case telegram.error.BadRequest():
            return classify(HTTPStatus.BAD_REQUEST, error.message)
        case telegram.error.TimedOut():
            never_sent = isinstance(error.__cause__, httpx.PoolTimeout | httpx.ConnectTimeout)
            return NotSentError("no connection in time") if never_sent else OutcomeUnknownError("no answer in time")
        case telegram.error.NetworkError() | telegram.error.Conflict():
            return _broken(error.__cause__)
    return UnknownRefusalError(error.message)


def _broken(cause: BaseException | None) -> ChatError:
    """Return what a call's failure proves. cause: None if Telegram itself responded that it failed."""
    if cause is None:
        return CallFailedError("it is in trouble")
    if isinstance(cause, httpx.ConnectError | httpx.ProxyError):
        return NotSentError(http_errors.words(cause))
    return OutcomeUnknownError("the connection broke before the answer")


def classify(code: int, text: str) -> ChatError | None:
    """Interpret a rejection: code is 400 or 403, text its description in any case. None: the state exists already.

    Parameters that the library appends to the text are ignored.
    """
    said = text.partition(". The server response contained unknown parameters")[0].strip()
    said = re.sub(r"^(bad request|forbidden): ", "", said, flags=re.IGNORECASE)
    own, others = (_FORBIDDEN, _BAD_REQUEST) if code == HTTPStatus.FORBIDDEN else (_BAD_REQUEST, _FORBIDDEN)
    for pattern, make in (*own, *others):  # what Telegram's inner side says comes with either code
        if match := re.fullmatch(pattern, said, re.IGNORECASE | re.DOTALL):
            return make(_plain(said), match)
    return UnknownRefusalError(_plain(said))


def _plain(said: str) -> str:
    """Return what Telegram's inner side calls by a code, such as CHANNEL_PRIVATE, in words."""
    return said.replace("_", " ").lower() if re.fullmatch(r"[A-Za-z]+(_[A-Za-z0-9]+)+", said) else said


class TokenWatch:
    """Decides whether rejections of the token are credible: a single one may come from a proxy or a captive portal.

    `now` is in seconds of any steady clock.
    """

    def __init__(self) -> None:
        self._refusals: deque[float] = deque(maxlen=TOKEN_REFUSALS)
        self._first: float | None = None

    def refuse(self, now: float) -> bool:
        """Count a rejection; return whether the token counts as rejected."""
        self._first = now if self._first is None else self._first
        self._refusals.append(now)
        return len(self._refusals) == TOKEN_REFUSALS and now - self._first >= TOKEN_SPAN

    def accept(self) -> None:
        """Reset: Telegram has responded otherwise to this token."""
        self._refusals.clear()
        self._first = None
