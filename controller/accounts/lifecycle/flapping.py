"""Rows for connections that are lost and recover again and again (L16)."""

from controller.accounts.effects import Alert
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import Fired, Timer
from controller.accounts.reasons import VERDICTS, Reason, State

_WORST_FIRST = tuple(VERDICTS)


def _worse(one: Reason | None, other: Reason) -> Reason:
    """Return the more severe of two causes: the one that stands first in `VERDICTS`."""

    def rank(reason: Reason) -> int:
        return _WORST_FIRST.index(reason) if reason in VERDICTS else len(_WORST_FIRST)

    return other if one is None else min(one, other, key=rank)


def recovered(step: Step, lost: Reason) -> None:
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


def forgotten(step: Step, _: Fired) -> None:
    """Count one loss less: its window has passed."""
    step.set(flaps=step.connection.flaps - 1)
    if step.connection.flaps:
        step.leave_armed(Timer.FLAPS)
    else:
        step.set(worst=None)


def calm(step: Step, _: Fired) -> None:
    """End the alert: a whole window has passed without a loss."""
    step.set(flapping=False, worst=None)
    step.over(Reason.FLAPPING)
    if step.connection.state is State.CONNECTED:
        step.reset_alerts()
