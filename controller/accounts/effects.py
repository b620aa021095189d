"""What a step of the lifecycle asks for: plain data, which `controller.manager` performs in order."""

from dataclasses import dataclass, field

from controller.accounts.model import Timer
from controller.accounts.reasons import Reason
from controller.accounts.reports import Code


@dataclass(frozen=True, slots=True)
class Open:
    """Open a browser as this session, when a launch slot is free.

    lost: the account has been linked before, so that it goes before those that are new (L13).
    The others are those of `controller.driver.Opening`.
    """

    session: int
    fresh: bool = False
    takeover: bool = False
    set_aside: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseSlot:
    """The page has got so far that the launch slot is of no more use."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the session's browser, and say `Closed` when nothing is left. log_out: remove the linked device first."""

    session: int
    log_out: bool = False


@dataclass(frozen=True, slots=True)
class Arm:
    """Say `Fired` in so many seconds, unless armed anew or disarmed before.

    A timer of `COUNTED` is not armed anew but once more: each arming fires by itself.
    """

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """Forget these timers, those of `COUNTED` with all their armings."""

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
class Look:
    """See what the page shows, within the probe's time-out, and say it as `Seen`."""

    session: int


@dataclass(frozen=True, slots=True)
class LogOut:
    """Remove the linked device from its phone, and say as `LoggedOut` whether that is known to have worked."""

    session: int


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Answer the known dialog."""

    session: int


@dataclass(frozen=True, slots=True)
class Activity:
    """The server is known to be there at this moment."""


@dataclass(frozen=True, slots=True)
class Tripped:
    """The circuit breaker has opened. errors: how many did it; seconds: until the trial."""

    errors: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RecordBuild:
    """A document of this build was loaded, with these parts of the page present and missing."""

    build: str
    present: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Alert:
    """Alert people. silent: without a sound. detail: one line, where it is another than the connection's own.

    cause: what is behind the reason, where it is another than the connection's own.
    picture: PNG of the page, where it is what they need to see.
    """

    reason: Reason
    picture: bytes | None = field(default=None, repr=False)
    detail: str = ""
    cause: Reason | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Over:
    """What was alerted is over, though the state does not tell it."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Refuse:
    """The command changes nothing: the account is already there, or on its way."""


Effect = (
    Open | Close | ReleaseSlot | Arm | Disarm | ShowCode | HideCode | Probe | Heartbeat | Look | LogOut | Dismiss
    | Activity | Tripped | RecordBuild | Alert | Over | Refuse
)  # fmt: skip
