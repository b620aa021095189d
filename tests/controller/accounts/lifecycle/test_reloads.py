"""Reloads by the page itself, and when the next load is a fresh one (L1, K1, K8)."""

import pytest

from controller.accounts.effects import Alert, AlertOver, Arm, Close, Disarm, Open
from controller.accounts.model import Browser, Closed, Fired, Release, Stage, Start, Timer
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Ready, Reloaded
from tests.controller.accounts.lifecycle.links import ARMED, DIALOG, LOADED, OURS, at, do, opened


@pytest.mark.parametrize("phase", [*LOADED, State.CONNECTED])
def test_l1_a_reload_is_a_new_document_of_the_same_browser_and_says_nothing(phase):
    link = at(
        phase, reloads=0, armed=frozenset(ARMED[phase] - {Timer.RELOADS}), percent=4, asked=True,
        quiet=True, probing=True, failed_probes=1, asks_passkey=True, identified="+1",
    )  # fmt: skip
    after, effects = do(link, Reloaded())
    assert (after.phase, after.session, after.browser, after.reloads) == (Stage.READING, 7, Browser.OPEN, 1)
    assert (after.percent, after.attempts, after.errors) == (None, 0, 0)
    assert (after.quiet, after.probing, after.failed_probes) == (False, False, 0)
    assert (after.asks_passkey, after.identified) == (False, None)
    assert after.lost is (Reason.RELOADED if phase is State.CONNECTED else None)
    assert not [effect for effect in effects if isinstance(effect, Open | Close | Alert)]
    assert Arm(Timer.DEADLINE, 60) in effects
    assert effects[-1] == Arm(Timer.RELOADS, 300)
    assert after.shown is None
    assert after.reason is (Reason.RELOADED if phase is State.CONNECTED else Reason.ASKED)


@pytest.mark.parametrize("phase", [Stage.SYNCING, State.CONNECTED])
def test_k7_a_dialog_ends_with_the_document_that_it_covered(phase):
    link, _ = do(at(phase), DIALOG)
    after, effects = do(link, Reloaded())
    assert (after.phase, after.dialog, after.interrupted) == (Stage.READING, None, None)
    assert AlertOver(Reason.DIALOG) in effects


def test_l1_three_reloads_within_five_minutes_are_a_page_s_own_business_and_the_fourth_is_the_end():
    link = at(State.CONNECTED)
    for _ in range(3):
        link, _ = do(link, Reloaded())
        link, _ = do(link, Ready(OURS))
        assert link.phase is State.CONNECTED
    link, effects = do(link, Reloaded())
    assert (link.phase, link.reason, link.reloads) == (State.DISCONNECTED, Reason.RELOADS_ITSELF, 0)
    assert link.detail == "more than 3 times within 300 s"
    assert Close(7) in effects
    assert Disarm(frozenset({Timer.RELOADS})) in effects
    assert Timer.RELOADS not in link.armed


def test_l1_a_reload_that_is_long_ago_does_not_count():
    link = at(State.CONNECTED)
    for _ in range(3):
        link, _ = do(link, Reloaded())
    link, _ = do(link, Fired(Timer.RELOADS))
    assert (link.reloads, Timer.RELOADS in link.armed) == (2, True), "each for itself"
    link, _ = do(link, Reloaded())
    assert link.phase is Stage.READING
    for left in (2, 1, 0):
        link, _ = do(link, Fired(Timer.RELOADS))
        assert (link.reloads, Timer.RELOADS in link.armed) == (left, left > 0)


def test_l1_a_page_that_reloads_itself_while_connecting_has_failed():
    link, _ = do(at(Stage.READING, reloads=3), Reloaded())
    assert (link.phase, link.reason, link.errors, link.fresh) == (State.ERROR, Reason.RELOADS_ITSELF, 1, True)


@pytest.mark.parametrize(
    ("phase", "reason", "fresh"),
    [
        (Stage.LAUNCHING, Reason.DEADLINE, True),
        (Stage.LAUNCHING, Reason.LAUNCH_FAILED, True),
        (Stage.READING, Reason.PAGE_UNKNOWN, True),
        (Stage.SYNCING, Reason.DEADLINE, True),
        (Stage.LAUNCHING, Reason.PROFILE_IN_USE, False),
        (Stage.AWAITING_SCAN, Reason.QR_EXPIRED, False),
        (Stage.SYNCING, Reason.CONNECTION_LOST, False),
        (State.CONNECTED, Reason.SESSION_CLOSED, False),
        (State.CONNECTED, Reason.CONNECTION_LOST, False),
        (State.CONNECTED, Reason.OUTDATED, True),
        (State.CONNECTED, Reason.RELOADS_ITSELF, True),
        (State.CONNECTED, Reason.PAGE_MISBEHAVES, True),
        (State.CONNECTED, Reason.UNRESPONSIVE, True),
        (State.CONNECTED, Reason.NAVIGATED, True),
        (Stage.LAUNCHING, Reason.NAVIGATED, True),
        (Stage.AWAITING_SCAN, Reason.NAVIGATED, True),
    ],
)
def test_k8_after_a_launch_that_came_to_nothing_the_next_is_a_fresh_one(phase, reason, fresh):
    link, _ = do(at(phase), Ended(reason))
    link, _ = do(link, Closed())
    link, effects = do(link, Fired(Timer.RETRY))
    assert opened(effects) == [Open(8, fresh=fresh)]
    _, effects = do(at(State.ERROR, fresh=True), Start())
    assert opened(effects) == [Open(7, fresh=True)], "an operator's start is no other"


def test_k8_what_failed_in_an_outage_is_loaded_afresh_after_it():
    link = at(Stage.LAUNCHING, on_hold=True)
    for event in (Ended(Reason.PAGE_UNKNOWN), Closed(), Release()):
        link, _ = do(link, event)
    _, effects = do(link, Fired(Timer.RETRY))
    assert opened(effects) == [Open(8, fresh=True)]
