"""Buttons, from a press to what it does: a question is answered once, and a press is answered at once."""

import asyncio
from datetime import timedelta
from typing import Any

from controller.reasons import Reason, State
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN, PARIS
from tests.waiting import until


async def asked_to_suspend(rig: Rig) -> dict[str, Any]:
    rig.accounts.put(owner=ADMIN)
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
    await rig.seen(ADMIN, lambda m: m["message_id"] == question["message_id"] and "is suspended" in m["text"])
    await asyncio.sleep(0.5)
    assert "is suspended" in rig.client.message(ADMIN, question["message_id"])["text"]
    assert rig.accounts.calls == [("suspend", BERLIN)]


async def test_a_cancelled_question_stays_cancelled(rig: Rig):
    question = await asked_to_suspend(rig)
    rig.client.fail("429", count=1, method="editMessageText", retry_after=1)
    await rig.press(question, "Cancel")
    assert "Nothing was changed" in (await rig.press(question, "Yes") or {})["text"]
    await rig.seen(ADMIN, lambda m: m["message_id"] == question["message_id"] and "Cancelled" in m["text"])
    assert rig.accounts.calls == []


async def test_a_choice_that_is_gone_does_not_use_up_the_others(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
    picker = await rig.answer(ADMIN, "/suspend", "Which account")
    del rig.accounts.known[BERLIN]
    assert "older message" in (await rig.press(picker, "Support Berlin") or {})["text"]
    await rig.press(picker, "Sales Paris")
    await until(lambda: ("suspend", PARIS) in rig.accounts.calls, "the other is suspended")


async def test_a_start_of_many_that_failed_may_be_repeated(rig: Rig, monkeypatch):
    monkeypatch.setattr("handlers.alert_worker.FIRST_GATHERS", 0.1)
    monkeypatch.setattr("handlers.duties.SPACING_YOUNG", timedelta(seconds=0.1))
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
