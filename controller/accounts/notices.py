"""Notices that the controller publishes to the rest of the program: plain data, passed to one `Listener`.

Transitions are stored before they are published; codes are published at once and never stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Code


@dataclass(frozen=True, slots=True)
class Transition:
    """An account has changed its state, or the stage of its attempt.

    number: E.164. at, next_retry_at, block_ends_at: aware UTC. attempts, errors: the counters afterwards.
    cause: what ended the last attempt, if `reason` only says why no more are made.
    alert: people are to be alerted; `cause` and `detail` are then the alert's.
    linked: the phone has linked the account. picture: PNG of the page, for an alert that needs it.
    silent: the alert makes no sound. over: alerts that end although the state does not show it: of reasons whose
    traits say that they `persists` while CONNECTED.
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
    """Only the stage changed: cards are updated, but no row is stored."""
    picture: bytes | None = field(default=None, repr=False)
    silent: bool = False
    over: tuple[Reason, ...] = ()
    alias: str | None = None
    """Another form of the account's number, confirmed by an operator: E.164."""


@dataclass(frozen=True, slots=True)
class PastTransition:
    """A stored transition. from_state, to_state: as the states were called then."""

    at: datetime
    from_state: str
    to_state: str
    reason: Reason
    cause: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CodeShown:
    """A linking code to show to the operator, replacing the previous one.

    ends_at: when WhatsApp replaces it, if known; window_ends_at: when the attempt stops waiting. Aware UTC.
    rounds_left: how many further rounds of codes follow if nobody scans.
    """

    number: str
    code: Code
    ends_at: datetime | None
    window_ends_at: datetime
    rounds_left: int = 0


@dataclass(frozen=True, slots=True)
class CodeHidden:
    """The account's code is no longer valid: remove it."""

    number: str


@dataclass(frozen=True, slots=True)
class BuildLoaded:
    """A browser of the account has loaded a document of WhatsApp Web. at: aware UTC. build: "" if unknown.

    present, missing: names of the parts by which the driver reads the page.
    """

    number: str
    at: datetime
    build: str
    present: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a query to an account's page took, answered or not. what: `probe` or `heartbeat`."""

    number: str
    what: str
    seconds: float


Notice = Transition | CodeShown | CodeHidden | BuildLoaded | Timed

Listener = Callable[[Notice], None]
"""Receives notices. Called on the event loop; must neither block nor raise."""


class Publisher:
    """A `Listener` that passes each notice to its subscribers, in the order in which they subscribed."""

    def __init__(self) -> None:
        self._subscribers: list[Listener] = []

    def __call__(self, notice: Notice) -> None:
        """Pass a notice on."""
        for each in self._subscribers:
            each(notice)

    def subscribe(self, listener: Listener) -> None:
        """Add a subscriber: it gets what is published from now on."""
        self._subscribers.append(listener)
