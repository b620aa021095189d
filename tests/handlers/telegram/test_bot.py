"""The bot's life: Telegram away at the start or later, a token that is refused, and slow handlers."""

import asyncio

import pytest

from controller.accounts.reasons import Reason, State
from controller.network.account_proxies import AccountProxies
from handlers.chat.errors import TokenRefusedError
from handlers.telegram.assemble import assemble
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.service import TelegramOptions
from sandbox.telegram import TelegramStandIn
from storage.accounts import ProxyRecords
from storage.chat_settings import ChatSettingRecords
from storage.database import Database
from storage.duty import DutyRecords
from storage.inbox import Inbox
from storage.incidents import IncidentRecords
from storage.people import PeopleRecords
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, FakeAccounts, FakeMessages, FakeRecords
from tests.waiting import until


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("handlers.telegram.bot.RETRY_FIRST", 0.05)
    monkeypatch.setattr("handlers.telegram.bot.RETRY_LONGEST", 0.05)
    monkeypatch.setattr("handlers.chat.send_queue.FIRST_BACK_OFF", 0.05)
    monkeypatch.setattr("handlers.chat.send_queue.LONGEST_BACK_OFF", 0.05)


async def test_telegram_away_at_the_start_is_waited_for(telegram: TelegramStandIn, database: Database):
    telegram.client.fail("500")
    async with running_rig(telegram, database) as rig:
        await until(lambda: len(telegram.client.requests("getMe")) >= 3, "it tries again and again")
        assert not rig.running.done()
        rig.accounts.put(owner=ADMIN)
        telegram.client.heal()
        await rig.answer(ADMIN, "/help", "Switchboard")


async def test_what_happened_while_telegram_was_away_is_told_afterwards(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("drop")
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    await until(lambda: any(r.fault for r in rig.client.requests("sendMessage")), "it was tried")
    rig.client.heal()
    await rig.seen(ADMIN, lambda m: "logged out" in m["text"] and "🚨" in m["text"])


async def test_a_token_that_is_refused_at_the_start_ends_it(telegram: TelegramStandIn, database: Database):
    connection = TelegramConnection("7000000001:AAwrong_token_that_nobody_knows_here_x", telegram.url)
    service = assemble(
        connection,
        TelegramOptions(admins=(ADMIN,)),
        accounts=FakeAccounts(),
        records=FakeRecords(),
        messages=FakeMessages(),
        incidents=IncidentRecords(database),
        requests=Inbox(database),
        roster=DutyRecords(database),
        people_store=PeopleRecords(database),
        chat_settings_store=ChatSettingRecords(database),
        proxies=AccountProxies(ProxyRecords(database)),
    )
    with pytest.raises(TokenRefusedError, match="TELEGRAM_BOT_TOKEN") as error:
        await asyncio.wait_for(service.run(), 10)
    assert "AAwrong" not in str(error.value)
    await service.stop(1)


async def test_a_token_that_is_refused_in_mid_run_ends_it(telegram, database, monkeypatch):
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        monkeypatch.setattr("handlers.telegram.refusals.TOKEN_SPAN", 0.1)
        monkeypatch.setattr("handlers.telegram.polling.RETRY_FIRST", 0.1)
        telegram.client.fail("401", method="getUpdates")
        with pytest.raises(TokenRefusedError):
            await asyncio.wait_for(asyncio.shield(rig.running), 10)


async def test_a_slow_command_does_not_hold_up_the_next(rig: Rig):
    rig.accounts.put()
    slow = asyncio.Event()
    history = rig.records.history

    async def hang(number: str, limit: int):
        await slow.wait()
        return await history(number, limit)

    rig.records.history = hang
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    data = next(b["data"] for row in detail["buttons"] for b in row if b["text"] == "History")
    await rig.client.press(detail["message_id"], data, user_id=ADMIN)
    await rig.answer(ADMIN, "/suspend Support Berlin", "Paused since")
    slow.set()
    await rig.seen(ADMIN, lambda m: "Nothing has happened" in m["text"])


async def test_the_stop_waits_for_the_last_words_but_not_for_ever(telegram: TelegramStandIn, database: Database):
    async with running_rig(telegram, database) as rig:
        rig.accounts.put(owner=ADMIN, linked=True)
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.accounts.move(BERLIN, State.IDLE, Reason.SHUTDOWN)
    assert any("Switchboard was stopped" in text for text in rig.bot_texts(ADMIN))
