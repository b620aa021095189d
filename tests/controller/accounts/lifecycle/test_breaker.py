"""The circuit breaker, its trial, and the slow silent probe afterwards (L5)."""

import pytest

from controller.accounts.effects import Alert, Arm, Open, Tripped
from controller.accounts.model import Breaker, Browser, Closed, Connection, Fired, Next, Rest, SlotGranted, Stage, Timer
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Ready
from tests.controller.accounts.lifecycle.links import SLOW, at, do, ended


def trip() -> Connection:
    link, effects = do(at(Stage.LAUNCHING, errors=4, attempts=4), Ended(Reason.LAUNCH_FAILED, "no"))
    assert (link.phase, link.reason, link.cause, link.detail, link.errors, link.breaker) == (
        State.SUSPENDED, Reason.BREAKER_OPEN, Reason.LAUNCH_FAILED, "no", 5, Breaker.OPEN,
    )  # fmt: skip
    assert Arm(Timer.COOLDOWN, 63) in effects
    assert effects[-2:] == (Tripped(5, 63), Alert(Reason.BREAKER_OPEN))
    link, _ = do(link, Closed())
    return link


def test_l5_four_errors_do_not_trip():
    link, _ = do(at(Stage.LAUNCHING, errors=3), Ended(Reason.LAUNCH_FAILED))
    assert (link.phase, link.errors, link.breaker) == (State.ERROR, 4, Breaker.CLOSED)


def test_l5_then_exactly_one_trial_with_the_errors_at_zero():
    link, effects = do(trip(), Fired(Timer.COOLDOWN))
    assert (link.phase, link.reason, link.errors, link.breaker) == (Stage.QUEUED, Reason.TRIAL, 0, Breaker.HALF_OPEN)
    assert link.cause is Reason.BREAKER_OPEN
    assert effects == (Open(8, fresh=True),)
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.CONNECTION_LOST, "again"))
    assert (link.phase, link.reason, link.cause, link.detail, link.armed) == (
        State.SUSPENDED, Reason.TRIAL_FAILED, Reason.CONNECTION_LOST, "again", frozenset(),
    )  # fmt: skip
    assert effects[-1] == Alert(Reason.TRIAL_FAILED)
    assert link.breaker is Breaker.CLOSED


def test_l5_connected_closes_the_breaker():
    link, _ = do(trip(), Fired(Timer.COOLDOWN))
    link, _ = do(link, SlotGranted())
    link, _ = do(link, Ready())
    assert (link.phase, link.breaker, link.errors) == (State.CONNECTED, Breaker.CLOSED, 0)
    link, _ = do(link, Ended(Reason.CONNECTION_LOST))
    assert link.phase is State.DISCONNECTED, "no trial any more"


@pytest.mark.parametrize("reason", [Reason.LOGGED_OUT, Reason.CONFLICT, Reason.WRONG_NUMBER, Reason.BANNED])
def test_l5_a_trial_that_needs_a_person_says_why(reason):
    link = at(Stage.LAUNCHING, breaker=Breaker.HALF_OPEN, alerted=frozenset({reason}))
    link, effects = do(link, Ended(reason))
    assert (link.phase, link.reason, link.armed, link.breaker) == (
        State.SUSPENDED, reason, frozenset(), Breaker.CLOSED,
    )  # fmt: skip
    assert effects[-1] == Alert(reason)


def test_l5_a_trial_also_waits_for_the_earlier_browser():
    link = at(State.SUSPENDED, browser=Browser.CLOSING, breaker=Breaker.OPEN, errors=5)
    link, effects = do(link, Fired(Timer.COOLDOWN))
    due = Next(Reason.TRIAL, cause=Reason.BREAKER_OPEN)
    assert (link.due, link.breaker, effects) == (due, Breaker.HALF_OPEN, ())


@pytest.mark.parametrize("reason", [Reason.TRIAL_FAILED, Reason.EXHAUSTED])
def test_l5_the_slow_probe_is_silent_and_goes_on(reason):
    link = at(State.SUSPENDED, reason=reason, alerted=frozenset({reason}), attempts=10)
    link, effects = do(link, Fired(Timer.COOLDOWN), SLOW)
    assert (link.breaker, link.resting) == (Breaker.HALF_OPEN, Rest(reason))
    link, _ = do(link, SlotGranted(), SLOW)
    link, effects = do(link, Ended(Reason.CONNECTION_LOST), SLOW)
    assert (link.phase, link.reason, link.cause, link.resting) == (
        State.SUSPENDED, reason, Reason.CONNECTION_LOST, None,
    )  # fmt: skip
    assert effects == (*ended(Stage.LAUNCHING), Arm(Timer.COOLDOWN, 900))


def test_l5_the_slow_probe_tells_what_only_a_person_can_mend():
    rest, alerted = Rest(Reason.EXHAUSTED), frozenset({Reason.EXHAUSTED})
    link = at(Stage.LAUNCHING, breaker=Breaker.HALF_OPEN, resting=rest, alerted=alerted)
    link, effects = do(link, Ended(Reason.LOGGED_OUT), SLOW)
    assert (link.reason, effects[-1], link.resting) == (Reason.LOGGED_OUT, Alert(Reason.LOGGED_OUT), None)


def test_l5_both_ways_of_giving_up_arm_the_slow_probe():
    _, effects = do(at(Stage.LAUNCHING, attempts=10), Ended(Reason.STALE), SLOW)
    assert effects[-1] == Arm(Timer.COOLDOWN, 900)
    _, effects = do(at(Stage.LAUNCHING, breaker=Breaker.HALF_OPEN), Ended(Reason.STALE), SLOW)
    assert effects[-1] == Arm(Timer.COOLDOWN, 900)


def test_l5_any_time_above_zero_makes_the_slow_probe():
    _, effects = do(at(Stage.LAUNCHING, attempts=10), Ended(Reason.STALE), Policy(suspended_retry=0.5))
    assert effects[-1] == Arm(Timer.COOLDOWN, 0.5)
