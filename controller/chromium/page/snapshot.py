"""What the page's sights mean: a synchronous reading of them, with no browser, clock or task in it.

The page is somebody else's program, so every value that comes from it is checked here.
What never lives here: where things are in the page (`surfaces.js`) and what follows in time (`session`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

from controller.accounts.reasons import Reason
from controller.accounts.reports import (
    Authenticated,
    Code,
    Ended,
    Heard,
    PasskeyAsked,
    Report,
    Scanned,
    SocketDown,
    Syncing,
)

_PARTS = 5
_CODE = re.compile(r"[!-~]{1,1000}")
"""What a code is made of: anything else could not be drawn, or is none."""
_LONGEST_NUMBER = 15
_LONGEST_BLOCK = 10 * 366 * 86400.0
"""Seconds. A page that tells of a longer one does not know its end."""
_PERCENT = 100
_FIRST_LIVES, _NEXT_LIVES = 60.0, 20.0
"""Seconds that WhatsApp lets its codes live: the first of a page, and those that follow."""

_UNPAIRED = {"UNPAIRED", "UNPAIRED_IDLE"}
_STATES = _UNPAIRED | {
    "OPENING", "PAIRING", "CONNECTED", "TIMEOUT", "CONFLICT", "UNLAUNCHED", "PROXYBLOCK", "TOS_BLOCK",
    "SMB_TOS_BLOCK", "DEPRECATED_VERSION",
}  # fmt: skip
_ENDS = {
    "CONFLICT": (Reason.CONFLICT, "WhatsApp Web was opened elsewhere"),
    "PROXYBLOCK": (Reason.BANNED, "WhatsApp blocks this address"),
    "TOS_BLOCK": (Reason.BANNED, "WhatsApp blocks the account (terms of service)"),
    "SMB_TOS_BLOCK": (Reason.BANNED, "WhatsApp blocks the business account (terms of service)"),
    "DEPRECATED_VERSION": (Reason.OUTDATED, "WhatsApp says that this version of the page is too old"),
}


@unique
class Finding(Enum):
    """What a sight asks of the session, beside reports."""

    RECOGNISED = "the page is one that we know"
    TAKE_OVER = "the session is to be taken back from elsewhere"
    LINKED = "linked, synced and connected"
    LOGGED_OUT = "the link was removed, and the page is about to say so"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of the page that matters at one moment. None: could not be read. number: E.164, "" for an unknown one."""

    state: str | None
    synced: bool | None
    code: str | None
    number: str | None
    percent: int | None
    block_ends_in: float | None
    shows_code: bool
    shows_chats: bool
    shows_startup: bool

    @classmethod
    def parse(cls, told: dict[str, Any]) -> "Snapshot":
        """Check what the page told; what is not as it should be counts as not read."""
        marks = told.get("marks")
        marks = marks if isinstance(marks, dict) else {}
        return cls(
            state=_state(told.get("state")),
            synced=told["synced"] if isinstance(told.get("synced"), bool) else None,
            code=_code(told.get("code")),
            number=_number(told.get("me")),
            percent=_percent(told.get("percent")),
            block_ends_in=_seconds(told.get("blockEndsIn")),
            shows_code=marks.get("code") is True or marks.get("expired") is True,
            shows_chats=marks.get("chats") is True,
            shows_startup=marks.get("startup") is True,
        )

    @property
    def is_known_page(self) -> bool:
        """Whether anything of WhatsApp Web is there."""
        return self.state is not None or self.shows_code or self.shows_chats or self.shows_startup

    @property
    def is_linked(self) -> bool:
        """Whether it is linked, synced and connected; by the chat list where the modules cannot be read."""
        if self.state is None:
            return self.shows_chats
        return self.state == "CONNECTED" and (self.shows_chats if self.synced is None else self.synced)


class SnapshotReader:
    """Reads the messages of one page, in order, and remembers what has been reported."""

    def __init__(self, *, takeover: bool) -> None:
        self._takeover = takeover
        self._recognised = False
        self._code: str | None = None
        self._codes = 0
        self._code_answered_next = False
        self._authenticated: str | None = None
        self._percent: int | None = None
        self._linked = False
        self._socket_up = True
        self._in_conflict = False
        self.asked_for_scan = False
        """Whether this page has not been linked from its start: then what it stores is new."""

    def read(self, told: Any) -> Iterator[Report | Finding]:
        """Give what one message of the watcher means."""
        if not isinstance(told, dict):
            return
        match told.get("kind"):
            case "sight":
                yield from self._see(Snapshot.parse(told))
            case "state":
                yield from self._pass(_state(told.get("state")))
            case "heard":
                yield Heard()
            case "passkey":
                yield PasskeyAsked()
            case "logged out":
                yield Finding.LOGGED_OUT

    def _see(self, sight: Snapshot) -> Iterator[Report | Finding]:
        if sight.is_known_page and not self._recognised:
            self._recognised = True
            yield Finding.RECOGNISED
        yield from self._pass(sight.state)
        yield from self._end(sight)
        if sight.state == "UNPAIRED_IDLE":
            self._codes = 0  # the codes are used up; a refresh brings new ones
        if sight.state in _UNPAIRED:
            self.asked_for_scan = True
            self._authenticated = None
        elif sight.number is not None and sight.number != self._authenticated:
            self._authenticated = sight.number
            yield Authenticated(sight.number or None)
        if sight.code is not None:
            self._code_answered_next = True
            if sight.code != self._code:
                self._code = sight.code
                self.asked_for_scan = True
                yield Code(sight.code, lives=_NEXT_LIVES if self._codes else _FIRST_LIVES)
                self._codes += 1
        if self._authenticated is not None and not self._linked and sight.percent not in {None, self._percent}:
            self._percent = sight.percent
            yield Syncing(sight.percent)
        if sight.is_linked and not self._linked:
            self._linked = True
            self._takeover = False  # it was for this opening: a later conflict is told, and followed by the policy
            if self._authenticated is None:
                self._authenticated = ""
                yield Authenticated()
            yield Finding.LINKED

    def _pass(self, state: str | None) -> Iterator[Report | Finding]:
        """Read the order of states: PAIRING right after a code is a scan, after OPENING it is a cold start."""
        if state == "PAIRING" and self._code_answered_next:
            self._code_answered_next = False
            self._code = None  # should the pairing fail, the same code is to be shown again
            yield Scanned()
        elif state == "OPENING":
            self._code_answered_next = False
        if self._linked and state is not None and state not in _ENDS:
            if self._socket_up and state != "CONNECTED":
                yield SocketDown()
            self._socket_up = state == "CONNECTED"

    def _end(self, sight: Snapshot) -> Iterator[Report | Finding]:
        is_conflict = sight.state == "CONFLICT"
        if is_conflict and self._takeover:
            if not self._in_conflict:
                yield Finding.TAKE_OVER
        elif sight.state in _ENDS:
            reason, detail = _ENDS[sight.state]
            yield Ended(reason, detail, block_ends_in=sight.block_ends_in if reason is Reason.BANNED else None)
        self._in_conflict = is_conflict

    @property
    def number(self) -> str | None:
        """Who is linked, E.164, as far as the page has told."""
        return self._authenticated or None


def worded(state: Any) -> str:
    """Word what the page says of its socket, without handing its own words on."""
    return state if isinstance(state, str) and state in _STATES else "in no state that we know"


def _state(told: Any) -> str | None:
    # An unknown word is still a word of the socket: the page is known, its state is none of ours.
    return (told if told in _STATES else "") if isinstance(told, str) else None


def _code(told: Any) -> str | None:
    if not isinstance(told, str) or _CODE.fullmatch(told) is None:
        return None
    parts = told.split(",")
    whole = len(parts) == _PARTS and all(part not in {"", "undefined", "null"} for part in parts)
    return told if whole else None


def _number(told: Any) -> str | None:
    if not isinstance(told, str):
        return None
    is_number = told.isascii() and told.isdigit() and len(told) <= _LONGEST_NUMBER
    return f"+{told}" if is_number else ""


def _percent(told: Any) -> int | None:
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return int(min(_PERCENT, max(0, told)))  # in this order: it may be NaN or infinite


def _seconds(told: Any) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told <= _LONGEST_BLOCK:
        return None
    return float(told)
