"""What the controller tells the rest of the program: plain data, given to one `Listener`.

Transitions are stored before they are told; codes are told at once and never stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Code


@dataclass(frozen=True, slots=True)
class Transition:
    """An account has moved: to another state, or on to another stage of the same attempt.

    number: E.164. at, next_retry_at, block_ends_at: aware UTC. attempts, errors: the counters after the move.
    cause: what ended the last attempt, where `reason` tells only why nothing more is tried.
    alert: people are to be alerted of this; then `cause` and `detail` are the alert's.
    linked: the phone has linked the account. picture: PNG of the page, for an alert that needs it.
    silent: the alert is sent without a sound. over: what was alerted and is over, though the state says nothing of it:
    reasons whose traits say that they `stands` while CONNECTED.
    """

    number: str
    at: datetime
    before: State
    state: State
    stage: Stage | None
    reason: Reason
    cause: Reason | None
    detail: str
    attempts: int
    max_attempts: int
    errors: int
    linked: bool
    next_retry_at: datetime | None = None
    block_ends_at: datetime | None = None
    alert: Reason | None = None
    within_state: bool = False
    """Only the stage changed: worth a card, not a row."""
    picture: bytes | None = field(default=None, repr=False)
    silent: bool = False
    over: tuple[Reason, ...] = ()
    alias: str | None = None
    """Another form of the account's number that an operator has confirmed: E.164."""


@dataclass(frozen=True, slots=True)
class PastTransition:
    """A transition as the history remembers it. from_state, to_state: as they were called then."""

    at: datetime
    from_state: str
    to_state: str
    reason: Reason
    cause: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CodeShown:
    """A linking code to put before the operator, in the place of any shown before.

    ends_at: when WhatsApp replaces it, where known; window_ends_at: when the attempt gives up waiting. Aware UTC.
    rounds_left: how many more rounds of codes follow where nobody scans.
    """

    number: str
    code: Code
    ends_at: datetime | None
    window_ends_at: datetime
    rounds_left: int = 0


@dataclass(frozen=True, slots=True)
class CodeHidden:
    """The account's code is of no more use: take it away."""

    number: str


@dataclass(frozen=True, slots=True)
class BuildLoaded:
    """A browser of the account has loaded a document of WhatsApp Web. at: aware UTC. build: "" where not told.

    present, missing: the parts by which the driver reads the page, by name.
    """

    number: str
    at: datetime
    build: str
    present: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a question to an account's page took, answered or not. what: `probe` or `heartbeat`."""

    number: str
    what: str
    seconds: float


Notice = Transition | CodeShown | CodeHidden | BuildLoaded | Timed

Listener = Callable[[Notice], None]
"""Takes one notice. Called on the event loop; must neither block nor raise."""
