"""The Telegram side over HTTP against the Bot API stand-in, with the rest of the program faked behind its protocols.

All of it runs in virtual time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.network.account_proxies import AccountProxies
from controller.recorder import Recorder
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.chat.destination import Destination
from handlers.chat.rate_limits import Limits
from handlers.telegram.assemble import assemble
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.service import TelegramOptions, TelegramService
from sandbox.telegram import TelegramStandIn
from storage.accounts import AccountRecords, ProxyRecords
from storage.chat_settings import ChatSettingRecords
from storage.database import Database, open_database
from storage.duty import DutyRecords
from storage.inbox import Inbox
from storage.incidents import IncidentRecords
from storage.people import PeopleRecords
from tests.handlers.fakes import ADMIN, OPERATOR, SECOND_ADMIN, UNLIMITED, FakeAccounts, FakeMessages, FakeRecords
from tests.memory import folder_in_memory, put_empty_database
from tests.sandbox.telegram.validation import all_problems
from tests.virtual_time import VirtualLoop, wall_clock

REAL_TIME = {"test_kills"}
"""Modules that run other processes, which know nothing of our clock."""

WITHIN = 60.0
"""Seconds that a test waits for something to appear in a chat."""


QUICK = AlertPolicy(
    first_gathers=timedelta(seconds=0.1), spacing_young=timedelta(seconds=0.1), unreachable_after=timedelta(0)
)
"""For tests that are not about when alerts come."""


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give each async test of this folder a loop whose clock jumps: a busy machine changes no interval."""
    module = item.getparent(pytest.Module)
    if module is not None and module.path.stem in REAL_TIME:
        return {"real": asyncio.SelectorEventLoop}
    return {"virtual": VirtualLoop}


@dataclass
class Rig:
    """A running Telegram side with its surroundings."""

    telegram: TelegramStandIn
    service: TelegramService
    accounts: FakeAccounts
    records: FakeRecords
    messages: FakeMessages
    incidents: IncidentRecords
    running: "asyncio.Task[None]"
    database: Database
    proxies: AccountProxies

    @property
    def client(self) -> Any:
        return self.telegram.client

    async def say(self, user: int, text: str, chat: int | None = None) -> None:
        await self.client.send(user, text, chat_id=chat)

    async def seen(self, chat: int, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until a message of the bot in the chat meets the condition, and return it."""

        def found() -> Any:
            return next((m for m in reversed(self.client.from_bot(chat)) if not m["deleted"] and condition(m)), None)

        message: dict[str, Any] = await self.client.wait_for(found, WITHIN)
        return message

    async def answer(self, user: int, text: str, part: str, chat: int | None = None) -> dict[str, Any]:
        """Send a text, and wait for a message of the bot that contains `part`."""
        before = {m["message_id"] for m in self.client.from_bot(chat or user)} if self.knows(chat or user) else set()
        await self.say(user, text, chat)
        return await self.seen(chat or user, lambda m: part in m["text"] and m["message_id"] not in before)

    async def press(self, message: dict[str, Any], part: str, user: int = ADMIN) -> dict[str, Any] | None:
        """Press the button whose label contains `part`; return the alert or toast shown, if any."""
        now = self.client.message(message["chat_id"], message["message_id"])
        data = next(b["data"] for row in now["buttons"] for b in row if part in b["text"])
        pressed = await self.client.press(now["message_id"], data, user_id=user, chat_id=now["chat_id"], wait=5)
        answer: dict[str, Any] | None = pressed["answer"]
        return answer

    def knows(self, chat: int) -> bool:
        return any(each["id"] == chat for each in self.client.chats())

    def bot_texts(self, chat: int) -> list[str]:
        return [m["text"] for m in self.client.from_bot(chat) if not m["deleted"]] if self.knows(chat) else []


@asynccontextmanager
async def running_rig(
    telegram: TelegramStandIn,
    database: Database,
    messages: FakeMessages | None = None,
    accounts: FakeAccounts | None = None,
    limits: Limits | None = UNLIMITED,
    prepare: Callable[[TelegramConnection], None] = lambda _: None,
    identity: Any = None,
    hosts: Any = None,
    run: Callable[[TelegramService], Coroutine[Any, Any, None]] = TelegramService.run,
    **options: Any,
) -> AsyncIterator[Rig]:
    """Run the Telegram side. run: runs it once loaded; prepare: changes the connection before anything uses it."""
    accounts, records, messages = accounts or FakeAccounts(), FakeRecords(), messages or FakeMessages()
    incidents = IncidentRecords(database)
    proxies = AccountProxies(ProxyRecords(database), identity)
    connection = TelegramConnection(telegram.token, telegram.url)
    prepare(connection)
    if isinstance(options.get("alert_chat"), int):
        options["alert_chat"] = Destination(options["alert_chat"])
    given = TelegramOptions(
        **({"admins": (ADMIN, SECOND_ADMIN), "operators": (OPERATOR,), "alert_policy": QUICK} | options)
    )
    service = assemble(
        connection,
        given,
        accounts=accounts,
        records=records,
        messages=messages,
        incidents=incidents,
        requests=Inbox(database),
        roster=DutyRecords(database),
        people_store=PeopleRecords(database),
        chat_settings_store=ChatSettingRecords(database),
        proxies=proxies,
        hosts=hosts,
        clock=accounts.clock,
        steady=asyncio.get_running_loop().time,
        limits=limits,
    )
    recorder = Recorder(
        AccountRecords(database),
        service.notify,
        absorb=service.alerts.absorb,
        troubles=service,
        not_stored=service.alerts.announcer.not_stored,
    )
    accounts.tell = recorder
    await service.load()
    running = asyncio.create_task(run(service))
    try:
        yield Rig(telegram, service, accounts, records, messages, incidents, running, database, proxies)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await recorder.stop(2.0)
        await service.stop(2.0)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder in memory: thousands of commits would each wait for the disk, while the clock stands still."""
    if request.path.stem in REAL_TIME:
        yield tmp_path_factory.mktemp("disk")
    else:
        with folder_in_memory() as folder:
            yield folder


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn(now=lambda: wall_clock().timestamp()) as stand_in:
        for user, name in ((ADMIN, "Ada"), (SECOND_ADMIN, "Bob"), (OPERATOR, "Olga")):
            stand_in.client.add_user(user, name)
        yield stand_in
        assert all_problems(stand_in.client.requests()) == [], "a request that Telegram would not understand"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    put_empty_database(path := tmp_path / "switchboard.sqlite")
    async with open_database(path) as opened:
        yield opened


@pytest.fixture
async def rig(telegram: TelegramStandIn, database: Database) -> AsyncIterator[Rig]:
    async with running_rig(telegram, database) as running:
        yield running
