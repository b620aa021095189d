"""Many people at once, and people whom nobody asked for, hold up nobody else and reach nobody's chat."""

import asyncio
from pathlib import Path

from tests.handlers.alerts.storms import now, rigged
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, SECOND_ADMIN
from tests.virtual_time import virtual
from tests.waiting import until

SOON = 5.0
"""Seconds of the virtual clock: what waits on purpose or for its turn counts, how busy this machine is does not."""
OTHER_OPERATOR = 2002
CROWD = range(5000, 5100)


async def assert_answered_soon(rig: Rig) -> None:
    before = now()
    await rig.answer(ADMIN, "/status", "no account yet")
    assert now() - before < SOON


@virtual
async def test_a_crowd_of_strangers_in_a_group_gets_nothing_and_holds_up_nobody(tmp_path: Path):
    async with rigged(tmp_path) as rig:
        group = rig.client.add_group("A crowd", list(CROWD))["id"]
        await rig.answer(ADMIN, "/help", "Switchboard")
        for user in CROWD:
            await rig.say(user, "/start", group)
        await assert_answered_soon(rig)
        assert rig.bot_texts(group) == []


@virtual
async def test_strangers_one_by_one_are_answered_and_hold_up_nobody(tmp_path: Path):
    async with rigged(tmp_path) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        for user in CROWD:
            await rig.say(user, "/start")
        await assert_answered_soon(rig)
        await until(lambda: all(rig.bot_texts(user) for user in CROWD), "all have their ids")


@virtual
async def test_one_person_who_sends_a_hundred_commands_holds_up_nobody(tmp_path: Path):
    async with rigged(tmp_path, operators=(OPERATOR,)) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        for _ in range(100):
            await rig.say(OPERATOR, "/status")
        await assert_answered_soon(rig)


async def test_a_group_of_strangers_that_moves_is_nobodys_business(telegram, database):
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        group = telegram.client.add_group("Theirs", [CROWD[0]])["id"]
        rig.client.migrate(group)
        await until(
            lambda: not rig.telegram.world.updates.pending and rig.telegram.world.updates.polling, "it is known"
        )
        await asyncio.sleep(0)
        assert rig.service.alerts._recipients.moved == {}
        assert not any("supergroup" in text for text in rig.bot_texts(ADMIN))


async def test_of_two_who_link_at_once_one_gets_the_code_and_the_other_is_told_who(telegram, database):
    async with running_rig(telegram, database) as rig:
        for user in (ADMIN, SECOND_ADMIN):
            await rig.answer(user, "/help", "Switchboard")
        rig.accounts.put(owner=ADMIN)
        rig.accounts.takes = 0.3
        await rig.say(ADMIN, f"/link {BERLIN}")
        await until(lambda: ("start", BERLIN, False) in rig.accounts.calls, "it is being started")
        await rig.answer(SECOND_ADMIN, f"/link {BERLIN}", "Ada is linking Support Berlin")
        await rig.seen(ADMIN, lambda m: "The code comes to you in a moment" in m["text"])
        rig.accounts.show_code()
        await rig.seen(ADMIN, lambda m: bool(m["photo"]))
        assert not any(m["photo"] for m in rig.client.from_bot(SECOND_ADMIN))


async def test_an_account_that_somebody_else_adds_at_the_same_moment_is_theirs(telegram, database):
    async with running_rig(telegram, database, operators=(OPERATOR, OTHER_OPERATOR)) as rig:
        for user in (OPERATOR, OTHER_OPERATOR):
            await rig.answer(user, "/help", "Switchboard")
        rig.accounts.takes = 0.3
        await rig.say(OPERATOR, f"/link {BERLIN}")
        await until(lambda: rig.accounts.calls, "it is being added")
        await rig.answer(OTHER_OPERATOR, f"/link {BERLIN}", "cannot link that number for you")
        await until(lambda: ("start", BERLIN, False) in rig.accounts.calls, "it is started")
        assert rig.accounts.calls.count(("start", BERLIN, False)) == 1


async def test_what_follows_a_command_may_begin_on_the_next_line(telegram, database):
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/link\n+49 1511 234567 Support Berlin", "Support Berlin")
        assert rig.accounts.calls[0] == ("add", "+491511234567", "Support Berlin", ADMIN)


@virtual
async def test_a_thousand_presses_and_messages_of_one_person_slow_only_that_person(tmp_path: Path):
    async with rigged(tmp_path, operators=(OPERATOR,)) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        for number in range(50):
            rig.accounts.put(f"+49151123{number:05}", f"Account {number}", owner=OPERATOR)
        listed = await rig.answer(OPERATOR, "/status", "50 accounts")
        for number in range(1000):
            keyboard = rig.client.chat(OPERATOR).messages[listed["message_id"]].content.keyboard()
            data = next(b["callback_data"] for row in keyboard for b in row if b["text"] == "Refresh")
            await rig.client.press(listed["message_id"], data, user_id=OPERATOR, chat_id=OPERATOR)
            if not number % 4:
                await rig.say(OPERATOR, "/status" if number % 8 else f"/suspend Account {number % 50}")
        before = now()
        await rig.answer(ADMIN, "/status", "50 accounts")
        assert now() - before < SOON
        await until(lambda: rig.telegram.world.updates.pending == [], "all is accepted")
        edits = [
            r for r in rig.client.requests("editMessageText") if r.parameters["chat_id"] in {OPERATOR, str(OPERATOR)}
        ]
        assert len(edits) < 50, "work is for each change, not for each press"
