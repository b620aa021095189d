"""How alerts are grouped, repeated, spaced and heard: the numbers, handed in, for each chat by itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.accounts.reasons import Reason
from controller.incidents import CRITICAL
from controller.troubles import Trouble
from handlers.chat.choices import Loudness

KINDS: Mapping[str, frozenset[str]] = {
    "circuit": frozenset({Reason.BREAKER_OPEN, Reason.TRIAL_FAILED}),
    "given up": frozenset({Reason.EXHAUSTED}),
    "logged out": frozenset(
        {Reason.LOGGED_OUT, Reason.SYNC_FAILED, Reason.STORAGE_FULL, Reason.ACCOUNT_LOCKED, Reason.SCREEN_LOCKED}
    ),
    "banned": frozenset({Reason.BANNED}),
    "elsewhere": frozenset({Reason.CONFLICT, Reason.CONFLICT_LEFT}),
    "wrong phone": frozenset({Reason.WRONG_NUMBER, Reason.WRONG_NUMBER_STAYS}),
    "asks": frozenset({Reason.PASSKEY, Reason.DIALOG, Reason.CONFIRM_NUMBER}),
    "page": frozenset({Reason.PAGE_UNKNOWN, Reason.PAGE_MISBEHAVES, Reason.WATCHED_IN_PART, Trouble.NEW_BUILD}),
    "drops out": frozenset({Reason.FLAPPING}),
    "unreachable": frozenset({Trouble.UNREACHABLE, Trouble.PROXY}),
    "server": frozenset(
        {
            Trouble.DISK,
            Trouble.MEMORY,
            Trouble.PROCESSES,
            Trouble.DATABASE,
            Trouble.DEAF,
            Trouble.BACKUP,
            Trouble.HOST_LOST,
        }
    ),
}
"""The kinds of alerts whose loudness is chosen, with the reasons and troubles of each; all else is `OTHER`."""
OTHER = "other"


def kind_of(reason: str) -> str:
    """Return the kind of an alert."""
    return next((kind for kind, reasons in KINDS.items() if reason in reasons), OTHER)


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """The windows and spacings of one chat's alerts. Zero `repeat_after` means that nothing is repeated."""

    first_gathers: timedelta = timedelta(seconds=1)
    """How long a new incident waits for those that come with it."""
    gather: timedelta = timedelta(seconds=5)
    """An incident that was sent takes in what comes so soon after its last growth."""
    grows_for: timedelta = timedelta(seconds=60)
    """But no longer than this after its first message: a sound must not be swallowed for ever."""
    repeat_after: timedelta = timedelta(hours=4)
    """How long a critical alert may stay unacknowledged before it sounds again."""

    flapping: timedelta = timedelta(hours=1)
    sounds_for_same: int = 2
    sounds_for_account: int = 3
    """How often an account may sound within `flapping`, for the same reason and in all; then edits alone tell of it."""
    remembered: timedelta = timedelta(hours=2)
    """How long an incident that is over is remembered: for its reply, and to know what flaps."""

    young: timedelta = timedelta(seconds=60)
    spacing_young: timedelta = timedelta(seconds=4)
    spacing_old: timedelta = timedelta(seconds=12)
    """Between two edits of an incident: while it is young, and later."""
    steady: int = 2
    spacing_flapping: timedelta = timedelta(minutes=5)
    """What came more often than `steady` is edited ever more rarely, down to this."""

    retry: timedelta = timedelta(seconds=5)
    """Until what could not be stored or was refused is tried again."""
    refusals: int = 3
    """How often a message may be refused before it is set aside and told another way."""
    gone_retry: timedelta = timedelta(minutes=10)
    """Until a chat that cannot be written to is tried again."""

    loudness: Mapping[str, Loudness] = field(default_factory=dict)
    """How loud each kind is; what is missing sounds."""
    quiet_hours: tuple[int, int] | None = None
    """The minutes of the day, on this machine's clock, in which it begins and ends that only the critical is told."""
    unreachable_after: timedelta = timedelta(minutes=5)
    """How long WhatsApp must be out of reach before that is told: what mends itself sooner is nobody's business."""

    def loudness_of(self, reason: str) -> Loudness:
        """Return how loud an alert is."""
        return self.loudness.get(kind_of(reason), Loudness.SOUND)

    def held_until(self, reason: str, opened_at: datetime, now: datetime) -> datetime | None:
        """Return until when an alert that nobody was told of is held back; None if it is not."""
        if reason == Trouble.UNREACHABLE and within(opened_at, now, self.unreachable_after):
            ends = opened_at + self.unreachable_after
            if ends > now:
                return ends
        if reason in CRITICAL or self.quiet_hours is None:
            return None
        return quiet_until(self.quiet_hours, now)


PolicyOf = Callable[[int], AlertPolicy]
"""The policy of a chat."""


def elapsed(since: datetime, now: datetime, wait: timedelta) -> bool:
    """Tell whether `wait` has passed. A moment of the future says that the clock was set back: then it has."""
    return not since <= now < since + wait


def within(since: datetime, now: datetime, window: timedelta) -> bool:
    """Tell whether two moments are so close, whichever way the clock was set in between."""
    return abs(now - since) <= window


def quiet_until(hours: tuple[int, int], now: datetime) -> datetime | None:
    """Return when quiet hours end that last now, on this machine's clock; None if none do."""
    begins, ends = hours
    here = now.astimezone().replace(tzinfo=None)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    lasts = timedelta(minutes=(ends - begins) % 1440)
    for day in (midnight, midnight - timedelta(days=1)):
        start = day + timedelta(minutes=begins)
        if start <= here < start + lasts:
            return (start + lasts).astimezone(now.tzinfo)
    return None
