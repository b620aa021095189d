"""The validator of requests must be able to fail them."""

import pytest

from sandbox.telegram.journal import Request
from tests.sandbox.telegram.validation import problems

MARKUP = {"inline_keyboard": [[{"text": "x", "callback_data": "d"}]]}


def judged(method: str, **parameters: object) -> list[str]:
    return problems(Request(1, 0.0, method, parameters))


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("getMe", {}),
        ("sendMessage", {"chat_id": "42", "text": "x", "reply_markup": MARKUP, "disable_notification": "true"}),
        ("sendPhoto", {"chat_id": "42", "photo": {"upload": "qr.png", "size": 3, "content_type": "image/png"}}),
        (
            "editMessageMedia",
            {
                "chat_id": "42",
                "message_id": "7",
                "media": {"type": "photo", "media": "attach://a1", "caption": "x"},
                "a1": {"upload": "qr.png", "size": 3, "content_type": "image/png"},
            },
        ),
        ("sendMessage", {"chat_id": "42", "text": "<b>" + "x" * 4096 + "</b>", "parse_mode": "HTML"}),
    ],
)
def test_requests_that_are_fine(method: str, parameters: dict):
    assert judged(method, **parameters) == []


@pytest.mark.parametrize(
    ("method", "parameters", "complaint"),
    [
        ("sendMesage", {}, "no such method"),
        ("sendMessage", {"chat_id": "42"}, "text: Field required"),
        ("sendMessage", {"chat_id": "42", "text": "x", "silent": "true"}, "unknown field silent"),
        (
            "sendMessage",
            {"chat_id": "42", "text": "x", "reply_markup": {"inline_keyboard": [[{"text": "x", "callback": "d"}]]}},
            "unknown field",
        ),
        ("deleteMessage", {"chat_id": "42", "message_id": "seven"}, "message_id"),
        ("sendMessage", {"chat_id": "42", "text": "x" * 4097}, "text has 4097 characters"),
        ("sendPhoto", {"chat_id": "42", "photo": "id", "caption": "x" * 1025}, "caption has 1025 characters"),
        (
            "sendMessage",
            {
                "chat_id": "42",
                "text": "x",
                "reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": "d" * 65}]]},
            },
            "has 65 bytes",
        ),
        ("answerCallbackQuery", {"callback_query_id": "1", "text": "x" * 201}, "text has 201 characters"),
        ("sendPhoto", {"chat_id": "42", "photo": "id", "stray": {"upload": "a", "size": 1}}, "unknown field stray"),
    ],
)
def test_requests_that_are_not(method: str, parameters: dict, complaint: str):
    found = judged(method, **parameters)
    assert found
    assert complaint in " ".join(found)
