"""WhatsApp cannot be reached: what waits meanwhile, and what goes on (L13)."""

import pytest

from controller.accounts.effects import Alert, Arm, Open
from controller.accounts.lifecycle.table import TABLE
from controller.accounts.model import (
    Breaker,
    Browser,
    Closed,
    Fired,
    Hold,
    Release,
    Rest,
    SlotGranted,
    Stage,
    Start,
    Timer,
)
from controller.accounts.reasons import VERDICTS, Reason, State
from controller.accounts.reports import Ended
from tests.controller.accounts.lifecycle.links import NEEDS_PERSON, at, do, opened


@pytest.mark.parametrize("phase", list(TABLE))
def test_l13_a_hold_changes_nothing_but_that_it_is_one(phase):
    held, effects = do(at(phase), Hold())
    assert (held, effects) == (at(phase, on_hold=True), ())
    assert do(held, Release()) == (at(phase), ())


@pytest.mark.parametrize(
    ("phase", "timer"),
    [(State.DISCONNECTED, Timer.RETRY), (State.ERROR, Timer.RETRY), (State.SUSPENDED, Timer.COOLDOWN)],
)
def test_l13_what_comes_due_while_held_waits_and_is_tried_when_it_is_over(phase, timer):
    link, effects = do(at(phase, on_hold=True, attempts=3, errors=2), Fired(timer))
    assert (link.phase, link.attempts, link.errors, link.waiting, effects) == (phase, 3, 2, timer, ())
    link, effects = do(link, Release())
    assert (link.on_hold, link.waiting, effects) == (False, None, (Arm(timer, 0),))
    link, effects = do(link, Fired(timer))
    assert opened(effects)


@pytest.mark.parametrize("reason", [reason for reason in VERDICTS if reason not in NEEDS_PERSON], ids=str)
def test_l13_an_attempt_that_fails_while_held_uses_up_nothing(reason):
    link = at(Stage.LAUNCHING, on_hold=True, attempts=4, errors=4, waits=3, reason=Reason.RETRY)
    link, effects = do(link, Ended(reason))
    assert (link.attempts, link.errors, link.waits, link.waiting) == (3, 4, 3, Timer.RETRY)
    assert not [effect for effect in effects if isinstance(effect, Arm | Alert)]


def test_l13_a_first_attempt_gives_nothing_back():
    link, _ = do(at(Stage.LAUNCHING, on_hold=True), Ended(Reason.LAUNCH_FAILED))
    assert (link.attempts, link.errors, link.waiting) == (0, 0, Timer.RETRY)


@pytest.mark.parametrize(
    ("reason", "breaker"),
    [(Reason.BREAKER_OPEN, Breaker.OPEN), (Reason.EXHAUSTED, Breaker.CLOSED), (Reason.BANNED, Breaker.CLOSED)],
)
def test_l13_a_trial_that_fails_while_held_is_made_again_and_what_led_to_its_rest_is_not_forgotten(reason, breaker):
    rest = Rest(reason, Reason.LAUNCH_FAILED, "why")
    link = at(State.SUSPENDED, reason=rest.reason, cause=rest.cause, detail=rest.detail)
    link, _ = do(link, Fired(Timer.COOLDOWN))
    link, _ = do(link, SlotGranted())
    link, _ = do(link, Hold())
    link, effects = do(link, Ended(Reason.CONNECTION_LOST, "away"))
    assert (link.phase, link.reason, link.cause, link.detail, link.breaker, link.resting, link.waiting) == (
        State.SUSPENDED, reason, Reason.LAUNCH_FAILED, "why", breaker, None, Timer.COOLDOWN,
    )  # fmt: skip
    assert not [effect for effect in effects if isinstance(effect, Alert)]
    link, _ = do(link, Closed())
    link, effects = do(link, Release())
    assert effects == (Arm(Timer.COOLDOWN, 0),)


@pytest.mark.parametrize("reason", sorted(NEEDS_PERSON - {Reason.NOT_LINKED}))
def test_l13_what_needs_a_person_is_told_also_while_held(reason):
    link, effects = do(at(State.CONNECTED, on_hold=True), Ended(reason))
    assert Alert(reason) in effects
    assert link.waiting is None


def test_l13_a_connection_lost_after_its_last_attempt_has_one_left_when_it_is_over():
    link, _ = do(at(State.CONNECTED, on_hold=True, attempts=10), Ended(Reason.CONNECTION_LOST))
    link, _ = do(link, Closed())
    link, _ = do(link, Release())
    link, _ = do(link, Fired(Timer.RETRY))
    assert link.attempts == 10


def test_l13_what_an_operator_asks_for_is_not_overtaken_by_what_waited():
    link = at(State.DISCONNECTED, on_hold=True, waiting=Timer.RETRY, armed=frozenset(), browser=Browser.CLOSING)
    link, _ = do(link, Start(takeover=True))
    assert do(link, Release())[1] == ()
    _, effects = do(link, Closed())
    assert effects == (Open(7, takeover=True),)


def test_l13_an_operator_may_try_all_the_same():
    link, effects = do(at(State.ERROR, on_hold=True, waiting=Timer.RETRY, armed=frozenset()), Start())
    assert effects == (Open(7),)
    assert do(link, Release())[1] == ()
