"""Opens WhatsApp Web in real Chromium through Playwright, on this machine: implements `controller.hosts.Hosts`.

A browser, a page and our scripts become one session here. Not here: what the page reports (`session`), how a browser is
started (`launch`) and ended (`tree`).
"""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from controller.accounts.reasons import Reason
from controller.accounts.reports import Ended, Report
from controller.chromium.page.documents import Timing
from controller.chromium.page.questions import OwnQuery
from controller.chromium.parts import Parts, collect_parts
from controller.chromium.playwright.errors import translated
from controller.chromium.playwright.launch import Launch
from controller.chromium.playwright.playwright_host import PlaywrightHost
from controller.chromium.process import flags
from controller.chromium.process.bounds import Bounds, BoundsWatch
from controller.chromium.process.find import Browser, find_executable, identify
from controller.chromium.profile.locks import ProfileLock, ProfileLocks
from controller.chromium.profile.numbered import rename_numbered
from controller.chromium.profile.orphans import end_orphans, make_free
from controller.chromium.profile.profile import Profile
from controller.chromium.profile.vault import OPEN, Vault, VaultError
from controller.chromium.session import ChromiumSession
from controller.driver import DriverError, Opening, SavedSession, Usage
from controller.host.limits import HostLimits
from controller.hosts import HostUsage, UnknownHostError
from controller.network.proxy import Proxy, parse_proxy
from controller.tasks import Tasks, uncancelled

log = logging.getLogger(__name__)

_UNDO_SECONDS = 5.0
_FOLDERS = re.compile(r"(?<![\w:/.])/(?:[^\s/:'\"]+/)+")
"""The folders of an absolute path, but not of an address: what is told in a chat names files only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChromiumOptions:
    """Settings of the driver (names of their variables in brackets). All durations in seconds.

    page_url: the page to load (WHATSAPP_WEB_URL). executable: the browser; None to search for it (CHROMIUM_PATH).
    extra_args: added to the browser's command line (BROWSER_ARGS). savings: names of
    `flags.SAVINGS` (BROWSER_SAVINGS). proxy: the browsers' proxy (PROXY_URL).
    connect_timeout: limit from launch to the first code (CONNECT_TIMEOUT_SECONDS), which contains the shorter ones
    below. presence: send presence with each heartbeat (KEEP_ALIVE_PRESENCE). vault_key: the key that encrypts saved
    profiles; None for no encryption (PROFILE_KEY).
    save_every: a profile is saved when its browser opens if its latest copy is older. bounds: a browser that exceeds
    them is ended (ACCOUNT_MEMORY_LIMIT_MIB).
    """

    page_url: str
    data_dir: Path
    executable: Path | None = None
    extra_args: tuple[str, ...] = ()
    savings: frozenset[str] = frozenset(flags.SAVINGS)
    proxy: Proxy | None = None
    connect_timeout: float = 60.0
    close_timeout: float = 15.0
    presence: bool = False
    vault_key: str | None = None
    host: str = ""
    save_every: float = 86400.0
    bounds: Bounds = field(default_factory=Bounds)

    def arguments(self, browser: Browser, *, own_proxy: bool = False) -> list[str]:
        """Return the arguments that we add to Playwright's own.

        own_proxy: the account has its own proxy, which overrides the global ones.
        """
        extra = [each for each in self.extra_args if not (own_proxy and each.startswith("--proxy-"))]
        return flags.arguments(browser, tuple(extra), self.savings)

    @property
    def launch_timeout(self) -> float:
        """Until the browser must have started."""
        return min(30.0, self.connect_timeout * 0.5)

    @property
    def timing(self) -> Timing:
        """The deadlines of a session: together shorter than a connect, so that the more specific reason is reported."""
        return Timing(
            load=self.connect_timeout * 0.55,
            settle=min(15.0, self.connect_timeout * 0.25),
            close=self.close_timeout,
        )


class ChromiumDriver:
    """Implements `controller.hosts.Hosts` for this machine only. For one event loop.

    Raises VaultError for an invalid key.
    """

    def __init__(self, options: ChromiumOptions, limits: HostLimits | None = None) -> None:
        """limits: of this host or container, used to explain why a browser broke."""
        self._options = options
        self._limits = limits or HostLimits()
        self._vault = Vault(options.data_dir, options.vault_key)
        self._locks = ProfileLocks()
        self._bounds = BoundsWatch(options.bounds)
        self._pids: dict[str, int] = {}
        self._queries: defaultdict[str, OwnQuery] = defaultdict(OwnQuery)
        self._host = PlaywrightHost(options.data_dir, options.host)
        self._tasks = Tasks("browser driver")

    def find(self) -> str:
        """Return the browser that will be used, without starting it. Raises DriverError with a line for people."""
        return str(find_executable(self._options.executable))

    async def identify(self) -> Browser:
        """Query the browser's version. Raises DriverError, TimeoutError."""
        return await identify(find_executable(self._options.executable))

    async def end_orphans(self) -> int:
        """End what a killed controller left running under DATA_DIR; call once at start. Returns how many.

        Also renames what earlier versions named by number. Raises DriverError, OSError.
        """
        ended = await end_orphans(self._options.data_dir, self._options.host)
        if not self._options.host:  # in a cluster, the controller's own driver does it
            await rename_numbered(self._options.data_dir)
        return ended

    def warm_up(self) -> None:
        """Start what all browsers share, in the background: the first launch need not wait for it then."""
        self._tasks.start(self._warm_up())

    async def _warm_up(self) -> None:
        try:
            await self._host.get()
        except (DriverError, OSError) as error:
            log.debug("Playwright's driver did not start ahead of time; the first launch tries again: %s", error)

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> ChromiumSession:
        """Open a browser for an account and start loading the page; see `controller.driver.Driver.open`."""

        def explain(said: Report) -> None:
            report(replace(said, detail=self._explained(said.reason, said.detail)) if isinstance(said, Ended) else said)

        try:
            return await self._open(opening, explain)
        except DriverError as error:
            raise DriverError(error.reason, self._explained(error.reason, error.detail)) from error
        except OSError as error:  # full disk, foreign folder, too many processes
            detail = f"could not start the browser: {error.strerror or 'no answer in time'}"
            raise DriverError(Reason.LAUNCH_FAILED, self._explained(Reason.LAUNCH_FAILED, detail)) from error

    def _explained(self, reason: Reason, detail: str) -> str:
        """Leave out where files are on this machine, and add what the kernel has just done if that explains it."""
        detail = _FOLDERS.sub("", detail.replace(f"{self._options.data_dir.absolute()}/", ""))
        cause = self._limits.cause() if reason in {Reason.LAUNCH_FAILED, Reason.SESSION_CLOSED} else ""
        return f"{detail}: {cause}" if cause else detail

    async def _open(self, opening: Opening, report: Callable[[Report], None]) -> ChromiumSession:
        browser = await self.identify()
        profile = self._profile(opening.account)
        async with self._locks.acquire(profile.name) as lock:
            session = await self._open_locked(lock, profile, browser, opening, report)
            lock.keep(session.pid)
        return session

    async def _open_locked(
        self, lock: ProfileLock, profile: Profile, browser: Browser, opening: Opening, report: Callable[[Report], None]
    ) -> ChromiumSession:
        """Open a browser on a locked profile; the session releases the lock when it is closed."""
        profile.prepare()
        await make_free(profile)
        if opening.set_aside:
            profile.set_aside()
            profile.prepare()
        await lock.in_thread(self._save_if_due, profile, browser.version)
        if profile.stamp() not in {None, browser.version}:
            opening = replace(opening, fresh=True)  # caches compiled by another build are useless
        if opening.fresh:
            await lock.in_thread(profile.drop_caches)
        had_session = await lock.in_thread(profile.has_session)  # before a browser creates and renames files there
        playwright, node = await self._host.get()
        own = parse_proxy(opening.proxy) if opening.proxy else None
        arguments = self._options.arguments(browser, own_proxy=own is not None)
        viewport = flags.viewport(self._options.savings)
        launch = Launch(profile, browser, arguments, own or self._options.proxy, viewport)
        session: ChromiumSession | None = None
        try:
            with translated("start the browser"):
                async with asyncio.timeout(self._options.launch_timeout):
                    context, process = await launch.start(playwright, node, self._options.launch_timeout)
                    parts = await collect_parts(context, profile, process, node, browser)
                    session = await self._session(parts, lock, opening, report, had_session=had_session)
                    await lock.in_thread(profile.put_stamp, browser.version)
            session.begin()
            self._bounds.add(session.pid, session.misbehave, session, node.pid)
            self._pids[opening.account] = session.pid
        except BaseException:
            if session is not None:
                session.give_up()
            await uncancelled(launch.undo(_UNDO_SECONDS))
            raise
        return session

    def used(self) -> dict[str, Usage]:
        """Return rough recent usage by account, without a new measurement."""
        newest = self._bounds.newest
        found = {account: newest[pid] for account, pid in self._pids.items() if pid in newest}
        return {account: Usage(rough.memory, rough.processes) for account, rough in found.items()}

    def _profile(self, account: str) -> Profile:
        return Profile.of(self._options.data_dir, account, self._options.host)

    def usage(self) -> Sequence[HostUsage]:
        """Return nothing: `controller.host` watches this machine."""
        return ()

    def host_of(self, account: str) -> str:  # noqa: ARG002 - there is only one machine
        """Return "": there is only one machine."""
        return ""

    def drain(self, host: str, *, draining: bool) -> None:  # noqa: ARG002 - there is only one machine
        """Refuse: there is no other machine. Raises UnknownHostError."""
        raise UnknownHostError(host)

    async def check_archives(self) -> str:
        """Return "": there are no archives."""
        return ""

    async def run(self) -> None:
        """Return at once: this machine needs no monitoring."""

    async def has_session(self, account: str) -> bool:
        """Return whether the account's profile seems to hold a linked session."""
        profile = self._profile(account)
        return await asyncio.to_thread(profile.has_session)

    async def remove(self, account: str) -> None:
        """Delete the account's profile and its saved copies."""
        profile = self._profile(account)
        try:
            async with self._locks.acquire(profile.name) as lock:
                await lock.in_thread(profile.delete)
                await lock.in_thread(self._vault.delete, profile)
        except OSError as error:
            raise DriverError(Reason.UNKNOWN, f"the profile could not be deleted: {error.strerror}") from error

    async def saved(self, account: str) -> list[SavedSession]:
        """Return the saved copies of an account's profile, newest first."""
        profile = self._profile(account)
        copies = await asyncio.to_thread(self._vault.copies, profile)
        return [SavedSession(copy.name, copy.at.timestamp(), copy.size) for copy in copies]

    async def restore(self, account: str, name: str) -> None:
        """Replace an account's profile by a saved copy; the previous one is set aside."""
        profile = self._profile(account)
        try:
            copy = self._vault.find(profile, name)
            async with self._locks.acquire(profile.name) as lock:
                await lock.in_thread(self._vault.restore, profile, copy)
        except VaultError as error:
            raise DriverError(Reason.RESTORE_FAILED, str(error)) from error
        except DriverError as error:
            raise DriverError(Reason.RESTORE_FAILED, OPEN) from error

    async def discard(self, account: str) -> None:
        """Set the account's profile aside."""
        profile = self._profile(account)
        try:
            async with self._locks.acquire(profile.name) as lock:
                await lock.in_thread(profile.set_aside)
        except OSError as error:
            detail = f"the profile could not be set aside: {error.strerror}"
            raise DriverError(Reason.UNKNOWN, detail) from error

    def _save_if_due(self, profile: Profile, version: str) -> None:
        """Save a profile that was closed cleanly: once a day, and before a different browser opens it."""
        try:
            if not profile.take_clean_mark():
                return
            now = datetime.now(UTC)
            ages = [(now - copy.at).total_seconds() for copy in self._vault.copies(profile)]
            # A negative age means that the clock was ahead, and says nothing about when this session was saved.
            if not any(0 <= age < self._options.save_every for age in ages) or profile.stamp() != version:
                self._vault.save(profile)
        except OSError as error:
            log.warning("A profile could not be saved; it opens all the same: %s", error)

    async def stop(self) -> None:
        """End Playwright's driver process."""
        await uncancelled(self._tasks.stop())
        await uncancelled(self._bounds.stop())
        await uncancelled(self._host.stop())

    def _released(self, pid: int, lock: ProfileLock) -> None:
        self._bounds.remove(pid)
        lock.release()

    async def _session(
        self,
        parts: Parts,
        lock: ProfileLock,
        opening: Opening,
        report: Callable[[Report], None],
        *,
        had_session: bool,
    ) -> ChromiumSession:
        """Create a session for an open browser and install our script ahead of everything that the page loads."""
        session = ChromiumSession(
            parts,
            opening=opening,
            page_url=self._options.page_url,
            presence=self._options.presence,
            timing=self._options.timing,
            had_session=had_session,
            query=self._queries[opening.account],
            report=report,
            released=lambda: self._released(parts.process.pid, lock),
        )
        await session.channel.install()
        await session.fence.install(parts.context, parts.browser_cdp, self._options.bounds.disk)
        return session
