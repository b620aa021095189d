"""The stand-in's event stream.

Contents: numbered events, listeners, and waiting until something is true. Not here: what the events mean.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
KEPT = 1000
MISSED = "missed"
"""The kind of event that replaces those a listener can no longer get: it has to reload everything."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its number, kind, time (seconds) and JSON-serialisable data."""

    number: int
    kind: str
    at: float
    data: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the event in the HTTP stream's form."""
        return {"number": self.number, "kind": self.kind, "at": self.at, **self.data}


class Feed:
    """Publishes events; retains the last thousand for listeners that reconnect."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.run = secrets.token_hex(4)  # numbers of another run are meaningless here
        self._number = 0
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._changed: set[asyncio.Event] = set()
        self.closed = False

    @property
    def last(self) -> int:
        """The number of the newest event, 0 before the first."""
        return self._number

    def publish(self, kind: str, **data: Any) -> None:
        """Notify all listeners; never blocks."""
        self._number += 1
        self._kept.append(Event(self._number, kind, self._now(), data))
        self._wake()

    def close(self) -> None:
        """End every listener's iteration."""
        self.closed = True
        self._wake()

    def since(self, number: int) -> list[Event]:
        """Return the retained events after `number`."""
        return [event for event in self._kept if event.number > number]

    async def listen(self, after: int | None = None, run: str | None = None) -> AsyncIterator[Event]:
        """Yield each event after number `after` (default: from now on) until the feed closes.

        If events after that number have been discarded, or it is of another run, a MISSED event replaces them.
        """
        seen = self._number if after is None else after
        if seen > self._number or run not in {None, self.run}:
            seen = self._number
            yield Event(seen, MISSED, self._now(), {})
        changed = asyncio.Event()
        self._changed.add(changed)
        try:
            while not self.closed:
                changed.clear()
                fresh = self.since(seen)
                if fresh and fresh[0].number > seen + 1:
                    yield Event(fresh[0].number - 1, MISSED, self._now(), {})
                for event in fresh:
                    seen = event.number
                    yield event
                if not fresh:
                    await changed.wait()
        finally:
            self._changed.discard(changed)

    async def wait_for(self, predicate: Callable[[], T | None], deadline: float = 60.0) -> T:
        """Return the first truthy result of `predicate`, evaluated now and after each event.

        Raises TimeoutError `deadline` seconds from now, naming the predicate.
        """
        changed = asyncio.Event()
        self._changed.add(changed)
        try:
            async with asyncio.timeout(deadline):
                while True:
                    changed.clear()
                    if found := predicate():
                        return found
                    await changed.wait()
        except TimeoutError:
            name = getattr(predicate, "__qualname__", repr(predicate))
            raise TimeoutError(f"not true within {deadline} s: {name}") from None
        finally:
            self._changed.discard(changed)

    def _wake(self) -> None:
        for changed in self._changed:
            changed.set()
