"""Who may touch a profile: one opening with the browser that comes of it, or one restore, and never two at a time.

This keeps apart what one program does. Other programs are kept away by the browser's own lock (`launcher`) and by that
of DATA_DIR. What never lives here: what a holder does with the profile.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

from controller.accounts.reasons import Reason
from controller.driver import DriverError

P = ParamSpec("P")
T = TypeVar("T")


class ProfileLock:
    """The right to one profile, from `Holds.held` until `release`."""

    def __init__(self, freed: Callable[[], None]) -> None:
        self._freed = freed
        self._thread: asyncio.Future[Any] | None = None
        self.pid: int | None = None
        """The browser that has the profile open, where one does."""
        self.changed = asyncio.Event()
        """Set once the profile is free, or a browser has it open."""

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what blocks in a thread. A cancelled caller goes at once, but the hold lasts until the thread is done."""
        thread = asyncio.get_running_loop().run_in_executor(None, lambda: function(*args, **kwargs))
        self._thread = thread
        return await asyncio.shield(thread)

    def keep(self, pid: int) -> None:
        """Hold it until `release`, for a browser that is open now. Who waits is refused: it may stay for days."""
        self.pid = pid
        self.changed.set()

    def release(self) -> None:
        """Give the profile to the next, as soon as no thread of this holder works on it any more."""
        if self._thread is not None and not self._thread.done():
            self._thread.add_done_callback(lambda _: self._freed())
        else:
            self._freed()


class ProfileLocks:
    """The profiles that are held now, by the names of their profiles. For one event loop."""

    def __init__(self) -> None:
        self._held: dict[str, ProfileLock] = {}

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[ProfileLock]:
        """Hold a profile, after whoever opens or restores it now; `Hold.keep` makes that last longer.

        Raises DriverError(PROFILE_IN_USE) where a browser has it open.
        """
        while (other := self._held.get(name)) is not None:
            if other.pid is not None:
                raise DriverError(Reason.PROFILE_IN_USE, f"profile in use by process {other.pid}")
            await other.changed.wait()
        hold = self._held[name] = ProfileLock(lambda: self._free(name))
        try:
            yield hold
        finally:
            if hold.pid is None:
                hold.release()

    def _free(self, name: str) -> None:
        self._held.pop(name).changed.set()
