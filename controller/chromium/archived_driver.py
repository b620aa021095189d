"""Opens browsers on a machine that shares no folder with the others: profiles travel through archives.

Before a browser starts, the machine makes sure that its folder holds the newest state of the profile, or fetches that,
and announces that it opens it. When the browser has ended, what it left is archived. An older state is never opened
unless a person chose it. Not here: what is the newest (`profile.history`), and the browsers themselves.
"""

import asyncio
import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from controller.accounts.reasons import Reason
from controller.accounts.reports import Health, Layer, PageView, Report
from controller.chromium.profile.archives import ArchiveError, ArchiveStore, DamagedArchiveError, Manifest
from controller.chromium.profile.history import Kind, Mark, Record, Source, decide, newest_use
from controller.chromium.profile.live_copy import copy_session
from controller.chromium.profile.names import ProfileError, name_by
from controller.chromium.profile.profile import Profile, recorded
from controller.chromium.profile.tidy import remove_old_asides
from controller.chromium.profile.vault import Copy, Vault, parts_of
from controller.driver import DriverError, Opening, Session, Usage
from controller.hosts import MachineDriver
from controller.tasks import DaemonThreads, Tasks, uncancelled

log = logging.getLogger(__name__)

T = TypeVar("T")

FETCH_SECONDS = 45.0
"""Limit for all that an opening needs of the archives. An opening in all is given up after 60 s."""
ARCHIVE_SECONDS = 120.0
"""Limit for archiving what a browser left. After that its machine alone has the newest state."""
UNDO_SECONDS = 20.0
"""The same after an opening that failed."""
SAVE_EVERY = 86400.0
TIDY_EVERY = 6 * 3600.0
"""Seconds between two looks for what removed accounts have left."""
_SAVE_RETRY = 3600.0
_MOST_THREADS = 64


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """Where profiles are archived (CLUSTER_ARCHIVES). secret: gives accounts their names there, on all machines alike.

    vault_key: encrypts archives; None for no encryption (PROFILE_KEY). save_every: seconds between two copies of a
    profile whose browser keeps running.
    """

    url: str
    secret: bytes = field(repr=False)
    vault_key: str | None = field(default=None, repr=False)
    save_every: float = SAVE_EVERY

    def name_of(self, account: str) -> str:
        """Return an account's name in the archives. account: E.164."""
        return name_by(self.secret, account.removeprefix("+"))


class OutdatedArchiveError(ArchiveError):
    """The newest archive is older than the account's last use, or there is none."""


class ArchivedDriver:
    """Opens browsers with the driver `inner`, with profiles from the archives. For one event loop.

    host: this machine's name. store, now: replaced in tests. Raises VaultError for an invalid key.
    """

    def __init__(
        self,
        inner: MachineDriver,
        options: ArchiveOptions,
        data_dir: Path,
        host: str,
        *,
        store: ArchiveStore | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._inner, self._options, self._data_dir, self._host = inner, options, data_dir.absolute(), host
        self._store = store or ArchiveStore(options.url)
        self._vault = Vault(data_dir, options.vault_key)
        self._now = now
        self._threads = DaemonThreads("archives", _MOST_THREADS)
        self._busy: dict[str, asyncio.Future[Any]] = {}
        self._tasks = Tasks("archives")

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> "ArchivedSession":
        """Open a browser on the newest state of the profile; see `controller.driver.Driver.open`.

        Raises DriverError(ARCHIVE_OUTDATED) if only a person can decide with what to open it.
        """
        profile = Profile.of(self._data_dir, opening.account, self._host)
        work = _Work(self._store, self._vault, profile, self._options.name_of(opening.account), opening.epoch,
                     self._host, self._now)  # fmt: skip
        try:
            await self._in_thread(profile.name, FETCH_SECONDS, work.prepare, empty=opening.set_aside)
            session = await self._inner.open(replace(opening, set_aside=False), report)
        except BaseException as error:
            # No browser is left: what the folder holds is archived, so that any other machine may go on with it.
            await uncancelled(self._archive(work, UNDO_SECONDS))
            if isinstance(error, OutdatedArchiveError):
                raise DriverError(Reason.ARCHIVE_OUTDATED, str(error)) from error
            if isinstance(error, OSError | TimeoutError):
                raise DriverError(Reason.LAUNCH_FAILED, _why(error)) from error
            raise
        return ArchivedSession(session, lambda: self._archive(work), lambda: self._keep_saving(work))

    async def _archive(self, work: "_Work", seconds: float | None = None) -> None:
        """Archive what a browser left. Never raises: if it fails, this machine alone has the newest state."""
        began = time.monotonic()
        try:
            if size := await self._in_thread(work.profile.name, seconds or ARCHIVE_SECONDS, work.close):
                log.info("A profile was archived, %.1f MiB in %.1f s", size / (1 << 20), time.monotonic() - began)
        except (OSError, TimeoutError) as error:
            log.error("A profile could not be archived, so only this machine has its newest state: %s", _why(error))

    async def _keep_saving(self, work: "_Work") -> None:
        """Archive a copy while the browser runs, again and again."""
        pause = self._options.save_every
        while True:
            await asyncio.sleep(pause)
            try:
                await self._in_thread(work.profile.name, ARCHIVE_SECONDS, work.save)
                pause = self._options.save_every
            except (OSError, TimeoutError) as error:
                log.warning("A copy of a running profile could not be archived: %s", _why(error))
                pause = min(_SAVE_RETRY, self._options.save_every)

    async def _in_thread(self, name: str, seconds: float, function: Callable[..., T], **more: Any) -> T:
        """Run a call for a profile in a thread, once the one before it has ended. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while (before := self._busy.get(name)) is not None and not before.done():
                await asyncio.wait([before])
            call = self._busy[name] = loop.run_in_executor(self._threads, lambda: function(**more))
            call.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may end unattended
            return await asyncio.shield(call)

    async def end_orphans(self) -> int:
        """See `MachineDriver.end_orphans`."""
        return await self._inner.end_orphans()

    def warm_up(self) -> None:
        """See `MachineDriver.warm_up`. From now on, what is left here of removed accounts is deleted, too."""
        self._inner.warm_up()
        self._tasks.start(self._keep_tidy())

    async def _keep_tidy(self) -> None:
        while True:
            for profile in await asyncio.to_thread(recorded, self._data_dir):
                try:
                    await self._in_thread(profile.name, FETCH_SECONDS, self._delete_if_removed, profile=profile)
                except (OSError, TimeoutError) as error:
                    log.warning("What is left of a profile was not looked at: %s", _why(error))
            await asyncio.sleep(TIDY_EVERY)

    def _delete_if_removed(self, profile: Profile) -> None:
        record = profile.record()
        if record is None or not record.name:
            return
        newest = newest_use(self._store.marks(record.name))
        if newest is not None and newest.kind is Kind.REMOVED and newest.epoch > record.epoch:
            profile.delete()
            self._vault.delete(profile)
            shutil.rmtree(_transit(profile), ignore_errors=True)
            profile.forget_record()
            log.info("Deleted what was left here of a removed account")

    async def stop(self) -> None:
        """See `MachineDriver.stop`."""
        await self._tasks.stop()
        await self._inner.stop()


class _Work:
    """One placement's dealings with the archives. Blocking: one call at a time, in a thread."""

    def __init__(
        self, store: ArchiveStore, vault: Vault, profile: Profile, name: str, epoch: int, host: str,
        now: Callable[[], float],
    ) -> None:  # fmt: skip
        self._store, self._vault, self.profile, self._name = store, vault, profile, name
        self._epoch, self._host, self._now = epoch, host, now
        self._is_announced = self._is_over = False
        self._saves = 0

    def prepare(self, *, empty: bool) -> None:
        """Bring the newest state into the folder, and announce that it is opened here.

        empty: whatever the newest state is, begin with an empty profile. Raises OutdatedArchiveError, ProfileError,
        OSError.
        """
        store, name, profile = self._store, self._name, self.profile
        marks = store.marks(name)
        if any(mark.epoch >= self._epoch for mark in marks):
            raise ArchiveError("a later placement has opened the account")
        profile.prepare()
        record = profile.record()
        source, newest = decide(marks, record)
        if source is Source.UNKNOWN and not empty:
            raise OutdatedArchiveError(self._words(newest))
        if source is Source.ARCHIVE and not empty:
            assert newest is not None
            empty = not self._fetch_newest(newest, record)
        if (empty or source is Source.EMPTY) and any(profile.folder.iterdir()):
            profile.set_aside()
            profile.prepare()
        profile.put_record(Record(self._epoch, 0 if newest is None else newest.epoch, name=name))
        self._is_announced = True  # it may be written even if its answer is lost
        store.write(name, Mark(self._epoch, Kind.OPEN), Manifest(self._now(), self._host))

    def _fetch_newest(self, newest: Mark, record: Record | None) -> bool:
        """Replace the folder by the archive of a mark. Returns whether it has one: it may say that all was removed."""
        try:
            manifest = self._store.read(self._name, newest)
            if manifest.file:
                self._fetch(manifest, record)
        except DamagedArchiveError as error:
            raise OutdatedArchiveError(self._words(newest, str(error))) from error
        return bool(manifest.file)

    def _fetch(self, manifest: Manifest, record: Record | None) -> None:
        """Replace the folder by an archive; what it held is set aside, unless that is archived itself."""
        suffix = manifest.file[manifest.file.index(".tar.gz") :]
        path = self._own_folder() / f"fetched{suffix}"
        try:
            self._store.download(self._name, manifest, path)
            copy = Copy(path, datetime.fromtimestamp(manifest.at, UTC), manifest.size)
            aside = self._vault.restore(self.profile, copy)
        finally:
            path.unlink(missing_ok=True)
        if aside is not None and record is not None and record.archived:
            shutil.rmtree(aside, ignore_errors=True) if aside.is_dir() else aside.unlink(missing_ok=True)
        remove_old_asides(self.profile.data_dir, datetime.now(UTC))

    def close(self) -> int:
        """Archive what the folder holds and announce that it is closed. Returns the archive's size; 0 for none."""
        if not self._is_announced or self._is_over:
            return 0
        size = self._upload(Mark(self._epoch, Kind.CLOSED), self.profile.folder)
        self._is_over = True
        self.profile.put_record(Record(self._epoch, self._epoch, archived=True, name=self._name))
        self._store.prune(self._name)
        return size

    def save(self) -> None:
        """Archive a copy of the running browser's profile."""
        folder = self._own_folder() / "live"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            if copy_session(self.profile, folder):
                self._saves += 1
                self._upload(Mark(self._epoch, Kind.SAVED, self._saves), folder)
                self._store.prune(self._name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _upload(self, mark: Mark, folder: Path) -> int:
        manifest = Manifest(self._now(), self._host, clean=self.profile.is_clean)
        if not parts_of(folder):
            with contextlib.suppress(FileExistsError):  # from a try before, whose answer was lost
                self._store.write(self._name, mark, manifest)
            return 0
        packed = self._vault.pack(folder, self._own_folder() / "packed")
        try:
            with contextlib.suppress(FileExistsError):
                self._store.upload(self._name, mark, packed, manifest)
            return packed.stat().st_size
        finally:
            packed.unlink(missing_ok=True)

    def _own_folder(self) -> Path:
        folder = _transit(self.profile)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def _words(self, newest: Mark | None, problem: str = "") -> str:
        """Return what a person needs to know to choose, as one line."""
        if newest is None:
            return "the archives know nothing of this account, which was open on a machine before"
        if not problem:
            with contextlib.suppress(DamagedArchiveError):
                opened = self._store.read(self._name, newest)
                since = _date(opened.at)
                problem = f"host {opened.host} opened it on {since} and has not closed it"
        archives = self._store.archives(self._name)
        if newest.kind is Kind.CLOSED:
            archives = [each for each in archives if each[0] != newest]
        if not archives:
            return f"{problem}; there is no older archive"
        at = archives[0][1].at
        return f"{problem}; the newest archive that can be used is of {_date(at)}, {_age(self._now() - at)} ago"


class ArchivedSession:
    """A session whose profile is archived when it is closed, and again and again while it runs.

    archive: archives what the browser left; never raises. save: archives copies until cancelled.
    """

    def __init__(
        self,
        session: Session,
        archive: Callable[[], Coroutine[Any, Any, None]],
        save: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._session, self._archive = session, archive
        self._closing: asyncio.Task[None] | None = None
        self._tasks = Tasks("archiving a running profile")
        self._tasks.start(save())

    @property
    def reached(self) -> Layer:
        """See `Session.reached`."""
        return self._session.reached

    async def probe(self) -> Health:
        """See `Session.probe`."""
        return await self._session.probe()

    async def heartbeat(self, *, ask: bool) -> bool:
        """See `Session.heartbeat`."""
        return await self._session.heartbeat(ask=ask)

    async def usage(self) -> Usage:
        """See `Session.usage`."""
        return await self._session.usage()

    async def log_out(self, number: str | None = None) -> None:
        """See `Session.log_out`."""
        await self._session.log_out(number)

    async def look(self) -> PageView:
        """See `Session.look`."""
        return await self._session.look()

    async def dismiss(self) -> None:
        """See `Session.dismiss`."""
        await self._session.dismiss()

    async def close(self) -> None:
        """Close the browser, then archive its profile. Returns once both are done."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await uncancelled(_wait(self._closing))

    async def _close(self) -> None:
        await self._tasks.stop()
        await self._session.close()
        await self._archive()


def _transit(profile: Profile) -> Path:
    """Locate the folder of what is on its way to or from the archives."""
    return profile.data_dir / "archives" / profile.name


async def _wait(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])


def _why(error: BaseException) -> str:
    """Return in one line why the archives could not be used."""
    if isinstance(error, ProfileError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the archives do not answer in time"
    strerror = error.strerror if isinstance(error, OSError) else None
    return f"the profile could not be brought here: {strerror or type(error).__name__}"


def _date(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%-d %B, %H:%M} UTC"


def _age(seconds: float) -> str:
    minutes = max(0, round(seconds / 60))
    if minutes < 120:  # noqa: PLR2004 - two hours
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"  # noqa: PLR2004 - two days
