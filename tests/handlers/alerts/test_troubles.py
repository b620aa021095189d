"""Rejected alerts, unreachable chats, topics without permission, stalled disks, clocks set back."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.accounts.reasons import Reason, State
from controller.troubles import Trouble
from handlers.alerts.incidents.policy import AlertPolicy
from storage.database import open_database
from tests.handlers.alerts.storms import connected, from_bot, now, rigged, sounds
from tests.handlers.alerts.test_alerts import first_text, greet, log_out, sounding
from tests.handlers.conftest import QUICK, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, FakeAccounts, FakeMessages
from tests.virtual_time import run_virtual, wall_clock
from tests.waiting import until

BRISK = replace(QUICK, retry=timedelta(seconds=0.2), gone_retry=timedelta(seconds=0.3))


# --- refused for good -------------------------------------------------------------------------------------------------


async def test_an_alert_that_is_refused_for_good_is_told_another_way_and_holds_up_no_other(telegram, database):
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        poison = rig.client.fail("400", description="Bad Request: SOMETHING_NEW", chat_id=ADMIN, text="🚨 <b>Support")
        plain = rig.client.fail("400", description="Bad Request: SOMETHING_NEW", chat_id=ADMIN, text="🚨 Support")
        rig.accounts.put()
        rig.accounts.put(PARIS, "Sales Paris")
        log_out(rig)
        await until(lambda: rig.service.alerts._workers[ADMIN].refusing, "it was refused")
        log_out(rig, PARIS)
        await rig.seen(ADMIN, lambda m: "🚨 Sales Paris: logged out" in m["text"])
        for admin in (ADMIN, SECOND_ADMIN):
            word = await rig.seen(admin, lambda m: "does not take an alert of chat" in m["text"])
            assert "Support Berlin: logged out" in word["text"]
            assert not word["silent"]
        assert (poison.hits, plain.hits) == (3, 3)
        await rig.seen(SECOND_ADMIN, lambda m: "2 accounts need you" in m["text"])
        await asyncio.sleep(1)
        assert (poison.hits, plain.hits) == (3, 3), "it is not tried again"
        rig.client.heal()
        await rig.answer(ADMIN, "/alerts", "2 alerts open here")


async def test_an_alert_that_was_refused_stays_aside_after_a_restart(telegram, database):
    accounts, messages = FakeAccounts(), FakeMessages()
    accounts.put()
    async with running_rig(telegram, database, messages, accounts, alert_policy=BRISK) as rig:
        await greet(rig)
        refused = rig.client.fail(
            "400", description="Bad Request: SOMETHING_NEW", chat_id=ADMIN, text="Support Berlin</b>: <b>"
        )
        plain = rig.client.fail("400", description="Bad Request: SOMETHING_NEW", chat_id=ADMIN, text="🚨 Support")
        log_out(rig)
        await rig.seen(ADMIN, lambda m: "does not take an alert of chat" in m["text"])
        hits = refused.hits, plain.hits
    async with running_rig(telegram, database, messages, accounts, alert_policy=BRISK) as rig:
        await until(lambda: rig.service.alerts.drain(5), "all is sent")
        assert (refused.hits, plain.hits) == hits
        accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        await rig.seen(ADMIN, lambda m: "✅ Support Berlin connected at" in m["text"])


async def test_a_refused_picture_is_dropped_and_holds_up_nothing(telegram, database):
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        refused = rig.client.fail(
            "400", description="Bad Request: IMAGE_PROCESS_FAILED", method="sendPhoto", chat_id=ADMIN
        )
        rig.accounts.put()
        rig.accounts.move(
            BERLIN, State.ERROR, Reason.PAGE_UNKNOWN, alert=Reason.PAGE_UNKNOWN, picture=b"\x89PNG no picture"
        )
        await until(lambda: refused.hits == 3, "it was tried three times")
        await rig.service.alerts.announcer.notify_admins("A line after it.")
        await rig.seen(ADMIN, lambda m: m["text"] == "A line after it.")
        await asyncio.sleep(0.5)
        assert refused.hits == 3


# --- topics -----------------------------------------------------------------------------------------------------------


async def test_a_forum_without_the_right_to_topics_gets_its_alerts_in_general(telegram, database):
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    refused = telegram.client.fail(
        "400", description="Bad Request: not enough rights to create a topic", method="createForumTopic"
    )
    async with running_rig(telegram, database, alert_chat=forum, alert_policy=BRISK) as rig:
        await until(lambda: rig.client.requests("getChat"), "the chat is looked at")
        rig.accounts.put()
        log_out(rig)
        alert = await rig.seen(forum, lambda m: "🚨 Support Berlin" in m["text"])
        assert alert["thread_id"] is None
        await rig.seen(forum, lambda m: "cannot open topics" in m["text"] and "create a topic" in m["text"])
        await asyncio.sleep(6)
        rig.accounts.put(PARIS, "Sales Paris")
        log_out(rig, PARIS)
        await rig.seen(forum, lambda m: "🚨 Sales Paris" in m["text"])
        assert refused.hits == 1, "every repair is tried once"
        assert len([text for text in rig.bot_texts(forum) if "cannot open topics" in text]) == 1


@pytest.mark.parametrize(
    "description", ["Bad Request: not enough rights to create a topic", "Bad Request: the chat is not a forum"]
)
async def test_topics_that_are_taken_away_later_leave_general(telegram, database, description):
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    async with running_rig(telegram, database, alert_chat=forum, alert_policy=BRISK) as rig:
        await until(lambda: rig.client.requests("getChat"), "the chat is looked at")
        rig.accounts.put()
        log_out(rig)
        first = await rig.seen(forum, lambda m: "🚨 Support Berlin" in m["text"])
        assert first["thread_id"] is not None
        await asyncio.sleep(6)
        rig.client.fail("400", description=description, method="createForumTopic")
        rig.accounts.put(PARIS, "Sales Paris")
        log_out(rig, PARIS)
        second = await rig.seen(forum, lambda m: "🚨 Sales Paris" in m["text"])
        assert second["thread_id"] is None
        await rig.seen(forum, lambda m: "cannot open topics" in m["text"])


async def test_a_group_in_which_the_bot_may_not_write_is_told_and_its_alerts_go_to_admins(telegram, database):
    group = telegram.client.add_group("Ops", [ADMIN])["id"]
    for user in (ADMIN, SECOND_ADMIN):
        telegram.client.world.private_chat(user)
    async with running_rig(telegram, database, alert_chat=group, alert_policy=BRISK) as rig:
        rig.client.fail(
            "400", description="Bad Request: not enough rights to send text messages to the chat", chat_id=group
        )
        rig.accounts.put()
        log_out(rig)
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: f"cannot write to chat {group}" in m["text"])
            await rig.seen(admin, lambda m: "🚨 Support Berlin" in m["text"])


async def test_a_topic_that_is_gone_each_time_it_is_opened_is_opened_anew_once(telegram, database):
    forum = telegram.client.add_group("Ops", [ADMIN], forum=True)["id"]
    async with running_rig(telegram, database, alert_chat=forum, alert_policy=BRISK) as rig:
        await until(lambda: rig.client.requests("getChat"), "the chat is looked at")
        rig.client.fail("400", description="Bad Request: message thread not found", chat_id=forum, text="🚨", count=2)
        rig.accounts.put()
        log_out(rig)
        alert = await rig.seen(forum, lambda m: "🚨 Support Berlin" in m["text"])
        assert alert["thread_id"] is None, "General takes it"
        assert len(rig.client.requests("createForumTopic")) == 2


# --- chats that are gone ----------------------------------------------------------------------------------------------


async def test_an_alert_chat_that_is_not_there_is_told_at_the_start_and_its_alerts_go_to_admins(telegram, database):
    for user in (ADMIN, SECOND_ADMIN):
        telegram.client.world.private_chat(user)
    async with running_rig(telegram, database, alert_chat=-1009999999999, alert_policy=BRISK) as rig:
        for admin in (ADMIN, SECOND_ADMIN):
            word = await rig.seen(admin, lambda m: "cannot write to chat -1009999999999" in m["text"])
            assert not word["silent"]
            assert "come here until" in word["text"]
        rig.accounts.put()
        log_out(rig)
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: "🚨 Support Berlin: logged out" in m["text"])
        await rig.answer(ADMIN, "/alerts", "1 alert open here")


async def test_an_alert_chat_that_goes_hands_over_what_nobody_was_told_and_is_used_again(telegram, database):
    for user in (ADMIN, SECOND_ADMIN):
        telegram.client.world.private_chat(user)
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    async with running_rig(telegram, database, alert_chat=group, alert_policy=BRISK) as rig:
        rig.accounts.put()
        log_out(rig)
        await rig.seen(group, lambda m: "🚨 Support Berlin" in m["text"])
        await asyncio.sleep(0.3)
        gone = rig.client.fail("403", description="Forbidden: bot was kicked from the group chat", chat_id=group)
        rig.accounts.put(PARIS, "Sales Paris")
        await asyncio.sleep(6)
        log_out(rig, PARIS)
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: f"cannot write to chat {group}" in m["text"])
            await rig.seen(admin, lambda m: "🚨 Sales Paris: logged out" in m["text"])
        assert not any("🚨 Support Berlin" in text for text in rig.bot_texts(SECOND_ADMIN)), "the group knows of that"
        rig.client.heal(gone.number)
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: f"Chat {group} can be reached now" in m["text"])
        rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
        await rig.seen(SECOND_ADMIN, lambda m: "Sales Paris connected at" in m["text"])
        log_out(rig, PARIS)
        await until(lambda: len(sounding(rig, group)) >= 2, "the group gets alerts again")
        assert len([text for text in rig.bot_texts(ADMIN) if "cannot write" in text]) == 1


async def test_a_chat_that_is_gone_is_tried_now_and_then_and_when_somebody_writes_there(telegram, database):
    policy = AlertPolicy(gone_retry=timedelta(minutes=10))
    async with running_rig(telegram, database, alert_policy=policy) as rig:
        await greet(rig)
        await rig.say(OPERATOR, "/help")
        await rig.seen(OPERATOR, lambda m: "Switchboard" in m["text"])
        rig.accounts.put(owner=OPERATOR)
        gone = rig.client.fail("403", description="Forbidden: user is deactivated", chat_id=OPERATOR, text="🚨")
        log_out(rig)
        await rig.seen(ADMIN, lambda m: f"cannot write to chat {OPERATOR}" in m["text"])
        await asyncio.sleep(3300)
        assert gone.hits == 6, "each ten minutes"
        hits = gone.hits
        await rig.answer(OPERATOR, "/help", "Switchboard")
        await asyncio.sleep(5)
        assert gone.hits == hits + 1, "and at once when somebody writes there"


async def test_that_a_chat_is_gone_is_told_once_over_restarts(telegram, database):
    accounts, messages = FakeAccounts(), FakeMessages()
    accounts.put(owner=OPERATOR)
    for _ in range(2):
        async with running_rig(telegram, database, messages, accounts, alert_policy=BRISK) as rig:
            await greet(rig)
            if not rig.knows(OPERATOR):
                await rig.say(OPERATOR, "/help")
                rig.client.block(OPERATOR)
            log_out(rig)
            await rig.seen(ADMIN, lambda m: f"cannot write to chat {OPERATOR}" in m["text"])
            await until(lambda: rig.service.alerts.drain(5), "all is sent")
            accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    assert len([m for m in telegram.client.from_bot(ADMIN) if "cannot write to chat" in m["text"]]) == 1


# --- a group that moves -----------------------------------------------------------------------------------------------


async def test_what_a_group_was_told_moves_with_it_and_stays_so_after_a_restart(telegram, tmp_path):
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    accounts, messages = FakeAccounts(), FakeMessages()
    accounts.put(linked=True)
    async with open_database(tmp_path / "moving") as database:
        async with running_rig(telegram, database, messages, accounts, alert_chat=group) as rig:
            log_out(rig)
            await rig.seen(group, lambda m: "🚨 Support Berlin" in m["text"])
            await until(lambda: rig.service.alerts.drain(5), "it is stored")
            to = rig.client.migrate(group)["id"]
            await rig.say(ADMIN, "/help", to)
            await rig.seen(to, lambda m: f"set that to {to}" in m["text"])
        incidents = [each for each in await rig.incidents.incidents() if each.chat < 0]
        assert [each.chat for each in incidents] == [to]
    async with (
        open_database(tmp_path / "moving") as database,
        running_rig(telegram, database, messages, accounts, alert_chat=group) as rig,
    ):
        await rig.answer(ADMIN, "/alerts", "1 alert open here", to)
        accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        await rig.seen(to, lambda m: "Support Berlin connected at" in m["text"])


# --- a disk that refuses ----------------------------------------------------------------------------------------------


@pytest.fixture
def refusing(database):
    """Make every transaction fail while the event is set."""
    refused, transaction = asyncio.Event(), database._transaction

    def maybe(*given, **named):
        if refused.is_set():
            raise OSError("disk I/O error")
        return transaction(*given, **named)

    database._transaction = maybe
    return refused


async def test_an_alert_that_cannot_be_stored_is_told_at_once_and_is_an_alert_later(
    telegram, database, refusing, monkeypatch
):
    monkeypatch.setattr("controller.recorder.RETRY_SECONDS", 0.2)
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        rig.accounts.put()
        refusing.set()
        log_out(rig)
        for admin in (ADMIN, SECOND_ADMIN):
            alert = await rig.seen(admin, lambda m: "🚨 Support Berlin: logged out" in m["text"])
            assert not alert["silent"]
            assert not alert["buttons"], "nothing can be pressed that would be stored"
            await rig.seen(admin, lambda m: "he database cannot be written" in m["text"])
            told = alert["message_id"]
        log_out(rig)
        refusing.clear()
        alert = await rig.seen(SECOND_ADMIN, lambda m: "🚨 Support Berlin: logged out" in m["text"] and m["buttons"])
        assert alert["message_id"] == told, "what has sounded becomes the alert that is stored"
        said = [text for text in rig.bot_texts(SECOND_ADMIN) if "🚨 Support Berlin: logged out" in text]
        assert len(said) == 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock the database, as another program may."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize("seconds", [3, 7, 12, 17, 40])
async def test_a_locked_database_makes_each_alert_sound_once(telegram, tmp_path, monkeypatch, seconds):
    monkeypatch.setattr("storage.database._THREAD_BUSY_SECONDS", 0.0)  # each attempt takes real time
    path = tmp_path / "locked.sqlite"
    async with open_database(path) as database, running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        rig.accounts.put()
        with locked(path):
            log_out(rig)
            await asyncio.sleep(seconds)
        alert = await rig.seen(ADMIN, lambda m: "ogged out by its phone" in m["text"] and m["buttons"])
        await asyncio.sleep(60)
        for admin in (ADMIN, SECOND_ADMIN):
            heard = [first_text(m) for m in sounding(rig, admin)]
            assert len([text for text in heard if "Support Berlin: logged out" in text]) == 1, heard
            assert len([text for text in heard if "he database cannot be written" in text]) <= 1, heard
        await rig.press(alert, "Acknowledge")


async def test_a_trouble_whose_storing_took_too_long_sounds_once(rig, database, monkeypatch):
    monkeypatch.setattr("handlers.alerts.announcer.STORED_WITHIN", 0.3)
    await greet(rig)
    heard = len(sounding(rig, ADMIN))
    async with database.transaction():
        await rig.service.raise_trouble(Trouble.DISK, "2 MiB are left")
        first = await rig.seen(ADMIN, lambda m: "🚨" in m["text"] and not m["buttons"])
    alert = await rig.seen(ADMIN, lambda m: "🚨" in m["text"] and m["buttons"])
    await asyncio.sleep(30)
    assert alert["message_id"] == first["message_id"]
    assert len(sounding(rig, ADMIN)) == heard + 1
    await rig.service.clear_trouble(Trouble.DISK)
    await rig.seen(ADMIN, lambda m: m["message_id"] == first["message_id"] and m["text"].startswith("✅"))


async def test_an_alert_that_comes_beside_one_that_was_not_stored_sounds_all_the_same(
    telegram, database, refusing, monkeypatch
):
    monkeypatch.setattr("controller.recorder.RETRY_SECONDS", 5.0)
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        rig.accounts.put()
        rig.accounts.put(PARIS, "Sales Paris")
        refused = rig.client.fail("400", description="Bad Request: SOMETHING_NEW", chat_id=ADMIN, text="Sales Paris")
        refusing.set()
        log_out(rig)
        log_out(rig, PARIS)
        await rig.seen(ADMIN, lambda m: "🚨 Support Berlin: logged out" in m["text"])
        await until(lambda: refused.hits, "the other does not arrive")
        rig.client.heal(refused.number)
        refusing.clear()
        alert = await rig.seen(ADMIN, lambda m: "2 accounts need you" in m["text"])
        assert not alert["silent"]
        await rig.seen(ADMIN, lambda m: "a newer message tells how it is" in m["text"])


async def test_what_cannot_be_stored_is_no_louder_than_what_can(telegram, database, refusing):
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        rig.accounts.put()
        rig.accounts.put(PARIS, "Sales Paris")
        shown = await rig.answer(SECOND_ADMIN, "/loud", "How alerts come")
        await rig.press(shown, "Logged out", user=SECOND_ADMIN)
        await rig.seen(SECOND_ADMIN, lambda m: "🔕 Logged out" in str(m["buttons"]))
        await rig.answer(ADMIN, "/silence Support Berlin 2h", "no alerts until")
        refusing.set()
        log_out(rig)
        log_out(rig, PARIS)
        await rig.seen(ADMIN, lambda m: "🚨 Sales Paris" in m["text"] and not m["silent"])
        for name in ("Sales Paris", "Support Berlin"):
            await rig.seen(SECOND_ADMIN, lambda m, name=name: f"🚨 {name}" in m["text"] and m["silent"])
        assert not any("🚨 Support Berlin" in text for text in rig.bot_texts(ADMIN)), "it is silenced there"
        refusing.clear()


async def test_what_cannot_be_stored_names_only_steps_that_its_reader_may_take(telegram, database, refusing):
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        rig.accounts.put(owner=ADMIN)
        await rig.answer(OPERATOR, "/help", "Switchboard")
        await rig.answer(ADMIN, f"/duty {OPERATOR} Olga 2h", "is on duty until")
        refusing.set()
        log_out(rig)
        mine = await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
        theirs = await rig.seen(OPERATOR, lambda m: "🚨 Support Berlin" in m["text"])
        assert "/link" in mine["text"] and "/link" not in theirs["text"]
        refusing.clear()


async def test_what_cannot_be_stored_is_a_line_in_the_log(telegram, database, refusing, caplog):
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        refusing.set()
        await rig.service.raise_trouble(Trouble.DATABASE, "no answer in 30 s")
        await rig.seen(ADMIN, lambda m: "he database cannot be written" in m["text"])
        assert "What admins are to know cannot be stored: disk I/O error" in caplog.text
        assert not [record.getMessage() for record in caplog.records if record.exc_info]
        refusing.clear()


async def test_a_trouble_is_told_in_seconds_where_storing_it_hangs(rig, database, monkeypatch):
    monkeypatch.setattr("handlers.alerts.announcer.STORED_WITHIN", 0.3)
    await greet(rig)
    async with database.transaction():
        await rig.service.raise_trouble(Trouble.DATABASE, "no answer in 30 s")
        await rig.seen(ADMIN, lambda m: "he database cannot be written" in m["text"])


# --- troubles reported by an earlier run ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "over"), [(Trouble.DATABASE, "can be written again"), (Trouble.DEAF, "I can hear you again")]
)
async def test_what_is_not_so_any_more_after_a_restart_is_ended(telegram, database, trouble, over):
    messages = FakeMessages()
    async with running_rig(telegram, database, messages, alert_policy=BRISK) as rig:
        await greet(rig)
        await rig.service.raise_trouble(trouble, "it was so")
        await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
        await until(lambda: rig.service.alerts.drain(5), "all is sent")
    heard = len(sounding(rig, ADMIN))
    async with running_rig(telegram, database, messages, alert_policy=BRISK) as rig:
        for admin in (ADMIN, SECOND_ADMIN):
            await rig.seen(admin, lambda m: m["text"].startswith("✅") and over in m["text"])
        await rig.answer(ADMIN, "/alerts", "Nothing needs you.")
        assert len(sounding(rig, ADMIN)) == heard


async def test_what_was_never_told_has_no_end(telegram, database):
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        before = rig.bot_texts(ADMIN)
        for reason in (Trouble.DATABASE, Trouble.DEAF):
            await rig.service.clear_trouble(reason)
        await asyncio.sleep(60)
        assert rig.bot_texts(ADMIN) == before


# --- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [0.1, 30.0, 3600.0, 30 * 86400.0])
def test_a_clock_that_is_set_back_delays_and_hides_nothing(tmp_path, back):
    async def main():
        shift = timedelta(0)
        policy = AlertPolicy(repeat_after=timedelta(minutes=30))
        async with rigged(tmp_path, clock=lambda: wall_clock() - shift, alert_policy=policy) as rig:
            one, other = connected(rig, 2)
            await asyncio.sleep(30)

            def lose(number, reason=Reason.LOGGED_OUT):
                rig.accounts.move(number, State.DISCONNECTED, reason, alert=reason)

            lose(one)
            shift = timedelta(seconds=back)
            await asyncio.sleep(5)
            for admin in (ADMIN, SECOND_ADMIN):
                assert len([m for m in sounds(rig, admin) if "logged out" in m["text"]]) == 1, "told in seconds"
            await asyncio.sleep(60)
            lose(other)
            await asyncio.sleep(15)
            for admin in (ADMIN, SECOND_ADMIN):
                assert len([m for m in sounds(rig, admin) if "logged out" in m["text"]]) == 2, "an alert of its own"
            rig.accounts.move(one, State.CONNECTED, Reason.LINKED)
            await asyncio.sleep(30)
            assert any("✅" in m["text"] and "connected at" in m["text"] for m in from_bot(rig, ADMIN)), "recovery"
            await asyncio.sleep(35 * 60)
            assert any("Still open after" in m["text"] for m in sounds(rig, ADMIN)), "and it is repeated"

    run_virtual(main())


@pytest.mark.parametrize("jump", [timedelta(hours=3), timedelta(hours=-3)])
def test_a_clock_that_jumps_out_of_quiet_hours_ends_them_within_a_minute(tmp_path, jump):
    async def main():
        shift = timedelta(0)
        async with rigged(tmp_path, clock=lambda: wall_clock() + shift) as rig:
            here = wall_clock().astimezone()
            hours = f"{(here.hour - 1) % 24}:00-{(here.hour + 2) % 24}:00"
            await rig.answer(ADMIN, f"/quiet {hours}", "what is critical comes at once")
            rig.accounts.put(owner=ADMIN)
            rig.accounts.move(BERLIN, State.SUSPENDED, Reason.BREAKER_OPEN, alert=Reason.BREAKER_OPEN)
            await asyncio.sleep(300)
            assert not [m for m in from_bot(rig, ADMIN) if "🚨" in m["text"]]
            shift = jump
            await asyncio.sleep(65)
            assert [m for m in from_bot(rig, ADMIN) if "🚨 Support Berlin" in m["text"]]

    run_virtual(main())


def test_the_policy_of_one_chat_is_its_own(tmp_path):
    async def main():
        slow = AlertPolicy(first_gathers=timedelta(seconds=20), gather=timedelta(minutes=2))
        async with rigged(tmp_path, alert_policies={ADMIN: slow}) as rig:
            one, other = connected(rig, 2)
            await asyncio.sleep(30)
            for number in (one, other):
                rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
                await asyncio.sleep(15)
            await asyncio.sleep(60)
            heard = {
                admin: [m for m in sounds(rig, admin) if "ogged out" in m["text"]] for admin in (ADMIN, SECOND_ADMIN)
            }
            assert {admin: len(each) for admin, each in heard.items()} == {ADMIN: 1, SECOND_ADMIN: 2}

    run_virtual(main())


def test_whatsapp_out_of_reach_sounds_after_five_minutes_and_a_shorter_outage_not_at_all(tmp_path):
    async def main():
        async with rigged(tmp_path) as rig:
            for lasts in (280, 320):
                heard = len(sounds(rig, ADMIN))
                await rig.service.raise_trouble(Trouble.UNREACHABLE, "40 accounts are waiting")
                await asyncio.sleep(lasts)
                said = [m for m in sounds(rig, ADMIN)[heard:] if "WhatsApp cannot be reached" in m["text"]]
                assert len(said) == (lasts > 300)
                await rig.service.clear_trouble(Trouble.UNREACHABLE)
                await asyncio.sleep(60)
                assert len(sounds(rig, ADMIN)) == heard + len(said), "its end is silent"
            over = [m for m in from_bot(rig, ADMIN) if "can be reached again, after" in m["text"]]
            assert len(over) == 1, "an end is told where a loss was"

    run_virtual(main())


# --- news whose edit is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("description", ["Bad Request: SOMETHING_NEW", "Bad Request: message to edit not found"])
async def test_what_joins_an_alert_whose_edits_are_refused_is_told_anew(telegram, database, description):
    async with running_rig(telegram, database, alert_policy=BRISK) as rig:
        await greet(rig)
        rig.accounts.put()
        rig.accounts.put(PARIS, "Sales Paris")
        log_out(rig)
        first = await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
        rig.client.fail("400", description=description, chat_id=ADMIN, method="editMessageText")
        log_out(rig, PARIS)
        both = await rig.seen(ADMIN, lambda m: "Sales Paris" in m["text"] and "🚨" in m["text"])
        assert both["message_id"] != first["message_id"]
        assert not both["silent"]


def test_an_alert_chat_that_telegram_silences_for_hours_has_its_alerts_told_to_admins_meanwhile(tmp_path):
    async def main() -> None:
        async with rigged(tmp_path) as rig:
            group = rig.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
            await rig.answer(ADMIN, "/here", "Alerts come to this chat", group)
            rig.client.fail("429", retry_after=7200, chat_id=group, method="sendMessage", count=1)
            rig.accounts.put(owner=SECOND_ADMIN)
            began = now()
            log_out(rig)
            alert = await rig.seen(ADMIN, lambda m: "🚨 Support Berlin" in m["text"])
            assert now() - began < 10
            assert alert["buttons"]
            await rig.seen(SECOND_ADMIN, lambda m: "asks for silence there, for another 120 min" in m["text"])
            rig.accounts.put(PARIS, "Sales Paris")
            log_out(rig, PARIS)
            await rig.seen(ADMIN, lambda m: "🚨" in m["text"] and "Sales Paris" in m["text"])
            await asyncio.sleep(7200 + 700)
            await rig.seen(group, lambda m: "🚨" in m["text"] and "Support Berlin" in m["text"])

    run_virtual(main())
