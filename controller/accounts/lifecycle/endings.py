"""Rows for how attempts and connections end, and what follows (L2, L4, L5, L11): retry, breaker, trial, rest."""

from dataclasses import replace

from controller.accounts.effects import Alert, Tripped
from controller.accounts.lifecycle.step import Step
from controller.accounts.model import Breaker, Browser, Closed, Fired, Next, Rest, Timer
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import Reason, Remedy, State, Then, Verdict, logout_reason, logout_words
from controller.accounts.reports import Ended


def end(step: Step, ended: Ended) -> None:
    """Close the session and count its end; the table of reasons then decides what follows."""
    before = step.connection
    ended = _with_meaning(ended, step.policy)
    verdict = step.policy.verdict(ended.reason)
    assert verdict is not None
    state = verdict.state_after(connected=before.state is State.CONNECTED)
    step.close_browser()
    if verdict.unlinks:
        step.set(linked=False, asked=False)
    if verdict.needs_person:  # what cannot recover by itself
        step.set(lost=None)
    elif before.state is State.CONNECTED:
        step.set(lost=None if ended.reason is Reason.RECYCLED else ended.reason)
    failed = state is State.ERROR and before.state is State.CONNECTING and ended.reason is not Reason.PROFILE_IN_USE
    if failed or verdict.by_page:
        step.set(fresh=True)
    if before.on_hold and not verdict.needs_person:
        _wait_for_whatsapp(step, ended, state)
        return
    if state is State.ERROR:
        step.set(errors=before.errors + 1)
    on_trial = before.breaker is Breaker.HALF_OPEN
    if on_trial and not (before.resting is not None and before.resting.alerted):
        step.reset_alerts(all_of_them=True)  # however a trial ends, people are alerted, even if they were before

    if ended.reason is Reason.CONFLICT and before.use_here and not before.takes_over:
        _rest(step, state, ended)
        step.set(use_here=True)
        begin_anew(step)  # "Use here" was pressed during this attempt, whose browser did not know of it
    else:
        _follow(step, ended, verdict, state, on_trial=on_trial)


def _with_meaning(ended: Ended, policy: Policy) -> Ended:
    """Replace the reason by what WhatsApp's logout code means (L11), and apply the policy to a conflict."""
    if ended.reason is Reason.CONFLICT and policy.takeover is Takeover.NEVER:
        return replace(ended, reason=Reason.CONFLICT_LEFT)
    if ended.reason is not Reason.LOGGED_OUT or not ended.code:
        return ended
    return replace(ended, reason=logout_reason(ended.code), detail=f"WhatsApp says: {logout_words(ended.code)}")


def _follow(step: Step, ended: Ended, verdict: Verdict, state: State, *, on_trial: bool) -> None:
    """Decide what follows an end. In order: trial over, last attempt used up, breaker, retry."""
    if verdict.then is Then.ROUND:
        step.set(rounds=step.connection.rounds + 1)
    before = step.connection
    nobody_scans = verdict.then is Then.ROUND and before.rounds >= step.policy.qr_rounds
    if verdict.needs_person or nobody_scans:
        _rest(step, State.SUSPENDED if on_trial else state, ended)
        if verdict.alert:
            step.alert(Alert(ended.reason, ended.picture))
        if verdict.then is Then.BLOCK_END and ended.block_ends_in is not None and not on_trial:
            step.arm(Timer.COOLDOWN, ended.block_ends_in)
        if before.asked_again and (verdict.unlinks or nobody_scans) and verdict.remedy is Remedy.LINK:
            begin_anew(step)  # the operator need not repeat /link
    elif on_trial:
        alerted = before.resting if before.resting is not None and before.resting.alerted else None
        _give_up(step, Reason.TRIAL_FAILED if alerted is None else alerted.reason, ended)
    elif before.attempts >= step.policy.max_attempts:
        _give_up(step, Reason.EXHAUSTED, ended)
    elif before.errors >= step.policy.breaker_threshold:
        _trip(step, ended)
    else:
        step.go(state, ended.reason, detail=ended.detail)
        _arm_retry(step, verdict, at_once=state is State.DISCONNECTED)
        if verdict.alert:
            silent = verdict.heals and before.state is State.CONNECTED
            step.alert(Alert(ended.reason, ended.picture, silent=silent))


def _wait_for_whatsapp(step: Step, ended: Ended, state: State) -> None:
    """Refund the attempt that was used up, and try again once WhatsApp can be reached (L13)."""
    before = step.connection
    if before.breaker is Breaker.HALF_OPEN:
        rest = before.resting or Rest(Reason.BREAKER_OPEN, cause=ended.reason, detail=ended.detail)
        step.go(State.SUSPENDED, rest.reason, detail=rest.detail, cause=rest.cause)
        breaker = Breaker.OPEN if rest.reason is Reason.BREAKER_OPEN else Breaker.CLOSED
        step.set(breaker=breaker, resting=None, waiting=Timer.COOLDOWN)
        return
    spent = before.state is State.CONNECTING and before.reason is Reason.RETRY
    step.set(attempts=min(before.attempts - spent, step.policy.max_attempts - 1))  # one is left for its return
    step.go(state, ended.reason, detail=ended.detail)
    step.set(waiting=Timer.RETRY)


def _trip(step: Step, ended: Ended) -> None:
    """Open the circuit breaker: cool down, then one trial attempt."""
    cooldown = step.policy.breaker_cooldown
    step.go(State.SUSPENDED, Reason.BREAKER_OPEN, detail=ended.detail, cause=ended.reason)
    step.set(breaker=Breaker.OPEN)
    step.arm(Timer.COOLDOWN, cooldown)
    step.effects.append(Tripped(step.connection.errors, cooldown))
    step.alert(Alert(Reason.BREAKER_OPEN, ended.picture))


def _rest(step: Step, state: State, ended: Ended) -> None:
    """Stop trying: only a person can fix what ended it."""
    step.go(state, ended.reason, detail=ended.detail)
    step.set(attempts=0, errors=0, rounds=0, waits=0, breaker=Breaker.CLOSED, resting=None, use_here=False)


def _give_up(step: Step, reason: Reason, ended: Ended) -> None:
    """Stop trying: all attempts are used up. At most the slow silent probe follows, if enabled (L5)."""
    step.go(State.SUSPENDED, reason, detail=ended.detail, cause=ended.reason)
    step.set(breaker=Breaker.CLOSED, resting=None, use_here=False)
    step.alert(Alert(reason, ended.picture))  # after a slow probe, people have been alerted already
    if step.policy.suspended_retry > 0:
        step.arm(Timer.COOLDOWN, step.policy.suspended_retry)


def _arm_retry(step: Step, verdict: Verdict, *, at_once: bool) -> None:
    before, delays = step.connection, step.policy.delays
    if verdict.then is Then.REFRESH and not before.refreshed:
        step.set(refreshed=True)
        step.arm(Timer.RETRY, 0)
    elif verdict.then is Then.AT_ONCE and at_once and before.attempts == 0:
        step.arm(Timer.RETRY, 0)
    else:
        step.set(waits=before.waits + 1)
        step.arm(Timer.RETRY, delays[min(before.waits, len(delays) - 1)])


def begin_anew(step: Step) -> None:
    """Begin the attempt that an operator asked for, once the old browser is gone; everything counts from zero (L3)."""
    step.reset()
    step.reset_alerts(all_of_them=True)
    step.set(asked=True, asked_again=False)
    step.attempt(Next(Reason.ASKED, takeover=step.connection.use_here))


def retry(step: Step, fired: Fired) -> None:
    """Begin the next attempt, or wait for WhatsApp to be reachable."""
    before = step.connection
    if before.on_hold:
        step.set(waiting=fired.timer)
        return
    step.set(attempts=before.attempts + 1)
    step.attempt(Next(Reason.RETRY, takeover=before.reason is Reason.CONFLICT))


def trial(step: Step, fired: Fired) -> None:
    """Start the one trial attempt, with a fresh load; remember where the account rested, and why."""
    before = step.connection
    if before.on_hold:
        step.set(waiting=fired.timer)
        return
    assert before.reason is not None
    step.set(breaker=Breaker.HALF_OPEN, errors=0, fresh=True, resting=Rest(before.reason, before.cause, before.detail))
    step.attempt(Next(Reason.TRIAL, cause=before.reason))


def closed(step: Step, report: Closed) -> None:
    """Begin the attempt that waited for the browser to be gone."""
    step.set(browser=Browser.NONE, logged_out=report.logged_out)
    if step.connection.due is not None:
        step.attempt(step.connection.due)
