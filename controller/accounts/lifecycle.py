"""The lifecycle of one account: every move there is, as one table, and the pure step over it.

This file owns every transition: nothing else changes a link's state. `TABLE` says, for each phase and each thing that
can happen in it, which row acts and where the link may be afterwards; what has no row there changes nothing.
No I/O, no clock, no asyncio: `controller.manager` performs the effects and feeds their results back as events.
The rules L1 to L15 that rows name are those of `docs/lifecycle.md`, whose diagram is drawn from `TABLE`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from controller.accounts.model import (
    Beat,
    Boot,
    Breaker,
    Browser,
    Closed,
    Connection,
    Effect,
    Event,
    Fired,
    FromSession,
    Heartbeat,
    Hold,
    Next,
    Phase,
    Probe,
    Recovered,
    Refuse,
    Release,
    SlotGranted,
    Stage,
    Start,
    Stop,
    Suspend,
    Timer,
    Wanted,
)
from controller.accounts.numbers import is_same_account, mask
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import VERDICTS, Reason, State, Then, Verdict, logout_reason, logout_words
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
from controller.accounts.step import Step


def advance(link: Connection, event: Event, policy: Policy) -> tuple[Connection, tuple[Effect, ...]]:
    """Return the link after `event`, and what is to be done, in order. The same input gives the same output, always."""
    what: Any = event
    if isinstance(event, FromSession):
        if event.session != link.session:
            return link, ()  # what an earlier browser still reports (L1)
        what = event.said
    key = what.timer if isinstance(what, Fired) else type(what)
    row = TABLE[link.phase].get(key)
    if row is None or (isinstance(what, Fired) and what.timer not in link.armed):
        return link, ()
    move = Step(link, policy, what.timer if isinstance(what, Fired) else None)
    row.do(move, what)
    return move.end()


# --- rows: what an operator or the controller says ------------------------------------------------------------------


def _boot(move: Step, boot: Boot) -> None:
    move.set(linked=boot.linked)
    if boot.wanted is Wanted.IDLE:
        return
    if boot.wanted is Wanted.SUSPENDED:
        move.go(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    elif boot.reason in VERDICTS and (verdict := _verdict(boot.reason, move.policy)).needs_person:
        state = State.SUSPENDED if boot.state is State.SUSPENDED else verdict.state
        move.go(state, boot.reason, detail=boot.detail)
        if verdict.then is Then.BLOCK_END and boot.block_ends_in is not None:
            move.arm(Timer.COOLDOWN, boot.block_ends_in)
    elif boot.linked:
        move.attempt(Next(Reason.RESUMED))
    else:
        move.go(State.DISCONNECTED, Reason.NOT_LINKED)


def _start(move: Step, start: Start) -> None:
    move.reset()
    move.set(asked=True)
    move.attempt(Next(Reason.ASKED, takeover=start.takeover))


def _refuse(move: Step, _: object) -> None:
    move.effects.append(Refuse())


def _suspend(move: Step, _: Suspend) -> None:
    if move.link.reason is Reason.SUSPENDED_BY_OPERATOR and move.link.due is None:
        _refuse(move, None)
        return
    move.put_away()
    move.reset()
    move.go(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)


def _stop(move: Step, _: Stop) -> None:
    move.put_away()
    move.go(State.IDLE, Reason.SHUTDOWN)


def _stop_at_rest(move: Step, _: Stop) -> None:
    """Stay as it is, with its reason, so that the next start knows it."""
    move.put_away()
    move.disarm()


def _hold(move: Step, _: Hold) -> None:
    move.set(on_hold=True)


def _release(move: Step, _: Release) -> None:
    waiting = move.link.waiting
    move.set(on_hold=False, waiting=None)
    if waiting is not None:
        move.arm(waiting, 0)


# --- rows: an attempt, stage by stage -------------------------------------------------------------------------------


def _slot_granted(move: Step, _: SlotGranted) -> None:
    move.stage(Stage.LAUNCHING, move.policy.connect_timeout)


def _first_code(move: Step, code: Code) -> None:
    if move.link.linked and not move.link.asked:
        _end(move, Ended(Reason.RESTORE_FAILED))
        return
    move.stage(Stage.AWAITING_SCAN, move.policy.qr_timeout)
    move.show_code(code)


def _next_code(move: Step, code: Code) -> None:
    if Timer.DEBOUNCE in move.link.armed:
        move.set(held=code)
    elif code != move.link.shown:
        move.show_code(code)


def _debounced(move: Step, _: Fired) -> None:
    held = move.link.held
    move.set(held=None)
    if held is not None and held != move.link.shown:
        move.show_code(held)


def _scanned(move: Step, _: Scanned) -> None:
    move.hide_code()
    move.stage(Stage.PAIRING, move.policy.connect_timeout)


def _passkey(move: Step, _: PasskeyAsked) -> None:
    move.hide_code()
    move.stage(Stage.PASSKEY, move.policy.passkey_timeout)
    move.alert(Reason.PASSKEY, loss=False)


def _is_stranger(move: Step, number: str | None) -> bool:
    """End the attempt if somebody else's phone was linked (L11)."""
    ours = move.link.number
    if number is None or is_same_account(number, ours):
        return False
    _end(move, Ended(Reason.WRONG_NUMBER, f"{mask(number)} was linked instead of {mask(ours)}"))
    return True


def _authenticated(move: Step, who: Authenticated) -> None:
    if not _is_stranger(move, who.number):
        move.hide_code()
        move.stage(Stage.SYNCING, move.policy.sync_timeout)


def _authenticated_again(move: Step, who: Authenticated) -> None:
    _is_stranger(move, who.number)


def _first_syncing(move: Step, syncing: Syncing) -> None:
    _authenticated(move, Authenticated())
    _syncing(move, syncing)


def _syncing(move: Step, syncing: Syncing) -> None:
    move.set(percent=syncing.percent)


def _ready(move: Step, ready: Ready) -> None:
    if _is_stranger(move, ready.number):
        return
    move.hide_code()
    move.go(State.CONNECTED, Reason.LINKED)
    move.set(linked=True, asked=False, breaker=Breaker.CLOSED, resting=None, alerted=None)
    for timer, seconds in (
        (Timer.HEALTH, move.policy.health_check),
        (Timer.KEEP_ALIVE, move.policy.keep_alive),
        (Timer.STABLE, move.policy.stable_after),
    ):
        move.arm(timer, seconds)
    _heard(move, None)
    if move.link.loss_told:
        move.set(loss_told=False)
        move.effects.append(Recovered())


# --- rows: a connection ---------------------------------------------------------------------------------------------


def _heard(move: Step, _: object) -> None:
    if move.link.quiet:
        move.set(quiet=False)
    policy = move.policy
    in_time = policy.stale_after - policy.keep_alive - policy.probe_timeout  # for one question and its answer
    move.arm(Timer.QUIET, max(0.0, min(policy.stale_after / 2, in_time)))
    move.arm(Timer.STALE, policy.stale_after)


def _quiet(move: Step, _: Fired) -> None:
    move.set(quiet=True)


def _keep_alive(move: Step, _: Fired) -> None:
    move.arm(Timer.KEEP_ALIVE, move.policy.keep_alive)
    move.effects.append(Heartbeat(move.link.session, ask=move.link.quiet))


def _beat(move: Step, beat: Beat) -> None:
    if beat.answered:
        _heard(move, beat)


def _stable(move: Step, _: Fired) -> None:
    move.reset()


def _health_due(move: Step, _: Fired) -> None:
    move.arm(Timer.HEALTH, move.policy.health_check)
    if not move.link.probing:
        move.set(probing=True)
        move.effects.append(Probe(move.link.session))


def _socket_down(move: Step, _: SocketDown) -> None:
    """Probe now instead of at the next round, so that the second failed probe is not a minute away."""
    if not move.link.probing and not move.link.failed_probes:
        _health_due(move, Fired(Timer.HEALTH))


_LOST_AT = {
    Layer.PROCESS: Reason.SESSION_CLOSED,
    Layer.BROWSER: Reason.UNRESPONSIVE,
    Layer.PAGE: Reason.UNRESPONSIVE,
    Layer.SOCKET: Reason.CONNECTION_LOST,
}


def _health(move: Step, health: Health) -> None:
    failed = 0 if health.failed is None else move.link.failed_probes + 1
    move.set(probing=False, failed_probes=failed)
    if health.failed is not None and failed >= move.policy.failed_probes:
        _end(
            move,
            Ended(_LOST_AT[health.failed], f"{health.failed}: {health.detail}" if health.detail else health.failed),
        )


def _unlinked(move: Step, _: Code) -> None:
    """Take a connected page that asks for a scan as what it is: logged out without a word."""
    _end(move, Ended(Reason.LOGGED_OUT))


# --- rows: ends, and what follows (L2, L4, L5, L11) -----------------------------------------------------------------


def _deadline(move: Step, _: Fired) -> None:
    _end(move, Ended(Reason.DEADLINE, f"{move.link.stage} took too long"))


def _qr_expired(move: Step, _: Fired) -> None:
    _end(move, Ended(Reason.QR_EXPIRED))


def _stale(move: Step, _: Fired) -> None:
    _end(move, Ended(Reason.STALE))


def _verdict(reason: Reason, policy: Policy) -> Verdict:
    """Return what a reason means to this policy: where the session is always taken back, a conflict is retried."""
    if reason is Reason.CONFLICT and policy.takeover is Takeover.ALWAYS:
        return Verdict(State.DISCONNECTED, Then.BACKOFF)
    return VERDICTS[reason]


def _end(move: Step, ended: Ended) -> None:
    """Put the session away and count its end; then the table of reasons says what follows."""
    link = move.link
    if ended.reason is Reason.LOGGED_OUT and ended.code:
        detail = f"WhatsApp says: {logout_words(ended.code)}"
        ended = replace(ended, reason=logout_reason(ended.code), detail=detail)
    verdict = _verdict(ended.reason, move.policy)
    state = verdict.state_after(connected=link.state is State.CONNECTED)
    move.put_away(log_out=ended.reason is Reason.WRONG_NUMBER)
    if verdict.unlinks:
        move.set(linked=False, asked=False)
    if link.on_hold and not verdict.needs_person:
        _wait_for_whatsapp(move, ended, state)
        return
    if state is State.ERROR:
        move.set(errors=link.errors + 1)
    on_trial = link.breaker is Breaker.HALF_OPEN
    if on_trial and link.resting is None:
        move.set(alerted=None)  # whatever ends a trial is told, also what was told before

    _follow(move, ended, verdict, state, on_trial=on_trial)


def _follow(move: Step, ended: Ended, verdict: Verdict, state: State, *, on_trial: bool) -> None:
    """Go where the end leads. A trial is the last word; so is the last attempt; then the breaker; else a retry."""
    link = move.link
    if verdict.needs_person:
        _rest(move, State.SUSPENDED if on_trial else state, ended)
        if verdict.alert:
            move.alert(ended.reason, ended.picture)
        if verdict.then is Then.BLOCK_END and ended.block_ends_in is not None and not on_trial:
            move.arm(Timer.COOLDOWN, ended.block_ends_in)
    elif on_trial:
        _give_up(move, link.resting or Reason.TRIAL_FAILED, ended)
    elif link.attempts >= move.policy.max_attempts:
        _give_up(move, Reason.EXHAUSTED, ended)
    elif link.errors >= move.policy.breaker_threshold:
        _trip(move, ended)
    else:
        move.go(state, ended.reason, detail=ended.detail)
        _arm_retry(move, verdict, at_once=state is State.DISCONNECTED)
        if verdict.alert:
            move.alert(ended.reason, ended.picture)


def _wait_for_whatsapp(move: Step, ended: Ended, state: State) -> None:
    """Give back what the attempt has used up, and try again when WhatsApp can be reached (L13)."""
    link = move.link
    if link.breaker is Breaker.HALF_OPEN:
        move.go(State.SUSPENDED, link.resting or Reason.BREAKER_OPEN, detail=ended.detail, cause=ended.reason)
        move.set(breaker=Breaker.CLOSED if link.resting else Breaker.OPEN, resting=None, waiting=Timer.COOLDOWN)
        return
    spent = link.state is State.CONNECTING and link.reason is Reason.RETRY
    move.set(attempts=min(link.attempts - spent, move.policy.max_attempts - 1))  # one is left for when it is back
    move.go(state, ended.reason, detail=ended.detail)
    move.set(waiting=Timer.RETRY)


def _trip(move: Step, ended: Ended) -> None:
    """Open the breaker: cool down, then one trial."""
    move.go(State.SUSPENDED, Reason.BREAKER_OPEN, detail=ended.detail, cause=ended.reason)
    move.set(breaker=Breaker.OPEN)
    move.arm(Timer.COOLDOWN, move.policy.breaker_cooldown)
    move.alert(Reason.BREAKER_OPEN, ended.picture)


def _rest(move: Step, state: State, ended: Ended) -> None:
    """Stop trying: only a person can mend what ended it."""
    move.go(state, ended.reason, detail=ended.detail)
    move.set(attempts=0, errors=0, waits=0, breaker=Breaker.CLOSED, resting=None)


def _give_up(move: Step, reason: Reason, ended: Ended) -> None:
    """Stop trying: enough was tried. Only the slow silent probe may follow, where it is wanted (L5)."""
    move.go(State.SUSPENDED, reason, detail=ended.detail, cause=ended.reason)
    move.set(breaker=Breaker.CLOSED, resting=None)
    move.alert(reason, ended.picture)  # after a slow probe that was told already
    if move.policy.suspended_retry > 0:
        move.arm(Timer.COOLDOWN, move.policy.suspended_retry)


def _arm_retry(move: Step, verdict: Verdict, *, at_once: bool) -> None:
    link, delays = move.link, move.policy.delays
    if verdict.then is Then.REFRESH and not link.refreshed:
        move.set(refreshed=True)
        move.arm(Timer.RETRY, 0)
    elif verdict.then is Then.AT_ONCE and at_once and link.attempts == 0:
        move.arm(Timer.RETRY, 0)
    else:
        move.set(waits=link.waits + 1)
        move.arm(Timer.RETRY, delays[min(link.waits, len(delays) - 1)])


def _retry(move: Step, fired: Fired) -> None:
    if move.link.on_hold:
        move.set(waiting=fired.timer)
        return
    reason = move.link.reason
    move.set(attempts=move.link.attempts + 1)
    move.attempt(Next(Reason.RETRY, fresh=reason is Reason.OUTDATED, takeover=reason is Reason.CONFLICT))


def _trial(move: Step, fired: Fired) -> None:
    if move.link.on_hold:
        move.set(waiting=fired.timer)
        return
    reason = move.link.reason
    move.set(
        breaker=Breaker.HALF_OPEN,
        errors=0,
        resting=reason if reason in {Reason.TRIAL_FAILED, Reason.EXHAUSTED} else None,
    )
    move.attempt(Next(Reason.TRIAL))


def _closed(move: Step, _: Closed) -> None:
    move.set(browser=Browser.NONE)
    if move.link.due is not None:
        move.attempt(move.link.due)


# --- the table ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """What one thing that happens in one phase does, and the phases in which the link may be afterwards."""

    do: Callable[[Step, Any], None]
    to: tuple[Phase, ...]


_ENDS = (State.DISCONNECTED, State.ERROR, State.SUSPENDED)

_SUSPEND = Row(_suspend, (State.SUSPENDED,))

_CLOSED = Row(_closed, (Stage.QUEUED,))

_HELD: dict[Any, Row] = {
    Hold: Row(_hold, ()),
    Release: Row(_release, ()),
}

_AT_REST: dict[Any, Row] = _HELD | {
    Stop: Row(_stop_at_rest, ()),
    Suspend: _SUSPEND,
    Start: Row(_start, (Stage.QUEUED,)),
    Closed: _CLOSED,
}

_RUNNING: dict[Any, Row] = _HELD | {
    Stop: Row(_stop, (State.IDLE,)),
    Suspend: _SUSPEND,
    Start: Row(_refuse, ()),
    Ended: Row(_end, _ENDS),
}

_TO_SYNCING = (Stage.SYNCING, State.DISCONNECTED, State.SUSPENDED)
_TO_CONNECTED = (State.CONNECTED, State.DISCONNECTED, State.SUSPENDED)

_LOADED: dict[Any, Row] = _RUNNING | {
    Authenticated: Row(_authenticated, _TO_SYNCING),
    Syncing: Row(_first_syncing, (Stage.SYNCING,)),
    Ready: Row(_ready, _TO_CONNECTED),
    Code: Row(_first_code, (Stage.AWAITING_SCAN, State.ERROR, State.SUSPENDED)),
    Timer.DEADLINE: Row(_deadline, (State.ERROR, State.SUSPENDED)),
}

_PASSKEY = Row(_passkey, (Stage.PASSKEY,))

TABLE: dict[Phase, dict[Any, Row]] = {
    State.IDLE: _AT_REST
    | {
        Boot: Row(_boot, (Stage.QUEUED, State.DISCONNECTED, State.SUSPENDED)),
    },
    Stage.QUEUED: _RUNNING
    | {
        SlotGranted: Row(_slot_granted, (Stage.LAUNCHING,)),
    },
    Stage.LAUNCHING: _LOADED
    | {
        PasskeyAsked: _PASSKEY,
    },
    Stage.AWAITING_SCAN: _LOADED
    | {
        PasskeyAsked: _PASSKEY,
        Code: Row(_next_code, ()),
        Timer.DEBOUNCE: Row(_debounced, ()),
        Scanned: Row(_scanned, (Stage.PAIRING,)),
        Timer.DEADLINE: Row(_qr_expired, (State.DISCONNECTED, State.SUSPENDED)),
    },
    Stage.PAIRING: _LOADED
    | {
        PasskeyAsked: _PASSKEY,
    },
    Stage.PASSKEY: _LOADED,
    Stage.SYNCING: _LOADED
    | {
        Authenticated: Row(_authenticated_again, (State.DISCONNECTED, State.SUSPENDED)),
        Syncing: Row(_syncing, ()),
    },
    State.CONNECTED: _RUNNING
    | {
        Heard: Row(_heard, ()),
        Beat: Row(_beat, ()),
        SocketDown: Row(_socket_down, ()),
        Health: Row(_health, (State.DISCONNECTED, State.SUSPENDED)),
        Code: Row(_unlinked, (State.DISCONNECTED, State.SUSPENDED)),
        Timer.HEALTH: Row(_health_due, ()),
        Timer.KEEP_ALIVE: Row(_keep_alive, ()),
        Timer.QUIET: Row(_quiet, ()),
        Timer.STABLE: Row(_stable, ()),
        Timer.STALE: Row(_stale, (State.DISCONNECTED, State.SUSPENDED)),
    },
    State.DISCONNECTED: _AT_REST
    | {
        Timer.RETRY: Row(_retry, (Stage.QUEUED,)),
    },
    State.ERROR: _AT_REST
    | {
        Timer.RETRY: Row(_retry, (Stage.QUEUED,)),
    },
    State.SUSPENDED: _AT_REST
    | {
        Timer.COOLDOWN: Row(_trial, (Stage.QUEUED,)),
    },
}
"""phase → what happens → row. What is not listed changes nothing: it is late, or already true."""
