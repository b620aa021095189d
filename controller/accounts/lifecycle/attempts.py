"""Rows for an attempt, stage by stage: from the launch over codes, passkey and sync to CONNECTED."""

from controller.accounts.effects import Activity, Alert, RecordBuild
from controller.accounts.lifecycle.dialogs import alert_dialog, is_dismissed
from controller.accounts.lifecycle.endings import end
from controller.accounts.lifecycle.flapping import recovered
from controller.accounts.lifecycle.health import quiet_after
from controller.accounts.lifecycle.identity import identified, is_stranger
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import Breaker, Connection, Fired, SlotGranted, Stage, Timer
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Ended,
    Loaded,
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    Syncing,
)


def slot_granted(step: Step, _: SlotGranted) -> None:
    """Launch the browser."""
    step.stage(Stage.LAUNCHING, step.policy.connect_timeout)


def loaded(step: Step, report: Loaded) -> None:
    """Record WhatsApp Web's build, and which parts of its page were found."""
    step.set(build=report.build, missing=report.missing)
    step.effects.append(RecordBuild(report.build, report.present, report.missing))


def reloaded(step: Step, _: Reloaded) -> None:
    """Start over with the new document in the same browser, unless the page keeps reloading (L1)."""
    before, policy = step.connection, step.policy
    if before.reloads >= policy.reloads:
        times = f"more than {policy.reloads} times within {policy.reload_window:g} s"
        end(step, Ended(Reason.RELOADS_ITSELF, times))
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


def reload_forgotten(step: Step, _: Fired) -> None:
    """Count one reload less: its window has passed."""
    step.set(reloads=step.connection.reloads - 1)
    if step.connection.reloads:
        step.leave_armed(Timer.RELOADS)


def first_code(step: Step, code: Code) -> None:
    """Show a code if somebody is waiting for one; otherwise a session was expected."""
    before = step.connection
    if not before.asked:  # nobody is waiting for a code: a session was expected
        end(step, Ended(_why_a_code(before)))
    elif Timer.CODES in before.spent:
        end(step, Ended(Reason.QR_EXPIRED))
    else:
        step.set(foreign=False, asks_passkey=False, was_ours=False, identified=None)  # whoever scans it is not known
        step.stage(Stage.AWAITING_SCAN, None)
        step.limit(Timer.CODES, step.policy.qr_timeout)
        step.show_code(code)


def _why_a_code(connection: Connection) -> Reason:
    """Return why a page shows a code instead of its session: one that this browser had open was taken away."""
    if _was_connected(connection):
        return Reason.LOGGED_OUT
    return Reason.RESTORE_FAILED if connection.linked else Reason.NOT_LINKED


def _was_connected(connection: Connection) -> bool:
    """Whether the attempt began over a connection, in the same browser: by a reload, or a request for a passkey."""
    return connection.reason in {Reason.RELOADED, Reason.PASSKEY}


def next_code(step: Step, code: Code) -> None:
    """Show the next code once the debounce lets it."""
    if Timer.DEBOUNCE in step.connection.armed:
        step.set(pending_code=code)
    elif code != step.connection.shown:
        step.show_code(code)


def debounced(step: Step, _: Fired) -> None:
    """Show the latest code that was held back."""
    pending_code = step.connection.pending_code
    step.set(pending_code=None)
    if pending_code is not None and pending_code != step.connection.shown:
        step.show_code(pending_code)


def scanned(step: Step, _: Scanned) -> None:
    """Take the code from the chat: it was used."""
    step.hide_code()
    step.stage(Stage.PAIRING, step.policy.connect_timeout)


def passkey_asked(step: Step, _: PasskeyAsked) -> None:
    """Wait for a person, at whatever stage the passkey is requested, and also when connected (L11)."""
    before = step.connection
    if Timer.PERSON in before.spent:
        end(step, Ended(Reason.DEADLINE, f"{Stage.PASSKEY} took too long"))
        return
    connected = before.state is State.CONNECTED
    step.hide_code()
    if connected:
        step.set(lost=Reason.PASSKEY)
    step.set(asks_passkey=True, percent=None)  # what the page loaded before it asked is no progress
    step.stage(Stage.PASSKEY, None, Reason.PASSKEY if connected else None)
    step.limit(Timer.PERSON, step.policy.passkey_timeout)
    step.alert(Alert(Reason.PASSKEY))


def passkey_over(step: Step, _: PasskeyAnswered) -> None:
    """Note that the passkey was given; the stage goes on."""
    step.set(asks_passkey=False)


def passkey_answered(step: Step, _: PasskeyAnswered) -> None:
    """Go on from the wait: to the pairing while it is not known who scanned, otherwise to the sync."""
    step.set(asks_passkey=False)
    if _was_scanned(step.connection) and step.connection.identified is None:
        step.stage(Stage.PAIRING, step.policy.connect_timeout)
    else:
        authenticated(step, Authenticated())


def _was_scanned(connection: Connection) -> bool:
    """Whether a code was shown in this attempt, so that an identity cannot be a saved session's."""
    return Timer.CODES in connection.armed | connection.spent


def authenticated(step: Step, who: Authenticated) -> None:
    """Enter the sync stage, limited both since its last progress and in total (L7)."""
    if is_stranger(step, who.number):
        return
    if Timer.SYNC in step.connection.spent:
        end(step, Ended(Reason.DEADLINE, f"{Stage.SYNCING} took too long"))
        return
    step.hide_code()
    step.stage(Stage.SYNCING, step.policy.sync_timeout)
    step.limit(Timer.SYNC, step.policy.sync_limit)


def authenticated_at_passkey(step: Step, who: Authenticated) -> None:
    """After a scan in this attempt, the identity hints that the passkey was given; that of a saved session does not."""
    if _was_scanned(step.connection):
        authenticated(step, who)
    else:
        identified(step, who)


def syncing_at_wait(step: Step, report: Syncing) -> None:
    """Go on if the percentage rises while a person is waited for: the first one may have been read late.

    Should it stall, the attempt returns to the wait (`stalled`): only a report that it is over ends it for good.
    """
    before = step.connection
    if report.percent is None:
        return
    step.set(percent=report.percent)
    if before.percent is not None and report.percent > before.percent:
        first_syncing(step, report)


def first_syncing(step: Step, report: Syncing) -> None:
    """Enter the sync stage at its first percentage."""
    authenticated(step, Authenticated())
    if step.connection.stage is Stage.SYNCING:
        step.set(percent=report.percent)


def syncing(step: Step, report: Syncing) -> None:
    """Treat every change of the percentage as progress, which restarts the deadline."""
    before = step.connection
    if report.percent is None or report.percent == before.percent:
        return
    step.set(percent=report.percent)
    if Timer.SYNC not in before.spent:
        step.set(looking=False)
        step.arm(Timer.DEADLINE, step.policy.sync_timeout)


def ready(step: Step, report: Ready) -> None:
    """Enter CONNECTED: the counters of failures stay until it is stable (L3)."""
    if is_stranger(step, report.number):
        return
    policy, lost = step.policy, step.connection.lost
    step.hide_code()
    step.go(State.CONNECTED, Reason.LINKED)
    if lost is not None:
        recovered(step, lost)
    step.reset_alerts()
    step.set(
        linked=True, asked=False, asked_again=False, use_here=False, foreign=False, fresh=False, lost=None,
        breaker=Breaker.CLOSED, resting=None, asks_passkey=False, partial=report.partial, quiet=False, probing=False,
        failed_probes=0,
    )  # fmt: skip
    step.arm(Timer.HEALTH, policy.health_check)
    step.arm(Timer.KEEP_ALIVE, policy.keep_alive)
    step.arm(Timer.STABLE, policy.stable_after)
    step.arm(Timer.QUIET, quiet_after(policy))
    step.arm(Timer.STALE, policy.stale_after)
    step.effects.append(Activity())
    _watched(step, report)
    dialog = step.connection.dialog
    if dialog is not None and not is_dismissed(step, dialog):
        alert_dialog(step, dialog, silent=True)


def ready_again(step: Step, report: Ready) -> None:
    """Take what a connected page tells anew: whose it is, and how far it can be watched."""
    if not is_stranger(step, report.number):
        step.set(partial=report.partial)
        _watched(step, report)


def _watched(step: Step, report: Ready) -> None:
    if report.partial:
        step.alert(Alert(Reason.WATCHED_IN_PART, detail=report.partial, silent=True))
    else:
        step.over(Reason.WATCHED_IN_PART)
