"""Updates for the bot: the queue, the long poll and who may poll.

Contents: numbering, confirming by offset, the rule that a newer getUpdates ends the older one. Not here:
HTTP, webhooks (`webhook`) and the contents of updates.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.telegram.errors import ApiError, other_poller, webhook_active, webhook_set

FIRST_UPDATE_ID = 700_000_001
MAX_TIMEOUT = 50
CONFLICT_PAUSE = 3.0
FUTURE = 10
"""An offset more than this beyond the next number is from an earlier numbering: it confirms nothing (tdlib, TQueue)."""
# Sent only if requested (core.telegram.org/bots/api#getupdates).
ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True, slots=True)
class Update:
    """One update: its number, its kind and its JSON object."""

    number: int
    kind: str
    body: Any

    def to_json(self) -> dict[str, Any]:
        """Return the Bot API's Update."""
        return {"update_id": self.number, self.kind: self.body}


@dataclass(slots=True)
class Webhook:
    """Where updates are pushed to; an empty `url` means that they are polled."""

    url: str = ""
    secret_token: str = ""
    max_connections: int = 40
    last_error_at: float | None = None
    last_error: str = ""


@dataclass(slots=True)
class _Poll:
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    end: ApiError | Exception | None = None


class Updates:
    """The queue of one bot; `on_poll` is called whenever a getUpdates request begins to wait."""

    def __init__(self, now: Callable[[], float], on_poll: Callable[[], None]) -> None:
        self._now = now
        self._on_poll = on_poll
        self._next = FIRST_UPDATE_ID
        self._poll: _Poll | None = None
        self._next_conflict = 0.0
        self.pending: list[Update] = []
        self.allowed: frozenset[str] | None = None
        self.webhook = Webhook()
        self.pushed = asyncio.Event()

    @property
    def polling(self) -> bool:
        """Whether a getUpdates request is waiting right now."""
        return self._poll is not None

    def push(self, kind: str, body: dict[str, Any]) -> int | None:
        """Queue an update, unless the bot has excluded its kind; return its number."""
        wanted = kind not in ON_REQUEST if self.allowed is None else kind in self.allowed
        if not wanted:
            return None
        return self.push_raw(kind, body)

    def push_raw(self, kind: str, body: Any) -> int:
        """Queue an update as it is, whatever it contains, such as one that a client library cannot parse."""
        update = Update(self._next, kind, body)
        self._next += 1
        self.pending.append(update)
        self.pushed.set()
        if self._poll is not None:
            self._poll.changed.set()
        return update.number

    def allow(self, kinds: list[str] | None) -> None:
        """Apply `allowed_updates`: None changes nothing, an empty list means the default."""
        if kinds is not None:
            self.allowed = frozenset(kinds) or None

    def renumber(self, number: int) -> None:
        """Give the next update this number: after a week without updates Telegram begins anew, at random."""
        self._next = number

    def confirm(self, offset: int) -> None:
        """Discard the updates confirmed by `offset`; a negative one retains only the last few."""
        if offset < 0:
            self.pending = self.pending[offset:]
        elif 0 < offset <= self._next + FUTURE:
            self.pending = [update for update in self.pending if update.number >= offset]

    def set_webhook(self, webhook: Webhook) -> None:
        """Push updates from now on; a waiting poll is ended."""
        self.interrupt(webhook_set())
        self.webhook = webhook
        self.pushed.set()

    def drop(self) -> None:
        """Discard all pending updates."""
        self.pending.clear()

    def interrupt(self, error: ApiError | Exception) -> None:
        """End the waiting getUpdates request, if any, with `error`."""
        if self._poll is not None:
            self._poll.end = error
            self._poll.changed.set()

    async def get(self, offset: int, limit: int, timeout: int) -> list[Update]:  # noqa: ASYNC109 - Telegram's name
        """Answer one getUpdates: at once if something is pending, otherwise after up to `timeout` seconds (0–50)."""
        if self.webhook.url:
            raise webhook_active()
        if self._poll is not None:
            self.interrupt(other_poller())
        self.confirm(offset)
        if self.pending or timeout <= 0:
            return self.pending[:limit]
        poll = self._poll = _Poll()
        self._on_poll()
        try:
            async with asyncio.timeout(min(timeout, MAX_TIMEOUT)):
                while not self.pending and poll.end is None:
                    poll.changed.clear()
                    await poll.changed.wait()
        except TimeoutError:
            return []
        finally:
            if self._poll is poll:
                self._poll = None
        if poll.end is not None:
            await self._pause_between_conflicts(poll.end)
            raise poll.end
        return self.pending[:limit]

    async def _pause_between_conflicts(self, end: ApiError | Exception) -> None:
        """Delay a second conflict within 3 s, as the official server does (`fail_query_conflict`)."""
        if not isinstance(end, ApiError) or end.code != other_poller().code:
            return
        if self._now() < self._next_conflict:
            await asyncio.sleep(CONFLICT_PAUSE)
        else:
            self._next_conflict = self._now() + CONFLICT_PAUSE
