"""Budgets, against the stand-in's own arithmetic of what Telegram refuses."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.chat.messages import Lane
from handlers.chat.rate_limits import Limits, RateLimits
from sandbox.telegram.budgets import Budgets as TelegramBudgets
from sandbox.telegram.budgets import Limits as TelegramLimits

CHAT = 1


@given(
    wants=st.lists(st.tuples(st.sampled_from(Lane), st.integers(1, 4), st.floats(0, 3)), max_size=150),
    delay=st.floats(0, 0.9),
)
def test_what_goes_out_by_our_budget_is_never_refused(wants, delay):
    """delay: how long a message takes to arrive, at most; each takes another time."""
    ours, theirs = RateLimits(), TelegramBudgets(TelegramLimits())
    now, arrived = 1000.0, 0.0
    for at, (lane, chat, pause) in enumerate(wants):
        now += pause
        now += ours.wait(chat, lane, now) + 1e-5
        assert ours.wait(chat, lane, now) == 0
        ours.take(chat, now)
        arrived = max(arrived, now + (delay if at % 3 else 0))
        assert theirs.charge(chat, arrived) == 0


def test_each_lane_leaves_room_for_those_before_it():
    budgets = RateLimits(Limits(burst=100, per_second=100))
    for lane in reversed(Lane):
        while budgets.wait(CHAT, lane, 0.0) == 0:
            budgets.take(CHAT, 0.0)
        assert all(budgets.wait(CHAT, later, 0.0) > 0 for later in Lane if later >= lane)
        if lane is not Lane.QR:
            assert budgets.wait(CHAT, Lane(lane - 1), 0.0) == 0


def test_a_pause_holds_its_own_chat_alone():
    budgets = RateLimits()
    budgets.pause(CHAT, 30.0)
    assert budgets.wait(CHAT, Lane.QR, 0.0) == 30.0
    assert budgets.wait(2, Lane.CARDS, 0.0) == 0


def test_idle_chats_are_forgotten():
    budgets = RateLimits()
    for chat in range(1000):
        budgets.take(chat, 0.0)
    budgets.pause(5, 1000.0)
    budgets.forget_idle(100.0)
    assert list(budgets._chats) == [5]
