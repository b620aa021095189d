"""What Telegram's refusals mean: by code and whole text, over HTTP against the stand-in where the library is in it."""

import json
from collections.abc import AsyncIterator

import pytest

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
from handlers.chat.messages import Place, Text
from handlers.telegram.client import TelegramClient
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.refusals import TOKEN_SPAN, TokenWatch, classify
from sandbox.telegram import TelegramStandIn
from tests.handlers.fakes import ADMIN

HELLO = Text("hello")


@pytest.fixture
async def client(telegram: TelegramStandIn) -> AsyncIterator[TelegramClient]:
    await telegram.client.send(ADMIN, "/start")
    connection = TelegramConnection(telegram.token, telegram.url)
    await connection.bot.initialize()
    yield connection.client
    await connection.close()


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (400, "Bad Request: message is not modified", None),
        (400, "Bad Request: message is not modified: specified new message content …", None),
        (400, "Bad Request: message to delete not found", None),
        (400, "Bad Request: query is too old and response timeout expired or query ID is invalid", None),
        (400, "Bad Request: message to edit not found", MessageGoneError),
        (400, "Bad Request: MESSAGE_ID_INVALID", MessageGoneError),
        (400, "Bad Request: message can't be edited", MessageGoneError),
        (400, "Bad Request: message can't be deleted", DeletionRefusedError),
        (400, "Bad Request: message can't be deleted for everyone", DeletionRefusedError),
        (400, "Bad Request: message thread not found", TopicGoneError),
        (400, "Bad Request: TOPIC_CLOSED", TopicClosedError),
        (400, "Bad Request: not enough rights to create a topic", RightMissingError),
        (400, "Bad Request: not enough rights to manage topics", RightMissingError),
        (400, "Bad Request: not enough rights", RightMissingError),
        (400, "Bad Request: not enough rights to send text messages to the chat", WritingForbiddenError),
        (403, "Forbidden: not enough rights to send photos to the chat", RightMissingError),
        (400, "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN", RightMissingError),
        (400, "Bad Request: have no rights to send a message", WritingForbiddenError),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", WritingForbiddenError),
        (400, "Bad Request: need administrator rights in the channel chat", WritingForbiddenError),
        (400, "Bad Request: chat not found", ChatGoneError),
        (400, "Bad Request: PEER_ID_INVALID", ChatGoneError),
        (400, "Bad Request: group chat was upgraded to a supergroup chat", ChatGoneError),
        (403, "Forbidden: bot was blocked by the user", ChatGoneError),
        (403, "Forbidden: bot was kicked from the supergroup chat", ChatGoneError),
        (403, "Forbidden: bot is not a member of the channel chat", ChatGoneError),
        (403, "Forbidden: user is deactivated", ChatGoneError),
        (400, "Bad Request: USER_IS_DEACTIVATED", ChatGoneError),
        (403, "Forbidden: bots can't send messages to bots", ChatGoneError),
        (403, "Forbidden: bot is not a participant of the channel", ChatGoneError),
        (400, "Bad Request: MESSAGE_NOT_MODIFIED", None),
        (400, "Bad Request: QUERY_ID_INVALID", None),
        (400, "Bad Request: MESSAGE_EDIT_TIME_EXPIRED", MessageGoneError),
        (400, "Bad Request: MESSAGE_AUTHOR_REQUIRED", MessageGoneError),
        (400, "Bad Request: TOPIC_DELETED", TopicGoneError),
        (400, "Bad Request: invalid message thread identifier specified", TopicGoneError),
        (403, "Forbidden: CHAT_SEND_PLAIN_FORBIDDEN", WritingForbiddenError),
        (400, "Bad Request: CHAT_GUEST_SEND_FORBIDDEN", ChatGoneError),
        (403, "Forbidden: USER_IS_BLOCKED", ChatGoneError),
        (400, "Bad Request: USER_BANNED_IN_CHANNEL", ChatGoneError),
        (400, "Bad Request: CHANNEL_PRIVATE", ChatGoneError),
        (400, "Bad Request: message is too long", TooLongError),
        (400, "Bad Request: MEDIA_CAPTION_TOO_LONG", TooLongError),
        (400, 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0', MarkupRefusedError),
        (400, "Bad Request: BUTTON_DATA_INVALID", RefusedError),
        (400, "Bad Request: the chat is not a forum", RefusedError),
        # The general word hides nothing: what is no whole text of ours is unknown.
        (400, "Bad Request: the topic of this chat is weather", UnknownRefusalError),
        (400, "Bad Request: chat not found in the moon", UnknownRefusalError),
        (400, "Bad Request: MESSAGE_TOO_PURPLE", UnknownRefusalError),
        (403, "Forbidden: Mondays", UnknownRefusalError),
    ],
)
def test_refusals_are_told_apart_by_code_and_whole_text(code: int, text: str, kind: type[ChatError] | None):
    for said in (text, text.partition(": ")[2].capitalize()):  # the library capitalises what follows "Bad Request: "
        assert type(classify(code, said)) is (type(None) if kind is None else kind)


@pytest.mark.parametrize("said", ["CHANNEL_PRIVATE", "Channel_private"])
def test_what_telegram_calls_by_a_code_is_told_in_words(said: str):
    assert str(classify(400, said)) == "channel private"
    assert str(classify(400, "Bad Request: can't parse entities: <a_b>")) == "can't parse entities: <a_b>"


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("not enough rights to create a topic", "create a topic"),
        ("not enough rights to send photos to the chat", "send photos"),
        ("have no rights to send a message", "send a message"),
    ],
)
def test_a_missing_right_is_named(text: str, right: str):
    error = classify(400, text)
    assert isinstance(error, RightMissingError)
    assert error.right == right
    assert right in str(error)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "429", "retry_after": 9}, TooManyError),
        ({"kind": "500"}, CallFailedError),
        ({"kind": "413"}, CallFailedError),
        ({"kind": "502", "html": True}, CallFailedError),
        ({"kind": "portal"}, CallFailedError),
        ({"kind": "403", "html": True}, CallFailedError),
        ({"kind": "400", "html": True}, CallFailedError),
        ({"kind": "401", "html": True}, CallFailedError),
        ({"kind": "404", "html": True}, CallFailedError),
        ({"kind": "401"}, NotSentError),
        ({"kind": "404"}, NotSentError),
        ({"kind": "409"}, CallFailedError),
        ({"kind": "drop"}, OutcomeUnknownError),
        ({"kind": "lost"}, OutcomeUnknownError),
        ({"kind": "400", "description": "Bad Request: MESSAGE_TOO_PURPLE"}, UnknownRefusalError),
        ({"kind": "404", "description": "Not Found: method not found"}, UnknownRefusalError),
    ],
)
async def test_over_http_each_trouble_is_one_of_ours(telegram, client, fault: dict, kind: type[ChatError]):
    telegram.client.fail(fault.pop("kind"), count=1, **fault)
    with pytest.raises(ChatError) as raised:
        await client.send(Place(ADMIN), HELLO)
    assert type(raised.value) is kind
    assert telegram.token not in str(raised.value)
    assert await client.send(Place(ADMIN), HELLO)


@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [
        ({"retry_after": 7}, 7),
        ({"retry_after": 0.5}, 1),
        ({"retry_after": "30"}, 30),
        ({"retry_after": 0}, 1),
        ({"retry_after": -1}, 1),
        ({"retry_after": 10**12}, 86_400),
        ({"retry_after": None}, 5),
        ({"retry_after": "soon"}, 5),
        ({"retry_after": float("nan")}, 5),
        ({}, 5),
        (None, 5),
        ([], 5),
    ],
)
async def test_over_http_a_429_asks_for_silence_whatever_it_says_of_its_length(telegram, client, parameters, seconds):
    raw = json.dumps({"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": parameters})
    telegram.client.fail("429", count=1, raw=raw)
    with pytest.raises(TooManyError) as raised:
        await client.send(Place(ADMIN), HELLO)
    assert raised.value.seconds == seconds


async def test_over_http_a_429_of_a_proxy_asks_for_silence_too(telegram, client):
    telegram.client.fail("429", count=1, raw="<html>slow down</html>")
    with pytest.raises(TooManyError):
        await client.send(Place(ADMIN), HELLO)


async def test_over_http_a_failure_says_what_was_performed_meanwhile(telegram, client):
    message = await client.send(Place(ADMIN), HELLO)
    await client.edit(ADMIN, message, Text("again"))
    telegram.client.fail("500", count=1)
    with pytest.raises(CallFailedError) as raised:
        await client.send(Place(ADMIN), HELLO)
    assert (raised.value.performed, raised.value.performed_alike) == (2, 1)


async def test_over_http_a_group_that_moved_names_its_new_id(telegram, client):
    group = telegram.client.add_group("Ops", [ADMIN])["id"]
    new = telegram.client.migrate(group)["id"]
    with pytest.raises(ChatMovedError) as raised:
        await client.send(Place(group), HELLO)
    assert raised.value.chat == new


async def test_a_token_is_refused_after_several_refusals_over_minutes(telegram, client, monkeypatch):
    telegram.client.fail("401")
    for _ in range(5):
        with pytest.raises(NotSentError):
            await client.send(Place(ADMIN), HELLO)
    monkeypatch.setattr("handlers.telegram.refusals.TOKEN_SPAN", 0.0)
    with pytest.raises(TokenRefusedError):
        await client.send(Place(ADMIN), HELLO)


def test_an_answer_in_between_clears_the_token():
    watch = TokenWatch()
    assert not any(watch.refuse(at) for at in (0.0, 60.0, TOKEN_SPAN - 1))
    assert watch.refuse(TOKEN_SPAN)
    watch.accept()
    assert not any(watch.refuse(at) for at in (300.0, 301.0, 302.0, 303.0))
