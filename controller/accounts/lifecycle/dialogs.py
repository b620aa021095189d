"""Rows for what covers the page (K7): dialogs dismissed, or left to a person."""

from controller.accounts.effects import Alert, Dismiss
from controller.accounts.lifecycle.endings import end
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import AnswerDialog, Fired, Stage, Timer
from controller.accounts.policy import Dialogs
from controller.accounts.reasons import Reason
from controller.accounts.reports import Dialog, DialogClosed, Ended

MOST_DISMISSED = 3
"""How often in one browser a dialog is dismissed without a person."""
_MOST_ALERTS = 3
"""How often within the window of flapping people are alerted to dialogs."""


def opened(step: Step, dialog: Dialog) -> None:
    """Dismiss a dialog during an attempt, or wait for a person; an unknown one may be reported at the deadline."""
    before = step.connection
    if dialog.locked:
        end(step, Ended(Reason.SCREEN_LOCKED, dialog.words))
    elif not dialog.known:
        step.set(dialog=dialog)
    elif _may_dismiss(step, dialog):
        _dismiss(step, dialog)
    elif Timer.PERSON in before.spent:
        end(step, Ended(Reason.DEADLINE, f"{Stage.DIALOG} took too long"))
    else:
        step.hide_code()
        step.set(dialog=dialog, interrupted=before.stage)
        step.stage(Stage.DIALOG, None)
        step.limit(Timer.PERSON, step.policy.passkey_timeout)
        alert_dialog(step, dialog)


def alert_dialog(step: Step, dialog: Dialog, *, silent: bool = False) -> None:
    """Alert people, unless dialogs have come and gone so often within the hour that one more is no news."""
    alerts = step.connection.dialogs
    if alerts < _MOST_ALERTS and Reason.DIALOG not in step.connection.alerted:
        step.set(dialogs=alerts + 1)
        step.arm(Timer.DIALOGS, step.policy.flap_window)
        step.alert(Alert(Reason.DIALOG, detail=dialog.words, silent=silent))


def forgotten(step: Step, _: Fired) -> None:
    """Count one alerted dialog less: its window has passed."""
    step.set(dialogs=step.connection.dialogs - 1)
    if step.connection.dialogs:
        step.leave_armed(Timer.DIALOGS)


def _may_dismiss(step: Step, dialog: Dialog) -> bool:
    """Whether to dismiss it without a person: one that keeps coming back is not what it is taken for."""
    return dialog.known and step.policy.dialogs is Dialogs.CONTINUE and step.connection.dismissed < MOST_DISMISSED


def is_dismissed(step: Step, dialog: Dialog) -> bool:
    """Whether it is being dismissed without a person right now."""
    return dialog.known and step.policy.dialogs is Dialogs.CONTINUE and Reason.DIALOG not in step.connection.alerted


def _dismiss(step: Step, dialog: Dialog) -> None:
    step.set(dialog=dialog, dismissed=step.connection.dismissed + 1)
    step.effects.append(Dismiss(step.connection.session))


def opened_at_passkey(step: Step, dialog: Dialog) -> None:
    """Tell of it and go on waiting for the passkey: one person answers both."""
    if dialog.locked:
        end(step, Ended(Reason.SCREEN_LOCKED, dialog.words))
    elif _may_dismiss(step, dialog):
        _dismiss(step, dialog)
    else:
        step.set(dialog=dialog)
        if dialog.known:
            alert_dialog(step, dialog)


def another(step: Step, dialog: Dialog) -> None:
    """Note that another dialog covers the page; the wait goes on."""
    if dialog.locked:
        end(step, Ended(Reason.SCREEN_LOCKED, dialog.words))
    else:
        step.set(dialog=dialog)


def opened_over_connection(step: Step, dialog: Dialog) -> None:
    """Dismiss it, or alert people silently: a connection with a dialog still receives."""
    if _may_dismiss(step, dialog):
        _dismiss(step, dialog)
    else:
        step.set(dialog=dialog)
        alert_dialog(step, dialog, silent=True)


def closed(step: Step, _: DialogClosed) -> None:
    """Note that nothing covers the page."""
    step.close_dialog()


def answered(step: Step, _: DialogClosed) -> None:
    """Resume the interrupted stage; a code behind the dialog is reported again."""
    policy, interrupted = step.policy, step.connection.interrupted
    step.close_dialog()
    if interrupted is Stage.SYNCING:
        step.stage(Stage.SYNCING, policy.sync_timeout)
    else:
        step.stage(Stage.READING, policy.connect_timeout)


def answer(step: Step, _: AnswerDialog) -> None:
    """Dismiss the dialog because a person asked for it."""
    dialog = step.connection.dialog
    if dialog is None or not dialog.known:
        step.refuse()
    else:
        step.effects.append(Dismiss(step.connection.session))
