"""What is known of an account at one moment, for people, metrics and logs."""

from dataclasses import dataclass
from datetime import datetime

from controller.accounts.model import Breaker, Stage
from controller.accounts.reasons import Reason, Remedy, State


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt or a connection ended. detail: one line."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot of one account's status. Seconds are floats; `since` and `last_activity` are aware UTC."""

    phone_number: str
    state: State
    is_connected: bool
    reconnect_attempts: int
    error_count: int
    uptime: float
    """Seconds since CONNECTED, 0 otherwise."""
    reason: Reason | None
    cause: Reason | None
    detail: str
    stage: Stage | None
    percent: int | None
    since: datetime
    next_retry_in: float | None
    last_activity: datetime | None
    """When the server was last known to be alive: a message, or an answered heartbeat."""
    last_message: datetime | None
    """When a message last came in or went out."""
    breaker: Breaker
    linked: bool
    on_hold: bool = False
    """WhatsApp cannot be reached: attempts wait until it can (L13)."""
    wants_connection: bool = False
    """It is connected, or will be tried without anybody's command."""
    remedies: tuple[Remedy, ...] = ()
    """What a person can do now, most urgent first: what the page requests, and what fixes its reason."""
    restorable: bool = False
    """A saved copy of its session, if there is one, may fix it."""
    verified: bool = True
    """The page has confirmed that the session is this account's. Meaningful only while it is open."""
    unconfirmed: str | None = None
    """A number that may be the account's and awaits confirmation: E.164."""
    partial: str = ""
    """What cannot be monitored on this page; one line."""
    dialog: str = ""
    """The text of what covers the page."""
    build: str = ""
    missing: frozenset[str] = frozenset()
    """The build of the page, and the parts it lacks."""
    flapping: bool = False
    takes_over: bool = False
    """Should WhatsApp say that the session is open elsewhere, it is taken back here."""
    failure: Failure | None = None
    """What ended the attempt or connection before this attempt."""
    place_in_line: int | None = None
    """Its position in the queue for a launch slot, from 1; None if it is not waiting for one."""
    held: bool = False
    """It waits for a launch slot, and none is granted: what is short here, or away, must come back first."""

    @property
    def remedy(self) -> Remedy:
        """The most urgent thing that a person can do; NONE if there is nothing."""
        return self.remedies[0] if self.remedies else Remedy.NONE
