"""Why an attempt or a connection ended, and what follows; delays and counters (L2, L3, L11)."""

import pytest

from controller.accounts.effects import Alert, Arm, Close, Open
from controller.accounts.model import Breaker, Browser, Closed, Fired, Next, Rest, SlotGranted, Stage, Start, Timer
from controller.accounts.policy import Policy, Takeover
from controller.accounts.reasons import TRAITS, VERDICTS, Reason, Remedy, State
from controller.accounts.reports import Ended
from tests.controller.accounts.lifecycle.links import CODE, NEEDS_PERSON, RUNNING, at, boot, do, opened

UNLINKS = NEEDS_PERSON - {
    Reason.SCREEN_LOCKED, Reason.CONFLICT, Reason.CONFLICT_LEFT, Reason.BANNED, Reason.ARCHIVE_OUTDATED,
}  # fmt: skip

# reason → (state when it was connected, first delay, alert), (state when it was not, first delay, alert)
PINNED = {
    Reason.LAUNCH_FAILED: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.PROFILE_IN_USE: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.ARCHIVE_OUTDATED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.DEADLINE: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.RESTORE_FAILED: (("ERROR", 1, False), ("ERROR", 1, False)),
    Reason.PAGE_UNKNOWN: (("ERROR", 1, True), ("ERROR", 1, True)),
    Reason.SESSION_CLOSED: (("DISCONNECTED", 0, False), ("ERROR", 1, False)),
    Reason.UNRESPONSIVE: (("DISCONNECTED", 1, False), ("ERROR", 1, False)),
    Reason.CONNECTION_LOST: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.NAVIGATED: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.RELOADS_ITSELF: (("DISCONNECTED", 1, False), ("ERROR", 1, False)),
    Reason.PAGE_MISBEHAVES: (("ERROR", 1, True), ("ERROR", 1, True)),
    Reason.NOT_LINKED: (("DISCONNECTED", None, False), ("DISCONNECTED", None, False)),
    Reason.ACCOUNT_LOCKED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.SYNC_FAILED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.STORAGE_FULL: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.SCREEN_LOCKED: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.WRONG_NUMBER_STAYS: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.STALE: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.QR_EXPIRED: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
    Reason.LOGGED_OUT: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.CONFLICT: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.CONFLICT_LEFT: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.BANNED: (("SUSPENDED", None, True), ("SUSPENDED", None, True)),
    Reason.OUTDATED: (("DISCONNECTED", 0, False), ("DISCONNECTED", 0, False)),
    Reason.WRONG_NUMBER: (("DISCONNECTED", None, True), ("DISCONNECTED", None, True)),
    Reason.RECYCLED: (("DISCONNECTED", 0, False), ("DISCONNECTED", 0, False)),
    Reason.UNKNOWN: (("DISCONNECTED", 1, False), ("DISCONNECTED", 1, False)),
}


def test_every_verdict_is_pinned():
    assert set(PINNED) == set(VERDICTS)
    assert {reason for reason, verdict in VERDICTS.items() if verdict.needs_person} == NEEDS_PERSON


@pytest.mark.parametrize("phase", [phase for phase in RUNNING if phase is not Stage.LOGGING_OUT])
@pytest.mark.parametrize("reason", PINNED, ids=str)
def test_l11_why_it_ended_decides_what_follows(phase, reason):
    state, delay, alert = PINNED[reason][0 if phase is State.CONNECTED else 1]
    picture = b"png" if reason is Reason.PAGE_UNKNOWN else None
    after, effects = do(at(phase, linked=True, errors=3), Ended(reason, "why", picture=picture))
    assert (after.state, after.stage, after.reason, after.detail) == (state, None, reason, "why")
    assert after.errors == (0 if reason in NEEDS_PERSON else 4 if state == "ERROR" else 3)
    assert after.browser is Browser.CLOSING
    assert Close(7) in effects
    assert [effect.seconds for effect in effects if isinstance(effect, Arm)] == ([] if delay is None else [delay])
    assert after.armed == (frozenset() if delay is None else {Timer.RETRY})
    silent = phase is State.CONNECTED and reason is Reason.PAGE_MISBEHAVES
    told = [Alert(reason, picture, silent=silent)] if alert else []
    assert [effect for effect in effects if isinstance(effect, Alert)] == told
    assert after.linked == (reason not in UNLINKS)


@pytest.mark.parametrize("reason", sorted(NEEDS_PERSON))
def test_l11_counters_are_zero_where_nothing_is_tried_any_more(reason):
    after, _ = do(at(State.CONNECTED, attempts=3, errors=2, waits=4), Ended(reason))
    assert (after.attempts, after.errors, after.waits) == (0, 0, 0)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        ("", Reason.LOGGED_OUT, "removed"),
        ("0", Reason.LOGGED_OUT, "WhatsApp says: its page had a fatal error"),
        ("1", Reason.SYNC_FAILED, "WhatsApp says: its chats could not be brought over"),
        ("2", Reason.SYNC_FAILED, "WhatsApp says: the first load of its chats took too long"),
        ("3", Reason.ACCOUNT_LOCKED, "WhatsApp says: the account is locked on its phone"),
        ("ACCOUNT_LOCKED", Reason.ACCOUNT_LOCKED, "WhatsApp says: account locked"),
        ("history_sync_timeout", Reason.SYNC_FAILED, "WhatsApp says: history sync timeout"),
        ("storage_quota_exceeded", Reason.STORAGE_FULL, "WhatsApp says: the browser had no room for its data"),
        (
            "lid_migration_no_lid_available",
            Reason.LOGGED_OUT,
            "WhatsApp says: its page could not follow WhatsApp to hidden numbers: lid migration no lid available",
        ),
        ("never_heard_of", Reason.LOGGED_OUT, "WhatsApp says: never heard of"),
        ("77", Reason.LOGGED_OUT, "WhatsApp says: code 77"),
    ],
)
def test_l11_the_code_of_a_logout_is_told_with_its_meaning(code, reason, words):
    after, effects = do(at(State.CONNECTED, linked=True), Ended(Reason.LOGGED_OUT, "removed", code=code))
    assert (after.reason, after.detail, after.linked) == (reason, words, False)
    assert effects[-1] == Alert(reason)


def test_every_reason_has_its_traits():
    assert set(TRAITS) == set(Reason)
    assert all(traits.remedy is not Remedy.RECONNECT for traits in TRAITS.values() if traits.unlinks)


def test_a_connected_page_that_asks_for_a_scan_was_logged_out():
    after, effects = do(at(State.CONNECTED, linked=True), CODE)
    assert (after.phase, after.reason, after.linked) == (State.DISCONNECTED, Reason.LOGGED_OUT, False)
    assert Alert(Reason.LOGGED_OUT) in effects


def test_l11_an_outdated_page_is_reloaded_once_with_a_fresh_one():
    link = at(Stage.LAUNCHING)
    link, effects = do(link, Ended(Reason.OUTDATED))
    assert effects[-1] == Arm(Timer.RETRY, 0)
    link, _ = do(link, Closed())
    link, effects = do(link, Fired(Timer.RETRY))
    assert effects == (Open(8, fresh=True),)
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.OUTDATED))
    assert effects[-1] == Arm(Timer.RETRY, 1)


def test_l11_the_reload_for_an_outdated_page_comes_at_once_also_in_the_middle_of_a_struggle():
    _, effects = do(at(Stage.LAUNCHING, attempts=3, waits=3), Ended(Reason.OUTDATED))
    assert effects[-1] == Arm(Timer.RETRY, 0)


def test_l11_a_conflict_is_taken_over_only_where_that_is_wanted():
    always = Policy(takeover=Takeover.ALWAYS)
    link, effects = do(at(State.CONNECTED), Ended(Reason.CONFLICT), always)
    assert (link.phase, link.reason, effects[-1]) == (State.DISCONNECTED, Reason.CONFLICT, Arm(Timer.RETRY, 1))
    link, _ = do(link, Closed())
    link, effects = do(link, Fired(Timer.RETRY), always)
    assert effects == (Open(8, takeover=True),)
    for never in (Takeover.ASK, Takeover.NEVER):
        policy = Policy(takeover=never)
        link, effects = do(at(State.CONNECTED), Ended(Reason.CONFLICT), policy)
        assert not link.armed
        assert isinstance(effects[-1], Alert)
        remedy = Remedy.USE_HERE if never is Takeover.ASK else Remedy.RECONNECT
        assert TRAITS[effects[-1].reason].remedy is remedy, "never is never: no button takes it over either"
        link, _ = do(link, Closed())
        _, effects = do(link, Start(takeover=True), policy)
        assert effects == (Open(8, takeover=never is Takeover.ASK),)


def test_l11_a_ban_whose_end_is_known_gets_one_trial_then():
    link, effects = do(at(State.CONNECTED), Ended(Reason.BANNED, block_ends_in=3600))
    assert (link.phase, link.reason) == (State.SUSPENDED, Reason.BANNED)
    assert effects[-1] == Arm(Timer.COOLDOWN, 3600)
    assert Alert(Reason.BANNED) in effects
    link, _ = do(link, Closed())
    link, effects = do(link, Fired(Timer.COOLDOWN))
    assert (link.breaker, link.resting, effects) == (Breaker.HALF_OPEN, Rest(Reason.BANNED), (Open(8, fresh=True),))
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.BANNED, block_ends_in=3600))
    assert (link.phase, link.armed) == (State.SUSPENDED, frozenset()), "one trial, no more"
    assert effects[-1] == Alert(Reason.BANNED)


@pytest.mark.parametrize("reason", sorted(NEEDS_PERSON))
def test_only_a_ban_has_an_end(reason):
    link, _ = do(at(State.CONNECTED), Ended(reason, block_ends_in=None if reason is Reason.BANNED else 60))
    assert not link.armed
    link, _ = do(at(State.IDLE), boot(state=State.DISCONNECTED, reason=reason, block_ends_in=None))
    assert not link.armed
    link, _ = do(at(State.IDLE), boot(state=State.DISCONNECTED, reason=reason, block_ends_in=60.0))
    assert link.armed == (frozenset({Timer.COOLDOWN}) if reason is Reason.BANNED else frozenset())


def test_l2_the_delays_grow_and_attempt_10_is_the_last():
    link, waits = at(Stage.LAUNCHING), []
    for attempt in range(10):
        assert link.attempts == attempt
        link, effects = do(link, Ended(Reason.CONNECTION_LOST))
        assert link.phase is State.DISCONNECTED
        waits += [effect.seconds for effect in effects if isinstance(effect, Arm)]
        link, _ = do(link, Closed())
        link, effects = do(link, Fired(Timer.RETRY))
        assert len(opened(effects)) == 1
        link, _ = do(link, SlotGranted())
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    link, effects = do(link, Ended(Reason.CONNECTION_LOST, "gone"))
    assert (link.phase, link.reason, link.cause, link.detail, link.armed) == (
        State.SUSPENDED, Reason.EXHAUSTED, Reason.CONNECTION_LOST, "gone", frozenset(),
    )  # fmt: skip
    assert effects[-1] == Alert(Reason.EXHAUSTED)
    assert link.breaker is Breaker.CLOSED


def test_l2_a_retry_waits_for_the_earlier_browser():
    link, effects = do(at(State.DISCONNECTED, browser=Browser.CLOSING), Fired(Timer.RETRY))
    assert (link.attempts, link.due, effects) == (1, Next(Reason.RETRY), ())
    link, effects = do(link, Closed())
    assert (link.reason, link.attempts, effects) == (Reason.RETRY, 1, (Open(7),))


def test_l2_exhausted_comes_before_the_breaker():
    link, _ = do(at(Stage.LAUNCHING, attempts=10, errors=4), Ended(Reason.LAUNCH_FAILED))
    assert link.reason is Reason.EXHAUSTED


def test_l11_a_closed_session_is_retried_at_once_and_then_by_the_delays():
    link, waits = at(State.CONNECTED), []
    link, effects = do(link, Ended(Reason.SESSION_CLOSED))
    for _ in range(4):
        waits += [effect.seconds for effect in effects if isinstance(effect, Arm)]
        link, _ = do(link, Closed())
        link, _ = do(link, Fired(Timer.RETRY))
        link, _ = do(link, SlotGranted())
        link, effects = do(link, Ended(Reason.SESSION_CLOSED))
    assert waits == [0, 1, 2, 4]
    assert link.attempts == 4, "each counts"


def test_l11_a_session_that_closes_again_at_once_is_not_retried_at_once_again():
    _, effects = do(at(State.CONNECTED, attempts=1), Ended(Reason.SESSION_CLOSED))
    assert effects[-1] == Arm(Timer.RETRY, 1)


def test_l3_counters_go_back_to_zero_when_connected_has_held():
    link = at(State.CONNECTED, attempts=9, errors=4, waits=8, refreshed=True, alerted=frozenset({Reason.PAGE_UNKNOWN}))
    after, effects = do(link, Fired(Timer.STABLE))
    assert after == at(State.CONNECTED, armed=link.armed - {Timer.STABLE})
    assert effects == ()


def test_l3_a_connection_that_opens_and_drops_at_once_keeps_climbing():
    link, effects = do(at(State.CONNECTED, attempts=3, waits=3, errors=2), Ended(Reason.CONNECTION_LOST))
    assert (link.attempts, link.waits, link.errors, effects[-1]) == (3, 4, 2, Arm(Timer.RETRY, 8))


def test_the_same_alert_is_not_told_twice_in_one_struggle():
    link, effects = do(at(Stage.LAUNCHING), Ended(Reason.PAGE_UNKNOWN))
    assert Alert(Reason.PAGE_UNKNOWN) in effects
    link, _ = do(link, Closed())
    link, _ = do(link, Fired(Timer.RETRY))
    link, _ = do(link, SlotGranted())
    link, effects = do(link, Ended(Reason.PAGE_UNKNOWN))
    assert Alert(Reason.PAGE_UNKNOWN) not in effects


def test_a_page_that_misbehaves_once_makes_no_sound_and_an_attempt_that_fails_does():
    reason = Reason.PAGE_MISBEHAVES
    link, effects = do(at(State.CONNECTED), Ended(reason))
    assert Alert(reason, silent=True) in effects
    assert Alert(reason) in do(at(Stage.LAUNCHING), Ended(reason))[1]
    link, effects = do(link, Closed())
    for _ in range(4):
        link, _ = do(link, Fired(Timer.RETRY))
        link, _ = do(link, SlotGranted())
        link, effects = do(link, Ended(reason))
        link, _ = do(link, Closed())
    assert Alert(Reason.BREAKER_OPEN) in effects, "what does not mend itself sounds"
