"""In-process locks on profiles: one opening with its browser, or one restore, at a time.

They exclude concurrent work of this program. Other programs are kept out by the browser's own lock (`launcher`) and by
that of DATA_DIR. Not here: what a holder does with the profile.
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
    """A lock on one profile, from `ProfileLocks.acquire` until `release`."""

    def __init__(self, freed: Callable[[], None]) -> None:
        self._freed = freed
        self._thread: asyncio.Future[Any] | None = None
        self.pid: int | None = None
        """The browser that has the profile open, if any."""
        self.changed = asyncio.Event()
        """Set once the profile is free, or a browser has it open."""

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call in a thread. A cancelled caller returns at once; the lock is kept until it is done."""
        thread = asyncio.get_running_loop().run_in_executor(None, lambda: function(*args, **kwargs))
        self._thread = thread
        return await asyncio.shield(thread)

    def keep(self, pid: int) -> None:
        """Extend the lock until `release`, for an open browser. Waiters are refused: it may stay open for days."""
        self.pid = pid
        self.changed.set()

    def release(self) -> None:
        """Release the profile as soon as no thread of this holder works on it any more."""
        if self._thread is not None and not self._thread.done():
            self._thread.add_done_callback(lambda _: self._freed())
        else:
            self._freed()


class ProfileLocks:
    """The locks on all profiles, by profile name. For one event loop."""

    def __init__(self) -> None:
        self._held: dict[str, ProfileLock] = {}

    @asynccontextmanager
    async def acquire(self, name: str) -> AsyncIterator[ProfileLock]:
        """Lock a profile once its current opening or restore is done; `ProfileLock.keep` extends the lock.

        Raises DriverError(PROFILE_IN_USE) if a browser has it open.
        """
        while (other := self._held.get(name)) is not None:
            if other.pid is not None:
                raise DriverError(Reason.PROFILE_IN_USE, f"profile in use by process {other.pid}")
            await other.changed.wait()
        lock = self._held[name] = ProfileLock(lambda: self._free(name))
        try:
            yield lock
        finally:
            if lock.pid is None:
                lock.release()

    def _free(self, name: str) -> None:
        self._held.pop(name).changed.set()
