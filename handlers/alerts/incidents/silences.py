"""Silences: begun, ended, kept through restarts, and what they cover.

What happens in a silence is held back, not lost: what still stands when it ends is sent then.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from controller.incidents import Incident, Silence
from handlers.alerts.incidents.ledger import AlertStore

LONGEST = timedelta(days=30)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION = re.compile(r"^(\d{1,4})\s?(m|min|h|d)$", re.IGNORECASE)


class WrongDurationError(ValueError):
    """What was typed is no length of time. Its text is for people."""


def parse_duration(text: str) -> timedelta:
    """Return the length of time that was typed: `30m`, `2h`, `1d`. Raises WrongDurationError."""
    typed = _DURATION.match(text)
    length = int(typed[1]) * _UNITS[typed[2][0].lower()] if typed else timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise WrongDurationError(f"“{text[:20]}” is no length of time up to 30 days. Send it like 30m, 2h or 1d.")
    return length


class Silences:
    """The silences that last. changed: called when one began or ended, so that what waits is looked at anew."""

    def __init__(self, store: AlertStore, clock: Callable[[], datetime], changed: Callable[[], None]) -> None:
        self._store, self._clock, self._changed = store, clock, changed
        self._lasting: list[Silence] = []

    async def load(self) -> None:
        """Read those that an earlier run left. Raises OSError."""
        self._lasting = list(await self._store.silences(self._clock()))

    def lasting(self) -> list[Silence]:
        """Return those that last now, the oldest first."""
        now = self._clock()
        if any(each.until <= now for each in self._lasting):
            self._lasting = [each for each in self._lasting if each.until > now]
        return self._lasting

    def here(self, chat: int) -> list[Silence]:
        """Return those that last and concern this chat."""
        return [each for each in self.lasting() if each.chat in {None, chat}]

    def until(self, chat: int, number: str) -> datetime | None:
        """Return when the last silence that covers the account in this chat ends; None if none does."""
        now = self._clock()
        return max((each.until for each in self.lasting() if each.covers(chat, number, now)), default=None)

    def quiet_until(self, incident: Incident) -> datetime | None:
        """Return when the first of what stands in an incident is not silenced any more; None if any is not now."""
        ends = [self.until(incident.chat, entry.number) for entry in incident.open_entries] if self._lasting else []
        return min((end for end in ends if end is not None), default=None) if ends and None not in ends else None

    async def begin(
        self, chat: int | None, numbers: Iterable[str], lasts: timedelta, *, user: int, name: str, reason: str = ""
    ) -> Silence:
        """Begin a silence. chat: None for everywhere; numbers: none for all accounts. Raises OSError."""
        now = self._clock()
        asked = Silence(0, chat, frozenset(numbers), now + lasts, name, reason)
        silence = replace(asked, id=await self._store.add_silence(asked, now, user))
        self._lasting = [*self._lasting, silence]
        self._changed()
        return silence

    async def end(self, silence: int) -> Silence | None:
        """End a silence before its time: what it held back is sent now. None if there is none. Raises OSError."""
        ended = next((each for each in self.lasting() if each.id == silence), None)
        if ended is None:
            return None
        await self._store.end_silence(silence)
        self._lasting = [each for each in self._lasting if each.id != silence]
        self._changed()
        return ended
