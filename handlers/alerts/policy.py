"""How alerts are grouped, repeated and spaced: the numbers, handed in, for each chat by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


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


PolicyOf = Callable[[int], AlertPolicy]
"""The policy of a chat."""


def elapsed(since: datetime, now: datetime, wait: timedelta) -> bool:
    """Tell whether `wait` has passed. A moment of the future says that the clock was set back: then it has."""
    return not since <= now < since + wait


def within(since: datetime, now: datetime, window: timedelta) -> bool:
    """Tell whether two moments are so close, whichever way the clock was set in between."""
    return abs(now - since) <= window
