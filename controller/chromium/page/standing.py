"""What is believed only once it has stood for a while. For one event loop."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
T = TypeVar("T")


class Standing(Generic[S, T]):
    """One thing for each subject. act: called with it when it has stood for its time."""

    def __init__(self, act: Callable[[S, T], None]) -> None:
        self._act = act
        self._standing: dict[S, tuple[T, asyncio.TimerHandle]] = {}

    def see(self, subject: S, seen: T | None, seconds: float) -> None:
        """Take what is seen of a subject now. The same as before goes on standing; None is nothing any more.

        Something else begins anew, but where the first was due in less time than that: what changes all the time
        stands too.
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
        """Whether something of this subject waits for its time."""
        return subject in self._standing

    def clear(self) -> None:
        """Forget everything."""
        for _, handle in self._standing.values():
            handle.cancel()
        self._standing.clear()

    def _believe(self, subject: S) -> None:
        seen, _ = self._standing.pop(subject)
        self._act(subject, seen)
