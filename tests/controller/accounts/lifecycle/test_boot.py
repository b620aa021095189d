"""A restart: what is taken up from the database, and what waits for a person (L14)."""

import itertools

import pytest

from controller.accounts.effects import Alert, Arm, Open, ShowCode
from controller.accounts.model import Breaker, Rest, SlotGranted, Stage, Start, Timer, Wanted
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import VERDICTS, Reason, State
from controller.accounts.reports import Authenticated, Ended, Ready
from tests.controller.accounts.lifecycle.links import CODE, NEARLY, NEEDS_PERSON, OURS, at, boot, do, opened


def test_l11_a_conflict_that_a_restart_finds_is_taken_up_again_only_where_it_is_always_taken_back():
    found = boot(state=State.DISCONNECTED, reason=Reason.CONFLICT)
    link, effects = do(at(State.IDLE), found, Policy(takeover=Takeover.ALWAYS))
    assert (link.phase, effects) == (Stage.QUEUED, (Open(7, lost=True),))
    for never in (Takeover.ASK, Takeover.NEVER):
        link, effects = do(at(State.IDLE), found, Policy(takeover=never))
        assert (link.phase, link.reason, link.armed) == (State.DISCONNECTED, Reason.CONFLICT, frozenset())


def test_l14_what_should_be_connected_starts_from_its_session():
    for state in State:
        after, effects = do(at(State.IDLE), boot(state=state))
        assert (after.phase, after.reason, after.linked, after.asked) == (Stage.QUEUED, Reason.RESUMED, True, False)
        assert effects == (Open(7, lost=True, fresh=state in {State.ERROR, State.SUSPENDED}),)


@pytest.mark.parametrize("reason", [None, Reason.ASKED, Reason.SHUTDOWN, Reason.NOT_LINKED])
def test_l14_a_session_that_is_there_is_tried_though_nobody_remembers_it(reason):
    found = boot(linked=False, has_session=True, state=State.IDLE, reason=reason)
    link, effects = do(at(State.IDLE), found)
    assert (link.phase, link.linked, opened(effects)) == (Stage.QUEUED, False, [Open(7)])
    link, _ = do(link, SlotGranted())
    missing, effects = do(link, CODE)
    assert (missing.phase, missing.reason) == (State.DISCONNECTED, Reason.NOT_LINKED), "it was none after all"
    assert not [effect for effect in effects if isinstance(effect, ShowCode | Alert)]
    there, _ = do(link, Ready(OURS))
    assert (there.phase, there.linked) == (State.CONNECTED, True)


def test_l14_a_session_is_not_tried_where_it_was_ended():
    after, _ = do(
        at(State.IDLE), boot(linked=False, has_session=True, state=State.DISCONNECTED, reason=Reason.LOGGED_OUT)
    )
    assert (after.phase, after.reason) == (State.DISCONNECTED, Reason.LOGGED_OUT)


def test_l14_counters_and_causes_are_those_of_the_database():
    link, _ = do(at(State.IDLE), boot(state=State.ERROR, reason=Reason.DEADLINE, attempts=7, errors=3))
    assert (link.attempts, link.errors) == (7, 3)
    link, _ = do(at(State.IDLE), boot(state=State.ERROR, reason=Reason.DEADLINE, attempts=99, errors=99))
    assert (link.attempts, link.errors) == (10, 4)
    link, _ = do(at(State.IDLE), boot(state=State.SUSPENDED, reason=Reason.EXHAUSTED, cause=Reason.STALE, attempts=10))
    assert (link.reason, link.cause, link.attempts) == (Reason.RESUMED, Reason.STALE, 0)
    link, _ = do(at(State.IDLE), boot(state=State.SUSPENDED, reason=Reason.BREAKER_OPEN))
    assert (link.reason, link.cause) == (Reason.RESUMED, Reason.BREAKER_OPEN)


def test_l14_a_ban_s_trial_that_a_kill_cut_short_is_made_again():
    link, _ = do(at(State.IDLE), boot(state=State.CONNECTING, reason=Reason.TRIAL, cause=Reason.BANNED))
    assert (link.reason, link.cause, link.breaker, link.resting) == (
        Reason.TRIAL, Reason.BANNED, Breaker.HALF_OPEN, Rest(Reason.BANNED),
    )  # fmt: skip
    link, _ = do(link, SlotGranted())
    link, _ = do(link, Ended(Reason.CONNECTION_LOST))
    assert (link.phase, link.reason, link.armed) == (State.SUSPENDED, Reason.TRIAL_FAILED, frozenset())


def test_k4_a_foreign_session_is_remembered_over_a_restart():
    link, _ = do(at(State.IDLE), boot(linked=False, state=State.DISCONNECTED, reason=Reason.WRONG_NUMBER_STAYS))
    _, effects = do(link, Start())
    assert opened(effects) == [Open(7, set_aside=True)]


def test_k4_a_logout_that_a_kill_cut_short_is_not_said_to_have_happened():
    found = boot(state=State.CONNECTING, reason=Reason.WRONG_NUMBER, detail="•••1 instead of •••2")
    link, effects = do(at(State.IDLE), found)
    assert (link.phase, link.reason) == (State.DISCONNECTED, Reason.WRONG_NUMBER_STAYS)
    assert Alert(Reason.WRONG_NUMBER_STAYS) in effects
    link, effects = do(link, Start())
    assert opened(effects)[0].set_aside, "the stranger's session is not opened again"


def test_k4_a_confirmed_number_is_remembered_over_a_restart():
    link, _ = do(at(State.IDLE), boot(alias=NEARLY))
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Authenticated(NEARLY))
    assert (link.phase, link.verified) == (Stage.SYNCING, True)
    assert not [effect for effect in effects if isinstance(effect, Alert)]


def test_l14_what_was_never_linked_waits_for_a_person():
    after, effects = do(at(State.IDLE), boot(linked=False, state=State.CONNECTING))
    assert (after.phase, after.reason, effects) == (State.DISCONNECTED, Reason.NOT_LINKED, ())


def test_l14_what_was_never_asked_for_stays_idle():
    after, effects = do(at(State.IDLE), boot(wanted=Wanted.IDLE, linked=False, state=State.IDLE))
    assert (after.phase, effects) == (State.IDLE, ())


def test_l12_a_suspended_account_stays_so_through_restarts():
    for state in State:
        after, effects = do(at(State.IDLE), boot(wanted=Wanted.SUSPENDED, state=state))
        assert (after.phase, after.reason, effects) == (State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR, ())


def test_l14_a_trial_that_only_a_person_can_mend_stays_suspended():
    after, _ = do(at(State.IDLE), boot(state=State.SUSPENDED, reason=Reason.LOGGED_OUT, linked=False))
    assert (after.phase, after.reason) == (State.SUSPENDED, Reason.LOGGED_OUT)


CUT_SHORT = State.CONNECTING, Reason.WRONG_NUMBER
"""The other device was still being logged out: see test_k4_a_logout_that_a_kill_cut_short."""

KEPT = itertools.product([None, State.CONNECTING, State.IDLE], sorted(NEEDS_PERSON))


@pytest.mark.parametrize(("kept", "reason"), [each for each in KEPT if each != CUT_SHORT])
def test_l14_what_needs_a_person_still_does(kept, reason):
    state = VERDICTS[reason].state
    after, effects = do(at(State.IDLE), boot(state=kept or state, reason=reason, detail="why", linked=False))
    assert (after.phase, after.reason, after.detail, effects) == (state, reason, "why", ())


def test_l14_a_ban_goes_on_counting():
    link = boot(state=State.SUSPENDED, reason=Reason.BANNED, block_ends_in=50.0)
    after, effects = do(at(State.IDLE), link)
    assert (after.phase, after.reason, effects) == (State.SUSPENDED, Reason.BANNED, (Arm(Timer.COOLDOWN, 50.0),))


@pytest.mark.parametrize(("errors", "fresh"), [(0, False), (1, True)])
def test_k8_a_restart_amid_failing_attempts_forgets_no_remedy(errors, fresh):
    _, effects = do(at(State.IDLE), boot(state=State.CONNECTING, errors=errors, attempts=errors))
    assert opened(effects) == [Open(7, lost=True, fresh=fresh)]


def test_an_older_archive_waits_for_a_person_also_after_a_restart():
    link, effects = do(at(Stage.LAUNCHING, linked=True), Ended(Reason.ARCHIVE_OUTDATED, "host b had it"))
    assert (link.phase, link.reason, link.linked) == (State.DISCONNECTED, Reason.ARCHIVE_OUTDATED, True)
    assert effects[-1] == Alert(Reason.ARCHIVE_OUTDATED)

    again, effects = do(at(State.IDLE), boot(state=State.DISCONNECTED, reason=Reason.ARCHIVE_OUTDATED, detail="so"))
    assert (again.phase, again.reason, again.detail) == (State.DISCONNECTED, Reason.ARCHIVE_OUTDATED, "so")
    assert not any(isinstance(effect, Open) for effect in effects)
