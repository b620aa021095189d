"""A lifecycle step under construction: the changing connection, and the effects collected so far.

The operations used by the rows. How something is done (entering a phase, arming a timer, showing a code, closing a
browser) is here; when it is done is decided only there.
"""

from typing import Any, TypedDict, Unpack

from controller.accounts.effects import (
    Alert,
    AlertOver,
    Arm,
    Close,
    Disarm,
    Effect,
    HideCode,
    Open,
    Refuse,
    ReleaseSlot,
    ShowCode,
)
from controller.accounts.model import COUNTED, Breaker, Browser, Connection, Next, Phase, Rest, Stage, Timer
from controller.accounts.policy import Policy
from controller.accounts.reasons import TRAITS, Reason, State
from controller.accounts.reports import Code, Dialog

OF_PHASE = frozenset({
    Timer.DEADLINE, Timer.DEBOUNCE, Timer.HEALTH, Timer.KEEP_ALIVE, Timer.QUIET, Timer.STALE, Timer.STABLE,
    Timer.RETRY, Timer.COOLDOWN,
})  # fmt: skip
"""Timers cancelled when the phase is left."""
OF_ATTEMPT = frozenset({Timer.CODES, Timer.PERSON, Timer.SYNC, Timer.ATTEMPT})
"""Timers that run across the stages of an attempt."""
OF_BROWSER = frozenset({Timer.RELOADS})
"""Timers that run while the browser is open. Those in none of these sets belong to the account."""
PERSISTENT = frozenset(reason for reason, traits in TRAITS.items() if traits.persists)
"""Reasons that can persist while CONNECTED: neither connecting nor resetting the counters ends them."""

_NONE: frozenset[Any] = frozenset()
_SETS: dict[frozenset[Timer], frozenset[Timer]] = {}
"""The sets of armed timers that there were, each to itself: thousands of accounts share some dozens of them."""


class Changes(TypedDict, total=False):
    """The fields of a connection that `Step.set` accepts."""

    state: State
    stage: Stage | None
    reason: Reason | None
    cause: Reason | None
    detail: str
    attempts: int
    errors: int
    rounds: int
    waits: int
    breaker: Breaker
    resting: Rest | None
    refreshed: bool
    fresh: bool
    alerted: frozenset[Reason]
    lost: Reason | None
    flaps: int
    worst: Reason | None
    flapping: bool
    dialogs: int
    on_hold: bool
    waiting: Timer | None
    linked: bool
    asked: bool
    asked_again: bool
    use_here: bool
    alias: str | None
    unconfirmed: str | None
    denied: str | None
    foreign: bool
    stopped: bool
    logged_out: bool | None
    browser: Browser
    session: int
    due: Next | None
    armed: frozenset[Timer]
    spent: frozenset[Timer]
    takes_over: bool
    shown: Code | None
    pending_code: Code | None
    percent: float | None
    identified: str | None
    was_ours: bool
    partial: str
    dialog: Dialog | None
    dismissed: int
    interrupted: Stage | None
    asks_passkey: bool
    looking: bool
    reloads: int
    build: str
    missing: frozenset[str]
    quiet: bool
    probing: bool
    failed_probes: int


class Step:
    """A step under construction: the changing connection, and the effects collected so far.

    fired: the timer that triggered the step. It stays armed until the end of the step and is then removed, unless it
    was armed again: most are.
    """

    def __init__(self, connection: Connection, policy: Policy, fired: Timer | None) -> None:
        self._connection = connection
        self._changes: Changes = {}
        self.policy = policy
        self.effects: list[Effect] = []
        self._fired = fired

    @property
    def connection(self) -> Connection:
        """The connection with all changes so far.

        A copy is made when it is read, not for each change: copying its many fields is most of a step's cost.
        """
        if self._changes:
            if (armed := self._changes.get("armed")) is not None:
                self._changes["armed"] = _SETS.setdefault(armed, armed)
            self._connection, self._changes = self._connection._replace(**self._changes), {}
        return self._connection

    @property
    def _armed(self) -> frozenset[Timer]:
        return self._changes.get("armed", self._connection.armed)

    @property
    def _spent(self) -> frozenset[Timer]:
        return self._changes.get("spent", self._connection.spent)

    @property
    def _alerted(self) -> frozenset[Reason]:
        return self._changes.get("alerted", self._connection.alerted)

    def end(self) -> tuple[Connection, tuple[Effect, ...]]:
        """Return the step's result."""
        if self._fired is not None:
            self.set(armed=self._armed - {self._fired})
        return self.connection, tuple(self.effects)

    def set(self, **changes: Unpack[Changes]) -> None:
        """Change fields of the connection."""
        self._changes.update(changes)

    # --- phases ---------------------------------------------------------------------------------------------------

    def go(self, phase: Phase, reason: Reason, *, detail: str = "", cause: Reason | None = None) -> None:
        """Enter a phase: cancels the previous phase's timers; the row arms the new ones."""
        before = self.connection.phase
        if before is Stage.LAUNCHING and phase is not Stage.LAUNCHING:
            self.effects.append(ReleaseSlot())
        in_attempt = isinstance(before, Stage) and isinstance(phase, Stage)
        self.disarm(OF_PHASE if in_attempt else OF_PHASE | OF_ATTEMPT)
        self.set(
            state=State.CONNECTING if isinstance(phase, Stage) else phase,
            stage=phase if isinstance(phase, Stage) else None,
            reason=reason, detail=detail, cause=cause, waiting=None, looking=False,
            spent=self._spent if in_attempt else _NONE,
        )  # fmt: skip

    def stage(self, stage: Stage, deadline: float | None, reason: Reason | None = None) -> None:
        """Go on to a stage of the attempt, which may take `deadline` seconds without progress.

        reason: why the attempt exists, if that is new; otherwise reason, cause and detail are kept.
        """
        before = self.connection
        if reason is not None:
            self.go(stage, reason)
        else:
            assert before.reason is not None
            self.go(stage, before.reason, detail=before.detail, cause=before.cause)
        if deadline is not None:
            self.arm(Timer.DEADLINE, deadline)
        if Timer.ATTEMPT not in self._armed | self._spent:
            self.arm(Timer.ATTEMPT, self.policy.attempt_limit)

    # --- timers ---------------------------------------------------------------------------------------------------

    def arm(self, timer: Timer, seconds: float) -> None:
        """Start a timer, or restart it if it is armed (a `COUNTED` one is started once more)."""
        self.leave_armed(timer)
        if timer not in self._armed:
            self.set(armed=self._armed | {timer})
        self.effects.append(Arm(timer, seconds))

    def leave_armed(self, timer: Timer) -> None:
        """Leave the timer that fired armed: it was armed again, or has further instances."""
        if timer is self._fired:
            self._fired = None

    def limit(self, timer: Timer, seconds: float) -> None:
        """Start one of the attempt's limits, unless it is running already."""
        if timer not in self._armed:
            self.arm(timer, seconds)

    def spend(self, timer: Timer) -> None:
        """Record that one of the attempt's limits was reached."""
        self.set(spent=self._spent | {timer})

    def disarm(self, timers: frozenset[Timer]) -> None:
        """Cancel those of these timers that are armed."""
        if self._fired in timers:
            self.set(armed=self._armed - {self._fired})
            if self._fired in COUNTED:
                self.effects.append(Disarm(frozenset({self._fired})))
            self._fired = None
        if armed := self._armed & timers:
            self.effects.append(Disarm(armed))
            self.set(armed=self._armed - armed)

    # --- counters and alerts --------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset the counters (L3)."""
        self.set(attempts=0, errors=0, rounds=0, waits=0, refreshed=False, resting=None, breaker=Breaker.CLOSED)
        self.reset_alerts()

    def reset_alerts(self, *, all_of_them: bool = False) -> None:
        """Allow everything to be alerted again that does not still stand.

        While the connection is flapping that was said, and each of its causes is alerted once, unless `all_of_them`.
        """
        if self._alerted and (all_of_them or not self.connection.flapping):
            self.set(alerted=self._alerted & PERSISTENT)

    def alert(self, alert: Alert) -> None:
        """Raise an alert, once per reason until the counters are reset."""
        if alert.reason not in self._alerted:
            self.set(alerted=self._alerted | {alert.reason})
            self.effects.append(alert)

    def over(self, reason: Reason) -> None:
        """End an alert, if it was raised."""
        if reason in self._alerted:
            self.set(alerted=self._alerted - {reason})
            self.effects.append(AlertOver(reason))

    def refuse(self) -> None:
        """Answer a command by that nothing was done."""
        self.effects.append(Refuse())

    # --- the browser ----------------------------------------------------------------------------------------------

    def attempt(self, to: Next) -> None:
        """Begin an attempt, or wait for the previous browser to be gone: two never share a profile (L1)."""
        before = self.connection
        if before.browser is not Browser.NONE:
            self.disarm(OF_PHASE)
            self.set(due=to, waiting=None)
            return
        self.go(Stage.QUEUED, to.reason, cause=to.cause)
        session, takes_over = before.session + 1, to.takeover or before.use_here
        self.set(
            session=session, browser=Browser.OPEN, due=None, logged_out=None, takes_over=takes_over,
            shown=None, pending_code=None, percent=None, identified=None, was_ours=False, partial="",
            dialog=None, dismissed=0, interrupted=None, asks_passkey=False, reloads=0,
            build="", missing=_NONE, quiet=False, probing=False, failed_probes=0,
        )  # fmt: skip
        self.effects.append(
            Open(session, fresh=before.fresh, takeover=takes_over, set_aside=before.foreign, lost=before.linked)
        )

    def close_browser(self, *, log_out: bool = False) -> None:
        """Remove the code from the chat and close the browser."""
        self.hide_code()
        self.close_dialog()
        self.disarm(OF_BROWSER)
        self.set(due=None)
        if self.connection.browser is Browser.OPEN:
            self.effects.append(Close(self.connection.session, log_out=log_out))
            self.set(browser=Browser.CLOSING, reloads=0, identified=None, was_ours=False, asks_passkey=False)

    def show_code(self, code: Code) -> None:
        """Show a code in the chat; the debounce then holds the next one back."""
        self.set(shown=code, pending_code=None, asked_again=False)
        self.effects.append(ShowCode(code))
        self.arm(Timer.DEBOUNCE, self.policy.qr_debounce)

    def hide_code(self) -> None:
        """Remove the code from the chat, if there is one."""
        if self.connection.shown is not None:
            self.effects.append(HideCode())
            self.set(shown=None, pending_code=None)

    def close_dialog(self) -> None:
        """Record that nothing covers the page any more."""
        if self.connection.dialog is not None:
            self.set(dialog=None, interrupted=None)
        self.over(Reason.DIALOG)
