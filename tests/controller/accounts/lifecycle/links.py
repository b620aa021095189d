"""Connections as they usually are in each phase, and one step of one: for the tests of the lifecycle's table."""

import itertools

from controller.accounts.effects import AlertOver, Close, Disarm, HideCode, Open, ReleaseSlot
from controller.accounts.lifecycle.step import OF_ATTEMPT, OF_PHASE
from controller.accounts.lifecycle.table import TABLE, advance
from controller.accounts.model import (
    AnswerDialog,
    Boot,
    Breaker,
    Browser,
    ConfirmNumber,
    Connection,
    Fired,
    FromSession,
    HeartbeatResult,
    Hold,
    LoggedOut,
    Next,
    Phase,
    Recycle,
    Release,
    Seen,
    Stage,
    Start,
    Stop,
    StopLinking,
    Suspend,
    Timer,
    Wanted,
)
from controller.accounts.policy import Policy
from controller.accounts.reasons import VERDICTS, Reason, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Dialog,
    Ended,
    Health,
    Identified,
    Layer,
    PageView,
    Ready,
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


COMMANDS = (Start, Suspend, StopLinking, Stop, Boot, Fired, Hold, Release, Recycle, ConfirmNumber, AnswerDialog)


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


LIMITS = {Timer.CODES, Timer.PERSON, Timer.SYNC, Timer.ATTEMPT}

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

NEEDS_PERSON = {
    Reason.NOT_LINKED, Reason.LOGGED_OUT, Reason.ACCOUNT_LOCKED, Reason.SYNC_FAILED, Reason.STORAGE_FULL,
    Reason.SCREEN_LOCKED, Reason.CONFLICT, Reason.CONFLICT_LEFT, Reason.BANNED, Reason.WRONG_NUMBER,
    Reason.WRONG_NUMBER_STAYS, Reason.ARCHIVE_OUTDATED,
}  # fmt: skip

SLOW = Policy(suspended_retry=900)


def boot(**changes) -> Boot:
    return Boot(**({"wanted": Wanted.CONNECTED, "linked": True, "state": State.CONNECTED} | changes))
