"""Every state reachable by the pure step function, with every event: the search terminates, so it is a proof.

The page's doings are cut into scenes and the policy's thresholds are small, so that the states are some ten thousands.
What is checked in each step are promises about its effects: what is opened, closed, armed and alerted.
"""

from collections import deque
from operator import attrgetter

import pytest

from controller.accounts.effects import Alert, AlertOver, Arm, Close, Disarm, HideCode, LogOut, Look, Open, ShowCode
from controller.accounts.lifecycle import dialogs
from controller.accounts.lifecycle.step import OF_ATTEMPT
from controller.accounts.lifecycle.table import advance
from controller.accounts.model import (
    COUNTED,
    AnswerDialog,
    Boot,
    Browser,
    Closed,
    ConfirmNumber,
    Connection,
    DialogStays,
    Fired,
    FromSession,
    HeartbeatResult,
    Hold,
    LoggedOut,
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
    Wanted,
)
from controller.accounts.policy import Policy
from controller.accounts.reasons import TRAITS, VERDICTS, Reason, State
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
    PageView,
    PasskeyAnswered,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    SocketDown,
    SocketUp,
    Syncing,
)

OURS, NEARLY, OTHER = "+491511234567", "+4901511234567", "+4915112345999"
SMALL = Policy(max_attempts=1, breaker_threshold=2, reloads=1, flaps=1)
PERSISTENT = {reason for reason, traits in TRAITS.items() if traits.persists}
CODE = Code("a,b,c,d,1")

REPORTS = {
    "linking": (
        CODE, Scanned(), PasskeyAsked(), Authenticated(), Ready(), Seen(PageView()), Ended(Reason.LAUNCH_FAILED),
    ),
    "a passkey": (
        PasskeyAsked(), PasskeyAnswered(), Authenticated(), Syncing(1), Syncing(2), Ready(),
        Ended(Reason.LAUNCH_FAILED),
    ),
    "a connection": (
        Ready(), Reloaded(), PasskeyAsked(), CODE, Health(Layer.SOCKET), Heard(), SocketDown(), SocketUp(),
        HeartbeatResult(answered=True), Seen(PageView()), Ended(Reason.CONNECTION_LOST), Ended(Reason.LOGGED_OUT),
    ),
    "a number that changes": (
        Identified(OURS), Identified(OTHER), Ready(), LoggedOut(confirmed=True), Ended(Reason.LAUNCH_FAILED),
    ),
    "whose it is": (
        Authenticated(NEARLY), Identified(OTHER), Ready(), LoggedOut(confirmed=True),
        LoggedOut(confirmed=False), Ended(Reason.LAUNCH_FAILED), Ended(Reason.LOGGED_OUT),
    ),
    "dialogs": (
        Ready(), Syncing(2), Dialog("new", known=True), Dialog("lock", locked=True), DialogClosed(), DialogStays(),
        PasskeyAsked(), Seen(PageView()), Ended(Reason.SESSION_CLOSED),
    ),
    "ends": (
        Ready(), Ended(Reason.BANNED, block_ends_in=60), Ended(Reason.OUTDATED), Ended(Reason.CONFLICT),
        Ended(Reason.PAGE_UNKNOWN), Ended(Reason.RECYCLED),
    ),
}  # fmt: skip
"""What the page may do, in scenes: all at once there would be too many states to be through with."""

COMMANDS = {
    "linking": (StopLinking(),),
    "whose it is": (ConfirmNumber(same=False),),
    "a number that changes": (ConfirmNumber(same=True), ConfirmNumber(same=False)),
    "dialogs": (AnswerDialog(),),
    "ends": (Hold(), Release(), Recycle("x"), Start(takeover=True)),
}
BOOTS = [
    Boot(Wanted.IDLE, linked=False, state=State.IDLE),
    Boot(Wanted.SUSPENDED, linked=True, state=State.SUSPENDED),
    Boot(Wanted.CONNECTED, linked=False, state=State.CONNECTING, has_session=True),
    Boot(Wanted.CONNECTED, linked=True, state=State.CONNECTED),
    Boot(Wanted.CONNECTED, linked=True, state=State.SUSPENDED, reason=Reason.BANNED, block_ends_in=60),
]
MOST_STATES = 100_000


_IGNORED = {
    "number", "session", "waits", "detail", "percent", "build", "missing", "logged_out", "worst", "cause", "fresh",
    "partial", "quiet", "probing", "reason", "lost", "refreshed", "resting", "dialogs", "armed",
}  # fmt: skip
"""What no promise depends on, whatever happens later, and what `key` puts in a shorter form."""
_KEPT = attrgetter(*(name for name in Connection._fields if name not in _IGNORED))
_MATTER_AT_REST = {
    Reason.SUSPENDED_BY_OPERATOR, Reason.CONFLICT, Reason.TRIAL_FAILED, Reason.EXHAUSTED, Reason.QR_EXPIRED,
}  # fmt: skip


def key(connection: Connection, *, flaps: bool) -> tuple[object, ...]:
    """Return the key of a connection for all that may follow: connections with equal keys are one state.

    Why an attempt is made counts only as far as it is a retry, which a hold gives back; why an account rests, as far
    as the next step looks at it; why a connection was lost, only that it was. flaps: whether losses that mend
    themselves are counted in this scene.
    """
    reason: object = connection.reason
    if connection.stage is not None:
        reason = reason is Reason.RETRY
    elif reason not in _MATTER_AT_REST:
        verdict = VERDICTS.get(connection.reason) if connection.reason is not None else None
        reason = verdict is not None and verdict.needs_person
    resting = connection.resting
    waits = connection.stage in {Stage.PASSKEY, Stage.DIALOG}  # where a percentage that rises ends the wait
    return (
        _KEPT(connection), connection.armed - {Timer.DIALOGS}, reason, None if resting is None else resting.reason,
        connection.lost is not None if flaps else connection.refreshed, connection.percent if waits else None,
    )  # fmt: skip


class Search:
    """The states that a scene can reach, each with what is pending outside of it: counted timers and alerts."""

    def __init__(self, scene: str) -> None:
        self.flaps = scene == "a connection"
        self.reports = REPORTS[scene]
        self.commands = (Start(), Suspend(), Stop(), *COMMANDS.get(scene, ()))
        self.seen: set[tuple[object, ...]] = set()
        self.todo: deque[tuple[Connection, frozenset[Reason]]] = deque()

    def run(self) -> int:
        for boot in BOOTS:
            self.step(Connection(OURS), frozenset(), boot)
        while self.todo:
            connection, alerted = self.todo.popleft()
            for event in self.events(connection):
                self.step(connection, alerted, event)
        return len(self.seen)

    def events(self, connection: Connection):
        yield from self.commands
        yield from map(Fired, connection.armed)
        session = connection.session
        if connection.browser is Browser.OPEN:
            reports = (SlotGranted(),) if connection.stage is Stage.QUEUED else self.reports
            yield from (FromSession(session, said) for said in reports)
        if connection.browser is Browser.CLOSING:
            yield FromSession(session, Closed())

    def step(self, before: Connection, open_alerts: frozenset[Reason], event) -> None:
        after, effects = advance(before, event, SMALL)
        try:
            open_alerts = check(before, event, after, effects, open_alerts)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{before}\n{event}\n{after}\n{effects}") from error
        state = key(after, flaps=self.flaps), open_alerts
        if state not in self.seen:
            self.seen.add(state)
            self.todo.append((after, open_alerts))
            assert len(self.seen) < MOST_STATES, "the search does not close"


def check(before, event, after, effects, open_alerts):  # noqa: C901, PLR0912 - one line for each promise
    """Check one step; returns which persistent alerts are open after it."""
    opened = closed = 0
    armed = set(before.armed)
    if isinstance(event, Fired) and not (event.timer in COUNTED and event.timer in after.armed):
        armed.discard(event.timer)
    for effect in effects:
        match effect:
            case Open(takeover=takeover):
                opened += 1
                assert takeover or not before.use_here, "Use here is kept for the next browser"
                assert before.browser is Browser.NONE or isinstance(getattr(event, "event", None), Closed)
                assert not after.stopped, "X1: an opening after the stop"
            case Close():
                closed += 1
                assert before.browser is Browser.OPEN
            case Arm(timer=timer, seconds=seconds):
                assert seconds >= 0
                assert timer not in OF_ATTEMPT or timer not in before.armed, "a limit that begins anew is none"
                armed.add(timer)
            case Disarm(timers=timers):
                armed -= timers
            case ShowCode():
                assert after.stage is Stage.AWAITING_SCAN
            case HideCode():
                assert before.shown is not None
            case Look() | LogOut():
                assert after.browser is Browser.OPEN
            case Alert(reason=reason):
                assert reason not in open_alerts, "told twice while it stands"
                assert TRAITS[reason].alert
                answered = before.use_here and not before.takes_over
                assert reason is not Reason.CONFLICT or not answered, "Use here was pressed, and not tried"
                if reason in PERSISTENT:
                    open_alerts |= {reason}
            case AlertOver(reason=reason):
                assert reason in open_alerts or reason not in PERSISTENT
                open_alerts -= {reason}
    if isinstance(event, Start) and event.takeover and not before.stopped and before.state is not State.CONNECTED:
        assert after.use_here, "Use here is forgotten"
    assert opened <= 1
    assert closed <= 1
    assert armed == after.armed
    assert after.attempts <= SMALL.max_attempts
    assert after.errors <= SMALL.breaker_threshold
    assert after.flaps <= SMALL.flaps
    assert after.reloads <= SMALL.reloads
    assert after.shown is None or after.stage is Stage.AWAITING_SCAN
    assert (after.browser is Browser.OPEN) == (after.state in {State.CONNECTING, State.CONNECTED})
    if after.stage not in {None, Stage.QUEUED, Stage.LOGGING_OUT}:
        assert Timer.ATTEMPT in after.armed, "an attempt ends"
    assert (Reason.DIALOG in open_alerts) <= (after.dialog is not None), "nothing is told that is not so"
    assert (Reason.CONFIRM_NUMBER in open_alerts) == (after.unconfirmed is not None) or after.stopped
    assert (Reason.FLAPPING in open_alerts) == after.flapping or after.stopped
    at_rest = not after.wants_connection and after.state is not State.IDLE and not after.stopped
    if at_rest:
        verdict = VERDICTS.get(after.reason)
        person = {Reason.SUSPENDED_BY_OPERATOR, Reason.NOT_LINKED, Reason.TRIAL_FAILED, Reason.EXHAUSTED}
        last_round = after.reason is Reason.QR_EXPIRED and before.rounds == SMALL.qr_rounds - 1
        resting = not before.wants_connection and after.reason is before.reason
        needs_person = verdict is not None and verdict.needs_person
        assert after.reason in person or needs_person or last_round or resting, "stuck without a timer"
    return open_alerts


@pytest.mark.parametrize("scene", REPORTS)
def test_no_reachable_step_breaks_a_promise(scene, monkeypatch):
    monkeypatch.setattr(dialogs, "_MOST_ALERTS", MOST_STATES)  # counting them is up to test_lifecycle_model
    assert Search(scene).run() > 500, "a scene that reaches next to nothing proves nothing"
