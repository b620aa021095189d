"""Telegram's rate limits: the budgets of each chat and of the whole bot, and which calls must wait.

Contents: the arithmetic of Telegram's flood limits, on times passed as arguments. Not here: reading a
clock, chats, HTTP. Telegram publishes "about one message a second for a chat, 20 a minute for a group, about 30 a
second in total" (core.telegram.org/bots/faq) and no more; bursts and penalties are the assumptions named below.
"""

import math
from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The budgets. Rates are in messages per second, edits included; each refusal asks for `penalty` seconds more.

    A private chat (its id is positive) has no per-minute budget, a group has.
    """

    chat_rate: float = 1.0
    chat_burst: int = 3
    group_per_minute: int = 20
    global_rate: float = 30.0
    global_burst: int = 30
    penalty: int = 0


@dataclass(slots=True)
class _Bucket:
    rate: float
    size: float
    level: float
    at: float

    def wait(self, now: float) -> float:
        """Return the seconds until one more is allowed; refills first."""
        self.level = min(self.size, self.level + max(0.0, now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.level >= 1 else (1 - self.level) / self.rate

    def take(self) -> None:
        self.level -= 1


@dataclass(slots=True)
class _ChatBudget:
    bucket: _Bucket
    minute: deque[float] = field(default_factory=deque)
    barred_at: float = 0.0
    barred_for: int = 0


class Budgets:
    """Token buckets for each chat and for the bot; without limits nothing is refused."""

    def __init__(self, limits: Limits | None) -> None:
        self.limits = limits
        self._chats: dict[int, _ChatBudget] = {}
        self._all: _Bucket | None = None

    def charge(self, chat_id: int, now: float) -> int:
        """Take one message for `chat_id` at `now` (seconds) and return 0, or return the whole seconds to wait.

        A refused message costs nothing; until a refusal expires, the chat stays blocked, as the real server enforces
        a flood wait to its end.
        """
        limits = self.limits
        if limits is None:
            return 0
        if self._all is None:
            self._all = _Bucket(limits.global_rate, limits.global_burst, limits.global_burst, now)
        chat = self._chats.get(chat_id)
        if chat is None:
            chat = _ChatBudget(_Bucket(limits.chat_rate, limits.chat_burst, limits.chat_burst, now))
            self._chats[chat_id] = chat
        if 0 <= now - chat.barred_at < chat.barred_for:
            return math.ceil(chat.barred_at + chat.barred_for - now)
        while chat.minute and not 0 <= now - chat.minute[0] < MINUTE:  # too old, or the clock jumped back
            chat.minute.popleft()
        of_chat = chat.bucket.wait(now)
        if chat_id < 0 and len(chat.minute) >= limits.group_per_minute:
            of_chat = max(of_chat, chat.minute[0] + MINUTE - now)
        of_all = self._all.wait(now)
        if of_chat > 0 or of_all > 0:
            seconds = max(1, math.ceil(max(of_chat, of_all))) + limits.penalty
            if of_chat > 0:
                chat.barred_at, chat.barred_for = now, seconds
            return seconds
        chat.bucket.take()
        if chat_id < 0:
            chat.minute.append(now)
        self._all.take()
        return 0
