"""The interface between a manager and whatever drives WhatsApp Web: the reports it gives and the calls it takes.

Only plain data crosses it (numbers, words, bytes), so that a driver could live in another process or on another host:
no object of a browser library, and no exception but `DriverError`.
`controller.chromium` implements it; `controller.accounts.lifecycle` decides what follows from a report.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from controller.accounts.reasons import Reason
from controller.accounts.reports import Health, Layer, PageView, Report


@dataclass(frozen=True, slots=True)
class Usage:
    """Resource usage of a session's processes. memory: bytes, shared pages counted proportionally (PSS)."""

    memory: int
    processes: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What to open.

    account: whose profile, E.164. fresh: bypass the service worker and drop the page's caches (never its keys).
    takeover: if WhatsApp says that the session is open elsewhere, take it back here instead of ending.
    set_aside: the profile holds somebody else's session: move it away (never delete it) and start with an empty
    profile. proxy: the address of the account's own proxy, password included; "" for the proxy of all accounts, if any.
    epoch: of its placement on one of many machines, higher than those of all earlier ones; 0 on one machine.
    """

    account: str
    fresh: bool = False
    takeover: bool = False
    set_aside: bool = False
    proxy: str = field(default="", repr=False)
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A saved copy of an account's session. name: its id. at: Unix time in seconds. size: bytes."""

    name: str
    at: float
    size: int


class Session(Protocol):
    """One open browser of one account. It reports through the callback passed to `Driver.open`."""

    async def probe(self) -> Health:
        """Check the layers once. The caller sets the deadline; if it expires, `reached` names the layer that hung."""

    @property
    def reached(self) -> Layer:
        """The layer that the current or last probe has reached: the one that hangs if the probe does not return."""

    async def heartbeat(self, *, ask: bool) -> bool:
        """Read the live socket state; with `ask`, also send the server a light query about our own number.

        Returns whether the server is known to have responded: the state alone does not prove it, unless the page
        offers no such query; then a live CONNECTED counts.
        """

    async def usage(self) -> Usage:
        """Measure the browser including all its processes. Raises DriverError."""

    async def log_out(self, number: str | None = None) -> None:
        """Remove this linked device from the account; returns once the page has confirmed it.

        number: the only account that may be logged out, E.164: nothing is done if the page shows another one, or none
        any more. None: whichever is open.
        Raises DriverError if it fails or cannot be confirmed: the device must then be treated as still linked.
        """

    async def look(self) -> PageView:
        """Capture what the page shows now, within a few seconds; an empty view on failure. Never raises."""

    async def dismiss(self) -> None:
        """Dismiss the known dialog that covers the page (press Continue). Raises DriverError if there is none."""

    async def close(self) -> None:
        """Close page, browser and process group, gracefully first. Never raises; no process is left afterwards."""


class Driver(Protocol):
    """Opens sessions. One instance for the whole program."""

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> Session:
        """Open a browser for an account and start loading the page.

        Returns as soon as there is something to close; everything after that is reported, in order, on the event
        loop's thread. If it is cancelled or fails, no process is left. Raises DriverError.
        """

    async def has_session(self, account: str) -> bool:
        """Return whether the account's profile seems to hold a linked session, without opening it. Raises DriverError.

        Checked on disk each time. True if in doubt: a launch for nothing costs less than a stranded account.
        """

    async def remove(self, account: str) -> None:
        """Delete the account's profile, its saved copies and whatever was set aside. It must not be open.

        Raises DriverError.
        """

    async def saved(self, account: str) -> Sequence[SavedSession]:
        """Return the saved copies of an account's session, newest first. Raises DriverError."""

    async def restore(self, account: str, name: str) -> None:
        """Replace the account's session, which must not be open, by a saved copy. Raises DriverError."""

    async def discard(self, account: str) -> None:
        """Set the account's session aside, which must not be open: its next opening begins with an empty profile.

        Raises DriverError.
        """

    async def stop(self) -> None:
        """Shut down what the sessions share. All sessions must have been closed."""


class DriverError(Exception):
    """A browser could not be opened or queried. The text is one line for people.

    transient: the host lacked something at that moment, so that the same may succeed later.
    """

    def __init__(self, reason: Reason, detail: str, *, transient: bool = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.transient = transient
