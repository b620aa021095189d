"""The duty roster: parsing, evaluation of the plan, storage.

Alerts make a sound in the private chat of whoever is on duty and are silent elsewhere until they are escalated.
Times of day are those of people's clocks (TIME_ZONE).
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from controller.incidents import Roster, Shift, Target
from handlers.alerts.incidents.silences import WrongDurationError, parse_duration
from handlers.texts.vocabulary import from_local, to_local

SHIFTS_AT_MOST, TARGETS_AT_MOST = 50, 20
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")


class WrongDutyError(ValueError):
    """The text is not a time, day or person. The message is for people."""


class DutyStore(Protocol):
    """Storage of the roster. Every method raises OSError on failure."""

    async def roster(self) -> Roster:
        """Return the roster."""

    async def save(self, roster: Roster) -> None:
        """Replace the stored roster."""


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who is on duty, and until when. user: also the id of their private chat."""

    user: int
    name: str
    until: datetime


def on_duty(roster: Roster, now: datetime) -> OnDuty | None:
    """Return who is on duty: by an override, else by the first line of the plan that covers the time."""
    override = roster.override
    if override is not None and now < override.until:
        return None if override.user is None else OnDuty(override.user, override.name, override.until)
    for shift in roster.shifts:
        if (until := _until(shift, now)) is not None:
            return OnDuty(shift.user, shift.name, until)
    return None


def _until(shift: Shift, now: datetime) -> datetime | None:
    """Return when the shift that covers the time ends; None if it does not."""
    today = to_local(now)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
    for began in (midnight, midnight - timedelta(days=1)):
        lasts = (shift.end - shift.start) % 1440 or 1440
        start = began + timedelta(minutes=shift.start)
        if began.weekday() in shift.days and start <= today < start + timedelta(minutes=lasts):
            return from_local(start + timedelta(minutes=lasts))
    return None


def parse_until(text: str, now: datetime) -> datetime:
    """Parse a time: `18:00`, the next one, or a duration such as `8h`. Raises WrongDutyError."""
    text = text.strip().lower()
    if _TIME.fullmatch(text):
        here = to_local(now)
        minute = parse_minute(text) % 1440
        until = here.replace(hour=minute // 60, minute=minute % 60, second=0, microsecond=0)
        until += timedelta(days=until <= here)
        return from_local(until)
    try:
        return now + parse_duration(text)
    except WrongDurationError:
        raise WrongDutyError(
            f"“{text[:20]}” is no time of the day such as 18:00, and no length up to 30d such as 8h."
        ) from None


def parse_minute(text: str) -> int:
    """Parse a time of day as a minute, 1440 for 24:00. Raises WrongDutyError."""
    typed = _TIME.fullmatch(text)
    minute = int(typed[1]) * 60 + int(typed[2]) if typed and int(typed[2]) < 60 else -1  # noqa: PLR2004 - minutes
    if not 0 <= minute <= 1440:  # noqa: PLR2004 - minutes of a day
        raise WrongDutyError(f"“{text[:20]}” is no time of the day such as 18:00.")
    return minute


def parse_days(text: str) -> frozenset[int]:
    """Parse days: `mon-fri`, `sat,sun`, `daily`. Raises WrongDutyError."""
    if text.lower() == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in _DAYS or last not in _DAYS:
            raise WrongDutyError(f"“{text[:20]}” is no day such as mon, mon-fri, sat,sun or daily.")
        start, end = _DAYS.index(first), _DAYS.index(last)
        days |= {day % 7 for day in range(start, end + 1 + (7 if end < start else 0))}
    return frozenset(days)


def days_in_words(days: frozenset[int]) -> str:
    """Format days the way they are typed."""
    if len(days) == len(_DAYS):
        return "daily"
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    names = [_DAYS[run[0]] + (f"-{_DAYS[run[-1]]}" if len(run) > 1 else "") for run in runs]
    return ",".join(names)


class Duty:
    """The roster, cached and stored."""

    def __init__(self, store: DutyStore, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._changing = asyncio.Lock()
        self.roster = Roster()

    async def load(self) -> None:
        """Load the stored roster. Raises OSError."""
        self.roster = await self._store.roster()

    def now(self) -> OnDuty | None:
        """Return who is on duty."""
        return on_duty(self.roster, self._clock())

    def is_called(self, user: int) -> bool:
        """Return whether somebody is on duty or on the list, and may acknowledge whatever is escalated to them."""
        now = self.now()
        return (now is not None and now.user == user) or any(each.chat == user for each in self.roster.targets)

    def name_of(self, user: int) -> str | None:
        """Return the name of a person on the roster."""
        people = [(each.user, each.name) for each in self.roster.shifts]
        people += [(each.chat, each.name) for each in self.roster.targets]
        if self.roster.override is not None and self.roster.override.user is not None:
            people.append((self.roster.override.user, self.roster.override.name))
        return next((name for one, name in people if one == user), None)

    def find(self, name: str) -> int | None:
        """Find a person on the roster by name."""
        people = [(each.user, each.name) for each in self.roster.shifts]
        people += [(each.chat, each.name) for each in self.roster.targets if each.chat > 0]
        return next((user for user, each in people if each.casefold() == name.casefold()), None)

    async def change(self, change: Callable[[Roster], Roster]) -> Roster:
        """Store a change of the roster and return the result. Raises OSError, leaving it unchanged."""
        async with self._changing:
            roster = change(self.roster)
            await self._store.save(roster)
            self.roster = roster
            return roster


def with_shift(roster: Roster, shift: Shift) -> Roster:
    """Return the roster with another line of the plan. Raises WrongDutyError."""
    if len(roster.shifts) >= SHIFTS_AT_MOST:
        raise WrongDutyError(f"The plan has {SHIFTS_AT_MOST} lines already.")
    return replace(roster, shifts=(*roster.shifts, shift))


def without_person(roster: Roster, user: int) -> Roster:
    """Return the roster without somebody who has lost access."""
    override = None if roster.override is not None and roster.override.user == user else roster.override
    shifts = tuple(each for each in roster.shifts if each.user != user)
    return Roster(override, shifts, tuple(each for each in roster.targets if each.chat != user))


def with_target(roster: Roster, target: Target) -> Roster:
    """Return the roster with somebody at the end of the list, moved there if already on it. Raises WrongDutyError."""
    others = tuple(each for each in roster.targets if each.chat != target.chat)
    if len(others) >= TARGETS_AT_MOST:
        raise WrongDutyError(f"The list has {TARGETS_AT_MOST} entries already.")
    return replace(roster, targets=(*others, target))
