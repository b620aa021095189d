"""What one document's messages mean, in their order: a synchronous reading with no browser, clock or task in it.

A glimpse is no evidence: what would end the attempt or the connection, and what may be gone in a moment, is given as
`Stands`, to be acted upon once it has stood for some seconds (`standing`), and taken back by a later message.
What never lives here: where things are in the page (`surfaces.js`), what a single sight may contain (`snapshot`), and
what follows in time (`session`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

from controller.accounts.reasons import Reason
from controller.accounts.reports import (
    Authenticated,
    Code,
    Dialog,
    DialogClosed,
    Ended,
    Heard,
    Identified,
    Loaded,
    PasskeyAsked,
    Report,
    Scanned,
    SocketDown,
    Syncing,
)
from controller.chromium.page.snapshot import BLOCKS, Cover, Snapshot, build_of, log_out_code, parts_of

ENDS_AFTER = 3.0
"""Seconds that something must stand that would end an attempt or a connection."""
COVERS_AFTER = 1.0
"""Seconds that a dialog must stand before it is told."""
ONE_SIGN_AFTER = 5.0
"""Seconds after which a second sign is asked for where the page gives one only."""

_FIRST_LIVES, _NEXT_LIVES = 60.0, 20.0
"""Seconds that WhatsApp lets its codes live: the first of a page, and those that follow."""
_BLOCKS = {
    "CONFLICT": (Reason.CONFLICT, "WhatsApp Web was opened elsewhere"),
    "PROXYBLOCK": (Reason.BANNED, "WhatsApp blocks this address"),
    "TOS_BLOCK": (Reason.BANNED, "WhatsApp blocks the account (terms of service)"),
    "SMB_TOS_BLOCK": (Reason.BANNED, "WhatsApp blocks the business account (terms of service)"),
    "DEPRECATED_VERSION": (Reason.OUTDATED, "WhatsApp says that this version of the page is too old"),
}
assert _BLOCKS.keys() == BLOCKS


@unique
class Finding(Enum):
    """What a message asks of the session, beside reports."""

    RECOGNISED = "the page is one that we know"
    TAKE_OVER = "the session is to be taken back from elsewhere"
    LINKED = "connected, with its chats there by signs that agree"
    ONE_SIGN = "connected, with one sign only that its chats are there"


@dataclass(frozen=True, slots=True)
class LogOutSaid:
    """The page says that the link was removed, and is about to leave. code: WhatsApp's word for why, "" for none."""

    code: str


@unique
class Subject(Enum):
    """What may stand: one of each at a time."""

    END = "the session's end"
    CODE = "a code on a page that had a session"
    COVER = "what covers the page"
    SIGN = "the one sign that it is ready"


@dataclass(frozen=True, slots=True)
class Stands:
    """Something to be acted upon if it stands for so long. meant: None where it stands no more."""

    subject: Subject
    meant: "Report | Finding | None"
    seconds: float = 0.0


Meaning = Report | Finding | LogOutSaid | Stands


class PageReader:
    """Reads the messages of one document.

    takeover: a conflict is answered by taking the session back. had_session: the profile holds a session, so that a
    code would be news; it is believed only when it stands.
    """

    def __init__(self, *, takeover: bool, had_session: bool = False) -> None:
        self._takeover = takeover
        self._had_session = had_session
        self._recognised = False
        self._code: str | None = None
        self._codes = 0
        self._code_answered_next = False
        self._authenticated: str | None = None
        self._identified: str | None = None
        self._percent: int | None = None
        self._linked = False
        self._socket_up = True
        self._in_conflict = False
        self._cover: Cover | None = None
        self._cover_told = False
        self._ending = False
        self.latest: Snapshot | None = None
        """What the page showed last."""
        self.asked_for_scan = False
        """Whether this page has not been linked from its start: then what it stores is new."""
        self.passkey_pending = False
        """Whether it asked for a passkey, and nothing has moved since."""

    def read(self, told: Any) -> Iterator[Meaning]:
        """Give what one message of the watcher means."""
        if not isinstance(told, dict):
            return
        match told.get("kind"):
            case "sight":
                yield from self._see(Snapshot.parse(told))
            case "state":
                yield from self._pass(Snapshot.parse({"state": told.get("state")}))
            case "loaded":
                present, missing = parts_of(told.get("parts"))
                yield Loaded(build_of(told.get("build")), present, missing)
            case "heard":
                yield Heard()
            case "passkey":
                self.passkey_pending = True
                yield PasskeyAsked()
            case "logged out":
                yield LogOutSaid(log_out_code(told.get("reason")))

    def believed(self, meant: "Report | Finding") -> Iterator[Report | Finding]:
        """Give what follows once something has stood for long enough."""
        match meant:
            case Code():
                self._begin_anew()
            case Dialog():
                self._cover_told = True
            case _:
                pass
        yield meant

    def _begin_anew(self) -> None:
        """Take it for the linking screen, in earnest: what was known of a session is void, and codes come at once."""
        self._had_session = False
        self.asked_for_scan = True
        self._authenticated = self._identified = None

    def second_sign(self) -> Iterator[Meaning]:
        """Take it as ready: what was asked for beside the one sign of the page agrees."""
        yield from self._link()

    @property
    def number(self) -> str | None:
        """Who is linked, E.164, as far as the page has told."""
        return self._identified or self._authenticated or None

    # --- sights -------------------------------------------------------------------------------------------------------

    def _see(self, sight: Snapshot) -> Iterator[Meaning]:
        self.latest = sight
        if sight.is_known_page and not self._recognised:
            self._recognised = True
            yield Finding.RECOGNISED
        yield from self._pass(sight)
        yield from self._block(sight)
        yield from self._cover_up(sight)
        if sight.state == "UNPAIRED_IDLE":
            self._codes = 0  # the codes are used up; a refresh brings new ones
        yield from self._identify(sight)
        yield from self._show_code(sight)
        yield from self._progress(sight)
        yield from self._readiness(sight)

    def _identify(self, sight: Snapshot) -> Iterator[Meaning]:
        if sight.asks_for_scan:
            if not self._had_session and sight.number is None:
                self._begin_anew()
            return
        if sight.number is None:
            return
        if self._authenticated is None:
            self._authenticated = sight.number
            yield Authenticated(sight.number or None)
        if sight.number and sight.number != self._identified:
            is_news = self._authenticated != sight.number
            self._identified = sight.number
            if is_news:
                yield Identified(sight.number)

    def _show_code(self, sight: Snapshot) -> Iterator[Meaning]:
        if sight.code is None:
            if not sight.asks_for_scan:
                yield Stands(Subject.CODE, None)
            return
        self._code_answered_next = True
        if sight.code == self._code:
            return
        self._code = sight.code
        code = Code(sight.code, lives=_NEXT_LIVES if self._codes else _FIRST_LIVES)
        self._codes += 1
        if self._had_session or self._linked or sight.number is not None:
            yield Stands(Subject.CODE, code, ENDS_AFTER)
        else:
            self.asked_for_scan = True
            yield code

    def _progress(self, sight: Snapshot) -> Iterator[Meaning]:
        if self._linked or sight.asks_for_scan or sight.percent in {None, self._percent}:
            return
        # Where the identity is not to be had, an open socket shows just as well that somebody is linked.
        if self._authenticated is not None or sight.connection.is_up:
            self._percent = sight.percent
            self.passkey_pending = False
            yield Syncing(sight.percent)

    def _readiness(self, sight: Snapshot) -> Iterator[Meaning]:
        if self._linked:
            return
        if sight.is_ready:
            yield from self._link()
        else:
            meant = Finding.ONE_SIGN if sight.can_be_ready else None
            yield Stands(Subject.SIGN, meant, ONE_SIGN_AFTER)

    def _link(self) -> Iterator[Meaning]:
        if self._linked:
            return
        self._linked = True
        self._takeover = False  # it was for this opening: a later conflict is told, and followed by the policy
        self.passkey_pending = False
        yield Stands(Subject.SIGN, None)
        if self._authenticated is None:
            self._authenticated = ""
            yield Authenticated()
        yield Finding.LINKED

    # --- the connection -----------------------------------------------------------------------------------------------

    def _pass(self, sight: Snapshot) -> Iterator[Meaning]:
        """Read the order of states: PAIRING right after a code is a scan, after OPENING it is a cold start."""
        state = sight.state
        if state == "PAIRING" and self._code_answered_next:
            self._code_answered_next = False
            self._code = None  # should the pairing fail, the same code is to be shown again
            yield Scanned()
        elif state == "OPENING":
            self._code_answered_next = False
        is_up = sight.connection.is_up
        if self._linked and is_up is not None and sight.connection.blocked is None:
            if self._socket_up and not is_up:
                yield SocketDown()
            self._socket_up = is_up

    def _block(self, sight: Snapshot) -> Iterator[Meaning]:
        word = sight.connection.blocked
        is_conflict = word == "CONFLICT"
        if is_conflict and self._takeover:
            if not self._in_conflict:
                yield Finding.TAKE_OVER
        elif word is not None:
            reason, detail = _BLOCKS[word]
            ends_in = sight.block_ends_in if reason is Reason.BANNED else None
            self._ending = True
            yield Stands(Subject.END, Ended(reason, detail, block_ends_in=ends_in), ENDS_AFTER)
        elif self._ending:
            self._ending = False
            yield Stands(Subject.END, None)
        self._in_conflict = is_conflict

    def _cover_up(self, sight: Snapshot) -> Iterator[Meaning]:
        cover = None if sight.connection.blocked else sight.cover
        if cover == self._cover:
            return
        self._cover = cover
        if self._cover_told and cover is None:
            self._cover_told = False
            self._code = None  # the dialog covered it: it is to be told anew
            yield DialogClosed()
        meant = None if cover is None else Dialog(cover.words, known=cover.known, locked=cover.locked)
        yield Stands(Subject.COVER, meant, COVERS_AFTER)
