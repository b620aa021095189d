"""Dialogs in the way and over a connection (K7)."""

import pytest

from controller.accounts.effects import Alert, AlertOver, Arm, Dismiss
from controller.accounts.model import AnswerDialog, Fired, Seen, Stage, Timer
from controller.accounts.policy import Dialogs, Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Dialog, DialogClosed, Ended, PageView
from tests.controller.accounts.lifecycle.links import DIALOG, LOADED, at, do


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.READING, Stage.AWAITING_SCAN, Stage.PAIRING, Stage.SYNCING])
def test_k7_a_known_dialog_in_the_way_is_offered_and_waited_for(phase):
    link, effects = do(at(phase), DIALOG)
    assert (link.phase, link.dialog) == (Stage.DIALOG, DIALOG)
    told = (Arm(Timer.DIALOGS, 3600), Alert(Reason.DIALOG, detail="What's new"))
    assert effects[-3:] == (Arm(Timer.PERSON, 600), *told)
    pressed, effects = do(link, AnswerDialog())
    assert (pressed, effects) == (link, (Dismiss(7),))
    after, effects = do(link, DialogClosed())
    assert after.phase is (Stage.SYNCING if phase is Stage.SYNCING else Stage.READING)
    assert effects[0] == AlertOver(Reason.DIALOG)
    assert (after.dialog, after.interrupted) == (None, None)


def test_k7_a_known_dialog_is_answered_at_once_where_that_is_wanted():
    policy = Policy(dialogs=Dialogs.CONTINUE)
    for phase in (Stage.SYNCING, State.CONNECTED):
        link, effects = do(at(phase), DIALOG, policy)
        assert (link.phase, effects) == (phase, (Dismiss(7),))
        link, effects = do(link, Dialog("odd"), policy)
        assert Dismiss(7) not in effects


@pytest.mark.parametrize("phase", [Stage.SYNCING, State.CONNECTED])
def test_k7_a_dialog_that_comes_back_each_time_is_left_to_a_person(phase):
    policy, link, dismissed, alerts = Policy(dialogs=Dialogs.CONTINUE), at(phase), 0, []
    for _ in range(5):
        link, effects = do(link, DIALOG, policy)
        dismissed += Dismiss(7) in effects
        alerts += [each.reason for each in effects if isinstance(each, Alert)]
        if dismissed < 3:
            link, _ = do(link, DialogClosed(), policy)
    assert (dismissed, alerts) == (3, [Reason.DIALOG])


def test_k7_an_unknown_dialog_is_told_with_the_deadline_that_it_leads_to():
    link, effects = do(at(Stage.LAUNCHING), Dialog("Something odd"))
    assert (link.phase, effects) == (Stage.LAUNCHING, ())
    link, _ = do(link, Fired(Timer.DEADLINE))
    link, _ = do(link, Seen(PageView()))
    assert link.detail == "launching took too long; the page shows: Something odd"


def test_k7_a_dialog_over_a_connection_is_told_once_and_silently():
    link, effects = do(at(State.CONNECTED), DIALOG)
    told = (Arm(Timer.DIALOGS, 3600), Alert(Reason.DIALOG, detail="What's new", silent=True))
    assert (link.phase, effects) == (State.CONNECTED, told)
    assert do(link, DIALOG) == (link, ())
    assert do(link, AnswerDialog()) == (link, (Dismiss(7),))
    link, effects = do(link, DialogClosed())
    assert (link.dialog, effects) == (None, (AlertOver(Reason.DIALOG),))
    _, effects = do(at(State.CONNECTED), Dialog("locked", locked=True))
    assert effects[1:] == (Alert(Reason.DIALOG, detail="locked", silent=True),), "what is connected goes on"


@pytest.mark.parametrize("phase", LOADED)
def test_k7_the_page_s_own_lock_needs_a_person(phase):
    link, effects = do(at(phase), Dialog("Enter your password", locked=True))
    assert (link.phase, link.reason, link.detail) == (State.DISCONNECTED, Reason.SCREEN_LOCKED, "Enter your password")
    assert effects[-1] == Alert(Reason.SCREEN_LOCKED)


def test_k7_a_dialog_is_over_when_its_browser_is():
    link, _ = do(at(State.CONNECTED), DIALOG)
    link, effects = do(link, Ended(Reason.CONNECTION_LOST))
    assert AlertOver(Reason.DIALOG) in effects
    assert link.dialog is None
