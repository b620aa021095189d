"""Debouncing: things that are believed only once they have persisted for a while. For one event loop."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")
_MOST = 3


@dataclass(frozen=True, slots=True)
class _Pending(Generic[T]):
    """A value that waits. since: when the first one of its subject was seen, by the loop's time."""

    seen: T
    since: float
    handle: asyncio.TimerHandle


class Debouncer(Generic[S, T]):
    """Debounces one value per subject.

    act: called with the value once it has persisted for its time. kind: values of the same kind say the same.
    """

    def __init__(self, act: Callable[[S, T], None], kind: Callable[[T], Hashable]) -> None:
        self._act, self._kind = act, kind
        self._pending: dict[S, _Pending[T]] = {}

    def update(self, subject: S, seen: T | None, seconds: float) -> None:
        """Note a subject's current value. One of the same kind goes on waiting; None cancels it.

        Another kind starts over, so that none is believed at a glimpse; but something that changes all the time
        persists, too: after three times its seconds the newest is believed.
        """
        before = self._pending.pop(subject, None)
        if before is not None:
            before.handle.cancel()
        if seen is None:
            return
        loop = asyncio.get_running_loop()
        since, due = loop.time(), loop.time() + seconds
        if before is not None:
            same = self._kind(before.seen) == self._kind(seen)
            since, due = before.since, before.handle.when() if same else min(due, before.since + _MOST * seconds)
        self._pending[subject] = _Pending(seen, since, loop.call_at(due, self._believe, subject))

    def is_pending(self, subject: S) -> bool:
        """Whether a value of this subject is waiting."""
        return subject in self._pending

    def clear(self) -> None:
        """Cancel everything."""
        for each in self._pending.values():
            each.handle.cancel()
        self._pending.clear()

    def _believe(self, subject: S) -> None:
        self._act(subject, self._pending.pop(subject).seen)
