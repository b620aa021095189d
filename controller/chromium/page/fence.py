"""Keeps a page to one page: no windows, no frames of others, no permissions; and notices a page that keeps on trying.

Downloads are refused by Playwright (`playwright.launch`), new windows by the browser itself where it can; what it lets
through is closed here. What never lives here: memory and processes (`process.bounds`), and messages (`channel`).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, CDPSession, Page

from controller.chromium.playwright.errors import translated
from controller.driver import DriverError
from controller.tasks import Tasks

log = logging.getLogger(__name__)

MOST_REFUSED = 50
"""Windows and frames that are refused in `WITHIN` seconds before the page counts as one that misbehaves."""
WITHIN = 10.0
_SECONDS = 5.0


class Fence:
    """misbehaves: called with one line for people, once the page has tried too often."""

    def __init__(self, page: Page, cdp: CDPSession, url: str, misbehaves: Callable[[str], None]) -> None:
        self._page, self._cdp, self._misbehaves = page, cdp, misbehaves
        self._origin = _origin(url)
        self._frame = ""
        self._tasks = Tasks("fence")
        self._tried = 0
        self._since = asyncio.get_running_loop().time()

    async def install(self, context: BrowserContext, browser_cdp: CDPSession) -> None:
        """Put it up before the page is loaded. Raises what Playwright raises."""
        context.on("page", self._window_opened)
        # All that is not named is refused from now on. Storage that may not be evicted holds the session's keys.
        await browser_cdp.send("Browser.grantPermissions", {"permissions": ["durableStorage"]})
        self._frame = (await self._cdp.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        self._cdp.on("Fetch.requestPaused", self._document_asked)
        await self._cdp.send("Fetch.enable", {"patterns": [{"resourceType": "Document"}]})

    async def stop(self) -> None:
        """Let go of it."""
        await self._tasks.stop()

    def _window_opened(self, opened: Page) -> None:
        if opened is not self._page:
            self._refused("windows")
            self._tasks.start(self._close(opened))

    def _document_asked(self, event: dict[str, Any]) -> None:
        """Let the page itself go where it will (that is seen), and its frames stay with its own origin."""
        asked = {"requestId": event["requestId"]}
        is_own = event.get("frameId") == self._frame or _origin(event["request"]["url"]) in {self._origin, "null"}
        if is_own:
            self._tasks.start(self._send("Fetch.continueRequest", asked))
        else:
            self._refused("frames of others")
            self._tasks.start(self._send("Fetch.failRequest", {**asked, "errorReason": "BlockedByClient"}))

    def _refused(self, what: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._since > WITHIN:
            self._since, self._tried = now, 0
        self._tried += 1
        if self._tried == MOST_REFUSED:
            self._misbehaves(f"it kept opening {what}")

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
    """Name an address's origin; "null" for what is none's but the page's own (about:, data:, blob:)."""
    try:
        found = urlsplit(url)
    except ValueError:
        return "?"
    return f"{found.scheme}://{found.netloc.rpartition('@')[2]}" if found.netloc else "null"
