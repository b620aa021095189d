"""A connection: probes, keep-alive, silence, and what of it can be watched (L8 to L10, K6)."""

import pytest

from controller.accounts.effects import Activity, Alert, AlertOver, Arm, Close, Heartbeat, Probe
from controller.accounts.model import Fired, HeartbeatResult, Stage, Timer
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Health, Heard, Layer, Ready, Reloaded, SocketDown, SocketUp
from tests.controller.accounts.lifecycle.links import OURS, at, do


def test_l8_a_health_check_is_asked_for_and_not_twice_at_once():
    link, effects = do(at(State.CONNECTED), Fired(Timer.HEALTH))
    assert effects == (Arm(Timer.HEALTH, 30), Probe(7))
    link, effects = do(link, Fired(Timer.HEALTH))
    assert effects == (Arm(Timer.HEALTH, 30),)
    link, _ = do(link, Health())
    _, effects = do(link, Fired(Timer.HEALTH))
    assert effects == (Arm(Timer.HEALTH, 30), Probe(7))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Layer.PROCESS, Reason.SESSION_CLOSED),
        (Layer.BROWSER, Reason.UNRESPONSIVE),
        (Layer.PAGE, Reason.UNRESPONSIVE),
        (Layer.SOCKET, Reason.CONNECTION_LOST),
    ],
)
def test_l8_two_failed_probes_in_a_row_lose_the_session_at_the_layer_named(layer, reason):
    link, effects = do(at(State.CONNECTED, probing=True), Health(layer, "silent"))
    assert (link.phase, link.failed_probes, effects) == (State.CONNECTED, 1, ())
    link, effects = do(link, Health(layer, "silent"))
    assert (link.phase, link.reason, link.detail) == (State.DISCONNECTED, reason, f"{layer}: silent")


def test_l8_a_socket_that_goes_down_is_probed_at_once_and_then_in_turn():
    link, effects = do(at(State.CONNECTED), SocketDown())
    assert (link.phase, link.probing) == (State.CONNECTED, True)
    assert effects == (Arm(Timer.HEALTH, 30), Probe(7))
    assert do(link, SocketDown()) == (link, ()), "one probe at a time"
    link, _ = do(link, Health(Layer.SOCKET, "it is OPENING"))
    assert do(link, SocketDown()) == (link, ()), "a second failed probe is not hurried: the page may mend it"
    link, _ = do(link, Health())
    assert do(link, SocketDown())[1] == (Arm(Timer.HEALTH, 30), Probe(7))


def test_l16_what_was_lost_for_a_moment_is_counted_once_whatever_saw_it():
    link, _ = do(at(State.CONNECTED), SocketUp(Reason.CONFLICT))
    assert (link.flaps, link.worst, link.lost) == (1, Reason.CONFLICT, None), "too brief for a probe"
    link, _ = do(at(State.CONNECTED), SocketDown())
    link, _ = do(link, SocketUp())
    assert (link.flaps, link.lost) == (0, Reason.CONNECTION_LOST)
    for health in (Health(), Health(Layer.SOCKET)):
        seen, _ = do(link, health)
        seen, _ = do(seen, Health())
        assert (seen.flaps, seen.lost) == (1, None)
    link, _ = do(at(State.CONNECTED, lost=Reason.CONNECTION_LOST, failed_probes=1), SocketUp())
    assert (link.flaps, do(link, Health())[0].flaps) == (0, 1)


def test_l8_a_good_probe_between_forgives():
    link, _ = do(at(State.CONNECTED, failed_probes=1), Health())
    assert link.failed_probes == 0
    link, _ = do(link, Health(Layer.SOCKET))
    assert link.phase is State.CONNECTED
    link, _ = do(link, Health(Layer.SOCKET))
    assert link.detail == "WhatsApp socket"


def test_l9_a_keep_alive_asks_the_server_only_when_it_has_been_quiet():
    link, effects = do(at(State.CONNECTED), Fired(Timer.KEEP_ALIVE))
    assert effects == (Arm(Timer.KEEP_ALIVE, 62), Heartbeat(7, ask=False))
    link, effects = do(link, Fired(Timer.QUIET))
    assert effects == ()
    link, effects = do(link, Fired(Timer.KEEP_ALIVE))
    assert effects == (Arm(Timer.KEEP_ALIVE, 62), Heartbeat(7, ask=True))


def test_l9_only_an_answer_or_a_message_is_activity():
    quiet = at(State.CONNECTED, quiet=True)
    assert do(quiet, HeartbeatResult(answered=False)) == (quiet, ())
    for said in (HeartbeatResult(answered=True), Heard()):
        after, effects = do(quiet, said)
        assert after == quiet._replace(quiet=False)
        assert effects == (Arm(Timer.QUIET, 150), Arm(Timer.STALE, 300), Activity())


def test_l10_a_silent_session_is_closed():
    after, effects = do(at(State.CONNECTED), Fired(Timer.STALE))
    assert (after.phase, after.reason, after.errors) == (State.DISCONNECTED, Reason.STALE, 0)
    assert Close(7) in effects
    assert effects[-1] == Arm(Timer.RETRY, 1)


def test_k6_what_can_be_watched_only_in_part_is_told_once_and_silently():
    link, effects = do(at(Stage.SYNCING), Ready(OURS, partial="by its chat list only"))
    assert link.partial == "by its chat list only"
    assert effects[-1] == Alert(Reason.WATCHED_IN_PART, detail="by its chat list only", silent=True)
    link, _ = do(link, Fired(Timer.STABLE))
    link, _ = do(link, Reloaded())
    link, effects = do(link, Ready(OURS, partial="by its chat list only"))
    assert not [effect for effect in effects if isinstance(effect, Alert)]
    link, _ = do(link, Reloaded())
    link, effects = do(link, Ready(OURS))
    assert link.partial == ""
    assert AlertOver(Reason.WATCHED_IN_PART) in effects


def test_k6_what_can_be_watched_in_full_after_all_is_told():
    link, _ = do(at(Stage.SYNCING), Ready(OURS, partial="by its chat list only"))
    link, effects = do(link, Ready(OURS))
    assert (link.partial, effects) == ("", (AlertOver(Reason.WATCHED_IN_PART),))
