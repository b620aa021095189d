"""Rows for commands from an operator or the controller: start, suspend, stop, recycle, hold."""

from dataclasses import replace

from controller.accounts.effects import Alert
from controller.accounts.lifecycle.endings import begin_anew, end
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import (
    Boot,
    Breaker,
    Browser,
    Hold,
    Next,
    Recycle,
    Release,
    Rest,
    Stage,
    Start,
    Stop,
    StopLinking,
    Suspend,
    Timer,
    Wanted,
)
from controller.accounts.policy import Takeover
from controller.accounts.reasons import Reason, State, Then
from controller.accounts.reports import Ended

_ALL_TIMERS = frozenset(Timer)


def boot(step: Step, stored: Boot) -> None:
    """Return to what is stored: at rest, waiting for a person, or an attempt with the saved session (L14)."""
    cut_off = stored.state is State.CONNECTING and stored.reason is Reason.WRONG_NUMBER
    if cut_off:  # while it was being logged out
        stored = replace(stored, reason=Reason.WRONG_NUMBER_STAYS)
    step.set(
        linked=stored.linked, alias=stored.alias, foreign=stored.reason is Reason.WRONG_NUMBER_STAYS,
        fresh=stored.state in {State.ERROR, State.SUSPENDED} or stored.errors > 0,
    )  # fmt: skip
    verdict = None if stored.reason is None else step.policy.verdict(stored.reason)
    strands = stored.reason is Reason.NOT_LINKED and stored.has_session  # a session was saved after all (L14)
    if stored.wanted is Wanted.IDLE:
        return
    if stored.wanted is Wanted.SUSPENDED:
        step.go(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    elif stored.reason is not None and verdict is not None and verdict.needs_person and not strands:
        state = State.SUSPENDED if stored.state is State.SUSPENDED else verdict.state
        step.go(state, stored.reason, detail=stored.detail, cause=stored.cause)
        if cut_off:
            step.alert(Alert(stored.reason))
        if verdict.then is Then.BLOCK_END and stored.block_ends_in is not None:
            step.arm(Timer.COOLDOWN, stored.block_ends_in)
    elif stored.linked or stored.has_session:
        _resume(step, stored)
    else:
        step.go(State.DISCONNECTED, Reason.NOT_LINKED)


def _resume(step: Step, stored: Boot) -> None:
    """Resume from the saved session: an attempt goes on with its counters, and a ban's trial stays a trial."""
    if stored.reason is Reason.TRIAL and stored.cause is Reason.BANNED:
        step.set(breaker=Breaker.HALF_OPEN, resting=Rest(stored.cause))
        step.attempt(Next(Reason.TRIAL, cause=stored.cause))
        return
    cause = None
    if stored.state is State.SUSPENDED:
        cause = stored.cause or stored.reason
    else:
        most, threshold = step.policy.max_attempts, step.policy.breaker_threshold
        step.set(attempts=min(stored.attempts, most), errors=min(stored.errors, threshold - 1))
    step.attempt(Next(Reason.RESUMED, cause=cause))


def start(step: Step, request: Start) -> None:
    """Begin with a person's request: all counters and alerts start anew (L3)."""
    step.set(linked=step.connection.linked and not request.anew)
    _note_takeover(step, request)
    begin_anew(step)


def start_under_way(step: Step, request: Start) -> None:
    """Launch nothing, but keep what was asked for (L1): a code, shown by this attempt or the next, or a takeover."""
    if step.connection.state is State.CONNECTING:
        step.set(asked=True, asked_again=step.connection.shown is None)
        _note_takeover(step, request)
    step.refuse()


def _note_takeover(step: Step, request: Start) -> None:
    if request.takeover and step.policy.takeover is not Takeover.NEVER:
        step.set(use_here=True)


def suspend(step: Step, _: Suspend) -> None:
    """Rest until a person asks again; refused if that is already so."""
    if step.connection.reason is Reason.SUSPENDED_BY_OPERATOR and step.connection.due is None:
        step.refuse()
        return
    _close(step)
    step.set(flaps=0, dialogs=0, worst=None, flapping=False, lost=None, unconfirmed=None, use_here=False)
    for reason in (Reason.FLAPPING, Reason.WATCHED_IN_PART, Reason.CONFIRM_NUMBER):
        step.over(reason)
    step.go(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)


def stop_linking(step: Step, _: StopLinking) -> None:
    """Rest as before, not linked; refused if it is linked, rests already, or somebody has scanned its code."""
    before = step.connection
    if before.linked or not before.wants_connection or before.interrupted in {Stage.PAIRING, Stage.SYNCING}:
        step.refuse()
        return
    _close(step)
    step.set(asked=False)
    step.go(State.DISCONNECTED, Reason.NOT_LINKED)


def _close(step: Step) -> None:
    """Close the browser, and try nothing more by itself."""
    step.close_browser()
    step.reset()
    step.disarm(_ALL_TIMERS)


def stop(step: Step, request: Stop) -> None:
    """Close, and open nothing any more (L15). An account at rest keeps its reason for the next start."""
    running = step.connection.browser is Browser.OPEN
    step.close_browser(log_out=request.log_out)
    step.disarm(_ALL_TIMERS)
    step.set(stopped=True, waiting=None, flaps=0, dialogs=0)
    if running:
        step.go(State.IDLE, Reason.REMOVED if request.log_out else Reason.SHUTDOWN)


def recycle(step: Step, request: Recycle) -> None:
    """End a browser that has run for long or grown; a retry follows at once."""
    end(step, Ended(Reason.RECYCLED, request.why))


def refuse(step: Step, _: object) -> None:
    """Tell the person that nothing was done: it does not fit what the account does."""
    step.refuse()


def hold(step: Step, _: Hold) -> None:
    """Begin no retries: WhatsApp cannot be reached (L13)."""
    step.set(on_hold=True)


def release(step: Step, _: Release) -> None:
    """Make up for the retry that was held back."""
    waiting = step.connection.waiting
    step.set(on_hold=False, waiting=None)
    if waiting is not None:
        step.arm(waiting, 0)
