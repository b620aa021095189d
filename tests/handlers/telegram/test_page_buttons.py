"""Buttons for the page's questions and for restoring: under alerts, cards and details, and their effects."""

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.accounts.model import Stage
from controller.accounts.notices import BuildLoaded
from controller.accounts.reasons import Reason, Remedy, State
from controller.driver import SavedSession
from controller.troubles import Trouble
from handlers.texts.vocabulary import clock
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR
from tests.waiting import until

NEARLY = "+4915112345679"


def labels(message) -> list[str]:
    return [button["text"] for row in message["buttons"] for button in row]


def ask_number(rig: Rig) -> None:
    rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    rig.accounts.statuses[BERLIN] = replace(
        rig.accounts.statuses[BERLIN], unconfirmed=NEARLY, remedies=(Remedy.CONFIRM,)
    )
    moved = rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED, alert=Reason.CONFIRM_NUMBER)
    assert moved.within_state
    rig.accounts.statuses[BERLIN] = replace(
        rig.accounts.statuses[BERLIN], unconfirmed=NEARLY, remedies=(Remedy.CONFIRM,)
    )


async def test_a_number_is_confirmed_in_its_alert(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    ask_number(rig)
    alert = await rig.seen(ADMIN, lambda m: "is this the right number?" in m["text"])
    assert labels(alert)[:2] == ["It is the same account", "Log it out"]
    await rig.press(alert, "It is the same account")
    question = await rig.seen(ADMIN, lambda m: "the same account as" in m["text"])
    assert "5679" in question["text"], "the number that is asked about is shown"
    await rig.press(question, "Yes, it is the same")
    await until(lambda: ("confirm", BERLIN, True) in rig.accounts.calls, "it is confirmed")
    await rig.seen(ADMIN, lambda m: "taken for the account’s" in m["text"])
    shown = await rig.press(alert, "It is the same account")
    assert shown is not None and "not asked any more" in shown["text"]


@pytest.mark.parametrize(
    "answer", [("It is the same account", "Yes, it is the same"), ("Log it out", "Yes, log it out")]
)
async def test_a_word_about_one_number_is_not_taken_for_another(rig: Rig, answer):
    await rig.answer(ADMIN, "/help", "Switchboard")
    ask_number(rig)
    alert = await rig.seen(ADMIN, lambda m: "is this the right number?" in m["text"])
    await rig.press(alert, answer[0])
    question = await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"])
    rig.accounts.statuses[BERLIN] = replace(rig.accounts.statuses[BERLIN], unconfirmed="+4915112345167")
    shown = await rig.press(question, answer[1])
    assert shown is not None and "Another number is open by now" in shown["text"]
    assert not [call for call in rig.accounts.calls if call[0] == "confirm"]


async def test_a_device_is_logged_out_only_when_asked_once_more(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    ask_number(rig)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "same account?")
    assert labels(detail)[:2] == ["It is the same account", "Log it out"]
    await rig.press(detail, "Log it out")
    question = await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"] and "Log out" in m["text"])
    assert not [call for call in rig.accounts.calls if call[0] == "confirm"]
    await rig.press(question, "Yes, log it out")
    await until(lambda: ("confirm", BERLIN, False) in rig.accounts.calls, "it is logged out")


async def test_a_known_dialog_is_answered_and_an_unknown_one_has_no_button(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(owner=ADMIN, state=State.CONNECTED, reason=Reason.LINKED, is_connected=True)
    rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED, alert=Reason.DIALOG, detail="Something new")
    alert = await rig.seen(ADMIN, lambda m: "a dialog covers its page" in m["text"])
    assert "Continue" not in labels(alert)
    rig.accounts.statuses[BERLIN] = replace(rig.accounts.statuses[BERLIN], remedies=(Remedy.CONTINUE,))
    rig.service.alerts.account_changed(BERLIN)
    known = await rig.seen(ADMIN, lambda m: "press Continue" in m["text"])
    await rig.press(known, "Continue")
    await until(lambda: ("answer dialog", BERLIN) in rig.accounts.calls, "it is answered")


async def test_restore_is_offered_where_there_is_a_copy_and_leaves_the_alert_as_it_is(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(owner=ADMIN, linked=True)
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    bare = await rig.seen(ADMIN, lambda m: "every attempt to reconnect failed" in m["text"] and "🚨" in m["text"])
    assert "Restore" not in labels(bare)
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    assert "Restore" not in labels(detail)
    rig.accounts.copies = [SavedSession("20260102T030405.000000Z", 1767323045.0, 1_500_000)]
    rig.service.alerts.account_changed(BERLIN)
    alert = await rig.seen(ADMIN, lambda m: "Or press Restore" in m["text"])
    assert labels(alert)[:2] == ["Reconnect", "Restore"]
    await rig.press(alert, "Restore")
    offered = await rig.seen(ADMIN, lambda m: "1 saved session" in m["text"])
    assert offered["message_id"] != alert["message_id"]
    detail = await rig.answer(ADMIN, "/status Support Berlin", "Attempts")
    assert "Restore" in labels(detail)


async def test_a_card_has_the_button_that_it_names_and_stays_a_card(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(owner=ADMIN, linked=True)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONFLICT)
    card = await rig.seen(ADMIN, lambda m: "Use here takes it back" in m["text"])
    assert labels(card) == ["Use here"]
    await rig.press(card, "Use here")
    question = await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"])
    await rig.press(question, "Yes, use here")
    await until(lambda: ("start", BERLIN, True) in rig.accounts.calls, "it is taken back")
    shown = rig.client.message(ADMIN, card["message_id"])["text"]
    assert "Connecting" in shown or "Needs you" in shown


async def test_use_here_while_it_is_on_its_way_is_kept_and_the_card_says_so(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.put(owner=ADMIN, linked=True)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.CONFLICT)
    card = await rig.seen(ADMIN, lambda m: "Use here takes it back" in m["text"])
    await rig.press(card, "Use here")
    question = await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"])
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED, stage=Stage.LAUNCHING)  # somebody has reconnected it
    await rig.press(question, "Yes, use here")
    await rig.seen(ADMIN, lambda m: "still open elsewhere, it is taken back here" in m["text"])
    assert (ADMIN, "use here", BERLIN, "kept for the attempt under way") in rig.records.audited


async def test_planned_work_goes_on_by_an_admin_s_word_alone(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    rig.accounts.held = True
    await rig.service.raise_trouble(Trouble.NEW_BUILD, "2.3000, first met by •••4567")
    alert = await rig.seen(ADMIN, lambda m: "A new version of WhatsApp Web does not work" in m["text"])
    refused = await rig.press(alert, "Go on all the same", user=OPERATOR)
    assert refused is not None and "Only admins" in refused["text"]
    assert rig.accounts.calls == []
    shown = await rig.press(alert, "Go on all the same")
    assert shown is not None and "go on" in shown["text"]
    assert (ADMIN, "go on", None, "goes on") in rig.records.audited
    again = await rig.press(alert, "Go on all the same")
    assert again is not None and "Nothing waits" in again["text"]


async def test_the_detail_tells_which_version_of_the_page_was_loaded_since_when_and_what_it_lacks(rig: Rig):
    rig.accounts.put(owner=ADMIN, state=State.SUSPENDED, reason=Reason.EXHAUSTED)
    at = rig.accounts.clock()
    rig.records.loaded[BERLIN] = [
        BuildLoaded(BERLIN, at, "2.3000.2", frozenset(), frozenset({"stream"})),
        BuildLoaded(BERLIN, at - timedelta(days=400), "2.3000.2", frozenset(), frozenset({"stream"})),
        BuildLoaded(BERLIN, at - timedelta(days=900), "2.3000.1", frozenset(), frozenset()),
    ]
    told = (await rig.answer(ADMIN, "/status Support Berlin", "Attempts"))["text"]
    since = clock(at - timedelta(days=400), at)
    assert f"Last WhatsApp Web 2.3000.2, since {since}, without stream" in told
    assert "Before that 2.3000.1" in told
    rig.accounts.statuses[BERLIN] = replace(rig.accounts.statuses[BERLIN], build="2.3000.3")
    told = (await rig.answer(ADMIN, "/status Support Berlin", "2.3000.3"))["text"]
    assert "WhatsApp Web 2.3000.3\nBefore that 2.3000.2" in told
