"""Rows for what takes too long: deadlines of stages, limits of attempts."""

from controller.accounts.effects import Look
from controller.accounts.lifecycle.endings import end
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import Connection, Fired, Seen, Stage, Timer
from controller.accounts.reasons import Reason
from controller.accounts.reports import Ended, PageView


def deadline(step: Step, _: Fired) -> None:
    """Capture the page before giving up a stage, so that whoever is alerted can see it too."""
    if step.connection.looking:
        _give_up_stage(step)
    elif _may_ask_for_more(step.connection):
        step.arm(Timer.DEADLINE, step.policy.connect_timeout)
    else:
        step.set(looking=True)
        step.arm(Timer.DEADLINE, 1.5 * step.policy.probe_timeout)  # the capture itself has a shorter deadline
        step.effects.append(Look(step.connection.session))


def _may_ask_for_more(connection: Connection) -> bool:
    """Whether the phone may want something else confirmed, such as a code, now that a passkey was given."""
    is_asked = Reason.PASSKEY in connection.alerted and Timer.PERSON in connection.armed
    return is_asked and connection.stage is Stage.PAIRING


def stalled(step: Step, fired: Fired) -> None:
    """Return to the wait for a person that the sync only seemed to end, or give up."""
    wait = _still_waited_for(step.connection)
    if wait is None:
        deadline(step, fired)
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


def seen(step: Step, look: Seen) -> None:
    """Give up the stage with what the capture shows."""
    if step.connection.looking:
        _give_up_stage(step, look.view)


def _give_up_stage(step: Step, view: PageView | None = None) -> None:
    view, dialog = view or PageView(), step.connection.dialog
    words = view.words or (dialog.words if dialog is not None else "")
    detail = f"{step.connection.stage} took too long"
    detail += f"; its connection is {view.fault}" if view.fault else ""
    detail += f"; the page shows: {words}" if words else ""
    end(step, Ended(Reason.DEADLINE, detail, picture=view.picture))


def spent(step: Step, fired: Fired) -> None:
    """Remember the limit until the attempt returns to what it bounds."""
    step.spend(fired.timer)


def reached(step: Step, fired: Fired) -> None:
    """Give up the stage that the limit applies to."""
    step.spend(fired.timer)
    deadline(step, fired)


def attempt_over(step: Step, _: Fired) -> None:
    """Give up: the whole attempt took too long, whatever its stages."""
    _give_up_stage(step)


def codes_over(step: Step, _: Fired) -> None:
    """Give up: no code was scanned in time."""
    end(step, Ended(Reason.QR_EXPIRED))


def stale(step: Step, _: Fired) -> None:
    """Give up a connection on which nothing was heard."""
    end(step, Ended(Reason.STALE))
