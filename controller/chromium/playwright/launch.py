"""One launch of a browser on a profile: returns a running browser, or leaves nothing behind; and its graceful close.

Playwright does not get the browser's path but a script for this launch only, its ticket (see `launcher`): once that
file is removed the launch cannot produce a browser any more, however late a hung Playwright gets to it.
Not here: the page, and what a session does with the browser.
"""

import asyncio
import logging
import secrets
import tempfile

from playwright.async_api import BrowserContext, Playwright, ProxySettings

from controller.accounts.reasons import Reason
from controller.chromium.playwright.errors import translated
from controller.chromium.process import flags
from controller.chromium.process.find import Browser
from controller.chromium.process.launch_script import write_ticket
from controller.chromium.process.tree import PidFile, ProcessId, end_tree
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError
from controller.network.proxy import Proxy

log = logging.getLogger(__name__)

_SETTLE_SECONDS = 3.0


class Launch:
    """One launch attempt. Call `start` and then, whatever the outcome, `undo` unless a session took it over."""

    def __init__(
        self,
        profile: Profile,
        browser: Browser,
        arguments: list[str],
        proxy: Proxy | None = None,
        viewport: tuple[int, int] = flags.LARGE_LAYOUT,
    ) -> None:
        self._profile = profile
        self._browser = browser
        self._arguments, self._proxy, self._viewport = arguments, proxy, viewport
        self._ticket = profile.ticket(secrets.token_hex(8))
        self._starting: asyncio.Task[BrowserContext] | None = None

    async def start(
        self, playwright: Playwright, parent: ProcessId, seconds: float
    ) -> tuple[BrowserContext, ProcessId]:
        """Start the browser. parent: Playwright's driver process. Raises DriverError."""
        write_ticket(
            self._ticket, self._profile.pid_file, parent.pid, self._browser.path,
            "--lock", str(self._profile.lock), "--profile", str(self._profile.folder),
            *(("--kill",) if self._profile.host else ()),
            "--temporary", tempfile.gettempdir(),  # Playwright's own may be too long for Chromium's socket
        )  # fmt: skip
        # A task of its own: Playwright goes on with a launch whose caller was cancelled, and `undo` waits for its end.
        self._starting = asyncio.create_task(self._start(playwright, seconds), name="launch of a browser")
        with translated("start the browser"):
            context = await asyncio.shield(self._starting)
        process = self._process()
        if process is None:
            raise DriverError(Reason.LAUNCH_FAILED, "the browser did not tell its process")
        self._ticket.unlink(missing_ok=True)
        return context, process

    async def _start(self, playwright: Playwright, seconds: float) -> BrowserContext:
        width, height = self._viewport
        return await playwright.chromium.launch_persistent_context(
            self._profile.folder,
            executable_path=self._ticket,
            args=self._arguments,
            chromium_sandbox=flags.sandboxed(),
            headless=True,
            timeout=seconds * 1000,
            viewport={"width": width, "height": height},
            accept_downloads=False,
            ignore_default_args=list(flags.NOT_WANTED),
            proxy=_settings(self._proxy),
            # Signals are handled by the controller, which shuts down in order.
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )

    def _process(self) -> ProcessId | None:
        """Find this launch's browser: the pid file of another one would be in the same place."""
        found = PidFile.read(self._profile.pid_file)
        return found.process if found is not None and found.ticket == self._ticket.name else None

    async def undo(self, seconds: float) -> None:
        """End whatever this launch has started, within about so many seconds. Never raises."""
        self._ticket.unlink(missing_ok=True)  # first this, then read the pid file: see `launcher`
        process = self._process()
        if process is not None:
            if await end_tree(process, grace=0, timeout=seconds):
                self._profile.clear_leftovers()
            else:
                log.error("The browser's processes cannot be ended (pid %d)", process.pid)
        if self._starting is not None:
            done, _ = await asyncio.wait([self._starting], timeout=_SETTLE_SECONDS)
            if not done:
                self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)


async def close_gracefully(context: BrowserContext, seconds: float) -> bool:
    """Let the browser close itself, which stores everything. Returns whether it has done so in time.

    Its pages are closed first: what no page keeps open is committed at once, while a browser that ends with its pages
    open now and then forgets what localStorage has not committed yet.
    """
    try:
        with translated("close the browser"):
            async with asyncio.timeout(seconds):
                for page in context.pages:
                    await page.close()
                await context.close()
    except DriverError as error:
        log.warning("A browser is killed: %s; what its page stored in the last seconds may be lost", error.detail)
        return False
    return True


def _settings(proxy: Proxy | None) -> ProxySettings | None:
    """Return a proxy for Playwright, which answers its password prompt, so that no command line contains it."""
    if proxy is None:
        return None
    if not proxy.user:
        return ProxySettings(server=proxy.server)
    return ProxySettings(server=proxy.server, username=proxy.user, password=proxy.password)
