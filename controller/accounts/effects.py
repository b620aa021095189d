"""The effects that a lifecycle step returns: plain data, performed in order by `controller.manager`."""

from dataclasses import dataclass, field

from controller.accounts.model import Timer
from controller.accounts.reasons import Reason
from controller.accounts.reports import Code


@dataclass(frozen=True, slots=True)
class Open:
    """Open a browser as this session, when a launch slot is free.

    lost: the account was linked before, so it takes precedence over new ones (L13).
    The other fields are those of `controller.driver.Opening`.
    """

    session: int
    fresh: bool = False
    takeover: bool = False
    set_aside: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseSlot:
    """The page no longer needs its launch slot."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the session's browser and report `Closed` once its processes are gone. log_out: remove the device first."""

    session: int
    log_out: bool = False


@dataclass(frozen=True, slots=True)
class Arm:
    """Start a timer that reports `Fired` after so many seconds; a timer that is already running is restarted.

    A `COUNTED` timer is not restarted but started once more: each instance fires by itself.
    """

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """Cancel these timers; `COUNTED` ones with all their instances."""

    timers: frozenset[Timer]


@dataclass(frozen=True, slots=True)
class ShowCode:
    """Show this code to the operator, replacing the previous one."""

    code: Code


@dataclass(frozen=True, slots=True)
class HideCode:
    """Remove the code from the chat."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Check the session's layers once, within the probe time-out, and report the result as `Health`."""

    session: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Read the socket state and, with `ask`, query the server; report the result as `HeartbeatResult`."""

    session: int
    ask: bool


@dataclass(frozen=True, slots=True)
class Look:
    """Capture what the page shows, within the probe time-out, and report it as `Seen`."""

    session: int


@dataclass(frozen=True, slots=True)
class LogOut:
    """Remove the linked device from its phone and report as `LoggedOut` whether that is confirmed.

    number: whose device it is, E.164: another account that may be open by then is left alone.
    """

    session: int
    number: str


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Answer the known dialog."""

    session: int


@dataclass(frozen=True, slots=True)
class Activity:
    """Proof that the server is alive at this moment."""


@dataclass(frozen=True, slots=True)
class Tripped:
    """The circuit breaker has opened. errors: how many opened it; seconds: until the trial attempt."""

    errors: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RecordBuild:
    """A document of this build was loaded, with these of its parts present and missing."""

    build: str
    present: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Alert:
    """Alert people. silent: without sound. detail: one line; overrides the connection's own.

    cause: the underlying reason; overrides the connection's own.
    picture: PNG of the page, if people need to see it.
    """

    reason: Reason
    picture: bytes | None = field(default=None, repr=False)
    detail: str = ""
    cause: Reason | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class AlertOver:
    """What was alerted has ended, although the state does not show it."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Refuse:
    """The command has no effect: the account is already in that state, or on its way there."""


Effect = (
    Open | Close | ReleaseSlot | Arm | Disarm | ShowCode | HideCode | Probe | Heartbeat | Look | LogOut | Dismiss
    | Activity | Tripped | RecordBuild | Alert | AlertOver | Refuse
)  # fmt: skip
