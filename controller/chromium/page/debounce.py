"""Debouncing: things that are believed only once they have persisted for a while. For one event loop."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")


class Debouncer(Generic[S, T]):
    """Debounces one value per subject. act: called with the value once it has persisted for its time."""

    def __init__(self, act: Callable[[S, T], None]) -> None:
        self._act = act
        self._pending: dict[S, tuple[T, asyncio.TimerHandle]] = {}

    def update(self, subject: S, seen: T | None, seconds: float) -> None:
        """Note a subject's current value. An unchanged value goes on waiting; None cancels it.

        A different value starts over, unless the first one is due sooner: something that changes all the time
        persists, too.
        """
        before = self._pending.get(subject)
        if before is not None and before[0] == seen:
            return
        if before is not None:
            before[1].cancel()
            del self._pending[subject]
        if seen is None:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds if before is None else min(before[1].when(), loop.time() + seconds)
        self._pending[subject] = seen, loop.call_at(due, self._believe, subject)

    def is_pending(self, subject: S) -> bool:
        """Whether a value of this subject is waiting."""
        return subject in self._pending

    def clear(self) -> None:
        """Cancel everything."""
        for _, handle in self._pending.values():
            handle.cancel()
        self._pending.clear()

    def _believe(self, subject: S) -> None:
        seen, _ = self._pending.pop(subject)
        self._act(subject, seen)
