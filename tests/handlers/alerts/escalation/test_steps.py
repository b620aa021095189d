"""Who is alerted next, when an alert leaves Telegram, and who is on duty: pure, at times given by the test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.accounts.reasons import Reason
from controller.incidents import EVERYBODY, DutyOverride, Entry, Incident, Message, Roster, Shift, Target
from handlers.alerts.escalation.duty import (
    OnDuty,
    WrongDutyError,
    days_in_words,
    on_duty,
    parse_days,
    parse_minute,
    parse_until,
)
from handlers.alerts.escalation.steps import is_due_on_fallback, next_step, open_troubles
from handlers.alerts.incidents.book import Book, Fact, Kind, Setting
from handlers.alerts.incidents.policy import AlertPolicy, quiet_until
from handlers.telegram.ui import duty_text
from handlers.texts.vocabulary import use_time_zone

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
A, B = "+4915112345678", "+33612345678"
AFTER = timedelta(seconds=180)
QUARTER = timedelta(minutes=15)
ADA, BOB, NIGHT = Target(1, "Ada"), Target(2, "Bob"), Target(-100, "Night")


def seconds(number: float) -> datetime:
    return MONDAY + timedelta(seconds=number)


def book(chat: int = 1, *entries: Entry, told: float | None = None, **more) -> Book:
    entries = entries or (Entry(A, Reason.LOGGED_OUT, MONDAY),)
    told_at = None if told is None else seconds(told)
    parts = () if told is None else (Message(7, "x"),)
    return Book(chat, (Incident(chat, chat, MONDAY, MONDAY, entries, **({"told_at": told_at, "parts": parts} | more)),))


def stands(*books: Book, silenced=lambda *_: False):
    return open_troubles(books, silenced)


# --- the fallback channel ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "due"), [(0, False), (179, False), (180, True), (86400, True)])
def test_what_telegram_has_not_taken_in_time_leaves_it(at, due):
    (one,) = stands(book())

    assert is_due_on_fallback(one, seconds(at), AFTER) is due


def test_one_chat_that_took_it_is_enough():
    (one,) = stands(book(1), book(2, told=3))

    assert not is_due_on_fallback(one, seconds(999), AFTER)


def test_an_account_is_one_trouble_in_however_many_chats():
    assert [each.key for each in stands(book(1), book(2), book(3))] == [(A, Reason.LOGGED_OUT)]


def test_it_goes_out_once_in_whichever_chat_that_is_marked():
    marked = Entry(A, Reason.LOGGED_OUT, MONDAY, fallback="mail", fallback_at=seconds(180))
    (one,) = stands(book(1), book(2, marked))

    assert not is_due_on_fallback(one, seconds(999), AFTER)


def test_what_was_refused_for_good_was_not_taken():
    (one,) = stands(book(told=1, parts=(Message(shown="x", refused=True),)))

    assert is_due_on_fallback(one, seconds(180), AFTER)


def test_what_joined_an_alert_that_could_not_be_edited_was_not_taken():
    late = Entry(B, Reason.LOGGED_OUT, seconds(30))
    troubles = stands(book(1, Entry(A, Reason.LOGGED_OUT, MONDAY), late, told=1, news=True))

    assert [each.key[0] for each in troubles if is_due_on_fallback(each, seconds(300), AFTER)] == [B]


def test_what_passes_or_is_no_ones_call_never_leaves():
    over = Entry(A, Reason.LOGGED_OUT, MONDAY, over_at=seconds(5))
    assert stands(book(1, over), book(2, Entry(B, Reason.BREAKER_OPEN, MONDAY))) == []


def test_a_silence_holds_it_back_and_the_time_counts_from_its_end():
    assert stands(book(), silenced=lambda chat, number: number == A) == []

    (one,) = stands(book(1), book(2), silenced=lambda chat, _: chat == 1)

    assert is_due_on_fallback(one, seconds(200), AFTER)
    assert not is_due_on_fallback(one, seconds(200), AFTER, heard_since=seconds(100))


def test_what_came_back_after_it_was_over_may_leave_again():
    marked = Entry(A, Reason.LOGGED_OUT, MONDAY, over_at=seconds(9), fallback="mail", fallback_at=seconds(5))
    policy = AlertPolicy(sounds_for_same=1)
    again = Fact(Kind.ALERT, A, Reason.LOGGED_OUT, seconds(20))
    now = book(1, marked, told=2).absorb([again], Setting(seconds(20), policy, lambda: 9))
    (entry,) = now.incidents[0].open_entries

    assert (entry.fallback_at, entry.escalated) == (None, 0)


# --- the list ---------------------------------------------------------------------------------------------------------


def walk(trouble, roster, on_duty=None):
    """Return whom an alert goes to, with the minutes since it was sent."""
    steps = []
    for minute in range(200):
        now = seconds(60 * minute)
        if (step := next_step(trouble, roster, now, QUARTER, on_duty)) is not None:
            steps.append((minute, step.target.name if step.target else "everybody"))
            trouble = replace(trouble, escalated=step.level, escalated_at=now)
    return steps, trouble


def test_each_on_the_list_has_his_time_then_everybody():
    (one,) = stands(book(told=0))
    steps, last = walk(one, Roster(targets=(ADA, BOB, NIGHT)))

    assert steps == [(15, "Ada"), (30, "Bob"), (45, "Night"), (60, "everybody")]
    assert is_due_on_fallback(last, seconds(3600), AFTER), "and then it leaves Telegram"


def test_who_is_on_duty_was_called_first_and_is_left_out():
    (one,) = stands(book(told=0))

    assert walk(one, Roster(targets=(ADA, BOB)), on_duty=1)[0] == [(15, "Bob"), (30, "everybody")]


@pytest.mark.parametrize("where", [{"acknowledged_by": "Ada is on it"}])
def test_somebody_who_is_on_it_ends_it(where):
    (one,) = stands(book(told=0), book(2, told=0, **where))

    assert walk(one, Roster(targets=(ADA,)))[0] == []
    assert not is_due_on_fallback(replace(one, escalated=EVERYBODY), seconds(9999), AFTER)


def test_what_nobody_was_told_of_is_not_escalated_in_the_same_chat_service():
    (one,) = stands(book())

    assert walk(one, Roster(targets=(ADA,)))[0] == []


def test_escalation_can_be_off():
    (one,) = stands(book(told=0))

    assert next_step(one, Roster(targets=(ADA,)), seconds(99999), timedelta(0), None) is None


# --- duty -------------------------------------------------------------------------------------------------------------

WEEK = (
    Shift(1, "Ada", parse_days("mon-fri"), parse_minute("08:00"), parse_minute("18:00")),
    Shift(2, "Bob", parse_days("daily"), parse_minute("18:00"), parse_minute("08:00")),
)


@pytest.mark.parametrize(
    ("at", "who"),
    [
        ("2026-03-02T07:59", ("Bob", "2026-03-02T08:00")),
        ("2026-03-02T08:00", ("Ada", "2026-03-02T18:00")),
        ("2026-03-02T17:59", ("Ada", "2026-03-02T18:00")),
        ("2026-03-02T18:00", ("Bob", "2026-03-03T08:00")),
        ("2026-03-07T12:00", None),
        ("2026-03-08T02:00", ("Bob", "2026-03-08T08:00")),
    ],
)
def test_the_plan_says_who_is_on_duty(at, who):
    now = on_duty(Roster(shifts=WEEK), datetime.fromisoformat(at).astimezone())
    told = None if now is None else (now.name, now.until.astimezone().strftime("%Y-%m-%dT%H:%M"))

    assert told == who


@pytest.fixture(params=["Asia/Kathmandu", "America/New_York"])
def zone(request):
    """People whose clocks differ from the machine's."""
    use_time_zone(ZoneInfo(request.param))
    yield ZoneInfo(request.param)
    use_time_zone(None)


def test_times_of_the_day_are_those_of_peoples_clocks(zone):
    noon = datetime(2026, 3, 2, 12, 0, tzinfo=zone).astimezone(UTC)
    assert parse_until("18:00", noon) == noon + timedelta(hours=6)
    assert on_duty(Roster(shifts=WEEK), noon) == OnDuty(1, "Ada", noon + timedelta(hours=6))
    assert quiet_until((11 * 60, 13 * 60), noon) == noon + timedelta(hours=1)
    assert quiet_until((13 * 60, 11 * 60), noon) is None
    assert f"({noon.astimezone(zone):%Z})" in duty_text.roster(Roster(shifts=WEEK), None, noon)


def test_a_turn_goes_before_the_plan_until_it_ends():
    until = MONDAY + timedelta(hours=1)
    roster = Roster(DutyOverride(3, "Cleo", until), WEEK)

    assert on_duty(roster, MONDAY) == OnDuty(3, "Cleo", until)
    assert on_duty(Roster(DutyOverride(None, "", until), WEEK), MONDAY) is None
    after = on_duty(roster, until)
    assert after is not None
    assert after.name == "Ada"


@pytest.mark.parametrize(
    ("text", "after"), [("8h", 8 * 3600), ("90m", 5400), ("18:00", 6 * 3600), ("12:00", 86400), ("11:59", 86340)]
)
def test_an_end_is_a_time_of_the_day_or_a_length(text, after):
    now = datetime(2026, 3, 2, 12, 0).astimezone()

    assert (parse_until(text, now) - now).total_seconds() == after


@pytest.mark.parametrize("text", ["", "0h", "31d", "25:00", "18:60", "noon", "-1h", "1"])
def test_what_is_no_end_is_refused(text):
    with pytest.raises(WrongDutyError):
        parse_until(text, MONDAY)


@pytest.mark.parametrize(
    ("text", "days"), [("mon", {0}), ("mon-fri", {0, 1, 2, 3, 4}), ("sat,sun", {5, 6}), ("fri-mon", {4, 5, 6, 0})]
)
def test_days_are_read_and_said(text, days):
    assert parse_days(text) == days
    assert parse_days(days_in_words(frozenset(days))) == days


@pytest.mark.parametrize("text", ["", "monday", "mon-", "1-5", "mon,,tue"])
def test_what_is_no_day_is_refused(text):
    with pytest.raises(WrongDutyError):
        parse_days(text)
