"""The lifecycle of one account: every transition, as one table, and the pure step function over it.

Nothing else changes a connection's state. For each phase and each trigger, `TABLE` names the row that handles it and
the phases it may lead to; a trigger without a row changes nothing.
No I/O, no clock, no asyncio: `controller.manager` performs the effects and feeds their results back as events.
The rules L1 to L17 that rows name are those of `docs/lifecycle.md`, whose diagram is drawn from `TABLE`.

It is longer than other files because the table has to be read as a whole.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from controller.accounts.e164 import is_same_account, mask_apart, may_be_same_account
from controller.accounts.effects import (
    Activity,
    Alert,
    Dismiss,
    Effect,
    Heartbeat,
    LogOut,
    Look,
    Probe,
    RecordBuild,
    Refuse,
    Tripped,
)
from controller.accounts.model import (
    AnswerDialog,
    Boot,
    Breaker,
    Browser,
    Closed,
    ConfirmNumber,
    Connection,
    DialogStays,
    Event,
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
from controller.accounts.reasons import VERDICTS, Reason, State, Then, Verdict, logout_reason, logout_words
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
    Syncing,
)
from controller.accounts.step import OF_ATTEMPT, Step

ALL_TIMERS = frozenset(Timer)
_MOST_DISMISSED = 3
"""How often in one browser a dialog is dismissed without a person."""
_MOST_DIALOGS = 3
"""How often within the window of flapping people are alerted to dialogs."""


def advance(connection: Connection, event: Event, policy: Policy) -> tuple[Connection, tuple[Effect, ...]]:
    """Return the connection after `event` and the effects to perform, in order. Deterministic."""
    what: Any = event
    if isinstance(event, FromSession):
        if event.session != connection.session:
            return connection, ()  # a late report from an earlier browser (L1)
        what = event.event
    key = what.timer if isinstance(what, Fired) else type(what)
    row = AFTER_STOP.get(key) if connection.stopped else TABLE[connection.phase].get(key)
    if row is None or (isinstance(what, Fired) and what.timer not in connection.armed):
        return connection, ()
    step = Step(connection, policy, what.timer if isinstance(what, Fired) else None)
    row.do(step, what)
    return step.end()


# --- rows: commands from an operator or the controller ---------------------------------------------------------------


def _boot(step: Step, boot: Boot) -> None:
    step.set(
        linked=boot.linked, alias=boot.alias, foreign=boot.reason is Reason.WRONG_NUMBER_STAYS,
        fresh=boot.state in {State.ERROR, State.SUSPENDED},
    )  # fmt: skip
    verdict = None if boot.reason is None else step.policy.verdict(boot.reason)
    strands = boot.reason is Reason.NOT_LINKED and boot.has_session  # a session was saved after all (L14)
    if boot.wanted is Wanted.IDLE:
        return
    if boot.wanted is Wanted.SUSPENDED:
        step.go(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)
    elif boot.reason is not None and verdict is not None and verdict.needs_person and not strands:
        state = State.SUSPENDED if boot.state is State.SUSPENDED else verdict.state
        step.go(state, boot.reason, detail=boot.detail, cause=boot.cause)
        if verdict.then is Then.BLOCK_END and boot.block_ends_in is not None:
            step.arm(Timer.COOLDOWN, boot.block_ends_in)
    elif boot.linked or boot.has_session:
        _resume(step, boot)
    else:
        step.go(State.DISCONNECTED, Reason.NOT_LINKED)


def _resume(step: Step, boot: Boot) -> None:
    """Resume from the saved session: an attempt goes on with its counters, and a ban's trial stays a trial."""
    if boot.reason is Reason.TRIAL and boot.cause is Reason.BANNED:
        step.set(breaker=Breaker.HALF_OPEN, resting=Rest(boot.cause))
        step.attempt(Next(Reason.TRIAL, cause=boot.cause))
        return
    cause = None
    if boot.state is State.SUSPENDED:
        cause = boot.cause or boot.reason
    else:
        most, threshold = step.policy.max_attempts, step.policy.breaker_threshold
        step.set(attempts=min(boot.attempts, most), errors=min(boot.errors, threshold - 1))
    step.attempt(Next(Reason.RESUMED, cause=cause))


def _start(step: Step, start: Start) -> None:
    step.reset()
    step.reset_alerts(all_of_them=True)
    step.set(asked=True, linked=step.connection.linked and not start.anew)
    takeover = start.takeover and step.policy.takeover is not Takeover.NEVER
    step.attempt(Next(Reason.ASKED, takeover=takeover))


def _refuse(step: Step, _: object) -> None:
    step.effects.append(Refuse())


def _start_under_way(step: Step, _: Start) -> None:
    """Launch nothing; from now on somebody is waiting for a code, so the running attempt may show one (L1)."""
    if step.connection.state is State.CONNECTING:
        step.set(asked=True)
    _refuse(step, None)


def _suspend(step: Step, _: Suspend) -> None:
    if step.connection.reason is Reason.SUSPENDED_BY_OPERATOR and step.connection.due is None:
        _refuse(step, None)
        return
    step.close_browser()
    step.reset()
    step.disarm(ALL_TIMERS)
    step.set(flaps=0, dialogs=0, worst=None, flapping=False, lost=None, unconfirmed=None)
    for reason in (Reason.FLAPPING, Reason.WATCHED_IN_PART, Reason.CONFIRM_NUMBER):
        step.over(reason)
    step.go(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)


def _stop(step: Step, stop: Stop) -> None:
    """Close, and open nothing any more (L15). An account at rest keeps its reason for the next start."""
    running = step.connection.browser is Browser.OPEN
    step.close_browser(log_out=stop.log_out)
    step.disarm(ALL_TIMERS)
    step.set(stopped=True, waiting=None, flaps=0, dialogs=0)
    if running:
        step.go(State.IDLE, Reason.SHUTDOWN)


def _recycle(step: Step, recycle: Recycle) -> None:
    _end(step, Ended(Reason.RECYCLED, recycle.why))


def _hold(step: Step, _: Hold) -> None:
    step.set(on_hold=True)


def _release(step: Step, _: Release) -> None:
    waiting = step.connection.waiting
    step.set(on_hold=False, waiting=None)
    if waiting is not None:
        step.arm(waiting, 0)


# --- rows: an attempt, stage by stage -------------------------------------------------------------------------------


def _slot_granted(step: Step, _: SlotGranted) -> None:
    step.stage(Stage.LAUNCHING, step.policy.connect_timeout)


def _loaded(step: Step, loaded: Loaded) -> None:
    step.set(build=loaded.build, missing=loaded.missing)
    step.effects.append(RecordBuild(loaded.build, loaded.present, loaded.missing))


def _reloaded(step: Step, _: Reloaded) -> None:
    """Start over with the new document in the same browser, unless the page keeps reloading (L1)."""
    before, policy = step.connection, step.policy
    if before.reloads >= policy.reloads:
        times = f"more than {policy.reloads} times within {policy.reload_window:g} s"
        _end(step, Ended(Reason.RELOADS_ITSELF, times))
        return
    step.hide_code()
    step.close_dialog()
    connected = before.state is State.CONNECTED
    step.set(
        reloads=before.reloads + 1, percent=None, identified=None, asks_passkey=False,
        quiet=False, probing=False, failed_probes=0, lost=Reason.RELOADED if connected else before.lost,
    )  # fmt: skip
    step.stage(Stage.READING, policy.connect_timeout, Reason.RELOADED if connected else None)
    step.arm(Timer.RELOADS, policy.reload_window)


def _reload_forgotten(step: Step, _: Fired) -> None:
    step.set(reloads=step.connection.reloads - 1)
    if step.connection.reloads:
        step.leave_armed(Timer.RELOADS)


def _first_code(step: Step, code: Code) -> None:
    before = step.connection
    if not before.asked:  # nobody is waiting for a code: a session was expected
        _end(step, Ended(Reason.RESTORE_FAILED if before.linked else Reason.NOT_LINKED))
    elif Timer.CODES in before.spent:
        _end(step, Ended(Reason.QR_EXPIRED))
    else:
        step.set(foreign=False, asks_passkey=False, was_ours=False, identified=None)  # whoever scans it is not known
        step.stage(Stage.AWAITING_SCAN, None)
        step.limit(Timer.CODES, step.policy.qr_timeout)
        step.show_code(code)


def _next_code(step: Step, code: Code) -> None:
    if Timer.DEBOUNCE in step.connection.armed:
        step.set(pending_code=code)
    elif code != step.connection.shown:
        step.show_code(code)


def _debounced(step: Step, _: Fired) -> None:
    pending_code = step.connection.pending_code
    step.set(pending_code=None)
    if pending_code is not None and pending_code != step.connection.shown:
        step.show_code(pending_code)


def _scanned(step: Step, _: Scanned) -> None:
    step.hide_code()
    step.stage(Stage.PAIRING, step.policy.connect_timeout)


def _passkey(step: Step, _: PasskeyAsked) -> None:
    """Wait for a person, at whatever stage the passkey is requested, and also when connected (L11)."""
    before = step.connection
    if Timer.PERSON in before.spent:
        _end(step, Ended(Reason.DEADLINE, f"{Stage.PASSKEY} took too long"))
        return
    connected = before.state is State.CONNECTED
    step.hide_code()
    if connected:
        step.set(lost=Reason.PASSKEY)
    step.set(asks_passkey=True, percent=None)  # what the page loaded before it asked is no progress
    step.stage(Stage.PASSKEY, None, Reason.PASSKEY if connected else None)
    step.limit(Timer.PERSON, step.policy.passkey_timeout)
    step.alert(Alert(Reason.PASSKEY))


def _passkey_over(step: Step, _: PasskeyAnswered) -> None:
    step.set(asks_passkey=False)


def _passkey_answered(step: Step, _: PasskeyAnswered) -> None:
    step.set(asks_passkey=False)
    if _was_scanned(step.connection) and step.connection.identified is None:
        step.stage(Stage.PAIRING, step.policy.connect_timeout)
    else:
        _authenticated(step, Authenticated())


def _was_scanned(connection: Connection) -> bool:
    """Whether a code was shown in this attempt, so that an identity cannot be a saved session's."""
    return Timer.CODES in connection.armed | connection.spent


def _authenticated(step: Step, who: Authenticated) -> None:
    """Enter the sync stage, limited both since its last progress and in total (L7)."""
    if _is_stranger(step, who.number):
        return
    if Timer.SYNC in step.connection.spent:
        _end(step, Ended(Reason.DEADLINE, f"{Stage.SYNCING} took too long"))
        return
    step.hide_code()
    step.stage(Stage.SYNCING, step.policy.sync_timeout)
    step.limit(Timer.SYNC, step.policy.sync_limit)


def _authenticated_at_passkey(step: Step, who: Authenticated) -> None:
    """After a scan in this attempt, the identity hints that the passkey was given; that of a saved session does not."""
    if _was_scanned(step.connection):
        _authenticated(step, who)
    else:
        _identified(step, who)


def _syncing_at_wait(step: Step, syncing: Syncing) -> None:
    """Go on if the percentage rises while a person is waited for: the first one may have been read late.

    Should it stall, the attempt returns to the wait (`_stalled`): only a report that it is over ends it for good.
    """
    before = step.connection
    if syncing.percent is None:
        return
    step.set(percent=syncing.percent)
    if before.percent is not None and syncing.percent > before.percent:
        _first_syncing(step, syncing)


def _identified(step: Step, who: Identified | Authenticated | Ready) -> None:
    _is_stranger(step, who.number)


def _first_syncing(step: Step, syncing: Syncing) -> None:
    _authenticated(step, Authenticated())
    if step.connection.stage is Stage.SYNCING:
        step.set(percent=syncing.percent)


def _syncing(step: Step, syncing: Syncing) -> None:
    """Treat every change of the percentage as progress, which restarts the deadline."""
    before = step.connection
    if syncing.percent is None or syncing.percent == before.percent:
        return
    step.set(percent=syncing.percent)
    if Timer.SYNC not in before.spent:
        step.set(looking=False)
        step.arm(Timer.DEADLINE, step.policy.sync_timeout)


def _ready(step: Step, ready: Ready) -> None:
    if _is_stranger(step, ready.number):
        return
    policy, lost = step.policy, step.connection.lost
    step.hide_code()
    step.go(State.CONNECTED, Reason.LINKED)
    if lost is not None:
        _recovered(step, lost)
    step.reset_alerts()
    step.set(
        linked=True, asked=False, foreign=False, fresh=False, lost=None, breaker=Breaker.CLOSED, resting=None,
        asks_passkey=False, partial=ready.partial, quiet=False, probing=False, failed_probes=0,
    )  # fmt: skip
    step.arm_all(
        {
            Timer.HEALTH: policy.health_check,
            Timer.KEEP_ALIVE: policy.keep_alive,
            Timer.STABLE: policy.stable_after,
            Timer.QUIET: _quiet_after(policy),
            Timer.STALE: policy.stale_after,
        }
    )
    step.effects.append(Activity())
    if ready.partial:
        step.alert(Alert(Reason.WATCHED_IN_PART, detail=ready.partial, silent=True))
    else:
        step.over(Reason.WATCHED_IN_PART)
    dialog = step.connection.dialog
    if dialog is not None and not _is_dismissed(step, dialog):
        _alert_dialog(step, dialog, silent=True)


# --- rows: whose account it is (L11) --------------------------------------------------------------------------------


def _is_stranger(step: Step, number: str | None) -> bool:
    """Check the account's number once it is known; start logging the device out if it is another account's."""
    before = step.connection
    if number is None:
        return False
    if _is_known(before, number):
        if before.unconfirmed is None or before.unconfirmed != before.identified:  # else this page told both
            step.set(unconfirmed=None)
            step.over(Reason.CONFIRM_NUMBER)
        step.set(identified=number, was_ours=True)
        return False
    one, other = mask_apart(number, before.number)
    # No other phone can have scanned a page that was open as this account: its number may have been changed.
    if (may_be_same_account(number, before.number) or before.was_ours) and number != before.denied:
        if before.unconfirmed not in {None, number}:
            step.over(Reason.CONFIRM_NUMBER)  # people were asked about another one
        step.set(identified=number, unconfirmed=number)
        step.alert(Alert(Reason.CONFIRM_NUMBER, detail=f"{one} is open, the account is {other}"))
        return False
    _log_out(step, number, f"{one} instead of {other}")
    return True


def _is_known(connection: Connection, number: str) -> bool:
    """Whether a number is the account's, in whichever form."""
    return is_same_account(number, connection.number) or number == connection.alias


def _log_out(step: Step, number: str, detail: str) -> None:
    """Log the wrong device out before closing its browser; people are alerted once the outcome is known."""
    step.hide_code()
    step.close_dialog()
    step.over(Reason.CONFIRM_NUMBER)
    step.set(linked=False, asked=False, identified=None, unconfirmed=None, foreign=True, lost=None)
    step.set(asks_passkey=False, was_ours=False)
    connected = step.connection.state is State.CONNECTED
    step.stage(Stage.LOGGING_OUT, step.policy.log_out_timeout, Reason.WRONG_NUMBER if connected else None)
    step.set(detail=detail)
    step.effects.append(LogOut(step.connection.session, number))


def _logged_out(step: Step, result: LoggedOut) -> None:
    reason = Reason.WRONG_NUMBER if result.confirmed else Reason.WRONG_NUMBER_STAYS
    asked_meanwhile = step.connection.asked
    step.set(foreign=not result.confirmed)
    _end(step, Ended(reason, step.connection.detail))
    if asked_meanwhile:  # the operator need not repeat /link: it starts once the old browser is gone
        step.reset()
        step.set(asked=True)
        step.attempt(Next(Reason.ASKED))


def _ended_while_logging_out(step: Step, ended: Ended) -> None:
    """Take a logout for the one we requested; if the browser ends otherwise, the device may still be linked."""
    _logged_out(step, LoggedOut(confirmed=ended.reason is Reason.LOGGED_OUT))


def _log_out_late(step: Step, _: Fired) -> None:
    _logged_out(step, LoggedOut(confirmed=False))


def _confirm_number(step: Step, answer: ConfirmNumber) -> None:
    number = step.connection.unconfirmed
    if number is None or answer.asked not in {None, number}:
        _refuse(step, None)
        return
    step.set(unconfirmed=None)
    step.over(Reason.CONFIRM_NUMBER)
    if answer.same:
        step.set(alias=number)
        return
    step.set(denied=number)
    if step.connection.identified == number:  # otherwise when it is next opened
        _is_stranger(step, number)


# --- rows: what covers the page (K7) --------------------------------------------------------------------------------


def _dialog(step: Step, dialog: Dialog) -> None:
    """Dismiss a dialog during an attempt, or wait for a person; an unknown one may be reported at the deadline."""
    before = step.connection
    if dialog.locked:
        _end(step, Ended(Reason.SCREEN_LOCKED, dialog.words))
    elif not dialog.known:
        step.set(dialog=dialog)
    elif _may_dismiss(step, dialog):
        _dismiss(step, dialog)
    elif Timer.PERSON in before.spent:
        _end(step, Ended(Reason.DEADLINE, f"{Stage.DIALOG} took too long"))
    else:
        step.hide_code()
        step.set(dialog=dialog, interrupted=before.stage)
        step.stage(Stage.DIALOG, None)
        step.limit(Timer.PERSON, step.policy.passkey_timeout)
        _alert_dialog(step, dialog)


def _alert_dialog(step: Step, dialog: Dialog, *, silent: bool = False) -> None:
    """Alert people, unless dialogs have come and gone so often within the hour that one more is no news."""
    told = step.connection.dialogs
    if told < _MOST_DIALOGS and Reason.DIALOG not in step.connection.alerted:
        step.set(dialogs=told + 1)
        step.arm(Timer.DIALOGS, step.policy.flap_window)
        step.alert(Alert(Reason.DIALOG, detail=dialog.words, silent=silent))


def _dialog_forgotten(step: Step, _: Fired) -> None:
    step.set(dialogs=step.connection.dialogs - 1)
    if step.connection.dialogs:
        step.leave_armed(Timer.DIALOGS)


def _may_dismiss(step: Step, dialog: Dialog) -> bool:
    """Whether to dismiss it without a person: one that keeps coming back is not what it is taken for."""
    return dialog.known and step.policy.dialogs is Dialogs.CONTINUE and step.connection.dismissed < _MOST_DISMISSED


def _is_dismissed(step: Step, dialog: Dialog) -> bool:
    """Whether it is being dismissed without a person right now."""
    return dialog.known and step.policy.dialogs is Dialogs.CONTINUE and Reason.DIALOG not in step.connection.alerted


def _dismiss(step: Step, dialog: Dialog) -> None:
    step.set(dialog=dialog, dismissed=step.connection.dismissed + 1)
    step.effects.append(Dismiss(step.connection.session))


def _dialog_at_passkey(step: Step, dialog: Dialog) -> None:
    """Tell of it and go on waiting for the passkey: one person answers both."""
    if dialog.locked:
        _end(step, Ended(Reason.SCREEN_LOCKED, dialog.words))
    elif _may_dismiss(step, dialog):
        _dismiss(step, dialog)
    else:
        step.set(dialog=dialog)
        if dialog.known:
            _alert_dialog(step, dialog)


def _dialog_stays(step: Step, _: DialogStays) -> None:
    """Leave a dialog that could not be dismissed to a person."""
    dialog = step.connection.dialog
    if dialog is None or Reason.DIALOG in step.connection.alerted:
        return
    step.set(dismissed=_MOST_DISMISSED)
    TABLE[step.connection.phase][Dialog].do(step, dialog)


def _next_dialog(step: Step, dialog: Dialog) -> None:
    if dialog.locked:
        _end(step, Ended(Reason.SCREEN_LOCKED, dialog.words))
    else:
        step.set(dialog=dialog)


def _dialog_over_connection(step: Step, dialog: Dialog) -> None:
    if _may_dismiss(step, dialog):
        _dismiss(step, dialog)
    else:
        step.set(dialog=dialog)
        _alert_dialog(step, dialog, silent=True)


def _dialog_closed(step: Step, _: DialogClosed) -> None:
    step.close_dialog()


def _dialog_answered(step: Step, _: DialogClosed) -> None:
    """Resume the interrupted stage; a code behind the dialog is reported again."""
    policy, interrupted = step.policy, step.connection.interrupted
    step.close_dialog()
    if interrupted is Stage.SYNCING:
        step.stage(Stage.SYNCING, policy.sync_timeout)
    else:
        step.stage(Stage.READING, policy.connect_timeout)


def _answer_dialog(step: Step, _: AnswerDialog) -> None:
    dialog = step.connection.dialog
    if dialog is None or not dialog.known:
        _refuse(step, None)
    else:
        step.effects.append(Dismiss(step.connection.session))


# --- rows: a connection ---------------------------------------------------------------------------------------------


def _heard(step: Step, _: object) -> None:
    if step.connection.quiet:
        step.set(quiet=False)
    step.arm(Timer.QUIET, _quiet_after(step.policy))
    step.arm(Timer.STALE, step.policy.stale_after)
    step.effects.append(Activity())


def _quiet_after(policy: Policy) -> float:
    """Return the seconds of silence after which to query the server, early enough for one query and its answer."""
    return max(0.0, min(policy.stale_after / 2, policy.stale_after - policy.keep_alive - policy.probe_timeout))


def _quiet(step: Step, _: Fired) -> None:
    step.set(quiet=True)


def _keep_alive(step: Step, _: Fired) -> None:
    step.arm(Timer.KEEP_ALIVE, step.policy.keep_alive)
    step.effects.append(Heartbeat(step.connection.session, ask=step.connection.quiet))


def _beat(step: Step, beat: HeartbeatResult) -> None:
    if beat.answered:
        _heard(step, beat)


def _stable(step: Step, _: Fired) -> None:
    step.reset()


def _health_due(step: Step, _: Fired) -> None:
    step.arm(Timer.HEALTH, step.policy.health_check)
    if not step.connection.probing:
        step.set(probing=True)
        step.effects.append(Probe(step.connection.session))


def _socket_down(step: Step, _: SocketDown) -> None:
    """Probe now rather than at the next interval, so that a second failed probe is not a minute away."""
    if not step.connection.probing and not step.connection.failed_probes:
        _health_due(step, Fired(Timer.HEALTH))


_LOST_AT = {
    Layer.PROCESS: Reason.SESSION_CLOSED,
    Layer.BROWSER: Reason.UNRESPONSIVE,
    Layer.PAGE: Reason.UNRESPONSIVE,
    Layer.SOCKET: Reason.CONNECTION_LOST,
}


def _health(step: Step, health: Health) -> None:
    """Count failed probes; a socket that was down for one of them was lost for a moment, and has recovered (L16)."""
    before = step.connection
    failed = 0 if health.failed is None else before.failed_probes + 1
    step.set(probing=False, failed_probes=failed)
    if health.failed is Layer.SOCKET:
        step.set(lost=Reason.CONNECTION_LOST)
    elif health.failed is None and before.lost is not None:
        step.set(lost=None)
        _recovered(step, before.lost)
    if health.failed is not None and failed >= step.policy.failed_probes:
        detail = f"{health.failed}: {health.detail}" if health.detail else health.failed
        _end(step, Ended(_LOST_AT[health.failed], detail))


def _unlinked(step: Step, _: Code) -> None:
    """Treat a connected page that shows a code as logged out without notice."""
    _end(step, Ended(Reason.LOGGED_OUT))


# --- rows: connections that are lost and recover again and again (L16) -----------------------------------------------

_WORST_FIRST = tuple(VERDICTS)


def _worse(one: Reason | None, other: Reason) -> Reason:
    """Return the more severe of two causes: the one that stands first in `VERDICTS`."""

    def rank(reason: Reason) -> int:
        return _WORST_FIRST.index(reason) if reason in VERDICTS else len(_WORST_FIRST)

    return other if one is None else min(one, other, key=rank)


def _recovered(step: Step, lost: Reason) -> None:
    """Count a loss that recovered by itself, and alert once when there are too many."""
    before, policy = step.connection, step.policy
    worst = _worse(before.worst, lost)
    step.set(worst=worst)
    if before.flapping:
        step.arm(Timer.CALM, policy.flap_window)
    elif before.flaps < policy.flaps:
        step.set(flaps=before.flaps + 1)
        step.arm(Timer.FLAPS, policy.flap_window)
    else:
        step.disarm(frozenset({Timer.FLAPS}))
        step.set(flaps=0, flapping=True)
        step.arm(Timer.CALM, policy.flap_window)
        times = f"{before.flaps + 1} times within {policy.flap_window / 60:g} min"
        step.alert(Alert(Reason.FLAPPING, detail=times, cause=worst))


def _flap_forgotten(step: Step, _: Fired) -> None:
    step.set(flaps=step.connection.flaps - 1)
    if step.connection.flaps:
        step.leave_armed(Timer.FLAPS)
    else:
        step.set(worst=None)


def _calm(step: Step, _: Fired) -> None:
    step.set(flapping=False, worst=None)
    step.over(Reason.FLAPPING)
    if step.connection.state is State.CONNECTED:
        step.reset_alerts()


# --- rows: how attempts and connections end, and what follows (L2, L4, L5, L11) --------------------------------------


def _deadline(step: Step, _: Fired) -> None:
    """Capture the page before giving up a stage, so that whoever is alerted can see it too."""
    if step.connection.looking:
        _give_up_stage(step)
    else:
        step.set(looking=True)
        step.arm(Timer.DEADLINE, 1.5 * step.policy.probe_timeout)  # the capture itself has a shorter deadline
        step.effects.append(Look(step.connection.session))


def _stalled(step: Step, fired: Fired) -> None:
    """Return to the wait for a person that the sync only seemed to end, or give up."""
    wait = _still_waited_for(step.connection)
    if wait is None:
        _deadline(step, fired)
    else:
        if wait is Stage.DIALOG:
            step.set(interrupted=Stage.SYNCING)
        step.stage(wait, None)


def _still_waited_for(connection: Connection) -> Stage | None:
    """Return the wait of a person who still has time; None if there is none."""
    if Timer.PERSON not in connection.armed or connection.looking:
        return None
    if connection.asks_passkey:
        return Stage.PASSKEY
    return Stage.DIALOG if connection.dialog is not None and connection.dialog.known else None


def _seen(step: Step, seen: Seen) -> None:
    if step.connection.looking:
        _give_up_stage(step, seen.view.words, seen.view.picture)


def _give_up_stage(step: Step, words: str = "", picture: bytes | None = None) -> None:
    dialog = step.connection.dialog
    words = words or (dialog.words if dialog is not None else "")
    shows = f"; the page shows: {words}" if words else ""
    _end(step, Ended(Reason.DEADLINE, f"{step.connection.stage} took too long{shows}", picture=picture))


def _spent(step: Step, fired: Fired) -> None:
    """Remember the limit until the attempt returns to what it bounds."""
    step.spend(fired.timer)


def _limit_reached(step: Step, fired: Fired) -> None:
    """Give up the stage that the limit applies to."""
    step.spend(fired.timer)
    _deadline(step, fired)


def _attempt_over(step: Step, _: Fired) -> None:
    _give_up_stage(step)


def _codes_over(step: Step, _: Fired) -> None:
    _end(step, Ended(Reason.QR_EXPIRED))


def _stale(step: Step, _: Fired) -> None:
    _end(step, Ended(Reason.STALE))


def _end(step: Step, ended: Ended) -> None:
    """Close the session and count its end; the table of reasons then decides what follows."""
    before = step.connection
    ended = _with_meaning(ended, step.policy)
    verdict = step.policy.verdict(ended.reason)
    assert verdict is not None
    state = verdict.state_after(connected=before.state is State.CONNECTED)
    step.close_browser()
    if verdict.unlinks:
        step.set(linked=False, asked=False)
    if before.state is State.CONNECTED:
        step.set(lost=None if verdict.needs_person or ended.reason is Reason.RECYCLED else ended.reason)
    if before.on_hold and not verdict.needs_person:
        _wait_for_whatsapp(step, ended, state)
        return
    if state is State.ERROR:
        step.set(errors=before.errors + 1)
    failed = state is State.ERROR and before.state is State.CONNECTING and ended.reason is not Reason.PROFILE_IN_USE
    if failed or verdict.then is Then.REFRESH:
        step.set(fresh=True)
    on_trial = before.breaker is Breaker.HALF_OPEN
    if on_trial and not (before.resting is not None and before.resting.alerted):
        step.reset_alerts(all_of_them=True)  # however a trial ends, people are alerted, even if they were before

    _follow(step, ended, verdict, state, on_trial=on_trial)


def _with_meaning(ended: Ended, policy: Policy) -> Ended:
    """Replace the reason by what WhatsApp's logout code means (L11), and apply the policy to a conflict."""
    if ended.reason is Reason.CONFLICT and policy.takeover is Takeover.NEVER:
        return replace(ended, reason=Reason.CONFLICT_LEFT)
    if ended.reason is not Reason.LOGGED_OUT or not ended.code:
        return ended
    return replace(ended, reason=logout_reason(ended.code), detail=f"WhatsApp says: {logout_words(ended.code)}")


def _follow(step: Step, ended: Ended, verdict: Verdict, state: State, *, on_trial: bool) -> None:
    """Decide what follows an end. In order: trial over, last attempt used up, breaker, retry."""
    if verdict.then is Then.ROUND:
        step.set(rounds=step.connection.rounds + 1)
    before = step.connection
    nobody_scans = verdict.then is Then.ROUND and before.rounds >= step.policy.qr_rounds
    if verdict.needs_person or nobody_scans:
        _rest(step, State.SUSPENDED if on_trial else state, ended)
        if verdict.alert:
            step.alert(Alert(ended.reason, ended.picture))
        if verdict.then is Then.BLOCK_END and ended.block_ends_in is not None and not on_trial:
            step.arm(Timer.COOLDOWN, ended.block_ends_in)
    elif on_trial:
        alerted = before.resting is not None and before.resting.alerted
        _give_up(step, before.resting.reason if before.resting and alerted else Reason.TRIAL_FAILED, ended)
    elif before.attempts >= step.policy.max_attempts:
        _give_up(step, Reason.EXHAUSTED, ended)
    elif before.errors >= step.policy.breaker_threshold:
        _trip(step, ended)
    else:
        step.go(state, ended.reason, detail=ended.detail)
        _arm_retry(step, verdict, at_once=state is State.DISCONNECTED)
        if verdict.alert:
            step.alert(Alert(ended.reason, ended.picture))


def _wait_for_whatsapp(step: Step, ended: Ended, state: State) -> None:
    """Refund the attempt that was used up, and try again once WhatsApp can be reached (L13)."""
    before = step.connection
    if before.breaker is Breaker.HALF_OPEN:
        rest = before.resting or Rest(Reason.BREAKER_OPEN, cause=ended.reason, detail=ended.detail)
        step.go(State.SUSPENDED, rest.reason, detail=rest.detail, cause=rest.cause)
        breaker = Breaker.OPEN if rest.reason is Reason.BREAKER_OPEN else Breaker.CLOSED
        step.set(breaker=breaker, resting=None, waiting=Timer.COOLDOWN)
        return
    spent = before.state is State.CONNECTING and before.reason is Reason.RETRY
    step.set(attempts=min(before.attempts - spent, step.policy.max_attempts - 1))  # one is left for its return
    step.go(state, ended.reason, detail=ended.detail)
    step.set(waiting=Timer.RETRY)


def _trip(step: Step, ended: Ended) -> None:
    """Open the circuit breaker: cool down, then one trial attempt."""
    cooldown = step.policy.breaker_cooldown
    step.go(State.SUSPENDED, Reason.BREAKER_OPEN, detail=ended.detail, cause=ended.reason)
    step.set(breaker=Breaker.OPEN)
    step.arm(Timer.COOLDOWN, cooldown)
    step.effects.append(Tripped(step.connection.errors, cooldown))
    step.alert(Alert(Reason.BREAKER_OPEN, ended.picture))


def _rest(step: Step, state: State, ended: Ended) -> None:
    """Stop trying: only a person can fix what ended it."""
    step.go(state, ended.reason, detail=ended.detail)
    step.set(attempts=0, errors=0, rounds=0, waits=0, breaker=Breaker.CLOSED, resting=None)


def _give_up(step: Step, reason: Reason, ended: Ended) -> None:
    """Stop trying: all attempts are used up. At most the slow silent probe follows, if enabled (L5)."""
    step.go(State.SUSPENDED, reason, detail=ended.detail, cause=ended.reason)
    step.set(breaker=Breaker.CLOSED, resting=None)
    step.alert(Alert(reason, ended.picture))  # after a slow probe, people have been alerted already
    if step.policy.suspended_retry > 0:
        step.arm(Timer.COOLDOWN, step.policy.suspended_retry)


def _arm_retry(step: Step, verdict: Verdict, *, at_once: bool) -> None:
    before, delays = step.connection, step.policy.delays
    if verdict.then is Then.REFRESH and not before.refreshed:
        step.set(refreshed=True)
        step.arm(Timer.RETRY, 0)
    elif verdict.then is Then.AT_ONCE and at_once and before.attempts == 0:
        step.arm(Timer.RETRY, 0)
    else:
        step.set(waits=before.waits + 1)
        step.arm(Timer.RETRY, delays[min(before.waits, len(delays) - 1)])


def _retry(step: Step, fired: Fired) -> None:
    before = step.connection
    if before.on_hold:
        step.set(waiting=fired.timer)
        return
    step.set(attempts=before.attempts + 1)
    step.attempt(Next(Reason.RETRY, takeover=before.reason is Reason.CONFLICT))


def _trial(step: Step, fired: Fired) -> None:
    """Start the one trial attempt, with a fresh load; remember where the account rested, and why."""
    before = step.connection
    if before.on_hold:
        step.set(waiting=fired.timer)
        return
    assert before.reason is not None
    step.set(breaker=Breaker.HALF_OPEN, errors=0, fresh=True, resting=Rest(before.reason, before.cause, before.detail))
    step.attempt(Next(Reason.TRIAL, cause=before.reason))


def _closed(step: Step, closed: Closed) -> None:
    step.set(browser=Browser.NONE, logged_out=closed.logged_out)
    if step.connection.due is not None:
        step.attempt(step.connection.due)


# --- the table ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """The handler of one trigger in one phase, and the phases that it may lead to."""

    do: Callable[[Step, Any], None]
    to: tuple[Phase, ...]


_ENDS = (State.DISCONNECTED, State.ERROR, State.SUSPENDED)
_FAILS = (State.ERROR, State.SUSPENDED)
_LOST = (State.DISCONNECTED, State.SUSPENDED)

_SUSPEND = Row(_suspend, (State.SUSPENDED,))

_CLOSED = Row(_closed, (Stage.QUEUED,))

_ALWAYS: dict[Any, Row] = {
    Hold: Row(_hold, ()),
    Release: Row(_release, ()),
    Timer.FLAPS: Row(_flap_forgotten, ()),
    Timer.DIALOGS: Row(_dialog_forgotten, ()),
    Timer.CALM: Row(_calm, ()),
}

_AT_REST: dict[Any, Row] = _ALWAYS | {
    Stop: Row(_stop, ()),
    Suspend: _SUSPEND,
    Start: Row(_start, (Stage.QUEUED,)),
    ConfirmNumber: Row(_confirm_number, ()),
    AnswerDialog: Row(_refuse, ()),
    Closed: _CLOSED,
}

_RUNNING: dict[Any, Row] = _ALWAYS | {
    Stop: Row(_stop, (State.IDLE,)),
    Suspend: _SUSPEND,
    Start: Row(_start_under_way, ()),
    ConfirmNumber: Row(_confirm_number, ()),
    AnswerDialog: Row(_refuse, ()),
    Ended: Row(_end, _ENDS),
}

_OPEN: dict[Any, Row] = _RUNNING | {
    Loaded: Row(_loaded, ()),
    Reloaded: Row(_reloaded, (Stage.READING, *_FAILS)),
    Identified: Row(_identified, (Stage.LOGGING_OUT,)),
    ConfirmNumber: Row(_confirm_number, (Stage.LOGGING_OUT,)),
    PasskeyAsked: Row(_passkey, (Stage.PASSKEY, *_FAILS)),
    PasskeyAnswered: Row(_passkey_over, ()),
    DialogStays: Row(_dialog_stays, (Stage.DIALOG, *_FAILS)),
    DialogClosed: Row(_dialog_closed, ()),
    AnswerDialog: Row(_answer_dialog, ()),
    Timer.RELOADS: Row(_reload_forgotten, ()),
}

_READ: dict[Any, Row] = _OPEN | {
    Authenticated: Row(_authenticated, (Stage.SYNCING, Stage.LOGGING_OUT, *_FAILS)),
    Syncing: Row(_first_syncing, (Stage.SYNCING, *_FAILS)),
    Ready: Row(_ready, (State.CONNECTED, Stage.LOGGING_OUT)),
    Code: Row(_first_code, (Stage.AWAITING_SCAN, *_ENDS)),
    Dialog: Row(_dialog, (Stage.DIALOG, *_ENDS)),
    Seen: Row(_seen, _FAILS),
    Timer.DEADLINE: Row(_deadline, _FAILS),
    Timer.CODES: Row(_spent, ()),
    Timer.PERSON: Row(_spent, ()),
    Timer.SYNC: Row(_spent, ()),
    Timer.ATTEMPT: Row(_attempt_over, _FAILS),
}

_LIMITS: dict[Any, Row] = {timer: Row(_spent, ()) for timer in Timer if timer in OF_ATTEMPT}

TABLE: dict[Phase, dict[Any, Row]] = {
    State.IDLE: _AT_REST
    | {
        Boot: Row(_boot, (Stage.QUEUED, State.DISCONNECTED, State.SUSPENDED)),
    },
    Stage.QUEUED: _RUNNING
    | {
        SlotGranted: Row(_slot_granted, (Stage.LAUNCHING,)),
    },
    Stage.LAUNCHING: _READ,
    Stage.READING: _READ,
    Stage.AWAITING_SCAN: {key: row for key, row in _READ.items() if key not in {Seen, Timer.DEADLINE}}
    | {
        Code: Row(_next_code, ()),
        Scanned: Row(_scanned, (Stage.PAIRING,)),
        Timer.DEBOUNCE: Row(_debounced, ()),
        Timer.CODES: Row(_codes_over, _LOST),
    },
    Stage.PAIRING: _READ,
    Stage.PASSKEY: _READ
    | {
        Authenticated: Row(_authenticated_at_passkey, (Stage.SYNCING, Stage.LOGGING_OUT, *_FAILS)),
        Syncing: Row(_syncing_at_wait, (Stage.SYNCING, *_FAILS)),
        PasskeyAnswered: Row(_passkey_answered, (Stage.PAIRING, Stage.SYNCING, *_FAILS)),
        Dialog: Row(_dialog_at_passkey, _LOST),
        DialogStays: Row(_dialog_stays, ()),
        Timer.PERSON: Row(_limit_reached, _FAILS),
    },
    Stage.DIALOG: _READ
    | {
        Authenticated: Row(_identified, (Stage.LOGGING_OUT,)),
        Syncing: Row(_syncing_at_wait, (Stage.SYNCING, *_FAILS)),
        Dialog: Row(_next_dialog, _LOST),
        DialogStays: Row(_dialog_stays, ()),
        DialogClosed: Row(_dialog_answered, (Stage.READING, Stage.SYNCING)),
        Timer.PERSON: Row(_limit_reached, _FAILS),
    },
    Stage.SYNCING: _READ
    | {
        Authenticated: Row(_identified, (Stage.LOGGING_OUT,)),
        Syncing: Row(_syncing, ()),
        Timer.DEADLINE: Row(_stalled, (Stage.PASSKEY, Stage.DIALOG, *_FAILS)),
        Timer.SYNC: Row(_limit_reached, _FAILS),
    },
    Stage.LOGGING_OUT: _RUNNING
    | {
        LoggedOut: Row(_logged_out, _LOST),
        Ended: Row(_ended_while_logging_out, _LOST),
        Timer.DEADLINE: Row(_log_out_late, _LOST),
        Timer.RELOADS: Row(_reload_forgotten, ()),
    }
    | _LIMITS,
    State.CONNECTED: _OPEN
    | {
        Recycle: Row(_recycle, _LOST),
        Heard: Row(_heard, ()),
        HeartbeatResult: Row(_beat, ()),
        SocketDown: Row(_socket_down, ()),
        Health: Row(_health, _LOST),
        Code: Row(_unlinked, _LOST),
        Reloaded: Row(_reloaded, (Stage.READING, *_LOST)),
        PasskeyAsked: Row(_passkey, (Stage.PASSKEY,)),
        Authenticated: Row(_identified, (Stage.LOGGING_OUT,)),
        Ready: Row(_identified, (Stage.LOGGING_OUT,)),
        Dialog: Row(_dialog_over_connection, ()),
        DialogStays: Row(_dialog_stays, ()),
        Timer.HEALTH: Row(_health_due, ()),
        Timer.KEEP_ALIVE: Row(_keep_alive, ()),
        Timer.QUIET: Row(_quiet, ()),
        Timer.STABLE: Row(_stable, ()),
        Timer.STALE: Row(_stale, _LOST),
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
"""phase → trigger → row. Whatever is not listed changes nothing: it is late, or already the case."""

AFTER_STOP: dict[Any, Row] = {
    Start: Row(_refuse, ()),
    Suspend: Row(_refuse, ()),
    ConfirmNumber: Row(_refuse, ()),
    AnswerDialog: Row(_refuse, ()),
    Closed: Row(_closed, ()),
}
"""The same once the account has been stopped, in any phase: nothing is opened any more (L15)."""
