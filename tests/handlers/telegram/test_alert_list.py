"""/alerts: open incidents here and elsewhere, for whoever may see them; and silences, without private parts."""

import pytest

from controller.accounts.reasons import Reason, State
from controller.troubles import Trouble
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS

VIEWER = 1777


def log_out(rig: Rig, number: str = BERLIN) -> None:
    rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)


async def listed(rig: Rig, user: int, chat: int | None = None) -> str:
    return (await rig.answer(user, "/alerts", "silence", chat=chat))["text"]


async def test_alerts_that_go_to_a_group_are_listed_in_private_for_who_may_see_them(telegram, database):
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    telegram.client.add_user(VIEWER, "Vera")
    async with running_rig(telegram, database, alert_chat=group) as rig:
        await rig.answer(ADMIN, f"/people {VIEWER} viewer", "viewer")
        rig.accounts.put(owner=ADMIN)
        log_out(rig)
        await rig.seen(group, lambda m: "🚨" in m["text"])
        for user in (ADMIN, VIEWER):
            text = await listed(rig, user)
            assert "Support Berlin: logged out" in text
            assert "Nothing needs you" not in text
        assert text.count("Support Berlin") == 1
        assert "Support Berlin" not in await listed(rig, OPERATOR), "not theirs"
        assert "Support Berlin: logged out" in await listed(rig, ADMIN, group)


async def test_a_group_that_no_alerts_go_to_does_not_say_that_nothing_needs_anybody(telegram, database):
    other = telegram.client.add_group("Others", [ADMIN])["id"]
    async with running_rig(telegram, database) as rig:
        rig.accounts.put(owner=ADMIN)
        log_out(rig)
        assert "Alerts go to another chat" in await listed(rig, ADMIN, other)


async def test_what_is_turned_off_still_needs_somebody(rig: Rig):
    for user in (ADMIN, OPERATOR):
        await rig.answer(user, "/help", "Switchboard")
    shown = await rig.answer(OPERATOR, "/loud", "How alerts come")
    for _ in range(2):
        await rig.press(shown, "Logged out", user=OPERATOR)
    rig.accounts.put(owner=OPERATOR)
    rig.accounts.put(PARIS, "Sales Paris", owner=OPERATOR, state=State.DISCONNECTED, reason=Reason.LOGGED_OUT)
    log_out(rig)
    await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
    text = await listed(rig, OPERATOR)
    assert "Nothing needs you" not in text
    assert "1 account needs somebody without an alert: /status bad" in text


@pytest.mark.parametrize("where", ["private", "group"])
async def test_why_everything_is_silenced_is_for_admins_alone(telegram, database, where):
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    async with running_rig(telegram, database, alert_chat=group) as rig:
        await rig.answer(ADMIN, "/silence all 2h we move to another provider", "no alerts until")
        rig.accounts.put(owner=OPERATOR)
        if where == "private":
            assert "provider" in await listed(rig, ADMIN)
            text = await listed(rig, OPERATOR)
        else:
            text = await listed(rig, ADMIN, group)
        assert "All accounts everywhere" in text and "by Ada" in text
        assert "provider" not in text


async def test_each_reason_is_a_line_with_those_whom_it_is_about(rig: Rig):
    for user in (ADMIN, OPERATOR):
        await rig.answer(user, "/help", "Switchboard")
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
    log_out(rig)
    rig.accounts.move(PARIS, State.SUSPENDED, Reason.BANNED, alert=Reason.BANNED)
    await rig.service.raise_trouble(Trouble.DISK, "90 MiB are free")
    await rig.seen(ADMIN, lambda m: "90 MiB" in m["text"])
    rows = (await listed(rig, ADMIN)).split("\n")
    assert rows[0] == "3 alerts open here"
    assert sorted(row.partition(" · open for")[0] for row in rows[1:4]) == [
        "🚨 Sales Paris: blocked by WhatsApp",
        "🚨 Support Berlin: logged out by its phone or by WhatsApp",
        "🚨 The server’s disk is nearly full",
    ]


async def test_who_may_not_choose_is_not_told_how(rig: Rig):
    group = rig.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    for words, offered in (("/quiet", "22:00-07:00"), ("/loud", "22:00-07:00"), ("/feed", "/feed on Support")):
        text = (await rig.answer(OPERATOR, words, "an admin chooses that", chat=group))["text"]
        assert offered not in text
    text = (await rig.answer(OPERATOR, "/duty", "on duty"))["text"]
    assert "/duty plan" not in text
    assert "/duty plan" in (await rig.answer(ADMIN, "/duty", "on duty"))["text"]


async def test_silences_are_ended_by_a_command(rig: Rig):
    rig.accounts.put(owner=ADMIN)
    rig.accounts.put(PARIS, "Sales Paris", owner=ADMIN)
    silences = rig.service.alerts.silences
    await rig.answer(ADMIN, "/silence all off", "Nothing is silenced")
    await rig.answer(ADMIN, "/silence Sales Paris 2 h in repair", "no alerts until")
    await rig.answer(ADMIN, "/silence all 30 minutes", "no alerts until")
    assert (await rig.answer(ADMIN, "/silence nobody off", "No account is called"))["text"]
    text = (await rig.answer(ADMIN, "/silence Sales Paris off", "alerts come again"))["text"]
    assert "Sales Paris" in text and "All accounts" in text, "it says what still silences it"
    assert [each.numbers for each in silences.active()] == [frozenset()]
    text = (await rig.answer(ADMIN, "/silence Sales Paris off", "not silenced by itself"))["text"]
    assert "All accounts" in text
    await rig.answer(ADMIN, "/silence all off", "alerts come again")
    assert silences.active() == []


async def test_an_operator_ends_by_a_command_only_what_is_theirs(rig: Rig):
    rig.accounts.put(owner=OPERATOR)
    await rig.answer(ADMIN, "/silence all 2h", "no alerts until")
    await rig.answer(OPERATOR, "/silence Support Berlin 2h", "no alerts until")
    text = (await rig.answer(OPERATOR, "/silence all off", "alerts come again"))["text"]
    assert "Only an admin can end this one" in text
    assert len(rig.service.alerts.silences.active()) == 1
    await rig.answer(OPERATOR, "/silence all off", "Only an admin can end this one")


@pytest.mark.parametrize("length", ["2 h", "2 hours", "120 min", "120 minutes", "2hrs", "for 2h", "for 2 hours"])
async def test_a_length_of_time_as_people_type_it(rig: Rig, length):
    rig.accounts.put(owner=ADMIN)
    await rig.answer(ADMIN, f"/silence Support Berlin {length} in repair", "(in repair)")
    (silence,) = rig.service.alerts.silences.active()
    assert 7100 < (silence.until - rig.accounts.clock()).total_seconds() <= 7200
