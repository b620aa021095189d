"""/feed: each change of an account as a silent line, where that was chosen, and nowhere else."""

import asyncio

import pytest

from controller.accounts.reasons import Reason, State
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, FakeMessages

VIEWER = 1777


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("handlers.telegram.ui.feed.GATHER_SECONDS", 0.3)


def lose(rig: Rig, number: str = BERLIN) -> None:
    rig.accounts.move(number, State.CONNECTED, Reason.LINKED)
    rig.accounts.move(number, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=4)


async def settled(rig: Rig) -> None:
    await asyncio.sleep(0.5)
    await rig.answer(ADMIN, "/help", "Switchboard")


def lines(rig: Rig, chat: int) -> list[str]:
    return [line for text in rig.bot_texts(chat) for line in text.split("\n") if "→" in line]


async def test_each_change_is_a_silent_line_and_those_together_are_one_message(rig: Rig):
    await rig.answer(ADMIN, "/feed", "Changes are not listed here")
    await rig.answer(ADMIN, "/feed on", "Each change of an account")
    rig.accounts.put(owner=ADMIN)
    lose(rig)
    listed = await rig.seen(ADMIN, lambda m: "→" in m["text"])
    assert listed["silent"]
    assert listed["text"].split("\n") == [
        "Support Berlin: Off → Connected",
        "Support Berlin: Connected → Disconnected, its connection to WhatsApp was lost · next try in 4 s",
    ]
    await rig.answer(ADMIN, "/feed off", "not listed here")
    lose(rig)
    await settled(rig)
    assert len(lines(rig, ADMIN)) == 2


@pytest.mark.parametrize(("words", "count"), [("Support Berlin", 2), ("sales", 2), ("nobody", 0), ("", 4)])
async def test_it_lists_one_account_or_those_that_a_word_fits(rig: Rig, words, count):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
    await rig.answer(ADMIN, f"/feed on {words}", "Each change of" if count else "No account fits")
    lose(rig)
    lose(rig, PARIS)
    await settled(rig)
    assert len(lines(rig, ADMIN)) == count


async def test_nobody_reads_of_accounts_that_they_may_not_see(telegram, database):
    telegram.client.add_user(VIEWER, "Vera")
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, f"/people {VIEWER} viewer", "viewer")
        rig.accounts.put(owner=ADMIN)
        for user in (OPERATOR, VIEWER):
            await rig.answer(user, "/feed on", "Each change")
        await rig.answer(OPERATOR, "/feed on", "admin chooses", chat=group)
        lose(rig)
        await settled(rig)
        assert lines(rig, OPERATOR) == []
        assert lines(rig, group) == []
        assert len(lines(rig, VIEWER)) == 2


async def test_it_outlives_a_restart_and_a_storm_is_cut_short(telegram, database):
    messages = FakeMessages()
    async with running_rig(telegram, database, messages) as rig:
        await rig.answer(ADMIN, "/feed on", "Each change")
    async with running_rig(telegram, database, messages) as rig:
        rig.accounts.put(owner=ADMIN)
        for _ in range(60):
            lose(rig)
        listed = await rig.seen(ADMIN, lambda m: "→" in m["text"])
        assert listed["text"].startswith("and 80 more before that")
        assert len(listed["text"].split("\n")) == 41


async def test_a_new_admins_first_account_is_listed_and_how_to_end_that_is_told(rig: Rig):
    await rig.say(ADMIN, f"/link {BERLIN} Support Berlin")
    first = await rig.seen(ADMIN, lambda m: "Off → Connecting" in m["text"])
    assert "your first account" in first["text"] and "/feed off" in first["text"] and first["silent"]
    lose(rig)
    second = await rig.seen(ADMIN, lambda m: "Connected → Disconnected" in m["text"])
    assert "/feed off" not in second["text"]
    await rig.answer(ADMIN, "/feed off", "not listed here")
    await rig.say(ADMIN, f"/link {PARIS} Sales Paris")
    await rig.seen(ADMIN, lambda m: "Sales Paris" in m["text"])
    lose(rig, PARIS)
    await settled(rig)
    assert not any("Sales Paris" in line for line in lines(rig, ADMIN)), "it was turned off"


async def test_the_feed_does_not_push_an_open_code_off_the_screen(rig: Rig, monkeypatch):
    monkeypatch.setattr("handlers.telegram.ui.feed.LOOK_SECONDS", 0.1)
    await rig.answer(ADMIN, "/feed on", "Each change of an account")
    await rig.answer(ADMIN, f"/link {BERLIN} Berlin", "The code comes to you")
    rig.accounts.show_code()
    code = await rig.seen(ADMIN, lambda m: bool(m["photo"]))
    await settled(rig)
    assert not any("Off →" in line for line in lines(rig, ADMIN))
    rig.accounts.hide_code()
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Connecting → Connected" in m["text"] and m["message_id"] > code["message_id"])
