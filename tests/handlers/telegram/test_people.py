"""People are let in, changed and removed from the chat, and it counts from that moment on."""

from typing import Any

import pytest

from controller.accounts.reasons import Reason, State
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from storage.people import PeopleRecords
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN, STRANGER
from tests.virtual_time import wall_clock
from tests.waiting import until


def labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["buttons"] for button in row]


async def knock(rig: Rig, user: int = STRANGER, name: str = "Eve") -> dict[str, Any]:
    if not rig.knows(ADMIN) or not rig.bot_texts(ADMIN):
        await rig.answer(ADMIN, "/help", "Switchboard")
    rig.client.add_user(user, name)
    await rig.answer(user, "/start", f"Your Telegram id is {user}.")
    return await rig.seen(ADMIN, lambda m: f"({user}) wrote to me" in m["text"])


async def let_in(rig: Rig, role: str, user: int = STRANGER, name: str = "Eve") -> None:
    await rig.press(await knock(rig, user, name), f"as {role}")
    await rig.seen(user, lambda m: f"{role} here" in m["text"])


async def test_a_stranger_is_let_in_by_a_button(rig: Rig):
    word = await knock(rig)
    assert labels(word) == ["Let in as operator", "Let in as viewer", "Ignore"]
    await rig.press(word, "operator")
    await rig.seen(ADMIN, lambda m: m["message_id"] == word["message_id"] and "is an operator now" in m["text"])
    await rig.seen(STRANGER, lambda m: "Ada made you an operator here" in m["text"])
    await rig.answer(STRANGER, f"/link {BERLIN} Berlin", "Berlin")
    assert rig.records.audited[0] == (ADMIN, "let in", None, f"user {STRANGER} (Eve) is operator")


@pytest.mark.parametrize("command", ["operator", "ignored"])
async def test_what_another_admin_decides_takes_the_buttons_away_everywhere(rig: Rig, command: str):
    await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
    word = await knock(rig)
    theirs = await rig.seen(SECOND_ADMIN, lambda m: "wrote to me" in m["text"])
    if command == "ignored":
        await rig.press(word, "Ignore")
    else:
        await rig.answer(ADMIN, f"/people {STRANGER} {command}", "is an operator now")
    for admin, message in ((ADMIN, word), (SECOND_ADMIN, theirs)):
        at = message["message_id"]
        done = await rig.seen(admin, lambda m, at=at: m["message_id"] == at and "wrote to me" not in m["text"])
        assert "Ada" in done["text"]
        assert done["buttons"] == []


async def test_the_second_admin_to_press_is_told_that_it_is_done(rig: Rig):
    await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
    word = await knock(rig)
    theirs = await rig.seen(SECOND_ADMIN, lambda m: "wrote to me" in m["text"])
    data = next(b["data"] for row in theirs["buttons"] for b in row if "operator" in b["text"])
    await rig.press(word, "as viewer")
    await rig.seen(STRANGER, lambda m: "viewer here" in m["text"])
    await rig.client.press(theirs["message_id"], data, user_id=SECOND_ADMIN, chat_id=SECOND_ADMIN, stale=True)
    await rig.seen(SECOND_ADMIN, lambda m: "is a viewer already" in m["text"])
    assert await PeopleRecords(rig.database).people() != []
    await rig.answer(STRANGER, f"/link {BERLIN}", "viewer")


async def test_an_ignored_stranger_stays_outside_and_can_be_let_in_by_id(rig: Rig):
    word = await knock(rig)
    await rig.press(word, "Ignore")
    await rig.seen(ADMIN, lambda m: "Ada ignored them" in m["text"])
    assert "Outside" not in (await rig.answer(ADMIN, "/people", "3 people"))["text"]
    await rig.answer(ADMIN, f"/people {STRANGER} viewer", "is a viewer now")
    await rig.answer(STRANGER, "/status", "no account yet")


async def test_only_admins_let_anybody_in(telegram: TelegramStandIn, database: Database):
    telegram.client.add_user(STRANGER, "Eve")
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR, STRANGER])["id"]
    async with running_rig(telegram, database, alert_chat=group) as other:
        await other.say(STRANGER, "/start")
        word = await other.seen(group, lambda m: "wrote to me" in m["text"])
        assert (await other.press(word, "operator", OPERATOR) or {})["text"] == "Only admins may do that."
        assert not (await other.press(word, "operator", STRANGER) or {}).get("text")
        await other.answer(OPERATOR, "/people", "/people is for admins only")
        assert not await PeopleRecords(other.database).people()


async def test_a_viewer_sees_everything_and_acknowledges_and_nothing_else(rig: Rig):
    await let_in(rig, "viewer")
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=OPERATOR, state=State.DISCONNECTED, reason=Reason.CONNECTION_LOST)
    await rig.answer(STRANGER, "/status", "2 accounts")
    detail = await rig.answer(STRANGER, "/status Sales Paris", "Sales Paris")
    assert labels(detail) == ["History", "All accounts"]
    await rig.press(detail, "History", STRANGER)
    await rig.seen(STRANGER, lambda m: "Nothing has happened" in m["text"])
    group = rig.client.add_group("Ops", [ADMIN, STRANGER])["id"]
    shared = await rig.answer(ADMIN, "/status Sales Paris", "Sales Paris", chat=group)
    for label in ("Reconnect", "Suspend"):
        assert "You are a viewer" in (await rig.press(shared, label, STRANGER) or {})["text"]
    for command in ("/suspend Sales Paris", f"/link {BERLIN}", "/silence all 2h", "/people", "/restore Sales Paris"):
        await rig.answer(STRANGER, command, "viewer" if command != "/people" else "for admins only")
    helped = (await rig.answer(STRANGER, "/help", "You are a viewer"))["text"]
    assert "/link" not in helped and "/silence" not in helped
    assert rig.accounts.calls == []


async def test_a_viewer_acknowledges_in_the_chat_of_alerts(telegram: TelegramStandIn, database: Database):
    telegram.client.add_user(STRANGER, "Eve")
    group = telegram.client.add_group("Ops", [ADMIN, STRANGER])["id"]
    await PeopleRecords(database).save(STRANGER, "viewer", "Eve", added_by=ADMIN, at=wall_clock())
    async with running_rig(telegram, database, alert_chat=group) as other:
        other.accounts.put(owner=ADMIN)
        other.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
        alert = await other.seen(group, lambda m: "every attempt" in m["text"])
        assert "You are a viewer" in (await other.press(alert, "Silence", STRANGER) or {})["text"]
        assert "You are a viewer" in (await other.press(alert, "Reconnect", STRANGER) or {})["text"]
        await other.press(alert, "Acknowledge", STRANGER)
        await other.seen(group, lambda m: "Eve is on it" in m["text"])
        assert other.accounts.calls == []


async def test_whoever_is_removed_is_answered_no_more_at_once(rig: Rig):
    await let_in(rig, "operator")
    rig.accounts.put(owner=STRANGER)
    rig.accounts.move(BERLIN, State.CONNECTING, Reason.ASKED)
    await rig.seen(STRANGER, lambda m: "Connecting" in m["text"])
    await rig.answer(STRANGER, "/reconnect Support Berlin", "Connecting")
    rig.accounts.show_code()
    await rig.seen(STRANGER, lambda m: m["photo"] is not None)
    listed = await rig.answer(ADMIN, "/people", "operator")
    await rig.press(listed, "Eve")
    person = await rig.seen(ADMIN, lambda m: "Let in by Ada" in m["text"])
    await rig.press(person, "Remove")
    question = await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"])
    await rig.press(question, "Yes")
    await rig.seen(ADMIN, lambda m: "was removed by Ada" in m["text"] and "own 1 account" in m["text"])
    await until(lambda: not any(m["photo"] for m in rig.client.from_bot(STRANGER) if not m["deleted"]), "the code goes")
    before = len(rig.bot_texts(STRANGER))
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    await rig.seen(ADMIN, lambda m: "every attempt" in m["text"])
    await rig.say(STRANGER, "/status")
    await rig.answer(ADMIN, "/help", "Switchboard")
    assert len(rig.bot_texts(STRANGER)) <= before
    assert "EXHAUSTED" not in "".join(rig.bot_texts(STRANGER)) and "every attempt" not in "".join(
        rig.bot_texts(STRANGER)
    )
    assert [row for row in rig.records.audited if row[1] == "remove person"]


async def test_who_is_shown_is_shown_as_they_are_whoever_changes_it_and_a_list_stays_a_list(rig: Rig):
    await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
    await let_in(rig, "operator")
    mine = await rig.answer(ADMIN, f"/people {STRANGER}", "Let in by Ada")
    theirs = await rig.answer(SECOND_ADMIN, f"/people {STRANGER}", "Let in by Ada")
    listed = await rig.answer(ADMIN, f"/people {STRANGER}", "Let in by Ada")
    await rig.press(listed, "People")
    await rig.seen(ADMIN, lambda m: m["message_id"] == listed["message_id"] and "4 people" in m["text"])
    await rig.press(theirs, "Make viewer", SECOND_ADMIN)
    now = await rig.seen(ADMIN, lambda m: m["message_id"] == mine["message_id"] and "viewer: sees" in m["text"])
    assert "Make operator" in labels(now)
    await rig.press(now, "Remove")
    await rig.press(await rig.seen(ADMIN, lambda m: "60 s to answer" in m["text"]), "Yes")
    gone = await rig.seen(ADMIN, lambda m: m["message_id"] == mine["message_id"] and "not let in any more" in m["text"])
    assert labels(gone) == ["« People"]
    assert "4 people" in rig.client.message(ADMIN, listed["message_id"])["text"]


async def test_a_button_about_who_was_removed_by_an_earlier_run_goes(telegram: TelegramStandIn, database: Database):
    async with running_rig(telegram, database) as rig:
        await let_in(rig, "operator")
        shown = await rig.answer(ADMIN, f"/people {STRANGER}", "Let in by Ada")
    await PeopleRecords(database).remove(STRANGER)
    async with running_rig(telegram, database) as rig:
        await rig.press(shown, "Remove")
        gone = await rig.seen(ADMIN, lambda m: "not let in any more" in m["text"])
        assert (gone["message_id"], labels(gone)) == (shown["message_id"], ["« People"])


async def test_a_demoted_admin_gets_no_alerts_of_others(rig: Rig):
    await let_in(rig, "operator")
    rig.accounts.put(owner=OPERATOR)
    card = await rig.answer(ADMIN, f"/people {STRANGER}", "Let in by")
    await rig.press(card, "Make admin")
    await rig.press(await rig.seen(ADMIN, lambda m: "who may do everything" in m["text"]), "Yes")
    await rig.seen(STRANGER, lambda m: "an admin here" in m["text"])
    rig.accounts.move(BERLIN, State.SUSPENDED, Reason.EXHAUSTED, alert=Reason.EXHAUSTED)
    await rig.seen(STRANGER, lambda m: "every attempt" in m["text"])
    await rig.answer(ADMIN, f"/people {STRANGER} viewer", "is a viewer now")
    assert rig.service.alerts.handling.open_incidents(STRANGER) == []
    assert rig.service.alerts.handling.open_incidents(ADMIN)


async def test_whom_the_settings_name_cannot_be_removed_or_made_less(rig: Rig):
    await rig.answer(ADMIN, f"/people {SECOND_ADMIN} viewer", "TELEGRAM_ADMIN_IDS names them")
    card = await rig.answer(ADMIN, f"/people {OPERATOR}", "TELEGRAM_OPERATOR_IDS names them")
    assert labels(card) == ["Make admin", "« People"]
    await rig.press(card, "Make admin")
    await rig.press(await rig.seen(ADMIN, lambda m: "who may do everything" in m["text"]), "Yes")
    await rig.seen(ADMIN, lambda m: f"({OPERATOR}) is an admin now" in m["text"])
    await rig.answer(OPERATOR, "/people", "3 people")


async def test_people_are_remembered_by_the_next_run(telegram: TelegramStandIn, database: Database):
    async with running_rig(telegram, database) as rig:
        await let_in(rig, "viewer")
    async with running_rig(telegram, database) as other:
        other.accounts.put()
        await other.answer(STRANGER, "/status", "1 account")


async def test_a_list_in_a_group_comes_privately(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    await rig.answer(ADMIN, "/help", "Switchboard")
    await rig.answer(ADMIN, "/people", "sent it to you privately", chat=group)
    await rig.seen(ADMIN, lambda m: "3 people" in m["text"])


async def test_who_cannot_be_written_to_yet_is_let_in_and_that_is_told(rig: Rig):
    await rig.answer(ADMIN, "/people 987654 operator", "is an operator now")
    told = await rig.seen(ADMIN, lambda m: "I cannot write to" in m["text"] and "987654" in m["text"])
    assert "/start" in told["text"]
    rig.client.add_user(987654, "Zoe")
    await rig.answer(987654, "/start", "Switchboard")


async def test_what_nobody_can_read_is_answered_with_an_example(rig: Rig):
    for words in ("Eve", "1 2 3", "-5 admin", "77 king", "²"):
        await rig.answer(ADMIN, f"/people {words}", "/people 123456789 operator")
    await rig.answer(ADMIN, "/people 987654", "not let in")


async def test_many_people_have_pages(telegram: TelegramStandIn, database: Database):
    for user in range(5001, 5046):
        await PeopleRecords(database).save(user, "viewer", f"Person {user}", added_by=ADMIN, at=wall_clock())
    async with running_rig(telegram, database) as other:
        listed = await other.answer(ADMIN, "/people", "page 1 of 3")
        await other.press(listed, "More")
        second = await other.seen(ADMIN, lambda m: "page 2 of 3" in m["text"])
        assert "« Back" in labels(second)
