"""Debouncing: things that are believed only once they have persisted for a while. For one event loop."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")


class Standing(Generic[S, T]):
    """Debounces one value per subject. act: called with the value once it has persisted for its time."""

    def __init__(self, act: Callable[[S, T], None]) -> None:
        self._act = act
        self._standing: dict[S, tuple[T, asyncio.TimerHandle]] = {}

    def see(self, subject: S, seen: T | None, seconds: float) -> None:
        """Note a subject's current value. An unchanged value goes on waiting; None cancels it.

        A different value starts over, unless the first one is due sooner: something that changes all the time
        persists, too.
        """
        before = self._standing.get(subject)
        if before is not None and before[0] == seen:
            return
        if before is not None:
            before[1].cancel()
            del self._standing[subject]
        if seen is None:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds if before is None else min(before[1].when(), loop.time() + seconds)
        self._standing[subject] = seen, loop.call_at(due, self._believe, subject)

    def stands(self, subject: S) -> bool:
        """Whether a value of this subject is waiting."""
        return subject in self._standing

    def clear(self) -> None:
        """Cancel everything."""
        for _, handle in self._standing.values():
            handle.cancel()
        self._standing.clear()

    def _believe(self, subject: S) -> None:
        seen, _ = self._standing.pop(subject)
        self._act(subject, seen)
