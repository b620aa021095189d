"""Confines a page to itself: no windows, foreign frames or permissions; and detects a page that keeps trying.

Downloads are refused by Playwright (`playwright.launch`), new windows by the browser where possible; the rest is closed
here. Not here: memory and processes (`process.bounds`), and messages (`channel`).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, CDPSession, Page

from controller.chromium.playwright.errors import translated
from controller.driver import DriverError
from controller.tasks import Tasks

log = logging.getLogger(__name__)

MOST_REFUSED = 50
"""How many windows and frames may be refused within `WITHIN` seconds before the page counts as misbehaving."""
MOST_LOADED = 200
"""How many documents its frames may load meanwhile: each passes through us."""
WITHIN = 10.0
_LONGEST_URL = 2000
"""Characters that are looked at: a page may make its addresses millions long."""
_SECONDS = 5.0


class Fence:
    """misbehaves: called with one line for people once the page has tried too often."""

    def __init__(self, page: Page, cdp: CDPSession, url: str, misbehaves: Callable[[str], None]) -> None:
        self._page, self._cdp, self._misbehaves = page, cdp, misbehaves
        self._origin = _origin(url)
        self._frame = ""
        self._tasks = Tasks("fence")
        self._tried: Counter[str] = Counter()
        self._since = asyncio.get_running_loop().time()

    async def install(self, context: BrowserContext, browser_cdp: CDPSession, disk: int = 0) -> None:
        """Install it before the page is loaded. Raises what Playwright raises.

        disk: bytes that the page may store, 0 for the browser's own quota, which is more than half of the disk.
        """
        context.on("page", self._window_opened)
        # Permissions not named are refused from here on. Persistent storage is granted, as it holds the session's keys.
        await browser_cdp.send("Browser.grantPermissions", {"permissions": ["durableStorage"]})
        if disk:
            await self._cdp.send("Storage.overrideQuotaForOrigin", {"origin": self._origin, "quotaSize": disk})
        self._frame = (await self._cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        self._cdp.on("Fetch.requestPaused", self._document_asked)
        await self._cdp.send("Fetch.enable", {"patterns": [{"resourceType": "Document"}]})

    async def stop(self) -> None:
        """Detach."""
        await self._tasks.stop()

    def _window_opened(self, opened: Page) -> None:
        if opened is not self._page:
            self._count("opening windows", MOST_REFUSED)
            self._tasks.start(self._close(opened))

    def _document_asked(self, event: dict[str, Any]) -> None:
        """Let the page itself navigate (that is followed), but keep its frames on its own origin."""
        asked = {"requestId": event["requestId"]}
        is_page = event.get("frameId") == self._frame
        if is_page or _origin(event["request"]["url"]) in {self._origin, "null"}:
            if not is_page:
                self._count("loading frames", MOST_LOADED)
            self._tasks.start(self._send("Fetch.continueRequest", asked))
        else:
            self._count("opening frames of others", MOST_REFUSED)
            self._tasks.start(self._send("Fetch.failRequest", {**asked, "errorReason": "BlockedByClient"}))

    def _count(self, doing: str, most: int) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._since > WITHIN:
            self._since = now
            self._tried.clear()
        self._tried[doing] += 1
        if self._tried[doing] == most:
            self._misbehaves(f"it kept {doing}")

    async def _send(self, method: str, parameters: dict[str, Any]) -> None:
        try:
            with translated("let a document load"):
                async with asyncio.timeout(_SECONDS):
                    await self._cdp.send(method, parameters)
        except DriverError as error:
            log.debug("%s", error)

    async def _close(self, opened: Page) -> None:
        try:
            with translated("close a window that the page opened"):
                async with asyncio.timeout(_SECONDS):
                    await opened.close()
        except DriverError as error:
            log.debug("%s", error)


def _origin(url: str) -> str:
    """Return an address's origin; "null" for those without one (about:, data:, blob:)."""
    try:
        found = urlsplit(url[:_LONGEST_URL])
    except ValueError:
        return "?"
    return f"{found.scheme}://{found.netloc.rpartition('@')[2]}" if found.netloc else "null"
