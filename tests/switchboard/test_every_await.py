"""The shutdown, broken at every await: whatever hangs, fails or is cancelled, the end comes and nothing opens after it.

The whole program runs in virtual time, between doubles of the browsers and of Telegram's HTTP. Its awaits are found by
looking: each place where a task of the product waits after the signal is one case for each kind of fault. A place that
is added is tried by itself.
"""

import asyncio
import json
import logging
import signal
import sqlite3
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosqlite import core
from telegram.request import HTTPXRequest

from controller.accounts.reasons import Reason
from controller.accounts.reports import Authenticated, Code, Ended, Ready
from controller.registry import Registry
from storage.database import CLOSE_SECONDS
from switchboard import app
from switchboard.settings import Settings
from switchboard.stopping import LAST_RESORT_SECONDS, Stopping
from tests.memory import folder_in_memory, put_empty_database
from tests.switchboard.program import FakeHosts
from tests.virtual_time import VirtualLoop, pass_time, until, virtual_loop

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = tuple(str(ROOT / room) for room in ("switchboard", "controller", "handlers", "storage"))
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ADMIN = 1001
CONNECTED, SCANNING, OPENING, ASKED = (f"+491511234000{digit}" for digit in "1234")
OUTSIDE = ("tests/controller/fakes.py", "tests/switchboard/test_every_await.py", "aiosqlite/core.py")
"""Where the product's awaits end in something that can fail: browsers, Telegram, the database."""
LIMITED = {
    "switchboard/stopping.py:step", "switchboard/stopping.py:give_up", "switchboard/app.py:_run",
    "switchboard/app.py:serve",
}  # fmt: skip
"""Where the main task itself waits at the end: by asyncio.wait with a limit, or for what does so. That cannot hang."""
LONGEST = LAST_RESORT_SECONDS + CLOSE_SECONDS


# --- the program between doubles --------------------------------------------------------------------------------------


class FakeTelegram:
    """Answers calls of the Bot API after a moment."""

    def __init__(self) -> None:
        self.messages = 0
        self.sent: list[str] = []

    async def __call__(self, url: str, data: object) -> tuple[int, bytes]:
        method = url.rpartition("/")[2].lower()
        await asyncio.sleep(25 if method == "getupdates" else 0.05)
        me = {"id": 7000000001, "is_bot": True, "first_name": "S", "username": "s_bot", "can_join_groups": True}
        if method == "getupdates":
            result: object = []
        elif method == "getme":
            result = me
        elif method == "getwebhookinfo":
            result = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
        elif method == "getchat":
            result = {"id": ADMIN, "type": "private", "accent_color_id": 0, "max_reaction_count": 0}
        elif method.startswith(("send", "edit")):
            self.messages += 1
            self.sent.append(str(getattr(data, "json_parameters", "")))
            result = {"message_id": self.messages, "date": 1, "chat": {"id": ADMIN, "type": "private"}, "from": me}
        else:
            result = True
        return 200, json.dumps({"ok": True, "result": result}).encode()


# --- the fault --------------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A place where a task of the product waits after the signal."""

    main: bool
    place: str
    """The innermost function of the product, and its line."""
    outside: bool
    """Whether it waits there for something that may fail."""

    @property
    def function(self) -> str:
        return self.place.rpartition(":")[0]


@dataclass
class Injector:
    """Observes every await of every task of the product; once armed, makes one of them fail."""

    kind: str = ""
    at: str = ""
    armed: bool = False
    sites: dict[tuple[bool, str], Site] = field(default_factory=dict)
    done: bool = False
    in_sqlite: dict[asyncio.Task[object] | None, int] = field(default_factory=dict)
    """How many calls of SQLite each task waits for."""

    def factory(self, loop, coro, **options):
        code = getattr(coro, "cr_code", None)
        is_ours = code is not None and code.co_filename.startswith(PRODUCT)
        return asyncio.Task(self.drive(coro) if is_ours else coro, loop=loop, **options)

    async def drive(self, coro):
        return await _Driven(coro, self)

    def look(self, coro) -> str:
        """Note a wait; return what is to happen there."""
        if not self.armed:
            return ""
        frames = list(chain(coro))
        ours = [(name, line, function) for name, line, function in frames if name.startswith(PRODUCT)]
        name, line, function = ours[-1]
        place = f"{Path(name).relative_to(ROOT)}:{function}:{line}"
        main = any(function == "serve" for _, _, function in frames)
        site = Site(main, place, place.startswith("storage/") or any(name.endswith(OUTSIDE) for name, _, _ in frames))
        seen = self.sites.setdefault((main, place), site)
        seen.outside = seen.outside or site.outside
        if self.done or place != self.at or main or (self.kind == "error" and not site.outside):
            return ""
        self.done = True
        return self.kind


def chain(coro) -> Iterator[tuple[str, int, str]]:
    """Yield file, line and function of each coroutine in a row of awaits, the outermost first."""
    while coro is not None:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if frame is not None:
            yield frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
        if isinstance(coro, _Driven):
            coro = coro.coro
        else:
            coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)


class _Driven:
    """A coroutine whose waits are looked at one by one."""

    def __init__(self, coro, injector: Injector) -> None:
        self.coro, self.injector = coro, injector

    def __await__(self):  # noqa: C901 - one case for each kind of fault
        coro = self.coro
        step = lambda: coro.send(None)
        while True:
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            what = self.injector.look(coro)
            if what in {"error", "hang"} and getattr(waits_for, "_asyncio_future_blocking", False):
                waits_for._asyncio_future_blocking = False
            if what == "error":
                step = lambda: coro.throw(OSError("injected"))
                continue
            lock_data_dir = what == "hang" and self.injector.in_sqlite.get(asyncio.current_task(), 0)
            if what == "hang":
                waits_for = next(iter(asyncio.get_running_loop().create_future().__await__()))
            if lock_data_dir:  # the clock stands still for what is under way in SQLite's thread, and this never is
                virtual_loop().outstanding -= 1
            if what == "cancel":
                asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
            try:
                try:
                    yield waits_for
                finally:
                    if lock_data_dir:
                        virtual_loop().outstanding += 1
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                step = lambda error=error: coro.throw(error)
            else:
                step = lambda: coro.send(None)


# --- one run ----------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """What came of one run. took: virtual seconds from the signal to the end; stored: the accounts' last states."""

    injector: Injector
    hosts: FakeHosts
    took: float
    opened_after: int
    warnings: list[str]
    stored: list[tuple[str, str]]


def run(monkeypatch, caplog, kind: str = "", at: str = "") -> Run:
    """Run the program once."""
    with folder_in_memory() as folder:
        put_empty_database(folder / app.DATABASE)
        return run_in(folder, monkeypatch, caplog, kind, at)


def run_in(folder: Path, monkeypatch, caplog, kind: str, at: str) -> Run:  # noqa: C901 - a scene with its doubles
    injector, hosts, telegram = Injector(kind, at), FakeHosts(), FakeTelegram()
    stoppings: list[Stopping] = []
    registries: list[Registry] = []

    class Watched(Stopping):
        def __init__(self) -> None:
            super().__init__()
            stoppings.append(self)

    class Seen(Registry):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            registries.append(self)

    async def request(self, url, method, request_data=None, **_):
        return await telegram(url, request_data)

    sqlite = core.Connection._execute

    async def execute(self, *args, **kwargs):
        task = asyncio.current_task()
        injector.in_sqlite[task] = injector.in_sqlite.get(task, 0) + 1
        try:
            return await sqlite(self, *args, **kwargs)
        finally:
            injector.in_sqlite[task] -= 1

    async def nothing(*_):
        await asyncio.Event().wait()

    def opened(session) -> None:
        if session.opening.account == CONNECTED:
            session.report(Authenticated(CONNECTED))
            session.report(Ready(CONNECTED))
        else:
            session.report(Code("2@a,b,c,d,1"))

    hosts.script = opened
    monkeypatch.setattr("ssl.create_default_context", lambda *_, **__: CONTEXT)  # to load one takes as long as the rest
    monkeypatch.setattr(HTTPXRequest, "do_request", request)
    monkeypatch.setattr(core.Connection, "_execute", execute)
    monkeypatch.setattr(app, "Stopping", Watched)
    monkeypatch.setattr(app, "Registry", Seen)
    monkeypatch.setattr(app, "hosts_of", lambda _: hosts)
    monkeypatch.setattr(app, "adopt_orphans", lambda: None)
    monkeypatch.setattr(app.Reaper, "run", nothing)
    monkeypatch.setattr("switchboard.stopping.threading.Timer.start", lambda _: None)
    settings = Settings(
        _env_file=None, telegram_bot_token="7000000001:" + "A" * 35, telegram_admin_ids=str(ADMIN), data_dir=folder,
        whatsapp_web_url="http://127.0.0.1:9/", launch_slots=3,
    )  # fmt: skip

    async def scenario() -> tuple[float, int]:
        loop = virtual_loop()
        loop.set_task_factory(injector.factory)
        serving = asyncio.create_task(app.serve(settings))
        await until(lambda: bool(registries), 60)
        await pass_time(3)
        registry = registries[0]
        for number in (CONNECTED, SCANNING):
            await registry.add(number, name="", owner=ADMIN)
            await registry.start(number)
        await until(lambda: registry.status(CONNECTED).is_connected, 60)
        await pass_time(60)
        hosts.opening_takes = 20
        await registry.add(OPENING, name="", owner=ADMIN)
        await registry.start(OPENING)
        await pass_time(1)
        for session in hosts.sessions:  # close takes its time, and an alert is on its way
            session.driver.close_takes = session.close_takes = 0.5
        hosts.newest.report(Ended(Reason.LOGGED_OUT))
        await registry.add(ASKED, name="", owner=ADMIN)
        command = asyncio.create_task(registry.start(ASKED))  # it is being stored when the signal comes
        await asyncio.sleep(0)
        before = hosts.openings
        injector.armed = True
        caplog.clear()
        stoppings[0]._take(signal.SIGTERM)
        began = loop.time()
        await asyncio.wait({serving}, timeout=200)
        took = loop.time() - began
        command.cancel()
        await asyncio.gather(command, return_exceptions=True)
        assert serving.done(), f"{kind} at {at}: it never ended"
        if not serving.cancelled() and (error := serving.exception()) is not None:
            raise error
        injector.armed = False
        return took, hosts.openings - before

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        took, opened_after = runner.run(scenario())
    monkeypatch.setattr(core.Connection, "_execute", sqlite)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    with closing(sqlite3.connect(folder / app.DATABASE)) as connection:
        stored = sorted(connection.execute("SELECT number, state FROM accounts").fetchall())
    return Run(injector, hosts, took, opened_after, warnings, stored)


@pytest.mark.parametrize("kind", ["hang", "error", "cancel"])
def test_whatever_breaks_at_any_await_of_the_end_it_ends_and_nothing_opens(kind, monkeypatch, caplog):
    clean = run(monkeypatch, caplog)
    assert (clean.opened_after, clean.hosts.open_now, clean.warnings) == (0, set(), [])
    assert clean.took < 10
    assert dict(clean.stored) == {CONNECTED: "IDLE", SCANNING: "DISCONNECTED", OPENING: "IDLE", ASKED: "IDLE"}
    sites = [
        site
        for site in clean.injector.sites.values()
        if site.function not in LIMITED and (kind != "error" or site.outside)
    ]
    wrong = []
    for site in sites:
        done = run(monkeypatch, caplog, kind, site.place)
        problems = [
            "" if done.injector.done else "the place was not reached",
            f"it took {done.took:.0f} s" if done.took > LONGEST else "",
            "a browser was opened" if done.opened_after else "",
            "a browser is open, and nobody was told" if done.hosts.open_now and not done.warnings else "",
            f"{done.stored} is stored, and nobody was told"
            if done.stored != clean.stored and not done.warnings
            else "",
        ]
        wrong += [f"{kind} at {site.place}: {problem}" for problem in problems if problem]
    assert wrong == [], "\n".join(wrong)


def test_the_main_task_waits_for_nothing_without_a_limit(monkeypatch, caplog):
    sites = run(monkeypatch, caplog).injector.sites.values()
    assert {site.function for site in sites if site.main} <= LIMITED, "look whether it has a limit of its own"
    assert len(sites) > 30
    places = {site.function for site in sites}
    assert {"controller/browser_run.py:close", "controller/recorder.py:stop", "storage/pulse.py:_write"} <= places
