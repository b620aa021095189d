"""Alerts, from a transition to the message with sound, and what people do about it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.accounts.reasons import Reason, State
from controller.troubles import Trouble
from handlers.telegram.ui.qr import draw
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from tests.handlers.conftest import QUICK, Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, FakeAccounts, FakeMessages
from tests.waiting import until


async def greet(rig: Rig, *users: int) -> None:
    for user in users or (ADMIN, SECOND_ADMIN):
        await rig.answer(user, "/help", "Switchboard")


def log_out(rig: Rig, number: str = BERLIN) -> None:
    rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)


def sounding(rig: Rig, chat: int) -> list[dict]:
    return [
        m
        for m in rig.client.messages(chat, deleted=True)
        if m["from"]["is_bot"] and not m["silent"] and "🚨" in first_text(m)
    ]


def first_text(message: dict) -> str:
    return message["history"][0]["text"] if message["history"] else message["text"]


async def test_an_alert_says_in_a_line_what_happened_and_in_another_what_to_do(rig: Rig):
    await greet(rig)
    rig.accounts.put(owner=ADMIN)
    log_out(rig)
    for admin in (ADMIN, SECOND_ADMIN):
        alert = await rig.seen(admin, lambda m: "🚨" in m["text"])
        assert not alert["silent"]
        what, todo = alert["text"].split("\n")
        assert what.startswith("🚨 Support Berlin: logged out by its phone or by WhatsApp, ")
        assert todo.startswith("➡️ Press Link again")
        labels = [[b["text"] for b in row] for row in alert["buttons"]]
        assert labels == [["Link again"], ["Acknowledge", "Silence 1 h", "Silence 8 h"]]


async def test_what_comes_together_is_one_message_that_grows(rig: Rig):
    await greet(rig)
    for number in range(20):
        rig.accounts.put(f"+49151123{number:05}", f"Account {number}")
        log_out(rig, f"+49151123{number:05}")
    alert = await rig.seen(ADMIN, lambda m: "20 accounts need you" in m["text"])
    assert alert["text"].count("Logged out by its phone or by WhatsApp (20)") == 1
    rig.accounts.put(PARIS, "Sales Paris")
    rig.accounts.move(PARIS, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    grown = await rig.seen(ADMIN, lambda m: "21 accounts need you" in m["text"])
    assert grown["message_id"] == alert["message_id"]
    assert "Every attempt to reconnect failed, so it is not tried again (1)\nSales Paris" in grown["text"]
    assert len(sounding(rig, ADMIN)) == 1


async def test_recovery_is_an_edit_of_its_alert_that_says_how_long_it_lasted(rig: Rig):
    await greet(rig)
    rig.accounts.put(linked=True)
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.BREAKER_OPEN, alert=Reason.BREAKER_OPEN)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    over = await rig.seen(ADMIN, lambda m: m["message_id"] == alert["message_id"] and "✅" in m["text"])
    assert "✅ Support Berlin connected at" in over["text"] and "after 0 s" in over["text"]
    assert "It was: too many errors in a row" in over["text"]
    assert not over["buttons"]
    await rig.service.alerts.drain(5)
    about = [text for text in rig.bot_texts(ADMIN) if "Support Berlin" in text and "👋" not in text]
    assert len(about) == 2, "the alert and the card: a fact is told once"


async def test_an_end_whose_alert_somebody_deleted_is_told_anew_without_a_sound(rig: Rig):
    await greet(rig)
    rig.accounts.put(linked=True)
    log_out(rig)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    rig.client.delete(ADMIN, alert["message_id"])
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    over = await rig.seen(ADMIN, lambda m: "✅ Support Berlin connected at" in m["text"])
    assert over["silent"]
    await rig.service.alerts.drain(5)
    assert len([text for text in rig.bot_texts(ADMIN) if "✅ Support Berlin connected" in text]) == 1


async def test_recovery_is_not_told_where_no_loss_was(rig: Rig):
    await greet(rig)
    rig.accounts.put(linked=True)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=1)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])
    await greet(rig, ADMIN)
    assert not any("again" in text or "🚨" in text for text in rig.bot_texts(ADMIN))


async def test_the_accounts_operator_is_told_too(rig: Rig):
    await greet(rig, ADMIN, SECOND_ADMIN, OPERATOR)
    rig.accounts.put(owner=OPERATOR)
    log_out(rig)
    await rig.seen(OPERATOR, lambda m: "🚨" in m["text"])
    await rig.seen(ADMIN, lambda m: "🚨" in m["text"])


async def test_acknowledge_shows_who_is_on_it_everywhere(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    log_out(rig)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    await rig.seen(SECOND_ADMIN, lambda m: "🚨" in m["text"])
    shown = await rig.press(alert, "Acknowledge")
    assert "you are on it" in shown["text"]
    for admin in (ADMIN, SECOND_ADMIN):
        seen = await rig.seen(admin, lambda m: "👤 Ada is on it" in m["text"])
        assert "Acknowledge" not in [b["text"] for row in seen["buttons"] for b in row]
    assert (ADMIN, "acknowledge") in [entry[:2] for entry in rig.records.audited]


async def test_a_silence_holds_alerts_back_until_it_ends(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    rig.accounts.put(PARIS, "Sales Paris", linked=True)
    answer = await rig.answer(ADMIN, "/silence all 2h moving house", "All accounts: no alerts until")
    assert "(moving house)" in answer["text"]
    log_out(rig)
    rig.accounts.move(PARIS, State.SUSPENDED, Reason.BREAKER_OPEN, alert=Reason.BREAKER_OPEN)
    rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
    await greet(rig)
    await asyncio.sleep(0.5)
    assert sounding(rig, ADMIN) == sounding(rig, SECOND_ADMIN) == []
    listed = await rig.answer(ADMIN, "/alerts", "1 silence")
    shown = await rig.press(listed, "End silence")
    assert "ended" in shown["text"]
    alert = await rig.seen(ADMIN, lambda m: "🚨 Support Berlin: logged out" in m["text"])
    assert "Sales Paris" not in alert["text"]
    await rig.seen(SECOND_ADMIN, lambda m: "🚨 Support Berlin: logged out" in m["text"])


def show_unknown_page(rig: Rig) -> None:
    rig.accounts.move(BERLIN, State.ERROR, Reason.PAGE_UNKNOWN, alert=Reason.PAGE_UNKNOWN, picture=draw("a page"))


async def test_the_picture_of_an_unknown_page_is_a_silent_reply_to_its_alert(
    telegram: TelegramStandIn, database: Database
):
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    async with running_rig(telegram, database, alert_chat=forum) as rig:
        await greet(rig, ADMIN)
        await until(lambda: rig.client.requests("getChat"), "the chat is looked at")
        rig.accounts.put()
        show_unknown_page(rig)
        picture = await rig.seen(forum, lambda m: m["photo"] is not None)
        alert = await rig.seen(forum, lambda m: "a page that I do not know" in m["text"])
        assert picture["reply_to"] == alert["message_id"] < picture["message_id"]
        assert picture["thread_id"] == alert["thread_id"] is not None
        assert (picture["silent"], alert["silent"]) == (True, False)


async def test_a_picture_waits_as_long_as_its_alert_is_silenced(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    await rig.answer(ADMIN, "/silence all 2h moving house", "All accounts: no alerts until")
    show_unknown_page(rig)
    await greet(rig)
    await asyncio.sleep(0.5)
    assert not [m for m in rig.client.from_bot(ADMIN) if m["photo"]]
    await rig.press(await rig.answer(ADMIN, "/alerts", "1 silence"), "End silence")
    picture = await rig.seen(ADMIN, lambda m: m["photo"] is not None)
    assert "a page that I do not know" in rig.client.message(ADMIN, picture["reply_to"])["text"]


async def test_silence_on_an_alert_covers_its_accounts_here_alone(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    log_out(rig)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    await rig.press(alert, "Silence 1 h")
    await rig.seen(ADMIN, lambda m: "🔕 Ada silenced it until" in m["text"])
    await rig.answer(ADMIN, "/silence", "🔕 Support Berlin, 1 h left, by Ada")
    await rig.answer(ADMIN, "/alerts", "1 silence")
    await rig.answer(SECOND_ADMIN, "/alerts", "Nothing is silenced")
    await rig.press(await rig.answer(ADMIN, "/alerts", "1 silence"), "End silence")
    await rig.seen(ADMIN, lambda m: m["message_id"] == alert["message_id"] and "Ada ended the silence" in m["text"])


async def test_silence_says_how_it_is_used(rig: Rig):
    await rig.answer(ADMIN, "/silence forever", "Say whom to silence and for how long")
    await rig.answer(ADMIN, "/silence nobody 2h", "No account is called “nobody”")
    await rig.answer(ADMIN, "/silence all 2h", "no alerts until")
    answer = await rig.answer(ADMIN, "/silence", "1 silence")
    assert "End silence" in str(answer["buttons"])
    await rig.answer(ADMIN, "/silence all off", "alerts come again")


async def test_link_again_answers_below_and_shows_who_pressed(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    log_out(rig)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    await rig.press(alert, "Link again")
    await rig.seen(ADMIN, lambda m: m["message_id"] == alert["message_id"] and "Ada pressed Link again" in m["text"])
    assert ("start", BERLIN, False) in rig.accounts.calls


async def test_use_here_asks_once_more_and_only_the_presser_may_answer(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    async with asyncio.timeout(20):
        await greet(rig)
        rig.accounts.put(state=State.DISCONNECTED, reason=Reason.CONFLICT, linked=True)
        detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts", chat=group)
        await rig.press(detail, "Suspend")
        question = await rig.seen(group, lambda m: "Suspend Support Berlin" in m["text"])
        shown = await rig.press(question, "Yes", SECOND_ADMIN)
        assert "somebody else" in shown["text"]
        assert not any(call[0] == "suspend" for call in rig.accounts.calls)
        await rig.press(question, "Yes")
        await rig.seen(group, lambda m: "Paused since" in m["text"])


async def test_use_here_takes_the_session_back(rig: Rig):
    await greet(rig)
    rig.accounts.put(linked=True)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONFLICT, alert=Reason.CONFLICT)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    await rig.press(alert, "Use here")
    question = await rig.seen(ADMIN, lambda m: m["text"].startswith("Use Support Berlin"))
    await rig.press(question, "Yes, use here")
    await until(lambda: ("start", BERLIN, True) in rig.accounts.calls, "the takeover")


async def test_reconnect_all_starts_each_after_a_question(rig: Rig):
    await greet(rig)
    for number in range(5):
        rig.accounts.put(f"+49151123{number:05}", f"Account {number}")
        rig.accounts.move(f"+49151123{number:05}", State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    alert = await rig.seen(ADMIN, lambda m: "5 accounts need you" in m["text"])
    await rig.press(alert, "Reconnect 5 accounts")
    question = await rig.seen(ADMIN, lambda m: "Reconnect 5 accounts, one after" in m["text"])
    await rig.press(question, "Yes, reconnect")
    await until(lambda: len([c for c in rig.accounts.calls if c[0] == "start"]) == 5, "five starts")


async def test_alerts_survive_a_restart_and_are_not_told_twice(telegram: TelegramStandIn, database: Database):
    accounts, messages = FakeAccounts(), FakeMessages()
    accounts.put(linked=True)
    async with running_rig(telegram, database, messages, accounts) as rig:
        await greet(rig)
        rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
        await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
        telegram.client.fail("500")
        accounts.put(PARIS, "Sales Paris", linked=True)
        log_out(rig, PARIS)
        await until(lambda: any(r.fault for r in rig.client.requests("sendMessage", "editMessageText")), "it was tried")
    telegram.client.heal()
    async with running_rig(telegram, database, messages, accounts) as rig:
        await rig.seen(ADMIN, lambda m: "Sales Paris" in m["text"] and "🚨" in m["text"])
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
        await rig.seen(ADMIN, lambda m: "accounts connected by" in m["text"])
        assert len(sounding(rig, ADMIN)) <= 2


async def test_a_chat_that_blocks_the_bot_is_told_to_admins_once_and_caught_up(rig: Rig):
    await greet(rig, ADMIN, SECOND_ADMIN, OPERATOR)
    rig.client.block(OPERATOR)
    rig.accounts.put(owner=OPERATOR)
    log_out(rig)
    await rig.seen(ADMIN, lambda m: f"cannot write to chat {OPERATOR}" in m["text"])
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.BANNED, alert=Reason.BANNED)
    await rig.seen(ADMIN, lambda m: "blocked by WhatsApp" in m["text"])
    rig.client.unblock(OPERATOR)
    await rig.say(OPERATOR, "/help")
    await rig.seen(OPERATOR, lambda m: "blocked by WhatsApp" in m["text"])
    assert len([text for text in rig.bot_texts(ADMIN) if "cannot write" in text]) == 1


async def test_a_chat_that_lets_the_bot_in_again_has_true_cards(rig: Rig):
    await rig.answer(OPERATOR, "/help", "Switchboard")
    rig.accounts.put(owner=OPERATOR, linked=True)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(OPERATOR, lambda m: "Connected since" in m["text"])
    rig.client.block(OPERATOR)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST)
    await until(
        lambda: any(r.error_code == 403 for r in rig.client.requests("editMessageText")), "the card could not be edited"
    )
    rig.client.unblock(OPERATOR)
    await rig.say(OPERATOR, "/help")
    await rig.seen(OPERATOR, lambda m: "Needs you since" in m["text"])


async def test_a_group_that_became_a_supergroup_is_followed(telegram: TelegramStandIn, database: Database):
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        rig.accounts.put()
        log_out(rig)
        await rig.seen(group, lambda m: "logged out" in m["text"])
        to = rig.client.migrate(group)["id"]
        rig.accounts.put(PARIS, "Sales Paris")
        log_out(rig, PARIS)
        await rig.seen(to, lambda m: "Sales Paris" in m["text"])
        await rig.seen(to, lambda m: f"set that to {to}" in m["text"])


@pytest.mark.parametrize("told", [True, False])
async def test_what_stands_in_a_group_goes_on_in_its_supergroup(telegram: TelegramStandIn, database: Database, told):
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        rig.accounts.put()
        if told:
            log_out(rig)
            await rig.seen(group, lambda m: "logged out" in m["text"])
        else:
            rig.client.fail("500", chat_id=group)
            log_out(rig)
            await until(lambda: rig.client.requests("sendMessage"), "it is tried")
        to = rig.client.migrate(group)["id"]
        alert = await rig.seen(to, lambda m: "🚨 Support Berlin" in m["text"])
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        await rig.seen(to, lambda m: "✅" in m["text"] and m["message_id"] == alert["message_id"])


async def test_a_forum_gets_a_topic_for_each_account(telegram: TelegramStandIn, database: Database):
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    async with running_rig(telegram, database, alert_chat=forum) as rig:
        await greet(rig, ADMIN)
        await until(lambda: rig.client.requests("getChat"), "the chat is looked at")
        rig.accounts.put()
        log_out(rig)
        alert = await rig.seen(forum, lambda m: "logged out" in m["text"])
        assert alert["thread_id"] is not None
        rig.accounts.move(BERLIN, State.SUSPENDED, Reason.BANNED, alert=Reason.BANNED)
        again = await rig.seen(forum, lambda m: "blocked by WhatsApp" in m["text"])
        assert again["thread_id"] == alert["thread_id"]
        for number in range(5):
            rig.accounts.put(f"+49151123{number:05}", f"Account {number}")
            log_out(rig, f"+49151123{number:05}")
        together = await rig.seen(forum, lambda m: "5 accounts need you" in m["text"])
        assert together["thread_id"] != alert["thread_id"]


async def test_troubles_of_the_controller_are_told_and_ended(rig: Rig):
    await greet(rig)
    await rig.service.raise_trouble("whatsapp_unreachable", "184 accounts waiting")
    alert = await rig.seen(ADMIN, lambda m: "WhatsApp cannot be reached: 184 accounts waiting" in m["text"])
    await rig.service.raise_trouble("whatsapp_unreachable", "190 accounts waiting")
    await rig.seen(ADMIN, lambda m: "190 accounts waiting" in m["text"] and m["message_id"] == alert["message_id"])
    await rig.service.clear_trouble("whatsapp_unreachable")
    await rig.seen(ADMIN, lambda m: "WhatsApp can be reached again, after" in m["text"])


async def test_a_silenced_trouble_of_the_controller_silences_no_account(telegram: TelegramStandIn, database: Database):
    messages = FakeMessages()
    async with running_rig(telegram, database, messages) as rig:
        await greet(rig)
        await rig.service.raise_trouble(Trouble.DISK, "90 MiB are free")
        alert = await rig.seen(ADMIN, lambda m: "90 MiB are free" in m["text"])
        await rig.press(alert, "Silence 8 h")
        await rig.answer(ADMIN, "/alerts", "🔕 Switchboard itself, 8 h left, by Ada")
    async with running_rig(telegram, database, messages) as rig:
        await rig.answer(ADMIN, "/silence", "🔕 Switchboard itself")
        rig.accounts.put()
        log_out(rig)
        await rig.seen(ADMIN, lambda m: "🚨" in m["text"] and "ogged out" in m["text"])


async def test_what_joins_an_alert_that_somebody_deleted_is_told_anew(rig: Rig):
    await greet(rig)
    rig.accounts.put()
    rig.accounts.put(PARIS, "Sales Paris")
    log_out(rig)
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    rig.client.delete(ADMIN, alert["message_id"])
    log_out(rig, PARIS)
    again = await rig.seen(ADMIN, lambda m: "2 accounts need you" in m["text"])
    assert not again["silent"]


async def test_what_could_not_be_stored_at_once_is_sent_once_it_can_be(telegram: TelegramStandIn, database: Database):
    async with running_rig(telegram, database, alert_policy=replace(QUICK, retry=timedelta(seconds=0.2))) as rig:
        await greet(rig)
        rig.accounts.put()
        save, refused = rig.incidents.save, []

        async def save_later(plan, *, urgent=False):
            if len(refused) < 4:
                refused.append(plan)
                raise OSError("disk I/O error")
            await save(plan, urgent=urgent)

        rig.incidents.save = save_later  # type: ignore[method-assign]
        log_out(rig)
        for admin in (ADMIN, SECOND_ADMIN):
            alert = await rig.seen(admin, lambda m: "🚨 Support Berlin: logged out" in m["text"])
            assert "times" not in alert["text"]
            assert len(sounding(rig, admin)) == 1
        assert len(refused) == 4


async def test_a_line_whose_outcome_is_unknown_is_said_again(rig: Rig):
    await greet(rig)
    lost = rig.client.fail("drop", count=1, method="sendMessage", chat_id=ADMIN)
    await rig.say(3001, "/start")
    for admin in (ADMIN, SECOND_ADMIN):
        await rig.seen(admin, lambda m: "do not know them" in m["text"])
    assert lost.hits == 1


async def test_a_reminder_that_telegram_puts_off_is_sounded_later(telegram: TelegramStandIn, database: Database):
    async with running_rig(telegram, database, alert_policy=replace(QUICK, repeat_after=timedelta(seconds=3))) as rig:
        await greet(rig)
        rig.accounts.put()
        log_out(rig)
        await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
        refused = rig.client.fail("429", count=1, method="sendMessage", chat_id=ADMIN, retry_after=1)
        reminder = await rig.seen(ADMIN, lambda m: "Still open after" in m["text"])
        assert refused.hits == 1
        assert not reminder["silent"]


async def test_reconnect_all_is_about_those_that_a_start_may_mend(rig: Rig):
    await greet(rig)
    for number in range(6):
        rig.accounts.put(f"+49151123{number:05}", f"Account {number}")
        if number < 2:
            rig.accounts.move(f"+49151123{number:05}", State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
        else:
            log_out(rig, f"+49151123{number:05}")
    alert = await rig.seen(ADMIN, lambda m: "6 accounts need you" in m["text"])
    await rig.press(alert, "Reconnect 2 accounts")
    question = await rig.seen(ADMIN, lambda m: "Reconnect 2 accounts, one after" in m["text"])
    answer = await rig.press(question, "Yes, reconnect")
    assert answer is not None
    assert answer["text"] == "2 accounts started."
    assert len([call for call in rig.accounts.calls if call[0] == "start"]) == 2


async def test_an_operator_is_not_on_it_for_the_accounts_of_others(telegram: TelegramStandIn, database: Database):
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard", group)
        rig.accounts.put(owner=OPERATOR)
        rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
        log_out(rig)
        log_out(rig, PARIS)
        alert = await rig.seen(group, lambda m: "2 accounts need you" in m["text"])
        refusal = await rig.press(alert, "Acknowledge", OPERATOR)
        assert refusal is not None
        assert "somebody else’s" in refusal["text"]
        await rig.press(alert, "Acknowledge", ADMIN)
        await rig.seen(group, lambda m: "Ada is on it" in m["text"])


async def test_a_silence_moves_with_its_group(telegram: TelegramStandIn, database: Database):
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard", group)
        rig.accounts.put()
        await rig.answer(ADMIN, "/silence Support Berlin 2h", "no alerts until", group)
        to = rig.client.migrate(group)["id"]
        await rig.seen(to, lambda m: f"set that to {to}" in m["text"])
        await rig.answer(ADMIN, "/silence", "🔕 Support Berlin", to)


async def test_a_trouble_that_could_not_be_kept_is_told_over_too(rig: Rig):
    await greet(rig)
    save = rig.incidents.save

    async def refused(_):
        raise OSError("attempt to write a readonly database")

    rig.incidents.save = refused  # type: ignore[method-assign]
    await rig.service.raise_trouble(Trouble.DATABASE, "readonly")
    told = {a: await rig.seen(a, lambda m: "🚨 The database cannot" in m["text"]) for a in (ADMIN, SECOND_ADMIN)}
    rig.incidents.save = save  # type: ignore[method-assign]
    await rig.service.clear_trouble(Trouble.DATABASE)
    for admin, alert in told.items():
        over = await rig.seen(admin, lambda m: m["text"].startswith("✅") and "can be written again" in m["text"])
        assert over["message_id"] == alert["message_id"], "its end is an edit of it"
        assert not any("🚨" in text for text in rig.bot_texts(admin))


async def test_a_card_tells_that_all_wait_for_whatsapp(rig: Rig):
    await greet(rig)
    rig.accounts.put(linked=True)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=2)
    await rig.seen(ADMIN, lambda m: "Next try in a few seconds" in m["text"])
    rig.accounts.retries[BERLIN] = None  # no transition reports a hold
    rig.accounts.statuses[BERLIN] = replace(rig.accounts.statuses[BERLIN], on_hold=True, next_retry_in=None)
    await rig.service.raise_trouble("whatsapp_unreachable", "1 account is waiting")
    await until(
        lambda: not any("Next try in a few seconds" in text for text in rig.bot_texts(ADMIN)), "the card says so"
    )


async def test_a_chat_that_cannot_be_written_to_does_not_keep_the_program_from_stopping(
    telegram: TelegramStandIn, database: Database
):
    async with running_rig(telegram, database) as rig:
        await greet(rig)
        rig.client.block(SECOND_ADMIN)
        rig.accounts.put()
        log_out(rig)
        await rig.seen(ADMIN, lambda m: "cannot write to chat" in m["text"])
        assert await rig.service.alerts.drain(30)
