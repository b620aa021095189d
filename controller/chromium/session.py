"""One open browser of one account: what its page and its processes tell becomes reports, and it is closed for good.

The page's messages are read by `sight`; here they get their time: loading, settling, becoming durable, ending.
What never lives here: where things are in the page (`surfaces.js`), and what follows from a report.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from controller.accounts.reasons import Reason
from controller.accounts.reports import Ended, Health, Layer, PageView, Ready, Report
from controller.chromium.page.durability import remove_marker, until_durable
from controller.chromium.page.screenshot import take_picture
from controller.chromium.page.script import ask
from controller.chromium.page.snapshot import Finding, SnapshotReader, worded
from controller.chromium.playwright.errors import is_interrupted, translated
from controller.chromium.process.tree import ExitWatch, ProcessId, end_tree
from controller.chromium.process.usage import measure
from controller.chromium.profile.profile import Profile
from controller.driver import DriverError, Opening, Usage
from controller.tasks import Tasks, uncancelled

log = logging.getLogger(__name__)

_LOG_OUT_SECONDS = 3.0
_CLIENT_ERROR = 400
_CACHES_SECONDS = 5.0
_LEAVE_SECONDS = 5.0
_BENEATH_SECONDS = 0.2
"""Until a death of the process has been noticed: it comes another way than the page's, and sometimes after it."""
_ANSWER_SECONDS = 10.0
_LOG_OUT_CODE = re.compile(r"[0-9]{1,4}|[A-Za-z]{1,30}")
_HOST = re.compile(r"(?!.*\d{7})[a-z0-9.-]{1,60}")
"""A host worth naming: one with a long number in it might be somebody's."""
_NOWHERE = "http://127.0.0.1:9/"
"""An address that Chromium refuses without asking any network: its error page shares no process with any origin, while
about:blank and data: may stay in the process of the page before, with what that one holds open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. load: until the page has loaded; settle: after that, until it must have been recognised.

    close: until nothing is left of the browser.
    """

    load: float
    settle: float
    close: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `driver` has opened for a session. node: Playwright's driver process."""

    context: BrowserContext
    page: Page
    browser_cdp: CDPSession
    page_cdp: CDPSession
    process: ProcessId
    node: ProcessId
    profile: Profile


class ChromiumSession:
    """Implements `controller.driver.Session`. released: called once closed, when others may touch the profile."""

    def __init__(
        self,
        parts: Parts,
        *,
        opening: Opening,
        page_url: str,
        presence: bool,
        timing: Timing,
        report: Callable[[Report], None],
        released: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._fresh = opening.fresh
        self._page_url = page_url
        self._presence = presence
        self._timing = timing
        self._report = report
        self._released = released
        self._reader = SnapshotReader(takeover=opening.takeover)
        self._tasks = Tasks("chromium session")
        self._watches: list[ExitWatch] = []
        self._recognised = asyncio.Event()
        self._ended = asyncio.Event()
        self._log_out_seen = False
        self._linked = False
        self._silent = True
        self._away = False
        self._deaf = False
        self._closing: asyncio.Task[None] | None = None
        self._reached = Layer.PROCESS

    # --- what happens -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Listen to everything that can end, and begin to load the page. From here on there are reports.

        Raises OSError where the processes cannot be watched.
        """
        parts = self._parts
        for process in (parts.process, parts.node):
            self._watches.append(ExitWatch(process, self._process_ended))
        self._silent = False
        parts.page.on("crash", lambda _: self._close_down("the page crashed"))
        parts.page.on("close", lambda _: self._tasks.start(self._closed("the page was closed")))
        parts.context.on("close", lambda _: self._tasks.start(self._closed("the browser was closed")))
        parts.page_cdp.on("Page.frameNavigated", self._navigated)
        self._tasks.start(self._load())

    def give_up(self) -> None:
        """Hear nothing more: it could not begin, and its browser is ended by whoever started that."""
        self._silent = True
        for watch in self._watches:
            watch.cancel()

    def receive(self, told: Any) -> None:
        """Take a message of the watcher."""
        if self._silent or self._deaf:
            return
        for meant in self._reader.read(told):
            match meant:
                case Finding.RECOGNISED:
                    self._recognised.set()
                case Finding.TAKE_OVER:
                    self._tasks.start(self._take_over())
                case Finding.LINKED:
                    self._tasks.start(self._become_ready())
                case Finding.LOGGED_OUT:
                    if not self._log_out_seen:
                        self._log_out_seen = True
                        self._tasks.start(self._await_log_out())
                case _:
                    self._tell(meant)

    def _tell(self, report: Report) -> None:
        if self._silent:
            return
        if isinstance(report, Ready):
            self._linked = True
        if isinstance(report, Ended):
            self._linked = self._linked and report.reason is not Reason.LOGGED_OUT
            self._silent = True
            self._ended.set()
        self._report(report)

    def _end(self, reason: Reason, detail: str) -> None:
        self._tell(Ended(reason, detail))

    def _close_down(self, detail: str) -> None:
        self._end(Reason.SESSION_CLOSED, detail)

    def _process_ended(self) -> None:
        """Name what died first: a browser ends with the driver process that started it, and may be noticed before."""
        first = "Playwright's driver process" if self._parts.node.is_ending() else "the browser's process"
        self._close_down(f"{first} ended")

    async def _closed(self, detail: str) -> None:
        """Let what lies beneath speak first: a process that dies takes browser and page along."""
        await asyncio.sleep(_BENEATH_SECONDS)
        self._close_down(detail)

    def _navigated(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if "parentId" in frame:
            return
        url = _address(frame.get("unreachableUrl") or frame["url"])
        query = parse_qs(url.query)
        if query.get("post_logout") == ["1"]:
            self._end(Reason.LOGGED_OUT, _log_out_detail(query.get("logout_reason", [""])[0]))
        elif self._log_out_seen:
            self._end(Reason.LOGGED_OUT, _log_out_detail(""))
        elif self._recognised.is_set() and not self._away:
            self._end(Reason.NAVIGATED, f"the page went to {_host(url)}")

    # --- stages ---------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        try:
            await self._go()
        except DriverError as error:
            if not self._recognised.is_set():  # a page that works may load for ever
                self._end(error.reason, error.detail)
            return
        if self._fresh:
            await self._keep_caches()
        try:
            async with asyncio.timeout(self._timing.settle):
                await self._recognised.wait()
        except TimeoutError:
            picture = await take_picture(self._parts.page)
            if not self._recognised.is_set():
                self._tell(Ended(Reason.PAGE_UNKNOWN, "the page is none that we know", picture=picture))

    async def _go(self) -> None:
        doing = "load the page"
        try:
            with translated(doing):
                # Playwright's own deadline is the first; ours is for a Playwright that hangs.
                async with asyncio.timeout(self._timing.load + 1):
                    response = await self._goto()
        except DriverError as error:
            if error.detail.endswith("no answer in time"):
                error = DriverError(error.reason, f"the page did not load within {self._timing.load:g} s")
            raise error from error.__cause__
        if response is not None and response >= _CLIENT_ERROR:
            raise DriverError(Reason.LAUNCH_FAILED, f"the page answered HTTP {response}")

    async def _goto(self) -> int | None:
        try:
            response = await self._parts.page.goto(self._page_url, wait_until="load", timeout=self._timing.load * 1000)
        except PlaywrightError as error:
            if is_interrupted(error):
                return None  # the page itself went on: whether to a known one is told by its settling
            raise
        return None if response is None else response.status

    async def _keep_caches(self) -> None:
        """Let the caches and the service worker serve again: the fresh page is there."""
        try:
            with translated("end the fresh load"):
                async with asyncio.timeout(_CACHES_SECONDS):
                    await self._parts.page_cdp.send("Network.setBypassServiceWorker", {"bypass": False})
                    await self._parts.page_cdp.send("Network.setCacheDisabled", {"cacheDisabled": False})
                    await self._parts.page_cdp.send("Network.disable")
        except DriverError as error:
            log.debug("%s", error)

    async def _take_over(self) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if await self._ask("takeOver()"):
                    return
            detail = "this page offers no way to take the session back"
        except DriverError as error:
            detail = error.detail
        except TimeoutError:
            detail = "the page did not answer when the session was to be taken back"
        self._end(Reason.CONFLICT, detail)

    async def _become_ready(self) -> None:
        """Report Ready: a restored session at once, a fresh link when it is on the disk."""
        if self._reader.asked_for_scan:
            try:
                stays = await until_durable(self._evaluate, self._parts.profile.folder, self._leave)
                if not stays:
                    await self._return()  # the page will say again that it is linked, now from what is stored
                    return
            except DriverError as error:
                self._end(error.reason, error.detail)
                return
        self._tell(Ready(self._reader.number))

    async def _leave(self) -> None:
        """Go elsewhere: what the page says on its way out, and that it went, means nothing."""
        self._away = self._deaf = True
        with translated("leave the page"):
            async with asyncio.timeout(_LEAVE_SECONDS):
                with contextlib.suppress(PlaywrightError):  # it is refused, which is how we get the error page
                    await self._parts.page.goto(_NOWHERE)

    async def _return(self) -> None:
        self._reader = SnapshotReader(takeover=False)
        self._deaf = False
        try:
            await self._go()
        finally:
            self._away = False
        await remove_marker(self._evaluate)

    async def _evaluate(self, function: str, argument: Any) -> Any:
        with translated("ask the page"):
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._parts.page.evaluate(function, argument)

    async def _await_log_out(self) -> None:
        """Let the page remove its keys and go to its log-out address, which tells the reason."""
        await asyncio.sleep(_LOG_OUT_SECONDS)
        self._end(Reason.LOGGED_OUT, _log_out_detail(""))

    # --- what it can be asked -----------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The browser's process."""
        return self._parts.process.pid

    @property
    def reached(self) -> Layer:
        """The layer that a probe is at."""
        return self._reached

    async def probe(self) -> Health:
        """Walk the layers once, from the process to WhatsApp's socket."""
        parts = self._parts
        self._reached = Layer.PROCESS
        if not parts.process.is_alive():
            return Health(Layer.PROCESS, "the browser's process is gone")
        if parts.process.is_stopped():
            return Health(Layer.PROCESS, "the browser's process is stopped")
        self._reached = Layer.BROWSER
        if not parts.node.is_alive() or parts.node.is_stopped():
            return Health(Layer.BROWSER, "Playwright's driver process is gone or stopped")
        try:
            with translated("ask the browser"):
                await parts.browser_cdp.send("Browser.getVersion")
            self._reached = Layer.PAGE
            live = await self._live()
        except DriverError as error:
            return Health(self._reached, error.detail)
        self._reached = Layer.SOCKET
        state, chats = live.get("state"), live.get("chats")
        if state == "CONNECTED":
            return Health()
        if state is None and chats is True:
            return Health(detail="the socket cannot be read; the chat list is there")
        return Health(Layer.SOCKET, f"it is {'not to be found' if state is None else worded(state)}")

    async def heartbeat(self, *, ask: bool) -> bool:
        """Read the live state and, if asked to, let the server answer."""
        if self._presence:
            await self._ask("sendPresence()")
        live = await self._live()
        if live.get("state") != "CONNECTED":
            return False
        if not ask:
            return not await self._ask("canAsk()")
        return await self._ask("serverAnswers()") is not False

    async def usage(self) -> Usage:
        """Measure the browser with all its processes."""
        return await asyncio.to_thread(measure, self._parts.process.pid)

    async def log_out(self) -> None:
        """Remove this linked device from the phone's account; returns when the page has said so."""
        if not await self._ask("logOut()"):
            raise DriverError(Reason.UNKNOWN, "this page offers no way to log out")
        await self._ended.wait()

    async def look(self) -> PageView:
        """See what the page shows now."""
        return PageView(picture=await take_picture(self._parts.page))

    async def dismiss(self) -> None:
        """Answer the known dialog: none is known yet."""
        raise DriverError(Reason.UNKNOWN, "this page shows no dialog that is known")

    async def _live(self) -> dict[str, Any]:
        live = await self._ask("live()")
        return live if isinstance(live, dict) else {}

    async def _ask(self, call: str) -> Any:
        return await ask(self._parts.page, call)

    # --- the end ------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close page, browser and process group; see `controller.driver.Session.close`."""
        self._silent = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="close of a chromium session")
            self._closing.add_done_callback(lambda _: self._released())
        closing = self._closing
        await uncancelled(_awaited(closing))

    async def _close(self) -> None:
        parts = self._parts
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._timing.close
        for watch in self._watches:
            watch.cancel()
        in_good_order = False
        try:
            await self._tasks.stop()
            if parts.process.is_alive() and not parts.process.is_stopped() and not parts.node.is_stopped():
                in_good_order = await self._close_gracefully(self._timing.close * 0.5)
        except Exception:
            log.exception("A browser could not be closed gracefully")
        left = max(1.0, ends_at - loop.time())
        try:
            if not await end_tree(parts.process, grace=left * 0.4, timeout=left):
                log.error("The browser's processes cannot be ended (pid %d)", parts.process.pid)
            parts.profile.clear_leftovers()
            if in_good_order and self._linked:
                parts.profile.mark_clean()
        except OSError:
            log.exception("A browser's leftovers could not be removed")

    async def _close_gracefully(self, seconds: float) -> bool:
        try:
            with translated("close the browser"):
                async with asyncio.timeout(seconds):
                    await self._parts.context.close()
        except DriverError as error:
            log.debug("%s", error)
            return False
        return True


async def _awaited(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])


def _address(told: str) -> SplitResult:
    """Take an address apart; one that cannot be is as good as none."""
    try:
        return urlsplit(told)
    except ValueError:
        return urlsplit("")


def _host(url: SplitResult) -> str:
    """Name the host of an address that a page chose: without names, passwords and ports, and not at any length."""
    host = url.hostname or ""
    return f"{url.scheme}://{host}" if _HOST.fullmatch(host) else "elsewhere"


def _log_out_detail(code: str) -> str:
    told = f" (reason {code})" if _LOG_OUT_CODE.fullmatch(code) else ""
    return f"WhatsApp removed this linked device{told}"
