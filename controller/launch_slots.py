"""Launch slots: so many browsers may be launching at once, and none while somebody holds launches back (L13)."""

import asyncio
from types import TracebackType


class LaunchSlots:
    """Slots to be held with `async with`, granted in the order in which they were asked for.

    Holds are by name: launches go on when the last one is released. A launch under way is never taken back.
    """

    def __init__(self, count: int) -> None:
        self._slots = asyncio.Semaphore(count)
        self._holds: set[str] = set()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def holds(self) -> frozenset[str]:
        """The names of who holds launches back now."""
        return frozenset(self._holds)

    def hold(self, name: str) -> None:
        """Grant no more slots until `release` is called with this name."""
        self._holds.add(name)
        self._open.clear()

    def release(self, name: str) -> None:
        """End a hold, if there is one of this name."""
        self._holds.discard(name)
        if not self._holds:
            self._open.set()

    def locked(self) -> bool:
        """Whether whoever asks now would have to wait."""
        return self._slots.locked() or bool(self._holds)

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        try:
            await self._open.wait()
        except BaseException:
            self._slots.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slots.release()
