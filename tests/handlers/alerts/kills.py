"""kill -9 during a storm, again and again: a real process, a real SQLite file, HTTP to the stand-in.

The process stores transitions with their incidents, in one transaction as the program does, and delivers. It is forked
from a server that has loaded the modules once, so that a kill costs no second of loading.
"""

import asyncio
import contextlib
import multiprocessing
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from aiohttp import web

from controller.accounts.reasons import Reason, State
from controller.network.account_proxies import AccountProxies
from controller.recorder import Recorder
from handlers.alerts.escalation.escalator import EscalationPolicy
from handlers.alerts.escalation.steps import open_troubles
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.telegram.assemble import assemble
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.service import TelegramOptions, TelegramService
from sandbox.telegram import TelegramStandIn
from storage.accounts import AccountRecords, ProxyRecords
from storage.chat_settings import ChatSettingRecords
from storage.database import open_database
from storage.duty import DutyRecords
from storage.inbox import Inbox
from storage.incidents import IncidentRecords
from storage.messages import MessageStore
from storage.people import PeopleRecords
from switchboard.monitoring.fallback import FallbackChannel
from tests.handlers.fakes import UNLIMITED, FakeAccounts, FakeRecords
from tests.waiting import until

CHATS = (1001, 1002, 1003)
EVERY = 0.02
"""Seconds between two transitions of the storm."""
LATENCY = 0.1
"""Seconds that each call of the Bot API takes, so that a kill meets messages under way."""
AWAY = 0.7
"""How often Telegram is away for the whole of a process's life."""
TAKEN_UNANSWERED = 0.3
"""How often a message before a kill is one that the chat has and the process never hears of: it must come twice."""
LEFT_TO_TELEGRAM = timedelta(seconds=0.2)
UP_WITHIN = 30.0
CAUGHT_UP_WITHIN = 120.0


# --- the process that is killed ---------------------------------------------------------------------------------------


def run(up: Connection, path: Path, url: str, token: str, seconds: float, fallback: str) -> None:
    """Be the process. Something is sent to `up` once it serves."""
    asyncio.run(serve(partial(up.send, "up"), path, url, token, seconds, fallback))


async def serve(up: Callable[[], None], path: Path, url: str, token: str, seconds: float, fallback: str = "") -> None:
    """Make a storm for `seconds`, then deliver what is pending and end.

    seconds: for how long new alerts come; 0 only catches up. fallback: where what Telegram does not take goes.
    """
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
            TelegramOptions(admins=CHATS, alert_policy=policy, escalation=_calling(fallback)),
            accounts=accounts,
            records=FakeRecords(),
            messages=MessageStore(database),
            incidents=IncidentRecords(database),
            requests=Inbox(database),
            roster=DutyRecords(database),
            people_store=PeopleRecords(database),
            chat_settings_store=ChatSettingRecords(database),
            proxies=AccountProxies(ProxyRecords(database)),
            limits=UNLIMITED,
        )

        records = AccountRecords(database)
        recorder = Recorder(records, service.notify, absorb=service.alerts.absorb)
        accounts.tell = recorder
        await service.load()
        running = asyncio.create_task(service.run())
        up()
        await _storm(accounts, before, seconds)
        if not seconds:
            done = partial(_is_somewhere, service, recorder) if fallback else partial(_is_delivered, service, recorder)
            await until(done, "all is delivered", CAUGHT_UP_WITHIN)
        await recorder.stop(5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await service.stop(5)


async def _storm(accounts: FakeAccounts, begin: int, seconds: float) -> None:
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
    told = all(each.told_at is not None for book in service.alerts._ledger.books() for each in book.incidents)
    return recorder._idle.is_set() and told and await service.alerts.drain(1)


async def _is_somewhere(service: TelegramService, recorder: Recorder) -> bool:
    stands = open_troubles(service.alerts._ledger.books(), lambda _, __: False)
    return recorder._idle.is_set() and all(each.told_at is not None or each.fallback for each in stands)


def _calling(fallback: str) -> EscalationPolicy:
    if not fallback:
        return EscalationPolicy(None, escalate_after=timedelta(0))
    return EscalationPolicy(FallbackChannel([fallback]), after=LEFT_TO_TELEGRAM, escalate_after=timedelta(0))


# --- who kills it -----------------------------------------------------------------------------------------------------


@dataclass
class Toll:
    """What many kills did. uncertain: messages under way when the process was killed; twice: those that came twice."""

    kills: int = 0
    alerts: int = 0
    lost: int = 0
    uncertain: int = 0
    twice: int = 0
    unanswered: int = 0
    """Those of them that the chat took without ever answering: no program could know."""
    after: int = 0
    """Those of them that the chat took after the kill, from a connection not yet closed: no program could know."""
    outside: int = 0
    """Alerts that came by the fallback channel."""
    outside_twice: int = 0
    """Those of them that came so twice."""
    both: int = 0
    """Alerts that came by both channels: not accepted in time, and sent to the chat when it was back."""


async def kill_again_and_again(folder: Path, kills: int, seed: int = 1) -> Toll:
    """Kill the process repeatedly at random moments, let it catch up, and count."""
    chance, toll = random.Random(seed), Toll()
    path, killed = folder / "switchboard.sqlite", list[float]()
    async with TelegramStandIn() as telegram:
        for chat in CHATS:
            telegram.client.world.private_chat(chat)
        _answer_slowly(telegram)
        for _ in range(kills):
            async with _process(path, telegram, seconds=60) as process:
                await asyncio.sleep(chance.uniform(0.05, 0.9))
                if chance.random() < TAKEN_UNANSWERED:
                    _answer_slowly(telegram, after_taking_one_unanswered=True)
                    await asyncio.sleep(chance.uniform(0.05, 0.4))
                killed.append(telegram.client.world.now())
                await _end(process)
            _answer_slowly(telegram)
            toll.kills += 1
            toll.uncertain += _under_way(path)
        async with _process(path, telegram, seconds=0) as process:
            await _ends_well(process)
        _count(path, telegram, toll, killed)
    return toll


async def kill_over_both_ways(folder: Path, kills: int, seed: int = 1) -> Toll:
    """Kill the process while Telegram comes and goes, and at last is away; count what came by neither way."""
    chance, toll = random.Random(seed), Toll()
    path = folder / "switchboard.sqlite"
    async with TelegramStandIn() as telegram, _receiver() as (came, address):
        for chat in CHATS:
            telegram.client.world.private_chat(chat)
        for number in range(kills + 1):
            last = number == kills
            if last or chance.random() < AWAY:
                telegram.client.heal()
                telegram.client.fail("drop", method="sendMessage")
            else:
                _answer_slowly(telegram)
            async with _process(path, telegram, 0 if last else 60, address) as process:
                if last:
                    await _ends_well(process)
                    break
                await asyncio.sleep(chance.uniform(0.05, 1.5))
                await _end(process)
            toll.kills += 1
            toll.uncertain += _under_way(path)
        stored, kept = _stored(path)
        told = "\n".join(m["text"] for chat in CHATS for m in telegram.client.from_bot(chat))
        toll.alerts = len(stored)
        for stored_number in stored:
            name = f"account{int(stored_number[5:]):06}"
            outside = sum(name in text for text in came)
            toll.lost += not outside and name not in told
            toll.both += bool(outside) and name in told
            toll.outside += bool(outside)
            toll.outside_twice += outside > 1
        toll.twice = sum((chat, message) not in kept for chat in CHATS for message in _shown(telegram, chat))
    return toll


def _answer_slowly(telegram: TelegramStandIn, *, after_taking_one_unanswered: bool = False) -> None:
    """Delay the answers, at first with one that never comes. Of two rules for a call the older one applies."""
    telegram.client.heal()
    if after_taking_one_unanswered:
        telegram.client.fail("hang", delivered=True, method="sendMessage", count=1)
    telegram.client.fail("slow", delay=LATENCY, method="sendMessage")


@contextlib.asynccontextmanager
async def _receiver() -> Any:
    """Take what comes by the fallback channel; yields the texts and the address."""
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
async def _process(path: Path, telegram: TelegramStandIn, seconds: float, fallback: str = "") -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(there, path, telegram.url, telegram.token, seconds, fallback))
    process.start()
    there.close()
    try:
        assert await asyncio.to_thread(here.poll, UP_WITHIN), "the process did not come up"
        here.recv()
        yield process
    finally:
        await _end(process)
        here.close()


async def _end(process: BaseProcess) -> None:
    process.kill()
    await asyncio.to_thread(process.join)


async def _ends_well(process: BaseProcess) -> None:
    await asyncio.to_thread(process.join, CAUGHT_UP_WITHIN)
    assert process.exitcode == 0, f"the last run ended with {process.exitcode}"


def _under_way(path: Path) -> int:
    """Return how many messages were marked as under way when the process was killed."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((marked,),) = database.execute("SELECT count(*) FROM incident_messages WHERE sending AND position >= 0")
    return marked


def _count(path: Path, telegram: TelegramStandIn, toll: Toll, killed: Sequence[float]) -> None:
    stored, kept = _stored(path)
    toll.alerts = len(stored)
    unanswered, after = _unanswered(telegram), _taken_after(telegram, killed)
    for chat in CHATS:
        shown = _shown(telegram, chat)
        told = "\n".join(text for message, text in shown.items() if (chat, message) in kept)
        toll.lost += sum(f"account{int(number[5:]):06}" not in told for number in stored)
        twice = {(chat, message) for message in shown} - kept
        toll.twice += len(twice)
        toll.unanswered += len(twice & unanswered)
        toll.after += len(twice & after)


def _unanswered(telegram: TelegramStandIn) -> set[tuple[int, int]]:
    """Return the messages, a chat and an id each, that were taken and never answered."""
    sent = telegram.client.requests("sendMessage")
    return {(each.result["chat"]["id"], each.result["message_id"]) for each in sent if each.fault == "hang"}


def _taken_after(telegram: TelegramStandIn, killed: Sequence[float]) -> set[tuple[int, int]]:
    """Return the messages, a chat and an id each, that were on their way at a kill and taken after it."""
    sent = [each for each in telegram.client.requests("sendMessage") if each.outcome == "ok"]
    return {
        (each.result["chat"]["id"], each.result["message_id"])
        for each in sent
        if any(each.at < kill < each.at + (each.took or 0) for kill in killed)
    }


def _stored(path: Path) -> tuple[list[str], set[tuple[int, int]]]:
    """Return the number of each alert, and the messages that the database knows: a chat and an id each."""
    sql = "SELECT chat, message FROM incident_messages JOIN incidents ON id = incident WHERE position >= 0"
    with contextlib.closing(sqlite3.connect(path)) as database:
        stored = [number for (number,) in database.execute("SELECT number FROM transitions")]
        return stored, set(database.execute(sql))


def _shown(telegram: TelegramStandIn, chat: int) -> dict[int, str]:
    """Return the messages of alerts that a chat shows, by id."""
    return {m["message_id"]: m["text"] for m in telegram.client.from_bot(chat) if "🚨" in m["text"]}
