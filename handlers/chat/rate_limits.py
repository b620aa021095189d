"""How much may be sent: a budget for each chat and one for all, kept below what Telegram allows.

Pure arithmetic on the seconds that are handed in. Telegram allows about 1 message a second and 20 a minute for a chat,
edits included, and about 30 a second over all. Waiting and sending are in `send_queue`.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.chat.messages import Lane

MINUTE = 61.0
"""A minute as we count it: a second longer, since our messages do not all take the same time to arrive."""

_DUST = 1e-6
"""What rounding leaves of a message."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The budgets, in messages (edits count).

    They keep below Telegram's 3 at once and 1 a second also where messages bunch on their way, by up to 0.9 s.
    burst, per_second: of one chat. per_minute: of one chat, up to which each lane may fill the last minute, so that
    cards never take the place of an alert, nor alerts that of an answer. overall: a second, all chats together.
    """

    burst: float = 2.0
    per_second: float = 0.9
    per_minute: Mapping[Lane, int] = field(
        default_factory=lambda: {Lane.QR: 19, Lane.ANSWERS: 18, Lane.ALERTS: 17, Lane.UPDATES: 16, Lane.CARDS: 12}
    )
    overall: float = 25.0


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
class _Chat:
    bucket: _Bucket
    sent: deque[float] = field(default_factory=deque)
    paused_until: float = 0.0


class RateLimits:
    """What has been sent of late, and how long the next message has to wait."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._all = _Bucket(self.limits.overall, self.limits.overall, self.limits.overall, 0.0)
        self._chats: dict[int, _Chat] = {}

    def wait(self, chat: int, lane: Lane, now: float) -> float:
        """Return the seconds until a message of this lane may go to the chat; 0 if it may go now."""
        budget = self._chat(chat, now)
        while budget.sent and budget.sent[0] <= now - MINUTE:
            budget.sent.popleft()
        room = self.limits.per_minute[lane] - len(budget.sent)
        minute = 0.0 if room > 0 else budget.sent[-room] + MINUTE - now
        # What is not urgent leaves one message of the burst to whatever is, and comes next.
        second = budget.bucket.wait(now, 2.0 if lane >= Lane.UPDATES else 1.0)
        return max(0.0, budget.paused_until - now, minute, second, self._all.wait(now))

    def take(self, chat: int, now: float) -> None:
        """Count one message."""
        budget = self._chat(chat, now)
        budget.bucket.level -= 1
        budget.sent.append(now)
        self._all.level -= 1

    def pause(self, chat: int, until: float) -> None:
        """Let nothing go to the chat before `until`: Telegram has asked for it."""
        budget = self._chat(chat, until)
        budget.paused_until = max(budget.paused_until, until)

    def forget_idle(self, now: float) -> None:
        """Drop what is remembered of chats that nothing was sent to of late."""
        idle = [
            chat
            for chat, budget in self._chats.items()
            if budget.paused_until <= now and (not budget.sent or budget.sent[-1] <= now - MINUTE)
        ]
        for chat in idle:
            del self._chats[chat]

    def _chat(self, chat: int, now: float) -> _Chat:
        budget = self._chats.get(chat)
        if budget is None:
            bucket = _Bucket(self.limits.burst, self.limits.per_second, self.limits.burst, now)
            budget = self._chats[chat] = _Chat(bucket)
        return budget
