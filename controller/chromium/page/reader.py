"""Interprets one document's messages in sequence: synchronous, without browser, clock or tasks.

A glimpse is not evidence: what would end the attempt or the connection, and what may vanish at once, is returned as
`Stands`, to be acted upon once it has persisted for some seconds (`debounce`), and withdrawn by a later message.
Not here: where things are in the page (`surfaces.js`), what a single snapshot may contain (`snapshot`), and timing
(`session`).
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import Enum, unique
from typing import Any

from controller.accounts.e164 import is_same_account
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
    PasskeyAnswered,
    PasskeyAsked,
    Report,
    Scanned,
    SocketDown,
    SocketUp,
    Syncing,
)
from controller.chromium.page.snapshot import BLOCKS, Cover, Snapshot, build_of, log_out_code, parts_of

ENDS_AFTER = 3.0
"""Seconds that something must persist that would end an attempt or a connection."""
COVERS_AFTER = 1.0
"""Seconds that a dialog must persist before it is reported."""
ONE_SIGN_AFTER = 5.0
"""Seconds after which a second sign is requested if the page gives one only."""

NO_CODE_AFTER = 10.0
"""Seconds that a page which was connected may ask for a scan without a code that can be read."""
IN_PART_AFTER = 60.0
"""Seconds that what cannot be watched any more must persist."""

LOADING_MOVES = 15
"""How often the bar moves while the page itself is loaded, at most."""

_FIRST_LIVES, _NEXT_LIVES = 60.0, 20.0
"""Lifetime of WhatsApp's codes in seconds: the first one on a page, and those that follow."""
_BLOCKS = {
    "CONFLICT": (Reason.CONFLICT, ""),
    "PROXYBLOCK": (Reason.BANNED, "WhatsApp blocks this address"),
    "TOS_BLOCK": (Reason.BANNED, "WhatsApp blocks the account (terms of service)"),
    "SMB_TOS_BLOCK": (Reason.BANNED, "WhatsApp blocks the business account (terms of service)"),
    "DEPRECATED_VERSION": (Reason.OUTDATED, "WhatsApp says that this version of the page is too old"),
}
assert _BLOCKS.keys() == BLOCKS


@unique
class Finding(Enum):
    """What a message requires of the session, apart from reports."""

    RECOGNISED = "the page is one that we know"
    TAKE_OVER = "the session is to be taken back from elsewhere"
    LINKED = "connected, with its chats there by signs that agree"
    ONE_SIGN = "connected, with one sign only that its chats are there"
    IN_PART = "not all of it can be watched"


@dataclass(frozen=True, slots=True)
class LogOutSaid:
    """The page says that the link was removed, and is about to leave. code: WhatsApp's reason, "" for none."""

    code: str


@unique
class Subject(Enum):
    """What can be pending: at most one of each at a time."""

    END = "the session's end"
    LOG_OUT = "a log-out that the page speaks of"
    CODE = "a code on a page that had a session"
    NUMBER = "whose account is open, where that appears or changes later"
    COVER = "what covers the page"
    SIGN = "the one sign that it is ready"
    PARTS = "how far it can be watched"


MAY_END = frozenset({Subject.END, Subject.LOG_OUT, Subject.CODE})


@dataclass(frozen=True, slots=True)
class Stands:
    """Something to act upon if it persists for so long. meant: None if it is over."""

    subject: Subject
    meant: "Report | Finding | None"
    seconds: float = 0.0


def kind_of(meant: Report | Finding) -> Hashable:
    """Return what something pending says, without what may change in it all the time."""
    match meant:
        case Ended():
            return meant.reason
        case Dialog():
            return Dialog, meant.known, meant.locked
        case Code():
            return Code
    return meant


def still_shows(live: dict[str, Any], subject: Subject, meant: Report | Finding) -> bool:
    """Return whether a page shows something still. live: its answer to "live(true)"."""
    now = Snapshot.parse(live)
    match meant:
        case Identified():
            return now.number == meant.number
        case Dialog():
            return now.cover is not None and now.cover.locked == meant.locked
        case Ended() if subject is Subject.CODE:
            return now.is_linking_screen
    return now.connection.blocked is not None if subject is Subject.END else not now.connection.is_up


Meaning = Report | Finding | LogOutSaid | Stands


class PageReader:
    """Interprets the messages of one document.

    takeover: answer a conflict by taking the session back. had_session: the profile holds a session, so a code would be
    significant; it is believed only if it persists. was_linked: an earlier document of this browser was connected.
    account: whose page it should be, E.164; the number of another is believed only if it persists. None: anybody's.
    """

    def __init__(
        self, *, takeover: bool, had_session: bool = False, was_linked: bool = False, account: str | None = None
    ) -> None:
        self._takeover = takeover
        self._had_session = had_session
        self._was_linked = was_linked
        self._account = account
        self._recognised = False
        self._code: str | None = None
        self._codes = 0
        self._code_answered_next = False
        self._authenticated: str | None = None
        self._identified: str | None = None
        self._percent: float | None = None
        self._moved_to: float | None = None
        self._moves = 0
        self._linked = False
        self._stood_at: float | None = None
        """The percentage when one sign only was looked at last."""
        self._needs_proof = False
        """It was connected when it asked for a passkey: the signs from before prove nothing."""
        self._down: Reason | None = None
        """Why it is not connected at the moment, once it was."""
        self._was_silent = False
        self._in_conflict = False
        self._took_over = False
        self._cover: Cover | None = None
        self._cover_told = False
        self._ending = False
        self.latest: Snapshot | None = None
        """What the page showed last."""
        self.asked_for_scan = False
        """Whether this page has been unlinked from its start: what it stores is then new."""

    def read(self, message: Any) -> Iterator[Meaning]:
        """Return what one message of the watcher means."""
        if not isinstance(message, dict):
            return
        match message.get("kind"):
            case "snapshot":
                yield from self._see(Snapshot.parse(message))
            case "state":
                yield from self._pass(Snapshot.parse({"state": message.get("state")}))
            case "loaded":
                present, missing = parts_of(message.get("parts"))
                yield Loaded(build_of(message.get("build")), present, missing)
            case "heard":
                yield Heard()
            case "passkey":
                yield from self._passkey(PasskeyAsked())
            case "passkey answered":
                yield from self._passkey(PasskeyAnswered())
            case "logged out" if not self.is_nobodys:
                yield LogOutSaid(log_out_code(message.get("reason")))

    def _passkey(self, said: PasskeyAsked | PasskeyAnswered) -> Iterator[Meaning]:
        """Take what the page shows already: it may change in nothing, above all where nobody can answer the request."""
        is_asked = isinstance(said, PasskeyAsked)
        self._needs_proof = is_asked and (self._needs_proof or self._linked)
        self._linked = self._linked and not is_asked
        yield from self._recognise()  # the request names WhatsApp
        yield said
        if self.latest is not None and (self._needs_proof or not is_asked):
            yield from self._readiness(self.latest)

    def believed(self, meant: "Report | Finding") -> Iterator[Report | Finding]:
        """Return what follows once something has persisted for long enough."""
        match meant:
            case Code():
                self._begin_anew()
            case Dialog():
                self._cover_told = True
            case Identified():
                self._identified = meant.number
            case _:
                pass
        yield meant

    def _begin_anew(self) -> None:
        """Accept the linking screen as real: the session's state is void, and codes are reported at once."""
        self._had_session = False
        self.asked_for_scan = True
        self._authenticated = self._identified = None

    def second_sign(self) -> Iterator[Meaning]:
        """Accept the page as ready: the second sign agrees."""
        yield from self._link()

    def not_ready(self) -> None:
        """Wait for the signs again: the page was disconnected before it was reported as ready."""
        self._linked = False

    @property
    def number(self) -> str | None:
        """The logged-in account's number, E.164, if the page has shown it."""
        return self._identified or self._authenticated or None

    @property
    def is_nobodys(self) -> bool:
        """Whether it waits for a scan and no account has been logged in: there is none to be logged out."""
        return self.asked_for_scan and self._authenticated is None

    @property
    def takes_over(self) -> bool:
        """Whether a conflict is still to be answered by taking the session back."""
        return self._takeover and not self._took_over

    @property
    def is_not_given_back(self) -> bool:
        """Whether it is still open elsewhere, although it was taken back."""
        return self._takeover and self._in_conflict

    @property
    def fault(self) -> str:
        """What its connection is instead of connected; "" for nothing."""
        if self.latest is None:
            return ""
        if self.latest.asks_for_scan and self.latest.code is None and self._code is None:
            return "waiting for a scan, with a code that cannot be read"
        return self.latest.connection.fault or ""

    @property
    def is_linked(self) -> bool:
        """Whether it shows all that a linked page shows, and has asked for nothing since."""
        return self._linked

    @property
    def hears_nothing(self) -> bool:
        """Whether nothing comes over its socket, though the page says that it is connected."""
        return self.latest is not None and self._is_silent(self.latest)

    def _is_silent(self, snapshot: Snapshot) -> bool:
        return self._linked and snapshot.silent and snapshot.connection.is_up is not False

    @property
    def is_loading(self) -> bool:
        """Whether the page is on its way to its chats: neither there, nor waiting for a scan."""
        return (
            not self._linked and not self._needs_proof and not (self.latest is not None and self.latest.asks_for_scan)
        )

    # --- snapshots ----------------------------------------------------------------------------------------------------

    def _see(self, snapshot: Snapshot) -> Iterator[Meaning]:
        self.latest = snapshot
        if snapshot.is_known_page:
            yield from self._recognise()
        yield from self._pass(snapshot)
        yield from self._silence(snapshot)
        yield from self._block(snapshot)
        yield from self._cover_up(snapshot)
        if snapshot.state == "UNPAIRED_IDLE":
            self._codes = 0  # the codes are used up; a refresh yields new ones
        yield from self._identify(snapshot)
        yield from self._show_code(snapshot)
        yield from self._progress(snapshot)
        yield from self._readiness(snapshot)

    def _recognise(self) -> Iterator[Meaning]:
        if not self._recognised:
            self._recognised = True
            yield Finding.RECOGNISED

    def _identify(self, snapshot: Snapshot) -> Iterator[Meaning]:
        if snapshot.asks_for_scan:
            if not self._had_session and snapshot.number is None:
                self._begin_anew()
            yield Stands(Subject.NUMBER, None)
            return
        if self._authenticated is None and snapshot.number is not None:
            self._authenticated = snapshot.number if self._is_ours(snapshot.number) else ""
            yield Authenticated(self._authenticated or None)
        # A number that appears later, or another one, may lead to a log-out: a glimpse of it is no evidence.
        news = Identified(snapshot.number) if snapshot.number and snapshot.number != self.number else None
        yield Stands(Subject.NUMBER, news, ENDS_AFTER)

    def _is_ours(self, number: str) -> bool:
        return self._account is None or is_same_account(number, self._account)

    def _show_code(self, snapshot: Snapshot) -> Iterator[Meaning]:
        if snapshot.code is None:
            if not snapshot.asks_for_scan:
                yield Stands(Subject.CODE, None)
            elif (self._linked or self._needs_proof or self._was_linked) and snapshot.is_linking_screen:
                yield Stands(Subject.CODE, Ended(Reason.LOGGED_OUT, "its page asks for a scan"), NO_CODE_AFTER)
            return
        self._code_answered_next = True
        if snapshot.code == self._code:
            return
        self._code = snapshot.code
        code = Code(snapshot.code, lives=_NEXT_LIVES if self._codes else _FIRST_LIVES)
        self._codes += 1
        if self._had_session or self._linked or snapshot.number is not None:
            yield Stands(Subject.CODE, code, ENDS_AFTER)
        else:
            self.asked_for_scan = True
            yield code

    def _progress(self, snapshot: Snapshot) -> Iterator[Meaning]:
        if self._linked or snapshot.asks_for_scan or snapshot.percent in {None, self._percent}:
            return
        if snapshot.percent != self._moved_to:
            self._moved_to, self._moves = snapshot.percent, self._moves + 1
        # If the identity is not available, an open socket proves just as well that somebody is linked; where neither
        # can be read, a code that was there, or a bar that moves for longer than the page itself takes to load.
        may_load = self._code is not None or (self._had_session and self._moves > LOADING_MOVES)
        is_up = snapshot.connection.is_up
        if self._authenticated is not None or is_up or (may_load and is_up is None):
            self._percent = snapshot.percent
            yield Syncing(snapshot.percent)

    def _readiness(self, snapshot: Snapshot) -> Iterator[Meaning]:
        if self._linked:
            yield Stands(Subject.PARTS, Finding.IN_PART if snapshot.partial else None, IN_PART_AFTER)
            return
        if self._needs_proof:  # the chats instead of the request, and the server's answer
            shows = snapshot.is_ready and snapshot.shows_chats and snapshot.cover is None
            yield Stands(Subject.SIGN, Finding.ONE_SIGN if shows else None, ONE_SIGN_AFTER)
        elif snapshot.is_ready:
            yield from self._link()
        else:
            meant = Finding.ONE_SIGN if snapshot.can_be_ready else None
            if snapshot.percent != self._stood_at:  # what still loads does not stand
                self._stood_at = snapshot.percent
                yield Stands(Subject.SIGN, None)
            yield Stands(Subject.SIGN, meant, ONE_SIGN_AFTER)

    def _link(self) -> Iterator[Meaning]:
        if self._linked:
            return
        self._linked = True
        self._needs_proof = False
        self._takeover = False  # it applied to this opening: a later conflict is reported and handled by the policy
        yield Stands(Subject.SIGN, None)
        if self._authenticated is None:
            self._authenticated = ""
            yield Authenticated()
        yield Finding.LINKED

    # --- the connection -----------------------------------------------------------------------------------------------

    def _pass(self, snapshot: Snapshot) -> Iterator[Meaning]:
        """Read the sequence of states: PAIRING right after a code is a scan, after OPENING it is a cold start."""
        state = snapshot.state
        if state == "PAIRING" and self._code_answered_next:
            self._code_answered_next = False
            self._code = None  # should the pairing fail, the same code must be shown again
            yield Scanned()
        elif state == "OPENING":
            self._code_answered_next = False
        is_up, blocked = snapshot.connection.is_up, snapshot.connection.blocked
        if not self._linked or is_up is None:
            return
        if is_up and self._down is not None:
            yield SocketUp(self._down)
            self._down = None
        elif not is_up and self._down is None:
            self._down = Reason.CONNECTION_LOST if blocked is None else _BLOCKS[blocked][0]
            if blocked is None:
                yield SocketDown()

    def _silence(self, snapshot: Snapshot) -> Iterator[Meaning]:
        silent = self._is_silent(snapshot)
        if silent and not self._was_silent:
            yield SocketDown()
        self._was_silent = silent

    def _block(self, snapshot: Snapshot) -> Iterator[Meaning]:
        word = snapshot.connection.blocked
        is_conflict = word == "CONFLICT"
        if is_conflict and not self._in_conflict and self._took_over:
            self._takeover = False  # it was taken back once, and lost again: two browsers must not go on for ever
        if is_conflict and self._takeover:
            if not self._in_conflict:
                self._took_over = True
                yield Finding.TAKE_OVER
        elif word is not None:
            reason, detail = _BLOCKS[word]
            ends_in = snapshot.block_ends_in if reason is Reason.BANNED else None
            self._ending = True
            yield Stands(Subject.END, Ended(reason, detail, block_ends_in=ends_in), ENDS_AFTER)
        elif self._ending:
            self._ending = False
            yield Stands(Subject.END, None)
        self._in_conflict = is_conflict

    def _cover_up(self, snapshot: Snapshot) -> Iterator[Meaning]:
        cover = snapshot.cover
        if cover is not None and cover.locked and not self._recognised:
            cover = (
                None  # a password may be asked for by whatever answers in WhatsApp's place, such as a hotel's network
            )
        if cover == self._cover or snapshot.connection.blocked:  # a block has words of its own, and may be a glimpse
            return
        self._cover = cover
        if self._cover_told and cover is None:
            self._cover_told = False
            self._code = None  # the dialog covered it: it must be reported again
            yield DialogClosed()
        meant = None if cover is None else Dialog(cover.words, known=cover.known, locked=cover.locked)
        ends = cover is not None and cover.locked  # a link that is made durable is not connected yet
        yield Stands(Subject.COVER, meant, ENDS_AFTER if ends else COVERS_AFTER)
