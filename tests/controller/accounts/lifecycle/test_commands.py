"""Commands of an operator and of the controller: start, "Use here", suspend, stop, recycle (L1, L12, L15)."""

import pytest

from controller.accounts.effects import Alert, Arm, Close, HideCode, Open, Refuse, ShowCode
from controller.accounts.lifecycle.table import TABLE, advance
from controller.accounts.model import (
    Boot,
    Breaker,
    Browser,
    Closed,
    Connection,
    Fired,
    FromSession,
    LoggedOut,
    Next,
    Recycle,
    Release,
    Rest,
    SlotGranted,
    Stage,
    Start,
    Stop,
    StopLinking,
    Suspend,
    Timer,
    Wanted,
)
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Identified, Ready, Scanned
from tests.controller.accounts.lifecycle.links import (
    AT_REST,
    CODE,
    DIALOG,
    LIMITS,
    LOADED,
    OTHER,
    OURS,
    POLICY,
    RUNNING,
    at,
    do,
    leaving,
    opened,
)


@pytest.mark.parametrize("phase", AT_REST)
def test_a_start_opens_one_browser_with_counters_at_zero(phase):
    link = at(
        phase, attempts=3, errors=2, waits=4, breaker=Breaker.OPEN, refreshed=True, resting=Rest(Reason.EXHAUSTED),
        alerted=frozenset({Reason.BANNED}), failed_probes=1, quiet=True, probing=True, percent=4,
        pending_code=CODE, detail="x", cause=Reason.STALE, identified=OTHER, partial="x", dialog=DIALOG,
        interrupted=Stage.SYNCING, reloads=2,
        build="x", missing=frozenset("x"), spent=frozenset(LIMITS), logged_out=True, looking=True,
    )  # fmt: skip
    after, effects = do(link, Start())
    assert after == Connection(
        OURS,
        state=State.CONNECTING,
        stage=Stage.QUEUED,
        reason=Reason.ASKED,
        asked=True,
        browser=Browser.OPEN,
        session=7,
    )
    assert effects == (*leaving(phase), Open(7))


@pytest.mark.parametrize("phase", RUNNING)
def test_l1_a_start_on_the_way_or_there_launches_nothing_and_says_so(phase):
    link = at(phase)
    during, unseen = isinstance(phase, Stage), phase not in {Stage.AWAITING_SCAN, State.CONNECTED}
    assert do(link, Start()) == (link._replace(asked=during, asked_again=unseen), (Refuse(),))


@pytest.mark.parametrize("phase", [State.DISCONNECTED, State.ERROR, State.SUSPENDED, State.IDLE])
def test_l1_a_start_waits_until_the_earlier_browser_is_gone(phase):
    link = at(phase, browser=Browser.CLOSING)
    waiting, effects = do(link, Start(takeover=True))
    assert waiting.due == Next(Reason.ASKED, takeover=True)
    assert waiting.phase is phase
    assert not opened(effects)
    assert not waiting.armed
    after, effects = do(waiting, Closed())
    assert (after.phase, after.browser, after.session, after.due) == (Stage.QUEUED, Browser.OPEN, 7, None)
    assert opened(effects) == [Open(7, takeover=True)]


def test_l1_two_starts_while_closing_open_one_browser():
    link = at(State.ERROR, browser=Browser.CLOSING)
    link, _ = do(link, Start())
    link, _ = do(link, Start())
    link, effects = do(link, Closed())
    assert effects == (Open(7),)


@pytest.mark.parametrize("phase", AT_REST)
def test_l1_a_closed_browser_leads_to_nothing_where_nothing_is_due(phase):
    after, effects = do(at(phase, browser=Browser.CLOSING), Closed())
    assert (after, effects) == (at(phase), ())


@pytest.mark.parametrize("phase", list(TABLE))
def test_l12_suspend_closes_and_stays(phase):
    link = at(phase, attempts=3, errors=2, due=None)
    after, effects = do(link, Suspend())
    assert (after.phase, after.reason, after.armed) == (State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR, frozenset())
    assert (after.attempts, after.errors) == (0, 0)
    assert (Close(7) in effects) == (phase in RUNNING)
    assert (HideCode() in effects) == (phase is Stage.AWAITING_SCAN)
    assert do(after, Suspend()) == (after, (Refuse(),))


WAITS_FOR_A_PHONE = (Stage.QUEUED, Stage.LAUNCHING, Stage.READING, Stage.AWAITING_SCAN, Stage.DIALOG)


@pytest.mark.parametrize("phase", list(TABLE))
def test_linking_that_nobody_waits_for_ends_as_if_it_had_not_begun(phase):
    link = at(phase, attempts=3, errors=2, due=None, linked=False)
    after, effects = do(link, StopLinking())
    if phase not in {*WAITS_FOR_A_PHONE, State.DISCONNECTED, State.ERROR, State.SUSPENDED}:
        assert (after, effects) == (link, (Refuse(),)), "somebody has scanned its code, or nothing is under way"
        return
    assert (after.phase, after.reason, after.armed) == (State.DISCONNECTED, Reason.NOT_LINKED, frozenset())
    assert (after.attempts, after.errors, after.wants_connection) == (0, 0, False)
    assert (Close(7) in effects) == (phase in RUNNING)
    assert (HideCode() in effects) == (phase is Stage.AWAITING_SCAN)
    assert do(after, StopLinking()) == (after, (Refuse(),))
    linked = at(phase, linked=True)
    assert do(linked, StopLinking()) == (linked, (Refuse(),)), "that is no linking"


def test_what_rests_for_a_reason_of_its_own_keeps_it():
    for reason in (Reason.LOGGED_OUT, Reason.QR_EXPIRED):
        link = at(State.DISCONNECTED, reason=reason, linked=False, armed=frozenset())
        assert do(link, StopLinking()) == (link, (Refuse(),))


def test_a_dialog_over_a_scanned_code_is_no_linking_that_nobody_waits_for():
    link = at(Stage.DIALOG, linked=False, interrupted=Stage.SYNCING)
    assert do(link, StopLinking()) == (link, (Refuse(),))


def test_l12_suspend_takes_back_a_start_that_still_waits():
    link = at(State.SUSPENDED, reason=Reason.SUSPENDED_BY_OPERATOR, browser=Browser.CLOSING, armed=frozenset())
    link, _ = do(link, Start())
    link, effects = do(link, Suspend())
    assert Refuse() not in effects
    _, effects = do(link, Closed())
    assert effects == ()


@pytest.mark.parametrize("phase", RUNNING)
def test_l15_stop_closes(phase):
    after, effects = do(at(phase), Stop())
    assert (after.phase, after.reason, after.armed, after.browser) == (
        State.IDLE, Reason.SHUTDOWN, frozenset(), Browser.CLOSING,
    )  # fmt: skip
    assert Close(7) in effects


@pytest.mark.parametrize("phase", AT_REST)
def test_l15_what_is_at_rest_keeps_its_reason_over_the_stop(phase):
    link = at(phase, browser=Browser.CLOSING, due=Next(Reason.RETRY))
    after, effects = do(link, Stop())
    assert after == link._replace(armed=frozenset(), due=None, stopped=True)
    assert effects == leaving(phase)


@pytest.mark.parametrize("phase", list(TABLE))
def test_l15_nothing_opens_after_stop_has_been_said(phase):
    link, _ = do(at(phase), Stop())
    assert link.browser is not Browser.OPEN
    for event in (Start(), Suspend(), Boot(Wanted.CONNECTED, linked=True, state=State.ERROR), Release(), Closed(),
                  Start(), *map(Fired, Timer), FromSession(link.session, Closed()), Start()):  # fmt: skip
        link, effects = advance(link, event, POLICY)
        assert not opened(effects)
        assert effects == ((Refuse(),) if isinstance(event, Start | Suspend) else ())


def test_stop_may_log_the_device_out_first_and_says_whether_it_did():
    link, effects = do(at(State.CONNECTED), Stop(log_out=True))
    assert Close(7, log_out=True) in effects
    assert (link.state, link.reason) == (State.IDLE, Reason.REMOVED), "the program goes on"
    link, _ = do(link, Closed(logged_out=True))
    assert link.logged_out is True


@pytest.mark.parametrize("phase", list(TABLE))
def test_only_a_connection_is_recycled(phase):
    link, effects = do(at(phase), Recycle("memory"))
    if phase is State.CONNECTED:
        assert (link.phase, link.reason, link.detail) == (State.DISCONNECTED, Reason.RECYCLED, "memory")
        assert effects[-1] == Arm(Timer.RETRY, 0)
    else:
        assert (link, effects) == (at(phase), ())


def test_l1_a_start_during_an_attempt_of_its_own_lets_that_attempt_show_a_code():
    """A restart tries profiles that seem to hold a session; /link meanwhile must not report a lost session."""
    trying = at(Stage.LAUNCHING, linked=True, asked=False)
    asked, effects = do(trying, Start())
    assert effects == (Refuse(),)
    shown, effects = do(asked, CODE)
    assert shown.stage is Stage.AWAITING_SCAN
    assert any(isinstance(effect, ShowCode) for effect in effects)


def test_l1_a_start_while_another_device_is_logged_out_begins_when_that_is_done():
    leaving_it = at(Stage.LOGGING_OUT, asked=False)
    asked, effects = do(leaving_it, Start())
    assert effects == (Refuse(),)
    ended, _ = do(asked, LoggedOut(confirmed=True))
    assert (ended.state, ended.reason) == (State.DISCONNECTED, Reason.WRONG_NUMBER)
    begun, effects = do(ended, Closed())
    assert begun.stage is Stage.QUEUED
    assert begun.asked
    assert len(opened(effects)) == 1


@pytest.mark.parametrize("stage", [Stage.PAIRING, Stage.PASSKEY, Stage.DIALOG, Stage.SYNCING])
@pytest.mark.parametrize("result", [LoggedOut(confirmed=True), Ended(Reason.SESSION_CLOSED)], ids=repr)
def test_l1_a_start_between_a_scan_and_the_word_whose_it_was_brings_a_new_code(stage, result):
    asked, effects = do(at(stage, asked=True), Start())
    assert effects == (Refuse(),)
    link, _ = do(asked, Identified(OTHER))
    link, effects = do(link, result)
    assert isinstance(effects[-1], Alert), "that a wrong phone scanned is told all the same"
    link, effects = do(link, Closed())
    assert (link.stage, link.reason, len(opened(effects))) == (Stage.QUEUED, Reason.ASKED, 1)
    link, _ = do(link, SlotGranted())
    link, effects = do(link, CODE)
    assert ShowCode(CODE) in effects
    link, _ = do(link, Scanned())
    link, _ = do(link, Identified(OTHER))
    link, _ = do(link, LoggedOut(confirmed=True))
    assert do(link, Closed())[0].phase is State.DISCONNECTED, "each start is one start"


def test_l1_a_start_that_was_followed_by_a_code_asks_for_no_other():
    link, _ = do(at(Stage.LAUNCHING, asked=True), Start())
    link, _ = do(link, CODE)
    link, _ = do(link, Start())  # while it can be seen
    link, _ = do(link, Scanned())
    link, _ = do(link, Identified(OTHER))
    link, _ = do(link, LoggedOut(confirmed=True))
    assert do(link, Closed())[0].phase is State.DISCONNECTED


@pytest.mark.parametrize("reason", [Reason.LOGGED_OUT, Reason.SYNC_FAILED, Reason.STORAGE_FULL])
def test_l1_a_start_during_an_attempt_that_finds_the_device_removed_brings_a_code(reason):
    link, _ = do(at(Stage.READING, linked=True), Start())
    link, effects = do(link, Ended(reason))
    assert effects[-1] == Alert(reason)
    link, effects = do(link, Closed())
    assert (link.stage, link.reason, len(opened(effects))) == (Stage.QUEUED, Reason.ASKED, 1)


def test_l6_a_start_during_the_pairing_that_was_the_last_round_s_last_chance_brings_a_code():
    link, _ = do(at(Stage.PAIRING, asked=True, rounds=1, spent=frozenset({Timer.CODES})), Start())
    link, _ = do(link, CODE)
    assert (link.phase, link.reason) == (State.DISCONNECTED, Reason.QR_EXPIRED)
    link, effects = do(link, Closed())
    assert (link.stage, link.reason, link.rounds, len(opened(effects))) == (Stage.QUEUED, Reason.ASKED, 0, 1)


@pytest.mark.parametrize("reason", [Reason.ACCOUNT_LOCKED, Reason.BANNED, Reason.CONFLICT, Reason.SCREEN_LOCKED])
def test_l1_a_start_during_an_attempt_is_no_answer_to_what_a_new_code_does_not_mend(reason):
    link, _ = do(at(Stage.READING, linked=True), Start())
    link, _ = do(link, Ended(reason))
    assert not do(link, Closed())[0].wants_connection


@pytest.mark.parametrize("stage", [Stage.QUEUED, *LOADED])
def test_l1_use_here_during_an_attempt_takes_over_once_that_meets_the_other_browser(stage):
    asked, effects = do(at(stage, linked=True), Start(takeover=True))
    assert effects == (Refuse(),)
    link, effects = do(asked, Ended(Reason.CONFLICT))
    assert not any(isinstance(effect, Alert) for effect in effects), "they have said what to do about it"
    link, effects = do(link, Closed())
    assert opened(effects) == [Open(8, takeover=True, lost=True)]
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.CONFLICT))
    assert Alert(Reason.CONFLICT) in effects, "it was taken back, and lost again"
    assert not do(link, Closed())[0].wants_connection


def test_use_here_outlives_an_attempt_that_fails_before_its_page_is_there():
    resting = at(State.DISCONNECTED, reason=Reason.CONFLICT, armed=frozenset(), linked=True)
    link, _ = do(resting, Start(takeover=True))
    for failure in (Reason.LAUNCH_FAILED, Reason.SESSION_CLOSED):
        link, _ = do(link, Ended(failure))
        link, _ = do(link, Closed())
        link, effects = do(link, Fired(Timer.RETRY))
        assert [open_.takeover for open_ in opened(effects)] == [True]


def test_use_here_is_not_undone_by_a_reconnect():
    closing = at(State.DISCONNECTED, reason=Reason.CONFLICT, armed=frozenset(), browser=Browser.CLOSING)
    link, _ = do(closing, Start(takeover=True))
    link, _ = do(link, Start())
    _, effects = do(link, Closed())
    assert opened(effects) == [Open(7, takeover=True)]


@pytest.mark.parametrize(
    "event", [Suspend(), Ready(OURS), Ended(Reason.LOGGED_OUT), Ended(Reason.SCREEN_LOCKED)], ids=repr
)
def test_use_here_is_over_when_it_is_connected_or_a_person_has_to_do_something_else(event):
    link, _ = do(at(Stage.READING, linked=True), Start(takeover=True))
    link, _ = do(link, event)
    if link.state is not State.CONNECTED:
        link, _ = do(link, Closed())
        link, _ = do(link, Start())
        link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.CONFLICT))
    assert Alert(Reason.CONFLICT) in effects


def test_use_here_never_is_never():
    never = Policy(takeover=Takeover.NEVER)
    link, _ = do(at(Stage.READING, linked=True), Start(takeover=True), never)
    link, effects = do(link, Ended(Reason.CONFLICT), never)
    assert Alert(Reason.CONFLICT_LEFT) in effects
    assert not do(link, Closed(), never)[0].wants_connection


def test_who_begins_anew_is_not_linked_any_more():
    resting = at(State.DISCONNECTED, reason=Reason.ARCHIVE_OUTDATED, linked=True)

    assert do(resting, Start(anew=True))[0].linked is False
    assert do(resting, Start())[0].linked is True
