"""What a session reports of its page, and what a probe of it finds: plain data that crosses the driver's seam.

The lifecycle decides what each report leads to (`controller.accounts.lifecycle`). A driver reports what it sees, each
change once. Whatever would end the attempt or the connection (`Ended`, a code on a connected page, a conflict) is
reported only after it has stood for a few seconds: a glimpse is not evidence.
"""

from dataclasses import dataclass, field
from enum import StrEnum, unique

from controller.accounts.reasons import Reason


@dataclass(frozen=True, slots=True)
class Loaded:
    """The page's script has started in a document: once for each document, the first and every reloaded one.

    build: WhatsApp Web's version, "" where not told. present, missing: the names of the parts of the page that the
    driver reads it by ("socket", "stream", "chat list"…), and of those that this build does not have.
    """

    build: str = ""
    present: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The main frame has loaded a new document of the page's own origin in the same browser.

    Everything is read anew: all that was reported before is void, and will be reported again. The driver ends
    the session (`Ended`) only for another origin, a logout address, or a document not recognised in time.
    """


@dataclass(frozen=True, slots=True)
class Identified:
    """It has become known whose account is open, at any time and in any state. number: E.164."""

    number: str


@dataclass(frozen=True, slots=True)
class Dialog:
    """Something covers the page and waits for a person. Reported once for each that appears.

    words: its headline and text as one line, cut to length, with no chats in it. known: `Session.dismiss` can answer it
    without harm ("what's new"). locked: it is the page's own screen lock, which wants a password.
    """

    words: str
    known: bool = False
    locked: bool = False


@dataclass(frozen=True, slots=True)
class DialogClosed:
    """What covered the page is gone."""


@dataclass(frozen=True, slots=True)
class Code:
    """A linking code that the page shows now. It is a credential: never log or store it."""

    text: str = field(repr=False)
    """What the QR picture must decode to: five comma-separated parts, 230–300 characters."""
    lives: float | None = field(default=None, compare=False)
    """Seconds until WhatsApp replaces it, where known."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A phone has answered the code; the page is pairing."""


@dataclass(frozen=True, slots=True)
class PasskeyAsked:
    """The page waits for a WebAuthn assertion, which a server's browser cannot give. At any stage, and when connected.

    While it waits, no progress (`Authenticated`, `Syncing`) is reported, unless it truly moves. Conditional mediation
    ("autofill") asks nobody, and is not reported.
    """


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The page knows who it is, after a scan or from its saved session. number: E.164, None where not told yet."""

    number: str | None = None


@dataclass(frozen=True, slots=True)
class Syncing:
    """The page loads the account's chats. percent: 0–100, None where not told. Reported whenever it moves."""

    percent: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Linked, synced, socket open, and *durable*: a kill of the browser from now on keeps the session.

    Said when independent signs agree, not by one flag. number: who is linked, E.164, None where the page does not tell.
    partial: what cannot be watched on this build, as one line for people ("by its chat list only"); "" where all can.
    """

    number: str | None = None
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came in or went out: the server is there."""


@dataclass(frozen=True, slots=True)
class SocketDown:
    """The page itself says that its socket is not connected any more: it may mend that, or a probe will find it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; it is to be closed, and reports nothing after this.

    detail: one line for people, with no credential in it. block_ends_in: seconds, for a ban whose end is known.
    picture: PNG of a page that was not recognised. code: what WhatsApp gave as the reason of a logout ("3",
    "storage_quota_exceeded"), "" where none; `reasons.logout_reason` has what it means.
    """

    reason: Reason
    detail: str = ""
    block_ends_in: float | None = None
    picture: bytes | None = field(default=None, repr=False)
    code: str = ""


Report = (
    Loaded | Reloaded | Identified | Dialog | DialogClosed | Code | Scanned | PasskeyAsked | Authenticated | Syncing
    | Ready | Heard | SocketDown | Ended
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageView:
    """What a page shows at one moment, for people who have to find out why it is stuck.

    words: of a visible dialog, else of the headline; one line, "" where there are none. picture: PNG without chats and
    codes, None where none could be had.
    """

    words: str = ""
    picture: bytes | None = field(default=None, repr=False)


@unique
class Layer(StrEnum):
    """The layers of a session, in the order in which a probe walks them (L8)."""

    PROCESS = "process"
    BROWSER = "browser"
    PAGE = "page script"
    SOCKET = "WhatsApp socket"


@dataclass(frozen=True, slots=True)
class Health:
    """A probe's finding: the first layer that fails, or None where all are well. detail: one line for people."""

    failed: Layer | None = None
    detail: str = ""
