"""The controller's side of the archives: what a cluster's controller asks of profiles, where no folder is shared.

It lists archives, records what people choose, and tells where an account's newest state is. It also gives out epochs:
they begin at the term that this controller has claimed in the store itself, so they are higher than all that the store
has ever seen, whatever became of the database. Not here: where accounts are placed (`controller.cluster`).
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from controller.accounts.reasons import Reason
from controller.chromium.archived_driver import ArchiveOptions
from controller.chromium.profile.archives import TERM, ArchiveStore, DamagedArchiveError, Manifest
from controller.chromium.profile.history import Kind, Mark, newest_use
from controller.chromium.profile.names import NAME, ProfileError
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import Vault, parts_of
from controller.driver import DriverError, SavedSession
from controller.hosts import Home
from controller.tasks import DaemonThreads

T = TypeVar("T")

SECONDS = 15.0
"""Limit for each question to the store."""
ADOPT_SECONDS = 600.0
_MOST_THREADS = 32


class ArchiveFiles:
    """Implements `controller.hosts.Archives`. For one event loop.

    data_dir: the controller's; profiles from before there were archives are taken over from there.
    """

    def __init__(self, options: ArchiveOptions, data_dir: Path, *, now: Callable[[], float] = time.time) -> None:
        self._options, self._data_dir, self._now = options, data_dir.absolute(), now
        self._store = ArchiveStore(options.url)
        self._vault = Vault(data_dir, options.vault_key)
        self._threads = DaemonThreads("archives", _MOST_THREADS)
        self._epochs: Iterator[int] | None = None
        self._claiming = asyncio.Lock()

    def next_epoch(self) -> int:
        """Return an epoch higher than all before. Raises DriverError before `prepare` has succeeded."""
        if self._epochs is None:
            raise DriverError(Reason.LAUNCH_FAILED, "the archives have not been reached yet")
        return next(self._epochs)

    async def prepare(self) -> None:
        """Claim a term, once; then take over profiles from before there were archives. Raises DriverError."""
        async with self._claiming:
            if self._epochs is None:
                term = await self._ask(self._store.claim_term)
                epochs = itertools.count(term * TERM + 1)
                await self._ask(lambda: self._adopt(epochs), seconds=ADOPT_SECONDS)
                self._epochs = epochs

    async def home(self, account: str) -> Home | None:
        """Return where an account's newest state is; None if that makes no difference. Raises DriverError."""
        await self.prepare()
        return await self._ask(lambda: self._home(self._options.name_of(account)))

    async def has_session(self, account: str) -> bool:
        """Return whether the newest state of an account seems to hold a session."""
        return await self._ask(lambda: self._has_session(self._options.name_of(account)))

    async def saved(self, account: str) -> list[SavedSession]:
        """Return an account's archives, newest first."""
        found = await self._ask(lambda: self._store.archives(self._options.name_of(account)))
        return [SavedSession(mark.name, manifest.at, manifest.size) for mark, manifest in found]

    async def restore(self, account: str, name: str) -> None:
        """Record that a person has chosen an archive: the next opening begins with it, on whatever machine."""
        try:
            await self._choose(account, name)
        except DriverError as error:
            raise DriverError(Reason.RESTORE_FAILED, error.detail) from error

    async def discard(self, account: str) -> None:
        """Record that a person has chosen to begin with an empty profile."""
        await self._choose(account, None)

    async def _choose(self, account: str, chosen: str | None) -> None:
        await self.prepare()
        # Before the store is asked: if the mark arrives late, it must not count for more than what came after it.
        name, epoch = self._options.name_of(account), self.next_epoch()

        def choose() -> None:
            manifest = Manifest(self._now())
            if chosen is not None:
                found = {mark.name: manifest for mark, manifest in self._store.archives(name)}
                if chosen not in found:
                    raise ProfileError("this archive does not exist any more")
                manifest = found[chosen]
            self._store.write(name, Mark(epoch, Kind.CHOSEN), manifest)

        await self._ask(choose)

    async def remove(self, account: str) -> None:
        """Delete an account's archives, and record that no machine may use what it still has of it."""
        await self.prepare()
        name, epoch = self._options.name_of(account), self.next_epoch()

        def remove() -> None:
            self._store.write(name, Mark(epoch, Kind.REMOVED), Manifest(self._now()))
            self._store.clear(name, epoch)
            profile = Profile.of(self._data_dir, account)
            profile.delete()
            self._vault.delete(profile)

        await self._ask(remove)

    async def check(self) -> str:
        """Return why the store cannot be used, in one line; "" if it can."""
        try:
            await self._ask(self._store.check)
        except DriverError as error:
            return error.detail
        return ""

    async def stop(self) -> None:
        """Nothing is left to stop: a call that hangs ends with the program."""

    # --- blocking -----------------------------------------------------------------------------------------------------

    def _home(self, name: str) -> Home | None:
        newest = newest_use(self._store.marks(name))
        if newest is None or newest.kind not in {Kind.OPEN, Kind.CLOSED}:
            return None
        try:
            return Home(self._store.read(name, newest).host, alone=newest.kind is Kind.OPEN)
        except DamagedArchiveError:
            return None

    def _has_session(self, name: str) -> bool:
        newest = newest_use(self._store.marks(name))
        if newest is None or newest.kind is Kind.REMOVED:
            return False
        try:
            return newest.kind is Kind.OPEN or bool(self._store.read(name, newest).file)
        except DamagedArchiveError:
            return True

    def _adopt(self, epochs: Iterator[int]) -> None:
        """Archive the profiles of this DATA_DIR that the store has never heard of: they are from one machine's time."""
        folder = self._data_dir / "profiles"
        for path in folder.iterdir() if folder.is_dir() else ():
            profile = Profile(self._data_dir, path.name)
            if not NAME.fullmatch(path.name) or not parts_of(path) or profile.record() is not None:
                continue
            if profile.is_locked() or self._store.marks(path.name):
                continue
            packed = self._vault.pack(path, self._data_dir / "archives" / path.name / "packed")
            try:
                self._store.upload(path.name, Mark(next(epochs), Kind.CLOSED), packed, Manifest(self._now()))
            finally:
                packed.unlink(missing_ok=True)

    async def _ask(self, function: Callable[[], T], seconds: float | None = None) -> T:
        """Ask the store in a thread. Raises DriverError."""
        call = asyncio.get_running_loop().run_in_executor(self._threads, function)
        call.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may end unattended
        try:
            async with asyncio.timeout(seconds or SECONDS):
                return await asyncio.shield(call)
        except TimeoutError:
            raise DriverError(Reason.LAUNCH_FAILED, "the archives do not answer in time") from None
        except ProfileError as error:
            raise DriverError(Reason.LAUNCH_FAILED, str(error)) from error
        except OSError as error:
            detail = f"the archives cannot be used: {error.strerror or type(error).__name__}"
            raise DriverError(Reason.LAUNCH_FAILED, detail) from error
