"""The words of the lifecycle: what a connection is, and what happens to it (events).

Plain, immutable data only. `lifecycle` has the rows that change a connection, `effects` what it asks for, `reasons` why
it ended, `reports` what the page says, `policy` the numbers. Nothing here reads a clock: durations are seconds.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, unique

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
"""Where a connection is, as the table's rows are keyed: its stage while CONNECTING, else its state."""


@unique
class Breaker(StrEnum):
    """The circuit breaker of L5."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@unique
class Browser(Enum):
    """The account's one browser. A new one is opened only from NONE."""

    NONE = "none"
    OPEN = "open"
    CLOSING = "closing"


@unique
class Timer(StrEnum):
    """What a connection waits for. Each fires at most once for each time it is armed."""

    # Of one phase: forgotten when it is left.
    DEADLINE = "deadline"
    """Since the last progress of the stage."""
    DEBOUNCE = "debounce"
    HEALTH = "health"
    KEEP_ALIVE = "keep-alive"
    QUIET = "quiet"
    STALE = "stale"
    STABLE = "stable"
    RETRY = "retry"
    COOLDOWN = "cooldown"

    # Of one attempt: each runs from its first moment to the attempt's end, through whatever stages there are.
    CODES = "codes"
    """Since the first code: code → scanned → code is one wait (L6)."""
    PERSON = "person"
    """Since a person was first waited for, to give a passkey or to answer a dialog."""
    SYNC = "sync"
    """Since the first syncing, however well it moves."""
    ATTEMPT = "attempt"
    """The whole of it: no cycle of stages lasts for ever."""

    # Of one browser, and of the account.
    RELOADS = "reloads"
    """Counted: each arming runs for itself, and one reload less is remembered when its time has come."""
    FLAPS = "flaps"
    """Counted in the same way: one loss less is remembered."""
    CALM = "calm"
    """Since the last loss that mended itself, after flapping was told."""


COUNTED = frozenset({Timer.RELOADS, Timer.FLAPS})
"""Timers that may be armed several times over: each arming fires by itself."""


@unique
class Wanted(StrEnum):
    """What an account should be, by the last word of an operator. It stands in the database."""

    IDLE = "idle"
    """Known, and never asked for."""
    CONNECTED = "connected"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Next:
    """The opening that is to come as soon as the earlier browser is gone."""

    reason: Reason
    cause: Reason | None = None
    takeover: bool = False


@dataclass(frozen=True, slots=True)
class Rest:
    """Where an account rested before its trial: it goes back there where the trial's end says nothing of it."""

    reason: Reason
    cause: Reason | None = None
    detail: str = ""

    @property
    def told(self) -> bool:
        """Whether people know already that it was given up: then a further trial is a silent one (L5)."""
        return self.reason in {Reason.TRIAL_FAILED, Reason.EXHAUSTED}


@dataclass(frozen=True, slots=True)
class Connection:
    """One account's connection, whole: everything that decides what happens next."""

    number: str
    state: State = State.IDLE
    stage: Stage | None = None
    reason: Reason | None = None
    cause: Reason | None = None
    """What ended the last attempt, where `reason` only tells why nothing more is tried, or why a trial is made."""
    detail: str = ""

    attempts: int = 0
    """Retries begun since the counters were last zero (L2, L3)."""
    errors: int = 0
    """Errors since then (L4)."""
    rounds: int = 0
    """How many times since then nobody scanned a code in time (L6)."""
    waits: int = 0
    """How many of the backoff's delays have been used."""
    breaker: Breaker = Breaker.CLOSED
    resting: Rest | None = None
    """During a trial: where it began."""
    refreshed: bool = False
    """The one reload for an outdated page has been used."""
    fresh: bool = False
    """The last attempt came to nothing, so the next one bypasses worker and caches (K8)."""
    alerted: frozenset[Reason] = frozenset()
    """What was alerted since the counters were zero, or still stands: it is not alerted twice."""

    lost: Reason | None = None
    """Why the connection was lost that may mend itself now."""
    flaps: int = 0
    """Losses within the last hour that mended themselves (L16)."""
    worst: Reason | None = None
    """The worst cause of these."""
    flapping: bool = False
    """That it flaps was alerted; it is over after an hour of calm."""

    on_hold: bool = False
    """WhatsApp cannot be reached: nothing is tried, and what ends meanwhile is not counted (L13)."""
    waiting: Timer | None = None
    """What would have been tried while on hold, and is as soon as that is over."""

    linked: bool = False
    """The phone has linked this account, so a page that asks for a scan has lost its session."""
    asked: bool = False
    """An operator began this, so a code may be shown even where a session was expected."""
    alias: str | None = None
    """Another form of the account's number, which an operator has confirmed."""
    unconfirmed: str | None = None
    """A number that differs by one digit, and that an operator is asked about."""
    denied: str | None = None
    """Such a number that an operator has said to be another account's."""
    foreign: bool = False
    """The profile may hold another account's session, so it is set aside before the next opening."""

    stopped: bool = False
    """Nothing is opened any more (L15)."""
    logged_out: bool | None = None
    """Whether the device was logged out when the browser closed; None where that was not asked."""

    browser: Browser = Browser.NONE
    session: int = 0
    """Identity of the newest browser: what an earlier one reports is dropped."""
    due: Next | None = None
    armed: frozenset[Timer] = frozenset()
    spent: frozenset[Timer] = frozenset()
    """Limits of this attempt that have been reached: what they bound is not waited for again."""

    # Of this session only.
    shown: Code | None = None
    held: Code | None = None
    percent: int | None = None
    identified: str | None = None
    """Whose account the page has told to be open."""
    partial: str = ""
    """What cannot be watched on this page."""
    dialog: Dialog | None = None
    interrupted: Stage | None = None
    """The stage that goes on once the dialog is answered."""
    looking: bool = False
    """The deadline has passed, and it is being looked what the page shows."""
    reloads: int = 0
    """Reloads within the last minutes (L1)."""
    build: str = ""
    missing: frozenset[str] = frozenset()
    quiet: bool = False
    probing: bool = False
    failed_probes: int = 0

    @property
    def phase(self) -> Phase:
        """Where the connection is, as the table's rows are keyed."""
        return self.stage or self.state

    @property
    def verified(self) -> bool:
        """Whether the page has told whose account is open, and it is this one's."""
        return self.identified is not None and self.identified != self.unconfirmed

    @property
    def wants_connection(self) -> bool:
        """Whether it is connected, or will be tried without anybody's word."""
        if self.state in {State.CONNECTING, State.CONNECTED}:
            return True
        return self.due is not None or self.waiting is not None or not self.armed.isdisjoint(_TRIES)


_TRIES = frozenset({Timer.RETRY, Timer.COOLDOWN})


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """An operator wants the account connected, now and with counters at zero. takeover: "Use here" was pressed."""

    takeover: bool = False


@dataclass(frozen=True, slots=True)
class Suspend:
    """An operator wants the account closed until they say otherwise (L12)."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The controller stops, or the account is removed (L15). log_out: remove the linked device from the phone first."""

    log_out: bool = False


@dataclass(frozen=True, slots=True)
class Recycle:
    """Close the browser gracefully and open it again at once, if connected. why: one line."""

    why: str


@dataclass(frozen=True, slots=True)
class ConfirmNumber:
    """An operator has said whether the number that differs by one digit is the same account."""

    same: bool


@dataclass(frozen=True, slots=True)
class AnswerDialog:
    """An operator wants the known dialog answered."""


@dataclass(frozen=True, slots=True)
class Hold:
    """WhatsApp itself cannot be reached (L13)."""


@dataclass(frozen=True, slots=True)
class Release:
    """WhatsApp can be reached again."""


@dataclass(frozen=True, slots=True)
class Boot:
    """The controller has started and remembers the account as it was (L14).

    linked: a phone has linked it. has_session: its profile seems to hold a session, which is looked at, not remembered.
    block_ends_in: seconds, of a ban. attempts, errors: the counters. alias: a confirmed form of its number.
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
    """An armed timer's time has come."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class SlotGranted:
    """The browser is launched now: the wait for a launch slot (L13) is over."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing is left of the session's browser. logged_out: whether the device was, None where that was not asked."""

    logged_out: bool | None = None


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """What came of a `LogOut`. confirmed: the device is known to be removed."""

    confirmed: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a `Look`."""

    view: PageView


@dataclass(frozen=True, slots=True)
class Beat:
    """A keep-alive came back. answered: the server is known to have answered (L9)."""

    answered: bool


Said = Report | SlotGranted | Closed | Health | Beat | LoggedOut | Seen


@dataclass(frozen=True, slots=True)
class FromSession:
    """Something that one session says. session: its identity."""

    session: int
    said: Said


Event = (
    Start | Suspend | Stop | Recycle | ConfirmNumber | AnswerDialog | Hold | Release | Boot | Fired | FromSession
)  # fmt: skip
