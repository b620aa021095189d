"""Buttons, from a press to what it does: a question is answered once, and a press is answered at once."""

import asyncio
from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from handlers.chat.button_codes import CONFIRM_SECONDS
from handlers.telegram.ui.keyboards import PICK_SECONDS
from handlers.texts import answers
from tests.handlers.alerts.escalation.test_escalator import rigged
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN, PARIS
from tests.virtual_time import pass_time, virtual
from tests.waiting import until


async def asked_to_suspend(rig: Rig) -> dict[str, Any]:
    rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    await rig.press(detail, "Suspend")
    return await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"])


async def test_a_confirmation_that_failed_may_be_repeated(rig: Rig):
    question = await asked_to_suspend(rig)
    rig.accounts.failing = OSError("read-only")
    failed = await rig.press(question, "Yes")
    assert failed is not None and "Nothing was changed" in failed["text"]
    rig.accounts.failing = None
    await rig.press(question, "Yes")
    assert rig.accounts.calls == [("suspend", BERLIN)]


async def test_an_answered_question_is_not_answered_otherwise_while_its_message_waits(rig: Rig):
    question = await asked_to_suspend(rig)
    rig.client.fail("429", count=1, method="editMessageText", retry_after=2)
    assert not (await rig.press(question, "Yes") or {}).get("text")
    assert "done already" in (await rig.press(question, "Cancel") or {})["text"]
    assert "done already" in (await rig.press(question, "Yes") or {})["text"]
    await rig.seen(ADMIN, lambda m: m["message_id"] == question["message_id"] and "Paused since" in m["text"])
    await asyncio.sleep(0.5)
    assert "Paused since" in rig.client.message(ADMIN, question["message_id"])["text"]
    assert rig.accounts.calls == [("suspend", BERLIN)]


async def test_a_cancelled_question_stays_cancelled(rig: Rig):
    question = await asked_to_suspend(rig)
    rig.client.fail("429", count=1, method="editMessageText", retry_after=1)
    await rig.press(question, "Cancel")
    assert "Nothing was changed" in (await rig.press(question, "Yes") or {})["text"]
    await rig.seen(ADMIN, lambda m: m["message_id"] == question["message_id"] and "Cancelled" in m["text"])
    assert rig.accounts.calls == []


async def test_a_question_that_is_answered_too_late_changes_nothing(rig: Rig):
    question = await asked_to_suspend(rig)
    await asyncio.sleep(CONFIRM_SECONDS + 2)  # Telegram tells whole seconds
    data = question["buttons"][0][0]["data"]
    pressed = await rig.client.press(question["message_id"], data, user_id=ADMIN, wait=5, stale=True)
    assert pressed["answer"]["text"] == answers.TOO_LATE
    assert rig.accounts.calls == []
    now = await rig.seen(ADMIN, lambda m: m["message_id"] == question["message_id"] and "has expired" in m["text"])
    assert now["buttons"] == []


async def test_a_choice_that_is_gone_does_not_use_up_the_others(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
    picker = await rig.answer(ADMIN, "/suspend", "Which account")
    del rig.accounts.known[BERLIN]
    assert "not there any more" in (await rig.press(picker, "Support Berlin") or {})["text"]
    await rig.press(picker, "Sales Paris")
    await until(lambda: ("suspend", PARIS) in rig.accounts.calls, "the other is suspended")


async def test_a_start_of_many_that_failed_may_be_repeated(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    for number in range(5):
        rig.accounts.put(f"+49151123{number:05}", f"Account {number}")
        rig.accounts.move(f"+49151123{number:05}", State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    alert = await rig.seen(ADMIN, lambda m: "5 accounts need you" in m["text"])
    await rig.press(alert, "Reconnect 5 accounts")
    question = await rig.seen(ADMIN, lambda m: "Reconnect 5 accounts, one after" in m["text"])
    rig.accounts.failing = OSError("read-only")
    await rig.press(question, "Yes")
    rig.accounts.failing = None
    await asyncio.sleep(0.5)
    await rig.press(question, "Yes")
    await until(lambda: len([call for call in rig.accounts.calls if call[0] == "start"]) == 5, "all are started")


def accounts_of(rig: Rig, count: int) -> None:
    rig.accounts.known.clear()
    for number in range(count):
        rig.accounts.put(f"+49151123{number:05}", f"Account number {number} of the shop", owner=ADMIN)


async def refreshed(rig: Rig, count: int) -> list[dict[str, Any]]:
    """Press Refresh under the list, with so many accounts, and return its messages when they show those."""
    accounts_of(rig, count)
    await rig.press(await rig.seen(ADMIN, lambda m: bool(m["buttons"])), "Refresh")

    def shown() -> list[dict[str, Any]] | None:
        messages = [m for m in rig.client.from_bot(ADMIN) if not m["deleted"]]
        told = "\n".join(m["text"] for m in messages)
        lines = told.count(" of the shop")
        return messages if f"{count} accounts" in told and lines == count and messages[-1]["buttons"] else None

    messages: list[dict[str, Any]] = await rig.client.wait_for(shown)
    assert not any(m["buttons"] for m in messages[:-1])
    return messages


async def test_a_list_in_several_messages_is_refreshed_in_place(rig: Rig):
    accounts_of(rig, 120)
    await rig.say(ADMIN, "/status all")
    await rig.seen(ADMIN, lambda m: bool(m["buttons"]))
    ids = [m["message_id"] for m in rig.client.from_bot(ADMIN)]
    assert len(ids) == 2
    for count in (121, 119, 120):
        assert [m["message_id"] for m in await refreshed(rig, count)] == ids
    grown = [m["message_id"] for m in await refreshed(rig, 240)]
    assert grown[:2] == ids
    assert len(grown) == 3
    assert [m["message_id"] for m in await refreshed(rig, 241)] == grown
    assert [m["message_id"] for m in await refreshed(rig, 20)] == grown[2:]


async def test_a_part_of_a_list_that_somebody_deleted_is_told_again(rig: Rig):
    accounts_of(rig, 120)
    await rig.say(ADMIN, "/status all")
    last = await rig.seen(ADMIN, lambda m: bool(m["buttons"]))
    rig.client.delete(ADMIN, rig.client.from_bot(ADMIN)[0]["message_id"])
    await rig.press(last, "Refresh")
    await until(lambda: len(rig.client.requests("editMessageText")) == 2, "both are edited")
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.press(last, "Refresh")
    await rig.seen(ADMIN, lambda m: "120 accounts, 0 connected" in m["text"])


async def test_a_press_that_leads_to_a_question_is_answered_before_the_question_can_be_put(rig: Rig):
    rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    pause = rig.client.fail("429", count=1, method="sendMessage", retry_after=7)
    assert await rig.press(detail, "Suspend") is not None  # it is waited for 5 s
    await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"])
    assert pause.hits == 1


@pytest.mark.parametrize("description", ["message can't be edited", "MESSAGE_ID_INVALID", "MESSAGE_TOO_OLD_TO_LOVE"])
async def test_a_press_under_a_message_that_cannot_be_edited_is_answered_below(rig: Rig, description: str):
    rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    rig.client.fail("400", description=f"Bad Request: {description}", method="editMessageText", count=1)
    await rig.press(detail, "History")
    below = await rig.seen(ADMIN, lambda m: "Nothing has happened to it yet" in m["text"])
    assert below["message_id"] > detail["message_id"]
    assert below["buttons"]


@virtual
async def test_a_question_that_nobody_answers_says_so_and_loses_its_buttons(tmp_path):
    async with rigged(tmp_path) as rig:
        rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
        for words, label in (("/status Support Berlin", "Suspend"), ("/suspend", "")):
            await rig.say(ADMIN, words)
            await pass_time(3)
            if label:
                await rig.press(rig.client.from_bot(ADMIN)[-1], label)
                await pass_time(3)
            question = rig.client.from_bot(ADMIN)[-1]
            assert question["buttons"]
            await pass_time(CONFIRM_SECONDS - 10)
            assert rig.client.message(ADMIN, question["message_id"])["text"] == question["text"]
            await pass_time(20 if label else PICK_SECONDS)
            now = rig.client.message(ADMIN, question["message_id"])
            assert (now["text"], now["buttons"]) == (answers.EXPIRED, [])


@virtual
async def test_a_question_that_was_answered_does_not_expire(tmp_path):
    async with rigged(tmp_path) as rig:
        rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
        for answer, part in (("Cancel", "Cancelled"), ("Yes", "Paused since")):
            await rig.say(ADMIN, "/status Support Berlin")
            await pass_time(3)
            await rig.press(rig.client.from_bot(ADMIN)[-1], "Suspend")
            await pass_time(3)
            question = rig.client.from_bot(ADMIN)[-1]
            await pass_time(CONFIRM_SECONDS - 10)
            await rig.press(question, answer)
            await pass_time(CONFIRM_SECONDS)
            assert part in rig.client.message(ADMIN, question["message_id"])["text"]
