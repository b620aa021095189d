"""One step of the lifecycle in the making: the link as it changes, and the effects as they gather.

The words in which the rows of `lifecycle` are written. Here is how a thing is done (entering a phase, arming a timer,
showing a code, putting a browser away); when it is done is said there, and only there.
"""

from dataclasses import replace
from typing import Any

from controller.accounts.model import (
    Alert,
    Arm,
    Breaker,
    Browser,
    Close,
    Connection,
    Disarm,
    Effect,
    HideCode,
    Next,
    Open,
    Phase,
    ShowCode,
    Stage,
    Timer,
)
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Code


class Step:
    """One step in the making: the link as it changes, and the effects as they gather.

    fired: the timer whose time has come. It stays among the armed ones until the end of the step, and then is taken out
    unless it was armed anew: most that fire are, and a link is not copied twice for that.
    """

    def __init__(self, link: Connection, policy: Policy, fired: Timer | None) -> None:
        self.link = link
        self.policy = policy
        self.effects: list[Effect] = []
        self._fired = fired

    def end(self) -> tuple[Connection, tuple[Effect, ...]]:
        """Return what has come of the step."""
        if self._fired is not None:
            self.set(armed=self.link.armed - {self._fired})
        return self.link, tuple(self.effects)

    def set(self, **changes: Any) -> None:
        """Change fields of the link."""
        self.link = replace(self.link, **changes)

    def go(self, phase: Phase, reason: Reason, *, detail: str = "", cause: Reason | None = None) -> None:
        """Enter a phase: the timers of the one before are forgotten, the row arms those of the new one."""
        self.disarm()
        stage = phase if isinstance(phase, Stage) else None
        state = State.CONNECTING if isinstance(phase, Stage) else phase
        self.set(state=state, stage=stage, reason=reason, detail=detail, cause=cause, waiting=None)

    def stage(self, stage: Stage, deadline: float) -> None:
        """Go on to a stage of the same attempt, which may take `deadline` seconds."""
        assert self.link.reason is not None
        self.go(stage, self.link.reason)
        self.arm(Timer.DEADLINE, deadline)

    def arm(self, timer: Timer, seconds: float) -> None:
        """Wait so many seconds for this timer, anew if it was armed."""
        if timer is self._fired:
            self._fired = None
        elif timer not in self.link.armed:
            self.set(armed=self.link.armed | {timer})
        self.effects.append(Arm(timer, seconds))

    def disarm(self) -> None:
        """Forget every timer."""
        armed = self.link.armed if self._fired is None else self.link.armed - {self._fired}
        if armed:
            self.effects.append(Disarm(armed))
        if self.link.armed:
            self.set(armed=frozenset())
        self._fired = None

    def reset(self) -> None:
        """Counters to zero (L3)."""
        self.set(attempts=0, errors=0, waits=0, refreshed=False, alerted=None, resting=None, breaker=Breaker.CLOSED)

    def alert(self, reason: Reason, picture: bytes | None = None, *, loss: bool = True) -> None:
        """Tell people with sound, but not the same reason twice in a struggle. loss: its mending is to be told too."""
        if self.link.alerted is not reason:
            self.set(alerted=reason, loss_told=self.link.loss_told or loss)
            self.effects.append(Alert(reason, picture))

    def attempt(self, to: Next) -> None:
        """Begin an attempt, or wait for the earlier browser to be gone: two never share a profile (L1)."""
        if self.link.browser is not Browser.NONE:
            self.disarm()
            self.set(due=to, waiting=None)
            return
        session = self.link.session + 1
        self.go(Stage.QUEUED, to.reason)
        self.set(
            session=session, browser=Browser.OPEN, due=None,
            shown=None, held=None, percent=None, quiet=False, probing=False, failed_probes=0,
        )  # fmt: skip
        self.effects.append(Open(session, fresh=to.fresh, takeover=to.takeover))

    def put_away(self, *, log_out: bool = False) -> None:
        """Take the code from the chat and the browser from the machine."""
        self.hide_code()
        self.set(due=None)
        if self.link.browser is Browser.OPEN:
            self.effects.append(Close(self.link.session, log_out=log_out))
            self.set(browser=Browser.CLOSING)

    def show_code(self, code: Code) -> None:
        """Put a code into the chat, and let none follow within the debounce."""
        self.set(shown=code, held=None)
        self.effects.append(ShowCode(code))
        self.arm(Timer.DEBOUNCE, self.policy.qr_debounce)

    def hide_code(self) -> None:
        """Take the code out of the chat, if there is one."""
        if self.link.shown is not None:
            self.effects.append(HideCode())
            self.set(shown=None, held=None)
