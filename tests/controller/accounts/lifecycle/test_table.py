"""The table as a whole: what it lists, where its rows lead, and what is in no row."""

import itertools

import pytest

from controller.accounts.lifecycle.step import Changes
from controller.accounts.lifecycle.table import TABLE, advance
from controller.accounts.model import (
    AnswerDialog,
    Boot,
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
    Recycle,
    Release,
    Seen,
    SlotGranted,
    Stage,
    Start,
    Stop,
    StopLinking,
    Suspend,
    Timer,
)
from controller.accounts.policy import Dialogs, Policy, Takeover
from controller.accounts.reasons import Reason, State
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
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    SocketDown,
    SocketUp,
    Syncing,
)
from tests.controller.accounts.lifecycle.links import (
    CIRCUMSTANCES,
    CODE,
    COMMANDS,
    LIMITS,
    LOADED,
    OURS,
    POLICY,
    RUNNING,
    SAYINGS,
    at,
    do,
)

ALWAYS = {Start, Stop, Suspend, StopLinking, ConfirmNumber, AnswerDialog, Hold, Release}

ALWAYS |= {Timer.FLAPS, Timer.CALM, Timer.DIALOGS}

OPEN = ALWAYS | {Ended, Loaded, Reloaded, Identified, PasskeyAsked, Dialog, DialogClosed, Timer.RELOADS}

OPEN |= {Authenticated, Ready, Code, PasskeyAnswered, DialogStays}

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
    | {Recycle, Heard, SocketDown, SocketUp, HeartbeatResult, Health}
    | {Timer.HEALTH, Timer.KEEP_ALIVE, Timer.QUIET, Timer.STABLE, Timer.STALE},
    State.DISCONNECTED: ALWAYS | {Closed, Timer.RETRY},
    State.ERROR: ALWAYS | {Closed, Timer.RETRY},
    State.SUSPENDED: ALWAYS | {Closed, Timer.COOLDOWN},
}


def test_the_table_lists_what_can_happen_and_nothing_else():
    assert {phase: set(rows) for phase, rows in TABLE.items()} == LISTED


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


def test_the_code_is_never_in_what_is_logged():
    link, effects = do(at(Stage.LAUNCHING), CODE)
    assert CODE.text not in repr((link, effects, CODE, FromSession(7, CODE)))


@pytest.mark.parametrize("phase", list(TABLE))
def test_wants_connection_is_whether_it_is_tried_without_anybody_s_word(phase):
    assert at(phase).wants_connection == (phase is not State.IDLE)
    assert at(phase, armed=frozenset()).wants_connection == (phase in RUNNING)
    assert at(phase, armed=frozenset(), waiting=Timer.RETRY).wants_connection
    assert at(phase, armed=frozenset(), due=Next(Reason.ASKED)).wants_connection


def test_a_step_may_change_each_field_of_a_connection_but_its_number():
    assert set(Changes.__annotations__) == set(Connection._fields) - {"number"}
