"""The controller's side of the cluster: implements `controller.hosts.Hosts` for machines that are reached over links.

Contents: placement of accounts, the beats that renew leases, and remote sessions. A browser counts as ended only if its
machine confirms it or its lease has expired. Not here: the transport (`ray_links`), and how reports are handled.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from controller.accounts.reasons import Reason
from controller.accounts.reports import Ended, Health, Layer, PageView, Report
from controller.cluster.browser_host import Line, Reply
from controller.cluster.leases import LeaseTable, NoHostError, NotYetError, Placement, Terms
from controller.driver import DriverError, Opening, SavedSession, Usage
from controller.hosts import Archives, Files, Home, HostUsage
from controller.tasks import Tasks

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two checks for machines that have joined or are lost."""
OPEN_SECONDS = 60.0
CLOSE_SECONDS = 19.0
"""Seconds after which a close returns in any case; the rest is ended in the background."""
HOST_PATIENCE = 15.0
"""Seconds that an account waits for a machine with room, in addition to the wait until its previous lease expires."""


class LinkError(Exception):
    """A machine did not answer, or cannot be reached. This proves nothing about what runs there."""


class Link(Protocol):
    """A connection to one life of a machine. life: its unique name. capacity: maximum number of accounts."""

    host: str
    life: str
    capacity: int
    build: str

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of its `BrowserHost`. Raises LinkError, or the DriverError raised there."""

    async def end(self) -> None:
        """Abandon this life: end it if it can be reached. Never raises."""


class Links(Protocol):
    """Finds machines and starts lives on them."""

    async def connect(self) -> None:
        """Join the cluster as its only controller. Raises DriverError."""

    async def look(self, living: Sequence[str]) -> list[Link]:
        """Start a life on each available machine whose name is not in `living`; return the new links. Never raises."""

    async def stop(self) -> None:
        """Leave the cluster. Never raises."""


class ClusterHosts:
    """Runs accounts on many machines. files: for the DATA_DIR that all share; archives: instead, where they share none.

    clock: seconds, including those that this machine spends suspended.
    """

    def __init__(
        self, links: Links, files: Files, terms: Terms, *, clock: Callable[[], float], name: str,
        archives: Archives | None = None,
    ) -> None:  # fmt: skip
        self._links, self._files, self._terms, self._clock, self._name = links, archives or files, terms, clock, name
        self._archives = archives
        self._table = LeaseTable(terms, clock(), None if archives is None else archives.next_epoch)
        self._lives: dict[str, Link] = {}
        self._sessions: dict[int, RemoteSession] = {}
        self._changed = asyncio.Event()
        self._tasks = Tasks("a task of the cluster")
        self._used: dict[str, Usage] = {}

    # --- machines -----------------------------------------------------------------------------------------------------

    def find(self) -> str:
        """Return the cluster's name."""
        return f"on the hosts of {self._name}"

    async def identify(self) -> None:
        """Join the cluster and accept machines from now on. Raises DriverError."""
        await self._links.connect()
        self._tasks.start(self._look())
        self._tasks.start(self._reap())

    def warm_up(self) -> None:
        """Do nothing: each machine does this when its life starts."""

    async def end_orphans(self) -> int:
        """Wait until all leases of an earlier controller have expired: its machines end the browsers themselves."""
        if (seconds := self._table.opens_at - self._clock()) > 0:
            log.info("Browsers are opened in %.0f s, when the leases of an earlier run are over", seconds)
        while self._clock() < self._table.opens_at:
            await self._change()
        return 0

    async def run(self) -> None:
        """Return at once: machines are monitored from `identify` on."""

    def used(self) -> Mapping[str, Usage]:
        """Return the latest known usage of each account's browser."""
        return {account: usage for account, usage in self._used.items() if self.host_of(account)}

    def usage(self) -> Sequence[HostUsage]:
        """Return all machines that have ever joined."""
        return self._table.usage(self._clock())

    def host_of(self, account: str) -> str:
        """Return the name of the machine that an account is placed on, "" if there is none."""
        placement = self._table.placement(account)
        return placement.host if placement is not None else ""

    def drain(self, host: str, *, draining: bool) -> None:
        """Stop placing accounts on a machine, or resume. Raises UnknownHostError."""
        self._table.drain(host, draining=draining)
        self._wake()

    async def _look(self) -> None:
        while True:
            for link in await self._links.look([host for host, _ in self._table.lives()]):
                self._lives[link.life] = link
                self._table.join(link.host, link.life, link.capacity, self._clock(), link.build)
                log.info("Host %s has joined, for %d accounts", link.host, link.capacity)
                self._tasks.start(self._beat(link))
                self._tasks.start(self._listen(link))
            await asyncio.sleep(LOOK_EVERY)

    async def _reap(self) -> None:
        while True:
            self._take_lost()
            await asyncio.sleep(LOOK_EVERY)

    def _take_lost(self) -> None:
        for lost in self._table.take_lost(self._clock()):
            link = self._lives.pop(lost.life)
            self._tasks.start(link.end())
            log.warning("Host %s is lost, with %d accounts", lost.host, len(lost.placements))
            for placement in lost.placements:
                if (session := self._sessions.pop(placement.epoch, None)) is not None:
                    session.take(Ended(Reason.SESSION_CLOSED, f"host {lost.host} was lost"))
            self._wake()

    async def _beat(self, link: Link) -> None:
        """Send beats until this life is abandoned: two calls each time, the second echoing the first's reply."""
        loop = asyncio.get_running_loop()
        while link.life in self._lives:
            next_at = loop.time() + self._terms.beat
            try:
                for _ in range(2):
                    await self._beat_once(link)
            except (LinkError, TimeoutError, DriverError) as error:
                log.warning("Host %s does not answer: %s", link.host, error or "no answer in time")
                self._table.note_failure(link.life)
                next_at = loop.time() + LOOK_EVERY
            await asyncio.sleep(max(0.0, next_at - loop.time()))

    async def _beat_once(self, link: Link) -> None:
        async with asyncio.timeout(self._terms.beat / 2):
            reply: Reply = await link.ask("beat", self._table.echo(link.life) if link.life in self._lives else None)
        figures = reply.figures
        self._table.take_reply(
            link.life, reply.at, self._clock(), free_memory=figures.free_memory,
            free_disk=figures.free_disk, short=figures.short,
        )  # fmt: skip
        self._wake()

    async def _listen(self, link: Link) -> None:
        """Forward the sessions' reports, each once and in order."""
        taken = 0
        while link.life in self._lives:
            try:
                async with asyncio.timeout(self._terms.beat * 2):
                    lines: list[Line] = await link.ask("reports", taken)
            except (LinkError, TimeoutError, DriverError):
                await asyncio.sleep(LOOK_EVERY)
                continue
            for line in lines:
                if line.number > taken:
                    taken = line.number
                    if (session := self._sessions.get(line.epoch)) is not None:
                        session.take(line.report)

    # --- accounts -----------------------------------------------------------------------------------------------------

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> "RemoteSession":
        """Place an account and open its browser there; see `controller.driver.Driver.open`.

        If it is cancelled or fails, any remains are ended in the background, and the account is not placed before that.
        """
        placement = await self._place(opening.account, await self._home(opening.account))
        opening = replace(opening, epoch=placement.epoch)
        session = self._sessions[placement.epoch] = RemoteSession(self, placement, report)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self._lives[placement.life].ask("open", placement.epoch, opening)
        except DriverError:
            self._table.release(placement)  # its machine confirms that nothing is left
            self._forget(placement)
            raise
        except BaseException as error:
            self._forget(placement)
            self._tasks.start(self._end(placement))
            if isinstance(error, LinkError | TimeoutError):
                detail = f"host {placement.host} did not answer"
                raise DriverError(Reason.LAUNCH_FAILED, detail) from error
            raise
        log.info("An account is open on host %s", placement.host)
        session.begin()
        return session

    async def _home(self, account: str) -> Home:
        """Return where an account's newest session is, trying for a while. Raises DriverError."""
        ends_at = self._clock() + HOST_PATIENCE
        while self._archives is not None:
            try:
                return await self._archives.home(account) or Home("", alone=False)
            except DriverError:
                if self._clock() >= ends_at:
                    raise
            await self._change()
        return Home("", alone=False)

    async def _place(self, account: str, home: Home) -> Placement:
        ends_at = self._clock() + self._terms.fence + HOST_PATIENCE
        while True:
            try:
                return self._table.place(account, self._clock(), home.host, alone=home.alone)
            except NotYetError:
                detail = "its last host does not answer, and may still run it"
            except NoHostError as error:
                detail = str(error)
            if self._clock() >= ends_at:
                raise DriverError(Reason.LAUNCH_FAILED, detail)
            await self._change()

    async def _change(self) -> None:
        """Wait until something may have changed, for a second at most."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()

    async def ask(self, placement: Placement, name: str, **arguments: Any) -> Any:
        """Call a method of a session on its machine. Raises DriverError."""
        if not self._table.is_current(placement):
            raise DriverError(Reason.SESSION_CLOSED, f"host {placement.host} was lost")
        try:
            found = await self._lives[placement.life].ask("call", placement.epoch, name, arguments)
        except LinkError as error:
            raise DriverError(Reason.UNRESPONSIVE, f"host {placement.host} does not answer: {error}") from error
        if isinstance(found, Usage):
            self._used[placement.account] = found
        return found

    async def close(self, placement: Placement) -> None:
        """End a placement, within the time limit of a close; if unconfirmed by then, go on in the background."""
        self._forget(placement)
        ending = self._tasks.start(self._end(placement))
        await asyncio.wait([ending], timeout=CLOSE_SECONDS)

    async def _end(self, placement: Placement) -> None:
        """Ask a machine to end a placement until it confirms that nothing is left, or its lease has expired."""
        while self._table.is_current(placement):
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    await self._lives[placement.life].ask("close", placement.account, placement.epoch)
                self._table.release(placement)
                self._wake()
            except (LinkError, TimeoutError, DriverError) as error:
                log.debug("Host %s has not confirmed a close: %s", placement.host, error or "no answer")
                await asyncio.sleep(LOOK_EVERY)

    def _forget(self, placement: Placement) -> None:
        self._sessions.pop(placement.epoch, None)

    async def _vacant(self, account: str) -> None:
        """Wait until an account cannot be running anywhere: its files are about to be changed. Raises DriverError."""
        ends_at = max(self._clock(), self._table.opens_at) + self._terms.fence
        while self._table.placement(account) is not None or self._clock() < self._table.opens_at:
            if self._clock() >= ends_at:
                raise DriverError(Reason.PROFILE_IN_USE, f"host {self.host_of(account)} has not closed its browser yet")
            await self._change()

    async def has_session(self, account: str) -> bool:
        """Check the shared files, or the archives."""
        return await self._files.has_session(account)

    async def remove(self, account: str) -> None:
        """Delete an account's files once no machine can be running it."""
        await self._vacant(account)
        await self._files.remove(account)

    async def saved(self, account: str) -> Sequence[SavedSession]:
        """Return the saved copies, or the archives."""
        return await self._files.saved(account)

    async def restore(self, account: str, name: str) -> None:
        """Restore a saved copy once no machine can be running the account."""
        await self._vacant(account)
        await self._files.restore(account, name)

    async def discard(self, account: str) -> None:
        """Let the account begin with an empty profile once no machine can be running it."""
        await self._vacant(account)
        await self._files.discard(account)

    async def check_archives(self) -> str:
        """Ask the store, if there is one."""
        return "" if self._archives is None else await self._archives.check()

    async def stop(self) -> None:
        """Release all machines. All sessions must have been closed."""
        await self._tasks.stop()
        await asyncio.gather(*(link.end() for link in self._lives.values()))
        await self._links.stop()
        await self._files.stop()


class RemoteSession:
    """Implements `controller.driver.Session` for a browser on another machine. Reports are buffered until `begin`."""

    def __init__(self, hosts: ClusterHosts, placement: Placement, report: Callable[[Report], None]) -> None:
        self._hosts, self._placement, self._report = hosts, placement, report
        self._early: list[Report] | None = []
        self._silent = False

    def begin(self) -> None:
        """Forward the buffered reports, and later ones at once."""
        early, self._early = self._early or [], None
        for report in early:
            self.take(report)

    def take(self, report: Report) -> None:
        """Handle a report. Nothing is forwarded after an end or a close."""
        if self._early is not None:
            self._early.append(report)
        elif not self._silent:
            self._silent = isinstance(report, Ended)
            self._report(report)

    @property
    def reached(self) -> Layer:
        """Return the layer that hangs if the machine does not answer; otherwise its own probe names it."""
        return Layer.BROWSER

    async def probe(self) -> Health:
        """Check the layers, on the machine."""
        found: Health = await self._hosts.ask(self._placement, "probe")
        return found

    async def heartbeat(self, *, ask: bool) -> bool:
        """Read the live socket state, on the machine."""
        return bool(await self._hosts.ask(self._placement, "heartbeat", ask=ask))

    async def usage(self) -> Usage:
        """Measure the browser, on the machine."""
        found: Usage = await self._hosts.ask(self._placement, "usage")
        return found

    async def log_out(self, number: str | None = None) -> None:
        """Remove this linked device."""
        await self._hosts.ask(self._placement, "log_out", number=number)

    async def look(self) -> PageView:
        """Capture what the page shows; an empty view if its machine does not answer."""
        try:
            found: PageView = await self._hosts.ask(self._placement, "look")
        except DriverError:
            return PageView()
        return found

    async def dismiss(self) -> None:
        """Press the known dialog's only button."""
        await self._hosts.ask(self._placement, "dismiss")

    async def close(self) -> None:
        """Close it on its machine; see `ClusterHosts.close`."""
        self._silent = True
        await self._hosts.close(self._placement)
