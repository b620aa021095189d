"""Many people at once, and people whom nobody asked for, hold up nobody else and reach nobody's chat."""

import asyncio
import time

from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, OPERATOR
from tests.waiting import until

SOON = 5.0
CROWD = range(5000, 5100)


async def assert_answered_soon(rig: Rig) -> None:
    before = time.monotonic()
    await rig.answer(ADMIN, "/status", "no account yet")
    assert time.monotonic() - before < SOON


async def test_a_crowd_of_strangers_in_a_group_gets_nothing_and_holds_up_nobody(telegram, database):
    group = telegram.client.add_group("A crowd", list(CROWD))["id"]
    async with running_rig(telegram, database, limits=None) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        for user in CROWD:
            await rig.say(user, "/start", group)
        await assert_answered_soon(rig)
        assert rig.bot_texts(group) == []


async def test_strangers_one_by_one_are_answered_and_hold_up_nobody(telegram, database):
    async with running_rig(telegram, database, limits=None) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        for user in CROWD:
            await rig.say(user, "/start")
        await assert_answered_soon(rig)
        await until(lambda: all(rig.bot_texts(user) for user in CROWD), "all have their ids")


async def test_one_person_who_sends_a_hundred_commands_holds_up_nobody(telegram, database):
    async with running_rig(telegram, database, limits=None) as rig:
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
        assert rig.desk._followers.moved == {}
        assert not any("supergroup" in text for text in rig.bot_texts(ADMIN))


async def test_what_follows_a_command_may_begin_on_the_next_line(telegram, database):
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/link\n+49 1511 234567 Support Berlin", "Support Berlin")
        assert rig.accounts.calls[0] == ("add", "+491511234567", "Support Berlin", ADMIN)
