"""The page's documents in sequence: how each is loaded, recognised and left, and which navigation ends the session.

A main-frame load of the page's own origin is a new document of the same session: it is read from scratch, with the
same time to load and settle as the first. `reader` parses its messages; the session decides what follows.
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
from controller.network.http_errors import LOGIN_WANTED, NETWORK_LOGIN

log = logging.getLogger(__name__)

_CLIENT_ERROR = 400
_CACHES_SECONDS = 5.0
_LEAVE_SECONDS = 5.0
_STATUS_SECONDS = 3.0
_STATUS = "performance.getEntriesByType('navigation')[0]?.responseStatus"
RETURNS_WITHIN = 1.5
"""Seconds in which a page that went to another origin may be back: some lead over another address."""
_LONGEST_ADDRESS = 2000
"""Characters that are looked at: a page may make its addresses millions long."""
_HOST = re.compile(r"(?!.*\d{7})[a-z0-9.-]{1,60}")
"""A host name that is safe to show: one with a long number could identify somebody."""
_NOWHERE = "http://127.0.0.1:9/"
"""An address that Chromium refuses without network access: its error page shares no process with any origin, whereas
about:blank and data: may stay in the previous page's process, with whatever that one keeps open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. load: until the page has loaded; settle: after that, until it must be recognised.

    close: until the browser's processes are gone.
    """

    load: float
    settle: float
    close: float


class Owner(Protocol):
    """Notified of what happens to the documents."""

    def end(self, ended: Ended) -> None:
        """Handle the end of the session."""

    def renew(self) -> None:
        """Start over: the same session has a new document."""

    async def words(self) -> str:
        """Return what the page says most prominently, for people; "" if it cannot be read in time."""

    def log_out_address(self, code: str) -> None:
        """Handle a navigation to the log-out address, with WhatsApp's code for the reason, "" for none."""


class Documents:
    """Loads the page and follows its navigation."""

    def __init__(self, page: Page, cdp: CDPSession, url: str, timing: Timing, owner: Owner) -> None:
        self._page, self._cdp, self._url, self._timing, self._owner = page, cdp, url, timing, owner
        self._origin: str | None = None
        self._shown: SplitResult | None = None
        self._is_away = False
        self._elsewhere: asyncio.TimerHandle | None = None
        self._recognised = asyncio.Event()
        self._settling: asyncio.Task[None] | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether the document is another origin's: what is there tells nothing of this session."""
        return self._elsewhere is not None

    def watch(self) -> None:
        """Follow the page's navigation from now on."""
        self._cdp.on("Page.frameNavigated", self._navigated)
        self._cdp.on("Page.loadEventFired", self._loaded)

    def recognise(self) -> None:
        """Mark the current document as recognised."""
        self._recognised.set()

    @property
    def is_recognised(self) -> bool:
        """Whether the current document is recognised."""
        return self._recognised.is_set()

    # --- loading ------------------------------------------------------------------------------------------------------

    async def load(self, *, fresh: bool) -> None:
        """Load the first document and wait until it is recognised; the owner is notified of the outcome."""
        if fresh:
            try:
                await self._bypass_what_is_kept()
            except DriverError as error:  # a starved browser: what is kept may do, and the next launch is fresh again
                log.warning("A page is loaded with what is kept of it: %s", error)
        try:
            is_served = await self._go()
        except DriverError as error:
            if not self._recognised.is_set():  # a working page may go on loading for ever
                self._owner.end(Ended(error.reason, error.detail))
            return
        if not is_served:
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
            await self._end_unrecognised(recognised)

    async def _end_unrecognised(self, recognised: asyncio.Event, status: int | None = None) -> None:
        """Report the end, unless the document is recognised meanwhile, or has gone on to the log-out address.

        recognised: the document's own; that address has its own time. status: HTTP's, None if it must be asked for.
        """
        if recognised is not self._recognised:
            return
        known, words, picture = await asyncio.gather(self._status(), self._owner.words(), take_picture(self._page))
        status = known if status is None else status
        if recognised.is_set() or recognised is not self._recognised:
            return
        if status is None and words == "" and picture is None:  # nothing is known of what it shows
            self._owner.end(Ended(Reason.UNRESPONSIVE, "the page has loaded, and does not answer"))
        elif status is not None and status >= _CLIENT_ERROR:
            self._owner.end(Ended(Reason.LAUNCH_FAILED, _answered(status, words), picture=picture))
        else:
            self._owner.end(Ended(Reason.PAGE_UNKNOWN, self._unknown(words), picture=picture))

    def _unknown(self, words: str) -> str:
        if self._shown is None:
            return "its host sent no page"
        known = _address(self._url)
        says = f"it says “{words}”: " if words else ""
        if _origin(self._shown) == _origin(known):
            return f"{says}the page is none that we know"
        return f"{says}the page is none that we know: {known.hostname} led to {_host(self._shown)}"

    async def _status(self) -> int | None:
        """Return the HTTP status of the document that is shown, which may have loaded by itself.

        0: unknown; None: the page does not answer.
        """
        answer: dict[str, Any] | None = None
        with contextlib.suppress(DriverError), translated("ask the page"):
            async with asyncio.timeout(_STATUS_SECONDS):
                answer = await self._cdp.send("Runtime.evaluate", {"expression": _STATUS, "returnByValue": True})
        if answer is None:
            return None
        status = answer.get("result", {}).get("value")
        return status if isinstance(status, int) else 0

    async def _go(self) -> bool:
        """Return whether the page is served. If its host answers with an error instead, the owner is notified."""
        doing = "load the page"
        try:
            with translated(doing):
                # Playwright's own deadline comes first; ours is for a hung Playwright.
                async with asyncio.timeout(self._timing.load + 1):
                    status = await self._goto()
        except DriverError as error:
            if error.detail.endswith("no answer in time"):
                error = DriverError(error.reason, f"the page did not load within {self._timing.load:g} s")
            raise error from error.__cause__
        if status is None or status < _CLIENT_ERROR:
            return True
        await self._end_unrecognised(self._recognised, status)
        return False

    async def _goto(self) -> int | None:
        try:
            response = await self._page.goto(self._url, wait_until="load", timeout=self._timing.load * 1000)
        except PlaywrightError as error:
            if is_interrupted(error):
                return None  # the page itself navigated on: settling shows whether to a known one
            raise
        return None if response is None else response.status

    async def _bypass_what_is_kept(self) -> None:
        """Load from the network only: an outdated service worker may serve a page whose scripts no longer exist.

        The worker is removed for good, and the page installs a new one; caches are dropped before the browser opens
        (`Profile.drop_caches`). Storage is left alone: it holds the keys.
        """
        with translated("begin a fresh load"):
            async with asyncio.timeout(_CACHES_SECONDS):
                await self._cdp.send("Network.enable")
                await self._cdp.send("Network.setBypassServiceWorker", {"bypass": True})
                await self._cdp.send("Network.setCacheDisabled", {"cacheDisabled": True})
                origin = _origin(_address(self._url))
                what = {"origin": origin, "storageTypes": "service_workers"}
                await self._cdp.send("Storage.clearDataForOrigin", what)

    async def _serve_what_is_kept(self) -> None:
        """Allow caches and the service worker again: the fresh page is loaded."""
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
        """Navigate away on purpose, which ends nothing. Raises DriverError."""
        self._is_away = True
        self._stop_settling()
        with translated("leave the page"):
            async with asyncio.timeout(_LEAVE_SECONDS):
                with contextlib.suppress(PlaywrightError):  # it is refused, which brings up the error page
                    await self._page.goto(_NOWHERE)

    async def come_back(self) -> None:
        """Load the page again after `leave`; it has to be recognised like any other. Raises DriverError."""
        self._new_document()
        try:
            await self._go()
        finally:
            self._is_away = False

    # --- the page's own navigation ------------------------------------------------------------------------------------

    def _navigated(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if "parentId" in frame or self._is_away:
            return
        unreachable = frame.get("unreachableUrl")
        url = _address(unreachable or frame["url"])
        self._shown = url
        query = parse_qs(url.query)
        was_recognised = self._recognised.is_set() or self._settling is not None or self.is_elsewhere
        if was_recognised and _origin(url) not in {self._origin, _origin(_address(self._url))}:
            self._go_elsewhere(f"the page went to {_host(url)}")
            return
        self._return()
        if query.get("post_logout") == ["1"]:
            code = query.get("logout_reason", [""])[0]
            self._new_document()
            self._owner.log_out_address(log_out_code(code))
        elif not was_recognised:
            self._origin = _origin(url)  # of the first load, after redirects
        elif unreachable:
            detail = "the page reloaded itself, and its host could not be reached"
            self._owner.end(Ended(Reason.CONNECTION_LOST, detail))
        else:
            self._new_document()
            self._owner.renew()

    def _go_elsewhere(self, detail: str) -> None:
        """End the session unless the page is back in a moment: a hop over another address is a glimpse."""
        self._stop_settling()
        if self._elsewhere is None:
            ended = Ended(Reason.NAVIGATED, detail)
            self._elsewhere = asyncio.get_running_loop().call_later(RETURNS_WITHIN, self._owner.end, ended)

    def _return(self) -> None:
        if self._elsewhere is not None:
            self._elsewhere.cancel()
            self._elsewhere = None

    def _new_document(self) -> None:
        self._stop_settling()
        self._recognised = asyncio.Event()
        seconds = self._timing.load + self._timing.settle
        self._settling = asyncio.create_task(self._settle(seconds), name="recognition of a document")

    def _loaded(self, _: dict[str, Any]) -> None:
        """Expect a new document to be recognised soon, now that it has loaded."""
        if self._settling is not None and not self._settling.done():
            self._stop_settling()
            self._settling = asyncio.create_task(self._settle(self._timing.settle), name="recognition of a document")

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    async def stop(self) -> None:
        """Cancel all waiting."""
        self._return()
        settling = self._settling
        self._stop_settling()
        if settling is not None:
            await asyncio.gather(settling, return_exceptions=True)


def _answered(status: int, words: str) -> str:
    if status == NETWORK_LOGIN:
        return LOGIN_WANTED
    return f"the page answered HTTP {status}" + (f": it says “{words}”" if words else "")


def _address(address: str) -> SplitResult:
    """Split an address; one that cannot be parsed counts as none."""
    try:
        return urlsplit(address[:_LONGEST_ADDRESS])
    except ValueError:
        return urlsplit("")


def _origin(url: SplitResult) -> str:
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def _host(url: SplitResult) -> str:
    """Name the host of an address that the page chose: without user names, passwords and ports, of limited length."""
    host = url.hostname or ""
    return f"{url.scheme}://{host}" if _HOST.fullmatch(host) else "another address"
