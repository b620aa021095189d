"""The table row by row: the result of each trigger in each phase, down to the last effect."""

import itertools
from dataclasses import fields, replace

import pytest

from controller.accounts.effects import (
    Activity,
    Alert,
    AlertOver,
    Arm,
    Close,
    Disarm,
    Dismiss,
    Heartbeat,
    HideCode,
    LogOut,
    Look,
    Open,
    Probe,
    RecordBuild,
    Refuse,
    ReleaseSlot,
    ShowCode,
    Tripped,
)
from controller.accounts.lifecycle.step import OF_ATTEMPT, OF_PHASE, Changes
from controller.accounts.lifecycle.table import TABLE, advance
from controller.accounts.model import (
    AnswerDialog,
    Boot,
    Breaker,
    Browser,
    Closed,
    ConfirmNumber,
    Connection,
    DialogStays,
    Fired,
    FromSession,
    HeartbeatResult,
    Hold,
    LoggedOut,
    Next,
    Phase,
    Recycle,
    Release,
    Rest,
    Seen,
    SlotGranted,
    Stage,
    Start,
    Stop,
    Suspend,
    Timer,
    Wanted,
)
from controller.accounts.policy import Dialogs, Policy, Takeover
from controller.accounts.reasons import TRAITS, VERDICTS, Reason, Remedy, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Dialog,
    DialogClosed,
    Ended,
    Health,
    Heard,
    Identified,
    Layer,
    Loaded,
    PageView,
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    SocketDown,
    Syncing,
)

OURS, OTHER = "+491511234567", "+4915112345999"
POLICY = Policy(stable_after=61, keep_alive=62, breaker_cooldown=63, log_out_timeout=14)
"""The defaults, but for those that share a number with another: a mistaken one must show."""
CODE = Code("ref1,noise,identity,adv,1")
CODE2 = Code("ref2,noise,identity,adv,1")
DIALOG = Dialog("What's new", known=True)

AT_REST = (State.IDLE, State.DISCONNECTED, State.ERROR, State.SUSPENDED)
RUNNING = (*Stage, State.CONNECTED)
LOADED = (
    Stage.LAUNCHING, Stage.READING, Stage.AWAITING_SCAN, Stage.PAIRING, Stage.PASSKEY, Stage.DIALOG, Stage.SYNCING,
)  # fmt: skip

ARMED: dict[Phase, set[Timer]] = {
    State.IDLE: set(),
    Stage.QUEUED: set(),
    Stage.LAUNCHING: {Timer.DEADLINE, Timer.ATTEMPT},
    Stage.READING: {Timer.DEADLINE, Timer.ATTEMPT, Timer.RELOADS},
    Stage.AWAITING_SCAN: {Timer.DEBOUNCE, Timer.CODES, Timer.ATTEMPT},
    Stage.PAIRING: {Timer.DEADLINE, Timer.CODES, Timer.ATTEMPT},
    Stage.PASSKEY: {Timer.PERSON, Timer.ATTEMPT},
    Stage.DIALOG: {Timer.PERSON, Timer.ATTEMPT},
    Stage.SYNCING: {Timer.DEADLINE, Timer.SYNC, Timer.ATTEMPT},
    Stage.LOGGING_OUT: {Timer.DEADLINE, Timer.ATTEMPT},
    State.CONNECTED: {Timer.HEALTH, Timer.KEEP_ALIVE, Timer.QUIET, Timer.STALE, Timer.STABLE},
    State.DISCONNECTED: {Timer.RETRY},
    State.ERROR: {Timer.RETRY},
    State.SUSPENDED: {Timer.COOLDOWN},
}


def at(phase: Phase, **changes) -> Connection:
    """A link in this phase, as it usually is there; session 7 where a browser is open, 6 where one was."""
    stage = phase if isinstance(phase, Stage) else None
    running = phase in RUNNING
    usual = {
        "state": State.CONNECTING if stage else phase,
        "stage": stage,
        "reason": {
            State.CONNECTED: Reason.LINKED,
            State.IDLE: None,
            State.SUSPENDED: Reason.BREAKER_OPEN,
            State.DISCONNECTED: Reason.CONNECTION_LOST,
            State.ERROR: Reason.DEADLINE,
        }.get(phase, Reason.ASKED),
        "browser": Browser.OPEN if running else Browser.NONE,
        "session": 7 if running else 6,
        "armed": frozenset(ARMED[phase]),
        "shown": CODE if phase is Stage.AWAITING_SCAN else None,
        "reloads": 1 if phase is Stage.READING else 0,
        "dialog": DIALOG if phase is Stage.DIALOG else None,
        "alerted": frozenset({Reason.DIALOG} if phase is Stage.DIALOG else ()),
    }
    return Connection(**({"number": OURS} | usual | changes))


COMMANDS = (Start, Suspend, Stop, Boot, Fired, Hold, Release, Recycle, ConfirmNumber, AnswerDialog)


def do(link: Connection, event, policy: Policy = POLICY):
    if not isinstance(event, (*COMMANDS, FromSession)):
        event = FromSession(link.session, event)
    after, effects = advance(link, event, policy)
    what = event.event if isinstance(event, FromSession) else event
    row = TABLE[link.phase].get(what.timer if isinstance(what, Fired) else type(what))
    assert after.phase == link.phase or (row is not None and after.phase in row.to), "the table does not say so"
    return after, effects


def leaving(phase: Phase, *, attempt: bool = True) -> tuple[object, ...]:
    """The effects of leaving a phase, in order. attempt: for something that is no stage of the same attempt."""
    code = (HideCode(),) if phase is Stage.AWAITING_SCAN else ()
    dialog = (AlertOver(Reason.DIALOG),) if phase is Stage.DIALOG else ()
    slot = (ReleaseSlot(),) if phase is Stage.LAUNCHING else ()
    timers = frozenset(ARMED[phase] & (OF_PHASE | OF_ATTEMPT if attempt else OF_PHASE))
    return (*code, *dialog, *slot, *((Disarm(timers),) if timers else ()))


def ended(phase: Phase) -> tuple[object, ...]:
    """The same if the browser is closed in between."""
    before = [effect for effect in leaving(phase) if isinstance(effect, HideCode | AlertOver)]
    after = [effect for effect in leaving(phase) if not isinstance(effect, HideCode | AlertOver)]
    browser = (Disarm(frozenset({Timer.RELOADS})),) if phase is Stage.READING else ()
    return (*before, *browser, Close(7), *after)


def opened(effects) -> list[Open]:
    return [effect for effect in effects if isinstance(effect, Open)]


# --- the table itself -----------------------------------------------------------------------------------------------

ALWAYS = {Start, Stop, Suspend, ConfirmNumber, AnswerDialog, Hold, Release, Timer.FLAPS, Timer.CALM, Timer.DIALOGS}
OPEN = ALWAYS | {Ended, Loaded, Reloaded, Identified, PasskeyAsked, Dialog, DialogClosed, Timer.RELOADS}
OPEN |= {Authenticated, Ready, Code, PasskeyAnswered, DialogStays}
LIMITS = {Timer.CODES, Timer.PERSON, Timer.SYNC, Timer.ATTEMPT}
IN_PAGE = OPEN | LIMITS | {Syncing, Seen, Timer.DEADLINE}
LISTED = {
    State.IDLE: ALWAYS | {Closed, Boot},
    Stage.QUEUED: ALWAYS | {Ended, SlotGranted},
    Stage.LAUNCHING: IN_PAGE,
    Stage.READING: IN_PAGE,
    Stage.AWAITING_SCAN: IN_PAGE - {Seen, Timer.DEADLINE} | {Scanned, Timer.DEBOUNCE},
    Stage.PAIRING: IN_PAGE,
    Stage.PASSKEY: IN_PAGE,
    Stage.DIALOG: IN_PAGE,
    Stage.SYNCING: IN_PAGE,
    Stage.LOGGING_OUT: ALWAYS | LIMITS | {Ended, LoggedOut, Timer.DEADLINE, Timer.RELOADS},
    State.CONNECTED: OPEN
    | {Recycle, Heard, SocketDown, HeartbeatResult, Health}
    | {Timer.HEALTH, Timer.KEEP_ALIVE, Timer.QUIET, Timer.STABLE, Timer.STALE},
    State.DISCONNECTED: ALWAYS | {Closed, Timer.RETRY},
    State.ERROR: ALWAYS | {Closed, Timer.RETRY},
    State.SUSPENDED: ALWAYS | {Closed, Timer.COOLDOWN},
}


def test_the_table_lists_what_can_happen_and_nothing_else():
    assert {phase: set(rows) for phase, rows in TABLE.items()} == LISTED


SAYINGS = {
    Ended: [Ended(reason) for reason in VERDICTS],
    Health: [Health(layer) for layer in (None, *Layer)],
    Authenticated: [Authenticated(OURS), Authenticated(OTHER)],
    Ready: [Ready(OURS), Ready(OTHER)],
    Identified: [Identified(OURS), Identified(OTHER)],
    Code: [CODE],
    Syncing: [Syncing(40)],
    HeartbeatResult: [HeartbeatResult(answered=True)],
    Dialog: [DIALOG, Dialog("odd"), Dialog("locked", locked=True)],
    LoggedOut: [LoggedOut(confirmed=True), LoggedOut(confirmed=False)],
    Seen: [Seen(PageView())],
    Recycle: [Recycle("memory")],
    ConfirmNumber: [ConfirmNumber(same=True), ConfirmNumber(same=False)],
    Boot: [
        Boot(wanted, linked=linked, state=state, reason=reason)
        for wanted in Wanted
        for linked in (False, True)
        for state in (State.CONNECTED, State.SUSPENDED)
        for reason in (None, Reason.LOGGED_OUT, Reason.BANNED)
    ],
}
NEARLY, NEARLY_TOO = f"{OURS[:3]}0{OURS[3:]}", f"{OURS[:5]}0{OURS[5:]}"
"""Differs from ours by one digit."""
CIRCUMSTANCES = [
    dict(zip(("attempts", "errors", "breaker", "linked", "failed_probes", "due"), values, strict=True)) | more
    for values in itertools.product(
        (0, 10), (0, 4), (Breaker.CLOSED, Breaker.HALF_OPEN), (False, True), (0, 1), (None, Next(Reason.RETRY))
    )
    for more in (
        {"asked": True},
        {"percent": 3, "dialog": DIALOG, "alerted": frozenset()},
        {"percent": 3, "asks_passkey": True, "identified": OURS},
        {"looking": True, "spent": frozenset(LIMITS), "reloads": 3, "unconfirmed": NEARLY, "identified": NEARLY},
        {"asked": True, "spent": frozenset(LIMITS), "interrupted": Stage.SYNCING, "percent": 3, "dialog": DIALOG},
    )
]  # fmt: skip


@pytest.mark.parametrize(("phase", "key"), [(phase, key) for phase, rows in TABLE.items() for key in rows], ids=str)
def test_each_row_leads_to_each_phase_that_it_names_and_to_no_other(phase, key):
    said = [Fired(key)] if isinstance(key, Timer) else SAYINGS.get(key) or [key()]
    reached = set()
    for what, circumstances in itertools.product(said, CIRCUMSTANCES):
        waiting = circumstances["due"] is not None
        if waiting and phase in RUNNING:
            continue
        browser = {"browser": Browser.CLOSING} if waiting or key is Closed else {}
        only = {} if phase in LOADED else {"spent": frozenset()}
        if phase not in {*LOADED, State.CONNECTED}:
            only["identified"] = None
        link = at(phase, **(circumstances | browser | only), armed=frozenset(Timer))
        event = what if isinstance(what, COMMANDS) else None
        after, _ = advance(link, event or FromSession(link.session, what), POLICY)
        reached.add(after.phase)
    assert reached - {phase} == set(TABLE[phase][key].to) - {phase}


def test_the_contract_s_numbers():
    assert Policy() == Policy(
        delays=(1, 2, 4, 8, 16, 30), max_attempts=10, breaker_threshold=5, breaker_cooldown=60, suspended_retry=0,
        qr_debounce=2, qr_timeout=120, qr_rounds=2, health_check=30, probe_timeout=10, failed_probes=2, keep_alive=60,
        stale_after=300, stable_after=300, connect_timeout=60, sync_timeout=180, sync_limit=1800, passkey_timeout=600,
        log_out_timeout=15, reloads=3, reload_window=300, flaps=5, flap_window=3600,
        takeover=Takeover.ASK, dialogs=Dialogs.ASK,
    )  # fmt: skip


# --- L1: one attempt at a time ----------------------------------------------------------------------------------------


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
    assert do(link, Start()) == (replace(link, asked=during, asked_again=unseen), (Refuse(),))


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
@pytest.mark.parametrize(
    "said",
    [CODE, Scanned(), PasskeyAsked(), Authenticated(OURS), Syncing(3), Ready(OURS), Heard(), SocketDown(),
     Ended(Reason.UNKNOWN), SlotGranted(), Closed(), Health(Layer.PAGE), HeartbeatResult(answered=True)],
    ids=lambda said: type(said).__name__,
)  # fmt: skip
def test_l1_what_an_earlier_browser_reports_is_dropped(phase, said):
    link = at(phase)
    assert advance(link, FromSession(link.session - 1, said), POLICY) == (link, ())


@pytest.mark.parametrize("phase", list(TABLE))
@pytest.mark.parametrize("timer", list(Timer))
def test_a_timer_that_is_not_armed_does_nothing(phase, timer):
    link = at(phase, armed=frozenset())
    assert advance(link, Fired(timer), POLICY) == (link, ())


@pytest.mark.parametrize("phase", list(TABLE))
def test_what_is_not_listed_changes_nothing(phase):
    link = at(phase)
    for said in (CODE, Scanned(), PasskeyAsked(), Authenticated(), Syncing(), Ready(), Heard(), SocketDown(),
                 SlotGranted(), Closed(), Health(), HeartbeatResult(answered=True), Ended(Reason.UNKNOWN)):  # fmt: skip
        if type(said) not in TABLE[phase]:
            assert do(link, said) == (link, ())


# --- an attempt, stage by stage (L6, L7) ------------------------------------------------------------------------------


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
    after, effects = do(at(phase), PasskeyAsked())
    assert (after.phase, after.alerted) == (Stage.PASSKEY, {Reason.PASSKEY})
    assert effects == (*leaving(phase, attempt=False), Arm(Timer.PERSON, 600), Alert(Reason.PASSKEY))
    assert do(after, PasskeyAsked()) == (after, ())


def test_l11_a_passkey_is_asked_for_over_a_connection_too():
    after, effects = do(at(State.CONNECTED, linked=True), PasskeyAsked())
    assert (after.state, after.stage, after.reason) == (State.CONNECTING, Stage.PASSKEY, Reason.PASSKEY)
    assert not [effect for effect in effects if isinstance(effect, Close)]
    assert effects[-1] == Alert(Reason.PASSKEY)
    assert after.armed == {Timer.PERSON, Timer.ATTEMPT}
    after, _ = do(after, Ready(OURS))
    assert after.phase is State.CONNECTED


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
    after, effects = do(link, Seen(PageView("Update now", b"png")))
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
    link, effects = do(link, Seen(PageView("Update now", b"png")))
    assert effects[-1] == Alert(Reason.BREAKER_OPEN, b"png")
    assert "Update now" in link.detail


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.READING, Stage.PAIRING, Stage.PASSKEY, Stage.SYNCING])
def test_l4_a_code_where_a_session_was_expected_is_an_error(phase):
    after, effects = do(at(phase, linked=True), CODE)
    assert (after.phase, after.reason, after.errors, after.linked) == (State.ERROR, Reason.RESTORE_FAILED, 1, True)
    assert ShowCode(CODE) not in effects
    asked, effects = do(at(phase, linked=True, asked=True), CODE)
    assert asked.phase is Stage.AWAITING_SCAN, "whoever asked is there to scan"


# --- L11: why it ended ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [*LOADED, State.CONNECTED])
@pytest.mark.parametrize("said", [Authenticated(OTHER), Ready(OTHER), Identified(OTHER)], ids=repr)
def test_l11_another_number_is_logged_out_again_whenever_it_becomes_known(phase, said):
    link, effects = do(at(phase, linked=True, asked=True), said)
    reason = Reason.WRONG_NUMBER if phase is State.CONNECTED else Reason.ASKED
    assert (link.phase, link.reason, link.linked, link.asked, link.foreign) == (
        Stage.LOGGING_OUT, reason, False, False, True,
    )  # fmt: skip
    assert effects[-1] == LogOut(7, OTHER)
    assert not [effect for effect in effects if isinstance(effect, Close | Alert)], "nothing is told that is not so yet"
    after, effects = do(link, LoggedOut(confirmed=True))
    assert (after.phase, after.reason, after.detail, after.foreign) == (
        State.DISCONNECTED, Reason.WRONG_NUMBER, "•••5999 instead of •••4567", False,
    )  # fmt: skip
    assert Close(7) in effects
    assert effects[-1] == Alert(Reason.WRONG_NUMBER)
    assert not after.armed


@pytest.mark.parametrize(
    "said", [LoggedOut(confirmed=False), Ended(Reason.SESSION_CLOSED), Fired(Timer.DEADLINE)], ids=repr
)
def test_k4_a_wrong_device_that_cannot_be_logged_out_is_told_so_and_never_opened_again(said):
    link, _ = do(at(Stage.SYNCING, asked=True), Authenticated(OTHER))
    link, effects = do(link, said)
    assert (link.phase, link.reason) == (State.DISCONNECTED, Reason.WRONG_NUMBER_STAYS)
    assert effects[-1] == Alert(Reason.WRONG_NUMBER_STAYS)
    link, _ = do(link, Closed())
    link, effects = do(link, Start())
    assert opened(effects) == [Open(8, set_aside=True)]
    link, _ = do(link, SlotGranted())
    link, _ = do(link, CODE)
    assert not link.foreign, "a profile that asks for a scan is nobody's"


def test_k4_the_page_s_own_word_of_the_logout_is_as_good():
    link, _ = do(at(Stage.SYNCING, asked=True), Authenticated(OTHER))
    link, _ = do(link, Ended(Reason.LOGGED_OUT, code="user_initiated"))
    assert (link.reason, link.foreign) == (Reason.WRONG_NUMBER, False)


def test_k4_a_suspension_in_the_middle_of_a_logout_leaves_a_profile_that_is_set_aside():
    link, _ = do(at(Stage.SYNCING, asked=True), Authenticated(OTHER))
    link, _ = do(link, Suspend())
    link, _ = do(link, Closed())
    _, effects = do(link, Start())
    assert opened(effects) == [Open(8, set_aside=True)]


@pytest.mark.parametrize("phase", [*LOADED, State.CONNECTED])
def test_k4_a_number_that_differs_by_one_digit_is_asked_about_and_never_acted_on(phase):
    link, effects = do(at(phase), Identified(NEARLY))
    assert link.phase is phase
    assert link.unconfirmed == NEARLY
    assert not link.verified
    assert [type(effect) for effect in effects] == [Alert]
    assert effects[0].reason is Reason.CONFIRM_NUMBER
    assert do(link, Identified(NEARLY)) == (link, ()), "asked once"
    same, effects = do(link, ConfirmNumber(same=True))
    assert (same.phase, same.alias, same.verified, effects) == (
        phase,
        NEARLY,
        True,
        (AlertOver(Reason.CONFIRM_NUMBER),),
    )
    assert do(same, Identified(NEARLY))[1] == ()
    other, effects = do(link, ConfirmNumber(same=False))
    assert (other.phase, effects[-1]) == (Stage.LOGGING_OUT, LogOut(7, NEARLY))


@pytest.mark.parametrize("same", [True, False])
def test_k4_a_word_about_one_number_is_not_taken_for_another(same):
    link, _ = do(at(State.CONNECTED), Identified(NEARLY))
    assert do(link, ConfirmNumber(same=same, asked="+4915112345167")) == (link, (Refuse(),))


def test_k4_another_number_in_question_is_asked_about_anew():
    link, _ = do(at(State.CONNECTED), Identified(NEARLY))
    link, effects = do(link, Identified(NEARLY_TOO))
    assert link.unconfirmed == NEARLY_TOO
    assert effects[0] == AlertOver(Reason.CONFIRM_NUMBER)
    assert effects[1].reason is Reason.CONFIRM_NUMBER


@pytest.mark.parametrize("phase", [*AT_REST, Stage.QUEUED])
def test_k4_an_answer_that_comes_when_it_is_not_open_counts_when_it_is(phase):
    link = at(phase, unconfirmed=NEARLY, alerted=frozenset({Reason.CONFIRM_NUMBER}))
    same, effects = do(link, ConfirmNumber(same=True))
    assert (same.alias, effects) == (NEARLY, (AlertOver(Reason.CONFIRM_NUMBER),))
    other, _ = do(link, ConfirmNumber(same=False))
    assert (other.phase, other.denied) == (phase, NEARLY)
    assert do(at(Stage.SYNCING, denied=NEARLY), Identified(NEARLY))[0].phase is Stage.LOGGING_OUT


@pytest.mark.parametrize("phase", list(TABLE))
def test_an_answer_to_what_is_not_asked_is_refused(phase):
    for command in (ConfirmNumber(same=False), *([] if phase is Stage.DIALOG else [AnswerDialog()])):
        assert do(at(phase), command) == (at(phase), (Refuse(),))


# reason → (state when it was connected, first delay, alert), (state when it was not, first delay, alert)
NEEDS_PERSON = {
    Reason.NOT_LINKED, Reason.LOGGED_OUT, Reason.ACCOUNT_LOCKED, Reason.SYNC_FAILED, Reason.STORAGE_FULL,
    Reason.SCREEN_LOCKED, Reason.CONFLICT, Reason.CONFLICT_LEFT, Reason.BANNED, Reason.WRONG_NUMBER,
    Reason.WRONG_NUMBER_STAYS, Reason.ARCHIVE_OUTDATED,
}  # fmt: skip
UNLINKS = NEEDS_PERSON - {
    Reason.SCREEN_LOCKED, Reason.CONFLICT, Reason.CONFLICT_LEFT, Reason.BANNED, Reason.ARCHIVE_OUTDATED,
}  # fmt: skip
PINNED = {
    Reason.LAUNCH_FAILED: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.PROFILE_IN_USE: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.ARCHIVE_OUTDATED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.DEADLINE: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.RESTORE_FAILED: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.PAGE_UNKNOWN: (("ERROR", 1, True), ("ERROR", 1, True)),
    Reason.SESSION_CLOSED: (("DISCONNECTED", 0, False), ("ERROR", 1, False)),
    Reason.UNRESPONSIVE: (("DISCONNECTED", 1, False), ("ERROR", 1, False)),
    Reason.CONNECTION_LOST: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.NAVIGATED: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.RELOADS_ITSELF: (("DISCONNECTED", 1, False), ("ERROR", 1, False)),
    Reason.PAGE_MISBEHAVES: (("ERROR", 1, True), ("ERROR", 1, True)),
    Reason.NOT_LINKED: (("DISCONNECTED", None, False), ("DISCONNECTED", None, False)),
    Reason.ACCOUNT_LOCKED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.SYNC_FAILED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.STORAGE_FULL: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.SCREEN_LOCKED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.WRONG_NUMBER_STAYS: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.STALE: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.QR_EXPIRED: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.LOGGED_OUT: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.CONFLICT: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.CONFLICT_LEFT: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.BANNED: (("SUSPENDED", None, True), ("SUSPENDED", None, True)),
    Reason.OUTDATED: (("DISCONNECTED", 0, False), ("DISCONNECTED", 0, False)),
    Reason.WRONG_NUMBER: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.RECYCLED: (("DISCONNECTED", 0, False), ("DISCONNECTED", 0, False)),
    Reason.UNKNOWN: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
}


def test_every_verdict_is_pinned():
    assert set(PINNED) == set(VERDICTS)
    assert {reason for reason, verdict in VERDICTS.items() if verdict.needs_person} == NEEDS_PERSON


@pytest.mark.parametrize("phase", [phase for phase in RUNNING if phase is not Stage.LOGGING_OUT])
@pytest.mark.parametrize("reason", PINNED, ids=str)
def test_l11_why_it_ended_decides_what_follows(phase, reason):
    state, delay, alert = PINNED[reason][0 if phase is State.CONNECTED else 1]
    picture = b"png" if reason is Reason.PAGE_UNKNOWN else None
    after, effects = do(at(phase, linked=True, errors=3), Ended(reason, "why", picture=picture))
    assert (after.state, after.stage, after.reason, after.detail) == (state, None, reason, "why")
    assert after.errors == (0 if reason in NEEDS_PERSON else 4 if state == "ERROR" else 3)
    assert after.browser is Browser.CLOSING
    assert Close(7) in effects
    assert [effect.seconds for effect in effects if isinstance(effect, Arm)] == ([] if delay is None else [delay])
    assert after.armed == (frozenset() if delay is None else {Timer.RETRY})
    silent = phase is State.CONNECTED and reason is Reason.PAGE_MISBEHAVES
    told = [Alert(reason, picture, silent=silent)] if alert else []
    assert [effect for effect in effects if isinstance(effect, Alert)] == told
    assert after.linked == (reason not in UNLINKS)


@pytest.mark.parametrize("reason", sorted(NEEDS_PERSON))
def test_l11_counters_are_zero_where_nothing_is_tried_any_more(reason):
    after, _ = do(at(State.CONNECTED, attempts=3, errors=2, waits=4), Ended(reason))
    assert (after.attempts, after.errors, after.waits) == (0, 0, 0)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        ("", Reason.LOGGED_OUT, "removed"),
        ("0", Reason.LOGGED_OUT, "WhatsApp says: its page had a fatal error"),
        ("1", Reason.SYNC_FAILED, "WhatsApp says: its chats could not be brought over"),
        ("2", Reason.SYNC_FAILED, "WhatsApp says: the first load of its chats took too long"),
        ("3", Reason.ACCOUNT_LOCKED, "WhatsApp says: the account is locked on its phone"),
        ("ACCOUNT_LOCKED", Reason.ACCOUNT_LOCKED, "WhatsApp says: account locked"),
        ("history_sync_timeout", Reason.SYNC_FAILED, "WhatsApp says: history sync timeout"),
        ("storage_quota_exceeded", Reason.STORAGE_FULL, "WhatsApp says: the browser had no room for its data"),
        (
            "lid_migration_no_lid_available",
            Reason.LOGGED_OUT,
            "WhatsApp says: its page could not follow WhatsApp to hidden numbers: lid migration no lid available",
        ),
        ("never_heard_of", Reason.LOGGED_OUT, "WhatsApp says: never heard of"),
        ("77", Reason.LOGGED_OUT, "WhatsApp says: code 77"),
    ],
)
def test_l11_the_code_of_a_logout_is_told_with_its_meaning(code, reason, words):
    after, effects = do(at(State.CONNECTED, linked=True), Ended(Reason.LOGGED_OUT, "removed", code=code))
    assert (after.reason, after.detail, after.linked) == (reason, words, False)
    assert effects[-1] == Alert(reason)


def test_every_reason_has_its_traits():
    assert set(TRAITS) == set(Reason)
    assert all(traits.remedy is not Remedy.RECONNECT for traits in TRAITS.values() if traits.unlinks)


def test_a_connected_page_that_asks_for_a_scan_was_logged_out():
    after, effects = do(at(State.CONNECTED, linked=True), CODE)
    assert (after.phase, after.reason, after.linked) == (State.DISCONNECTED, Reason.LOGGED_OUT, False)
    assert Alert(Reason.LOGGED_OUT) in effects


def test_l11_an_outdated_page_is_reloaded_once_with_a_fresh_one():
    link = at(Stage.LAUNCHING)
    link, effects = do(link, Ended(Reason.OUTDATED))
    assert effects[-1] == Arm(Timer.RETRY, 0)
    link, _ = do(link, Closed())
    link, effects = do(link, Fired(Timer.RETRY))
    assert effects == (Open(8, fresh=True),)
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.OUTDATED))
    assert effects[-1] == Arm(Timer.RETRY, 1)


def test_l11_the_reload_for_an_outdated_page_comes_at_once_also_in_the_middle_of_a_struggle():
    _, effects = do(at(Stage.LAUNCHING, attempts=3, waits=3), Ended(Reason.OUTDATED))
    assert effects[-1] == Arm(Timer.RETRY, 0)


def test_l11_a_conflict_is_taken_over_only_where_that_is_wanted():
    always = Policy(takeover=Takeover.ALWAYS)
    link, effects = do(at(State.CONNECTED), Ended(Reason.CONFLICT), always)
    assert (link.phase, link.reason, effects[-1]) == (State.DISCONNECTED, Reason.CONFLICT, Arm(Timer.RETRY, 1))
    link, _ = do(link, Closed())
    link, effects = do(link, Fired(Timer.RETRY), always)
    assert effects == (Open(8, takeover=True),)
    for never in (Takeover.ASK, Takeover.NEVER):
        policy = Policy(takeover=never)
        link, effects = do(at(State.CONNECTED), Ended(Reason.CONFLICT), policy)
        assert not link.armed
        assert isinstance(effects[-1], Alert)
        remedy = Remedy.USE_HERE if never is Takeover.ASK else Remedy.RECONNECT
        assert TRAITS[effects[-1].reason].remedy is remedy, "never is never: no button takes it over either"
        link, _ = do(link, Closed())
        _, effects = do(link, Start(takeover=True), policy)
        assert effects == (Open(8, takeover=never is Takeover.ASK),)


def test_l11_a_conflict_that_a_restart_finds_is_taken_up_again_only_where_it_is_always_taken_back():
    found = boot(state=State.DISCONNECTED, reason=Reason.CONFLICT)
    link, effects = do(at(State.IDLE), found, Policy(takeover=Takeover.ALWAYS))
    assert (link.phase, effects) == (Stage.QUEUED, (Open(7, lost=True),))
    for never in (Takeover.ASK, Takeover.NEVER):
        link, effects = do(at(State.IDLE), found, Policy(takeover=never))
        assert (link.phase, link.reason, link.armed) == (State.DISCONNECTED, Reason.CONFLICT, frozenset())


def test_l11_a_ban_whose_end_is_known_gets_one_trial_then():
    link, effects = do(at(State.CONNECTED), Ended(Reason.BANNED, block_ends_in=3600))
    assert (link.phase, link.reason) == (State.SUSPENDED, Reason.BANNED)
    assert effects[-1] == Arm(Timer.COOLDOWN, 3600)
    assert Alert(Reason.BANNED) in effects
    link, _ = do(link, Closed())
    link, effects = do(link, Fired(Timer.COOLDOWN))
    assert (link.breaker, link.resting, effects) == (Breaker.HALF_OPEN, Rest(Reason.BANNED), (Open(8, fresh=True),))
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.BANNED, block_ends_in=3600))
    assert (link.phase, link.armed) == (State.SUSPENDED, frozenset()), "one trial, no more"
    assert effects[-1] == Alert(Reason.BANNED)


@pytest.mark.parametrize("reason", sorted(NEEDS_PERSON))
def test_only_a_ban_has_an_end(reason):
    link, _ = do(at(State.CONNECTED), Ended(reason, block_ends_in=None if reason is Reason.BANNED else 60))
    assert not link.armed
    link, _ = do(at(State.IDLE), boot(state=State.DISCONNECTED, reason=reason, block_ends_in=None))
    assert not link.armed
    link, _ = do(at(State.IDLE), boot(state=State.DISCONNECTED, reason=reason, block_ends_in=60.0))
    assert link.armed == (frozenset({Timer.COOLDOWN}) if reason is Reason.BANNED else frozenset())


# --- L2, L3: attempts -------------------------------------------------------------------------------------------------


def test_l2_the_delays_grow_and_attempt_10_is_the_last():
    link, waits = at(Stage.LAUNCHING), []
    for attempt in range(10):
        assert link.attempts == attempt
        link, effects = do(link, Ended(Reason.CONNECTION_LOST))
        assert link.phase is State.DISCONNECTED
        waits += [effect.seconds for effect in effects if isinstance(effect, Arm)]
        link, _ = do(link, Closed())
        link, effects = do(link, Fired(Timer.RETRY))
        assert len(opened(effects)) == 1
        link, _ = do(link, SlotGranted())
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    link, effects = do(link, Ended(Reason.CONNECTION_LOST, "gone"))
    assert (link.phase, link.reason, link.cause, link.detail, link.armed) == (
        State.SUSPENDED, Reason.EXHAUSTED, Reason.CONNECTION_LOST, "gone", frozenset(),
    )  # fmt: skip
    assert effects[-1] == Alert(Reason.EXHAUSTED)
    assert link.breaker is Breaker.CLOSED


def test_l2_a_retry_waits_for_the_earlier_browser():
    link, effects = do(at(State.DISCONNECTED, browser=Browser.CLOSING), Fired(Timer.RETRY))
    assert (link.attempts, link.due, effects) == (1, Next(Reason.RETRY), ())
    link, effects = do(link, Closed())
    assert (link.reason, link.attempts, effects) == (Reason.RETRY, 1, (Open(7),))


def test_l2_exhausted_comes_before_the_breaker():
    link, _ = do(at(Stage.LAUNCHING, attempts=10, errors=4), Ended(Reason.LAUNCH_FAILED))
    assert link.reason is Reason.EXHAUSTED


def test_l11_a_closed_session_is_retried_at_once_and_then_by_the_delays():
    link, waits = at(State.CONNECTED), []
    link, effects = do(link, Ended(Reason.SESSION_CLOSED))
    for _ in range(4):
        waits += [effect.seconds for effect in effects if isinstance(effect, Arm)]
        link, _ = do(link, Closed())
        link, _ = do(link, Fired(Timer.RETRY))
        link, _ = do(link, SlotGranted())
        link, effects = do(link, Ended(Reason.SESSION_CLOSED))
    assert waits == [0, 1, 2, 4]
    assert link.attempts == 4, "each counts"


def test_l11_a_session_that_closes_again_at_once_is_not_retried_at_once_again():
    _, effects = do(at(State.CONNECTED, attempts=1), Ended(Reason.SESSION_CLOSED))
    assert effects[-1] == Arm(Timer.RETRY, 1)


def test_l3_counters_go_back_to_zero_when_connected_has_held():
    link = at(State.CONNECTED, attempts=9, errors=4, waits=8, refreshed=True, alerted=frozenset({Reason.PAGE_UNKNOWN}))
    after, effects = do(link, Fired(Timer.STABLE))
    assert after == at(State.CONNECTED, armed=link.armed - {Timer.STABLE})
    assert effects == ()


def test_l3_a_connection_that_opens_and_drops_at_once_keeps_climbing():
    link, effects = do(at(State.CONNECTED, attempts=3, waits=3, errors=2), Ended(Reason.CONNECTION_LOST))
    assert (link.attempts, link.waits, link.errors, effects[-1]) == (3, 4, 2, Arm(Timer.RETRY, 8))


# --- L5: the breaker --------------------------------------------------------------------------------------------------


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


SLOW = Policy(suspended_retry=900)


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


def test_the_same_alert_is_not_told_twice_in_one_struggle():
    link, effects = do(at(Stage.LAUNCHING), Ended(Reason.PAGE_UNKNOWN))
    assert Alert(Reason.PAGE_UNKNOWN) in effects
    link, _ = do(link, Closed())
    link, _ = do(link, Fired(Timer.RETRY))
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.PAGE_UNKNOWN))
    assert Alert(Reason.PAGE_UNKNOWN) not in effects


def test_a_page_that_misbehaves_once_makes_no_sound_and_an_attempt_that_fails_does():
    reason = Reason.PAGE_MISBEHAVES
    link, effects = do(at(State.CONNECTED), Ended(reason))
    assert Alert(reason, silent=True) in effects
    assert Alert(reason) in do(at(Stage.LAUNCHING), Ended(reason))[1]
    link, effects = do(link, Closed())
    for _ in range(4):
        link, _ = do(link, Fired(Timer.RETRY))
        link, _ = do(link, SlotGranted())
        link, effects = do(link, Ended(reason))
        link, _ = do(link, Closed())
    assert Alert(Reason.BREAKER_OPEN) in effects, "what does not mend itself sounds"


# --- L8, L9, L10: a connection ----------------------------------------------------------------------------------------


def test_l8_a_health_check_is_asked_for_and_not_twice_at_once():
    link, effects = do(at(State.CONNECTED), Fired(Timer.HEALTH))
    assert effects == (Arm(Timer.HEALTH, 30), Probe(7))
    link, effects = do(link, Fired(Timer.HEALTH))
    assert effects == (Arm(Timer.HEALTH, 30),)
    link, _ = do(link, Health())
    _, effects = do(link, Fired(Timer.HEALTH))
    assert effects == (Arm(Timer.HEALTH, 30), Probe(7))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Layer.PROCESS, Reason.SESSION_CLOSED),
        (Layer.BROWSER, Reason.UNRESPONSIVE),
        (Layer.PAGE, Reason.UNRESPONSIVE),
        (Layer.SOCKET, Reason.CONNECTION_LOST),
    ],
)
def test_l8_two_failed_probes_in_a_row_lose_the_session_at_the_layer_named(layer, reason):
    link, effects = do(at(State.CONNECTED, probing=True), Health(layer, "silent"))
    assert (link.phase, link.failed_probes, effects) == (State.CONNECTED, 1, ())
    link, effects = do(link, Health(layer, "silent"))
    assert (link.phase, link.reason, link.detail) == (State.DISCONNECTED, reason, f"{layer}: silent")


def test_l8_a_socket_that_goes_down_is_probed_at_once_and_then_in_turn():
    link, effects = do(at(State.CONNECTED), SocketDown())
    assert (link.phase, link.probing) == (State.CONNECTED, True)
    assert effects == (Arm(Timer.HEALTH, 30), Probe(7))
    assert do(link, SocketDown()) == (link, ()), "one probe at a time"
    link, _ = do(link, Health(Layer.SOCKET, "it is OPENING"))
    assert do(link, SocketDown()) == (link, ()), "a second failed probe is not hurried: the page may mend it"
    link, _ = do(link, Health())
    assert do(link, SocketDown())[1] == (Arm(Timer.HEALTH, 30), Probe(7))


def test_l8_a_good_probe_between_forgives():
    link, _ = do(at(State.CONNECTED, failed_probes=1), Health())
    assert link.failed_probes == 0
    link, _ = do(link, Health(Layer.SOCKET))
    assert link.phase is State.CONNECTED
    link, _ = do(link, Health(Layer.SOCKET))
    assert link.detail == "WhatsApp socket"


def test_l9_a_keep_alive_asks_the_server_only_when_it_has_been_quiet():
    link, effects = do(at(State.CONNECTED), Fired(Timer.KEEP_ALIVE))
    assert effects == (Arm(Timer.KEEP_ALIVE, 62), Heartbeat(7, ask=False))
    link, effects = do(link, Fired(Timer.QUIET))
    assert effects == ()
    link, effects = do(link, Fired(Timer.KEEP_ALIVE))
    assert effects == (Arm(Timer.KEEP_ALIVE, 62), Heartbeat(7, ask=True))


def test_l9_only_an_answer_or_a_message_is_activity():
    quiet = at(State.CONNECTED, quiet=True)
    assert do(quiet, HeartbeatResult(answered=False)) == (quiet, ())
    for said in (HeartbeatResult(answered=True), Heard()):
        after, effects = do(quiet, said)
        assert after == replace(quiet, quiet=False)
        assert effects == (Arm(Timer.QUIET, 150), Arm(Timer.STALE, 300), Activity())


def test_l10_a_silent_session_is_closed():
    after, effects = do(at(State.CONNECTED), Fired(Timer.STALE))
    assert (after.phase, after.reason, after.errors) == (State.DISCONNECTED, Reason.STALE, 0)
    assert Close(7) in effects
    assert effects[-1] == Arm(Timer.RETRY, 1)


# --- L12, L14, L15: an operator's word, a restart, the end ------------------------------------------------------------


@pytest.mark.parametrize("phase", list(TABLE))
def test_l12_suspend_closes_and_stays(phase):
    link = at(phase, attempts=3, errors=2, due=None)
    after, effects = do(link, Suspend())
    assert (after.phase, after.reason, after.armed) == (State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR, frozenset())
    assert (after.attempts, after.errors) == (0, 0)
    assert (Close(7) in effects) == (phase in RUNNING)
    assert (HideCode() in effects) == (phase is Stage.AWAITING_SCAN)
    assert do(after, Suspend()) == (after, (Refuse(),))


# --- L13: WhatsApp cannot be reached ----------------------------------------------------------------------------------


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


@pytest.mark.parametrize("said", [Authenticated("+553188887777"), Ready("+553188887777")])
def test_l11_the_accounts_own_number_in_whatsapps_form_is_no_stranger(said):
    link, effects = do(at(Stage.PAIRING, number="+5531988887777"), said)
    assert link.state in {State.CONNECTING, State.CONNECTED}
    assert not [effect for effect in effects if isinstance(effect, Close)]


def test_l13_an_operator_may_try_all_the_same():
    link, effects = do(at(State.ERROR, on_hold=True, waiting=Timer.RETRY, armed=frozenset()), Start())
    assert effects == (Open(7),)
    assert do(link, Release())[1] == ()


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
    assert after == replace(link, armed=frozenset(), due=None, stopped=True)
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


def boot(**changes) -> Boot:
    return Boot(**({"wanted": Wanted.CONNECTED, "linked": True, "state": State.CONNECTED} | changes))


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


def test_the_code_is_never_in_what_is_logged():
    link, effects = do(at(Stage.LAUNCHING), CODE)
    assert CODE.text not in repr((link, effects, CODE, FromSession(7, CODE)))


# --- L1, K1: a reload by the page itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [*LOADED, State.CONNECTED])
def test_l1_a_reload_is_a_new_document_of_the_same_browser_and_says_nothing(phase):
    link = at(phase, reloads=0, armed=frozenset(ARMED[phase] - {Timer.RELOADS}), percent=4, probing=True, asked=True)
    after, effects = do(link, Reloaded())
    assert (after.phase, after.session, after.browser, after.reloads) == (Stage.READING, 7, Browser.OPEN, 1)
    assert (after.percent, after.probing, after.attempts, after.errors) == (None, False, 0, 0)
    assert not [effect for effect in effects if isinstance(effect, Open | Close | Alert)]
    assert Arm(Timer.DEADLINE, 60) in effects
    assert effects[-1] == Arm(Timer.RELOADS, 300)
    assert after.shown is None
    assert after.reason is (Reason.RELOADED if phase is State.CONNECTED else Reason.ASKED)


def test_l1_three_reloads_within_five_minutes_are_a_page_s_own_business_and_the_fourth_is_the_end():
    link = at(State.CONNECTED)
    for _ in range(3):
        link, _ = do(link, Reloaded())
        link, _ = do(link, Ready(OURS))
        assert link.phase is State.CONNECTED
    link, effects = do(link, Reloaded())
    assert (link.phase, link.reason, link.reloads) == (State.DISCONNECTED, Reason.RELOADS_ITSELF, 0)
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


# --- K8: fresh loads --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("errors", "fresh"), [(0, False), (1, True)])
def test_k8_a_restart_amid_failing_attempts_forgets_no_remedy(errors, fresh):
    _, effects = do(at(State.IDLE), boot(state=State.CONNECTING, errors=errors, attempts=errors))
    assert opened(effects) == [Open(7, lost=True, fresh=fresh)]


# --- K3, K6: what is known of a connection ----------------------------------------------------------------------------


def test_k3_a_number_that_nobody_told_is_not_verified():
    link, _ = do(at(Stage.SYNCING), Ready())
    assert (link.phase, link.verified) == (State.CONNECTED, False)
    link, effects = do(link, Identified(OURS))
    assert (link.verified, effects) == (True, ())
    link, _ = do(link, Reloaded())
    assert not link.verified, "a new document may be anybody's"


def test_k6_what_can_be_watched_only_in_part_is_told_once_and_silently():
    link, effects = do(at(Stage.SYNCING), Ready(OURS, partial="by its chat list only"))
    assert link.partial == "by its chat list only"
    assert effects[-1] == Alert(Reason.WATCHED_IN_PART, detail="by its chat list only", silent=True)
    link, _ = do(link, Fired(Timer.STABLE))
    link, _ = do(link, Reloaded())
    link, effects = do(link, Ready(OURS, partial="by its chat list only"))
    assert not [effect for effect in effects if isinstance(effect, Alert)]
    link, _ = do(link, Reloaded())
    link, effects = do(link, Ready(OURS))
    assert link.partial == ""
    assert AlertOver(Reason.WATCHED_IN_PART) in effects


def test_k6_what_can_be_watched_in_full_after_all_is_told():
    link, _ = do(at(Stage.SYNCING), Ready(OURS, partial="by its chat list only"))
    link, effects = do(link, Ready(OURS))
    assert (link.partial, effects) == ("", (AlertOver(Reason.WATCHED_IN_PART),))


def test_the_build_of_each_document_is_recorded():
    parts = {"present": frozenset({"socket"}), "missing": frozenset({"stream"})}
    link, effects = do(at(Stage.LAUNCHING), Loaded("2.3000.1", **parts))
    assert (link.phase, link.build, link.missing) == (Stage.LAUNCHING, "2.3000.1", {"stream"})
    assert effects == (RecordBuild("2.3000.1", **parts),)


# --- K7: dialogs ------------------------------------------------------------------------------------------------------


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


# --- L16: flapping ----------------------------------------------------------------------------------------------------


def lose_and_mend(link: Connection, reason: Reason = Reason.CONNECTION_LOST) -> tuple[Connection, list[object]]:
    """Lose a connection and let it recover; returns its alerts and their ends."""
    told: list[object] = []
    for event in (Ended(reason), Closed(), Fired(Timer.RETRY), SlotGranted(), Ready(OURS), Fired(Timer.STABLE)):
        link, effects = do(link, event)
        told += [effect for effect in effects if isinstance(effect, Alert | AlertOver)]
    assert link.phase is State.CONNECTED
    return link, told


def test_l16_what_mends_itself_more_than_five_times_within_an_hour_is_told_once():
    link, told = at(State.CONNECTED, linked=True), []
    for reason in (Reason.CONNECTION_LOST, Reason.STALE, Reason.SESSION_CLOSED, *[Reason.CONNECTION_LOST] * 2):
        link, more = lose_and_mend(link, reason)
        told += more
    assert (told, link.flaps) == ([], 5)
    link, told = lose_and_mend(link)
    assert told == [Alert(Reason.FLAPPING, detail="6 times within 60 min", cause=Reason.SESSION_CLOSED)]
    assert (link.flapping, link.flaps, Timer.FLAPS in link.armed) == (True, 0, False)
    for _ in range(50):
        link, told = lose_and_mend(link)
        assert told == []
    link, effects = do(link, Fired(Timer.CALM))
    assert (effects, link.flapping, link.worst) == ((AlertOver(Reason.FLAPPING),), False, None)
    for _ in range(5):
        link, told = lose_and_mend(link)
        assert told == []
    link, told = lose_and_mend(link)
    assert [type(each) for each in told] == [Alert]


def test_l16_a_loss_of_more_than_an_hour_ago_does_not_count():
    link = at(State.CONNECTED)
    for _ in range(5):
        link, _ = lose_and_mend(link)
    link, _ = do(link, Fired(Timer.FLAPS))
    assert (link.flaps, Timer.FLAPS in link.armed) == (4, True)
    link, told = lose_and_mend(link)
    assert told == []
    for _ in range(5):
        link, _ = do(link, Fired(Timer.FLAPS))
    assert (link.flaps, link.worst, Timer.FLAPS in link.armed) == (0, None, False)


@pytest.mark.parametrize("reason", [Reason.RECYCLED, Reason.LOGGED_OUT])
def test_l16_what_we_did_ourselves_or_a_person_mended_is_no_flapping(reason):
    link, _ = do(at(State.CONNECTED), Ended(reason))
    assert link.lost is None
    link, _ = do(link, Closed())
    link, _ = do(link, Start())
    link, _ = do(link, SlotGranted())
    link, _ = do(link, Ready(OURS))
    assert (link.phase, link.flaps) == (State.CONNECTED, 0)


def test_l16_reloads_below_their_own_threshold_flap_too():
    link = at(State.CONNECTED)
    for _ in range(6):
        link, _ = do(link, Reloaded())
        link, effects = do(link, Ready(OURS))
        link, _ = do(link, Fired(Timer.RELOADS))
    assert Alert(Reason.FLAPPING, detail="6 times within 60 min", cause=Reason.RELOADED) in effects


def test_l16_an_operator_who_suspends_it_ends_it():
    link = at(State.CONNECTED, flapping=True, alerted=frozenset({Reason.FLAPPING}),
              armed=frozenset(ARMED[State.CONNECTED] | {Timer.CALM}))  # fmt: skip
    link, effects = do(link, Suspend())
    assert AlertOver(Reason.FLAPPING) in effects
    assert (link.flapping, link.armed) == (False, frozenset())


# --- properties of a connection ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", list(TABLE))
def test_wants_connection_is_whether_it_is_tried_without_anybody_s_word(phase):
    assert at(phase).wants_connection == (phase is not State.IDLE)
    assert at(phase, armed=frozenset()).wants_connection == (phase in RUNNING)
    assert at(phase, armed=frozenset(), waiting=Timer.RETRY).wants_connection
    assert at(phase, armed=frozenset(), due=Next(Reason.ASKED)).wants_connection


def test_a_step_may_change_each_field_of_a_connection_but_its_number():
    assert set(Changes.__annotations__) == {field.name for field in fields(Connection)} - {"number"}


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


def test_an_older_archive_waits_for_a_person_also_after_a_restart():
    link, effects = do(at(Stage.LAUNCHING, linked=True), Ended(Reason.ARCHIVE_OUTDATED, "host b had it"))
    assert (link.phase, link.reason, link.linked) == (State.DISCONNECTED, Reason.ARCHIVE_OUTDATED, True)
    assert effects[-1] == Alert(Reason.ARCHIVE_OUTDATED)

    again, effects = do(at(State.IDLE), boot(state=State.DISCONNECTED, reason=Reason.ARCHIVE_OUTDATED, detail="so"))
    assert (again.phase, again.reason, again.detail) == (State.DISCONNECTED, Reason.ARCHIVE_OUTDATED, "so")
    assert not any(isinstance(effect, Open) for effect in effects)


def test_who_begins_anew_is_not_linked_any_more():
    resting = at(State.DISCONNECTED, reason=Reason.ARCHIVE_OUTDATED, linked=True)

    assert do(resting, Start(anew=True))[0].linked is False
    assert do(resting, Start())[0].linked is True
