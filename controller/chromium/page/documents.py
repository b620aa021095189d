"""The documents of one page, one after the other: how each is loaded, recognised and left, and what leaves for good.

A main-frame load of the page's own origin is a new document of the same session: it is read anew, with the time to
load and to settle that the first one had. What a document says is read by `reader`; what follows is the session's.
"""

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from controller.accounts.reasons import Reason
from controller.accounts.reports import Ended
from controller.chromium.page.screenshot import take_picture
from controller.chromium.page.snapshot import log_out_code
from controller.chromium.playwright.errors import is_interrupted, translated
from controller.driver import DriverError

log = logging.getLogger(__name__)

_CLIENT_ERROR = 400
_CACHES_SECONDS = 5.0
_LEAVE_SECONDS = 5.0
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


class Owner(Protocol):
    """Who is told of what becomes of the documents."""

    def end(self, ended: Ended) -> None:
        """Take it that the session is over."""

    def renew(self) -> None:
        """Read everything anew: there is a new document of the same session."""

    def log_out_address(self, code: str) -> None:
        """Take it that the page went to its log-out address, with WhatsApp's code for why, "" for none."""


class Documents:
    """Loads the page and follows it."""

    def __init__(self, page: Page, cdp: CDPSession, url: str, timing: Timing, owner: Owner) -> None:
        self._page, self._cdp, self._url, self._timing, self._owner = page, cdp, url, timing, owner
        self._origin: str | None = None
        self._is_away = False
        self._recognised = asyncio.Event()
        self._settling: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Follow where the page goes from now on."""
        self._cdp.on("Page.frameNavigated", self._navigated)

    def recognise(self) -> None:
        """Take it that the present document is one that we know."""
        self._recognised.set()

    @property
    def is_recognised(self) -> bool:
        """Whether the present document is one that we know."""
        return self._recognised.is_set()

    # --- loading ------------------------------------------------------------------------------------------------------

    async def load(self, *, fresh: bool) -> None:
        """Load the first document and wait until it is recognised; the owner hears what becomes of it."""
        if fresh:
            await self._bypass_what_is_kept()
        try:
            await self._go()
        except DriverError as error:
            if not self._recognised.is_set():  # a page that works may load for ever
                self._owner.end(Ended(error.reason, error.detail))
            return
        if fresh:
            await self._serve_what_is_kept()
        await self._settle(self._timing.settle)

    async def _settle(self, seconds: float) -> None:
        recognised = self._recognised
        try:
            async with asyncio.timeout(seconds):
                await recognised.wait()
        except TimeoutError:
            picture = await take_picture(self._page)
            if not recognised.is_set():
                self._owner.end(Ended(Reason.PAGE_UNKNOWN, "the page is none that we know", picture=picture))

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
            response = await self._page.goto(self._url, wait_until="load", timeout=self._timing.load * 1000)
        except PlaywrightError as error:
            if is_interrupted(error):
                return None  # the page itself went on: whether to a known one is told by its settling
            raise
        return None if response is None else response.status

    async def _bypass_what_is_kept(self) -> None:
        """Load from the network alone: a worker of long ago may answer with a page whose scripts are gone.

        The worker goes for good, and the page installs another one; caches are dropped before the browser opens
        (`Profile.drop_caches`). Storage stays as it is: the keys are in it.
        """
        with translated("begin a fresh load"):
            async with asyncio.timeout(_CACHES_SECONDS):
                await self._cdp.send("Network.enable")
                await self._cdp.send("Network.setBypassServiceWorker", {"bypass": True})
                await self._cdp.send("Network.setCacheDisabled", {"cacheDisabled": True})
                origin = _origin(_address(self._url))
                told = {"origin": origin, "storageTypes": "service_workers"}
                await self._cdp.send("Storage.clearDataForOrigin", told)

    async def _serve_what_is_kept(self) -> None:
        """Let the caches and the service worker serve again: the fresh page is there."""
        try:
            with translated("end the fresh load"):
                async with asyncio.timeout(_CACHES_SECONDS):
                    await self._cdp.send("Network.setBypassServiceWorker", {"bypass": False})
                    await self._cdp.send("Network.setCacheDisabled", {"cacheDisabled": False})
                    await self._cdp.send("Network.disable")
        except DriverError as error:
            log.debug("%s", error)

    # --- leaving and coming back --------------------------------------------------------------------------------------

    async def leave(self) -> None:
        """Go elsewhere on purpose: that it went means nothing. Raises DriverError."""
        self._is_away = True
        self._stop_settling()
        with translated("leave the page"):
            async with asyncio.timeout(_LEAVE_SECONDS):
                with contextlib.suppress(PlaywrightError):  # it is refused, which is how we get the error page
                    await self._page.goto(_NOWHERE)

    async def come_back(self) -> None:
        """Load the page again after `leave`. Raises DriverError."""
        try:
            await self._go()
        finally:
            self._is_away = False

    # --- where it goes by itself --------------------------------------------------------------------------------------

    def _navigated(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if "parentId" in frame or self._is_away:
            return
        unreachable = frame.get("unreachableUrl")
        url = _address(unreachable or frame["url"])
        query = parse_qs(url.query)
        was_recognised = self._recognised.is_set() or self._settling is not None
        if query.get("post_logout") == ["1"]:
            code = query.get("logout_reason", [""])[0]
            self._new_document()
            self._owner.log_out_address(log_out_code(code))
        elif not was_recognised:
            self._origin = _origin(url)  # of the first load, wherever it is redirected to
        elif _origin(url) not in {self._origin, _origin(_address(self._url))}:
            self._owner.end(Ended(Reason.NAVIGATED, f"the page went to {_host(url)}"))
        elif unreachable:
            detail = "the page reloaded itself, and its host could not be reached"
            self._owner.end(Ended(Reason.CONNECTION_LOST, detail))
        else:
            self._new_document()
            self._owner.renew()

    def _new_document(self) -> None:
        self._stop_settling()
        self._recognised = asyncio.Event()
        seconds = self._timing.load + self._timing.settle
        self._settling = asyncio.create_task(self._settle(seconds), name="recognition of a document")

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    async def stop(self) -> None:
        """Wait for nothing more."""
        settling = self._settling
        self._stop_settling()
        if settling is not None:
            await asyncio.gather(settling, return_exceptions=True)


def _address(told: str) -> SplitResult:
    """Take an address apart; one that cannot be is as good as none."""
    try:
        return urlsplit(told)
    except ValueError:
        return urlsplit("")


def _origin(url: SplitResult) -> str:
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def _host(url: SplitResult) -> str:
    """Name the host of an address that a page chose: without names, passwords and ports, and not at any length."""
    host = url.hostname or ""
    return f"{url.scheme}://{host}" if _HOST.fullmatch(host) else "elsewhere"
