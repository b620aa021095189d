"""The lifecycle's state and events: what a connection is, and what can happen to it.

Plain, immutable data only. `lifecycle` has the transitions, `effects` what they request, `reasons` why a connection
ended, `reports` what the page says, `policy` the limits. Nothing here reads a clock: durations are seconds.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, unique
from typing import NamedTuple

from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Code, Dialog, Health, PageView, Report


@unique
class Stage(StrEnum):
    """How far an attempt is, while CONNECTING."""

    QUEUED = "waiting for a launch slot"
    LAUNCHING = "launching"
    AWAITING_SCAN = "awaiting scan"
    PAIRING = "pairing"
    PASSKEY = "waiting for a passkey"
    DIALOG = "waiting for a dialog to be answered"
    SYNCING = "syncing"
    READING = "reading the page anew"
    LOGGING_OUT = "logging out another account"


Phase = State | Stage
"""The key of the table's rows: the stage while CONNECTING, else the state."""


@unique
class Breaker(StrEnum):
    """The circuit breaker's state (L5)."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@unique
class Browser(Enum):
    """The state of the account's one browser. A new one is opened only from NONE."""

    NONE = "none"
    OPEN = "open"
    CLOSING = "closing"


@unique
class Timer(StrEnum):
    """The lifecycle's timers. Each fires at most once for each time it is armed."""

    # Scope: one phase. Cancelled when it is left.
    DEADLINE = "deadline"
    """Since the stage's last progress."""
    DEBOUNCE = "debounce"
    HEALTH = "health"
    KEEP_ALIVE = "keep-alive"
    QUIET = "quiet"
    STALE = "stale"
    STABLE = "stable"
    RETRY = "retry"
    COOLDOWN = "cooldown"

    # Scope: one attempt. Each runs from its first arming to the attempt's end, across stages.
    CODES = "codes"
    """Since the first code: code → scanned → code counts as one wait (L6)."""
    PERSON = "person"
    """Since a person was first waited for: for a passkey, or the answer to a dialog."""
    SYNC = "sync"
    """Since the sync began, however steady its progress."""
    ATTEMPT = "attempt"
    """The attempt as a whole: no cycle of stages can go on for ever."""

    # Scope: one browser, and the account.
    RELOADS = "reloads"
    """Counted: each arming runs by itself and takes one reload off the count when it fires."""
    FLAPS = "flaps"
    """Counted likewise: takes one loss off the count."""
    DIALOGS = "dialogs"
    """Counted likewise: takes one alert of a dialog off the count."""
    CALM = "calm"
    """Since the last recovered loss, once flapping was alerted."""


COUNTED = frozenset({Timer.RELOADS, Timer.FLAPS, Timer.DIALOGS})
"""Timers that can be armed several times at once: each arming fires by itself."""


@unique
class Wanted(StrEnum):
    """The state an operator last asked for. Stored in the database."""

    IDLE = "idle"
    """Registered, but never started."""
    CONNECTED = "connected"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Next:
    """The opening that follows as soon as the previous browser is gone."""

    reason: Reason
    cause: Reason | None = None
    takeover: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """Where an account rested before its trial: it returns there if the trial's end does not say otherwise."""

    reason: Reason
    cause: Reason | None = None
    detail: str = ""

    @property
    def alerted(self) -> bool:
        """Whether people know already that it was given up: a further trial is then silent (L5)."""
        return self.reason in {Reason.TRIAL_FAILED, Reason.EXHAUSTED}


class Connection(NamedTuple):
    """The complete state of one account's connection: everything that decides what happens next.

    A named tuple, since its `_replace` copies so many fields four times as fast as `dataclasses.replace`. That copy was
    most of the cost of a step, and much of an idle account's.
    """

    number: str
    state: State = State.IDLE
    stage: Stage | None = None
    reason: Reason | None = None
    cause: Reason | None = None
    """What ended the last attempt, if `reason` only says why no more are made, or why a trial is."""
    detail: str = ""

    attempts: int = 0
    """Retries begun since the counters were last reset (L2, L3)."""
    errors: int = 0
    """Errors since then (L4)."""
    rounds: int = 0
    """How often since then a code was not scanned in time (L6)."""
    waits: int = 0
    """How many of the backoff's delays have been used up."""
    breaker: Breaker = Breaker.CLOSED
    resting: Rest | None = None
    """During a trial: where the account rested before it."""
    refreshed: bool = False
    """The one reload for an outdated page was used up."""
    fresh: bool = False
    """The last attempt failed, so the next one bypasses service worker and caches (K8)."""
    alerted: frozenset[Reason] = frozenset()
    """What was alerted since the counters were reset, or still stands: not alerted a second time."""

    lost: Reason | None = None
    """Why the connection was lost, as long as it may recover by itself."""
    flaps: int = 0
    """Losses within the last hour that recovered by themselves (L16)."""
    worst: Reason | None = None
    """The most severe cause of these."""
    flapping: bool = False
    """An alert about flapping is open; it ends after an hour without a loss."""
    dialogs: int = 0
    """Alerts of dialogs within the last hour."""

    on_hold: bool = False
    """WhatsApp cannot be reached: no attempts are made, and ends are not counted (L13)."""
    waiting: Timer | None = None
    """The timer that fired while on hold, acted on after the hold."""

    linked: bool = False
    """The phone has linked this account, so a page that shows a code has lost its session."""
    asked: bool = False
    """An operator started this attempt, so it may show a code even if a session was expected."""
    asked_again: bool = False
    """An operator asked during an attempt and has seen no code since: one follows if it has to be linked anew (L1)."""
    use_here: bool = False
    """An operator pressed "Use here", and no conflict has been met in a browser that takes the session back since."""
    alias: str | None = None
    """Another form of the account's number, confirmed by an operator."""
    unconfirmed: str | None = None
    """A number that may be the account's and awaits an operator's confirmation."""
    denied: str | None = None
    """Such a number that an operator said belongs to another account."""
    foreign: bool = False
    """The profile may hold another account's session, so it is set aside before the next opening."""

    stopped: bool = False
    """Nothing is opened any more (L15)."""
    logged_out: bool | None = None
    """Whether the device was logged out when the browser closed; None if that was not requested."""

    browser: Browser = Browser.NONE
    session: int = 0
    """Identity of the latest browser: reports from earlier ones are dropped."""
    due: Next | None = None
    armed: frozenset[Timer] = frozenset()
    spent: frozenset[Timer] = frozenset()
    """Limits of this attempt that were reached: what they bound is not waited for again."""

    # Reset with each session.
    takes_over: bool = False
    """This browser answers a conflict by taking the session back."""
    shown: Code | None = None
    pending_code: Code | None = None
    percent: float | None = None
    identified: str | None = None
    """The number that the page reports as logged in."""
    was_ours: bool = False
    """The page has reported this account's number, and has not asked for a scan since."""
    partial: str = ""
    """What cannot be monitored on this page; one line."""
    dialog: Dialog | None = None
    dismissed: int = 0
    """How often a dialog was dismissed without a person (DIALOGS=continue)."""
    interrupted: Stage | None = None
    """The stage to resume once the dialog is answered."""
    asks_passkey: bool = False
    """The page asked for a passkey and has not said that it was given: a sync that stalls returns to that wait."""
    looking: bool = False
    """The deadline has passed, and the page is being captured."""
    reloads: int = 0
    """Reloads within the last minutes (L1)."""
    build: str = ""
    missing: frozenset[str] = frozenset()
    quiet: bool = False
    probing: bool = False
    failed_probes: int = 0

    @property
    def phase(self) -> Phase:
        """The key of the table's rows for this connection."""
        return self.stage or self.state

    @property
    def verified(self) -> bool:
        """Whether the page has confirmed that the open session is this account's."""
        return self.identified is not None and self.identified != self.unconfirmed

    @property
    def wants_connection(self) -> bool:
        """Whether it is connected, or will be tried without anybody's command."""
        if self.state in {State.CONNECTING, State.CONNECTED}:
            return True
        return self.due is not None or self.waiting is not None or not self.armed.isdisjoint(_TRIES)


_TRIES = frozenset({Timer.RETRY, Timer.COOLDOWN})


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """An operator starts the account, with counters reset.

    takeover: "Use here" was pressed. anew: its former session was given up: it has to be linked.
    """

    takeover: bool = False
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Suspend:
    """An operator closes the account until further notice (L12)."""


@dataclass(frozen=True, slots=True)
class StopLinking:
    """Nobody waits any more for the account's code, which was to be ready when its turn came."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The controller stops, or the account is removed (L15). log_out: remove the linked device first."""

    log_out: bool = False


@dataclass(frozen=True, slots=True)
class Recycle:
    """Close the browser gracefully and reopen it at once, if connected. why: one line."""

    why: str


@dataclass(frozen=True, slots=True)
class ConfirmNumber:
    """An operator says whether the number that may be the account's is.

    asked: the number that they were asked about, E.164; the answer counts for no other one. None: for whichever it is.
    """

    same: bool
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerDialog:
    """An operator dismisses the known dialog."""


@dataclass(frozen=True, slots=True)
class Hold:
    """WhatsApp itself cannot be reached (L13)."""


@dataclass(frozen=True, slots=True)
class Release:
    """WhatsApp can be reached again."""


@dataclass(frozen=True, slots=True)
class Boot:
    """The controller has started, with the account as it was stored (L14).

    linked: a phone has linked it. has_session: its profile seems to hold a session (checked now, not stored).
    block_ends_in: seconds until a ban ends. attempts, errors: the counters. alias: a confirmed form of its number.
    """

    wanted: Wanted
    linked: bool
    state: State
    reason: Reason | None = None
    detail: str = ""
    block_ends_in: float | None = None
    cause: Reason | None = None
    has_session: bool = False
    attempts: int = 0
    errors: int = 0
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """An armed timer has fired."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class SlotGranted:
    """The browser is being launched: the wait for a slot (L13) is over."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing is left of the session's browser. logged_out: whether the device was; None if not requested."""

    logged_out: bool | None = None


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The outcome of `LogOut`. confirmed: the device is known to be removed."""

    confirmed: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """The outcome of `Look`."""

    view: PageView


@dataclass(frozen=True, slots=True)
class DialogStays:
    """The outcome of `Dismiss`, where the dialog is still there."""


@dataclass(frozen=True, slots=True)
class HeartbeatResult:
    """The outcome of `Heartbeat`. answered: the server is known to have responded (L9)."""

    answered: bool


SessionEvent = Report | SlotGranted | Closed | Health | HeartbeatResult | LoggedOut | Seen | DialogStays


@dataclass(frozen=True, slots=True)
class FromSession:
    """An event from one session. session: its identity."""

    session: int
    event: SessionEvent


Event = (
    Start | Suspend | StopLinking | Stop | Recycle | ConfirmNumber | AnswerDialog | Hold | Release | Boot | Fired
    | FromSession
)  # fmt: skip
