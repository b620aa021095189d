"""In the group where admins get all alerts, operators can act on those of their own accounts only."""

import pytest

from controller.accounts.reasons import Reason, State
from handlers.chat.button_codes import Verb, button_code
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN

OTHER_OPERATOR = 2002


@pytest.fixture
async def shared(telegram, database):
    """A rig whose alerts come to a group of everybody; yields it with the group's id."""
    telegram.client.add_user(OTHER_OPERATOR, "Otto")
    for user in (ADMIN, SECOND_ADMIN, OPERATOR, OTHER_OPERATOR):
        await telegram.client.send(user, "hello")  # nobody's chat is unknown
    group = telegram.client.add_group("Ops", [ADMIN, SECOND_ADMIN, OPERATOR, OTHER_OPERATOR])["id"]
    async with running_rig(telegram, database, alert_chat=group, operators=(OPERATOR, OTHER_OPERATOR)) as rig:
        rig.accounts.put(BERLIN, "Support Berlin", owner=ADMIN)
        rig.accounts.put(PARIS, "Sales Paris", owner=OPERATOR)
        yield rig, group


async def alerted(rig: Rig, group: int, number: str, name: str):
    rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    return await rig.seen(group, lambda m: "🚨" in m["text"] and name in m["text"])


async def test_only_who_may_act_on_an_account_acknowledges_its_alert(shared):
    rig, group = shared
    alert = await alerted(rig, group, BERLIN, "Support Berlin")
    assert "somebody else’s" in (await rig.press(alert, "Acknowledge", OPERATOR))["text"]
    assert rig.records.audited == []
    assert "Thank you" in (await rig.press(alert, "Acknowledge", SECOND_ADMIN))["text"]


async def test_an_operator_acknowledges_what_is_theirs(shared):
    rig, group = shared
    alert = await alerted(rig, group, PARIS, "Sales Paris")
    assert "somebody else’s" in (await rig.press(alert, "Acknowledge", OTHER_OPERATOR))["text"]
    assert "Thank you" in (await rig.press(alert, "Acknowledge", OPERATOR))["text"]


async def test_all_means_ones_own_where_others_alerts_come_too(shared):
    rig, group = shared
    await rig.answer(OPERATOR, "/silence all 2h", "Sales Paris", chat=group)
    await alerted(rig, group, BERLIN, "Support Berlin")
    await rig.answer(OTHER_OPERATOR, "/silence all 2h", "no account", chat=group)


async def test_an_operator_ends_no_silence_of_others_accounts(shared):
    rig, group = shared
    await rig.answer(ADMIN, f"/silence {BERLIN} 2h", "Support Berlin", chat=group)
    (silence,) = rig.service.alerts.silences.active()
    listed = await rig.answer(OPERATOR, "/alerts", "🔕", chat=group)
    (row,) = listed["buttons"]
    assert row[0]["data"].startswith(button_code(Verb.END_SILENCE, f".{silence.id}")[:-5])

    answer = await rig.client.press(listed["message_id"], row[0]["data"], user_id=OPERATOR, chat_id=group, wait=5)
    assert "admin" in answer["answer"]["text"].lower()
    assert rig.service.alerts.silences.active() == [silence]
    answer = await rig.client.press(listed["message_id"], row[0]["data"], user_id=SECOND_ADMIN, chat_id=group, wait=5)
    assert rig.service.alerts.silences.active() == []


async def test_an_operator_ends_their_own_silence(shared):
    rig, group = shared
    said = await rig.answer(OPERATOR, f"/silence {PARIS} 2h", "Sales Paris", chat=group)
    await rig.press(said, "End", OPERATOR)
    assert rig.service.alerts.silences.active() == []


async def test_anothers_choice_is_not_cancelled(shared):
    rig, group = shared
    picker = await rig.answer(ADMIN, "/suspend", "Which account", chat=group)
    assert "somebody else" in (await rig.press(picker, "Cancel", OPERATOR))["text"]
    assert await rig.press(picker, "Cancel", ADMIN) is not None
    await rig.seen(group, lambda m: m["message_id"] == picker["message_id"] and "Cancelled" in m["text"])
