"""Messages that fail while others are sent hold up no other, and end; what becomes of chats that take nothing."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from controller.incidents import Incident, Note
from handlers.alerts.attempts import FAILED_PAUSE, FIRST_PAUSE, LOST_PAUSE, OUTAGE_PAUSE, Attempts
from handlers.alerts.incidents.delivery import Send
from handlers.chat.errors import FAILURES, CallFailedError, OutcomeUnknownError
from handlers.chat.messages import Text
from tests.handlers.alerts.test_alerts import greet, log_out
from tests.handlers.conftest import QUICK, Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN
from tests.virtual_time import EPOCH, virtual_loop
from tests.waiting import until

STEADY = replace(QUICK, retry=timedelta(seconds=5))
WORK = Incident(7, ADMIN, EPOCH, EPOCH, ()), Send(0, Text("x"), silent=False)
OTHER = Note(8, ADMIN, "x")


def test_what_fails_in_an_outage_is_not_given_up():
    attempts = Attempts()
    assert not any(attempts.fail(WORK, CallFailedError("500", 10, 3), at) for at in range(1000))
    assert attempts.wait(WORK, 1000) <= 0, "it is what tries for all"
    assert attempts.has_failed(WORK)
    assert attempts.refusing == frozenset()


def test_what_fails_while_others_like_it_pass_is_given_up_and_left_alone_meanwhile():
    attempts = Attempts()
    failed = [attempts.fail(WORK, CallFailedError("500", 10 + n, 3 + n), n) for n in range(FAILURES + 1)]
    assert failed == [False] * FAILURES + [True]
    assert attempts.refusing == {7}
    assert 0 < attempts.wait(WORK, FAILURES) <= FAILED_PAUSE
    assert attempts.wait(OTHER, FAILURES) <= 0


def test_what_fails_while_only_other_kinds_of_calls_pass_is_never_given_up():
    attempts = Attempts()
    assert not any(attempts.fail(WORK, CallFailedError("500", 10 + n, 3), n) for n in range(1000))


def test_what_may_have_been_sent_is_due_as_soon_as_an_outage_is_over():
    attempts = Attempts()
    for at in range(12):
        attempts.lose(WORK, OutcomeUnknownError(performed=7), at)
        assert 0 < attempts.wait(WORK, at) <= OUTAGE_PAUSE
    assert attempts.refusing == frozenset()


def test_what_may_have_been_sent_while_others_are_is_repeated_ever_more_rarely():
    attempts, waits = Attempts(), []
    for performed in range(12):
        attempts.lose(WORK, OutcomeUnknownError(performed=performed), 0)
        waits.append(attempts.wait(WORK, 0))
    assert waits[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert waits[-1] == LOST_PAUSE
    attempts.forget(WORK)
    assert attempts.wait(WORK, 0) <= 0


FAILING: dict[str, dict[str, Any]] = {
    "500": {"kind": "500", "description": "Internal Server Error: sent message was immediately deleted"},
    "409": {"kind": "409", "description": "Conflict: of some kind"},
    "403 of a proxy": {"kind": "403", "html": True},
    "answers lost": {"kind": "lost"},
    "connections that break": {"kind": "drop"},
}


@pytest.mark.parametrize("rule", FAILING.values(), ids=FAILING)
async def test_an_alert_that_fails_for_good_holds_up_no_other(telegram, database, rule: dict[str, Any]):
    async with running_rig(telegram, database, alert_policy=STEADY) as rig:
        await greet(rig)
        rig.client.fail(**rule, chat_id=ADMIN, text="Support Berlin")
        rig.accounts.put()
        rig.accounts.put(PARIS, "Sales Paris")
        log_out(rig)
        await rig.seen(SECOND_ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
        await asyncio.sleep(30)
        await rig.answer(ADMIN, "/status nobody", "nobody")
        began = virtual_loop().time()
        log_out(rig, PARIS)
        await rig.seen(ADMIN, lambda m: "🚨 Sales Paris: logged out" in m["text"])
        assert virtual_loop().time() - began < 5
        if rule["kind"] == "500":
            await given_up(rig)


async def given_up(rig: Rig) -> None:
    """Let people write now and then, and see that the other admin learns what one did not get."""
    for place in range(60):
        await rig.answer(ADMIN, f"/status nobody{place}", f"nobody{place}")
        await asyncio.sleep(5)
        if any("does not take an alert of chat" in text for text in rig.bot_texts(SECOND_ADMIN)):
            return
    raise AssertionError("nobody was told")


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "500", "method": "sendMessage"},
        {"kind": "502", "html": True},
        {"kind": "hang", "method": "sendMessage"},
    ],
    ids=str,
)
async def test_an_outage_loses_and_sets_aside_no_alert(telegram, database, rule: dict[str, Any]):
    async with running_rig(telegram, database, alert_policy=STEADY) as rig:
        await greet(rig)
        for number, name in ((BERLIN, "Support Berlin"), (PARIS, "Sales Paris")):
            rig.accounts.put(number, name, owner=ADMIN)
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        await rig.seen(ADMIN, lambda m: "🟢 Support Berlin" in m["text"])
        rig.client.fail(**rule, seconds=240)
        log_out(rig)
        for place in range(6):
            rig.accounts.move(PARIS, State.CONNECTED if place % 2 else State.DISCONNECTED, Reason.CONNECTION_LOST)
            await rig.say(ADMIN, f"/status nobody{place}")
            await asyncio.sleep(40)
        for admin in (ADMIN, SECOND_ADMIN):
            alerts = lambda a=admin: [m for m in rig.client.from_bot(a) if "🚨" in m["text"] and m["buttons"]]
            said = lambda of=alerts: any("Support Berlin" in m["text"] for m in of())
            await rig.client.wait_for(said, LOST_PAUSE + 30)
            assert not any("does not take" in text for text in rig.bot_texts(admin))
        await rig.answer(ADMIN, "/status nobody99", "nobody99")


async def test_where_every_second_message_fails_alerts_come_all_the_same(telegram, database):
    async with running_rig(telegram, database, alert_policy=STEADY) as rig:
        await greet(rig)
        for place in range(5):
            number = f"+4915112345{place:03}"
            rig.accounts.put(number, f"Account {place}")
            rig.client.fail("500", method="sendMessage", count=1 + place % 3)
            log_out(rig, number)
            await rig.answer(ADMIN, f"/status nobody{place}", f"nobody{place}")
            await rig.seen(ADMIN, lambda m, name=f"Account {place}": "🚨" in m["text"] and name in m["text"])
        assert not any("does not take" in text for text in rig.bot_texts(SECOND_ADMIN))


async def test_the_end_of_an_alert_whose_edits_fail_for_good_is_a_new_message(telegram, database):
    async with running_rig(telegram, database, alert_policy=STEADY) as rig:
        await greet(rig)
        for number, name in ((BERLIN, "Support Berlin"), (PARIS, "Sales Paris")):
            rig.accounts.put(number, name)
        log_out(rig)
        first = await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
        rig.client.fail("500", method="editMessageText", chat_id=ADMIN, text="Support Berlin")
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        for _ in range(32):  # other messages are edited meanwhile
            rig.accounts.move(PARIS, State.DISCONNECTED, Reason.CONNECTION_LOST)
            await asyncio.sleep(5)
            rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
            await asyncio.sleep(5)
        ends = [m for m in rig.client.from_bot(ADMIN) if "✅ Support Berlin" in m["text"]]
        assert [m["message_id"] > first["message_id"] for m in ends] == [True]


async def test_an_alert_whose_answer_is_always_lost_comes_a_few_times_and_not_hundreds(telegram, database):
    async with running_rig(telegram, database, alert_policy=STEADY) as rig:
        await greet(rig)
        rig.client.fail("lost", chat_id=ADMIN, text="Support Berlin")
        rig.accounts.put()
        log_out(rig)
        await asyncio.sleep(400)
        assert 2 <= sum("🚨 Support Berlin" in text for text in rig.bot_texts(ADMIN)) <= 12


async def test_a_card_whose_answer_is_always_lost_comes_a_few_times(telegram, database):
    async with running_rig(telegram, database) as rig:
        await greet(rig)
        rig.accounts.put(owner=ADMIN)
        rig.client.fail("lost", chat_id=ADMIN, method="sendMessage", text="Support Berlin")
        await rig.say(ADMIN, "/reconnect Support Berlin")
        await asyncio.sleep(400)
        assert 2 <= sum("Support Berlin" in text for text in rig.bot_texts(ADMIN)) <= 14


async def test_a_chat_that_was_gone_is_not_called_back_before_it_takes_something(telegram, database):
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    async with running_rig(
        telegram, database, alert_chat=group, alert_policy=replace(STEADY, gone_retry=timedelta(seconds=5))
    ) as rig:
        await greet(rig)
        rule = rig.client.fail("403", description="Forbidden: bot was kicked from the group chat", chat_id=group)
        rig.accounts.put()
        log_out(rig)
        await rig.seen(ADMIN, lambda m: "I cannot write to chat" in m["text"])
        rig.client.fail("drop", chat_id=group)
        rig.client.heal(rule.number)
        await asyncio.sleep(60)
        assert not any("can be reached now" in text for text in rig.bot_texts(ADMIN))


# --- what Telegram says of the bot's own membership -------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kicked", "left", "muted"])
async def test_that_the_bot_was_removed_is_told_at_once_and_that_it_is_back(telegram, database, how: str):
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN], supergroup=True)["id"]
    async with running_rig(telegram, database, alert_chat=group, alert_policy=STEADY) as rig:
        await greet(rig)
        began = virtual_loop().time()
        if how == "muted":
            rig.client.set_missing_rights(group, ["can_send_messages"])
            rig.client.set_bot_status(group, "restricted")
        else:
            rig.client.set_bot_status(group, how)
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: "I cannot write to chat" in m["text"] and "come here" in m["text"])
        assert virtual_loop().time() - began < 5
        rig.client.set_missing_rights(group, [])
        rig.client.set_bot_status(group, "administrator")
        await rig.seen(ADMIN, lambda m: "can be reached now" in m["text"])
        rig.accounts.put()
        log_out(rig)
        await rig.seen(group, lambda m: "🚨 Support Berlin" in m["text"])


async def test_a_right_to_topics_that_is_given_later_is_used_without_a_restart(telegram, database):
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    telegram.client.set_missing_rights(forum, ["can_manage_topics"])
    async with running_rig(telegram, database, alert_chat=forum, alert_policy=STEADY) as rig:
        await until(lambda: rig.client.requests("getChat"), "the chat is looked at")
        rig.accounts.put()
        log_out(rig)
        await rig.seen(forum, lambda m: "cannot open topics" in m["text"])
        looks = len(rig.client.requests("getChat"))
        rig.client.set_missing_rights(forum, [])
        await until(lambda: len(rig.client.requests("getChat")) > looks, "the chat is looked at again")
        rig.accounts.put(PARIS, "Sales Paris")
        await asyncio.sleep(70)
        log_out(rig, PARIS)
        alert = await rig.seen(forum, lambda m: "🚨 Sales Paris" in m["text"])
        assert alert["thread_id"] is not None


async def test_where_the_topic_is_gone_and_general_is_closed_admins_get_alerts_at_once(telegram, database):
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    async with running_rig(telegram, database, alert_policy=STEADY) as rig:
        await greet(rig)
        topic = rig.client.open_topic(forum, "alerts", ADMIN)
        await rig.client.send(ADMIN, "/here", chat_id=forum, thread_id=topic)
        await rig.seen(forum, lambda m: "Alerts come to this topic" in m["text"])
        rig.client.set_missing_rights(forum, ["can_manage_topics"])
        rig.client.delete_topic(forum, topic)
        rig.client.close_topic(forum)
        rig.accounts.put()
        began = virtual_loop().time()
        log_out(rig)
        alert = await rig.seen(SECOND_ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
        assert alert["buttons"]
        assert virtual_loop().time() - began < 5
        await rig.seen(SECOND_ADMIN, lambda m: "I cannot write to chat" in m["text"])
        rig.client.close_topic(forum, closed=False)
        await rig.client.wait_for(
            lambda: next((m for m in rig.client.from_bot(forum) if "🚨 Support Berlin" in m["text"]), None), 900
        )


# --- the only admin cannot be written to ------------------------------------------------------------------------------


async def test_that_no_admin_can_be_reached_is_told_to_operators_and_wherever_an_admin_asks(telegram, database):
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR], supergroup=True)["id"]
    async with running_rig(telegram, database, admins=(ADMIN,), alert_policy=STEADY) as rig:
        for person in (ADMIN, OPERATOR):
            await rig.answer(person, "/help", "Switchboard")
        rig.accounts.put()
        rig.client.block(ADMIN)
        told = await rig.seen(OPERATOR, lambda m: "I cannot write to any admin" in m["text"])
        assert not told["silent"]
        log_out(rig)
        await asyncio.sleep(60)
        for command in ("/alerts", "/status"):
            await rig.answer(ADMIN, command, f"I cannot write to chat {ADMIN}: 1 alert waits there", group)
        rig.client.unblock(ADMIN)
        await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
        await rig.seen(ADMIN, lambda m: "I could not write here for a while" in m["text"])
        await rig.seen(OPERATOR, lambda m: "I can write to an admin again" in m["text"])


async def test_a_chat_that_missed_nothing_is_not_told_that_it_did(telegram, database):
    async with running_rig(telegram, database, admins=(ADMIN,), alert_policy=STEADY) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        rig.client.block(ADMIN)
        await asyncio.sleep(60)
        rig.client.unblock(ADMIN)
        await rig.answer(ADMIN, "/status", "no account yet")
        await asyncio.sleep(60)
        assert not any("could not write here" in text for text in rig.bot_texts(ADMIN))
