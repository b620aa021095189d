"""How alerts are grouped, repeated, spaced and sounded: the parameters, separately for each chat."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.accounts.reasons import Reason
from controller.incidents import CRITICAL
from controller.troubles import Trouble
from handlers.chat.chat_settings import Loudness
from handlers.texts.vocabulary import from_local, to_local

KINDS: Mapping[str, frozenset[str]] = {
    "circuit": frozenset({Reason.BREAKER_OPEN, Reason.TRIAL_FAILED}),
    "given up": frozenset({Reason.EXHAUSTED}),
    "logged out": frozenset(
        {Reason.LOGGED_OUT, Reason.SYNC_FAILED, Reason.STORAGE_FULL, Reason.ACCOUNT_LOCKED, Reason.SCREEN_LOCKED}
    ),
    "banned": frozenset({Reason.BANNED}),
    "elsewhere": frozenset({Reason.CONFLICT, Reason.CONFLICT_LEFT}),
    "wrong phone": frozenset({Reason.WRONG_NUMBER, Reason.WRONG_NUMBER_STAYS}),
    "asks": frozenset({Reason.PASSKEY, Reason.DIALOG, Reason.CONFIRM_NUMBER, Reason.ARCHIVE_OUTDATED}),
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
            Trouble.WEBHOOK,
            Trouble.BACKUP,
            Trouble.HOST_LOST,
            Trouble.ARCHIVES,
        }
    ),
}
"""The kinds of alerts with a configurable loudness, and the reasons and troubles of each; all others are `OTHER`."""
OTHER = "other"


def kind_of(reason: str) -> str:
    """Return the kind of an alert."""
    return next((kind for kind, reasons in KINDS.items() if reason in reasons), OTHER)


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """The windows and spacings of one chat's alerts. `repeat_after` of zero disables repetition."""

    first_gathers: timedelta = timedelta(seconds=1)
    """How long a new incident waits for related alerts."""
    gather: timedelta = timedelta(seconds=5)
    """An incident that was sent still takes alerts within this time of its last growth."""
    grows_for: timedelta = timedelta(seconds=60)
    """But no longer than this after its first message: a sound must not be suppressed forever."""
    repeat_after: timedelta = timedelta(hours=4)
    """How long a critical alert may stay unacknowledged before it sounds again."""

    flapping: timedelta = timedelta(hours=1)
    sounds_for_same: int = 2
    sounds_for_account: int = 3
    """How often an account may sound within `flapping`, for the same reason and in total; then only edits report it."""
    remembered: timedelta = timedelta(hours=2)
    """How long a closed incident is remembered: for its reply, and to recognize flapping."""

    young: timedelta = timedelta(seconds=60)
    spacing_young: timedelta = timedelta(seconds=4)
    spacing_old: timedelta = timedelta(seconds=12)
    """Time between two edits of an incident: while it is young, and later."""
    steady: int = 2
    spacing_flapping: timedelta = timedelta(minutes=5)
    """Incidents that recur more often than `steady` are edited at growing intervals, up to this one."""

    retry: timedelta = timedelta(seconds=5)
    """Delay before what could not be stored or was rejected is retried."""
    refusals: int = 3
    """How often a message may be rejected before it is set aside and reported differently."""
    gone_retry: timedelta = timedelta(minutes=10)
    """Delay before a chat that cannot be written to is tried again."""

    loudness: Mapping[str, Loudness] = field(default_factory=dict)
    """The loudness of each kind; missing kinds sound."""
    quiet_hours: tuple[int, int] | None = None
    """Start and end of the quiet hours, in which only critical alerts are sent: minutes of the day, local time."""
    unreachable_after: timedelta = timedelta(minutes=5)
    """How long WhatsApp must be unreachable before an alert: shorter outages need nobody."""

    def loudness_of(self, reason: str) -> Loudness:
        """Return the loudness of an alert."""
        return self.loudness.get(kind_of(reason), Loudness.SOUND)

    def held_until(self, reason: str, opened_at: datetime, now: datetime) -> datetime | None:
        """Return until when an unsent alert is held back; None if it is not."""
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
    """Return whether `wait` has passed. A timestamp in the future means that the clock was set back: then it has."""
    return not since <= now < since + wait


def within(since: datetime, now: datetime, window: timedelta) -> bool:
    """Return whether two times are this close, whichever way the clock was set in between."""
    return abs(now - since) <= window


def quiet_until(hours: tuple[int, int], now: datetime) -> datetime | None:
    """Return the end of the current quiet hours, by people's clocks; None outside of them."""
    begins, ends = hours
    here = to_local(now)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    lasts = timedelta(minutes=(ends - begins) % 1440)
    for day in (midnight, midnight - timedelta(days=1)):
        start = day + timedelta(minutes=begins)
        if start <= here < start + lasts:
            return from_local(start + lasts)
    return None
