"""The bot is never deaf without an alert: updates that cannot be read, webhooks, other pollers, polls that hang."""

import asyncio
import json
import logging

import pytest

from controller.troubles import Trouble
from handlers.texts import answers
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, SECOND_ADMIN
from tests.waiting import until


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("handlers.telegram.polling.RETRY_FIRST", 0.05)
    monkeypatch.setattr("handlers.telegram.polling.CONFLICT_WAIT", 0.1)
    monkeypatch.setattr("handlers.telegram.poll_watch.CONFLICT_AFTER", 0.3)
    monkeypatch.setattr("handlers.telegram.poll_watch.LOOK_EVERY", 0.1)


POISON = (
    {"message_id": "x", "date": {}, "chat": None, "text": "call +49 151 2345678"},
    {"message_id": 1},
    [1, 2],
    "text",
    {"message_id": 1, "date": 10**18, "chat": {"id": 1, "type": "private"}, "from": {"id": ADMIN, "is_bot": False}},
)


@pytest.mark.parametrize("kind", ["message", "callback_query", "my_chat_member"])
@pytest.mark.parametrize("body", POISON)
async def test_an_update_that_cannot_be_read_is_stepped_over(rig: Rig, caplog, kind, body):
    caplog.set_level(logging.INFO)
    await rig.answer(ADMIN, "/help", "Switchboard")
    for _ in range(3):
        rig.telegram.world.updates.push(kind, body)
    await rig.answer(ADMIN, "/status", "no account yet")
    lines = [record for record in caplog.records if "cannot be read" in record.getMessage()]
    if lines:  # the library reads some of it
        assert len(lines) == 3
        await rig.seen(ADMIN, lambda m: "Telegram sent me something that I cannot read" in m["text"])
        assert sum("cannot read" in text for text in rig.bot_texts(ADMIN)) == 1
    assert not any("2345678" in record.getMessage() for record in caplog.records)
    assert not any(record.exc_info for record in caplog.records)


async def test_a_batch_with_poison_in_it_loses_nothing_else(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("500", count=1, method="getUpdates")
    rig.accounts.put()
    await rig.say(ADMIN, "/suspend Support Berlin")
    rig.telegram.world.updates.push("message", {"message_id": "x"})
    await rig.say(ADMIN, "/status")
    await rig.seen(ADMIN, lambda m: "1 account" in m["text"])
    assert ("suspend", BERLIN) in rig.accounts.calls


async def test_a_webhook_is_told_with_its_host_and_taken_back_by_a_press(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.telegram.world.updates.webhook.url = "http://127.0.0.1:9/hook"
    rig.client.fail("500", count=1, method="getUpdates", seconds=0.1)
    alert = await rig.seen(
        ADMIN, lambda m: "I cannot hear you" in m["text"] and "🚨" in m["text"] and "127.0.0.1" in m["text"]
    )
    assert "Press Take it back" in alert["text"]
    await until(lambda: rig.telegram.world.updates.webhook.last_error_at is None, "nothing was tried yet")
    data = alert["buttons"][0][0]["data"]
    await rig.client.press(alert["message_id"], data, user_id=ADMIN, chat_id=ADMIN)
    await until(lambda: rig.telegram.world.updates.webhook.url == "", "it is taken back")
    await rig.seen(ADMIN, lambda m: "I can hear you again" in m["text"])
    await rig.answer(ADMIN, "/status", "no account yet")


def hook(rig: Rig, url: str = "http://127.0.0.1:9/hook") -> None:
    """Have another program set a webhook, which the next poll meets."""
    rig.telegram.world.updates.webhook.url = url
    rig.client.fail("500", count=1, method="getUpdates", seconds=0.1)


async def test_a_webhook_is_one_message_with_a_sound_which_ends_with_it(rig: Rig):
    for admin in (ADMIN, SECOND_ADMIN):
        await rig.answer(admin, "/help", "Switchboard")
    before = len(rig.client.from_bot(ADMIN))
    hook(rig)
    await rig.seen(ADMIN, lambda m: "I cannot hear you" in m["text"])
    await asyncio.sleep(10)
    assert len(rig.client.from_bot(ADMIN)) == before + 1, rig.bot_texts(ADMIN)
    rig.telegram.world.updates.webhook.url = ""
    over = await rig.seen(ADMIN, lambda m: "I can hear you again" in m["text"])
    assert not over["buttons"]
    assert len(rig.client.from_bot(ADMIN)) == before + 1


async def test_who_is_no_admin_is_told_so_and_the_webhook_stays(telegram, database):
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        await rig.service.raise_trouble(Trouble.WEBHOOK, "a webhook sends everything to elsewhere.example")
        alert = await rig.seen(group, lambda m: "I cannot hear you" in m["text"])
        assert (await rig.press(alert, "Take it back", OPERATOR) or {})["text"] == answers.ONLY_ADMINS
        assert not rig.client.requests("deleteWebhook")
        assert "webhook is gone" in (await rig.press(alert, "Take it back") or {})["text"]
        assert len(rig.client.requests("deleteWebhook")) == 1
        await rig.seen(group, lambda m: "Ada pressed Take it back" in m["text"])


async def test_another_program_that_polls_once_the_webhook_is_gone_is_told_in_its_place(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    hook(rig)
    await rig.seen(ADMIN, lambda m: "a webhook sends everything" in m["text"] and "🚨" in m["text"])
    rule = rig.client.fail("409", method="getUpdates")
    rig.telegram.world.updates.webhook.url = ""
    told = await rig.seen(
        ADMIN, lambda m: "another program asks" in m["text"] and "Take it back" not in str(m["buttons"])
    )
    await asyncio.sleep(10)
    assert not [m for m in rig.client.from_bot(ADMIN) if "🚨" in m["text"] and "a webhook sends" in m["text"]]
    rig.client.heal(rule.number)
    await rig.seen(ADMIN, lambda m: "I can hear you again" in m["text"] and m["message_id"] == told["message_id"])


async def test_another_poller_is_told(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rule = rig.client.fail("409", method="getUpdates")
    await rig.seen(ADMIN, lambda m: "I cannot hear you" in m["text"] and "another program" in m["text"])
    rig.client.heal(rule.number)
    await rig.seen(ADMIN, lambda m: "I can hear you again" in m["text"])
    await rig.answer(ADMIN, "/status", "no account yet")


async def test_a_short_conflict_at_a_restart_is_not_told(rig: Rig, monkeypatch):
    monkeypatch.setattr("handlers.telegram.poll_watch.CONFLICT_AFTER", 5)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.fail("409", method="getUpdates", count=2)
    rig.telegram.world.updates.interrupt(RuntimeError("the poll that waits"))
    await rig.answer(ADMIN, "/status", "no account yet")
    assert not any("cannot hear" in text for text in rig.bot_texts(ADMIN))


async def test_a_program_that_polls_by_turns_with_us_is_told_once_and_its_end_once_it_is_gone(telegram, database):
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.client.start_rival()
        for place in range(30):  # what is asked while it waits for its next turn is heard
            await rig.say(ADMIN, f"/status nobody{place}")
            await asyncio.sleep(1.7)
        heard = sum("nobody" in text for text in rig.bot_texts(ADMIN))
        assert 0 < heard < 30
        edits = [each for each in rig.client.requests("editMessageText") if "hear" in str(each.params)]
        assert edits == [], "it does not come and go with each turn"
        assert sum("cannot hear you" in text for text in rig.bot_texts(ADMIN)) == 1
        await rig.client.stop_rival()
        await rig.seen(ADMIN, lambda m: "I can hear you again" in m["text"])


@pytest.mark.parametrize("asked", [0, 1, 10**9])
async def test_polls_that_are_told_to_wait_neither_hurry_nor_stay_away(telegram, database, asked: int):
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        polls = len(rig.client.requests("getUpdates"))
        raw = json.dumps({"ok": False, "error_code": 429, "description": "-", "parameters": {"retry_after": asked}})
        rig.client.fail("429", raw=raw, method="getUpdates", seconds=30)
        await asyncio.sleep(29)
        assert len(rig.client.requests("getUpdates")) - polls <= 31
        await rig.say(ADMIN, "/status")
        found = lambda: next((m for m in rig.client.from_bot(ADMIN) if "no account yet" in m["text"][:40]), None)
        await rig.client.wait_for(found, 400)


async def test_polls_that_hang_are_told_while_sending_works(telegram, database, monkeypatch):
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
        monkeypatch.setattr("handlers.telegram.poll_watch.DEAF_AFTER", 0.5)
        rule = telegram.client.fail("hang", method="getUpdates")
        await rig.seen(ADMIN, lambda m: "I cannot hear you" in m["text"] and "no poll has come back" in m["text"])
        telegram.client.heal(rule.number)
        monkeypatch.setattr("handlers.telegram.poll_watch.DEAF_AFTER", 60)
        await rig.answer(ADMIN, "/status", "no account yet")
        await rig.seen(ADMIN, lambda m: "I can hear you again" in m["text"])


async def test_updates_that_are_numbered_lower_after_a_quiet_week_are_heard_and_confirmed(rig: Rig):
    updates = rig.telegram.world.updates
    await rig.answer(ADMIN, "/help", "Switchboard")
    updates.renumber(4_000)
    await rig.answer(ADMIN, "/status nobody1", "nobody1")
    await until(lambda: updates.pending == [] and updates.polling, "it is confirmed, and the next poll waits")
    polls = len(rig.client.requests("getUpdates"))
    await rig.answer(ADMIN, "/status nobody2", "nobody2")
    await until(lambda: updates.pending == [] and updates.polling, "it is confirmed, and the next poll waits")
    assert len(rig.client.requests("getUpdates")) - polls <= 2
    assert sum("nobody1" in text for text in rig.bot_texts(ADMIN)) == 1


@pytest.mark.parametrize("result", ["yes", [1, None, {"update_id": "seven"}]])
async def test_a_poll_that_is_answered_with_garbage_is_tried_again_at_a_pace(rig: Rig, result):
    await rig.answer(ADMIN, "/help", "Switchboard")
    polls = len(rig.client.requests("getUpdates"))
    raw = json.dumps({"ok": True, "result": result})
    rig.client.fail("portal", raw=raw, method="getUpdates", seconds=0.4)
    await asyncio.sleep(0.4)
    await rig.answer(ADMIN, "/status", "no account yet")
    assert len(rig.client.requests("getUpdates")) - polls < 15, "it waits between two polls"
