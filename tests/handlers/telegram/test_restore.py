"""/restore: a list, a question bound to the presser, and an answer with the outcome."""

import pytest

from controller.accounts.reasons import Reason, State
from controller.driver import DriverError, SavedSession
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR
from tests.waiting import until

COPIES = [
    SavedSession("20260102T030405.000000Z", 1767323045.0, 1_500_000),
    SavedSession("older", 1767236645.0, 900_000),
]


@pytest.fixture
def linked(rig: Rig) -> Rig:
    rig.accounts.put(owner=ADMIN)
    rig.accounts.copies = list(COPIES)
    return rig


def labels(message) -> list[str]:
    return [button["text"] for row in message["buttons"] for button in row]


async def test_a_saved_session_is_chosen_confirmed_and_put_in_place(linked: Rig):
    offered = await linked.answer(ADMIN, "/restore Support Berlin", "2 saved sessions")
    assert labels(offered)[0].endswith("1.5 MB")
    await linked.press(offered, "1.5 MB")
    question = await linked.seen(ADMIN, lambda m: "Put the session of" in m["text"])
    assert ("restore", BERLIN, COPIES[0].name) not in linked.accounts.calls, "not before it is confirmed"
    await linked.press(question, "Yes, restore it")
    await until(lambda: ("restore", BERLIN, COPIES[0].name) in linked.accounts.calls, "it is done")
    await linked.seen(ADMIN, lambda m: m["message_id"] == question["message_id"] and "⏳" in m["text"])
    assert (ADMIN, "restore", BERLIN, f"restored {COPIES[0].name}") in linked.records.audited


async def test_alone_it_offers_the_accounts_and_nothing_where_nothing_is_saved(linked: Rig):
    linked.accounts.copies = []
    offered = await linked.answer(ADMIN, "/restore", "restore")
    await linked.press(offered, "Support Berlin")
    await linked.seen(ADMIN, lambda m: "No session of" in m["text"])


async def test_what_fails_is_told_and_nothing_is_said_to_be_restored(linked: Rig):
    offered = await linked.answer(ADMIN, "/restore Support Berlin", "2 saved sessions")
    await linked.press(offered, "1.5 MB")
    question = await linked.seen(ADMIN, lambda m: "Put the session of" in m["text"])
    linked.accounts.failing = DriverError(Reason.RESTORE_FAILED, "the copy is encrypted: PROFILE_KEY is needed")
    await linked.press(question, "Yes, restore it")
    await linked.seen(ADMIN, lambda m: "PROFILE_KEY is needed" in m["text"] and "as it was" in m["text"])


async def test_nobody_else_may_answer_the_question_or_see_the_sessions(linked: Rig):
    offered = await linked.answer(ADMIN, "/restore Support Berlin", "2 saved sessions")
    await linked.press(offered, "1.5 MB")
    question = await linked.seen(ADMIN, lambda m: "Put the session of" in m["text"])
    answer = await linked.press(question, "Yes, restore it", user=OPERATOR)
    assert answer is not None
    assert not [call for call in linked.accounts.calls if call[0] == "restore"]
    await linked.answer(OPERATOR, "/restore Support Berlin", "No account is called")


async def test_a_copy_that_is_gone_meanwhile_is_told(linked: Rig):
    offered = await linked.answer(ADMIN, "/restore Support Berlin", "2 saved sessions")
    linked.accounts.copies = []
    answer = await linked.press(offered, "1.5 MB")
    assert answer is not None
    assert "older message" in str(answer)
    assert linked.accounts.status(BERLIN).state is State.IDLE


async def test_who_is_asked_about_an_older_archive_takes_it_or_begins_anew(linked: Rig):
    await linked.answer(ADMIN, "/help", "Switchboard")
    linked.accounts.put(owner=ADMIN, linked=True)
    told = "host b opened it on 26 November, 14:02 UTC and has not closed it; the newest archive is of 26 November"
    reason = Reason.ARCHIVE_OUTDATED
    linked.accounts.move(BERLIN, State.DISCONNECTED, reason, alert=reason, detail=told)
    alert = await linked.seen(
        ADMIN, lambda m: "out of reach" in m["text"] and {"Link again", "Restore"} <= set(labels(m))
    )
    assert told[0].upper() + told[1:] in alert["text"]
    assert "/reconnect" in alert["text"]

    await linked.answer(ADMIN, "/reconnect Support Berlin", "Support Berlin")
    await until(lambda: ("start", BERLIN, False) in linked.accounts.calls, "it is tried again")
    assert linked.accounts.to_link == []
    linked.accounts.move(BERLIN, State.DISCONNECTED, reason, detail=told)
    linked.accounts.failing = DriverError(Reason.LAUNCH_FAILED, "the archives do not answer in time")
    await linked.press(alert, "Link again")
    await linked.seen(ADMIN, lambda m: "the archives do not answer in time" in m["text"])
    linked.accounts.failing = None
    await linked.press(alert, "Link again")
    await until(lambda: linked.accounts.to_link == [BERLIN], "it is begun anew")
