"""What a WhatsApp client reports and can be told: the seam between a manager and whatever drives the page.

Everything that crosses it is plain data (numbers, words, bytes), so that a driver may live in another process or on
another host. No object of a browser library crosses it, and no exception but `DriverError`.
How a page is read is in `controller.chromium`; what a report leads to, in `controller.accounts.lifecycle`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.accounts.reasons import Reason
from controller.accounts.reports import Health, Layer, PageView, Report


@dataclass(frozen=True, slots=True)
class Usage:
    """What a session's processes use. memory: bytes, shared pages counted by their share (PSS)."""

    memory: int
    processes: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What to open.

    account: whose profile, E.164. fresh: bypass the service worker and drop the page's caches (never its keys).
    takeover: if WhatsApp says that the session is open elsewhere, take it back here instead of ending.
    set_aside: the profile holds somebody else's session: move it out of the way (never delete it) and begin with an
    empty one.
    """

    account: str
    fresh: bool = False
    takeover: bool = False
    set_aside: bool = False


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A saved copy of an account's session. name: what to call it by. at: Unix time in seconds. size: bytes."""

    name: str
    at: float
    size: int


class Session(Protocol):
    """One open browser of one account. Its reports come through the callback that `Driver.open` was given."""

    async def probe(self) -> Health:
        """Walk the layers once. Needs no deadline of its own: the caller sets one, and names what hung by `reached`."""

    @property
    def reached(self) -> Layer:
        """The layer that the probe now under way (or the last one) is at: what hangs when a probe does not return."""

    async def heartbeat(self, *, ask: bool) -> bool:
        """Read the live socket state; with `ask`, also ask the server one light question about our own number.

        Returns whether the server is known to have answered: reading alone is no answer, except where
        the page offers no such question, and then a live CONNECTED is.
        """

    async def usage(self) -> Usage:
        """Measure the browser with all its processes. Raises DriverError."""

    async def log_out(self) -> None:
        """Remove this linked device from the phone's account; returns once the page has confirmed it.

        Raises DriverError where it cannot, or is not known to have done so: the device must then count as linked.
        """

    async def look(self) -> PageView:
        """See what the page shows now, within a few seconds; an empty view where nothing can be seen. Never raises."""

    async def dismiss(self) -> None:
        """Answer the known dialog that covers the page (press Continue). Raises DriverError where there is none."""

    async def close(self) -> None:
        """Close page, browser and process group, gracefully first. Never raises; afterwards nothing is left running."""


class Driver(Protocol):
    """Opens sessions. One for the whole program."""

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> Session:
        """Open a browser for an account and begin to load the page.

        Returns as soon as there is something to close; all that follows comes by `report`, in order, on the event
        loop's thread. If cancelled or failed, nothing is left running. Raises DriverError.
        """

    async def has_session(self, account: str) -> bool:
        """Tell whether the account's profile seems to hold a linked session, without opening it. Raises DriverError.

        It is looked at, not remembered. In doubt True: a launch that finds nothing costs less than a stranded account.
        """

    async def remove(self, account: str) -> None:
        """Delete the account's profile, its saved copies and what was set aside. It must not be open.

        Raises DriverError.
        """

    async def saved(self, account: str) -> Sequence[SavedSession]:
        """Return the saved copies of an account's session, the newest first. Raises DriverError."""

    async def restore(self, account: str, name: str) -> None:
        """Put a saved copy in the place of the account's session, which must not be open. Raises DriverError."""

    async def stop(self) -> None:
        """End what the sessions share. All sessions must have been closed."""


class DriverError(Exception):
    """A browser could not be opened or asked. Its text is one line for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
