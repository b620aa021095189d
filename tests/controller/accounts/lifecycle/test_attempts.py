"""An attempt, stage by stage: from the launch over codes, passkey and sync to CONNECTED (L4, L6, L7, L11)."""

import pytest

from controller.accounts.effects import (
    Activity,
    Alert,
    AlertOver,
    Arm,
    Close,
    Disarm,
    HideCode,
    Look,
    RecordBuild,
    ShowCode,
)
from controller.accounts.model import Breaker, Browser, Closed, Fired, Rest, Seen, SlotGranted, Stage, Start, Timer
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Ended,
    Loaded,
    PageView,
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Scanned,
    Syncing,
)
from tests.controller.accounts.lifecycle.links import (
    ARMED,
    CODE,
    CODE2,
    LIMITS,
    LOADED,
    OURS,
    SLOW,
    at,
    do,
    leaving,
    opened,
)


def test_l7_the_launch_deadline_runs_from_the_slot_on():
    after, effects = do(at(Stage.QUEUED), SlotGranted())
    assert after == at(Stage.LAUNCHING)
    assert effects == (Arm(Timer.DEADLINE, 60), Arm(Timer.ATTEMPT, 2700))


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.PASSKEY, Stage.DIALOG, Stage.SYNCING])
def test_l6_the_first_code_is_shown_at_once(phase):
    after, effects = do(at(phase, asked=True), CODE)
    assert (after.phase, after.shown) == (Stage.AWAITING_SCAN, CODE)
    assert after.armed == at(Stage.AWAITING_SCAN).armed | (ARMED[phase] & LIMITS)
    gone = [effect for effect in leaving(phase, attempt=False) if effect != AlertOver(Reason.DIALOG)]
    assert effects == (*gone, Arm(Timer.CODES, 120), ShowCode(CODE), Arm(Timer.DEBOUNCE, 2))


def test_l6_code_scanned_code_is_one_wait_of_120_seconds():
    link, effects = do(at(Stage.PAIRING, asked=True), CODE2)
    assert (link.phase, Timer.CODES in link.armed) == (Stage.AWAITING_SCAN, True)
    assert not [effect for effect in effects if isinstance(effect, Arm) and effect.timer is Timer.CODES]
    link, _ = do(link, Scanned())
    link, effects = do(link, Fired(Timer.CODES))
    assert (link.phase, link.spent, effects) == (Stage.PAIRING, {Timer.CODES}, ()), "a scan under way may end well"
    link, _ = do(link, CODE)
    assert (link.phase, link.reason) == (State.DISCONNECTED, Reason.QR_EXPIRED)


def test_l6_a_scan_that_ends_well_after_the_window_is_none_the_worse():
    link, _ = do(at(Stage.PAIRING, asked=True), Fired(Timer.CODES))
    link, _ = do(link, Authenticated(OURS))
    link, _ = do(link, Ready(OURS))
    assert (link.phase, link.spent) == (State.CONNECTED, frozenset())


def test_l6_a_code_within_the_window_is_held_and_the_newest_is_shown_when_it_ends():
    link, effects = do(at(Stage.AWAITING_SCAN), CODE2)
    assert (link.pending_code, effects) == (CODE2, ())
    newest = Code("ref3,n,i,a,1")
    link, effects = do(link, newest)
    assert (link.pending_code, effects) == (newest, ())
    link, effects = do(link, Fired(Timer.DEBOUNCE))
    assert (link.shown, link.pending_code) == (newest, None)
    assert effects == (ShowCode(newest), Arm(Timer.DEBOUNCE, 2))
    link, effects = do(link, Fired(Timer.DEBOUNCE))
    assert effects == ()
    assert link.armed == {Timer.CODES, Timer.ATTEMPT}
    link, effects = do(link, CODE)
    assert effects == (ShowCode(CODE), Arm(Timer.DEBOUNCE, 2))


def test_l6_the_same_code_is_not_shown_twice():
    link, _ = do(at(Stage.AWAITING_SCAN), CODE)
    link, effects = do(link, Fired(Timer.DEBOUNCE))
    assert effects == ()
    assert link.pending_code is None
    assert do(link, CODE) == (link, ())


def test_l6_nobody_scanned():
    after, effects = do(at(Stage.AWAITING_SCAN), Fired(Timer.CODES))
    assert (after.phase, after.reason, after.errors, after.browser) == (
        State.DISCONNECTED, Reason.QR_EXPIRED, 0, Browser.CLOSING,
    )  # fmt: skip
    timers = frozenset({Timer.DEBOUNCE, Timer.ATTEMPT})
    assert effects == (HideCode(), Close(7), Disarm(timers), Arm(Timer.RETRY, 1))


def test_l6_after_two_rounds_without_a_scan_linking_stops():
    link, effects = do(at(Stage.AWAITING_SCAN, rounds=1, attempts=1), Fired(Timer.CODES))
    assert (link.phase, link.reason, link.rounds, link.wants_connection) == (
        State.DISCONNECTED, Reason.QR_EXPIRED, 0, False,
    )  # fmt: skip
    assert not [effect for effect in effects if isinstance(effect, Arm | Alert)]
    link, _ = do(link, Closed())
    link, effects = do(link, Start())
    assert opened(effects), "a person begins it anew"


def test_l6_a_start_begins_the_rounds_anew():
    link, _ = do(at(State.DISCONNECTED, rounds=1), Start())
    assert link.rounds == 0


def test_l6_what_ends_between_the_rounds_leaves_them_counted():
    link, _ = do(at(Stage.LAUNCHING, rounds=1), Ended(Reason.LAUNCH_FAILED))
    assert (link.state, link.rounds, link.wants_connection) == (State.ERROR, 1, True)


def test_a_scan_takes_the_code_away():
    after, effects = do(at(Stage.AWAITING_SCAN), Scanned())
    assert after == at(Stage.PAIRING)
    assert effects == (*leaving(Stage.AWAITING_SCAN, attempt=False), Arm(Timer.DEADLINE, 60))


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.READING, Stage.AWAITING_SCAN, Stage.PAIRING, Stage.SYNCING])
def test_l11_a_passkey_is_told_once_and_waited_for_at_every_stage(phase):
    after, effects = do(at(phase, percent=4), PasskeyAsked())
    assert (after.phase, after.alerted) == (Stage.PASSKEY, {Reason.PASSKEY})
    assert (after.reason, after.lost, after.asks_passkey, after.percent) == (Reason.ASKED, None, True, None)
    assert effects == (*leaving(phase, attempt=False), Arm(Timer.PERSON, 600), Alert(Reason.PASSKEY))
    assert do(after, PasskeyAsked()) == (after, ())


def test_l11_a_passkey_is_asked_for_over_a_connection_too():
    after, effects = do(at(State.CONNECTED, linked=True), PasskeyAsked())
    assert (after.state, after.stage, after.reason) == (State.CONNECTING, Stage.PASSKEY, Reason.PASSKEY)
    assert after.lost is Reason.PASSKEY
    assert not [effect for effect in effects if isinstance(effect, Close)]
    assert effects[-1] == Alert(Reason.PASSKEY)
    assert after.armed == {Timer.PERSON, Timer.ATTEMPT}
    after, _ = do(after, Ready(OURS))
    assert after.phase is State.CONNECTED


def test_l11_a_passkey_that_was_given_leads_to_the_pairing_while_nobody_is_known_to_have_scanned():
    scanned = {"asks_passkey": True, "armed": frozenset({Timer.PERSON, Timer.CODES, Timer.ATTEMPT})}
    link, effects = do(at(Stage.PASSKEY, **scanned), PasskeyAnswered())
    assert (link.phase, link.asks_passkey, effects) == (Stage.PAIRING, False, (Arm(Timer.DEADLINE, 60),))
    link, _ = do(at(Stage.PASSKEY, identified=OURS, **scanned), PasskeyAnswered())
    assert (link.phase, link.asks_passkey) == (Stage.SYNCING, False)
    link, _ = do(at(Stage.PASSKEY, asks_passkey=True), PasskeyAnswered())
    assert (link.phase, link.asks_passkey) == (Stage.SYNCING, False)


def test_l11_a_passkey_that_is_given_during_another_stage_ends_only_the_question():
    link = at(Stage.SYNCING, asks_passkey=True)
    assert do(link, PasskeyAnswered()) == (link._replace(asks_passkey=False), ())


@pytest.mark.parametrize("phase", [Stage.PASSKEY, Stage.DIALOG])
def test_l7_only_a_percentage_that_rises_ends_the_wait_for_a_person(phase):
    link = at(phase)
    assert do(link, Syncing()) == (link, ())
    link, effects = do(link, Syncing(30))
    assert (link.phase, link.percent, effects) == (phase, 30, ())
    for percent in (30, None):
        assert do(link, Syncing(percent)) == (link, ())
    link, effects = do(link, Syncing(20))
    assert (link.phase, link.percent, effects) == (phase, 20, ())
    link, _ = do(link, Syncing(21))
    assert (link.phase, link.percent) == (Stage.SYNCING, 21)


def test_l7_a_person_has_ten_minutes_in_whichever_stage_and_not_ten_each_time():
    link, _ = do(at(Stage.SYNCING), PasskeyAsked())
    link, _ = do(link, Syncing(3))
    link, _ = do(link, Syncing(4))
    assert (link.phase, Timer.PERSON in link.armed) == (Stage.SYNCING, True)
    link, _ = do(link, Fired(Timer.PERSON))
    assert link.phase is Stage.SYNCING
    link, _ = do(link, PasskeyAsked())
    assert (link.phase, link.reason, link.detail) == (
        State.ERROR,
        Reason.DEADLINE,
        "waiting for a passkey took too long",
    )


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.READING, Stage.AWAITING_SCAN, Stage.PAIRING, Stage.PASSKEY])
@pytest.mark.parametrize("said", [Authenticated(OURS), Authenticated(), Syncing(40)], ids=repr)
def test_l7_who_is_known_may_take_the_sync_time(phase, said):
    scanned = {"spent": frozenset({Timer.CODES}), "percent": 39} if phase is Stage.PASSKEY else {}
    after, effects = do(at(phase, **scanned), said)
    assert after.phase is Stage.SYNCING
    assert after.percent == (40 if isinstance(said, Syncing) else scanned.get("percent"))
    assert after.identified == (OURS if said == Authenticated(OURS) else None)
    assert effects == (*leaving(phase, attempt=False), Arm(Timer.DEADLINE, 180), Arm(Timer.SYNC, 1800))


def test_l7_the_sync_s_deadline_runs_from_the_last_progress():
    link, effects = do(at(Stage.SYNCING), Syncing(70))
    assert (link, effects) == (at(Stage.SYNCING, percent=70), (Arm(Timer.DEADLINE, 180),))
    assert do(link, Syncing(70)) == (link, ()), "the same percentage is no progress"
    assert do(link, Syncing()) == (link, ())
    assert do(at(Stage.SYNCING), Authenticated(OURS)) == (at(Stage.SYNCING, identified=OURS, was_ours=True), ())


def test_l7_but_however_well_it_moves_it_has_a_limit():
    link, effects = do(at(Stage.SYNCING, percent=70), Fired(Timer.SYNC))
    assert (link.phase, effects) == (Stage.SYNCING, (Arm(Timer.DEADLINE, 15), Look(7)))
    link, effects = do(link, Syncing(71))
    assert (link.percent, effects) == (71, ()), "no progress puts off what is over"
    link, _ = do(link, Seen(PageView()))
    assert (link.phase, link.reason) == (State.ERROR, Reason.DEADLINE)


def test_l7_a_sync_that_is_come_back_to_has_no_more_time_than_the_first():
    link, _ = do(at(Stage.SYNCING), PasskeyAsked())
    link, _ = do(link, Fired(Timer.SYNC))
    assert link.phase is Stage.PASSKEY
    link, _ = do(link, Syncing(2))
    link, _ = do(link, Syncing(3))
    assert (link.phase, link.reason) == (State.ERROR, Reason.DEADLINE)


@pytest.mark.parametrize("phase", LOADED)
def test_l7_no_cycle_of_stages_lasts_for_ever(phase):
    link, effects = do(at(phase), Fired(Timer.ATTEMPT))
    assert (link.phase, link.reason) == (State.ERROR, Reason.DEADLINE)
    assert Close(7) in effects


@pytest.mark.parametrize("phase", LOADED)
@pytest.mark.parametrize("number", [OURS, None])
def test_ready_is_connected(phase, number):
    link = at(phase, attempts=2, errors=1, waits=3, asked=True, breaker=Breaker.HALF_OPEN, fresh=True, foreign=True,
              resting=Rest(Reason.EXHAUSTED), alerted=frozenset({Reason.STALE, Reason.FLAPPING}))  # fmt: skip
    after, effects = do(link, Ready(number))
    is_dialog = phase is Stage.DIALOG
    dialogs = {Timer.DIALOGS} if is_dialog else set()
    stands = {Reason.FLAPPING, Reason.DIALOG} if is_dialog else {Reason.FLAPPING}
    assert after == at(
        State.CONNECTED, linked=True, attempts=2, errors=1, waits=3, identified=number, was_ours=number is not None,
        reloads=link.reloads,
        armed=frozenset(ARMED[State.CONNECTED] | ARMED[phase] & {Timer.RELOADS} | dialogs),
        alerted=frozenset(stands), dialog=link.dialog, dialogs=int(is_dialog),
    )  # fmt: skip
    assert after.verified == (number is not None)
    gone = [effect for effect in leaving(phase) if not isinstance(effect, AlertOver)]
    still = [Arm(Timer.DIALOGS, 3600), Alert(Reason.DIALOG, detail="What's new", silent=True)]
    assert effects == (
        *gone, Arm(Timer.HEALTH, 30), Arm(Timer.KEEP_ALIVE, 62), Arm(Timer.STABLE, 61),
        Arm(Timer.QUIET, 150), Arm(Timer.STALE, 300), Activity(), *(still if phase is Stage.DIALOG else ()),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("phase", "timer"),
    [(Stage.LAUNCHING, Timer.DEADLINE), (Stage.READING, Timer.DEADLINE), (Stage.PAIRING, Timer.DEADLINE),
     (Stage.SYNCING, Timer.DEADLINE), (Stage.SYNCING, Timer.SYNC), (Stage.PASSKEY, Timer.PERSON),
     (Stage.DIALOG, Timer.PERSON)],
)  # fmt: skip
def test_l7_no_stage_may_hang_and_its_page_is_looked_at_before_it_is_given_up(phase, timer):
    link, effects = do(at(phase), Fired(timer))
    assert (link.phase, link.looking, effects) == (phase, True, (Arm(Timer.DEADLINE, 15), Look(7)))
    after, effects = do(link, Seen(PageView("Update now", picture=b"png")))
    assert (after.phase, after.reason, after.errors) == (State.ERROR, Reason.DEADLINE, 1)
    assert after.detail == f"{phase} took too long; the page shows: Update now"
    assert effects[-1] == Arm(Timer.RETRY, 1)
    assert not after.looking
    after, _ = do(link, Fired(Timer.DEADLINE))
    assert (after.phase, after.reason, after.errors) == (State.ERROR, Reason.DEADLINE, 1), "a look that hangs"
    assert after.detail.startswith(f"{phase} took too long")


def test_l7_what_comes_while_it_is_looked_is_not_too_late():
    link, _ = do(at(Stage.LAUNCHING), Fired(Timer.DEADLINE))
    link, _ = do(link, Authenticated(OURS))
    assert (link.phase, link.looking) == (Stage.SYNCING, False)
    assert do(link, Seen(PageView("x"))) == (link, ()), "the look was for a stage that is over"


def test_k7_the_alert_of_a_stuck_page_carries_its_picture_and_words():
    link, _ = do(at(Stage.LAUNCHING, errors=4), Fired(Timer.DEADLINE))
    link, effects = do(link, Seen(PageView("Update now", picture=b"png")))
    assert effects[-1] == Alert(Reason.BREAKER_OPEN, b"png")
    assert "Update now" in link.detail


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.READING, Stage.PAIRING, Stage.PASSKEY, Stage.SYNCING])
def test_l4_a_code_where_a_session_was_expected_is_an_error(phase):
    after, effects = do(at(phase, linked=True), CODE)
    assert (after.phase, after.reason, after.errors, after.linked) == (State.ERROR, Reason.RESTORE_FAILED, 1, True)
    assert ShowCode(CODE) not in effects
    asked, effects = do(at(phase, linked=True, asked=True), CODE)
    assert asked.phase is Stage.AWAITING_SCAN, "whoever asked is there to scan"


@pytest.mark.parametrize("phase", [Stage.READING, Stage.PASSKEY, Stage.SYNCING, Stage.DIALOG])
@pytest.mark.parametrize("reason", [Reason.RELOADED, Reason.PASSKEY])
def test_l11_a_code_where_this_browser_was_connected_is_a_log_out(phase, reason):
    """Nothing was wrong with the saved session: it was open a moment ago."""
    after, effects = do(at(phase, linked=True, reason=reason, lost=reason), CODE)
    assert (after.phase, after.reason, after.linked) == (State.DISCONNECTED, Reason.LOGGED_OUT, False)
    assert (after.errors, after.armed, after.lost) == (0, frozenset(), None)
    assert Alert(Reason.LOGGED_OUT) in effects


def test_x12_a_passkey_in_a_slow_silent_trial_is_told_once_and_so_is_that_it_was_given_up():
    link, told = at(State.SUSPENDED, reason=Reason.EXHAUSTED, alerted=frozenset({Reason.EXHAUSTED})), []
    for _ in range(3):
        for event in (
            Fired(Timer.COOLDOWN),
            SlotGranted(),
            PasskeyAsked(),
            Fired(Timer.PERSON),
            Seen(PageView()),
            Closed(),
        ):
            link, effects = do(link, event, SLOW)
            told += [effect.reason for effect in effects if isinstance(effect, Alert)]
        assert (link.phase, link.reason) == (State.SUSPENDED, Reason.EXHAUSTED)
    assert told == [Reason.PASSKEY]


def test_the_identity_of_a_saved_session_does_not_end_the_wait_for_its_passkey():
    link, _ = do(at(Stage.LAUNCHING), PasskeyAsked())
    link, effects = do(link, Authenticated(OURS))
    assert (link.phase, effects) == (Stage.PASSKEY, ())


def test_the_identity_after_a_scan_shows_that_the_passkey_was_given():
    link, _ = do(at(Stage.LAUNCHING, asked=True), CODE)
    for event in (Scanned(), PasskeyAsked(), Authenticated(OURS)):
        link, _ = do(link, event)
    assert link.phase is Stage.SYNCING


def test_k10_what_the_phone_asks_for_after_a_passkey_has_the_rest_of_the_ten_minutes():
    link, _ = do(at(Stage.LAUNCHING, asked=True), CODE)
    for event in (Scanned(), PasskeyAsked(), PasskeyAnswered()):
        link, _ = do(link, event)
    for _ in range(3):
        link, effects = do(link, Fired(Timer.DEADLINE))
        assert (link.phase, effects) == (Stage.PAIRING, (Arm(Timer.DEADLINE, 60),))
    link, _ = do(link, Fired(Timer.PERSON))
    link, effects = do(link, Fired(Timer.DEADLINE))
    assert Look(link.session) in effects
    link, _ = do(link, Seen(PageView("Enter the code on your phone")))
    assert (link.state, link.reason) == (State.ERROR, Reason.DEADLINE)


def test_the_build_of_each_document_is_recorded():
    parts = {"present": frozenset({"socket"}), "missing": frozenset({"stream"})}
    link, effects = do(at(Stage.LAUNCHING), Loaded("2.3000.1", **parts))
    assert (link.phase, link.build, link.missing) == (Stage.LAUNCHING, "2.3000.1", {"stream"})
    assert effects == (RecordBuild("2.3000.1", **parts),)
