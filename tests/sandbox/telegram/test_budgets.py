"""The flood limits, at times given by the test."""

import pytest

from sandbox.telegram.budgets import Budgets, Limits

CHAT, GROUP = 42, -42


def test_nothing_is_refused_without_limits():
    budgets = Budgets(None)
    assert [budgets.charge(CHAT, 0.0) for _ in range(1000)] == [0] * 1000


def test_a_short_burst_passes_and_the_next_waits_a_second():
    budgets = Budgets(Limits())
    assert [budgets.charge(CHAT, 0.0) for _ in range(3)] == [0, 0, 0]
    assert budgets.charge(CHAT, 0.0) == 1


def test_in_a_group_one_a_second_goes_on_until_the_minute_is_full():
    budgets = Budgets(Limits())
    sent = [second for second in range(60) if budgets.charge(GROUP, float(second)) == 0]
    assert sent == list(range(20))
    assert budgets.charge(GROUP, 60.0) == 0


def test_a_full_minute_asks_to_wait_until_its_first_message_is_a_minute_old():
    budgets = Budgets(Limits())
    for second in range(20):
        assert budgets.charge(GROUP, float(second)) == 0
    assert budgets.charge(GROUP, 25.0) == 35


def test_in_a_private_chat_one_a_second_goes_on():
    budgets = Budgets(Limits())
    assert [budgets.charge(CHAT, float(second)) for second in range(120)] == [0] * 120


def test_a_chat_stays_barred_until_its_wait_is_over_and_refusals_do_not_prolong_it():
    budgets = Budgets(Limits(penalty=9))
    for _ in range(3):
        budgets.charge(CHAT, 0.0)
    assert budgets.charge(CHAT, 0.0) == 10
    assert budgets.charge(CHAT, 4.0) == 6
    assert budgets.charge(CHAT, 9.5) == 1
    assert budgets.charge(CHAT, 10.0) == 0


def test_one_chats_wait_leaves_others_alone():
    budgets = Budgets(Limits())
    while budgets.charge(CHAT, 0.0) == 0:
        pass
    assert budgets.charge(CHAT + 1, 0.0) == 0


def test_thirty_a_second_over_all_chats():
    budgets = Budgets(Limits())
    passed = [chat for chat in range(40) if budgets.charge(chat, 0.0) == 0]
    assert len(passed) == 30
    assert budgets.charge(100, 0.5) == 0


@pytest.mark.parametrize("backwards", [-5.0, -3600.0])
def test_a_clock_that_jumps_back_refuses_no_more_than_before(backwards: float):
    budgets = Budgets(Limits())
    budgets.charge(CHAT, 0.0)
    assert budgets.charge(CHAT, backwards) == 0
