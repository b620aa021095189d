"""kill -9 during a storm, again and again: a real process, a real SQLite file, HTTP to the stand-in.

The process stores transitions with their incidents, in one transaction as the program does, and delivers. An older
checkout can be killed beside this one: both begin their storms at the same moment and are killed at the same moment.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
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
CHECKOUT = Path(__file__).parents[3]


# --- the process that is killed ---------------------------------------------------------------------------------------


async def serve(path: Path, url: str, token: str, seconds: float, fallback: str = "") -> None:
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
    messages: int = 0
    """Messages that the chats have got, repetitions included."""
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

    @property
    def unrecorded(self) -> int:
        """Those that came twice because of a kill between their arrival and its record: a quicker one spares them."""
        return self.twice - self.unanswered - self.after


@dataclass
class Victim:
    """A checkout's program, with a database and a Telegram of its own. parent: what forks it, see `kill_parent`."""

    path: Path
    telegram: TelegramStandIn
    parent: Process
    toll: Toll = field(default_factory=Toll)
    killed_at: list[float] = field(default_factory=list)

    async def load(self, seconds: float, fallback: str = "") -> None:
        """Start the program, up to its storm. seconds, fallback: as for `serve`."""
        arguments = [self.telegram.url, self.telegram.token, seconds, *([fallback] if fallback else [])]
        await self._order("start", path=str(self.path), arguments=arguments)
        assert await asyncio.wait_for(self._reply(), UP_WITHIN) == "ready"

    async def begin(self) -> None:
        """Let the storm begin."""
        await self._order("begin")

    async def kill(self) -> None:
        """Kill it, and count what was under way."""
        await self._order("kill")
        killed_at, _ = await self._reply()
        self.killed_at.append(killed_at)
        self.toll.kills += 1
        self.toll.uncertain += sum(is_under_way for _, _, is_under_way in _messages(self.path))

    async def end(self) -> None:
        """Wait until it has caught up and ended."""
        await self._order("wait")
        _, code = await asyncio.wait_for(self._reply(), CAUGHT_UP_WITHIN)
        assert code == 0, f"the last run ended with {code}"

    async def _order(self, do: str, **more: object) -> None:
        assert self.parent.stdin is not None
        self.parent.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        await self.parent.stdin.drain()

    async def _reply(self) -> Any:
        assert self.parent.stdout is not None
        while line := await self.parent.stdout.readline():
            if line.startswith(b"> "):  # the program may print on its own
                return json.loads(line[2:])
        raise AssertionError("the parent of the program has ended")


@contextlib.asynccontextmanager
async def _victim(path: Path, checkout: Path = CHECKOUT) -> AsyncIterator[Victim]:
    is_older = not (checkout / Path(__file__).relative_to(CHECKOUT)).exists()
    module = "tests.handlers.kills" if is_older else __name__
    async with TelegramStandIn() as telegram:
        for chat in CHATS:
            telegram.client.world.private_chat(chat)
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(Path(__file__).with_name("kill_parent.py")), module,
            cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)}, stdin=PIPE, stdout=PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield Victim(path, telegram, parent)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)  # with what it has forked
            await parent.wait()


async def kill_again_and_again(folder: Path, kills: int, seed: int = 1, beside: Path | None = None) -> list[Toll]:
    """Kill the program repeatedly at random moments, let it catch up, and count.

    beside: a checkout whose program is killed at the same moments; its toll is the second.
    """
    chance = random.Random(seed)
    async with contextlib.AsyncExitStack() as stack:
        victims = [await stack.enter_async_context(_victim(folder / "switchboard.sqlite"))]
        if beside is not None:
            victims.append(await stack.enter_async_context(_victim(folder / "beside.sqlite", beside)))
        for _ in range(kills):
            for each in victims:
                _answer_slowly(each.telegram)
            await asyncio.gather(*(each.load(60) for each in victims))
            await asyncio.gather(*(each.begin() for each in victims))
            await asyncio.sleep(chance.uniform(0.05, 0.9))
            if chance.random() < TAKEN_UNANSWERED:
                for each in victims:
                    _answer_slowly(each.telegram, after_taking_one_unanswered=True)
                await asyncio.sleep(chance.uniform(0.05, 0.4))
            await asyncio.gather(*(each.kill() for each in victims))
        for each in victims:
            _answer_slowly(each.telegram)
            await each.load(0)
            await each.begin()
            await each.end()
            _count(each)
    return [each.toll for each in victims]


async def kill_over_both_ways(folder: Path, kills: int, seed: int = 1) -> Toll:
    """Kill the program while Telegram comes and goes, and at last is away; count what came by neither way."""
    chance = random.Random(seed)
    async with _victim(folder / "switchboard.sqlite") as victim, _receiver() as (came, address):
        telegram, toll = victim.telegram, victim.toll
        for number in range(kills + 1):
            last = number == kills
            if last or chance.random() < AWAY:
                telegram.client.heal()
                telegram.client.fail("drop", method="sendMessage")
            else:
                _answer_slowly(telegram)
            await victim.load(0 if last else 60, address)
            await victim.begin()
            if last:
                await victim.end()
                break
            await asyncio.sleep(chance.uniform(0.05, 1.5))
            await victim.kill()
        stored, kept = _alerts(victim.path), _kept(victim.path)
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


def _count(victim: Victim) -> None:
    telegram, toll = victim.telegram, victim.toll
    stored, kept = _alerts(victim.path), _kept(victim.path)
    toll.alerts = len(stored)
    unanswered, after = _unanswered(telegram), _taken_after(telegram, victim.killed_at)
    for chat in CHATS:
        shown = _shown(telegram, chat)
        told = "\n".join(text for message, text in shown.items() if (chat, message) in kept)
        toll.lost += sum(f"account{int(number[5:]):06}" not in told for number in stored)
        twice = {(chat, message) for message in shown} - kept
        toll.messages += len(shown)
        toll.twice += len(twice)
        toll.unanswered += len(twice & unanswered)
        toll.after += len(twice & after)


def _unanswered(telegram: TelegramStandIn) -> set[tuple[int, int]]:
    """Return the messages, a chat and an id each, that were taken and never answered."""
    sent = telegram.client.requests("sendMessage")
    return {(each.result["chat"]["id"], each.result["message_id"]) for each in sent if each.fault == "hang"}


def _taken_after(telegram: TelegramStandIn, killed: list[float]) -> set[tuple[int, int]]:
    """Return the messages, a chat and an id each, that were on their way at a kill and taken after it."""
    sent = [each for each in telegram.client.requests("sendMessage") if each.outcome == "ok"]
    return {
        (each.result["chat"]["id"], each.result["message_id"])
        for each in sent
        if any(each.at < kill < each.at + (each.took or 0) for kill in killed)
    }


def _alerts(path: Path) -> list[str]:
    """Return the number of each alert that is stored."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return [number for (number,) in database.execute("SELECT number FROM transitions")]


def _kept(path: Path) -> set[tuple[int, int]]:
    """Return the messages that the database knows: a chat and an id each."""
    return {(chat, message) for chat, message, _ in _messages(path)}


def _messages(path: Path) -> list[tuple[int, int, bool]]:
    """Return the messages of alerts: the chat, the id, and whether it is marked as being sent."""
    sql = "SELECT chat, message, sending FROM incident_messages JOIN incidents ON id = incident WHERE position >= 0"
    with contextlib.closing(sqlite3.connect(path)) as database:
        try:
            return database.execute(sql).fetchall()
        except sqlite3.OperationalError:  # a checkout that stores an incident as JSON
            incidents = database.execute("SELECT chat, body FROM incidents").fetchall()
    return [(chat, part["message"], part["sending"]) for chat, body in incidents for part in json.loads(body)["parts"]]


def _shown(telegram: TelegramStandIn, chat: int) -> dict[int, str]:
    """Return the messages of alerts that a chat shows, by id."""
    return {m["message_id"]: m["text"] for m in telegram.client.from_bot(chat) if "🚨" in m["text"]}
