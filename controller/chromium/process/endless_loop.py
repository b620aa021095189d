"""Recognises a page whose script never returns: it computes on and on and does not answer the cheapest question.

A heavy page answers between its tasks, so what counts is the processor time that its main thread has used since it was
asked, not the time that has passed: with little of a processor, a page is merely slow. And on an overloaded machine an
answer may be under way for long: the page counts as silent only if its browser, asked later by the same way, answers.
Until then nothing is known, and nothing is done. For one event loop.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from controller.chromium.process.main_threads import Work
from controller.driver import DriverError

log = logging.getLogger(__name__)

BUSY = 0.5
"""Share of the time in which the main thread must have worked for its page to be asked."""
LONGEST_TASK = 4.0
"""Seconds of processor time that a page may use before it answers."""
LOADING = 3.0
"""The factor for a page that still loads its chats: that takes the longest tasks it ever has."""


class Page(Protocol):
    """A page, and its browser, that can be asked."""

    @property
    def is_loading(self) -> bool:
        """Whether the page is still loading."""
        ...

    async def answer(self) -> None:
        """Return once the page has answered the cheapest question there is. Raises DriverError."""
        ...

    async def relay(self) -> None:
        """Return once the browser itself has answered by the same way. Raises DriverError."""
        ...


class EndlessLoop:
    """Watches one page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._asking: asyncio.Task[bool] | None = None
        self._relaying: asyncio.Task[bool] | None = None
        self._is_silent = False
        self._ran: dict[int, float] = {}
        """pid → its processor time when the page was asked."""

    @property
    def is_silent(self) -> bool:
        """Whether the page was asked before the last look, and had not answered by then."""
        return self._is_silent

    def look(self, work: Work) -> str | None:
        """Describe in one line that its script does not return; None if it does, or if that is not known."""
        if self._asking is not None and self._asking.done():
            self.stop()
        if self._asking is None:
            if work.busy >= BUSY:
                self._ran = dict(work.ran)
                self._asking = asyncio.create_task(_heard(self._page.answer), name="question to a busy page")
            return None
        self._is_silent = True
        used = max((ran - self._ran[pid] for pid, ran in work.ran.items() if pid in self._ran), default=0.0)
        if used < LONGEST_TASK * (LOADING if self._page.is_loading else 1.0):
            return None
        if self._relaying is None:
            self._relaying = asyncio.create_task(_heard(self._page.relay), name="question to a busy page's browser")
        elif self._relaying.done():
            if self._relaying.result():
                return f"its script ran for {used:.0f} s without a pause"
            self._relaying = None
        return None

    def stop(self) -> None:
        """Wait for no answer any more."""
        for task in (self._asking, self._relaying):
            if task is not None:
                task.cancel()
        self._asking = self._relaying = None
        self._is_silent = False


async def _heard(ask: Callable[[], Awaitable[None]]) -> bool:
    with contextlib.suppress(DriverError):
        await ask()
        return True
    log.debug("A busy page, or its browser, could not be asked")
    return False
