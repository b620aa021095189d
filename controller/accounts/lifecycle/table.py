"""The lifecycle of one account: every transition, as one table, and the pure step function over it.

Nothing else changes a connection's state. For each phase and each trigger, `TABLE` names the row that handles it and
the phases it may lead to; a trigger without a row changes nothing.
The rows are functions, in one file for each subject: `commands`, `attempts`, `limits`, `identity`, `dialogs`, `health`,
`flapping`, `endings`. They change the connection through `step`, and know nothing of the table.
No I/O, no clock, no asyncio: `controller.manager` performs the effects and feeds their results back as events.
The rules L1 to L17 that rows name are those of `docs/lifecycle.md`, whose diagram is drawn from `TABLE`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.accounts.effects import Effect
from controller.accounts.lifecycle import attempts, commands, dialogs, endings, flapping, health, identity, limits
from controller.accounts.lifecycle.step import OF_ATTEMPT, Step
from controller.accounts.model import (
    AnswerDialog,
    Boot,
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
    Phase,
    Recycle,
    Release,
    Seen,
    SlotGranted,
    Stage,
    Start,
    Stop,
    StopLinking,
    Suspend,
    Timer,
)
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Dialog,
    DialogClosed,
    Ended,
    Health,
    Heard,
    Identified,
    Loaded,
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    SocketDown,
    SocketUp,
    Syncing,
)


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


@dataclass(frozen=True, slots=True)
class Row:
    """The handler of one trigger in one phase, and the phases that it may lead to."""

    do: Callable[[Step, Any], None]
    to: tuple[Phase, ...]


def _dialog_stays(step: Step, _: DialogStays) -> None:
    """Leave a dialog that could not be dismissed to a person: the row for dialogs of this phase is run once more."""
    dialog = step.connection.dialog
    if dialog is None or Reason.DIALOG in step.connection.alerted:
        return
    step.set(dismissed=dialogs.MOST_DISMISSED)
    TABLE[step.connection.phase][Dialog].do(step, dialog)


_ENDS = (State.DISCONNECTED, State.ERROR, State.SUSPENDED)
_FAILS = (State.ERROR, State.SUSPENDED)
_LOST = (State.DISCONNECTED, State.SUSPENDED)

_SUSPEND = Row(commands.suspend, (State.SUSPENDED,))
_STOP_LINKING = {StopLinking: Row(commands.stop_linking, (State.DISCONNECTED,))}

_CLOSED = Row(endings.closed, (Stage.QUEUED,))

_ALWAYS: dict[Any, Row] = {
    StopLinking: Row(commands.refuse, ()),
    Hold: Row(commands.hold, ()),
    Release: Row(commands.release, ()),
    Timer.FLAPS: Row(flapping.forgotten, ()),
    Timer.DIALOGS: Row(dialogs.forgotten, ()),
    Timer.CALM: Row(flapping.calm, ()),
}

_AT_REST: dict[Any, Row] = _ALWAYS | {
    Stop: Row(commands.stop, ()),
    Suspend: _SUSPEND,
    Start: Row(commands.start, (Stage.QUEUED,)),
    ConfirmNumber: Row(identity.confirm_number, ()),
    AnswerDialog: Row(commands.refuse, ()),
    Closed: _CLOSED,
}

_RUNNING: dict[Any, Row] = _ALWAYS | {
    Stop: Row(commands.stop, (State.IDLE,)),
    Suspend: _SUSPEND,
    Start: Row(commands.start_under_way, ()),
    ConfirmNumber: Row(identity.confirm_number, ()),
    AnswerDialog: Row(commands.refuse, ()),
    Ended: Row(endings.end, _ENDS),
}

_OPEN: dict[Any, Row] = _RUNNING | {
    Loaded: Row(attempts.loaded, ()),
    Reloaded: Row(attempts.reloaded, (Stage.READING, *_FAILS)),
    Identified: Row(identity.identified, (Stage.LOGGING_OUT,)),
    ConfirmNumber: Row(identity.confirm_number, (Stage.LOGGING_OUT,)),
    PasskeyAsked: Row(attempts.passkey_asked, (Stage.PASSKEY, *_FAILS)),
    PasskeyAnswered: Row(attempts.passkey_over, ()),
    DialogStays: Row(_dialog_stays, (Stage.DIALOG, *_FAILS)),
    DialogClosed: Row(dialogs.closed, ()),
    AnswerDialog: Row(dialogs.answer, ()),
    Timer.RELOADS: Row(attempts.reload_forgotten, ()),
}

_READ: dict[Any, Row] = _OPEN | {
    Authenticated: Row(attempts.authenticated, (Stage.SYNCING, Stage.LOGGING_OUT, *_FAILS)),
    Syncing: Row(attempts.first_syncing, (Stage.SYNCING, *_FAILS)),
    Ready: Row(attempts.ready, (State.CONNECTED, Stage.LOGGING_OUT)),
    Code: Row(attempts.first_code, (Stage.AWAITING_SCAN, *_ENDS)),
    Dialog: Row(dialogs.opened, (Stage.DIALOG, *_ENDS)),
    Seen: Row(limits.seen, _FAILS),
    Timer.DEADLINE: Row(limits.deadline, _FAILS),
    Timer.CODES: Row(limits.spent, ()),
    Timer.PERSON: Row(limits.spent, ()),
    Timer.SYNC: Row(limits.spent, ()),
    Timer.ATTEMPT: Row(limits.attempt_over, _FAILS),
}

_LIMITS: dict[Any, Row] = {timer: Row(limits.spent, ()) for timer in Timer if timer in OF_ATTEMPT}

TABLE: dict[Phase, dict[Any, Row]] = {
    State.IDLE: _AT_REST
    | {
        Boot: Row(commands.boot, (Stage.QUEUED, State.DISCONNECTED, State.SUSPENDED)),
    },
    Stage.QUEUED: _RUNNING
    | _STOP_LINKING
    | {
        SlotGranted: Row(attempts.slot_granted, (Stage.LAUNCHING,)),
    },
    Stage.LAUNCHING: _READ | _STOP_LINKING,
    Stage.READING: _READ | _STOP_LINKING,
    Stage.AWAITING_SCAN: {key: row for key, row in _READ.items() if key not in {Seen, Timer.DEADLINE}}
    | _STOP_LINKING
    | {
        Code: Row(attempts.next_code, ()),
        Scanned: Row(attempts.scanned, (Stage.PAIRING,)),
        Timer.DEBOUNCE: Row(attempts.debounced, ()),
        Timer.CODES: Row(limits.codes_over, _LOST),
    },
    Stage.PAIRING: _READ,
    Stage.PASSKEY: _READ
    | {
        Authenticated: Row(attempts.authenticated_at_passkey, (Stage.SYNCING, Stage.LOGGING_OUT, *_FAILS)),
        Syncing: Row(attempts.syncing_at_wait, (Stage.SYNCING, *_FAILS)),
        PasskeyAnswered: Row(attempts.passkey_answered, (Stage.PAIRING, Stage.SYNCING, *_FAILS)),
        Dialog: Row(dialogs.opened_at_passkey, _LOST),
        DialogStays: Row(_dialog_stays, ()),
        Timer.PERSON: Row(limits.reached, _FAILS),
    },
    Stage.DIALOG: _READ
    | _STOP_LINKING
    | {
        Authenticated: Row(identity.identified, (Stage.LOGGING_OUT,)),
        Syncing: Row(attempts.syncing_at_wait, (Stage.SYNCING, *_FAILS)),
        Dialog: Row(dialogs.another, _LOST),
        DialogStays: Row(_dialog_stays, ()),
        DialogClosed: Row(dialogs.answered, (Stage.READING, Stage.SYNCING)),
        Timer.PERSON: Row(limits.reached, _FAILS),
    },
    Stage.SYNCING: _READ
    | {
        Authenticated: Row(identity.identified, (Stage.LOGGING_OUT,)),
        Syncing: Row(attempts.syncing, ()),
        Timer.DEADLINE: Row(limits.stalled, (Stage.PASSKEY, Stage.DIALOG, *_FAILS)),
        Timer.SYNC: Row(limits.reached, _FAILS),
    },
    Stage.LOGGING_OUT: _RUNNING
    | {
        LoggedOut: Row(identity.logged_out, _LOST),
        Ended: Row(identity.ended_while_logging_out, _LOST),
        Timer.DEADLINE: Row(identity.log_out_late, _LOST),
        Timer.RELOADS: Row(attempts.reload_forgotten, ()),
    }
    | _LIMITS,
    State.CONNECTED: _OPEN
    | {
        Recycle: Row(commands.recycle, _LOST),
        Heard: Row(health.heard, ()),
        HeartbeatResult: Row(health.heartbeat_over, ()),
        SocketDown: Row(health.socket_down, ()),
        SocketUp: Row(health.socket_up, ()),
        Health: Row(health.probed, _LOST),
        Code: Row(health.unlinked, _LOST),
        Reloaded: Row(attempts.reloaded, (Stage.READING, *_LOST)),
        PasskeyAsked: Row(attempts.passkey_asked, (Stage.PASSKEY,)),
        Authenticated: Row(identity.identified, (Stage.LOGGING_OUT,)),
        Ready: Row(attempts.ready_again, (Stage.LOGGING_OUT,)),
        Dialog: Row(dialogs.opened_over_connection, ()),
        DialogStays: Row(_dialog_stays, ()),
        Timer.HEALTH: Row(health.probe_due, ()),
        Timer.KEEP_ALIVE: Row(health.keep_alive, ()),
        Timer.QUIET: Row(health.quiet, ()),
        Timer.STABLE: Row(health.stable, ()),
        Timer.STALE: Row(limits.stale, _LOST),
    },
    State.DISCONNECTED: _AT_REST
    | _STOP_LINKING
    | {
        Timer.RETRY: Row(endings.retry, (Stage.QUEUED,)),
    },
    State.ERROR: _AT_REST
    | _STOP_LINKING
    | {
        Timer.RETRY: Row(endings.retry, (Stage.QUEUED,)),
    },
    State.SUSPENDED: _AT_REST
    | _STOP_LINKING
    | {
        Timer.COOLDOWN: Row(endings.trial, (Stage.QUEUED,)),
    },
}
"""phase → trigger → row. Whatever is not listed changes nothing: it is late, or already the case."""

AFTER_STOP: dict[Any, Row] = {
    Start: Row(commands.refuse, ()),
    Suspend: Row(commands.refuse, ()),
    StopLinking: Row(commands.refuse, ()),
    ConfirmNumber: Row(commands.refuse, ()),
    AnswerDialog: Row(commands.refuse, ()),
    Closed: Row(endings.closed, ()),
}
"""The same once the account has been stopped, in any phase: nothing is opened any more (L15)."""
