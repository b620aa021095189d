"""The lifecycle as a whole: any order of events keeps its promises (a hypothesis state machine over the pure step)."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.accounts.lifecycle import TABLE, advance
from controller.accounts.model import (
    Arm,
    Beat,
    Boot,
    Breaker,
    Browser,
    Close,
    Closed,
    Connection,
    Disarm,
    Fired,
    FromSession,
    HideCode,
    Hold,
    Open,
    Refuse,
    Release,
    ShowCode,
    SlotGranted,
    Stage,
    Start,
    Stop,
    Suspend,
    Timer,
    Wanted,
)
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import VERDICTS, Reason, State
from controller.accounts.reports import (
    Authenticated,
    Code,
    Ended,
    Health,
    Heard,
    Layer,
    PasskeyAsked,
    Ready,
    Scanned,
    SocketDown,
    Syncing,
)

NUMBER = "+491511234567"
CODES = st.sampled_from([Code(f"ref{n},a,b,c,1") for n in range(4)])
SAID = st.one_of(
    CODES,
    st.just(Scanned()),
    st.just(PasskeyAsked()),
    st.sampled_from([Authenticated(NUMBER), Authenticated(), Authenticated("+4915112345999")]),
    st.builds(Syncing, st.none() | st.integers(0, 100)),
    st.sampled_from([Ready(NUMBER), Ready(), Ready("+4915112345999")]),
    st.just(Heard()),
    st.just(SocketDown()),
    st.builds(Ended, st.sampled_from(sorted(VERDICTS)), block_ends_in=st.none() | st.floats(0, 1e6)),
    st.builds(Health, st.none() | st.sampled_from(list(Layer))),
    st.builds(Beat, st.booleans()),
)
FAILING = st.builds(Ended, st.sampled_from([Reason.LAUNCH_FAILED, Reason.CONNECTION_LOST, Reason.SESSION_CLOSED]))
POLICIES = st.builds(
    Policy,
    max_attempts=st.integers(1, 10),
    breaker_threshold=st.integers(1, 5),
    suspended_retry=st.sampled_from([0, 900]),
    takeover=st.sampled_from(Takeover),
)


class Lifecycle(RuleBasedStateMachine):
    """Performs the effects as a manager does, and watches the promises."""

    def __init__(self):
        super().__init__()
        self.link = Connection(NUMBER)
        self.policy = Policy()
        self.timers: set[Timer] = set()
        self.browsers: set[int] = set()
        self.closing: set[int] = set()
        self.granted = True
        self.code_in_chat = False
        self.retries_since_rest = 0
        self.errors_since_rest = 0
        self.booted = False
        self.stopped = False

    def happen(self, event):  # noqa: C901, PLR0912 - one case for each effect that is watched
        before = self.link
        self.link, effects = advance(before, event, self.policy)
        what = event.said if isinstance(event, FromSession) else event
        row = TABLE[before.phase].get(what.timer if isinstance(what, Fired) else type(what))
        if self.link.phase != before.phase:
            assert row is not None
            assert self.link.phase in row.to, f"{before.phase} → {self.link.phase} is not in the table"
        for effect in effects:
            match effect:
                case Open(session=session):
                    assert not self.browsers, "two browsers"
                    self.browsers.add(session)
                    self.granted = False
                case Close(session=session):
                    assert session in self.browsers
                    assert session not in self.closing, "closed twice"
                    self.closing.add(session)
                case Arm(timer=timer, seconds=seconds):
                    assert seconds >= 0
                    self.timers.add(timer)
                case Disarm(timers=timers):
                    self.timers -= timers
                case ShowCode():
                    self.code_in_chat = True
                case HideCode():
                    assert self.code_in_chat
                    self.code_in_chat = False
        if self.link.state is State.SUSPENDED or isinstance(event, Start):
            self.retries_since_rest = self.errors_since_rest = 0
        if isinstance(event, Fired) and event.timer is Timer.STABLE:
            self.retries_since_rest = self.errors_since_rest = 0
        if isinstance(event, Fired) and event.timer is Timer.RETRY:
            self.retries_since_rest += 1
        if before.on_hold and self.link.waiting and before.stage and before.reason is Reason.RETRY:
            self.retries_since_rest -= 1  # given back (L13)
        elif self.link.state is State.ERROR and before.state is not State.ERROR and not before.on_hold:
            self.errors_since_rest += 1
        return before, effects

    @precondition(lambda self: not self.booted)
    @rule(
        policy=POLICIES,
        wanted=st.sampled_from(Wanted),
        linked=st.booleans(),
        state=st.sampled_from(State),
        reason=st.none() | st.sampled_from(Reason),
        ends=st.none() | st.floats(0, 1e6),
    )
    def boot(self, policy, wanted, linked, state, reason, ends):
        self.booted = True
        self.policy = policy
        self.happen(Boot(wanted, linked, state, reason, block_ends_in=ends))

    @precondition(lambda self: self.booted)
    @rule(takeover=st.booleans())
    def start(self, takeover):
        self.stopped = False
        before, effects = self.happen(Start(takeover))
        running = before.state in {State.CONNECTING, State.CONNECTED}
        assert (Refuse() in effects) == running
        assert (self.link == before) == running or before.due is not None

    @precondition(lambda self: self.booted)
    @rule()
    def suspend(self):
        self.happen(Suspend())
        assert self.link.reason is Reason.SUSPENDED_BY_OPERATOR
        assert self.link.due is None

    @precondition(lambda self: self.booted)
    @rule()
    def stop(self):
        self.stopped = True
        self.happen(Stop())
        assert self.link.state not in {State.CONNECTING, State.CONNECTED}
        assert not self.timers

    @precondition(lambda self: self.booted)
    @rule(event=st.sampled_from([Hold(), Release()]))
    def reach(self, event):
        before = self.link
        self.happen(event)
        assert (self.link.phase, self.link.attempts, self.link.errors) == (before.phase, before.attempts, before.errors)

    @precondition(lambda self: self.browsers and not self.granted and not self.closing)
    @rule()
    def grant(self):
        self.granted = True
        self.happen(FromSession(max(self.browsers), SlotGranted()))

    @precondition(lambda self: self.browsers and self.granted)
    @rule(said=SAID)
    def report(self, said):
        self.happen(FromSession(max(self.browsers), said))

    @precondition(lambda self: self.browsers and self.granted)
    @rule()
    def connect(self):
        self.happen(FromSession(max(self.browsers), Ready()))

    @precondition(lambda self: self.browsers and self.granted)
    @rule(ended=FAILING)
    def fail(self, ended):
        self.happen(FromSession(max(self.browsers), ended))

    @precondition(lambda self: self.link.session > 1)
    @rule(said=SAID)
    def report_late(self, said):
        before, effects = self.happen(FromSession(self.link.session - 1, said))
        assert (self.link, effects) == (before, ())

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
        self.timers.discard(timer)
        before, effects = self.happen(Fired(timer))
        moved = self.link.phase != before.phase or self.link.due is not None or self.link.waiting or effects
        assert moved or timer in {Timer.QUIET, Timer.STABLE, Timer.DEBOUNCE}, "an armed timer always moves"

    @invariant()
    def the_link_knows_its_timers_and_its_browser(self):
        assert self.link.armed == self.timers
        expected = Browser.CLOSING if self.closing else Browser.OPEN if self.browsers else Browser.NONE
        assert self.link.browser is expected
        assert (self.link.browser is Browser.OPEN) == (self.link.state in {State.CONNECTING, State.CONNECTED})
        assert (self.link.stage is not None) == (self.link.state is State.CONNECTING)

    @invariant()
    def never_stuck_without_a_timer_unless_a_person_is_needed(self):
        link = self.link
        if link.armed or link.due is not None or link.stage is Stage.QUEUED or (link.on_hold and link.waiting):
            return
        at_rest = {Reason.SUSPENDED_BY_OPERATOR, Reason.SHUTDOWN, Reason.NOT_LINKED, Reason.EXHAUSTED,
                   Reason.TRIAL_FAILED}  # fmt: skip
        at_rest |= {reason for reason, verdict in VERDICTS.items() if verdict.needs_person}
        if self.policy.takeover is Takeover.ALWAYS:
            at_rest.discard(Reason.CONFLICT)
        assert link.state is State.IDLE or link.reason in at_rest or self.stopped

    @invariant()
    def counters_stay_within_their_limits(self):
        assert self.link.attempts <= self.policy.max_attempts
        assert self.link.errors <= self.policy.breaker_threshold
        assert self.retries_since_rest <= self.policy.max_attempts
        assert self.errors_since_rest < self.policy.breaker_threshold or self.link.breaker is not Breaker.CLOSED

    @invariant()
    def a_code_is_in_the_chat_only_while_a_scan_is_awaited(self):
        assert self.code_in_chat == (self.link.stage is Stage.AWAITING_SCAN)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
