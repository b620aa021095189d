"""What the page shows at one moment, validated: no value from the page goes further without passing here.

The page is untrusted. Malformed values count as unreadable, and of its words only known ones are passed on. `reader`
interprets a series of snapshots.
"""

import re
from dataclasses import dataclass
from typing import Any

from controller.accounts.e164 import mask

_PARTS = 5
_CODE = re.compile(r"[!-~]{1,1000}")
"""The characters of a code: anything else cannot be drawn, or is not a code."""
_BUILD = re.compile(r"[0-9A-Za-z.-]{1,30}")
_LOG_OUT_CODE = re.compile(r"[0-9]{1,4}|(?=[a-z_]{1,60}\Z)[a-z]+(_[a-z]+)*")
_WORD_BEGINS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BETWEEN = re.compile(r"[-. ]")
_NUMBER = re.compile(r"\d{7,}")
_TOKEN = re.compile(r"[!-~]{30,}")
"""Not a word of any language: it may be a secret. Those written without spaces have other letters."""
_SPACED_NUMBER = re.compile(r"\+?\d[\d ()./·-]{6,}\d")
_LONGEST_NUMBER = 15
_LONGEST_BLOCK = 10 * 366 * 86400.0
"""Seconds. If the page shows a longer block, its end is not known."""
_LONGEST_WORDS = 200
_PERCENT = 100

WORDLESS = "something without words that can be read"
"""The words of what covers the page and has none: a picture, or a frame of another origin."""

UNPAIRED = frozenset({"UNPAIRED", "UNPAIRED_IDLE"})
BLOCKS = frozenset({"CONFLICT", "PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK", "DEPRECATED_VERSION"})
STATES = UNPAIRED | BLOCKS | {"OPENING", "PAIRING", "CONNECTED", "TIMEOUT", "UNLAUNCHED"}
STREAMS = frozenset({"DISCONNECTED", "SYNCING", "RESUMING", "CONNECTED"})
MODES = BLOCKS | {"QR", "MAIN", "SYNCING", "OFFLINE"}
INFOS = frozenset({"OFFLINE", "OPENING", "PAIRING", "SYNCING", "RESUMING", "CONNECTING", "NORMAL"})
_LOADING_INFOS = frozenset({"SYNCING", "RESUMING"})
_DOWN_INFOS = frozenset({"OFFLINE", "OPENING", "PAIRING", "CONNECTING"})
_DOWN_MODES = BLOCKS | {"QR", "OFFLINE"}

PARTS = frozenset({
    "socket", "stream", "linking code", "keys", "events", "identity", "loading", "messages", "server query",
    "take over", "log out",
})  # fmt: skip
"""The values read from the page, by their names in `surfaces.js`."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What covers the page: a dialog, or its own lock. words: one line, for people, with numbers masked."""

    words: str
    known: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """The page's view of its connection: `Socket.state`, `Socket.stream`, `Stream.mode`, `Stream.displayInfo`.

    None: cannot be read. "": an unknown value.
    """

    state: str | None = None
    stream: str | None = None
    mode: str | None = None
    info: str | None = None
    shows_chats: bool = False
    shows_offline: bool = False
    """Whether the page shows that the computer is offline."""

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "Connection":
        """Validate the page's answer."""
        return cls(
            state=_known(raw.get("state"), STATES),
            stream=_known(raw.get("stream"), STREAMS),
            mode=_known(raw.get("mode"), MODES),
            info=_known(raw.get("info"), INFOS),
            shows_chats=raw.get("chats") is True,
            shows_offline=raw.get("offline") is True,
        )

    @property
    def blocked(self) -> str | None:
        """Why WhatsApp refuses this session, from whichever value says so; None if neither does."""
        return next((word for word in (self.state, self.mode) if word in BLOCKS), None)

    @property
    def fault(self) -> str | None:
        """The value that contradicts a connection; None if none does."""
        if self.state and self.state != "CONNECTED":
            return self.state
        if self.stream == "DISCONNECTED":
            return "DISCONNECTED (its stream)"
        if self.mode in _DOWN_MODES:
            return f"{self.mode} (its screen)"
        if self.info in _DOWN_INFOS:
            return f"{self.info} (its screen)"
        if self.shows_offline:
            return "not connected (its notice)"
        if self.state == "" and not self._others_support:  # a word of another version: the others may know better
            return "in no state that we know"
        return None

    @property
    def is_up(self) -> bool | None:
        """Whether it is connected: False if anything contradicts it, None if nothing supports it."""
        if self.fault is not None:
            return False
        return True if self.state == "CONNECTED" or self._others_support else None

    @property
    def _others_support(self) -> bool:
        """Whether a value beside the socket's state says that it is connected."""
        return self.stream == "CONNECTED" or self.info == "NORMAL"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything relevant on the page at one moment. None: unreadable. number: E.164, "" for an unknown one."""

    connection: Connection
    synced: bool | None
    code: str | None
    number: str | None
    percent: float | None
    block_ends_in: float | None
    shows_code: bool
    shows_chats: bool
    shows_startup: bool
    cover: Cover | None
    silent: bool = False
    """Whether nothing has come over the page's socket for too long; not for sockets that cannot be watched."""

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "Snapshot":
        """Validate the page's message; malformed values count as unreadable."""
        marks = raw.get("marks")
        marks = marks if isinstance(marks, dict) else {}
        return cls(
            connection=Connection.parse(raw),
            synced=raw["synced"] if isinstance(raw.get("synced"), bool) else None,
            code=_code(raw.get("code")),
            number=_number(raw.get("me")),
            percent=_percent(raw.get("percent")),
            block_ends_in=_seconds(raw.get("blockEndsIn")),
            shows_code=marks.get("code") is True or marks.get("expired") is True,
            shows_chats=marks.get("chats") is True,
            shows_startup=marks.get("startup") is True,
            cover=_cover(raw.get("dialog")),
            silent=raw.get("silent") is True,
        )

    @property
    def state(self) -> str | None:
        """The socket's own state."""
        return self.connection.state

    @property
    def is_known_page(self) -> bool:
        """Whether anything of WhatsApp Web is present."""
        connection = self.connection
        is_read = connection.state is not None or connection.mode is not None
        return is_read or self.shows_code or self.shows_chats or self.shows_startup

    @property
    def asks_for_scan(self) -> bool:
        """Whether it is the linking screen, by the socket's state or, if that is unreadable, by what is visible."""
        if self.state is not None:
            return self.state in UNPAIRED
        return self.connection.mode == "QR" or (self.connection.mode is None and self.shows_code)

    @property
    def is_linking_screen(self) -> bool:
        """Whether nothing of a session is there beside the request for a scan; its code may not be readable."""
        return self.asks_for_scan and not self.connection.shows_chats and self.connection.mode in {None, "QR"}

    @property
    def signs(self) -> tuple[int, int]:
        """How many independent signs show that the chats are loaded, and how many can be read.

        A screen that shows the chats and goes on loading is no sign: that may never end, and the chats can be used.
        """
        mode, info = self.connection.mode, self.connection.info
        stream = None if mode is None or info is None else mode == "MAIN" and info == "NORMAL"
        if mode == "MAIN" and info in _LOADING_INFOS:
            stream = None
        found = [self.synced, stream, self.shows_chats]
        return sum(sign is True for sign in found), sum(sign is not None for sign in found)

    @property
    def can_be_ready(self) -> bool:
        """Whether nothing contradicts being connected, and something shows that the chats are loaded."""
        agree, readable = self.signs
        return self.connection.fault is None and 0 < agree >= readable - agree and not self.asks_for_scan

    @property
    def is_ready(self) -> bool:
        """Whether it is connected, with two independent signs that the chats are loaded."""
        return self.connection.is_up is True and self.signs[0] > 1

    @property
    def partial(self) -> str:
        """What can be monitored if not everything can, as one line for people; "" if everything can."""
        connection = self.connection
        if connection.state:
            return ""
        if connection.mode is not None or connection.stream is not None:
            return "by its screen's own state only, not by its socket"
        return "by its chat list only"


def parts_of(raw: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return which of the page's parts are present and which are missing; both empty for a malformed answer."""
    if not isinstance(raw, dict):
        return frozenset(), frozenset()
    known = {name: value for name, value in raw.items() if name in PARTS and isinstance(value, bool)}
    present = frozenset(name for name, there in known.items() if there)
    return present, frozenset(known) - present


def build_of(raw: Any) -> str:
    """Return the page's version; "" for anything that does not look like one."""
    return raw if isinstance(raw, str) and _BUILD.fullmatch(raw) else ""


def log_out_code(raw: Any) -> str:
    """Return WhatsApp's code for why a device was removed; "" for an invalid one."""
    code = _BETWEEN.sub("_", _WORD_BEGINS.sub("_", raw)).lower() if isinstance(raw, str) else ""
    return code if _LOG_OUT_CODE.fullmatch(code) else ""


def words_of(raw: Any) -> str:
    """Return text from the page for people: one line, truncated, without invisible characters, numbers masked."""
    if not isinstance(raw, str):
        return ""
    visible = "".join(sign if sign.isprintable() else " " for sign in raw[: 4 * _LONGEST_WORDS])
    line = _TOKEN.sub("…", " ".join(visible.split()))
    line = _SPACED_NUMBER.sub(lambda found: _hidden(found[0]), line)
    return line if len(line) <= _LONGEST_WORDS else f"{line[: _LONGEST_WORDS - 1].rstrip(' ·')}…"


def _hidden(raw: str) -> str:
    digits = "".join(filter(str.isdigit, raw))
    return mask(digits) if _NUMBER.fullmatch(digits) else raw


def _known(raw: Any, words: frozenset[str]) -> str | None:
    # An unknown value is still the socket's: the page is known, its state is not.
    return (raw if raw in words else "") if isinstance(raw, str) else None


def _cover(raw: Any) -> Cover | None:
    if not isinstance(raw, dict) or not isinstance(raw.get("words"), str):
        return None
    words = words_of(raw.get("words")) or WORDLESS
    return Cover(words, known=raw.get("known") is True, locked=raw.get("locked") is True)


def _code(raw: Any) -> str | None:
    if not isinstance(raw, str) or _CODE.fullmatch(raw) is None:
        return None
    parts = raw.split(",")
    whole = len(parts) == _PARTS and all(part not in {"", "undefined", "null"} for part in parts)
    return raw if whole else None


def _number(raw: Any) -> str | None:
    if not isinstance(raw, str):
        return None
    is_number = raw.isascii() and raw.isdigit() and len(raw) <= _LONGEST_NUMBER
    return f"+{raw}" if is_number else ""


def _percent(raw: Any) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    return float(min(_PERCENT, max(0, raw)))  # in this order: it may be NaN or infinite


def _seconds(raw: Any) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw <= _LONGEST_BLOCK:
        return None
    return float(raw)
