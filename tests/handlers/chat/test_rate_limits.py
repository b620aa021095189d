"""Budgets, checked against the stand-in's model of what Telegram rejects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.chat.messages import Lane
from handlers.chat.rate_limits import FORGET_AT, Limits, RateLimits
from sandbox.telegram.budgets import Budgets as TelegramBudgets
from sandbox.telegram.budgets import Limits as TelegramLimits

CHAT, GROUP = 1, -1
MUCH = Limits(overall=1e6, overall_burst=1e6)


def wait(limits: RateLimits, chat: int, lane: Lane, now: float) -> float:
    return max(limits.wait(chat, lane, now), limits.wait_overall(now))


@given(
    wants=st.lists(
        st.tuples(st.sampled_from(Lane), st.sampled_from([1, 2, -1, -2]), st.sampled_from([0, 0, 0.5, 3])), max_size=150
    ),
    delay=st.floats(0, 0.9),
)
def test_what_goes_out_by_our_budget_is_never_refused(wants, delay):
    """delay: how long a message takes to arrive, at most; each takes another time."""
    ours, theirs = RateLimits(), TelegramBudgets(TelegramLimits())
    now, arrived = 1000.0, 0.0
    for at, (lane, chat, pause) in enumerate(wants):
        now += pause
        now += wait(ours, chat, lane, now) + 1e-5
        assert wait(ours, chat, lane, now) == 0
        ours.take(chat, lane, now)
        arrived = max(arrived, now + (delay if at % 3 else 0))
        assert theirs.charge(chat, arrived) == 0


def sent_in(seconds: float, chat: int, lanes: list[Lane], limits: RateLimits, began: float = 0.0) -> dict[Lane, int]:
    """Send as much as may be sent, each lane in turn; return how much each sent."""
    now, sent = began, dict.fromkeys(lanes, 0)
    while now < began + seconds:
        ready = [lane for lane in lanes if limits.wait(chat, lane, now) == 0]
        for lane in ready:
            if limits.wait(chat, lane, now) == 0:
                limits.take(chat, lane, now)
                sent[lane] += 1
        now += max(1e-3, min(limits.wait(chat, lane, now) for lane in lanes))
    return sent


def test_a_private_chat_takes_nearly_one_a_second_for_ever():
    sent = sent_in(600, CHAT, [Lane.ANSWERS], RateLimits(MUCH))
    assert 0.85 * 600 <= sent[Lane.ANSWERS] <= 600


@pytest.mark.parametrize("lane", Lane)
def test_a_group_takes_nearly_twenty_a_minute_from_any_lane_alone(lane):
    sent = sent_in(600, GROUP, [lane], RateLimits(MUCH))
    assert 165 <= sent[lane] <= 200


def test_in_a_group_that_is_full_of_everything_an_alert_goes_each_five_seconds():
    sent = sent_in(600, GROUP, list(Lane), RateLimits(MUCH))
    assert sent[Lane.ALERTS] >= 600 / 5
    assert sent[Lane.QR] + sent[Lane.ANSWERS] >= 600 / 20
    assert sent[Lane.UPDATES] + sent[Lane.CARDS] >= 600 / 61 - 1
    assert sum(sent.values()) <= 200


@pytest.mark.parametrize("flood", [lane for lane in Lane if lane is not Lane.ALERTS])
def test_in_a_group_full_of_anything_else_an_alert_goes_at_once(flood):
    limits = RateLimits(MUCH)
    sent_in(100, GROUP, [flood], limits)
    assert limits.wait(GROUP, Lane.ALERTS, 100.0) == 0


def test_in_a_group_what_others_send_in_the_same_second_does_not_delay_an_alert_that_has_waited():
    limits = RateLimits(MUCH)
    limits.take(GROUP, Lane.ALERTS, 0.0)
    due = limits.wait(GROUP, Lane.ALERTS, 0.0)
    assert due <= 5
    for lane in (Lane.ANSWERS, Lane.CARDS):
        if limits.wait(GROUP, lane, due - 0.1) == 0:
            limits.take(GROUP, lane, due - 0.1)
    assert limits.wait(GROUP, Lane.ALERTS, due) < 0.1


def test_in_a_group_full_of_edits_an_answer_goes_within_five_seconds():
    limits = RateLimits(MUCH)
    sent_in(100, GROUP, [Lane.UPDATES, Lane.CARDS], limits)
    now = 100.0 + limits.wait(GROUP, Lane.ANSWERS, 100.0)
    assert now < 102
    limits.take(GROUP, Lane.ANSWERS, now)
    assert limits.wait(GROUP, Lane.ANSWERS, now) <= 5


def test_what_is_not_urgent_can_leave_one_message_to_what_is():
    limits = RateLimits()
    limits.take(CHAT, Lane.CARDS, 0.0)
    assert limits.wait(CHAT, Lane.CARDS, 0.0, leave=1) > 0
    assert limits.wait(CHAT, Lane.ALERTS, 0.0) == 0


def test_all_chats_together_stay_below_thirty_in_any_second():
    limits, now, sent = RateLimits(), 0.0, []
    for chat in range(1, 500):
        now += limits.wait_overall(now)
        limits.take(chat, Lane.ANSWERS, now)
        sent.append(now)
    assert all(sum(at <= other < at + 1 for other in sent) <= 30 for at in sent)
    assert now <= 500 / 25


def test_a_pause_holds_its_own_chat_alone():
    limits = RateLimits()
    limits.pause(CHAT, 30.0, 0.0)
    assert limits.wait(CHAT, Lane.QR, 0.0) == 30.0
    assert limits.wait(2, Lane.CARDS, 0.0) == 0


def test_idle_chats_are_forgotten_and_nothing_else_is():
    limits = RateLimits(MUCH)
    limits.pause(5, 1e9, 0.0)
    for chat in range(1, 20 * FORGET_AT):
        limits.take(chat, Lane.ANSWERS, float(chat))
    assert len(limits.remembered) <= FORGET_AT + 1
    assert 5 in limits.remembered
    busy = 20 * FORGET_AT - 1
    assert limits.wait(busy, Lane.ANSWERS, float(busy), leave=1) > 0
