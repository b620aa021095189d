"""What a session reports of its page, and what a probe of it finds: plain data that crosses the driver's seam.

The lifecycle decides what each report leads to (`controller.accounts.lifecycle`).
"""

from dataclasses import dataclass, field
from enum import StrEnum, unique

from controller.accounts.reasons import Reason


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
    """The page waits for a WebAuthn assertion, which a server's browser cannot give."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The page knows who it is, after a scan or from its saved session. number: E.164, None where not told yet."""

    number: str | None = None


@dataclass(frozen=True, slots=True)
class Syncing:
    """The page loads the account's chats. percent: 0–100, None where not told."""

    percent: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Linked, synced, socket open, and *durable*: a kill of the browser from now on keeps the session.

    number: who is linked, E.164, None where the page does not tell.
    """

    number: str | None = None


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
    picture: PNG of a page that was not recognised.
    """

    reason: Reason
    detail: str = ""
    block_ends_in: float | None = None
    picture: bytes | None = field(default=None, repr=False)


Report = Code | Scanned | PasskeyAsked | Authenticated | Syncing | Ready | Heard | SocketDown | Ended


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
