"""One browser's life, from the wait for a launch slot until its processes are gone; every wait has a deadline.

A run translates what the driver does, or fails to do in time, into `SessionEvent`s for the manager. It decides
nothing: what follows from them is up to the lifecycle.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from controller.accounts.model import Closed, DialogStays, HeartbeatResult, LoggedOut, Seen, SessionEvent, SlotGranted
from controller.accounts.reasons import Reason
from controller.accounts.reports import Ended, Health, Layer, PageView
from controller.driver import Driver, DriverError, Opening, Session, Usage
from controller.launch_slots import LaunchSlot

log = logging.getLogger(__name__)

CLOSE_DEADLINE = 20.0
"""Seconds that closing a browser may take in all (L15)."""
LOG_OUT_DEADLINE = 10.0
"""Seconds that a logout at WhatsApp may take; after that the browser is closed anyway."""

Reporter = Callable[[SessionEvent], None]


class BrowserRun:
    """One browser of one account. label: the account in logs. probe_timeout: seconds for each query to the page.

    timed: receives how many seconds a `probe` or a `heartbeat` took.
    """

    __slots__ = ("_label", "_probe_timeout", "_report", "_session", "_settled", "_timed", "opening")

    def __init__(
        self,
        label: str,
        probe_timeout: float,
        report: Reporter,
        timed: Callable[[str, float], None],
    ) -> None:
        self._label, self._probe_timeout, self._report, self._timed = label, probe_timeout, report, timed
        self._session: Session | None = None
        self._settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opening: asyncio.Task[None] | None = None
        """The task of `open` while it runs; `close` ends it first."""

    def settle(self) -> None:
        """Stop counting as starting: the page is logged in, or never will be."""
        if not self._settled.done():
            self._settled.set_result(None)

    async def open(self, driver: Driver, slot: AbstractAsyncContextManager[LaunchSlot], opening: Opening) -> None:
        """Hold a launch slot while the browser is launched; it counts as starting until the page is logged in."""
        try:
            async with slot as held:
                self._report(SlotGranted())
                self._session = await driver.open(opening, self._report)
                held.opened()
                await self._settled
        except DriverError as error:
            self._report(Ended(error.reason, error.detail))
        except Exception as error:
            log.exception("%s The browser could not be opened", self._label)
            self._report(Ended(Reason.LAUNCH_FAILED, type(error).__name__))
        finally:
            self.opening = None

    async def close(self, *, log_out: bool) -> None:
        """End the browser, however far it got, and report `Closed`."""
        logged_out = None
        try:
            async with asyncio.timeout(CLOSE_DEADLINE + LOG_OUT_DEADLINE):
                if self.opening is not None:
                    self.opening.cancel()
                    await asyncio.gather(self.opening, return_exceptions=True)  # its error was logged where it occurred
                if self._session is not None:
                    if log_out:
                        logged_out = await self._log_out(self._session)
                    await self._session.close()
        except asyncio.CancelledError:  # the program ends, and with it whatever runs the browsers
            log.error("%s Closing the browser was cut off", self._label)
            raise
        except Exception:
            log.exception("%s The browser could not be closed", self._label)
        finally:
            self._report(Closed(logged_out))

    async def log_out(self, number: str) -> None:
        """Remove this number's linked device, and report whether that is confirmed."""
        done = False
        try:
            if self._session is not None:
                done = await self._log_out(self._session, number)
        finally:
            self._report(LoggedOut(done))

    async def _log_out(self, session: Session, number: str | None = None) -> bool:
        try:
            async with asyncio.timeout(LOG_OUT_DEADLINE):
                await session.log_out(number)
        except (DriverError, TimeoutError) as error:
            log.warning("%s The device could not be logged out: %s", self._label, error or "no answer")
            return False
        return True

    async def look(self) -> None:
        """Capture what the page shows and report it; an empty view if that fails or takes too long."""
        view = PageView()
        try:
            if self._session is not None:
                async with asyncio.timeout(self._probe_timeout):
                    view = await self._session.look()
        except (TimeoutError, DriverError) as error:
            log.debug("%s The page could not be captured: %s", self._label, error or "timed out")
        finally:
            self._report(Seen(view))

    async def dismiss(self) -> None:
        """Dismiss the known dialog that covers the page, or report that it stays; the page itself reports its end."""
        try:
            if self._session is not None:
                async with asyncio.timeout(self._probe_timeout):
                    await self._session.dismiss()
        except (TimeoutError, DriverError) as error:
            log.warning("%s The dialog could not be answered: %s", self._label, error or "no answer")
            self._report(DialogStays())

    async def probe(self) -> None:
        """Check the layers once and report the result; on a failure or time-out, the layer that was reached."""
        session, began = self._session, asyncio.get_running_loop().time()
        health = Health(Layer.BROWSER, "it is not open yet")
        try:
            if session is not None:
                health = await self._walk(session)
                self._timed("probe", asyncio.get_running_loop().time() - began)
        finally:
            self._report(health)
        if health.failed is not None:
            log.warning("%s Health check failed: %s, %s", self._label, health.failed, health.detail)

    async def _walk(self, session: Session) -> Health:
        try:
            async with asyncio.timeout(self._probe_timeout):
                return await session.probe()
        except TimeoutError:
            return Health(session.reached, f"no answer in {self._probe_timeout:g} s")
        except DriverError as error:
            return Health(session.reached, error.detail)

    async def heartbeat(self, *, ask: bool) -> None:
        """Send one keep-alive and report whether it was answered."""
        answered, began = False, asyncio.get_running_loop().time()
        try:
            if self._session is not None:
                async with asyncio.timeout(self._probe_timeout):
                    answered = await self._session.heartbeat(ask=ask)
                    self._timed("heartbeat", asyncio.get_running_loop().time() - began)
        except (TimeoutError, DriverError) as error:
            log.debug("%s The heartbeat was not answered: %s", self._label, error or "timed out")
        self._report(HeartbeatResult(answered))

    async def usage(self) -> Usage | None:
        """Measure the browser; None if that fails or takes too long."""
        if self._session is None:
            return None
        try:
            async with asyncio.timeout(self._probe_timeout):
                return await self._session.usage()
        except (TimeoutError, DriverError):
            return None
