"""The table row by row: from each phase, what each thing that happens leads to, to the last effect."""

import itertools
from dataclasses import replace

import pytest

from controller.accounts.lifecycle import TABLE, advance
from controller.accounts.model import (
    Alert,
    Arm,
    Beat,
    Boot,
    Breaker,
    Browser,
    Close,
    Closed,
    Connection,
    Disarm,
    Fired,
    FromSession,
    Heartbeat,
    HideCode,
    Hold,
    Next,
    Open,
    Phase,
    Probe,
    Recovered,
    Refuse,
    Release,
    ShowCode,
    SlotGranted,
    Stage,
    Start,
    Stop,
    Suspend,
    Timer,
    Wanted,
)
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import TRAITS, VERDICTS, Reason, Remedy, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Ended,
    Health,
    Heard,
    Layer,
    PasskeyAsked,
    Ready,
    Scanned,
    SocketDown,
    Syncing,
)

OURS, OTHER = "+491511234567", "+4915112345999"
POLICY = Policy(stable_after=61, keep_alive=62, breaker_cooldown=63)
"""The defaults, but for those that share a number with another: a mistaken one must show."""
CODE = Code("ref1,noise,identity,adv,1")
CODE2 = Code("ref2,noise,identity,adv,1")

AT_REST = (State.IDLE, State.DISCONNECTED, State.ERROR, State.SUSPENDED)
RUNNING = (*Stage, State.CONNECTED)
LOADED = (Stage.LAUNCHING, Stage.AWAITING_SCAN, Stage.PAIRING, Stage.PASSKEY, Stage.SYNCING)

ARMED: dict[Phase, set[Timer]] = {
    State.IDLE: set(),
    Stage.QUEUED: set(),
    Stage.LAUNCHING: {Timer.DEADLINE},
    Stage.AWAITING_SCAN: {Timer.DEADLINE, Timer.DEBOUNCE},
    Stage.PAIRING: {Timer.DEADLINE},
    Stage.PASSKEY: {Timer.DEADLINE},
    Stage.SYNCING: {Timer.DEADLINE},
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
    }
    return Connection(**({"number": OURS} | usual | changes))


def do(link: Connection, event, policy: Policy = POLICY):
    if not isinstance(event, Start | Suspend | Stop | Boot | Fired | Hold | Release | FromSession):
        event = FromSession(link.session, event)
    after, effects = advance(link, event, policy)
    what = event.said if isinstance(event, FromSession) else event
    row = TABLE[link.phase].get(what.timer if isinstance(what, Fired) else type(what))
    assert after.phase == link.phase or (row is not None and after.phase in row.to), "the table does not say so"
    return after, effects


def disarm(phase: Phase) -> Disarm:
    return Disarm(frozenset(ARMED[phase]))


def opened(effects) -> list[Open]:
    return [effect for effect in effects if isinstance(effect, Open)]


# --- the table itself -----------------------------------------------------------------------------------------------

ALWAYS = {Start, Stop, Suspend, Hold, Release}
IN_PAGE = ALWAYS | {Ended, Authenticated, Syncing, Ready, Code, Timer.DEADLINE}
LISTED = {
    State.IDLE: ALWAYS | {Closed, Boot},
    Stage.QUEUED: ALWAYS | {Ended, SlotGranted},
    Stage.LAUNCHING: IN_PAGE | {PasskeyAsked},
    Stage.AWAITING_SCAN: IN_PAGE | {PasskeyAsked, Scanned, Timer.DEBOUNCE},
    Stage.PAIRING: IN_PAGE | {PasskeyAsked},
    Stage.PASSKEY: IN_PAGE,
    Stage.SYNCING: IN_PAGE,
    State.CONNECTED: ALWAYS
    | {Ended, Heard, SocketDown, Beat, Health, Code}
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
    Code: [CODE],
    Beat: [Beat(answered=True)],
    Boot: [
        Boot(wanted, linked=linked, state=state, reason=reason)
        for wanted in Wanted
        for linked in (False, True)
        for state in (State.CONNECTED, State.SUSPENDED)
        for reason in (None, Reason.LOGGED_OUT, Reason.BANNED)
    ],
}
CIRCUMSTANCES = [
    dict(zip(("attempts", "errors", "breaker", "linked", "failed_probes", "due"), values, strict=True))
    for values in itertools.product(
        (0, 10), (0, 4), (Breaker.CLOSED, Breaker.HALF_OPEN), (False, True), (0, 1), (None, Next(Reason.RETRY))
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
        link = at(phase, **circumstances, **browser)
        event = what if isinstance(what, Start | Suspend | Stop | Boot | Fired | Hold | Release) else None
        after, _ = advance(link, event or FromSession(link.session, what), POLICY)
        reached.add(after.phase)
    assert reached - {phase} == set(TABLE[phase][key].to) - {phase}


def test_the_contract_s_numbers():
    assert Policy() == Policy(
        delays=(1, 2, 4, 8, 16, 30), max_attempts=10, breaker_threshold=5, breaker_cooldown=60, suspended_retry=0,
        qr_debounce=2, qr_timeout=120, health_check=30, probe_timeout=10, failed_probes=2, keep_alive=60,
        stale_after=300, stable_after=60, connect_timeout=60, sync_timeout=180, passkey_timeout=600,
        takeover=Takeover.ASK,
    )  # fmt: skip


# --- L1: one attempt at a time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", AT_REST)
def test_a_start_opens_one_browser_with_counters_at_zero(phase):
    link = at(
        phase, attempts=3, errors=2, waits=4, breaker=Breaker.OPEN, refreshed=True, resting=Reason.EXHAUSTED,
        alerted=Reason.BANNED, failed_probes=1, quiet=True, probing=True, percent=4, held=CODE, detail="x",
        cause=Reason.STALE,
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
    assert effects == ((disarm(phase),) if ARMED[phase] else ()) + (Open(7),)


@pytest.mark.parametrize("phase", RUNNING)
def test_l1_a_start_on_the_way_or_there_launches_nothing_and_says_so(phase):
    link = at(phase)
    assert do(link, Start()) == (link, (Refuse(),))


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
     Ended(Reason.UNKNOWN), SlotGranted(), Closed(), Health(Layer.PAGE), Beat(answered=True)],
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
                 SlotGranted(), Closed(), Health(), Beat(answered=True), Ended(Reason.UNKNOWN)):  # fmt: skip
        if type(said) not in TABLE[phase]:
            assert do(link, said) == (link, ())


# --- an attempt, stage by stage (L6, L7) ------------------------------------------------------------------------------


def test_l7_the_launch_deadline_runs_from_the_slot_on():
    after, effects = do(at(Stage.QUEUED), SlotGranted())
    assert after == at(Stage.LAUNCHING)
    assert effects == (Arm(Timer.DEADLINE, 60),)


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.PAIRING, Stage.PASSKEY, Stage.SYNCING])
def test_l6_the_first_code_is_shown_at_once(phase):
    after, effects = do(at(phase), CODE)
    assert after == at(Stage.AWAITING_SCAN)
    assert effects == (
        disarm(phase), Arm(Timer.DEADLINE, 120), ShowCode(CODE), Arm(Timer.DEBOUNCE, 2),
    )  # fmt: skip


def test_l6_a_code_within_the_window_is_held_and_the_newest_is_shown_when_it_ends():
    link, effects = do(at(Stage.AWAITING_SCAN), CODE2)
    assert (link.held, effects) == (CODE2, ())
    newest = Code("ref3,n,i,a,1")
    link, effects = do(link, newest)
    assert (link.held, effects) == (newest, ())
    link, effects = do(link, Fired(Timer.DEBOUNCE))
    assert (link.shown, link.held) == (newest, None)
    assert effects == (ShowCode(newest), Arm(Timer.DEBOUNCE, 2))
    link, effects = do(link, Fired(Timer.DEBOUNCE))
    assert effects == ()
    assert link.armed == {Timer.DEADLINE}
    link, effects = do(link, CODE)
    assert effects == (ShowCode(CODE), Arm(Timer.DEBOUNCE, 2))


def test_l6_the_same_code_is_not_shown_twice():
    link, _ = do(at(Stage.AWAITING_SCAN), CODE)
    link, effects = do(link, Fired(Timer.DEBOUNCE))
    assert effects == ()
    assert link.held is None
    assert do(link, CODE) == (link, ())


def test_l6_nobody_scanned():
    after, effects = do(at(Stage.AWAITING_SCAN), Fired(Timer.DEADLINE))
    assert (after.phase, after.reason, after.errors, after.browser) == (
        State.DISCONNECTED, Reason.QR_EXPIRED, 0, Browser.CLOSING,
    )  # fmt: skip
    assert effects == (HideCode(), Close(7), Disarm(frozenset({Timer.DEBOUNCE})), Arm(Timer.RETRY, 1))


def test_a_scan_takes_the_code_away():
    after, effects = do(at(Stage.AWAITING_SCAN), Scanned())
    assert after == at(Stage.PAIRING)
    assert effects == (HideCode(), disarm(Stage.AWAITING_SCAN), Arm(Timer.DEADLINE, 60))


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.AWAITING_SCAN, Stage.PAIRING])
def test_l11_a_passkey_is_told_once_and_waited_for(phase):
    after, effects = do(at(phase), PasskeyAsked())
    assert after == at(Stage.PASSKEY, alerted=Reason.PASSKEY)
    hidden = (HideCode(),) if phase is Stage.AWAITING_SCAN else ()
    assert effects == (*hidden, disarm(phase), Arm(Timer.DEADLINE, 600), Alert(Reason.PASSKEY))
    assert do(after, PasskeyAsked()) == (after, ())
    assert not after.loss_told, "nothing was lost, so there is no recovery to tell"


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.AWAITING_SCAN, Stage.PAIRING, Stage.PASSKEY])
@pytest.mark.parametrize("said", [Authenticated(OURS), Authenticated(), Syncing(40)], ids=repr)
def test_l7_who_is_known_may_take_the_sync_time(phase, said):
    after, effects = do(at(phase), said)
    assert after == at(Stage.SYNCING, percent=40 if isinstance(said, Syncing) else None)
    hidden = (HideCode(),) if phase is Stage.AWAITING_SCAN else ()
    assert effects == (*hidden, disarm(phase), Arm(Timer.DEADLINE, 180))


def test_progress_is_kept_and_moves_no_deadline():
    assert do(at(Stage.SYNCING), Syncing(70)) == (at(Stage.SYNCING, percent=70), ())
    assert do(at(Stage.SYNCING), Authenticated(OURS)) == (at(Stage.SYNCING), ())


@pytest.mark.parametrize("phase", LOADED)
@pytest.mark.parametrize("number", [OURS, None])
def test_ready_is_connected(phase, number):
    link = at(phase, attempts=2, errors=1, waits=3, asked=True, breaker=Breaker.HALF_OPEN, alerted=Reason.STALE,
              resting=Reason.EXHAUSTED)  # fmt: skip
    after, effects = do(link, Ready(number))
    assert after == at(State.CONNECTED, linked=True, attempts=2, errors=1, waits=3)
    hidden = (HideCode(),) if phase is Stage.AWAITING_SCAN else ()
    assert effects == (
        *hidden, disarm(phase), Arm(Timer.HEALTH, 30), Arm(Timer.KEEP_ALIVE, 62), Arm(Timer.STABLE, 61),
        Arm(Timer.QUIET, 150), Arm(Timer.STALE, 300),
    )  # fmt: skip


def test_a_recovery_is_told_only_where_a_loss_was():
    after, effects = do(at(Stage.SYNCING, loss_told=True), Ready())
    assert effects[-1] == Recovered()
    assert not after.loss_told
    _, effects = do(at(Stage.SYNCING), Ready())
    assert Recovered() not in effects


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.PAIRING, Stage.PASSKEY, Stage.SYNCING])
def test_l7_no_stage_may_hang(phase):
    after, effects = do(at(phase), Fired(Timer.DEADLINE))
    assert (after.phase, after.reason, after.errors) == (State.ERROR, Reason.DEADLINE, 1)
    assert phase in after.detail
    assert effects == (Close(7), Arm(Timer.RETRY, 1))


@pytest.mark.parametrize("phase", [Stage.LAUNCHING, Stage.PAIRING, Stage.PASSKEY, Stage.SYNCING])
def test_l4_a_code_where_a_session_was_expected_is_an_error(phase):
    after, effects = do(at(phase, linked=True), CODE)
    assert (after.phase, after.reason, after.errors, after.linked) == (State.ERROR, Reason.RESTORE_FAILED, 1, True)
    assert ShowCode(CODE) not in effects
    asked, effects = do(at(phase, linked=True, asked=True), CODE)
    assert asked.phase is Stage.AWAITING_SCAN, "whoever asked is there to scan"


# --- L11: why it ended ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", LOADED)
@pytest.mark.parametrize("said", [Authenticated(OTHER), Ready(OTHER)], ids=repr)
def test_l11_another_number_is_logged_out_again(phase, said):
    after, effects = do(at(phase, linked=True, asked=True), said)
    assert (after.phase, after.reason, after.linked, after.asked) == (
        State.DISCONNECTED, Reason.WRONG_NUMBER, False, False,
    )  # fmt: skip
    assert after.detail == "•••5999 was linked instead of •••4567"
    assert Close(7, log_out=True) in effects
    assert effects[-1] == Alert(Reason.WRONG_NUMBER)
    assert not after.armed
    assert after.loss_told


# reason → (state when it was connected, first delay, alert), (state when it was not, first delay, alert)
NEEDS_PERSON = {
    Reason.NOT_LINKED, Reason.LOGGED_OUT, Reason.ACCOUNT_LOCKED, Reason.SYNC_FAILED, Reason.STORAGE_FULL,
    Reason.SCREEN_LOCKED, Reason.CONFLICT, Reason.BANNED, Reason.WRONG_NUMBER, Reason.WRONG_NUMBER_STAYS,
}  # fmt: skip
UNLINKS = NEEDS_PERSON - {Reason.SCREEN_LOCKED, Reason.CONFLICT, Reason.BANNED}
PINNED = {
    Reason.LAUNCH_FAILED: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.PROFILE_IN_USE: (("ERROR", 1, False), ("ERROR", 1, False)),
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
    Reason.BANNED: (("SUSPENDED", None, True), ("SUSPENDED", None, True)),
    Reason.OUTDATED: (("DISCONNECTED", 0, False), ("DISCONNECTED", 0, False)),
    Reason.WRONG_NUMBER: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.RECYCLED: (("DISCONNECTED", 0, False), ("DISCONNECTED", 0, False)),
    Reason.UNKNOWN: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
}


def test_every_verdict_is_pinned():
    assert set(PINNED) == set(VERDICTS)
    assert {reason for reason, verdict in VERDICTS.items() if verdict.needs_person} == NEEDS_PERSON


@pytest.mark.parametrize("phase", RUNNING)
@pytest.mark.parametrize("reason", PINNED, ids=str)
def test_l11_why_it_ended_decides_what_follows(phase, reason):
    state, delay, alert = PINNED[reason][0 if phase is State.CONNECTED else 1]
    picture = b"png" if reason is Reason.PAGE_UNKNOWN else None
    after, effects = do(at(phase, linked=True, errors=3), Ended(reason, "why", picture=picture))
    assert (after.state, after.stage, after.reason, after.detail) == (state, None, reason, "why")
    assert after.errors == (0 if reason in NEEDS_PERSON else 4 if state == "ERROR" else 3)
    assert after.browser is Browser.CLOSING
    assert Close(7, log_out=reason is Reason.WRONG_NUMBER) in effects
    assert [effect.seconds for effect in effects if isinstance(effect, Arm)] == ([] if delay is None else [delay])
    assert after.armed == (frozenset() if delay is None else {Timer.RETRY})
    assert ([effect for effect in effects if isinstance(effect, Alert)]) == ([Alert(reason, picture)] if alert else [])
    assert after.linked == (reason not in UNLINKS)
    assert after.loss_told == alert


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
        ("lid_migration_no_lid_available", Reason.LOGGED_OUT, "WhatsApp says: lid migration no lid available"),
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
        link, effects = do(at(State.CONNECTED), Ended(Reason.CONFLICT), Policy(takeover=never))
        assert not link.armed
        assert effects[-1] == Alert(Reason.CONFLICT)


def test_l11_a_conflict_that_a_restart_finds_is_taken_up_again_only_where_it_is_always_taken_back():
    found = boot(state=State.DISCONNECTED, reason=Reason.CONFLICT)
    link, effects = do(at(State.IDLE), found, Policy(takeover=Takeover.ALWAYS))
    assert (link.phase, effects) == (Stage.QUEUED, (Open(7),))
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
    assert (link.breaker, link.resting, effects) == (Breaker.HALF_OPEN, None, (Open(8),))
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
    link = at(State.CONNECTED, attempts=9, errors=4, waits=8, refreshed=True, alerted=Reason.PAGE_UNKNOWN)
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
    assert effects[-1] == Alert(Reason.BREAKER_OPEN)
    link, _ = do(link, Closed())
    return link


def test_l5_four_errors_do_not_trip():
    link, _ = do(at(Stage.LAUNCHING, errors=3), Ended(Reason.LAUNCH_FAILED))
    assert (link.phase, link.errors, link.breaker) == (State.ERROR, 4, Breaker.CLOSED)


def test_l5_then_exactly_one_trial_with_the_errors_at_zero():
    link, effects = do(trip(), Fired(Timer.COOLDOWN))
    assert (link.phase, link.reason, link.errors, link.breaker) == (Stage.QUEUED, Reason.TRIAL, 0, Breaker.HALF_OPEN)
    assert effects == (Open(8),)
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
    link, effects = do(link, Ready())
    assert (link.phase, link.breaker, link.errors) == (State.CONNECTED, Breaker.CLOSED, 0)
    assert effects[-1] == Recovered()
    link, effects = do(link, Ended(Reason.CONNECTION_LOST))
    assert link.phase is State.DISCONNECTED, "no trial any more"


@pytest.mark.parametrize("reason", [Reason.LOGGED_OUT, Reason.CONFLICT, Reason.WRONG_NUMBER, Reason.BANNED])
def test_l5_a_trial_that_needs_a_person_says_why(reason):
    link, effects = do(at(Stage.LAUNCHING, breaker=Breaker.HALF_OPEN, alerted=reason), Ended(reason))
    assert (link.phase, link.reason, link.armed, link.breaker) == (
        State.SUSPENDED, reason, frozenset(), Breaker.CLOSED,
    )  # fmt: skip
    assert effects[-1] == Alert(reason)


def test_l5_a_trial_also_waits_for_the_earlier_browser():
    link = at(State.SUSPENDED, browser=Browser.CLOSING, breaker=Breaker.OPEN, errors=5)
    link, effects = do(link, Fired(Timer.COOLDOWN))
    assert (link.due, link.breaker, effects) == (Next(Reason.TRIAL), Breaker.HALF_OPEN, ())


SLOW = Policy(suspended_retry=900)


@pytest.mark.parametrize("reason", [Reason.TRIAL_FAILED, Reason.EXHAUSTED])
def test_l5_the_slow_probe_is_silent_and_goes_on(reason):
    link = at(State.SUSPENDED, reason=reason, alerted=reason, loss_told=True, attempts=10)
    link, effects = do(link, Fired(Timer.COOLDOWN), SLOW)
    assert (link.breaker, link.resting) == (Breaker.HALF_OPEN, reason)
    link, _ = do(link, SlotGranted(), SLOW)
    link, effects = do(link, Ended(Reason.CONNECTION_LOST), SLOW)
    assert (link.phase, link.reason, link.cause, link.resting) == (
        State.SUSPENDED, reason, Reason.CONNECTION_LOST, None,
    )  # fmt: skip
    assert effects == (Close(7), Disarm(frozenset({Timer.DEADLINE})), Arm(Timer.COOLDOWN, 900))


def test_l5_the_slow_probe_tells_what_only_a_person_can_mend():
    link = at(Stage.LAUNCHING, breaker=Breaker.HALF_OPEN, resting=Reason.EXHAUSTED, alerted=Reason.EXHAUSTED)
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
    assert do(quiet, Beat(answered=False)) == (quiet, ())
    for said in (Beat(answered=True), Heard()):
        after, effects = do(quiet, said)
        assert after == replace(quiet, quiet=False)
        assert effects == (Arm(Timer.QUIET, 150), Arm(Timer.STALE, 300))


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


@pytest.mark.parametrize(("resting", "breaker"), [(None, Breaker.OPEN), (Reason.EXHAUSTED, Breaker.CLOSED)])
def test_l13_a_trial_that_fails_while_held_is_made_again(resting, breaker):
    link = at(Stage.LAUNCHING, on_hold=True, breaker=Breaker.HALF_OPEN, resting=resting, reason=Reason.TRIAL)
    link, effects = do(link, Ended(Reason.CONNECTION_LOST, "away"))
    assert (link.phase, link.reason, link.cause, link.detail, link.breaker, link.resting, link.waiting) == (
        State.SUSPENDED, resting or Reason.BREAKER_OPEN, Reason.CONNECTION_LOST, "away", breaker, None, Timer.COOLDOWN,
    )  # fmt: skip
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
    assert after == replace(link, armed=frozenset(), due=None)
    assert effects == ((disarm(phase),) if ARMED[phase] else ())


def boot(**changes) -> Boot:
    return Boot(**({"wanted": Wanted.CONNECTED, "linked": True, "state": State.CONNECTED} | changes))


def test_l14_what_should_be_connected_starts_from_its_session():
    for state in State:
        after, effects = do(at(State.IDLE), boot(state=state))
        assert (after.phase, after.reason, after.linked, after.asked) == (Stage.QUEUED, Reason.RESUMED, True, False)
        assert effects == (Open(7),)


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


@pytest.mark.parametrize("reason", sorted(NEEDS_PERSON))
@pytest.mark.parametrize("kept", [None, State.CONNECTING, State.IDLE])
def test_l14_what_needs_a_person_still_does(reason, kept):
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
