"""Looks at a page once more before anything is believed of it that cannot be undone.

What stood for its time may have been a glimpse all the same: a page that is short of a processor stands still, and goes
on as if nothing had been. Not here: what a page's messages mean (`reader`), and what follows (`session`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from controller.accounts.reports import Dialog, Identified, Report
from controller.chromium.page.debounce import Debouncer
from controller.chromium.page.questions import Ask
from controller.chromium.page.reader import ENDS_AFTER, MAY_END, Finding, Subject, kind_of, still_shows
from controller.driver import DriverError
from controller.tasks import Tasks

log = logging.getLogger(__name__)

_LOOK_SECONDS = 3.0


class SecondLook(Debouncer[Subject, Report | Finding]):
    """Debounces what a page shows.

    conclude: called with what is believed. over: called with the subject of what the page does not show any more.
    """

    def __init__(
        self,
        ask_page: Ask,
        tasks: Tasks,
        conclude: Callable[[Subject, Report | Finding], None],
        over: Callable[[Subject], None],
    ) -> None:
        super().__init__(self._stood, kind_of)
        self._ask_page, self._tasks, self._conclude, self._over = ask_page, tasks, conclude, over
        self._looking: dict[Subject, object] = {}

    def is_pending(self, subject: Subject) -> bool:
        """Whether something of this subject waits to be believed."""
        return super().is_pending(subject) or subject in self._looking

    def clear(self) -> None:
        """Cancel everything; what is being looked at is dropped."""
        super().clear()
        self._looking.clear()

    def _stood(self, subject: Subject, meant: Report | Finding) -> None:
        is_final = subject in MAY_END or isinstance(meant, Identified) or (isinstance(meant, Dialog) and meant.locked)
        if is_final:
            look = self._looking[subject] = object()
            self._tasks.start(self._look(subject, meant, look))
        else:
            self._conclude(subject, meant)

    async def _look(self, subject: Subject, meant: Report | Finding, look: object) -> None:
        """Believe it if the page still shows it, drop it if not, and wait on if the page does not answer."""
        now = None
        with contextlib.suppress(DriverError, TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                now = await self._ask_page("live(true)")
        if self._looking.get(subject) is not look:
            return
        del self._looking[subject]
        if not isinstance(now, dict):
            if not self.is_pending(subject):
                self.update(subject, meant, ENDS_AFTER)
        elif still_shows(now, subject, meant):
            self._conclude(subject, meant)
        else:
            log.info("The page showed %s, and does not any more", subject.value)
            self._over(subject)
