"""kill -9 in the middle of a storm, again and again: a real process, a real SQLite file, HTTP to the stand-in.

`python -m tests.handlers.alerts.kills DATABASE URL TOKEN SECONDS [SECOND_WAY]` is the process: it stores transitions
with what they owe, in one transaction as the program does, and delivers. SECONDS: for how long it makes new ones; 0
only catches up and ends. SECOND_WAY: an address for what Telegram does not take, by the real Apprise.
"""

import asyncio
import contextlib
import random
import sqlite3
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from controller.accounts.reasons import Reason, State
from controller.recorder import Recorder
from handlers.alerts.escalation.escalator import Calling
from handlers.alerts.escalation.steps import standing
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.telegram.assemble import assemble
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.service import TelegramOptions, TelegramService
from sandbox.telegram import TelegramStandIn
from storage.accounts import AccountRecords
from storage.choices import ChoiceRecords
from storage.database import open_database
from storage.duty import DutyRecords
from storage.inbox import Inbox
from storage.incidents import IncidentRecords
from storage.messages import MessageStore
from storage.people import PeopleRecords
from tests.handlers.fakes import FakeAccounts, FakeRecords
from tests.waiting import until

CHATS = (1001, 1002, 1003)
EVERY = 0.02
"""Seconds between two transitions of the storm."""
LATENCY = 0.1
"""Seconds that each call of the Bot API takes, so that a kill meets messages under way."""
AWAY = 0.7
"""How often Telegram is away for the whole of a process's life."""
TAKEN_UNANSWERED = 0.3
"""How often the last message before a kill is one that the chat has and the process never hears of."""
LEFT_TO_TELEGRAM = timedelta(seconds=0.2)
UP_WITHIN = 30.0
CAUGHT_UP_WITHIN = 120.0


# --- the process that is killed ---------------------------------------------------------------------------------------


async def serve(path: Path, url: str, token: str, seconds: float, second_way: str = "") -> None:
    """Make a storm for so long, then deliver what is owed and end."""
    # Small incidents, many messages: what takes seconds in the program takes moments here.
    moment = timedelta(seconds=0.05)
    policy = AlertPolicy(
        first_gathers=timedelta(seconds=0.02), gather=timedelta(seconds=0.1), grows_for=timedelta(seconds=0.3),
        spacing_young=moment, spacing_old=moment, repeat_after=timedelta(0),
    )  # fmt: skip
    async with open_database(path) as database:
        accounts = FakeAccounts()
        ((before,),) = await database.rows("SELECT count(*) FROM transitions")
        for number in range(before):
            _put(accounts, number)
        service = assemble(
            TelegramConnection(token, url),
            TelegramOptions(admins=CHATS, alert_policy=policy, calling=_calling(second_way)),
            accounts=accounts,
            records=FakeRecords(),
            messages=MessageStore(database),
            incidents=IncidentRecords(database),
            requests=Inbox(database),
            roster=DutyRecords(database),
            people_store=PeopleRecords(database),
            choice_store=ChoiceRecords(database),
            limits=_unlimited(),
        )

        records = AccountRecords(database)
        records.absorb.append(service.alerts.absorb)
        recorder = Recorder(records, service.notify)
        accounts.tell = recorder
        await service.load()
        running = asyncio.create_task(service.run())
        await _storm(accounts, before, seconds)
        if not seconds:
            done = (
                partial(_is_somewhere, service, recorder) if second_way else partial(_is_delivered, service, recorder)
            )
            await until(done, "all is delivered", CAUGHT_UP_WITHIN)
        await recorder.stop(5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await service.stop(5)


async def _storm(accounts: FakeAccounts, begin: int, seconds: float) -> None:
    sys.stdout.write("up\n")
    sys.stdout.flush()
    end = time.monotonic() + seconds
    number = begin
    while time.monotonic() < end:
        account = _put(accounts, number)
        accounts.move(account, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
        number += 1
        await asyncio.sleep(EVERY)


def _put(accounts: FakeAccounts, number: int) -> str:
    return accounts.put(f"+4915{number:09}", f"account{number:06}", owner=CHATS[0]).number


async def _is_delivered(service: TelegramService, recorder: Recorder) -> bool:
    return recorder._idle.is_set() and not service.alerts.unsent() and await service.alerts.drain(1)


async def _is_somewhere(service: TelegramService, recorder: Recorder) -> bool:
    stands = standing(service.alerts._ledger.books(), lambda _, __: False)
    return recorder._idle.is_set() and all(each.told_at is not None or each.second_way for each in stands)


def _calling(second_way: str) -> Calling:
    if not second_way:
        return Calling(None, escalate_after=timedelta(0))
    from switchboard.monitoring.second_way import SecondWay

    return Calling(SecondWay([second_way]), after=LEFT_TO_TELEGRAM, escalate_after=timedelta(0))


def _unlimited() -> Any:
    from tests.handlers.conftest import UNLIMITED

    return UNLIMITED


# --- who kills it -----------------------------------------------------------------------------------------------------


@dataclass
class Toll:
    """What many kills did. uncertain: messages under way when the process was killed; twice: those that came twice."""

    kills: int = 0
    alerts: int = 0
    lost: int = 0
    uncertain: int = 0
    twice: int = 0
    outside: int = 0
    """Alerts that came by the second way."""
    outside_twice: int = 0
    """Those of them that came so twice."""


async def kill_again_and_again(folder: Path, kills: int, seed: int = 1) -> Toll:
    """Kill the process so many times at random moments, let it catch up, and count."""
    chance, toll = random.Random(seed), Toll()
    path = folder / "switchboard.sqlite"
    async with TelegramStandIn() as telegram:
        for chat in CHATS:
            telegram.client.world.private_chat(chat)
        telegram.client.fail("slow", delay=LATENCY, method="sendMessage")
        for _ in range(kills):
            async with _process(path, telegram, seconds=60) as process:
                await asyncio.sleep(chance.uniform(0.05, 0.9))
                if chance.random() < TAKEN_UNANSWERED:
                    telegram.client.fail("hang", delivered=True, method="sendMessage", count=1)
                    await asyncio.sleep(chance.uniform(0.05, 0.4))
                process.kill()
                await process.wait()
            telegram.client.heal()
            telegram.client.fail("slow", delay=LATENCY, method="sendMessage")
            toll.kills += 1
            toll.uncertain += _under_way(path)
        async with _process(path, telegram, seconds=0) as process:
            code = await asyncio.wait_for(process.wait(), CAUGHT_UP_WITHIN + UP_WITHIN)
            assert code == 0, f"the last run ended with {code}"
        _count(path, telegram, toll)
    return toll


async def kill_over_both_ways(folder: Path, kills: int, seed: int = 1) -> Toll:
    """Kill the process while Telegram comes and goes, and at last is away; count what came by neither way."""
    chance, toll = random.Random(seed), Toll()
    path = folder / "switchboard.sqlite"
    async with TelegramStandIn() as telegram, _receiver() as (came, address):
        for chat in CHATS:
            telegram.client.world.private_chat(chat)
        for number in range(kills + 1):
            telegram.client.heal()
            if number == kills or chance.random() < AWAY:
                telegram.client.fail("drop", method="sendMessage")
            last = number == kills
            async with _process(path, telegram, 0 if last else 60, address) as process:
                if last:
                    assert await asyncio.wait_for(process.wait(), CAUGHT_UP_WITHIN + UP_WITHIN) == 0
                    break
                await asyncio.sleep(chance.uniform(0.05, 1.5))
                process.kill()
                await process.wait()
            toll.kills += 1
        with contextlib.closing(sqlite3.connect(path)) as database:
            stored = [each for (each,) in database.execute("SELECT number FROM transitions")]
        told = "\n".join(m["text"] for chat in CHATS for m in telegram.client.from_bot(chat))
        toll.alerts = len(stored)
        for stored_number in stored:
            name = f"account{int(stored_number[5:]):06}"
            outside = sum(name in text for text in came)
            toll.lost += not outside and name not in told
            toll.outside += bool(outside)
            toll.outside_twice += outside > 1
    return toll


@contextlib.asynccontextmanager
async def _receiver() -> Any:
    """Take what comes by the second way; yields the texts and the address."""
    came: list[str] = []

    async def take(request: web.Request) -> web.Response:
        came.append((await request.json())["message"])
        await asyncio.sleep(LATENCY)
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", take)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield came, f"json://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _process(path: Path, telegram: TelegramStandIn, seconds: float, second_way: str = "") -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, str(path), telegram.url, telegram.token, str(seconds), second_way,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), UP_WITHIN) == b"up\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _under_way(path: Path) -> int:
    """Return how many messages were marked as under way when the process was killed."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((marked,),) = database.execute("SELECT count(*) FROM incident_messages WHERE sending AND position >= 0")
    return marked


def _count(path: Path, telegram: TelegramStandIn, toll: Toll) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        stored = [number for (number,) in database.execute("SELECT number FROM transitions")]
        sql = "SELECT chat, message FROM incident_messages JOIN incidents ON id = incident WHERE position >= 0"
        kept = set(database.execute(sql))
    toll.alerts = len(stored)
    for chat in CHATS:
        shown = {m["message_id"]: m["text"] for m in telegram.client.from_bot(chat) if "🚨" in m["text"]}
        told = "\n".join(text for message, text in shown.items() if (chat, message) in kept)
        toll.lost += sum(f"account{int(number[5:]):06}" not in told for number in stored)
        toll.twice += sum((chat, message) not in kept for message in shown)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]), *sys.argv[5:]))
