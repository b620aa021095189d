"""The destination of alerts: a chat, one of its topics, or a public name."""

import pytest

from controller.accounts.reasons import Reason, State
from handlers.chat.destination import Destination
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, SECOND_ADMIN


def lose(rig: Rig) -> None:
    rig.accounts.put()
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)


@pytest.fixture
def forum(telegram: TelegramStandIn) -> int:
    number: int = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN], forum=True)["id"]
    telegram.client.chat(number).username = "our_team"
    return number


async def test_alerts_go_to_the_topic_that_is_set_and_answers_where_they_were_asked(telegram, database, forum):
    topic = telegram.client.open_topic(forum, "Alerts", ADMIN)
    async with running_rig(telegram, database, alert_chat=Destination(forum, topic)) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard", forum)
        lose(rig)
        alert = await rig.seen(forum, lambda m: "logged out" in m["text"] and "🚨" in m["text"])
        assert alert["thread_id"] == topic
        answer = await rig.answer(ADMIN, "/status", "1 account", forum)
        assert answer["thread_id"] is None
        assert rig.client.requests("createForumTopic") == [], "no topics of accounts beside the one that is set"


async def test_a_public_name_is_looked_up(telegram, database: Database, forum):
    async with running_rig(telegram, database, alert_chat=Destination("@our_team")) as rig:
        await rig.client.wait_for(lambda: rig.client.requests("getChat"), 10)
        await rig.answer(ADMIN, "/help", "Switchboard")
        lose(rig)
        await rig.seen(forum, lambda m: "logged out" in m["text"])


async def test_where_there_is_no_such_chat_admins_are_told_and_get_the_alerts(telegram, database: Database):
    await telegram.client.send(ADMIN, "/start")
    async with running_rig(telegram, database, alert_chat=Destination("@nobody_here")) as rig:
        told = await rig.seen(ADMIN, lambda m: "@nobody_here" in m["text"])
        assert "come here until" in told["text"]
        lose(rig)
        await rig.seen(ADMIN, lambda m: "logged out" in m["text"] and "🚨" in m["text"])


async def test_a_name_is_looked_up_once_telegram_is_back(telegram, database: Database, forum, monkeypatch):
    monkeypatch.setattr("handlers.chat.send_queue.FIRST_BACK_OFF", 0.05)
    monkeypatch.setattr("handlers.chat.send_queue.LONGEST_BACK_OFF", 0.05)
    telegram.client.fail("500", method="getChat", count=3)
    async with running_rig(telegram, database, alert_chat=Destination("@our_team")) as rig:
        await rig.client.wait_for(lambda: len(rig.client.requests("getChat")) >= 4, 10)
        await rig.answer(ADMIN, "/help", "Switchboard")
        lose(rig)
        await rig.seen(forum, lambda m: "logged out" in m["text"])
