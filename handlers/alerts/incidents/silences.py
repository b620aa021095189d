"""Silences: creating, ending, storing, and what they cover.

An alert during a silence is held back, not lost: if it still stands when the silence ends, it is sent then.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from controller.incidents import Incident, Silence
from handlers.alerts.incidents.ledger import AlertStore

LONGEST = timedelta(days=30)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION = re.compile(r"^(\d{1,4})\s?(m|mins?|minutes?|h|hrs?|hours?|d|days?)$", re.IGNORECASE)


class WrongDurationError(ValueError):
    """The text is not a duration. The message is for people."""


def parse_duration(text: str) -> timedelta:
    """Parse a duration: `30m`, `2h`, `1d`, `2 hours`. Raises WrongDurationError."""
    typed = _DURATION.match(text)
    length = int(typed[1]) * _UNITS[typed[2][0].lower()] if typed else timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise WrongDurationError(f"“{text[:20]}” is no length of time up to 30 days. Send it like 30m, 2h or 1d.")
    return length


def is_duration(text: str) -> bool:
    """Return whether `parse_duration` accepts the text."""
    try:
        parse_duration(text)
    except WrongDurationError:
        return False
    return True


class Silences:
    """The active silences. changed: called when one begins or ends, so that pending alerts are re-examined.

    clock: by which they last, whatever becomes of the host's clock. host_clock: by which alerts are dated.
    """

    def __init__(
        self,
        store: AlertStore,
        clock: Callable[[], datetime],
        changed: Callable[[], None],
        *,
        host_clock: Callable[[], datetime],
    ) -> None:
        self._store, self._clock, self._changed, self._host_clock = store, clock, changed, host_clock
        self._active: list[Silence] = []

    async def load(self) -> None:
        """Load the stored silences. Raises OSError."""
        self._active = list(await self._store.silences(self._clock()))

    def active(self) -> list[Silence]:
        """Return the active ones, oldest first."""
        now = self._clock()
        if any(each.until <= now for each in self._active):
            self._active = [each for each in self._active if each.until > now]
        return self._active

    def active_in(self, chat: int) -> list[Silence]:
        """Return the active ones that concern this chat."""
        return [each for each in self.active() if each.chat in {None, chat}]

    def until(self, chat: int, number: str) -> datetime | None:
        """Return when the last silence of the account in this chat ends; None if there is none."""
        now = self._clock()
        return max((each.until for each in self.active() if each.covers(chat, number, now)), default=None)

    def quiet_until(self, incident: Incident) -> datetime | None:
        """Return when, by the host's clock, the first open entry is no longer silenced; None if one is not now."""
        ends = [self.until(incident.chat, entry.number) for entry in incident.open_entries] if self._active else []
        first = min((end for end in ends if end is not None), default=None) if ends and None not in ends else None
        return None if first is None else self._host_clock() + (first - self._clock())

    async def begin(
        self, chat: int | None, numbers: Iterable[str], lasts: timedelta, *, user: int, name: str, reason: str = ""
    ) -> Silence:
        """Begin a silence. chat: None for everywhere; numbers: empty for all accounts. Raises OSError."""
        now = self._clock()
        asked = Silence(0, chat, frozenset(numbers), now + lasts, name, reason)
        silence = replace(asked, id=await self._store.add_silence(asked, now, user))
        self._active = [*self._active, silence]
        self._changed()
        return silence

    async def end(self, silence: int) -> Silence | None:
        """End a silence early, which sends what it held back. None if it does not exist. Raises OSError."""
        ended = next((each for each in self.active() if each.id == silence), None)
        if ended is None:
            return None
        await self._store.end_silence(silence)
        self._active = [each for each in self._active if each.id != silence]
        self._changed()
        return ended
