"""Telegram's time, by which the age of what people send is judged: the host's clock may be an hour off, or jump.

Each response's HTTP `Date` says what time it is there; in between, the time since the machine booted runs on, which no
setting of the clock changes. As long as no response has said it, as behind some proxies, the host's clock is used.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

YEARS = range(2015, 9999)
"""Since the Bot API's first year: a `Date` of another one is nobody's time."""
JITTER = timedelta(seconds=5)
"""Two responses agree if they differ by at most this: a header has whole seconds, and takes its time to arrive."""
DOUBTED_SECONDS = 10.0
"""How long later responses must keep saying that it is earlier than was thought, until that is believed."""


def since_boot() -> float:
    """Return the seconds since the machine booted, including those for which it was suspended where that is known."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class TelegramClock:
    """Call it for Telegram's time. host: the host's clock. steady: seconds that no setting of the clock changes."""

    def __init__(self, host: Callable[[], datetime], steady: Callable[[], float] = since_boot) -> None:
        self._host, self._steady = host, steady
        self._zero: datetime | None = None
        """Telegram's time when `steady` was zero; None while it is unknown."""
        self._doubted_since: float | None = None

    def __call__(self) -> datetime:
        """Return Telegram's time: aware, UTC."""
        return self._host() if self._zero is None else self._zero + timedelta(seconds=self._steady())

    def confirmed(self) -> datetime | None:
        """Return the earlier of both clocks' times; None as long as Telegram's is unknown.

        By this, one clock alone makes nothing old: neither a host's that is set ahead nor one wrong response.
        """
        return None if self._zero is None else min(self(), self._host())

    def read(self, date: str | None) -> None:
        """Take the `Date` header of a response that has just come from Telegram. Never raises.

        A response may be read long after it was made, on a machine that was suspended meanwhile, and one may be wrong.
        So a time later than the known one is taken at once: ages are rather overestimated, and then people are asked.
        An earlier one counts only if it is said again and again.
        """
        said = _parsed(date)
        if said is None:
            return
        now = self._steady()
        zero = said - timedelta(seconds=now)
        if self._zero is not None and zero < self._zero - JITTER:
            if self._doubted_since is None:
                self._doubted_since = now
            if now - self._doubted_since < DOUBTED_SECONDS:
                return
        self._zero, self._doubted_since = zero, None


def _parsed(date: str | None) -> datetime | None:
    """Return the time of a `Date` header; None if it is none."""
    try:
        said = parsedate_to_datetime(date or "")
        said = said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return said if said.year in YEARS else None
