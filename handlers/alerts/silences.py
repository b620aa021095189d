"""Silences: for how long which accounts sound no alert, in one chat or everywhere. Pure.

What happens in a silence is held back, not lost: what still stands when it ends is told then.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LONGEST = timedelta(days=30)
_CONTROLLER = "controller"
"""How the controller itself, whose number is "", is written among the accounts of a kept silence."""
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION = re.compile(r"^(\d{1,4})\s?(m|min|h|d)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence. chat: None for everywhere. name: who asked for it.

    numbers: the accounts, "" among them for the controller's own troubles; none for all.
    """

    id: int
    chat: int | None
    numbers: frozenset[str]
    until: datetime
    name: str
    reason: str = ""

    def covers(self, chat: int, number: str, now: datetime) -> bool:
        """Tell whether an alert about this account makes no sound in this chat now."""
        here = self.chat is None or self.chat == chat
        return here and self.until > now and (not self.numbers or number in self.numbers)


class WrongDurationError(ValueError):
    """What was typed is no length of time. Its text is for people."""


def parse_duration(text: str) -> timedelta:
    """Return the length of time that was typed: `30m`, `2h`, `1d`. Raises WrongDurationError."""
    typed = _DURATION.match(text)
    length = int(typed[1]) * _UNITS[typed[2][0].lower()] if typed else timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise WrongDurationError(f"“{text[:20]}” is no length of time up to 30 days. Send it like 30m, 2h or 1d.")
    return length


def silenced_until(silences: Iterable[Silence], chat: int, number: str, now: datetime) -> datetime | None:
    """Return when the last silence that covers the account in this chat ends; None if none does."""
    return max((each.until for each in silences if each.covers(chat, number, now)), default=None)


class SilenceRow(Protocol):
    """A silence as it is kept."""

    @property
    def id(self) -> int:
        """What it is ended by."""

    @property
    def chat(self) -> int | None:
        """None for everywhere."""

    @property
    def numbers(self) -> str:
        """The accounts, as `written` gives them."""

    @property
    def until(self) -> datetime:
        """When it ends."""

    @property
    def name(self) -> str:
        """Who asked for it."""

    @property
    def reason(self) -> str:
        """Why, in their words."""


def written(numbers: Iterable[str]) -> str:
    """Return the numbers of a silence as they are kept: "" for all."""
    return ",".join(sorted(number or _CONTROLLER for number in numbers))


def silence_of(row: SilenceRow) -> Silence:
    """Return a kept silence."""
    numbers = frozenset("" if each == _CONTROLLER else each for each in row.numbers.split(",") if each)
    return Silence(row.id, row.chat, numbers, row.until, row.name, row.reason)


def silences_of(rows: Sequence[SilenceRow]) -> list[Silence]:
    """Return kept silences."""
    return [silence_of(row) for row in rows]
