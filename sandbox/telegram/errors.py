"""The errors of the Bot API, each by name and with the official server's own text.

Contents: one exception and one function for each error. Not here: the rules that decide when
one applies. Sources of the texts: tdlib/telegram-bot-api `Client.cpp`, tdlib/td, and `docs/stand-ins-telegram.md`
for those that only Telegram's closed side sends.
"""

from typing import Any

RETRY_MINIMUM = 1


class ApiError(Exception):
    """An answer with `"ok": false`.

    `code` is both the HTTP status and `error_code`; `description` is Telegram's text; `parameters` is the
    optional ResponseParameters object (`retry_after` in whole seconds, `migrate_to_chat_id`).
    """

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.parameters = parameters


class DroppedConnectionError(Exception):
    """The connection is closed without an answer; raised by a fault."""


def bad_request(text: str, parameters: dict[str, Any] | None = None) -> ApiError:
    """Return a 400; the text follows `Bad Request: ` as the server writes it, with a lower-case first letter."""
    if len(text) > 1 and not (text[1] == "_" or text[1].isupper()):
        text = text[0].lower() + text[1:]
    return ApiError(400, f"Bad Request: {text}", parameters)


def forbidden(text: str) -> ApiError:
    """Return a 403."""
    return ApiError(403, f"Forbidden: {text}")


def unauthorized() -> ApiError:
    """Return the answer to an unknown token."""
    return ApiError(401, "Unauthorized")


def method_not_found() -> ApiError:
    """Return the answer to an unknown method."""
    return ApiError(404, "Not Found: method not found")


def conflict(text: str) -> ApiError:
    """Return a 409."""
    return ApiError(409, f"Conflict: {text}")


def other_poller() -> ApiError:
    """Return the error for the *older* of two getUpdates requests."""
    return conflict("terminated by other getUpdates request; make sure that only one bot instance is running")


def webhook_active() -> ApiError:
    """Return the error for getUpdates while a webhook is set."""
    return conflict(
        "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    )


def webhook_set() -> ApiError:
    """Return the error for a waiting getUpdates when a webhook is set."""
    return conflict("terminated by setWebhook request")


def too_many_requests(retry_after: int) -> ApiError:
    """Return a 429 that asks for `retry_after` whole seconds of silence."""
    seconds = max(RETRY_MINIMUM, retry_after)
    return ApiError(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


def blocked_by_user() -> ApiError:
    """Return the error for a bot that the person has blocked."""
    return forbidden("bot was blocked by the user")


def chat_not_found() -> ApiError:
    """Return the answer for a chat that the bot has never seen."""
    return bad_request("chat not found")


def migrated(to_chat_id: int) -> ApiError:
    """Return the answer for a group that was upgraded to the supergroup `to_chat_id`."""
    return bad_request("group chat was upgraded to a supergroup chat", {"migrate_to_chat_id": to_chat_id})


def message_not_found(purpose: str) -> ApiError:
    """Return e.g. `message to edit not found`; `purpose` is "to edit", "to delete", "to be replied" …."""
    return bad_request(f"message {purpose} not found")


def not_modified() -> ApiError:
    """Return the answer to an edit that changes nothing."""
    return bad_request(
        "message is not modified: specified new message content and reply markup are exactly the same "
        "as a current content and reply markup of the message"
    )


def stale_query() -> ApiError:
    """Return the answer to a callback answer that is late, repeated, or for an unknown query."""
    return bad_request("query is too old and response timeout expired or query ID is invalid")


def cannot_parse_entities(reason: str) -> ApiError:
    """Return the answer to text with invalid mark-up; `reason` retains its capital letter."""
    return ApiError(400, f"Bad Request: can't parse entities: {reason}")
