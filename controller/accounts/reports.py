"""What a session reports about its page, and the result of a probe: plain data that crosses the driver interface.

`controller.accounts.lifecycle` decides what follows from a report. A driver reports each change once. Anything that
would end the attempt or the connection (`Ended`, a code on a connected page, a conflict) is reported only after it has
persisted for a few seconds: a glimpse is not evidence.
"""

from dataclasses import dataclass, field
from enum import StrEnum, unique

from controller.accounts.reasons import Reason


@dataclass(frozen=True, slots=True)
class Loaded:
    """The page script has started in a document: once per document, including reloaded ones.

    build: WhatsApp Web's version, "" if unknown. present, missing: the parts of the page by which the driver reads it
    ("socket", "stream", "chat list"…), and those that this build lacks.
    """

    build: str = ""
    present: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The main frame has loaded a new document of the page's own origin in the same browser.

    Everything reported before is void and will be reported again. The driver ends the session (`Ended`) only for
    another origin, a logout address, or a document that is not recognised in time.
    """


@dataclass(frozen=True, slots=True)
class Identified:
    """The number of the logged-in account has become known, at any time and in any state. number: E.164."""

    number: str


@dataclass(frozen=True, slots=True)
class Dialog:
    """Something covers the page and waits for a person. Reported once per appearance.

    words: its headline and text as one line, shortened, without chats. known: `Session.dismiss` can answer it
    safely ("what's new"). locked: it is the page's own screen lock, which asks for a password.
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
    """The content of the QR code: five comma-separated parts, 230–300 characters."""
    lives: float | None = field(default=None, compare=False)
    """Seconds until WhatsApp replaces it, if known."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A phone has scanned the code; the page is pairing."""


@dataclass(frozen=True, slots=True)
class PasskeyAsked:
    """The page waits for a WebAuthn assertion, which a server's browser cannot give. At any stage, even when connected.

    Identity and percentage may still be reported, late or of a saved session: neither shows that it was given.
    Conditional mediation ("autofill") prompts nobody and is not reported.
    """


@dataclass(frozen=True, slots=True)
class PasskeyAnswered:
    """The request for a passkey was answered in the page. Not reported where it ends by another way."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The page is logged in, by a scan or from its saved session. number: E.164, None if not known yet."""

    number: str | None = None


@dataclass(frozen=True, slots=True)
class Syncing:
    """The page is loading the account's chats. percent: 0–100, None if unknown. Reported on the smallest change."""

    percent: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Linked, synced, socket open, and *durable*: killing the browser from now on does not lose the session.

    Reported when independent signals agree, not on a single flag. number: the account's, E.164, None if the page does
    not show it. partial: what cannot be monitored on this build, one line for people ("by its chat list only"), "" if
    everything can.
    """

    number: str | None = None
    partial: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came in or went out: the server is alive."""


@dataclass(frozen=True, slots=True)
class SocketDown:
    """The page itself reports its socket as disconnected, or nothing has come over it for too long.

    It may recover, or a probe will notice.
    """


@dataclass(frozen=True, slots=True)
class SocketUp:
    """The page is connected again after `SocketDown`, or after it showed a block too briefly to be believed.

    cause: why it was not.
    """

    cause: Reason = Reason.CONNECTION_LOST


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; it must be closed and reports nothing more.

    detail: one line for people, without credentials. block_ends_in: seconds, for a ban whose end is known.
    picture: PNG of an unrecognised page. code: WhatsApp's logout code ("3", "storage_quota_exceeded"), "" if none;
    `reasons.logout_reason` interprets it.
    """

    reason: Reason
    detail: str = ""
    block_ends_in: float | None = None
    picture: bytes | None = field(default=None, repr=False)
    code: str = ""


Report = (
    Loaded | Reloaded | Identified | Dialog | DialogClosed | Code | Scanned | PasskeyAsked | PasskeyAnswered
    | Authenticated | Syncing | Ready | Heard | SocketDown | SocketUp | Ended
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageView:
    """What a page shows at one moment, for people who need to find out why it is stuck.

    words: a visible dialog's text, else the headline; one line, "" if there is neither. fault: what its connection is
    instead of connected, "" for nothing. picture: PNG without chats and codes, None if it could not be taken.
    """

    words: str = ""
    fault: str = ""
    picture: bytes | None = field(default=None, repr=False)


@unique
class Layer(StrEnum):
    """A session's layers, in the order in which a probe checks them (L8)."""

    PROCESS = "process"
    BROWSER = "browser"
    PAGE = "page script"
    SOCKET = "WhatsApp socket"


@dataclass(frozen=True, slots=True)
class Health:
    """A probe's result: the first failing layer, None if all are healthy. detail: one line for people."""

    failed: Layer | None = None
    detail: str = ""
