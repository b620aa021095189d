"""Pages without a browser, in virtual time: real session, documents, reader and manager; only Chromium is pretended.

A test changes what a page shows; snapshots follow as the watcher's do: at once for what has an event, else when it next
polls. Not here: any case, and what surfaces.js reads of a page (the stand-in shows that in a real browser).
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest import mock

from controller.accounts.notices import Notice
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Report
from controller.chromium import session as session_module
from controller.chromium.page import documents as documents_module
from controller.chromium.page.documents import Timing
from controller.chromium.page.questions import OwnQuery
from controller.chromium.session import ChromiumSession
from controller.driver import DriverError, Opening
from controller.launch_slots import LaunchSlots
from controller.manager import Manager
from tests.controller.observed import Observed
from tests.virtual_time import pass_time, run_virtual, settle

OURS, NEARLY, STRANGER = "+4915112345671", "+49015112345671", "+4915119999999"
URL = "https://web.whatsapp.com/"
POLL, SLOW_POLL, CHECKS = 1.0, 7.0, (1.0, 2.5)
UP = {"state": "CONNECTED", "stream": "CONNECTED", "mode": "MAIN", "info": "NORMAL", "synced": True, "chats": True}
SCAN = {"state": "UNPAIRED", "stream": "DISCONNECTED", "mode": "QR", "info": "PAIRING", "synced": False, "chats": False}
LOADING = {
    "state": "OPENING",
    "stream": "DISCONNECTED",
    "mode": None,
    "info": "OPENING",
    "synced": False,
    "chats": False,
}


def code(name: str = "ref") -> str:
    return f"2@{name},static,identity,secret,1"


class Page:
    """What one document shows. answers: what the server says to the light query; None: there is no such query."""

    def __init__(self, session: "PretendSession", shown: dict[str, Any]) -> None:
        self.session = session
        self.shown: dict[str, Any] = {
            "code": None,
            "me": None,
            "percent": None,
            "dialog": None,
            "startup": False,
        } | shown
        self.answers: bool | None = True
        self.logs_out: bool | str = True
        """"by a reload": it says nothing, and asks for a scan at its usual address."""
        self.frozen = False
        """Whether its scripts stand still, as those of a starved page do."""
        self.lets_go = True
        """Whether the other browser lets go of the session when it is taken back."""
        self.dismisses = True
        self.told: dict[str, Any] | None = None
        self.seen_at: dict[str, float] = {}
        self.polling = asyncio.create_task(self._poll())

    def show(self, *, silently: bool = False, **changes: Any) -> None:
        """Change what is shown. silently: no event tells, so that the watcher sees it when it next looks."""
        self.shown |= changes
        if not silently:
            self.look()

    def say(self, kind: str, **more: Any) -> None:
        """Send one of the watcher's single messages."""
        if self.session.page is self:
            self.session.receive({"kind": kind, **more})

    def look(self) -> None:
        """Send a snapshot if anything has changed."""
        told = self.snapshot()
        if self.session.page is self and not self.frozen and told != self.told:
            self.told = told
            self.session.receive(told)
            for seconds in CHECKS:
                asyncio.get_running_loop().call_later(seconds, self.look)

    def snapshot(self) -> dict[str, Any]:
        shown = self.shown
        marks = {"code": shown["code"] is not None, "chats": shown.get("chats") is True, "startup": shown["startup"]}
        return {"kind": "snapshot", **shown, "marks": marks}

    @property
    def is_quiet(self) -> bool:
        return self.shown.get("chats") is True and self.shown.get("state") in {None, "CONNECTED"}

    async def _poll(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(SLOW_POLL if self.is_quiet else POLL)

    async def ask(self, call: str) -> Any:  # noqa: C901 - one case for each question
        """Answer a question as surfaces.js does."""
        while self.frozen:  # noqa: ASYNC110 - a test thaws it
            await asyncio.sleep(0.1)
        name = call.partition("(")[0]
        dialog = self.shown["dialog"] if isinstance(self.shown["dialog"], dict) else {}
        match name:
            case "live":
                return dict(self.shown)
            case "canAsk":
                return self.answers is not None
            case "serverAnswers":
                return self.answers if self.shown.get("state") == "CONNECTED" or self.answers is None else False
            case "headline":
                return dialog.get("words", "")
            case "dialog":
                return dialog or None
            case "dismiss":
                if not dialog.get("known"):
                    return False
                if self.dismisses:
                    self.show(dialog=None)
                return True
            case "logOut":
                return self._log_out(call)
            case "takeOver":
                if not self.lets_go:
                    return True
                self.show(**LOADING)
                asyncio.get_running_loop().call_later(1.0, lambda: self.show(**UP))
                return True
        return None

    def _log_out(self, call: str) -> Any:
        if call != f'logOut("{self.shown["me"]}")':
            return "another"
        if self.logs_out == "by a reload":
            self.session.navigate("", SCAN | {"code": code()})
        elif self.logs_out:
            self.say("logged out", reason="user_initiated")
            self.session.navigate("?post_logout=1&logout_reason=0", SCAN)
        return True


class Emitter:
    def __init__(self, is_frozen: Callable[[], bool] = lambda: False) -> None:
        self.listeners: dict[str, Callable[[Any], None]] = {}
        self._is_frozen = is_frozen

    def on(self, event: str, listener: Callable[[Any], None]) -> None:
        self.listeners[event] = listener

    async def send(self, *_: Any) -> dict[str, Any]:
        while self._is_frozen():  # noqa: ASYNC110 - a test thaws it
            await asyncio.sleep(0.1)
        return {}


class PretendSession(ChromiumSession):
    """The real session with a pretended page. loads: seconds until a document shows anything."""

    def __init__(self, driver: "PretendDriver", opening: Opening, report: Callable[[Report], None]) -> None:
        self.driver = driver
        self.page: Page | None = None
        self._cdp = Emitter(lambda: self.page is not None and self.page.frozen)
        parts: Any = SimpleNamespace(
            page_cdp=self._cdp, browser_cdp=Emitter(), context=Emitter(),
            page=SimpleNamespace(goto=self._goto, on=lambda *_: None),
            process=SimpleNamespace(is_alive=lambda: True, is_stopped=lambda: False, pid=1),
            node=SimpleNamespace(is_alive=lambda: True, is_stopped=lambda: False, is_ending=lambda: False, pid=2),
            profile=SimpleNamespace(folder=None, mark_clean=lambda: None),
        )  # fmt: skip
        super().__init__(
            parts, opening=opening, page_url=URL, presence=False, timing=Timing(load=30.0, settle=30.0, close=10.0),
            had_session=driver.has_linked, query=driver.query, report=report, released=lambda: None,
        )  # fmt: skip
        self.channel = SimpleNamespace(ask=self._ask, evaluate=self._answer, close=lambda: None)  # type: ignore[assignment]
        self._silent = False
        self._documents.watch()
        self._tasks.start(self._documents.load(fresh=opening.fresh))

    async def _ask(self, call: str) -> Any:
        if self.page is None:
            raise DriverError(Reason.UNRESPONSIVE, "the page is loading")
        return await self.page.ask(call)

    async def _answer(self, *_: Any) -> bool:
        return True

    async def _goto(self, url: str, **_: Any) -> None:
        await self._load(url, self.driver.first(self))

    def navigate(self, query: str, shown: dict[str, Any], loads: float | None = None) -> None:
        """Load another document of the same origin, as the page itself does."""
        self._tasks.start(self._load(URL + query, shown, loads))

    def land(self, url: str) -> None:
        """Be at another address, of which nothing is read."""
        self.drop_page()
        self._cdp.listeners["Page.frameNavigated"]({"frame": {"url": url}})

    async def _load(self, url: str, shown: dict[str, Any], loads: float | None = None) -> None:
        self.drop_page()
        self._cdp.listeners["Page.frameNavigated"]({"frame": {"url": url}})
        await asyncio.sleep(self.driver.loads if loads is None else loads)
        self.page = Page(self, shown)
        self.driver.on_page(self.page)
        self._cdp.listeners["Page.loadEventFired"]({})

    def drop_page(self) -> None:
        if self.page is not None:
            self.page.polling.cancel()
            self.page = None

    async def _close(self) -> None:
        self._debouncer.clear()
        self.drop_page()
        await self._documents.stop()
        await self._tasks.stop()
        self.driver.sessions.remove(self)


class PretendDriver:
    """Opens pretended sessions. has_linked: the profile holds a session; first: what the first document shows."""

    def __init__(self) -> None:
        self.loads = 1.0
        self.has_linked = True
        self.query = OwnQuery()
        self.first: Callable[[PretendSession], dict[str, Any]] = lambda _: LOADING | {"me": OURS[1:]}
        self.on_page: Callable[[Page], None] = lambda _: None
        self.sessions: list[PretendSession] = []
        self.opened: list[Opening] = []

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> PretendSession:
        assert not self.sessions, "two browsers on one profile"
        self.opened.append(opening)
        await asyncio.sleep(0.5)
        session = PretendSession(self, opening, report)
        self.sessions.append(session)
        return session


class Pretend(Observed):
    """One account on pretended pages, and all that people are told of it."""

    def __init__(self, **policy: Any) -> None:
        self.driver = PretendDriver()
        self.told: list[Notice] = []
        self.policy = replace(Policy(), **policy)
        self.at: list[float] = []
        self.watch: Callable[[Notice], None] = lambda _: None
        self.begin()

    def begin(self) -> None:
        """Begin with a manager that knows nothing, as the program does."""
        self.manager = Manager(
            OURS, driver=self.driver, slots=LaunchSlots(2), policy=self.policy, listener=self._listen,  # type: ignore[arg-type]
        )  # fmt: skip

    def _listen(self, notice: Notice) -> None:
        self.told.append(notice)
        self.at.append(asyncio.get_running_loop().time())
        self.watch(notice)

    @property
    def page(self) -> Page:
        """The open page."""
        page = self.driver.sessions[0].page
        assert page is not None
        return page

    @property
    def session(self) -> PretendSession:
        return self.driver.sessions[0]

    @property
    def connection(self) -> Any:
        return self.manager.connection

    @property
    def ends(self) -> list[Reason]:
        over = {State.DISCONNECTED, State.ERROR, State.SUSPENDED}
        return [each.reason for each in self.moves if each.state in over]

    async def connected(self, **shown: Any) -> None:
        """Open the saved session and let its page come up."""
        self.driver.first = lambda _: UP | {"me": OURS[1:]} | shown
        await self.manager.start()
        await pass_time(10)
        assert self.connection.state is State.CONNECTED, self.connection

    async def opened(self, **shown: Any) -> Page:
        """Open, and let the page show this."""
        self.driver.first = lambda _: dict(shown)
        await self.manager.start()
        await pass_time(1.6)
        return self.page

    async def stop(self) -> None:
        await self.manager.stop()
        await settle()


@contextmanager
def without_chromium() -> Iterator[None]:
    """No page is asked for its disk or picture."""

    async def at_once(*_: object) -> bool:
        return True

    async def nothing(*_: object) -> None:
        return None

    with (
        mock.patch.object(session_module, "until_durable", at_once),
        mock.patch.object(session_module, "take_picture", nothing),
        mock.patch.object(documents_module, "take_picture", nothing),
    ):
        yield


NEWS = {"words": "What's new", "known": True, "locked": False}
LOCK = {"words": "locked", "known": False, "locked": True}
MINE = {"me": OURS[1:]}
LINKING = SCAN | {"code": code()}
RESUMING = UP | {"info": "RESUMING", "synced": False}

Test = Callable[..., Coroutine[Any, Any, None]]


def virtual(test: Test) -> Callable[..., None]:
    """Decorate a test so that it runs in virtual time, without Chromium. Keeps its parameters."""

    def run(**given: Any) -> None:
        with without_chromium():
            try:
                run_virtual(test(**given))
            finally:  # while what it replaced is in place: later it would replace the real ones by these
                if (patches := given.get("monkeypatch")) is not None:
                    patches.undo()

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run


@asynccontextmanager
async def account(**policy: Any) -> AsyncIterator[Pretend]:
    made = Pretend(**policy)
    try:
        yield made
    finally:
        await made.stop()
