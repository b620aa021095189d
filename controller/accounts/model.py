"""The words of the lifecycle: what a link is, what happens to it, what it asks for, and the policy's numbers.

Plain, immutable data only. `lifecycle` has the rows that change a connection, `reasons` why it ended, `reports` what
the page says. Nothing here reads a clock: durations are seconds.
"""

from dataclasses import dataclass, field
from enum import Enum, StrEnum, unique

from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Code, Health, Report


@unique
class Stage(StrEnum):
    """How far an attempt is, while CONNECTING."""

    QUEUED = "waiting for a launch slot"
    LAUNCHING = "launching"
    AWAITING_SCAN = "awaiting scan"
    PAIRING = "pairing"
    PASSKEY = "waiting for a passkey"
    SYNCING = "syncing"


Phase = State | Stage
"""Where a link is, as the table's rows are keyed: its stage while CONNECTING, else its state."""


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
    """What a link waits for. Each fires at most once for each time it is armed."""

    DEADLINE = "deadline"
    DEBOUNCE = "debounce"
    HEALTH = "health"
    KEEP_ALIVE = "keep-alive"
    QUIET = "quiet"
    STALE = "stale"
    STABLE = "stable"
    RETRY = "retry"
    COOLDOWN = "cooldown"


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
    fresh: bool = False
    takeover: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """One account's connection, whole: everything that decides what happens next."""

    number: str
    state: State = State.IDLE
    stage: Stage | None = None
    reason: Reason | None = None
    cause: Reason | None = None
    """What ended the last attempt, where `reason` only tells why nothing more is tried."""
    detail: str = ""

    attempts: int = 0
    """Retries begun since the counters were last zero (L2, L3)."""
    errors: int = 0
    """Errors since then (L4)."""
    waits: int = 0
    """How many of the backoff's delays have been used."""
    breaker: Breaker = Breaker.CLOSED
    resting: Reason | None = None
    """During a slow silent probe out of SUSPENDED: the reason to go back to without an alert."""
    refreshed: bool = False
    """The one reload for an outdated page has been used."""
    alerted: Reason | None = None
    """The last reason told with sound since the counters were zero: it is not told twice."""
    loss_told: bool = False
    """A loss was told with sound, so that its recovery is to be told too."""

    on_hold: bool = False
    """WhatsApp cannot be reached: nothing is tried, and what ends meanwhile is not counted (L13)."""
    waiting: Timer | None = None
    """What would have been tried while on hold, and is as soon as that is over."""

    linked: bool = False
    """The phone has linked this account, so a page that asks for a scan has lost its session."""
    asked: bool = False
    """An operator began this, so a code may be shown even where a session was expected."""

    browser: Browser = Browser.NONE
    session: int = 0
    """Identity of the newest browser: what an earlier one reports is dropped."""
    due: Next | None = None
    armed: frozenset[Timer] = frozenset()

    # Of this session only.
    shown: Code | None = None
    held: Code | None = None
    percent: int | None = None
    quiet: bool = False
    probing: bool = False
    failed_probes: int = 0

    @property
    def phase(self) -> Phase:
        """Where the link is, as the table's rows are keyed."""
        return self.stage or self.state


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
    """The controller stops, or the account is removed (L15)."""


@dataclass(frozen=True, slots=True)
class Hold:
    """WhatsApp itself cannot be reached (L13)."""


@dataclass(frozen=True, slots=True)
class Release:
    """WhatsApp can be reached again."""


@dataclass(frozen=True, slots=True)
class Boot:
    """The controller has started and remembers the account as it was (L14). block_ends_in: seconds, of a ban."""

    wanted: Wanted
    linked: bool
    state: State
    reason: Reason | None = None
    detail: str = ""
    block_ends_in: float | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """An armed timer's time has come."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class SlotGranted:
    """The browser is launched now: the wait for a launch slot (L13) is over."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing is left of the session's browser."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A keep-alive came back. answered: the server is known to have answered (L9)."""

    answered: bool


Said = Report | SlotGranted | Closed | Health | Beat


@dataclass(frozen=True, slots=True)
class FromSession:
    """Something that one session says. session: its identity."""

    session: int
    said: Said


Event = Start | Suspend | Stop | Hold | Release | Boot | Fired | FromSession

# --- effects ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """Open a browser as this session, when a launch slot is free."""

    session: int
    fresh: bool = False
    takeover: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """End the session's browser, and say `Closed` when nothing is left. log_out: remove the linked device first."""

    session: int
    log_out: bool = False


@dataclass(frozen=True, slots=True)
class Arm:
    """Say `Fired` in so many seconds, unless armed anew or disarmed before."""

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """Forget these timers."""

    timers: frozenset[Timer]


@dataclass(frozen=True, slots=True)
class ShowCode:
    """Put this code before the operator, in the place of the one shown before."""

    code: Code


@dataclass(frozen=True, slots=True)
class HideCode:
    """Take the code away from the operator's eyes."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Walk the session's layers once, within the probe's time-out, and say what was found as `Health`."""

    session: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Read the live state and, with `ask`, make the server answer; say it as `Beat`."""

    session: int
    ask: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """Tell people with sound. picture: PNG of the page, where it is what they need to see."""

    reason: Reason
    picture: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A loss that was told has mended."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The command changes nothing: the account is already there, or on its way."""


Effect = Open | Close | Arm | Disarm | ShowCode | HideCode | Probe | Heartbeat | Alert | Recovered | Refuse
