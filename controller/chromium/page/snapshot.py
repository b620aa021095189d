"""What the page shows at one moment, checked: no value of a page goes further without having passed here.

The page is somebody else's program. What is not as it should be counts as not read, and no word of it is handed on but
those that we know. What a series of snapshots means is in `reader`.
"""

import re
from dataclasses import dataclass
from typing import Any

from controller.accounts.e164 import mask

_PARTS = 5
_CODE = re.compile(r"[!-~]{1,1000}")
"""What a code is made of: anything else could not be drawn, or is none."""
_BUILD = re.compile(r"[0-9A-Za-z.-]{1,30}")
_LOG_OUT_CODE = re.compile(r"[0-9]{1,4}|(?=[a-z_]{1,60}\Z)[a-z]+(_[a-z]+)*")
_NUMBER = re.compile(r"\d{7,}")
_TOKEN = re.compile(r"\S{30,}")
"""No word of any language: it may be a secret."""
_SPACED_NUMBER = re.compile(r"\+?\d[\d ()./-]{6,}\d")
_LONGEST_NUMBER = 15
_LONGEST_BLOCK = 10 * 366 * 86400.0
"""Seconds. A page that tells of a longer one does not know its end."""
_LONGEST_WORDS = 200
_PERCENT = 100

UNPAIRED = frozenset({"UNPAIRED", "UNPAIRED_IDLE"})
BLOCKS = frozenset({"CONFLICT", "PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK", "DEPRECATED_VERSION"})
STATES = UNPAIRED | BLOCKS | {"OPENING", "PAIRING", "CONNECTED", "TIMEOUT", "UNLAUNCHED"}
STREAMS = frozenset({"DISCONNECTED", "SYNCING", "RESUMING", "CONNECTED"})
MODES = BLOCKS | {"QR", "MAIN", "SYNCING", "OFFLINE"}
INFOS = frozenset({"OFFLINE", "OPENING", "PAIRING", "SYNCING", "RESUMING", "CONNECTING", "NORMAL"})
_DOWN_INFOS = frozenset({"OFFLINE", "OPENING", "PAIRING", "CONNECTING"})
_DOWN_MODES = BLOCKS | {"QR", "OFFLINE"}

PARTS = frozenset({
    "socket", "stream", "linking code", "keys", "events", "identity", "loading", "messages", "server query",
    "take over", "log out",
})  # fmt: skip
"""What of the page is read, by the names of `surfaces.js`."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What covers the page: a dialog, or its own lock. words: one line, for people, without whole numbers."""

    words: str
    known: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """The page's words about its connection: `Socket.state`, `Socket.stream`, `Stream.mode`, `Stream.displayInfo`.

    None: cannot be read. "": says something that we do not know.
    """

    state: str | None = None
    stream: str | None = None
    mode: str | None = None
    info: str | None = None
    shows_chats: bool = False
    shows_offline: bool = False
    """Whether the notice is there that the computer is not connected."""

    @classmethod
    def parse(cls, told: dict[str, Any]) -> "Connection":
        """Check what the page told."""
        return cls(
            state=_known(told.get("state"), STATES),
            stream=_known(told.get("stream"), STREAMS),
            mode=_known(told.get("mode"), MODES),
            info=_known(told.get("info"), INFOS),
            shows_chats=told.get("chats") is True,
            shows_offline=told.get("offline") is True,
        )

    @property
    def blocked(self) -> str | None:
        """The word for why WhatsApp refuses this session, whichever of the two says so; None where neither does."""
        return next((word for word in (self.state, self.mode) if word in BLOCKS), None)

    @property
    def fault(self) -> str | None:
        """What speaks against a connection, as one word of the page's; None where nothing does."""
        if self.state is not None and self.state != "CONNECTED":
            return self.state or "in no state that we know"
        if self.stream == "DISCONNECTED":
            return "DISCONNECTED (its stream)"
        if self.mode in _DOWN_MODES:
            return f"{self.mode} (its screen)"
        if self.info in _DOWN_INFOS:
            return f"{self.info} (its screen)"
        if self.shows_offline and self.state is None:
            return "not connected (its notice)"
        return None

    @property
    def is_up(self) -> bool | None:
        """Whether it is connected: no where anything speaks against it, None where nothing speaks for it."""
        if self.fault is not None:
            return False
        speaks = self.state == "CONNECTED" or self.stream == "CONNECTED" or self.info == "NORMAL"
        return True if speaks else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of the page that matters at one moment. None: could not be read. number: E.164, "" for an unknown one."""

    connection: Connection
    synced: bool | None
    code: str | None
    number: str | None
    percent: int | None
    block_ends_in: float | None
    shows_code: bool
    shows_chats: bool
    shows_startup: bool
    cover: Cover | None

    @classmethod
    def parse(cls, told: dict[str, Any]) -> "Snapshot":
        """Check what the page told; what is not as it should be counts as not read."""
        marks = told.get("marks")
        marks = marks if isinstance(marks, dict) else {}
        return cls(
            connection=Connection.parse(told),
            synced=told["synced"] if isinstance(told.get("synced"), bool) else None,
            code=_code(told.get("code")),
            number=_number(told.get("me")),
            percent=_percent(told.get("percent")),
            block_ends_in=_seconds(told.get("blockEndsIn")),
            shows_code=marks.get("code") is True or marks.get("expired") is True,
            shows_chats=marks.get("chats") is True,
            shows_startup=marks.get("startup") is True,
            cover=_cover(told.get("dialog")),
        )

    @property
    def state(self) -> str | None:
        """The socket's own word."""
        return self.connection.state

    @property
    def is_known_page(self) -> bool:
        """Whether anything of WhatsApp Web is there."""
        connection = self.connection
        is_read = connection.state is not None or connection.mode is not None
        return is_read or self.shows_code or self.shows_chats or self.shows_startup

    @property
    def asks_for_scan(self) -> bool:
        """Whether it is the linking screen, by the socket's word or, where that cannot be read, by what it shows."""
        if self.state is not None:
            return self.state in UNPAIRED
        return self.connection.mode == "QR" or (self.connection.mode is None and self.shows_code)

    @property
    def signs(self) -> tuple[int, int]:
        """How many independent signs say that the chats are there, of how many that can be read."""
        mode, info = self.connection.mode, self.connection.info
        stream = None if mode is None or info is None else mode == "MAIN" and info == "NORMAL"
        found = [self.synced, stream, self.shows_chats]
        return sum(sign is True for sign in found), sum(sign is not None for sign in found)

    @property
    def can_be_ready(self) -> bool:
        """Whether nothing speaks against being connected, and something for the chats being there."""
        agree, readable = self.signs
        return self.connection.fault is None and 0 < agree >= readable - agree and not self.asks_for_scan

    @property
    def is_ready(self) -> bool:
        """Whether it is connected, with two independent signs that the chats are there."""
        return self.connection.is_up is True and self.signs[0] > 1

    @property
    def partial(self) -> str:
        """What can be watched of it where not all can, as one line for people; "" where all can."""
        connection = self.connection
        if connection.state is not None:
            return ""
        if connection.mode is not None or connection.stream is not None:
            return "by its screen's own state only, not by its socket"
        return "by its chat list only"


def parts_of(told: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return which of the page's parts are present and which are missing; both empty for what is no answer."""
    if not isinstance(told, dict):
        return frozenset(), frozenset()
    known = {name: value for name, value in told.items() if name in PARTS and isinstance(value, bool)}
    present = frozenset(name for name, there in known.items() if there)
    return present, frozenset(known) - present


def build_of(told: Any) -> str:
    """Return the version that the page gives, "" where it gives none that looks like one."""
    return told if isinstance(told, str) and _BUILD.fullmatch(told) else ""


def log_out_code(told: Any) -> str:
    """Return WhatsApp's code for why a device was removed, "" for what cannot be one."""
    return told if isinstance(told, str) and _LOG_OUT_CODE.fullmatch(told) else ""


def words_of(told: Any) -> str:
    """Return words of the page for people: one line, cut, with nothing invisible in it and numbers hidden."""
    if not isinstance(told, str):
        return ""
    visible = "".join(sign if sign.isprintable() else " " for sign in told[: 4 * _LONGEST_WORDS])
    line = _TOKEN.sub("…", " ".join(visible.split()))
    line = _SPACED_NUMBER.sub(lambda found: _hidden(found[0]), line)
    return line if len(line) <= _LONGEST_WORDS else f"{line[: _LONGEST_WORDS - 1].rstrip()}…"


def _hidden(told: str) -> str:
    digits = "".join(filter(str.isdigit, told))
    return mask(digits) if _NUMBER.fullmatch(digits) else told


def _known(told: Any, words: frozenset[str]) -> str | None:
    # An unknown word is still a word of the socket: the page is known, its state is none of ours.
    return (told if told in words else "") if isinstance(told, str) else None


def _cover(told: Any) -> Cover | None:
    if not isinstance(told, dict):
        return None
    return Cover(words_of(told.get("words")), known=told.get("known") is True, locked=told.get("locked") is True)


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
