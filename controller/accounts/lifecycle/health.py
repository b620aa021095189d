"""Rows for a connection: what was heard, keep-alives, probes."""

from controller.accounts.effects import Activity, Heartbeat, Probe
from controller.accounts.lifecycle.endings import end
from controller.accounts.lifecycle.flapping import recovered
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import Fired, HeartbeatResult, Timer
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended, Health, Layer, SocketDown, SocketUp

_LOST_AT = {
    Layer.PROCESS: Reason.SESSION_CLOSED,
    Layer.BROWSER: Reason.UNRESPONSIVE,
    Layer.PAGE: Reason.UNRESPONSIVE,
    Layer.SOCKET: Reason.CONNECTION_LOST,
}


def heard(step: Step, _: object) -> None:
    """Restart the timers of silence: something arrived."""
    if step.connection.quiet:
        step.set(quiet=False)
    step.arm(Timer.QUIET, quiet_after(step.policy))
    step.arm(Timer.STALE, step.policy.stale_after)
    step.effects.append(Activity())


def quiet_after(policy: Policy) -> float:
    """Return the seconds of silence after which to query the server, early enough for one query and its answer."""
    return max(0.0, min(policy.stale_after / 2, policy.stale_after - policy.keep_alive - policy.probe_timeout))


def quiet(step: Step, _: Fired) -> None:
    """Ask the server at the next keep-alive: nothing was heard for long."""
    step.set(quiet=True)


def keep_alive(step: Step, _: Fired) -> None:
    """Send a heartbeat, and a query if the connection is quiet."""
    step.arm(Timer.KEEP_ALIVE, step.policy.keep_alive)
    step.effects.append(Heartbeat(step.connection.session, ask=step.connection.quiet))


def heartbeat_over(step: Step, result: HeartbeatResult) -> None:
    """Count the answer to a query as something heard."""
    if result.answered:
        heard(step, result)


def stable(step: Step, _: Fired) -> None:
    """Reset the counters: the connection has lasted (L3)."""
    step.reset()


def probe_due(step: Step, _: Fired) -> None:
    """Probe, unless the last one is still under way."""
    step.arm(Timer.HEALTH, step.policy.health_check)
    if not step.connection.probing:
        step.set(probing=True)
        step.effects.append(Probe(step.connection.session))


def socket_down(step: Step, _: SocketDown) -> None:
    """Probe now rather than at the next interval, so that a second failed probe is not a minute away."""
    if not step.connection.probing and not step.connection.failed_probes:
        probe_due(step, Fired(Timer.HEALTH))


def socket_up(step: Step, report: SocketUp) -> None:
    """Count what was lost for a moment, and has recovered (L16): now, or by the probe that sees it, but once."""
    if step.connection.probing:
        step.set(lost=step.connection.lost or report.cause)
    elif step.connection.lost is None:
        recovered(step, report.cause)


def probed(step: Step, health: Health) -> None:
    """Count failed probes; a socket that was down for one of them was lost for a moment, and has recovered (L16)."""
    before = step.connection
    failed = 0 if health.failed is None else before.failed_probes + 1
    step.set(probing=False, failed_probes=failed)
    if health.failed is Layer.SOCKET:
        step.set(lost=Reason.CONNECTION_LOST)
    elif health.failed is None and before.lost is not None:
        step.set(lost=None)
        recovered(step, before.lost)
    if health.failed is not None and failed >= step.policy.failed_probes:
        detail = f"{health.failed}: {health.detail}" if health.detail else health.failed
        end(step, Ended(_LOST_AT[health.failed], detail))


def unlinked(step: Step, _: Code) -> None:
    """Treat a connected page that shows a code as logged out without notice."""
    end(step, Ended(Reason.LOGGED_OUT))
