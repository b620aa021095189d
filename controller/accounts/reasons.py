"""Why a link is where it is: the one vocabulary of reasons, and the one table of what each means (rule L11).

Here live the words and their meaning, as plain data. What never lives here: how a reason is noticed (the drivers)
and how the states move on it (`controller.accounts.lifecycle`). `handlers.texts.vocabulary` has the words that people
read.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, unique


@unique
class State(StrEnum):
    """The six states of an account: they stand in the database, the logs and the chat."""

    IDLE = "IDLE"
    """Known, never started or removed from service."""
    CONNECTING = "CONNECTING"
    """One attempt is under way; its `Stage` says how far."""
    CONNECTED = "CONNECTED"
    """Linked, synced, socket open."""
    DISCONNECTED = "DISCONNECTED"
    """Was connected or waiting for a scan, and is not now."""
    ERROR = "ERROR"
    """The last attempt failed; a retry is due."""
    SUSPENDED = "SUSPENDED"
    """No attempts: cooling down, exhausted, or by an operator's word."""


@unique
class Reason(StrEnum):
    """Why an account came to its state."""

    # Why an attempt began.
    ASKED = "asked"
    """An operator said /link or /reconnect."""
    RESUMED = "resumed"
    """The controller started and the account should be connected."""
    RETRY = "retry"
    """The backoff's wait is over."""
    TRIAL = "trial"
    """The breaker's cool-down, or a ban, is over: exactly one attempt."""

    # Why it is connected, or at rest on purpose.
    LINKED = "linked"
    SUSPENDED_BY_OPERATOR = "suspended_by_operator"
    SHUTDOWN = "shutdown"
    """The controller stopped."""
    NOT_LINKED = "not_linked"
    """The controller restarted before the account had ever been linked."""

    # Why an attempt or a connection ended.
    LAUNCH_FAILED = "launch_failed"
    """The browser did not start, or the page did not load."""
    PROFILE_IN_USE = "profile_in_use"
    """Another process holds the account's profile."""
    DEADLINE = "deadline"
    """A stage of the attempt took longer than it may (L7)."""
    RESTORE_FAILED = "restore_failed"
    """The account was linked, yet the page asks for a scan."""
    PAGE_UNKNOWN = "page_unknown"
    """The page loaded and is none that we know."""
    SESSION_CLOSED = "session_closed"
    """The page, the browser or its process is gone."""
    UNRESPONSIVE = "unresponsive"
    """Two health checks in a row failed in the browser or the page."""
    CONNECTION_LOST = "connection_lost"
    """Two health checks in a row found WhatsApp's socket not connected."""
    NAVIGATED = "navigated"
    """The page went elsewhere or reloaded."""
    STALE = "stale"
    """Nothing was heard for as long as the stale limit (L10)."""
    QR_EXPIRED = "qr_expired"
    """Nobody scanned the code in time (L6)."""
    LOGGED_OUT = "logged_out"
    """The phone removed this linked device, or WhatsApp did."""
    CONFLICT = "conflict"
    """WhatsApp Web was opened elsewhere with the same session."""
    BANNED = "banned"
    """WhatsApp blocks the account (ban, terms of service)."""
    OUTDATED = "outdated"
    """WhatsApp says that this version of the page is too old."""
    WRONG_NUMBER = "wrong_number"
    """Another number than the account's scanned the code."""
    RECYCLED = "recycled"
    """The controller closed the browser to free what it had piled up; it opens again at once."""
    UNKNOWN = "unknown"
    """None of the above: treated as transient."""

    # Why nothing is tried any more, and what is asked of a person meanwhile.
    BREAKER_OPEN = "breaker_open"
    """Too many errors: cooling down before one trial (L5)."""
    TRIAL_FAILED = "trial_failed"
    """The one trial ended otherwise than CONNECTED."""
    EXHAUSTED = "exhausted"
    """The last allowed attempt was used up (L2)."""
    PASSKEY = "passkey"
    """The page waits for a passkey, which only a person can give."""


@unique
class Then(Enum):
    """What follows the end of an attempt or of a connection."""

    BACKOFF = "retry by the backoff (L2)"
    AT_ONCE = "first retry at once, then by the backoff"
    REFRESH = "one retry at once with a fresh page, then by the backoff"
    PERSON = "no retry: a person is needed"
    BLOCK_END = "no retry, but one trial when the block ends, where its end is known"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reason means.

    state: where the account goes. connecting: the state instead, if it had not been CONNECTED yet (L4).
    then: what follows. alert: whether a person is told with sound, at once.
    A verdict of `State.ERROR` raises the error count; every other uses up attempts only.
    """

    state: State
    then: Then
    connecting: State | None = None
    alert: bool = False

    @property
    def needs_person(self) -> bool:
        """Whether nothing is tried any more until a person acts, or until the block ends."""
        return self.then in {Then.PERSON, Then.BLOCK_END}

    def state_after(self, *, connected: bool) -> State:
        """Where the account goes, given whether it had reached CONNECTED."""
        return self.state if connected or self.connecting is None else self.connecting


_DOWN, _ERROR = State.DISCONNECTED, State.ERROR

VERDICTS: dict[Reason, Verdict] = {
    Reason.LAUNCH_FAILED: Verdict(_ERROR, Then.BACKOFF),
    Reason.PROFILE_IN_USE: Verdict(_ERROR, Then.BACKOFF),
    Reason.DEADLINE: Verdict(_ERROR, Then.BACKOFF),
    Reason.RESTORE_FAILED: Verdict(_ERROR, Then.BACKOFF),
    Reason.PAGE_UNKNOWN: Verdict(_ERROR, Then.BACKOFF, alert=True),
    Reason.SESSION_CLOSED: Verdict(_DOWN, Then.AT_ONCE, connecting=_ERROR),
    Reason.UNRESPONSIVE: Verdict(_DOWN, Then.BACKOFF, connecting=_ERROR),
    Reason.CONNECTION_LOST: Verdict(_DOWN, Then.BACKOFF),
    Reason.NAVIGATED: Verdict(_DOWN, Then.BACKOFF),
    Reason.STALE: Verdict(_DOWN, Then.BACKOFF),
    Reason.QR_EXPIRED: Verdict(_DOWN, Then.BACKOFF),
    Reason.LOGGED_OUT: Verdict(_DOWN, Then.PERSON, alert=True),
    Reason.CONFLICT: Verdict(_DOWN, Then.PERSON, alert=True),
    Reason.BANNED: Verdict(State.SUSPENDED, Then.BLOCK_END, alert=True),
    Reason.OUTDATED: Verdict(_DOWN, Then.REFRESH),
    Reason.WRONG_NUMBER: Verdict(_DOWN, Then.PERSON, alert=True),
    Reason.RECYCLED: Verdict(_DOWN, Then.AT_ONCE),
    Reason.UNKNOWN: Verdict(_DOWN, Then.BACKOFF),
}
"""The table of rule L11: every way in which an attempt or a connection ends, and what follows."""
