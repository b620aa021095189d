"""What mends itself again and again (L16)."""

import pytest

from controller.accounts.effects import Alert, AlertOver
from controller.accounts.model import Closed, Connection, Fired, SlotGranted, Start, Suspend, Timer
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Ready, Reloaded
from tests.controller.accounts.lifecycle.links import ARMED, OURS, at, do


def lose_and_mend(link: Connection, reason: Reason = Reason.CONNECTION_LOST) -> tuple[Connection, list[object]]:
    """Lose a connection and let it recover; returns its alerts and their ends."""
    told: list[object] = []
    for event in (Ended(reason), Closed(), Fired(Timer.RETRY), SlotGranted(), Ready(OURS), Fired(Timer.STABLE)):
        link, effects = do(link, event)
        told += [effect for effect in effects if isinstance(effect, Alert | AlertOver)]
    assert link.phase is State.CONNECTED
    return link, told


def test_l16_what_mends_itself_more_than_five_times_within_an_hour_is_told_once():
    link, told = at(State.CONNECTED, linked=True), []
    for reason in (Reason.CONNECTION_LOST, Reason.STALE, Reason.SESSION_CLOSED, *[Reason.CONNECTION_LOST] * 2):
        link, more = lose_and_mend(link, reason)
        told += more
    assert (told, link.flaps) == ([], 5)
    link, told = lose_and_mend(link)
    assert told == [Alert(Reason.FLAPPING, detail="6 times within 60 min", cause=Reason.SESSION_CLOSED)]
    assert (link.flapping, link.flaps, Timer.FLAPS in link.armed) == (True, 0, False)
    for _ in range(50):
        link, told = lose_and_mend(link)
        assert told == []
    link, effects = do(link, Fired(Timer.CALM))
    assert (effects, link.flapping, link.worst) == ((AlertOver(Reason.FLAPPING),), False, None)
    for _ in range(5):
        link, told = lose_and_mend(link)
        assert told == []
    link, told = lose_and_mend(link)
    assert [type(each) for each in told] == [Alert]


def test_l16_a_loss_of_more_than_an_hour_ago_does_not_count():
    link = at(State.CONNECTED)
    for _ in range(5):
        link, _ = lose_and_mend(link)
    link, _ = do(link, Fired(Timer.FLAPS))
    assert (link.flaps, Timer.FLAPS in link.armed) == (4, True)
    link, told = lose_and_mend(link)
    assert told == []
    for _ in range(5):
        link, _ = do(link, Fired(Timer.FLAPS))
    assert (link.flaps, link.worst, Timer.FLAPS in link.armed) == (0, None, False)


@pytest.mark.parametrize("reason", [Reason.RECYCLED, Reason.LOGGED_OUT])
def test_l16_what_we_did_ourselves_or_a_person_mended_is_no_flapping(reason):
    link, _ = do(at(State.CONNECTED), Ended(reason))
    assert link.lost is None
    link, _ = do(link, Closed())
    link, _ = do(link, Start())
    link, _ = do(link, SlotGranted())
    link, _ = do(link, Ready(OURS))
    assert (link.phase, link.flaps) == (State.CONNECTED, 0)


def test_l16_reloads_below_their_own_threshold_flap_too():
    link = at(State.CONNECTED)
    for _ in range(6):
        link, _ = do(link, Reloaded())
        link, effects = do(link, Ready(OURS))
        link, _ = do(link, Fired(Timer.RELOADS))
    assert Alert(Reason.FLAPPING, detail="6 times within 60 min", cause=Reason.RELOADED) in effects


def test_l16_an_operator_who_suspends_it_ends_it():
    link = at(State.CONNECTED, flapping=True, alerted=frozenset({Reason.FLAPPING}),
              armed=frozenset(ARMED[State.CONNECTED] | {Timer.CALM}))  # fmt: skip
    link, effects = do(link, Suspend())
    assert AlertOver(Reason.FLAPPING) in effects
    assert (link.flapping, link.armed) == (False, frozenset())
