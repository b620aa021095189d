"""Simulated failures: rules that make the next calls, or those within some seconds, fail.

Contents: the rules, which call each applies to, presets for buttons. Not here: applying a rule (`server`).
"""

import itertools
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from sandbox.telegram.errors import ApiError, DroppedConnectionError, other_poller, too_many_requests, unauthorized

POLLING = "getupdates"
ACTIONS = frozenset({"hang", "drop", "lost", "slow", "portal"})
_DEFAULT_DELAY = 3.0


@dataclass(slots=True)
class Fault:
    """One rule.

    `kind` is an HTTP status as text ("429", "500", "401", "409" …), or "hang" (no answer until the fault ends or
    the client disconnects), "drop" (the connection closes before the call is performed), "lost" (it closes after the
    call was performed: delivered, but the answer is lost), "slow" (answered `delay` seconds late) or "portal" (a
    middlebox answers instead: status 200 and an HTML page). `raw` is the body of a status, or of a portal's 200.
    `html` sends the body of a status as HTML too, as proxies
    and gateways do. `delivered` applies a hang or a status after the call was performed. The rule applies to the next
    `count` calls, or to all calls within `seconds` of its start, or until it is removed; if given, only to `method` and
    `chat_id`, and only to calls with `text` somewhere in their text.
    A rule with a count and without a method spares getUpdates, which would use it up unnoticed.
    """

    kind: str
    count: int | None = None
    seconds: float | None = None
    method: str | None = None
    chat_id: int | None = None
    text: str | None = None
    retry_after: int = 1
    description: str | None = None
    delay: float = _DEFAULT_DELAY
    delivered: bool = False
    html: bool = False
    number: int = 0
    until: float | None = None
    hits: int = 0
    lifted: bool = False
    raw: str | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status to answer with, None for the other kinds."""
        return int(self.kind) if self.kind.isdigit() else None

    def error(self) -> ApiError | DroppedConnectionError:
        """Return the error of a call that this rule applies to."""
        status = self.status
        if self.raw is not None:
            return ApiError(status or HTTPStatus.OK, "a body of its own", {"raw": self.raw})
        if self.kind == "portal":
            return ApiError(HTTPStatus.OK, "Log in to this network", {"html": True})
        if status is None:
            return DroppedConnectionError()
        if self.description is not None:
            return ApiError(status, self.description)
        if self.html:
            return ApiError(status, HTTPStatus(status).phrase, {"html": True})
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return too_many_requests(self.retry_after)
        if status == HTTPStatus.CONFLICT:
            return other_poller()
        if status == HTTPStatus.UNAUTHORIZED:
            return unauthorized()
        return ApiError(status, HTTPStatus(status).phrase)

    def matches(self, method: str, chat_id: int | None, now: float, said: str = "") -> bool:
        """Return whether the rule applies to this call. method: in lower case; now: seconds; said: the call's text."""
        if self.text is not None and self.text not in said:
            return False
        if self.until is not None and now >= self.until:
            return False
        if self.count is not None and self.count <= 0:
            return False
        if self.method is not None:
            if self.method.lower() != method:
                return False
        elif method == POLLING and self.count is not None and self.chat_id is None:
            return False
        return self.chat_id is None or self.chat_id == chat_id

    def to_json(self) -> dict[str, Any]:
        """Return the rule in the control interface's form."""
        return {
            "number": self.number, "kind": self.kind, "count": self.count, "until": self.until, "method": self.method,
            "chat_id": self.chat_id, "text": self.text, "retry_after": self.retry_after, "delay": self.delay,
            "delivered": self.delivered, "hits": self.hits,
        }  # fmt: skip


class Faults:
    """The active rules, oldest first; the first that matches a call wins."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.rules: list[Fault] = []
        self._hung: list[Fault] = []  # used up, but calls may still be hanging because of them

    def add(self, fault: Fault, now: float) -> Fault:
        """Activate `fault`; raises ValueError for an unknown kind."""
        status = fault.status
        if status is None and fault.kind not in ACTIONS:
            raise ValueError(f"unknown kind of fault {fault.kind!r}: an HTTP status, {', '.join(sorted(ACTIONS))}")
        if status is not None and status < HTTPStatus.BAD_REQUEST:
            raise ValueError(f"status {status} is no failure")
        fault.number = next(self._numbers)
        if fault.seconds is not None:
            fault.until = now + fault.seconds
        self.rules.append(fault)
        return fault

    def take(self, method: str, chat_id: int | None, now: float, said: str = "") -> Fault | None:
        """Return the rule that applies to this call, counting it, or None."""
        self.rules = [rule for rule in self.rules if rule.until is None or rule.until > now]
        for rule in self.rules:
            if rule.matches(method, chat_id, now, said):
                rule.hits += 1
                if rule.count is not None:
                    rule.count -= 1
                    if rule.count == 0:
                        self.rules.remove(rule)
                        self._hung.append(rule)
                return rule
        return None

    def in_force(self, fault: Fault, now: float) -> bool:
        """Return whether a hang started by `fault` continues."""
        return not fault.lifted and (fault.until is None or now < fault.until)

    def clear(self, number: int | None = None) -> None:
        """Remove one rule, or all; calls hanging because of it continue."""
        for rule in (*self.rules, *self._hung):
            if number is None or rule.number == number:
                rule.lifted = True
        self.rules = [rule for rule in self.rules if not rule.lifted]
        self._hung = [rule for rule in self._hung if not rule.lifted]


@dataclass(frozen=True, slots=True)
class Preset:
    """A failure that the web page offers as a button; a new row of PRESETS appears there automatically.

    `rule` is the body of a POST to `/client/<path>`: for "faults", the fields of a `Fault`. `grave` marks failures that
    do not end by themselves.
    """

    subject: str
    label: str
    detail: str
    rule: dict[str, Any]
    grave: bool = False
    path: str = "faults"

    def to_json(self) -> dict[str, Any]:
        """Return the preset in the control interface's form."""
        return asdict(self)


PRESETS: tuple[Preset, ...] = (
    Preset("Limits", "Too many requests", "429 for 15 s", {"kind": "429", "seconds": 15, "retry_after": 5}),
    Preset("Outages", "Telegram broken", "502 for 20 s", {"kind": "502", "seconds": 20}),
    Preset("Outages", "Telegram gone", "every connection dies for 30 s", {"kind": "drop", "seconds": 30}),
    Preset("Outages", "Telegram hangs", "no answer for 20 s", {"kind": "hang", "seconds": 20}),
    Preset("Outages", "Slow network", "each call 3 s late for 30 s", {"kind": "slow", "seconds": 30, "delay": 3}),
    Preset(
        "Lost answers",
        "Answer lost",
        "the next message arrives, its answer does not",
        {"kind": "lost", "count": 1, "method": "sendMessage"},
    ),
    Preset(
        "Lost answers",
        "Edit lost",
        "the next text edit is made, its answer does not arrive",
        {"kind": "lost", "count": 1, "method": "editMessageText"},
    ),
    Preset(
        "Lost answers",
        "Picture's answer lost",
        "the next picture arrives, its answer does not",
        {"kind": "lost", "count": 1, "method": "sendPhoto"},
    ),
    Preset(
        "Outages", "A login page", "a network answers in Telegram's place for 30 s", {"kind": "portal", "seconds": 30}
    ),
    Preset(
        "Refusals",
        "Unknown refusal",
        "the next message is refused in words that nobody knows",
        {"kind": "400", "count": 1, "method": "sendMessage", "description": "Bad Request: MESSAGE_TOO_PURPLE"},
    ),
    Preset(
        "Refusals",
        "Nothing can be deleted",
        "as after 48 hours, for a minute",
        {
            "kind": "400",
            "seconds": 60,
            "method": "deleteMessage",
            "description": "Bad Request: message can't be deleted for everyone",
        },
    ),
    Preset("The bot's token", "One 401", "a proxy's, once", {"kind": "401", "count": 1, "method": "getUpdates"}),
    Preset("The bot's token", "Another poller", "409 once", {"kind": "409", "count": 1, "method": "getUpdates"}),
    Preset("The bot's token", "Token revoked", "401 until you end it", {"kind": "401"}, grave=True),
    Preset(
        "Deafness",
        "Another program polls",
        "with the bot's token, until you end it",
        {"on": True},
        grave=True,
        path="rival",
    ),
    Preset("Deafness", "It polls no more", "the other program ends", {"on": False}, path="rival"),
    Preset("Deafness", "An update nobody can read", "once, as a new kind of message would be", {}, path="update"),
    Preset(
        "Deafness",
        "A webhook is set",
        "by another program, to nowhere",
        {"url": "http://127.0.0.1:9/hook"},
        grave=True,
        path="webhook",
    ),
    Preset("Deafness", "The webhook is gone", "the other program took it back", {"url": ""}, path="webhook"),
)
