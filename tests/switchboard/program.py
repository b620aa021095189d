"""The whole program in virtual time: its own parts, with doubles of the browsers and of Telegram's HTTP only.

A `Scene` holds what outlives a process: the database, the chats, the phones. `start` runs the program on it, and
`Program.die` ends it as kill -9 does: from that moment nothing that it does reaches database, Telegram or browsers.
"""

import asyncio
import contextlib
import contextvars
import datetime as dt
import gc
import json
import logging
import ssl
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import telegram as library
from aiosqlite import core
from telegram.request import HTTPXRequest

from controller.accounts.reports import Authenticated, Code, Ready
from controller.driver import Usage
from controller.network.account_proxies import AccountProxies
from controller.registry import Registry
from handlers.telegram.service import TelegramService
from sandbox.telegram import TelegramStandIn
from sandbox.telegram.errors import ApiError, DroppedConnectionError
from sandbox.telegram.journal import Request
from sandbox.telegram.methods.registry import canonical_name
from sandbox.telegram.params import Params, Upload
from switchboard import app
from switchboard.settings import Settings
from tests.controller.fakes import FakeDriver, FakeSession
from tests.memory import put_empty_database
from tests.virtual_time import until, virtual_loop, wall_clock

ROOMS = ("switchboard", "controller", "handlers", "storage")
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ADMIN, SECOND_ADMIN, OPERATOR = 1001, 1002, 2001
LATENCY = 0.05
"""Seconds that each call of Telegram takes."""
UP_WITHIN = 120.0

_running: contextvars.ContextVar["Program | None"] = contextvars.ContextVar("program", default=None)


class VirtualDatetime(dt.datetime):
    """A datetime whose `now` is the virtual loop's."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return wall_clock().astimezone(tz)


class FakeHosts(FakeDriver):
    """The browsers of this machine."""

    def find(self) -> str:
        return "a fake browser"

    async def identify(self) -> object:
        return None

    async def end_orphans(self) -> int:
        return 0

    def warm_up(self) -> None: ...

    def used(self) -> dict[str, Usage]:
        return {}

    def usage(self) -> list[object]:
        return []

    def host_of(self, account: str) -> str:
        return ""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        await asyncio.sleep(0.2)


class HostsOfAProgram(FakeHosts):
    """Browsers that end with their program; who is linked, and what is removed, is the scene's."""

    def __init__(self, program: "Program") -> None:
        super().__init__()
        self._program = program
        self.linked = program.scene.linked
        self.removed = program.scene.removed
        self.copies = program.scene.copies
        self.script = self._opened
        self.opening_takes = 0.5

    def _opened(self, session: FakeSession) -> None:
        number = session.opening.account
        self._program.scene.openings.append(number)
        session.close_takes = 1.0
        if number in self.linked:
            session.report(Authenticated(number))
            session.report(Ready(number))
        else:
            session.report(Code(f"2@{number[-4:]}{len(self.sessions)},b,c,d,1"))

    def scan(self, number: str) -> None:
        """Scan the account's code with its phone."""
        self.linked.add(number)
        self.newest_of(number).report(Authenticated(number))
        self.newest_of(number).report(Ready(number))

    def newest_of(self, number: str) -> FakeSession:
        """Return the account's open session."""
        return next(each for each in reversed(self.sessions) if each.opening.account == number and not each.closed)

    async def remove(self, account: str) -> None:
        await self._program.reach("removing a profile")
        await super().remove(account)
        self.linked.discard(account)

    async def restore(self, account: str, name: str) -> None:
        await self._program.reach("restoring a profile")
        await super().restore(account, name)


@dataclass
class Scene:
    """What outlives a process."""

    folder: Path
    telegram: TelegramStandIn
    linked: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    copies: list = field(default_factory=list)
    openings: list[str] = field(default_factory=list)
    programs: list["Program"] = field(default_factory=list)

    @property
    def client(self):
        return self.telegram.client

    async def start(self) -> "Program":
        """Start the program, and wait until it listens."""
        program = Program(self)
        self.programs.append(program)
        await program.start()
        return program

    def shown(self, chat: int = ADMIN) -> list[dict]:
        """Return the bot's messages that a person sees."""
        return [] if chat not in self.telegram.world.chats else self.client.from_bot(chat)

    def texts(self, chat: int = ADMIN) -> list[str]:
        return [message["text"] for message in self.shown(chat)]

    async def seen(self, part: str, chat: int = ADMIN, within: float = 60.0) -> dict:
        """Wait until a message says something, and return it."""
        found = lambda: next((m for m in reversed(self.shown(chat)) if part in m["text"]), None)
        try:
            await until(lambda: found() is not None, within)
        except AssertionError:
            raise AssertionError(f"nobody said {part!r}, only {self.texts(chat)}") from None
        return found()

    async def press(self, message: dict, label: str, user: int = ADMIN) -> None:
        """Press the button whose label contains `label`."""
        now = self.client.message(message["chat_id"], message["message_id"])
        data = next(each["data"] for row in now["buttons"] for each in row if label in each["text"])
        await self.client.press(now["message_id"], data, user_id=user, chat_id=now["chat_id"])

    async def rows(self, sql: str) -> list[tuple]:
        """Read the database as another process would."""
        import sqlite3

        with contextlib.closing(sqlite3.connect(self.folder / app.DATABASE)) as connection:
            return list(connection.execute(sql))


class Program:
    """One process: its tasks, and whether it lives."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.hosts = HostsOfAProgram(self)
        self.registry: Registry | None = None
        self.chat: TelegramService | None = None
        self.proxies: AccountProxies | None = None
        self.dead = False
        self.tasks: set[asyncio.Task] = set()
        self.connections: set[core.Connection] = set()
        self.closing: list[asyncio.Future] = []
        self.points: list[str] = []
        """Where it could have died since `arm`."""
        self.armed = False
        self.dies_at: int | None = None
        self.serving: asyncio.Task | None = None

    async def start(self) -> None:
        token = _running.set(self)
        try:
            self.serving = asyncio.create_task(app.serve(self._settings()))
        finally:
            _running.reset(token)
        up = lambda: self.serving.done() or self.dead or (self.chat is not None and self.hears)
        await until(up, UP_WITHIN)
        if self.serving.done() and not self.dead:
            self.serving.result()
            raise AssertionError("it ended")

    @property
    def hears(self) -> bool:
        return self.scene.telegram.world.updates.polling

    @property
    def idle(self) -> bool:
        """Whether every request is answered, and nothing is under way for one."""
        return self.chat is not None and self.chat._bot._intake.idle and not self.chat._tasks._running

    async def within(self, work):
        """Await something as a part of this process, so that what it begins dies with it."""
        token = _running.set(self)
        try:
            return await work
        finally:
            _running.reset(token)

    def arm(self, dies_at: int | None = None) -> None:
        """Count the points from now on, and die at that one."""
        self.points, self.armed, self.dies_at = [], True, dies_at

    async def reach(self, point: str) -> None:
        """Arrive at a point at which the process may die; nothing dead goes past it."""
        if self.armed and not self.dead:
            self.points.append(point)
            if len(self.points) == self.dies_at:
                self.die()
        if self.dead:
            raise asyncio.CancelledError

    def die(self) -> None:
        """End it as kill -9 does."""
        if self.dead:
            return
        self.dead = True
        current = asyncio.current_task()
        for connection in self.connections:  # what is not committed is gone
            connection._running = False
            future = asyncio.get_running_loop().create_future()
            virtual_loop().hold(future)
            self.closing.append(future)
            connection._tx.put_nowait((future, _closing(connection)))
        for task in self.tasks:
            if task is not current and not task.done():
                task.cancel()

    async def ended(self) -> None:
        """Wait until nothing of a dead process runs."""
        await asyncio.gather(*self.closing)
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)

    def _settings(self) -> Settings:
        return Settings(
            _env_file=None,
            telegram_bot_token=self.scene.telegram.token,
            telegram_admin_ids=f"{ADMIN},{SECOND_ADMIN}",
            telegram_operator_ids=str(OPERATOR),
            data_dir=self.scene.folder,
            whatsapp_web_url="http://127.0.0.1:9/",
            launch_slots=3,
        )


def _closing(connection: core.Connection) -> Callable[[], object]:
    def close() -> object:
        if connection._connection is not None:
            connection._connection.close()
            connection._connection = None
        return core._STOP_RUNNING_SENTINEL

    return close


@asynccontextmanager
async def scene(folder: Path, **options):
    """Prepare what outlives a process. Needs `doubles`."""
    stand_in = TelegramStandIn(now=lambda: wall_clock().timestamp(), **options)
    for user, name in ((ADMIN, "Ada"), (SECOND_ADMIN, "Bob"), (OPERATOR, "Olga")):
        stand_in.client.add_user(user, name)
        stand_in.world.private_chat(user)
    prepared = Scene(folder, stand_in)
    put_empty_database(folder / app.DATABASE)
    try:
        yield prepared
    finally:
        for program in prepared.programs:
            program.die()
            await program.ended()


@contextmanager
def doubles():  # noqa: C901 - one double after the other
    """Put the doubles in place of browsers, of Telegram's HTTP and of the clock; what a process does is counted."""
    sqlite, connect, stop = core.Connection._execute, core.Connection._connect, core.Connection.stop

    async def request(self, url, method, request_data=None, **_):
        program = _running.get()
        name = url.rpartition("/")[2].lower()
        polls = name == "getupdates"
        if polls and not program.dead:
            await asyncio.sleep(0)
        else:
            await program.reach(f"before {canonical_name(name)}")
            await asyncio.sleep(LATENCY)
        if program.dead:
            raise asyncio.CancelledError
        answer = await call(program.scene.telegram, name, request_data)
        if not polls:
            await program.reach(f"after {canonical_name(name)}")
        return answer

    async def execute(self, fn, *args, **kwargs):
        program = _running.get()
        if program is None:
            return await sqlite(self, fn, *args, **kwargs)
        commits = getattr(fn, "__name__", "").endswith("commit")  # whoever commits is called so
        if program.dead or commits:
            await program.reach("before a commit")
        result = await sqlite(self, fn, *args, **kwargs)
        if commits:
            await program.reach("after a commit")
        return result

    async def opened(self):
        if (program := _running.get()) is not None:
            program.connections.add(self)
        return await connect(self)

    def stopped(self):
        program = _running.get()
        return None if program is not None and program.dead else stop(self)  # its thread has ended

    async def nothing(*_):
        await asyncio.Event().wait()

    class Seen(Registry):
        def __init__(self, *args, **given) -> None:
            super().__init__(*args, **given)
            _running.get().registry = self

    assemble = app.assemble

    def assembled(*args, **given):
        program = _running.get()
        program.chat, program.proxies = assemble(*args, **given), given["proxies"]
        return program.chat

    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in ROOMS and getattr(module, "datetime", None) is dt.datetime:
                patch.setattr(module, "datetime", VirtualDatetime)
        patch.setattr("ssl.create_default_context", lambda *_, **__: CONTEXT)
        patch.setattr(HTTPXRequest, "do_request", request)
        patch.setattr(core.Connection, "_execute", execute)
        patch.setattr(core.Connection, "_connect", opened)
        patch.setattr(core.Connection, "stop", stopped)
        patch.setattr(app, "Registry", Seen)
        patch.setattr(app, "assemble", assembled)
        patch.setattr(app, "hosts_of", lambda _: _running.get().hosts)
        patch.setattr(app, "lock_data_dir", lambda _: contextlib.nullcontext())
        patch.setattr(app, "adopt_orphans", lambda: None)
        patch.setattr(app, "_reach", lambda _: None)
        patch.setattr(app, "reach_by", lambda *_: None)
        patch.setattr(app.Reaper, "run", nothing)
        patch.setattr("switchboard.stopping.threading.Timer.start", lambda _: None)
        patch.setattr("controller.host.limits.HostLimits.free_memory", lambda _: 64 << 30)
        log = logging.getLogger("asyncio")
        before = log.level
        log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            gc.collect()  # what was cut short complains to it
            log.setLevel(before)


def task_factory(loop, coro, **options):
    """Note the tasks of each process."""
    task = asyncio.Task(coro, loop=loop, **options)
    if (program := _running.get()) is not None:
        program.tasks.add(task)
        task.add_done_callback(program.tasks.discard)
        if program.dead:
            loop.call_soon(task.cancel)
    return task


async def call(stand_in: TelegramStandIn, name: str, data) -> tuple[int, bytes]:
    """Perform a call of the Bot API without HTTP."""
    values = dict(data.json_parameters) if data is not None else {}
    files = data.multipart_data if data is not None else {}
    uploads = {key: Upload(each[0], each[1], each[2]) for key, each in files.items()}
    params = Params(values, uploads)
    record: Request = stand_in.world.journal.record(stand_in.world.now(), canonical_name(name), params.recorded())
    try:
        result = await stand_in._call(name, params, record)
    except DroppedConnectionError:
        record.outcome = "dropped"
        raise library.error.NetworkError("httpx.ReadError: ") from None
    except ApiError as error:
        record.outcome, record.error_code = error.description, error.code
        body = {"ok": False, "error_code": error.code, "description": error.description}
        if error.parameters:
            body["parameters"] = error.parameters
        return error.code, json.dumps(body).encode()
    record.outcome = "ok"
    return 200, json.dumps({"ok": True, "result": result}).encode()
