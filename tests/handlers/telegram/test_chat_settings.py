"""Where alerts go, how loud they are and when it is quiet are chosen from the chat, and remembered."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.accounts.reasons import Reason, State
from controller.incidents import Roster, Shift
from controller.troubles import Trouble
from handlers.alerts.escalation.duty import on_duty, parse_until
from handlers.alerts.incidents.policy import KINDS, OTHER, AlertPolicy, kind_of, quiet_until
from handlers.texts import chat_settings as texts
from handlers.texts.vocabulary import use_time_zone
from sandbox.telegram import TelegramStandIn
from storage.database import Database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN, BERLIN, OPERATOR, PARIS, SECOND_ADMIN
from tests.virtual_time import wall_clock

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def labels(message) -> list[str]:
    return [button["text"] for row in message["buttons"] or [] for button in row]


def trip(rig: Rig, number: str = BERLIN, reason: Reason = Reason.EXHAUSTED) -> None:
    rig.accounts.put(number, f"Shop {number[1:3]}{number[-2:]}", owner=ADMIN)
    rig.accounts.move(number, State.SUSPENDED, reason, alert=reason)


async def test_alerts_come_to_the_group_that_was_chosen_also_after_a_restart(
    telegram: TelegramStandIn, database: Database
):
    group = telegram.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    async with running_rig(telegram, database) as rig:
        await rig.answer(ADMIN, "/help", "Switchboard")
        await rig.answer(ADMIN, "/here", "Alerts come to this chat from now on", chat=group)
        trip(rig)
        await rig.seen(group, lambda m: "every attempt" in m["text"])
        assert (ADMIN, "here", None, f"alerts go to {group}") in rig.records.audited
    async with running_rig(telegram, database, alert_chat=ADMIN) as rig:
        trip(rig, PARIS)
        await rig.seen(group, lambda m: "Shop 3378" in m["text"])
        await rig.answer(ADMIN, "/here off", "TELEGRAM_ALERT_CHAT_ID names")
        trip(rig, "+4915112345699")
        await rig.seen(ADMIN, lambda m: "Shop 4999" in m["text"] and "every attempt" in m["text"])


async def test_only_admins_choose_where_alerts_go(rig: Rig):
    await rig.answer(OPERATOR, "/here", "/here is for admins only")


async def test_a_kind_that_is_silent_makes_no_sound_and_one_that_is_off_is_not_told(rig: Rig):
    shown = await rig.answer(ADMIN, "/loud", "How alerts come to this chat")
    await rig.answer(SECOND_ADMIN, "/help", "Switchboard")
    await rig.press(shown, "Attempts used up")
    await rig.seen(ADMIN, lambda m: "🔕 Attempts used up" in labels(m))
    trip(rig)
    silent = await rig.seen(ADMIN, lambda m: "every attempt" in m["text"])
    loud = await rig.seen(SECOND_ADMIN, lambda m: "every attempt" in m["text"])
    assert silent["silent"] and not loud["silent"]
    await rig.press(shown, "Attempts used up")
    await rig.seen(ADMIN, lambda m: "🚫 Attempts used up" in labels(m) and "however bad" in m["text"])
    trip(rig, PARIS)
    await rig.seen(SECOND_ADMIN, lambda m: "Shop 3378" in m["text"])
    assert not [m for m in rig.client.from_bot(ADMIN) if "🚨" in m["text"] and "Shop 3378" in m["text"]]


async def test_quiet_hours_hold_back_what_is_not_critical(rig: Rig):
    await rig.answer(ADMIN, "/help", "Switchboard")
    here = wall_clock().astimezone()
    hours = f"{(here.hour - 1) % 24}:00-{(here.hour + 2) % 24}:00"
    await rig.answer(ADMIN, f"/quiet {hours}", "what is critical comes at once")
    trip(rig, PARIS, Reason.BREAKER_OPEN)
    trip(rig)
    await rig.seen(ADMIN, lambda m: "Shop 4978" in m["text"] and "every attempt" in m["text"])
    assert not [m for m in rig.client.from_bot(ADMIN) if "too many errors in a row" in m["text"] and "🚨" in m["text"]]
    await rig.answer(ADMIN, "/quiet off", "No quiet hours here")
    await rig.seen(ADMIN, lambda m: "too many errors in a row" in m["text"])


async def test_hours_as_people_type_them(rig: Rig):
    await rig.answer(OPERATOR, "/quiet 22-7", "Quiet from 22:00 to 07:00")
    for wrong in ("25:00-7:00", "7:00-7:00", "night", "22:61-7:00"):
        await rig.answer(OPERATOR, f"/quiet {wrong}", "cannot be quiet hours")
    group = rig.client.add_group("Ops", [ADMIN, OPERATOR])["id"]
    await rig.answer(OPERATOR, "/quiet 22-7", "In a group an admin chooses", chat=group)
    shown = await rig.answer(OPERATOR, "/loud", "How alerts come", chat=group)
    assert not shown["buttons"]


@pytest.fixture
def tokyo():
    use_time_zone(ZoneInfo("Asia/Tokyo"))
    yield
    use_time_zone(None)


@pytest.mark.usefixtures("tokyo")
async def test_hours_are_those_of_the_time_zone_that_is_shown(rig: Rig):
    await rig.answer(OPERATOR, "/quiet 22-7", "Quiet from 22:00 to 07:00 JST")
    assert quiet_until((22 * 60, 7 * 60), datetime(2026, 1, 1, 21, 0, tzinfo=UTC)) == datetime(
        2026, 1, 1, 22, 0, tzinfo=UTC
    )
    assert quiet_until((22 * 60, 7 * 60), datetime(2026, 1, 1, 23, 0, tzinfo=UTC)) is None


@pytest.mark.usefixtures("tokyo")
def test_a_time_until_which_somebody_is_on_duty_is_of_the_time_zone_that_is_shown():
    assert parse_until("18:00", NOON) == datetime(2026, 1, 2, 9, 0, tzinfo=UTC)
    nine_to_five = Shift(days=frozenset(range(7)), start=9 * 60, end=17 * 60, user=ADMIN, name="Ada")
    assert on_duty(Roster(shifts=(nine_to_five,)), NOON) is None
    found = on_duty(Roster(shifts=(nine_to_five,)), datetime(2026, 1, 1, 1, 0, tzinfo=UTC))
    assert found is not None and found.until == datetime(2026, 1, 1, 8, 0, tzinfo=UTC)


async def test_a_chat_without_quiet_hours_says_how_they_are_set_and_not_how_they_end(rig: Rig):
    for words in ("/loud", "/quiet"):
        text = (await rig.answer(ADMIN, words, "No quiet hours here"))["text"]
        assert "/quiet 22:00-07:00 sets them" in text and "/quiet off" not in text
    await rig.answer(ADMIN, "/quiet 22-7", "Quiet from")
    assert "/quiet off ends that" in (await rig.answer(ADMIN, "/loud", "Quiet from"))["text"]


@pytest.mark.parametrize(
    ("hours", "ends"),
    [((11, 13), 13), ((22, 7), None), ((13, 12), None), ((23, 13), 13), ((12, 13), 13), ((11, 12), None)],
)
def test_when_quiet_hours_end(hours, ends, monkeypatch):
    here = NOON.astimezone()
    shift = here.hour - 12
    begins, until = (((hour + shift) % 24) * 60 for hour in hours)
    found = quiet_until((begins, until), NOON)
    assert found == (None if ends is None else NOON + timedelta(hours=ends - 12))


def test_whatsapp_out_of_reach_is_told_after_five_minutes():
    policy, reason = AlertPolicy(), Trouble.UNREACHABLE
    assert policy.held_until(reason, NOON, NOON) == NOON + timedelta(minutes=5)
    assert policy.held_until(reason, NOON, NOON + timedelta(minutes=5)) is None
    assert policy.held_until(Trouble.MEMORY, NOON, NOON) is None


def test_every_kind_has_its_words_and_every_reason_a_kind():
    assert list(texts.KINDS) == [*KINDS, OTHER]
    assert kind_of(Reason.LOGGED_OUT) == "logged out" and kind_of("nonsense") == OTHER
    everything = [reason for reasons in KINDS.values() for reason in reasons]
    assert len(everything) == len(set(everything))
