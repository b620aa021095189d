"""The lifecycle's invariants under any sequence of events (a hypothesis state machine over the pure step)."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.accounts.effects import (
    Alert,
    AlertOver,
    Arm,
    Close,
    Disarm,
    Dismiss,
    HideCode,
    LogOut,
    Look,
    Open,
    Refuse,
    ShowCode,
)
from controller.accounts.lifecycle.step import OF_ATTEMPT
from controller.accounts.lifecycle.table import TABLE, advance
from controller.accounts.model import (
    COUNTED,
    AnswerDialog,
    Boot,
    Breaker,
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
from controller.accounts.policy import Dialogs, Policy, Takeover
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
    Loaded,
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

NUMBER = "+491511234567"
NEARLY = "+4901511234567"
CODES = st.sampled_from([Code(f"ref{n},a,b,c,1") for n in range(4)])
SAID = st.one_of(
    CODES,
    st.just(Scanned()),
    st.just(PasskeyAsked()),
    st.sampled_from([PasskeyAnswered(), DialogStays()]),
    st.sampled_from([Authenticated(NUMBER), Authenticated(), Authenticated("+4915112345999")]),
    st.builds(Syncing, st.none() | st.integers(0, 100)),
    st.sampled_from([Ready(NUMBER), Ready(), Ready("+4915112345999"), Ready(NUMBER, partial="by its chat list")]),
    st.sampled_from([Identified(NUMBER), Identified(NEARLY), Identified("+4915112345999")]),
    st.sampled_from([Loaded("2.3000"), Reloaded(), DialogClosed()]),
    st.builds(Dialog, st.just("what's new"), known=st.booleans(), locked=st.booleans()),
    st.sampled_from([LoggedOut(confirmed=True), LoggedOut(confirmed=False), Seen(PageView())]),
    st.just(Heard()),
    st.just(SocketDown()),
    st.just(SocketUp(Reason.CONFLICT)),
    st.builds(Ended, st.sampled_from(sorted(VERDICTS)), block_ends_in=st.none() | st.floats(0, 1e6)),
    st.builds(Health, st.none() | st.sampled_from(list(Layer))),
    st.builds(HeartbeatResult, st.booleans()),
)
FAILING = st.builds(Ended, st.sampled_from([Reason.LAUNCH_FAILED, Reason.CONNECTION_LOST, Reason.SESSION_CLOSED]))
POLICIES = st.builds(
    Policy,
    max_attempts=st.integers(1, 10),
    breaker_threshold=st.integers(1, 5),
    suspended_retry=st.sampled_from([0, 900]),
    takeover=st.sampled_from(Takeover),
    dialogs=st.sampled_from(Dialogs),
)
LOADED = (*Stage, State.CONNECTED)


class Lifecycle(RuleBasedStateMachine):
    """Performs the effects as a manager does, and watches the promises."""

    def __init__(self):
        super().__init__()
        self.connection = Connection(NUMBER)
        self.policy = Policy()
        self.timers: set[Timer] = set()
        self.counted = dict.fromkeys(COUNTED, 0)
        self.limits_begun: list[Timer] = []
        self.alerts_open: set[Reason] = set()
        self.mended = 0
        self.open_commands: set[str] = set()
        self.browsers: set[int] = set()
        self.closing: set[int] = set()
        self.granted = True
        self.code_in_chat = False
        self.retries_since_rest = 0
        self.errors_since_rest = 0
        self.booted = False
        self.stopped = False
        self.said_by_page = False

    def happen(self, event):  # noqa: C901, PLR0912 - one case for each effect that is watched
        before = self.connection
        self.connection, effects = advance(before, event, self.policy)
        what = event.event if isinstance(event, FromSession) else event
        row = TABLE[before.phase].get(what.timer if isinstance(what, Fired) else type(what))
        if self.connection.phase != before.phase:
            assert row is not None
            assert self.connection.phase in row.to, f"{before.phase} → {self.connection.phase} is not in the table"
        for effect in effects:
            match effect:
                case Open(session=session, takeover=takeover):
                    assert not self.browsers, "two browsers"
                    assert takeover or not before.use_here, "Use here is kept for the next browser"
                    assert not self.stopped, "an opening after the stop"
                    self.browsers.add(session)
                    self.granted = False
                case Close(session=session):
                    assert session in self.browsers
                    assert session not in self.closing, "closed twice"
                    self.closing.add(session)
                case Arm(timer=timer, seconds=seconds):
                    assert seconds >= 0
                    self.timers.add(timer)
                    if timer in COUNTED:
                        self.counted[timer] += 1
                    if timer in OF_ATTEMPT:
                        assert timer not in self.limits_begun, f"{timer} begins anew in one attempt: it has no end"
                        self.limits_begun.append(timer)
                case Disarm(timers=timers):
                    self.timers -= timers
                    self.counted |= dict.fromkeys(timers & COUNTED, 0)
                case Alert(reason=reason):
                    self.alerts_open.add(reason)
                    self.told_truly(reason)
                case AlertOver(reason=reason):
                    assert reason in self.alerts_open, "over is what was alerted"
                    self.alerts_open.discard(reason)
                case Look(session=session) | LogOut(session=session) | Dismiss(session=session):
                    assert session in self.browsers - self.closing
                case ShowCode():
                    self.code_in_chat = True
                case HideCode():
                    assert self.code_in_chat
                    self.code_in_chat = False
        if self.connection.state is not State.CONNECTING or before.state is not State.CONNECTING:
            self.limits_begun = [timer for timer in self.limits_begun if timer in self.connection.armed]
        if self.connection.state is State.CONNECTED and before.state is not State.CONNECTED and before.lost is not None:
            self.mended += 1
        if self.connection.flapping or isinstance(event, Suspend):
            self.mended = 0
        if self.connection.state is State.SUSPENDED or isinstance(event, Start):
            self.retries_since_rest = self.errors_since_rest = 0
        if isinstance(event, Fired) and event.timer is Timer.STABLE:
            self.retries_since_rest = self.errors_since_rest = 0
        if isinstance(event, Fired) and event.timer is Timer.RETRY and not before.on_hold:  # else it waits (L13)
            self.retries_since_rest += 1
        if before.on_hold and self.connection.waiting and before.stage and before.reason is Reason.RETRY:
            self.retries_since_rest -= 1  # given back (L13)
        elif self.connection.state is State.ERROR and before.state is not State.ERROR and not before.on_hold:
            self.errors_since_rest += 1
        return before, effects

    def told_truly(self, reason):
        """Nothing untrue is reported."""
        connection = self.connection
        match reason:
            case Reason.PASSKEY:
                assert connection.stage is Stage.PASSKEY
            case Reason.DIALOG:
                assert connection.dialog is not None
            case Reason.CONFIRM_NUMBER:
                assert connection.unconfirmed is not None
            case Reason.FLAPPING:
                assert connection.state is State.CONNECTED
            case Reason.WATCHED_IN_PART:
                assert connection.partial
            case Reason.WRONG_NUMBER | Reason.WRONG_NUMBER_STAYS:
                assert connection.foreign == (reason is Reason.WRONG_NUMBER_STAYS) or self.said_by_page
            case _:
                assert connection.reason is reason
                assert TRAITS[reason].alert

    @precondition(lambda self: not self.booted)
    @rule(
        policy=POLICIES,
        wanted=st.sampled_from(Wanted),
        linked=st.booleans(),
        state=st.sampled_from(State),
        reason=st.none() | st.sampled_from(Reason),
        ends=st.none() | st.floats(0, 1e6),
        has_session=st.booleans(),
    )
    def boot(self, policy, wanted, linked, state, reason, ends, has_session):
        self.booted = True
        self.policy = policy
        self.happen(
            Boot(wanted, linked, state, reason, block_ends_in=ends, has_session=has_session, attempts=12, errors=12)
        )

    @precondition(lambda self: self.booted)
    @rule(takeover=st.booleans())
    def start(self, takeover):
        before, effects = self.happen(Start(takeover))
        running = before.state in {State.CONNECTING, State.CONNECTED} or self.stopped
        assert (Refuse() in effects) == running
        after = self.connection
        only_asked = before._replace(asked=after.asked, asked_again=after.asked_again, use_here=after.use_here)
        assert (self.connection == only_asked) == running or before.due is not None

    @precondition(lambda self: self.booted)
    @rule(
        event=st.sampled_from(
            [ConfirmNumber(same=True), ConfirmNumber(same=False), AnswerDialog(), Recycle("x"), StopLinking()]
        )
    )
    def command(self, event):
        before, effects = self.happen(event)
        if Refuse() in effects:
            assert self.connection == before

    @precondition(lambda self: self.booted and not self.stopped)
    @rule()
    def suspend(self):
        self.happen(Suspend())
        assert self.connection.reason is Reason.SUSPENDED_BY_OPERATOR
        assert self.connection.due is None

    @precondition(lambda self: self.booted)
    @rule(log_out=st.booleans())
    def stop(self, log_out):
        self.stopped = True
        self.happen(Stop(log_out))
        assert self.connection.state not in {State.CONNECTING, State.CONNECTED}
        assert not self.timers

    @precondition(lambda self: self.booted)
    @rule(event=st.sampled_from([Hold(), Release()]))
    def reach(self, event):
        before = self.connection
        self.happen(event)
        after = self.connection
        assert (after.phase, after.attempts, after.errors) == (before.phase, before.attempts, before.errors)

    @precondition(lambda self: self.browsers and not self.granted and not self.closing)
    @rule()
    def grant(self):
        self.granted = True
        self.happen(FromSession(max(self.browsers), SlotGranted()))

    @precondition(lambda self: self.browsers and self.granted)
    @rule(said=SAID)
    def report(self, said):
        self.said_by_page = isinstance(said, Ended)
        self.happen(FromSession(max(self.browsers), said))
        self.said_by_page = False

    @precondition(lambda self: self.browsers and self.granted)
    @rule()
    def connect(self):
        self.happen(FromSession(max(self.browsers), Ready()))

    @precondition(lambda self: self.browsers and self.granted)
    @rule(ended=FAILING)
    def fail(self, ended):
        self.happen(FromSession(max(self.browsers), ended))

    @precondition(lambda self: self.connection.session > 1)
    @rule(said=SAID)
    def report_late(self, said):
        before, effects = self.happen(FromSession(self.connection.session - 1, said))
        assert (self.connection, effects) == (before, ())

    @precondition(lambda self: self.closing)
    @rule()
    def closed(self):
        session = self.closing.pop()
        self.browsers.discard(session)
        self.happen(FromSession(session, Closed()))

    @precondition(lambda self: self.timers)
    @rule(data=st.data())
    def fire(self, data):
        timer = data.draw(st.sampled_from(sorted(self.timers)))
        if timer in COUNTED:
            self.counted[timer] -= 1
        if not self.counted.get(timer):
            self.timers.discard(timer)
        before, effects = self.happen(Fired(timer))
        moved = (
            self.connection.phase != before.phase
            or self.connection.due is not None
            or self.connection.waiting
            or effects
        )
        counts = COUNTED | {Timer.CALM} | (OF_ATTEMPT & self.connection.spent)
        assert moved or timer in {Timer.QUIET, Timer.STABLE, Timer.DEBOUNCE} | counts, "an armed timer always moves"

    @invariant()
    def the_link_knows_its_timers_and_its_browser(self):
        assert self.connection.armed == self.timers
        expected = Browser.CLOSING if self.closing else Browser.OPEN if self.browsers else Browser.NONE
        assert self.connection.browser is expected
        assert (self.connection.browser is Browser.OPEN) == (
            self.connection.state in {State.CONNECTING, State.CONNECTED}
        )
        assert (self.connection.stage is not None) == (self.connection.state is State.CONNECTING)

    @invariant()
    def never_stuck_without_a_timer_unless_a_person_is_needed(self):
        connection = self.connection
        if (
            connection.armed - {Timer.FLAPS, Timer.CALM, Timer.DIALOGS}
            or connection.due is not None
            or connection.stage is Stage.QUEUED
            or (connection.on_hold and connection.waiting)
        ):
            return
        at_rest = {Reason.SUSPENDED_BY_OPERATOR, Reason.SHUTDOWN, Reason.NOT_LINKED, Reason.EXHAUSTED,
                   Reason.TRIAL_FAILED, Reason.QR_EXPIRED}  # fmt: skip
        at_rest |= {reason for reason, verdict in VERDICTS.items() if verdict.needs_person}
        if self.policy.takeover is Takeover.ALWAYS:
            at_rest.discard(Reason.CONFLICT)
        assert connection.state is State.IDLE or connection.reason in at_rest or self.stopped

    @invariant()
    def an_attempt_ends(self):
        connection = self.connection
        if connection.state is State.CONNECTING and connection.stage is not Stage.QUEUED:
            assert Timer.ATTEMPT in connection.armed or connection.stage is Stage.LOGGING_OUT, (
                "whatever its stages, the whole has a limit"
            )
            its_own = {
                Stage.AWAITING_SCAN: {Timer.CODES}, Stage.PASSKEY: {Timer.PERSON, Timer.DEADLINE},
                Stage.DIALOG: {Timer.PERSON, Timer.DEADLINE},
            }  # fmt: skip
            assert connection.armed & its_own.get(connection.stage, {Timer.DEADLINE}), (
                "a stage without an end of its own"
            )

    @invariant()
    def what_flaps_is_told(self):
        assert self.connection.flaps == self.counted[Timer.FLAPS] <= self.policy.flaps
        assert self.connection.flapping == (Timer.CALM in self.timers)
        assert self.connection.flapping == (Reason.FLAPPING in self.alerts_open)

    @invariant()
    def dialogs_are_counted(self):
        assert self.connection.dialogs == self.counted[Timer.DIALOGS] <= 3

    @invariant()
    def reloads_are_counted(self):
        assert self.connection.reloads == self.counted[Timer.RELOADS] <= self.policy.reloads

    @invariant()
    def what_stands_is_what_is_open(self):
        standing = {reason for reason in self.alerts_open if TRAITS[reason].persists}
        assert self.connection.alerted & {reason for reason in Reason if TRAITS[reason].persists} == standing
        if not self.stopped:
            assert (Reason.CONFIRM_NUMBER in standing) == (self.connection.unconfirmed is not None)

    @invariant()
    def counters_stay_within_their_limits(self):
        assert self.connection.attempts <= self.policy.max_attempts
        assert self.connection.errors <= self.policy.breaker_threshold
        assert self.retries_since_rest <= self.policy.max_attempts
        assert self.errors_since_rest < self.policy.breaker_threshold or self.connection.breaker is not Breaker.CLOSED

    @invariant()
    def a_code_is_in_the_chat_only_while_a_scan_is_awaited(self):
        assert self.code_in_chat == (self.connection.stage is Stage.AWAITING_SCAN)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
