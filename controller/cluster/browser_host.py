"""The machine's side of the cluster: opens browsers here while the lease lasts, each under the epoch of its placement.

Contents: `BrowserHost`, which only the controller calls, and the plain data that crosses the network.
Not here: how the two are connected (`ray_links`), which account runs where (`leases`), and how reports are handled.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from controller.accounts.reasons import Reason
from controller.accounts.reports import Health, Report
from controller.cluster.leases import Epochs, HostLease, Terms
from controller.driver import DriverError, Opening, Session
from controller.hosts import MachineDriver

log = logging.getLogger(__name__)

CALLS = frozenset({"probe", "heartbeat", "usage", "log_out", "look", "dismiss"})
"""Methods of a session that may be called remotely."""
_CALL_SECONDS = 30.0
_STALE = "this placement is over"


@dataclass(frozen=True, slots=True)
class Figures:
    """A machine's free resources, in bytes. short: too little is left to start another browser."""

    free_memory: int | None = None
    free_disk: int | None = None
    short: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a beat. at: this machine's clock, which the next beat echoes."""

    at: float
    figures: Figures


@dataclass(frozen=True, slots=True)
class Line:
    """One report of a session. Numbered from 1, across all sessions of this life."""

    number: int
    epoch: int
    report: Report


class BrowserHost:
    """One life of a machine. Create it inside a running loop.

    arm: called with the time on `clock` that this process must not outlive. probe_timeout: seconds.
    """

    def __init__(
        self,
        driver: MachineDriver,
        terms: Terms,
        *,
        clock: Callable[[], float],
        arm: Callable[[float], None],
        figures: Callable[[], Figures] = Figures,
        probe_timeout: float = 10.0,
    ) -> None:
        self._driver, self._terms, self._clock, self._arm, self._figures = driver, terms, clock, arm, figures
        self._probe_timeout = probe_timeout
        self._lease = HostLease(terms, clock())
        self._epochs = Epochs()
        self._opening: dict[int, asyncio.Task[Session]] = {}
        self._sessions: dict[int, Session] = {}
        self._lines: list[Line] = []
        self._count = 0
        self._news = asyncio.Event()
        arm(self._lease.ends_at)

    async def beat(self, echo: float | None) -> Reply:
        """Handle a beat: extend the lease according to the time that it echoes."""
        now = self._clock()
        if self._lease.extend(echo, now):
            self._arm(self._lease.ends_at)
        return Reply(self._lease.reply(now), self._figures())

    async def reports(self, after: int) -> list[Line]:
        """Return the reports after number `after`, waiting up to one beat for the first. Older ones are dropped."""
        self._lines = [line for line in self._lines if line.number > after]
        if not self._lines:
            self._news.clear()
            try:
                async with asyncio.timeout(self._terms.beat):
                    await self._news.wait()
            except TimeoutError:
                return []
        return list(self._lines)

    async def open(self, epoch: int, opening: Opening) -> None:
        """Open a browser; on failure nothing is left running. Raises DriverError."""
        if not self._lease.lasts(self._clock()):
            raise DriverError(Reason.LAUNCH_FAILED, "this host holds no lease")
        if not self._epochs.begin(opening.account, epoch):
            raise DriverError(Reason.LAUNCH_FAILED, _STALE)
        opening_task = asyncio.create_task(self._driver.open(opening, partial(self._record, epoch)))
        self._opening[epoch] = opening_task
        try:
            self._sessions[epoch] = await opening_task
        except asyncio.CancelledError:
            raise DriverError(Reason.LAUNCH_FAILED, _STALE) from None
        finally:
            del self._opening[epoch]
            if epoch not in self._sessions:
                self._epochs.end(opening.account, epoch)

    async def close(self, account: str, epoch: int) -> None:
        """End a placement for good, whether opening, open or not yet requested. Returns once nothing is left."""
        self._epochs.bar(account, epoch)
        if (opening := self._opening.get(epoch)) is not None:
            opening.cancel()
            await asyncio.wait([opening])
            await asyncio.sleep(0)  # lets `open` record its outcome
        if (session := self._sessions.get(epoch)) is not None:
            await session.close()
            self._sessions.pop(epoch, None)
        self._epochs.end(account, epoch)

    async def call(self, epoch: int, name: str, arguments: dict[str, Any]) -> Any:
        """Call one of `CALLS` on a session. Raises DriverError."""
        if (session := self._sessions.get(epoch)) is None or name not in CALLS:
            raise DriverError(Reason.SESSION_CLOSED, _STALE)
        if name == "probe":
            return await self._probe(session)
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                return await getattr(session, name)(**arguments)
        except TimeoutError:
            raise DriverError(Reason.UNRESPONSIVE, "no answer in time") from None

    async def _probe(self, session: Session) -> Health:
        """Check the layers and name the one that hangs here: the controller cannot see which it is."""
        try:
            async with asyncio.timeout(self._probe_timeout * 0.8):
                return await session.probe()
        except TimeoutError:
            return Health(session.reached, "no answer in time")

    async def leave(self) -> None:
        """Close all sessions concurrently."""
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        await self._driver.stop()

    def _record(self, epoch: int, report: Report) -> None:
        self._count += 1
        self._lines.append(Line(self._count, epoch, report))
        self._news.set()
