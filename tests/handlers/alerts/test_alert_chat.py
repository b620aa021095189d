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


@pytest.mark.parametrize("how", ["deleted", "closed"])
async def test_alerts_of_a_topic_that_is_gone_go_to_general_with_their_buttons(telegram, database, forum, how):
    topic = telegram.client.open_topic(forum, "Alerts", ADMIN)
    async with running_rig(telegram, database, alert_chat=Destination(forum, topic)) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard", forum)
        if how == "deleted":
            rig.client.delete_topic(forum, topic)
        else:
            rig.client.set_missing_rights(forum, ["can_manage_topics"])
            rig.client.close_topic(forum, topic)
        lose(rig)
        alert = await rig.seen(forum, lambda m: "🚨 Support Berlin" in m["text"])
        assert alert["thread_id"] is None
        assert alert["buttons"]
        await rig.seen(forum, lambda m: "topic for alerts" in m["text"] and "closed or deleted" in m["text"])
        assert sum("topic for alerts" in text for text in rig.bot_texts(forum)) == 1


@pytest.mark.parametrize("how", ["deleted", "closed"])
async def test_what_was_asked_in_a_topic_that_is_gone_is_answered_in_general(telegram, database, forum, how):
    topic = telegram.client.open_topic(forum, "Shops", ADMIN)
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.client.set_missing_rights(forum, ["can_manage_topics"])
        numbers = ", ".join(f"+4915112345{place:03}" for place in range(12))
        await rig.client.send(ADMIN, f"/link {numbers}", chat_id=forum, thread_id=topic)
        rig.client.delete_topic(forum, topic) if how == "deleted" else rig.client.close_topic(forum, topic)
        queue = await rig.seen(forum, lambda m: "1 of 12" in m["text"])
        assert queue["thread_id"] is None
        rig.accounts.show_code("+4915112345000")
        await rig.seen(ADMIN, lambda m: bool(m["photo"]) and "1 of 12" in m["text"])
        rig.accounts.move("+4915112345000", State.CONNECTED, Reason.LINKED)
        await rig.seen(forum, lambda m: "2 of 12" in m["text"])
