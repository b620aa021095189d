"""How much may be sent: budgets per chat and one for all chats, kept below Telegram's limits.

Pure arithmetic on times that are passed in; waiting and sending are in `send_queue`, the choice of the next in `turns`.
Telegram allows about one message a second per chat, 20 a minute in a group, edits included, and about 30 a second in
all. Messages can bunch up by as much as 0.9 s on their way and still arrive within the limits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.chat.messages import Lane

MINUTE = 61.0
"""Length of a minute as we count it: one second longer, since latency varies between messages."""
LONG_PAUSE = 300.0
"""Seconds: a longer pause of a chat is tried in between, and an alert does not wait for its end."""
FORGET_AT = 1000
"""How many chats are remembered before those without recent messages are forgotten."""

_DUST = 1e-6
"""Rounding error, in messages."""

_ALERTS, _ANSWERS, _REST = range(3)
_PART = {Lane.ALERTS: _ALERTS, Lane.ANSWERS: _ANSWERS, Lane.QR: _ANSWERS, Lane.UPDATES: _REST, Lane.CARDS: _REST}
_SHARES = (0.75, 0.19, 0.06)
"""Of a group's minute. Alerts get at least 0.75 × 17 messages in 61 s: one in 4.8 s, whatever else is waiting."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The budgets, in messages (edits count). overall, overall_burst: of all chats, per second and at once."""

    burst: float = 2.0
    per_second: float = 0.9
    group_per_minute: float = 20.0
    overall: float = 25.0
    overall_burst: float = 5.0


@dataclass(slots=True)
class _Bucket:
    size: float
    rate: float
    level: float
    at: float

    def wait(self, now: float, need: float = 1.0) -> float:
        self.level = min(self.size, self.level + max(0.0, now - self.at) * self.rate)
        self.at = max(self.at, now)
        return 0.0 if self.level > need - _DUST else (need - self.level) / self.rate


@dataclass(slots=True)
class _Minute:
    """A group's minute, divided into shares: each has room for one message that the others cannot use.

    What flows to a full share goes to the others, so that nothing is lost while one of them is idle.
    """

    rate: float
    at: float
    levels: list[float] = field(default_factory=lambda: [1.0] * len(_SHARES))

    def wait(self, now: float, part: int) -> float:
        left = max(0.0, now - self.at)
        while left > 0:
            left -= self._flow(self.levels, left)
        self.at = max(self.at, now)
        levels, waited = self.levels.copy(), 0.0
        while levels[part] < 1 - _DUST:
            waited += self._flow(levels, math.inf)
        return waited

    def _flow(self, levels: list[float], longest: float) -> float:
        """Refill until one more share is full, for at most so many seconds; return the seconds."""
        shares = {part: _SHARES[part] for part, level in enumerate(levels) if level < 1 - _DUST}
        flows = {part: self.rate * share / sum(shares.values()) for part, share in shares.items()}
        seconds = min([longest, *((1 - levels[part]) / flow for part, flow in flows.items())])
        for part, flow in flows.items():
            levels[part] += seconds * flow
        return seconds


@dataclass(slots=True)
class _Pause:
    """A silence that the service demands. until: its end; next_try: when it is nevertheless asked whether it lasts."""

    until: float = 0.0
    next_try: float = 0.0


@dataclass(slots=True)
class _Chat:
    bucket: _Bucket
    minute: _Minute | None
    alerts: "_Pause"
    others: "_Pause"

    def pause(self, lane: Lane) -> "_Pause":
        return self.alerts if lane is Lane.ALERTS else self.others


class RateLimits:
    """What was sent recently, and how long the next message has to wait."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        burst = self.limits.overall_burst
        self._all = _Bucket(burst, self.limits.overall, burst, 0.0)
        self._chats: dict[int, _Chat] = {}
        self._forget_at = FORGET_AT

    def wait(self, chat: int, lane: Lane, now: float, *, leave: int = 0) -> float:
        """Return the seconds until a message of this lane fits the chat's own budget; 0 if it does now.

        chat: above 0 for a private chat. leave: messages to leave in the chat's budget for others.
        """
        budget = self._chat(chat, now)
        minute = 0.0
        if budget.minute is not None:
            minute = budget.minute.wait(now, _PART[lane])
            if lane is not Lane.ALERTS:
                leave = max(leave, 1)  # groups are slow enough for that, and an alert always finds room
        second = budget.bucket.wait(now, min(1.0 + leave, self.limits.burst))
        return max(0.0, budget.pause(lane).next_try - now, minute, second)

    def wait_overall(self, now: float) -> float:
        """Return the seconds until the overall budget allows a message; 0 if it does now."""
        return self._all.wait(now)

    def take(self, chat: int, lane: Lane, now: float) -> None:
        """Count one message."""
        budget = self._chat(chat, now)
        budget.bucket.level -= 1
        if budget.minute is not None:
            budget.minute.levels[_PART[lane]] -= 1
        self._all.level -= 1

    def pause(self, chat: int, seconds: float, now: float, *, lane: Lane = Lane.ALERTS) -> None:
        """Send nothing to the chat for so long, as Telegram demanded of a message of this lane.

        A pause that is longer than `LONG_PAUSE` is tried once in that time: a proxy may have invented it, and nobody
        is answered meanwhile. What is demanded of others, such as edits alone, says nothing of alerts: the next one
        tries.
        """
        budget = self._chat(chat, now)
        for each in (budget.others, budget.alerts) if lane is Lane.ALERTS else (budget.others,):
            each.until = now + seconds
            each.next_try = max(each.next_try, now + min(seconds, LONG_PAUSE))

    def performed(self, chat: int, lane: Lane, now: float) -> None:
        """Note that the chat takes messages of this lane: no pause lasts for such any more."""
        self._chat(chat, now).pause(lane).until = 0.0

    def paused_for(self, chat: int, lane: Lane, now: float) -> float:
        """Return the seconds for which Telegram wants nothing of this lane in the chat; 0 if it wants no silence."""
        budget = self._chats.get(chat)
        return 0.0 if budget is None else max(0.0, budget.pause(lane).until - now)

    def is_to_be_tried(self, chat: int, lane: Lane, now: float) -> bool:
        """Return whether it is time to ask whether a pause lasts."""
        return self._chat(chat, now).pause(lane).next_try <= now

    @property
    def remembered(self) -> Sequence[int]:
        """The chats that are remembered."""
        return tuple(self._chats)

    def _chat(self, chat: int, now: float) -> _Chat:
        budget = self._chats.get(chat)
        if budget is None:
            if len(self._chats) >= self._forget_at:
                self._forget_idle(now)
            bucket = _Bucket(self.limits.burst, self.limits.per_second, self.limits.burst, now)
            minute = None if chat > 0 else _Minute((self.limits.group_per_minute - len(_SHARES)) / MINUTE, now)
            budget = self._chats[chat] = _Chat(bucket, minute, _Pause(), _Pause())
        return budget

    def _forget_idle(self, now: float) -> None:
        """Drop chats whose budget is full again, so that memory is bounded."""
        self._chats = {
            chat: budget
            for chat, budget in self._chats.items()
            if max(budget.others.until, budget.others.next_try, budget.alerts.until) > now
            or budget.bucket.wait(now, budget.bucket.size) > 0
            or (budget.minute is not None and any(budget.minute.wait(now, part) for part in range(len(_SHARES))))
        }
        self._forget_at = max(FORGET_AT, 2 * len(self._chats))
