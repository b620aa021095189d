"""What a person sees after a request: one message per account, which follows its progress."""

import asyncio
from typing import Any

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from handlers.telegram.ui.cards import OWN_MESSAGE
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, FakeAccounts, FakeMessages
from tests.waiting import until


def about(rig: Rig, name: str, chat: int = ADMIN) -> list[dict[str, Any]]:
    """Return the messages of a chat that show an account's state, oldest first."""
    there = [m for m in rig.client.from_bot(chat) if not m["deleted"] and name in (m["text"] or "")]
    others = "keeps WhatsApp accounts linked", " → "  # the example in /help, and the feed, which is a choice
    return [m for m in there if not any(other in m["text"] for other in others)]


def bottom(rig: Rig, chat: int = ADMIN) -> dict[str, Any]:
    """Return the last message of a chat that was not deleted."""
    last: dict[str, Any] = [m for m in rig.client.messages(chat) if not m["deleted"]][-1]
    return last


async def test_link_is_answered_by_the_card_which_tells_how_it_goes_on(rig: Rig):
    card = await rig.answer(ADMIN, "/link +49 1511 2345678 Support Berlin", "Support Berlin")
    assert "Connecting: waiting for its turn to start" in card["text"]
    assert "Keep the account’s phone at hand" in card["text"]
    steps = (
        (Stage.LAUNCHING, "Connecting: starting the browser"),
        (Stage.AWAITING_SCAN, "Needs you: waiting for the code to be scanned"),
        (Stage.SYNCING, "Connecting: loading its chats"),
    )
    for stage, words in steps:
        rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=stage)
        seen = await rig.seen(ADMIN, lambda m, words=words: words in m["text"])
        assert seen["message_id"] == card["message_id"]
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])
    (only,) = about(rig, "Support Berlin")
    assert only["message_id"] == card["message_id"]
    assert "phone at hand" not in only["text"], "what was to be done is done"


async def test_a_command_brings_the_card_to_the_bottom_and_leaves_no_other(rig: Rig):
    rig.accounts.put(linked=True)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST)
    await rig.answer(ADMIN, "/help", "Switchboard")
    old = await rig.seen(ADMIN, lambda m: "Needs you since" in m["text"])
    for command, words in (
        ("/reconnect Support Berlin", "Connecting"),
        ("/suspend Support Berlin", "Paused since"),
        ("/suspend Support Berlin", "It was paused already"),
    ):
        new = await rig.answer(ADMIN, command, words)
        await until(lambda: len(about(rig, "Support Berlin")) == 1, "the card before is gone")
        assert bottom(rig)["message_id"] == new["message_id"] != old["message_id"]
        old = new


async def test_a_reconnect_that_comes_to_nothing_says_why_and_what_to_press(rig: Rig):
    rig.accounts.put(state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR)
    card = await rig.answer(ADMIN, "/reconnect Support Berlin", "Connecting")
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=8)
    seen = await rig.seen(ADMIN, lambda m: "Next try in a few seconds" in m["text"])
    assert "Connecting since" in seen["text"]
    assert "connection to WhatsApp was lost" in seen["text"]
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, cause=Reason.CONNECTION_LOST, attempts=10)
    seen = await rig.seen(ADMIN, lambda m: "Needs you since" in m["text"])
    assert [b["text"] for row in seen["buttons"] for b in row] == ["Reconnect"]
    assert seen["message_id"] == card["message_id"]


async def test_the_place_in_the_launch_line_is_in_the_card(rig: Rig):
    rig.accounts.place_in_line = 3
    await rig.answer(ADMIN, f"/link {BERLIN} Support Berlin", "waiting for its turn to start, number 3 in line")
    rig.accounts.place_in_line = 2
    rig.accounts.put(PARIS, "Sales Paris")
    rig.accounts.move(PARIS, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "number 2 in line" in m["text"])


async def test_a_card_promises_no_code_in_a_moment_while_no_browser_may_be_started(rig: Rig):
    rig.accounts.place_in_line, rig.accounts.held = 2, True
    card = await rig.answer(ADMIN, f"/link {BERLIN} Support Berlin", "waiting until browsers may be started again")
    assert "The code comes to you once browsers may be started again" in card["text"]
    rig.accounts.held = False
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.LAUNCHING)
    await rig.seen(ADMIN, lambda m: "comes to you in a moment" in m["text"])


async def test_asked_in_a_group_or_by_another_admin_the_card_lives_there_too(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, SECOND_ADMIN])["id"]
    rig.accounts.put(owner=ADMIN, state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR, linked=True)
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.answer(SECOND_ADMIN, "/reconnect Support Berlin", "Connecting", chat=group)
    await rig.answer(SECOND_ADMIN, "/reconnect Support Berlin", "It was on its way already")
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    for chat in (ADMIN, SECOND_ADMIN, group):
        await rig.seen(chat, lambda m: "Connected since" in m["text"])
        await until(lambda chat=chat: len(about(rig, "Support Berlin", chat)) == 1, "one message in each chat")


async def test_a_card_that_was_asked_for_is_taken_from_who_may_not_see_it_any_more(rig: Rig):
    rig.accounts.put(owner=OPERATOR, state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR)
    await rig.answer(OPERATOR, "/reconnect Support Berlin", "Connecting")
    rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED)
    await rig.seen(ADMIN, lambda m: "Needs you since" in m["text"])
    await until(lambda: not about(rig, "Support Berlin", OPERATOR), "it is gone")


async def test_who_asked_before_the_program_died_is_shown_what_came_of_it(
    telegram: TelegramStandIn, database: Database
):
    messages, accounts = FakeMessages(), FakeAccounts()
    async with running_rig(telegram, database, messages, accounts) as rig:
        accounts.put(owner=OPERATOR, state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR)
        card = await rig.answer(ADMIN, "/reconnect Support Berlin", "Connecting")
        await until(lambda: ("asked card", BERLIN, ADMIN) in messages.rows, "it is remembered")
    async with running_rig(telegram, database, messages, accounts) as rig:
        accounts.move(BERLIN, State.CONNECTING, Reason.RESUMED, stage=Stage.LAUNCHING)
        accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        seen = await rig.seen(ADMIN, lambda m: "Connected since" in m["text"])
        assert seen["message_id"] == card["message_id"]


async def test_a_card_left_above_as_the_program_died_is_taken_away(telegram: TelegramStandIn, database: Database):
    messages, accounts = FakeMessages(), FakeAccounts()
    async with running_rig(telegram, database, messages, accounts) as rig:
        accounts.put(state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
        old = await rig.answer(ADMIN, "/reconnect Support Berlin", "It was connected already")
        await until(lambda: ("card", BERLIN, ADMIN) in messages.rows, "it is remembered")
        await messages.delete("card", BERLIN, chat=ADMIN)
        await messages.upsert(
            "left card", str(old["message_id"]), chat=ADMIN, topic=None, message=old["message_id"], shown=""
        )
    async with running_rig(telegram, database, messages, accounts) as rig:
        await until(lambda: not about(rig, "Support Berlin"), "it is gone")
        assert not [key for key in messages.rows if key[0] == "left card"]


async def test_many_that_were_asked_for_share_messages_once_they_are_settled(rig: Rig):
    numbers = [f"+49151123{number:05}" for number in range(OWN_MESSAGE + 4)]
    for number in numbers:
        name = f"Account {number[-2:]}"
        rig.accounts.put(number, name, state=State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR, linked=True)
        await rig.answer(ADMIN, f"/reconnect {number}", name)
    for number in numbers:
        rig.accounts.move(number, State.CONNECTED, Reason.LINKED)

    def told() -> bool:
        texts = [m["text"] for m in about(rig, "Account")]
        return len(texts) == OWN_MESSAGE + 1 and sum(text.count("Connected") for text in texts) == len(numbers)

    await until(told, "each is told once, the last five by a message of their own")


async def test_a_card_that_cannot_be_deleted_becomes_one_line(rig: Rig):
    old = await rig.answer(ADMIN, f"/link {BERLIN} Support Berlin", "Support Berlin")
    rig.client.fail("400", method="deleteMessage", description="Bad Request: message can't be deleted for everyone")
    await rig.answer(ADMIN, "/suspend Support Berlin", "Paused since")
    await rig.seen(ADMIN, lambda m: m["message_id"] == old["message_id"] and "stands below" in m["text"])
    assert len(about(rig, "Support Berlin")) == 1


async def test_a_second_link_says_where_the_code_is_and_not_that_one_is_to_come(rig: Rig):
    await rig.answer(ADMIN, f"/link {BERLIN} Support Berlin", "The code comes to you in a moment")
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.AWAITING_SCAN)
    rig.accounts.show_code()
    await rig.seen(ADMIN, lambda m: "waiting for the code to be scanned" in m["text"] and "moment" not in m["text"])
    card = await rig.answer(ADMIN, f"/link {BERLIN}", "Its code is in this chat already")
    assert "on its way" not in card["text"]
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.SYNCING)
    await rig.seen(ADMIN, lambda m: "loading its chats" in m["text"] and "code" not in m["text"])


async def test_a_link_while_a_wrong_phone_is_logged_out_waits_for_a_code_too(rig: Rig):
    await rig.answer(OPERATOR, f"/link {BERLIN} Support Berlin", "Support Berlin")
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.LOGGING_OUT)
    card = await rig.answer(OPERATOR, f"/link {BERLIN}", "logging out a phone with another number")
    assert "The code comes to you in a moment" in card["text"]
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.AWAITING_SCAN)
    rig.accounts.show_code()
    await rig.seen(OPERATOR, lambda m: bool(m["photo"]))


async def test_what_was_so_once_is_not_said_again_later(rig: Rig):
    rig.accounts.put(linked=True, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    await rig.answer(ADMIN, "/reconnect Support Berlin", "It was connected already: nothing to do")
    await asyncio.sleep(1)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONNECTION_LOST, retry_in=1)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
    await rig.seen(ADMIN, lambda m: "Connected since" in m["text"] and "already" not in m["text"])
