"""One open browser of one account: turns events of its page and processes into reports, and closes it completely.

`page.reader` parses a document's messages, `page.debounce` debounces what must persist before it is believed, and
`page.documents` follows navigation. They meet the processes beneath them here.
Not here: where things are in the page (`surfaces.js`), and what follows from a report.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended, Health, Heard, Layer, PageView, Ready, Reloaded, Report
from controller.chromium.page import questions
from controller.chromium.page.channel import PageChannel
from controller.chromium.page.documents import Documents, Timing
from controller.chromium.page.durability import remove_marker, until_durable
from controller.chromium.page.fence import Fence
from controller.chromium.page.log_outs import LogOuts
from controller.chromium.page.reader import (
    ENDS_AFTER,
    MAY_END,
    ONE_SIGN_AFTER,
    Finding,
    LogOutSaid,
    Meaning,
    PageReader,
    Stands,
    Subject,
)
from controller.chromium.page.screenshot import take_picture
from controller.chromium.page.second_look import SecondLook
from controller.chromium.parts import Parts
from controller.chromium.playwright.errors import translated
from controller.chromium.playwright.launch import close_gracefully
from controller.chromium.process.tree import ExitWatch, end_tree
from controller.chromium.process.usage import measure
from controller.driver import DriverError, Opening, Usage
from controller.tasks import Tasks, uncancelled

log = logging.getLogger(__name__)

_LOG_OUT_SECONDS = 8.0
"""Limit for the confirmation of our own log-out."""
_BENEATH_SECONDS = 0.2
"""How long to wait for a process's exit event: it arrives by another way than the page's, sometimes later."""
_ANSWER_SECONDS = 10.0


class ChromiumSession:
    """Implements `controller.driver.Session`.

    query: what came of it in earlier browsers. released: called once closed, when others may use the profile.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        opening: Opening,
        page_url: str,
        presence: bool,
        timing: Timing,
        had_session: bool,
        query: questions.OwnQuery | None = None,
        report: Callable[[Report], None],
        released: Callable[[], None],
    ) -> None:
        self._parts = parts
        self._opening = opening
        self._presence = presence
        self._timing = timing
        self._report = report
        self._released = released
        self._had_session = had_session
        self._reader = PageReader(takeover=opening.takeover, had_session=had_session, account=opening.account)
        self.channel = PageChannel(parts.page_cdp, self.receive, self._flooded)
        self.fence = Fence(parts.page, parts.page_cdp, page_url, self.misbehave)
        self._documents = Documents(parts.page, parts.page_cdp, page_url, timing, self)
        self._tasks = Tasks("chromium session")
        self._debouncer = SecondLook(self._ask_page, self._tasks, self._believe, self._disbelieve)
        self._readying: asyncio.Task[Any] | None = None
        self._watches: list[ExitWatch] = []
        self._ended = asyncio.Event()
        self._end_reason: Reason | None = None
        self._log_outs = LogOuts()
        self._is_stored = True
        self._linked = False
        self._silent = True
        self._deaf = False
        self._query = query or questions.OwnQuery()
        self._query.begin()
        self._partial_told: str | None = None  # None: it has not been ready yet
        self._closing: asyncio.Task[None] | None = None
        self._reached = Layer.PROCESS

    # --- events ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Subscribe to everything that can end, and start loading the page. Reports begin here.

        Raises OSError if the processes cannot be watched.
        """
        parts = self._parts
        for process in (parts.process, parts.node):
            self._watches.append(ExitWatch(process, self._process_ended))
        self._silent = False
        parts.page.on("crash", lambda _: self._crashed())
        parts.page.on("close", lambda _: self._tasks.start(self._closed("the page was closed")))
        parts.context.on("close", lambda _: self._tasks.start(self._closed("the browser was closed")))
        self._documents.watch()
        self._tasks.start(self._documents.load(fresh=self._opening.fresh))

    def give_up(self) -> None:
        """Unsubscribe: the session failed to begin, and whoever started the browser ends it."""
        self._silent = True
        for watch in self._watches:
            watch.cancel()

    def receive(self, message: Any) -> None:
        """Handle a message from the watcher."""
        if self._silent or self._deaf or self._documents.is_elsewhere:
            return
        if (at_address := self._log_outs.look(message)) is not None:
            self._debouncer.update(Subject.LOG_OUT, *at_address, ENDS_AFTER)
        self._take(self._reader.read(message))
        self._tell_partial()

    def _take(self, meanings: Iterable[Meaning]) -> None:
        for meant in meanings:
            match meant:
                case Stands():
                    self._debouncer.update(meant.subject, meant.meant, meant.seconds)
                case LogOutSaid():
                    self._debouncer.update(Subject.LOG_OUT, self._log_outs.say(meant.code), ENDS_AFTER)
                case Finding():
                    self._find(meant)
                case _:
                    self._tell(meant)

    def _find(self, finding: Finding) -> None:
        match finding:
            case Finding.RECOGNISED:
                self._documents.recognise()
            case Finding.TAKE_OVER:
                self._tasks.start(self._take_over())
            case Finding.LINKED:
                self._is_stored = self._is_stored and not self._reader.asked_for_scan
                if self._readying is None or self._readying.done():  # else it was linked before, and is again
                    self._readying = self._tasks.start(self._become_ready())
            case Finding.IN_PART:
                self._tell_partial(lasts=True)
            case Finding.ONE_SIGN:
                self._tasks.start(self._ask_for_second_sign(self._reader))

    def _believe(self, subject: Subject, meant: Report | Finding) -> None:
        """Act on what the page has shown for long enough."""
        if self._silent:
            return
        if subject is Subject.CODE and (ended := self._log_outs.at_scan()) is not None:
            self.end(ended)
            return
        if subject is Subject.CODE and self._had_session:
            log.warning("A page asks for a scan though its profile held a session (pid %d)", self.pid)
        for each in self._reader.believed(meant):
            self._find(each) if isinstance(each, Finding) else self._tell(each)

    def _disbelieve(self, subject: Subject) -> None:
        if subject is Subject.LOG_OUT:
            self._log_outs.unsay()

    def _tell(self, report: Report) -> None:
        if self._silent:
            return
        if isinstance(report, Ready):
            self._linked, self._partial_told = True, report.partial
            self._log_outs.unsay()
        if isinstance(report, Code):
            self._is_stored = self._linked = False
        if isinstance(report, Ended):
            self._linked = self._linked and report.reason is not Reason.LOGGED_OUT
            self._silent = True
            self._end_reason = report.reason
            self._debouncer.clear()
            self._ended.set()
        self._report(report)

    def _crashed(self) -> None:
        self.channel.lose()
        self._close_down("the page crashed")

    def _close_down(self, detail: str) -> None:
        self.end(Ended(Reason.SESSION_CLOSED, detail))

    def _flooded(self) -> None:
        self.misbehave("it sent more messages than any page does")

    def misbehave(self, detail: str) -> None:
        """Treat the page as misbehaving: its browser is killed at once, without a clean shutdown."""
        if self._silent:
            return
        log.warning("A page misbehaves: %s; its browser is ended (pid %d)", detail, self._parts.process.pid)
        self.channel.close()
        self.end(Ended(Reason.PAGE_MISBEHAVES, detail))
        self._tasks.start(end_tree(self._parts.process, grace=0, timeout=self._timing.close))

    def _process_ended(self) -> None:
        """Name the process that died first: a browser ends with its driver process, and may be noticed before it."""
        first = "Playwright's driver process" if self._parts.node.is_ending() else "the browser's process"
        self._close_down(f"{first} ended")

    async def _closed(self, detail: str) -> None:
        """Wait for process events first: a dying process takes browser and page with it."""
        await asyncio.sleep(_BENEATH_SECONDS)
        self._close_down(detail)

    # --- documents (see `page.documents.Owner`) -----------------------------------------------------------------------

    def end(self, ended: Ended) -> None:
        """Report the end."""
        self._tell(ended)

    def renew(self) -> None:
        """Reset the reader: the same session has a new document."""
        self._begin_reading()
        self._tell(Reloaded())

    async def words(self) -> str:
        """Return what the page says most prominently."""
        return await questions.headline(self.channel.ask)

    def log_out_address(self, code: str) -> None:
        """Believe it at once if the page announced it or we requested it; otherwise once the page asks for a scan."""
        ended = None if self._reader.is_nobodys else self._log_outs.go_to_address(code)
        if ended is not None:
            self.end(ended)
        else:
            self.renew()

    def _begin_reading(self) -> None:
        self._debouncer.clear()
        if self._readying is not None:
            self._readying.cancel()
            self._readying = None
        self._partial_told = None  # whatever it was before, a session was open: a code would be significant
        self._reader = PageReader(
            takeover=self._reader.takes_over, had_session=True, was_linked=self._linked, account=self._opening.account
        )

    # --- stages -------------------------------------------------------------------------------------------------------

    async def _take_over(self) -> None:
        reader = self._reader
        refused = await questions.take_over(self._ask_page, lambda: reader.is_not_given_back)
        if refused and reader is self._reader:
            self.end(Ended(Reason.CONFLICT, refused))

    async def _ask_for_second_sign(self, reader: PageReader) -> None:
        """Let the server answer if the page gives one sign only; if it cannot be queried, the one sign is enough."""
        answer: Any = False
        with contextlib.suppress(DriverError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self.channel.ask("serverAnswers()")
        snapshot = reader.latest
        if reader is not self._reader or snapshot is None or not snapshot.can_be_ready:
            return
        if answer is False:
            self._debouncer.update(Subject.SIGN, Finding.ONE_SIGN, ONE_SIGN_AFTER)
        else:
            self._take(reader.second_sign())

    async def _become_ready(self) -> None:
        """Report Ready: at once for a restored session, for a new link once it is on disk."""
        if not self._is_stored:
            try:
                stays = await until_durable(self._evaluate, self._parts.profile.folder, self._leave)
                self._is_stored = True
                if not stays:
                    await self._return()  # the page will report again that it is linked, now from storage
                    return
            except DriverError as error:
                self.end(Ended(error.reason, error.detail))
                return
        while self._debouncer.is_pending(Subject.NUMBER):  # noqa: ASYNC110 - whose it is, is known in some seconds
            await asyncio.sleep(0.1)
        if not self._reader.is_linked:  # it asks for a passkey meanwhile, and will say so again
            return
        if self._reader.latest is not None and not self._reader.latest.can_be_ready:
            self._reader.not_ready()
            return
        self._tell(Ready(self._reader.number, partial=self._partial))

    @property
    def _partial(self) -> str:
        """What cannot be watched of the page now."""
        latest = self._reader.latest
        return (latest.partial if latest is not None else "") or self._query.partial

    def _tell_partial(self, *, lasts: bool = False) -> None:
        """Report that all can be watched, or that its server cannot be asked; other changes must have lasted."""
        latest, partial = self._reader.latest, self._partial
        is_news = self._reader.is_linked and self._partial_told not in {None, partial}
        is_known = partial in {"", self._query.partial} and latest is not None and latest.is_ready
        if is_news and (is_known or (lasts and latest is not None and latest.can_be_ready)):
            self._tell(Ready(self._reader.number, partial=partial))

    async def _leave(self) -> None:
        """Navigate away on purpose: what the page says on its way out is ignored."""
        self._deaf = True
        await self._documents.leave()

    async def _return(self) -> None:
        self._readying = None  # the new document becomes ready by itself
        self._begin_reading()
        self._deaf = False
        await self._documents.come_back()
        await remove_marker(self._evaluate)

    async def _evaluate(self, function: str, argument: Any) -> Any:
        with translated("ask the page"):
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self.channel.evaluate(function, argument)

    async def _ask_page(self, call: str) -> Any:
        return await self.channel.ask(call)  # the channel is made after what asks it

    # --- queries and commands -----------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The browser's process id."""
        return self._parts.process.pid

    @property
    def reached(self) -> Layer:
        """The layer that the probe has reached."""
        return self._reached

    async def probe(self) -> Health:
        """Check the layers once, from the process to WhatsApp's socket."""
        parts, self._reached = self._parts, Layer.PROCESS
        if not parts.process.is_alive():
            return Health(Layer.PROCESS, "the browser's process is gone")
        if parts.process.is_stopped():
            return Health(Layer.PROCESS, "the browser's process is stopped")
        self._reached = Layer.BROWSER
        if not parts.node.is_alive() or parts.node.is_stopped():
            return Health(Layer.BROWSER, "Playwright's driver process is gone or stopped")
        try:
            await self.relay()
            self._reached = Layer.PAGE
            if self._documents.is_elsewhere:
                return Health(detail="it is at another address: it may be back in a moment")
            live = await self.channel.ask("live()")
        except DriverError as error:
            return Health(self._reached, error.detail)
        self._reached = Layer.SOCKET
        health = questions.health_of(live)
        if health.failed is None and self._reader.hears_nothing:
            return await questions.health_of_silent(self.channel.ask, lambda: self._tell(Heard()))
        if health.failed is not None and any(map(self._debouncer.is_pending, MAY_END)):
            return Health(detail="it may be over: that is believed once it has stood for some seconds")
        return health

    async def answer(self) -> None:
        """Return when the page has answered the cheapest of questions: its script pauses. Raises DriverError."""
        await self.channel.evaluate("() => true", None)

    async def relay(self) -> None:
        """Return when the browser itself has answered, by the way that the page's answers take. Raises DriverError."""
        with translated("ask the browser"):
            await self._parts.browser_cdp.send("Browser.getVersion")

    @property
    def is_loading(self) -> bool:
        """Whether the page still loads its chats, or is not recognised yet."""
        return not self._documents.is_recognised or self._reader.is_loading

    async def heartbeat(self, *, ask: bool) -> bool:
        """Read the live state and, if requested, let the server answer."""
        answered = await questions.heartbeat(
            self.channel.ask, self._query, ask=ask, presence=self._presence, silent=self._reader.hears_nothing
        )
        self._tell_partial()
        return answered

    async def usage(self) -> Usage:
        """Measure the browser including all its processes."""
        return await asyncio.to_thread(measure, self._parts.process.pid)

    async def log_out(self, number: str | None = None) -> None:
        """Remove this linked device from the account; returns once the page has confirmed it."""
        self._log_outs.requested = True
        try:
            async with asyncio.timeout(_LOG_OUT_SECONDS):
                await questions.log_out(self.channel.ask, number)
                await self._ended.wait()
        except TimeoutError:
            raise DriverError(Reason.UNKNOWN, "the page did not confirm the log-out") from None
        if self._end_reason is not Reason.LOGGED_OUT:
            raise DriverError(Reason.UNKNOWN, "the page ended before it confirmed the log-out")

    async def look(self) -> PageView:
        """Capture what the page shows now."""
        words = await questions.headline(self._ask_page)
        return PageView(words, self._reader.fault, await take_picture(self._parts.page))

    async def dismiss(self) -> None:
        """Press the known dialog's only button and wait until it is gone."""
        await questions.dismiss(self.channel.ask)

    # --- the end ------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close page, browser and process group; see `controller.driver.Session.close`."""
        self._silent = True
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="close of a chromium session")
            self._closing.add_done_callback(lambda _: self._released())
        closing = self._closing
        await uncancelled(asyncio.wait([closing]))

    async def _close(self) -> None:
        parts = self._parts
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._timing.close
        for watch in self._watches:
            watch.cancel()
        in_good_order = False
        self.channel.close()
        self._debouncer.clear()
        try:
            await self._documents.stop()
            await self.fence.stop()
            await self._tasks.stop()
            if parts.process.is_alive() and not parts.process.is_stopped() and not parts.node.is_stopped():
                in_good_order = await close_gracefully(parts.context, self._timing.close * 0.5)
        except Exception:
            log.exception("A browser could not be closed gracefully")
        left = max(1.0, ends_at - loop.time())
        try:
            if not await end_tree(parts.process, grace=left * 0.4, timeout=left):  # the next opening tries again
                return log.error("The browser's processes cannot be ended (pid %d)", parts.process.pid)
            parts.profile.clear_leftovers()
            if in_good_order and self._linked:
                parts.profile.mark_clean()
        except OSError as error:
            log.error("A browser's leftovers could not be removed: %s", error.strerror)
