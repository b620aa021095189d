"""The manager in virtual time: each rule as observed from outside, with a scripted driver."""

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from controller import manager as manager_module
from controller.accounts.model import Boot, Breaker, Stage, Timer, Wanted
from controller.accounts.notices import CodeHidden, CodeShown, Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, Remedy, State
from controller.accounts.reports import Authenticated, Code, Ended, Health, Heard, Layer, PasskeyAsked, Ready, Scanned
from controller.driver import DriverError
from controller.launch_slots import LaunchSlots
from controller.manager import Manager
from tests.controller.fakes import FakeDriver
from tests.virtual_time import EPOCH, pass_time, settle, until, virtual, virtual_loop

NUMBER = "+491511234567"


def code(n: int) -> Code:
    return Code(f"ref{n},noise,identity,adv,1", lives=20)


class Bench:
    """One manager on a fake driver, and all its notices."""

    def __init__(self, policy: Policy, slots: int = 2) -> None:
        self.driver = FakeDriver()
        self.notices = []
        self.slots = LaunchSlots(slots)
        self.manager = Manager(
            NUMBER,
            driver=self.driver,
            slots=self.slots,
            policy=policy,
            listener=self.notices.append,
            clock=virtual_loop().clock,
        )

    @property
    def session(self):
        return self.driver.newest

    @property
    def status(self):
        return self.manager.get_status()

    @property
    def transitions(self):
        return [notice for notice in self.notices if isinstance(notice, Transition)]

    @property
    def alerts(self):
        return [transition.alert for transition in self.transitions if transition.alert]

    @property
    def shown(self):
        return [notice.code for notice in self.notices if isinstance(notice, CodeShown)]

    async def connect(self) -> None:
        assert await self.manager.start()
        await settle()
        self.session.report(Ready(NUMBER))
        await settle()
        assert self.status.is_connected


@asynccontextmanager
async def bench(policy: Policy | None = None, *, jitter: float = 0.0, slots: int = 2):
    before, manager_module.JITTER = manager_module.JITTER, jitter
    here = Bench(policy or Policy(), slots)
    try:
        yield here
    finally:
        manager_module.JITTER = before
        await here.manager.stop()
        await here.driver.stop()


def delays(here: Bench) -> list[float]:
    """The waits in the transitions to states that have a retry."""
    return [
        round((t.next_retry_at - t.at).total_seconds(), 3)
        for t in here.transitions
        if t.next_retry_at is not None and t.state in {State.DISCONNECTED, State.ERROR}
    ]


@virtual
async def test_the_way_to_connected_is_told_step_by_step():
    async with bench() as here:
        assert here.status.state is State.IDLE
        assert await here.manager.start()
        await settle()
        assert (here.status.state, here.status.stage) == (State.CONNECTING, Stage.LAUNCHING)
        here.session.report(code(1))
        here.session.report(Scanned())
        here.session.report(Authenticated(NUMBER))
        here.session.report(Ready(NUMBER))
        await settle()
        assert [(t.before, t.state, t.stage) for t in here.transitions] == [
            (State.IDLE, State.CONNECTING, Stage.QUEUED),
            (State.CONNECTING, State.CONNECTING, Stage.LAUNCHING),
            (State.CONNECTING, State.CONNECTING, Stage.AWAITING_SCAN),
            (State.CONNECTING, State.CONNECTING, Stage.PAIRING),
            (State.CONNECTING, State.CONNECTING, Stage.SYNCING),
            (State.CONNECTING, State.CONNECTED, None),
        ]
        assert [t.within_state for t in here.transitions] == [False, True, True, True, True, False]


@virtual
async def test_what_a_status_answers():
    async with bench() as here:
        await here.connect()
        await pass_time(10)
        here.session.report(Heard())
        await pass_time(5)
        status = here.status
        assert status.phone_number == NUMBER
        assert (status.state, status.is_connected, status.breaker) == (State.CONNECTED, True, Breaker.CLOSED)
        assert (status.reconnect_attempts, status.error_count) == (0, 0)
        assert status.uptime == pytest.approx(15)
        assert status.since == EPOCH
        assert status.last_activity == EPOCH + timedelta(seconds=10)
        assert status.next_retry_in is None
        here.session.report(Ended(Reason.CONNECTION_LOST))
        await pass_time(0.25)
        status = here.status
        assert (status.uptime, status.next_retry_in, status.is_connected) == (0, pytest.approx(0.75), False)
        assert status.reason is Reason.CONNECTION_LOST


# --- L1 ---------------------------------------------------------------------------------------------------------------


@virtual
async def test_l1_two_starts_in_the_same_tick_open_one_browser():
    async with bench() as here:
        answers = await asyncio.gather(here.manager.start(), here.manager.start())
        await pass_time(1)
        assert answers == [True, False]
        assert here.driver.openings == 1


@virtual
async def test_l1_a_late_report_of_an_earlier_browser_is_dropped():
    async with bench() as here:
        await here.connect()
        earlier = here.session
        earlier.report(Ended(Reason.CONNECTION_LOST))
        await pass_time(2)
        assert here.driver.openings == 2
        earlier.report(Ready(NUMBER))
        earlier.report(code(1))
        await settle()
        assert here.status.stage is Stage.LAUNCHING
        assert here.shown == []


@virtual
async def test_l1_a_launch_that_hangs_is_torn_down_before_the_next():
    async with bench(Policy(connect_timeout=60)) as here:
        here.driver.hangs = True
        await here.manager.start()
        await pass_time(59)
        assert here.status.stage is Stage.LAUNCHING
        await pass_time(1.5)
        assert (here.status.state, here.status.reason) == (State.ERROR, Reason.DEADLINE)
        assert not here.driver.open_now, "the losing launch has ended"
        here.driver.hangs = False
        await pass_time(1)
        assert here.driver.openings == 2  # the fake asserts that there are never two on one profile


@virtual
async def test_l1_a_slow_close_holds_the_next_start_back():
    async with bench() as here:
        await here.connect()
        here.session.close_takes = 15
        here.session.report(Ended(Reason.CONNECTION_LOST))
        await pass_time(10)
        assert here.driver.openings == 1
        assert await here.manager.start()
        await pass_time(4)
        assert here.driver.openings == 1
        await pass_time(2)
        assert here.driver.openings == 2


# --- L2, L3 -----------------------------------------------------------------------------------------------------------


@virtual
async def test_l2_backoff_and_exhaustion():
    async with bench(Policy(breaker_threshold=99)) as here:
        here.driver.fails = DriverError(Reason.LAUNCH_FAILED, "no")
        await here.manager.start()
        await until(lambda: here.status.state is State.SUSPENDED)
        assert delays(here) == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
        assert here.driver.openings == 11
        assert (here.status.reason, here.status.next_retry_in) == (Reason.EXHAUSTED, None)
        assert here.alerts == [Reason.EXHAUSTED]
        await pass_time(86400)
        assert here.driver.openings == 11


@virtual
async def test_l2_the_jitter_only_lengthens_and_by_a_tenth_at_most():
    async with bench(jitter=0.1) as here:
        waits = []
        for _ in range(40):
            await here.connect()
            here.session.report(Ended(Reason.CONNECTION_LOST))
            await settle()
            waits.append(here.status.next_retry_in)
            await here.manager.suspend()
            await pass_time(1)
        assert all(1 <= wait <= 1.1 for wait in waits)
        assert max(waits) - min(waits) > 0.02


@virtual
async def test_l3_a_connection_that_drops_before_it_has_held_keeps_climbing():
    async with bench() as here:
        here.driver.script = lambda session: session.report(Ready(NUMBER))
        await here.manager.start()
        for _ in range(4):
            await until(lambda: here.status.is_connected)
            await pass_time(30)
            here.session.report(Ended(Reason.CONNECTION_LOST))
            await settle()
        assert delays(here) == [1, 2, 4, 8]
        await until(lambda: here.status.is_connected)
        await pass_time(299)
        assert here.status.reconnect_attempts == 4
        await pass_time(2)
        assert here.status.reconnect_attempts == 0
        here.session.report(Ended(Reason.CONNECTION_LOST))
        await settle()
        assert delays(here)[-1] == 1


# --- L4, L5 -----------------------------------------------------------------------------------------------------------


@virtual
async def test_l5_the_breaker_trips_cools_down_and_makes_one_trial():
    async with bench() as here:
        here.driver.fails = DriverError(Reason.LAUNCH_FAILED, "no")
        await here.manager.start()
        await until(lambda: here.status.state is State.SUSPENDED)
        assert here.driver.openings == 5
        assert (here.status.error_count, here.status.breaker) == (5, Breaker.OPEN)
        assert here.status.next_retry_in == pytest.approx(60, abs=0.1)
        assert here.alerts == [Reason.BREAKER_OPEN]
        await pass_time(59)
        assert here.driver.openings == 5
        await pass_time(2)
        assert here.driver.openings == 6
        assert (here.status.state, here.status.reason) == (State.SUSPENDED, Reason.TRIAL_FAILED)
        assert here.alerts == [Reason.BREAKER_OPEN, Reason.TRIAL_FAILED]
        await pass_time(86400)
        assert here.driver.openings == 6


@virtual
async def test_l5_a_trial_that_connects_closes_the_breaker():
    async with bench() as here:
        here.driver.fails = DriverError(Reason.LAUNCH_FAILED, "no")
        await here.manager.start()
        await until(lambda: here.status.state is State.SUSPENDED)
        here.driver.fails = None
        here.driver.script = lambda session: session.report(Ready(NUMBER))
        await pass_time(61)
        assert here.status.is_connected
        assert (here.status.breaker, here.status.error_count) == (Breaker.CLOSED, 0)


@virtual
async def test_an_error_that_the_driver_did_not_translate_is_a_failed_launch(caplog):
    async with bench() as here:
        here.driver.fails = ZeroDivisionError()  # type: ignore[assignment]
        await here.manager.start()
        await settle()
        assert (here.status.state, here.status.reason) == (State.ERROR, Reason.LAUNCH_FAILED)
        assert "could not be opened" in caplog.text


# --- L6 ---------------------------------------------------------------------------------------------------------------


@virtual
async def test_l6_codes_are_debounced_and_the_newest_is_always_shown():
    async with bench() as here:
        await here.manager.start()
        await settle()
        here.session.report(code(1))
        await settle()
        assert here.shown == [code(1)], "the first at once"
        for n in range(2, 8):
            await pass_time(0.2)
            here.session.report(code(n))
        await settle()
        assert here.shown == [code(1)]
        await pass_time(1)
        assert here.shown == [code(1), code(7)]


@virtual
async def test_l6_a_code_says_when_it_ends():
    async with bench() as here:
        await here.manager.start()
        await pass_time(5)
        here.session.report(code(1))
        await pass_time(30)
        here.session.report(code(2))
        await settle()
        first, second = (notice for notice in here.notices if isinstance(notice, CodeShown))
        assert first.ends_at == EPOCH + timedelta(seconds=25)
        assert first.window_ends_at == second.window_ends_at == EPOCH + timedelta(seconds=125)
        assert second.ends_at == EPOCH + timedelta(seconds=55)


@virtual
async def test_l6_two_minutes_without_a_scan_end_the_attempt():
    async with bench() as here:
        await here.manager.start()
        await settle()
        for n in range(4):
            here.session.report(code(n))
            await pass_time(29.5)
        assert here.status.stage is Stage.AWAITING_SCAN
        await pass_time(2.5)
        assert (here.status.state, here.status.reason, here.status.error_count) == (
            State.DISCONNECTED, Reason.QR_EXPIRED, 0,
        )  # fmt: skip
        assert isinstance(here.notices[-1], CodeHidden)
        assert delays(here) == [1]
        await pass_time(2)
        assert here.driver.openings == 2


@virtual
async def test_l6_codes_are_shown_for_two_rounds_and_not_for_twenty_minutes():
    async with bench() as here:
        await here.manager.start()
        for n in range(40):
            await settle()
            if here.status.stage is Stage.LAUNCHING or here.status.stage is Stage.AWAITING_SCAN:
                here.session.report(code(n))
            await pass_time(30)
        assert (here.status.state, here.status.reason, here.status.wants_connection) == (
            State.DISCONNECTED, Reason.QR_EXPIRED, False,
        )  # fmt: skip
        assert here.driver.openings == 2
        assert here.status.remedy is Remedy.LINK
        assert here.alerts == []


@virtual
async def test_l6_a_code_in_the_same_moment_as_the_end_of_its_window_is_not_shown(caplog):
    async with bench() as here:
        await here.manager.start()
        await settle()
        here.session.report(code(1))
        await settle()
        ends = here.manager._timers[Timer.CODES].when()
        # Both come due in one turn of the loop, and the code is taken first.
        virtual_loop().call_at(ends - 5e-10, here.session.report, code(2))
        await pass_time(120.5)
        assert here.shown == [code(1)]
        assert here.status.reason in {Reason.QR_EXPIRED, Reason.RETRY}
        assert "could not be handled" not in caplog.text


# --- L7 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reports", "deadline"),
    [
        ([], 60),
        ([code(1), Scanned()], 60),
        ([Authenticated(NUMBER)], 180),
        ([code(1), PasskeyAsked()], 600),
    ],
)
def test_l7_no_stage_hangs(reports, deadline):
    @virtual
    async def run():
        async with bench() as here:
            await here.manager.start()
            await settle()
            for report in reports:
                here.session.report(report)
            await pass_time(deadline - 0.5)
            assert here.status.state is State.CONNECTING
            await pass_time(1)
            assert (here.status.state, here.status.reason) == (State.ERROR, Reason.DEADLINE)

    run()


# --- L8 ---------------------------------------------------------------------------------------------------------------


@virtual
async def test_l8_a_hanging_page_is_found_within_75_seconds_and_named():
    async with bench() as here:
        await here.connect()
        await pass_time(31)
        assert here.session.probes == 1
        here.session.probe_hangs = True
        hung_at = virtual_loop().time()
        await until(lambda: not here.status.is_connected)
        assert virtual_loop().time() - hung_at <= 75
        assert here.status.reason is Reason.UNRESPONSIVE
        assert here.status.detail == "page script: no answer in 10 s"


@virtual
async def test_l8_one_failed_probe_is_forgiven():
    async with bench() as here:
        await here.connect()
        for _ in range(10):
            here.session.health = Health(Layer.SOCKET, "OPENING")
            await pass_time(30)
            here.session.health = Health()
            await pass_time(30)
        assert here.status.is_connected
        here.session.health = Health(Layer.SOCKET, "OPENING")
        await pass_time(61)
        assert here.driver.openings == 2
        assert Reason.CONNECTION_LOST in [t.reason for t in here.transitions]


@virtual
async def test_l8_a_probe_that_raises_fails_its_layer():
    async with bench() as here:
        await here.connect()

        async def broken():
            here.session.reached = Layer.BROWSER
            raise DriverError(Reason.SESSION_CLOSED, "gone")

        here.session.probe = broken  # type: ignore[method-assign]
        await pass_time(60.5)
        assert here.transitions[-1].detail == "browser: gone"


# --- L9, L10 ----------------------------------------------------------------------------------------------------------


@virtual
async def test_l9_l10_a_quiet_account_whose_heartbeats_are_answered_is_never_recycled():
    async with bench() as here:
        await here.connect()
        await pass_time(6 * 3600)
        assert here.status.is_connected
        assert here.driver.openings == 1
        asked = sum(here.session.beats)
        assert len(here.session.beats) == 360
        assert 0 < asked < 360 / 2, "the server is asked only after half the stale limit of silence"


@virtual
@pytest.mark.parametrize(("keep_alive", "stale"), [(60, 300), (60, 90), (60, 71), (200, 300)])
async def test_l10_an_account_that_answers_is_not_stale_however_the_limits_are_set(keep_alive, stale):
    async with bench(Policy(keep_alive=keep_alive, stale_after=stale)) as here:
        await here.connect()
        for late in range(0, keep_alive, keep_alive // 12):  # a message at any moment between two keep-alives
            await pass_time(4 * keep_alive + late)
            here.session.report(Heard())
        await pass_time(3600)
        assert here.driver.openings == 1


@virtual
async def test_l10_a_sent_heartbeat_is_no_activity():
    async with bench() as here:
        await here.connect()
        here.session.answers = False
        await pass_time(299)
        assert here.status.is_connected
        await pass_time(2)
        stale = next(t for t in here.transitions if t.reason is Reason.STALE)
        assert stale.at == EPOCH + timedelta(seconds=300)
        assert here.driver.sessions[0].closed, "the browser is closed gracefully"
        assert delays(here) == [1]


@virtual
async def test_l9_a_message_is_activity():
    async with bench() as here:
        await here.connect()
        here.session.answers = False
        for _ in range(10):
            await pass_time(200)
            here.session.report(Heard())
        await pass_time(290)
        assert here.status.is_connected
        await pass_time(11)
        assert not here.status.is_connected


@virtual
async def test_l9_a_heartbeat_that_hangs_is_not_answered():
    async with bench() as here:
        await here.connect()

        async def hanging(*, ask):
            await asyncio.Event().wait()

        here.session.heartbeat = hanging  # type: ignore[method-assign]
        await pass_time(301)
        assert Reason.STALE in [t.reason for t in here.transitions]


# --- L11 --------------------------------------------------------------------------------------------------------------


@virtual
async def test_l11_the_wrong_device_is_logged_out_again():
    async with bench() as here:
        await here.manager.start()
        await settle()
        here.session.report(code(1))
        here.session.report(Ready("+4915112345999"))
        await settle()
        assert here.session.logged_out
        assert here.session.closed
        assert here.alerts == [Reason.WRONG_NUMBER]
        await pass_time(86400)
        assert here.driver.openings == 1


@virtual
async def test_l11_logged_out_on_the_phone_waits_for_a_person():
    async with bench() as here:
        await here.connect()
        here.session.report(Ended(Reason.LOGGED_OUT, "on the phone"))
        await pass_time(86400)
        assert (here.status.state, here.status.reason, here.status.linked) == (
            State.DISCONNECTED, Reason.LOGGED_OUT, False,
        )  # fmt: skip
        assert here.driver.openings == 1
        assert here.alerts == [Reason.LOGGED_OUT]
        assert await here.manager.start()
        await settle()
        assert here.driver.openings == 2


@virtual
async def test_l11_a_closed_session_comes_back_at_once():
    async with bench() as here:
        await here.connect()
        here.driver.script = lambda session: session.report(Ready(NUMBER))
        here.session.report(Ended(Reason.SESSION_CLOSED))
        await settle()
        await pass_time(0.01)
        assert here.status.is_connected
        assert here.driver.openings == 2
        assert here.alerts == []


@virtual
async def test_use_here_takes_the_session_over():
    async with bench() as here:
        await here.connect()
        here.session.report(Ended(Reason.CONFLICT))
        await settle()
        assert here.alerts == [Reason.CONFLICT]
        assert await here.manager.start(takeover=True)
        await settle()
        assert here.session.opening.takeover


# --- L12, L13, L15 ----------------------------------------------------------------------------------------------------


@virtual
async def test_l12_suspend_closes_the_browser_and_stays():
    async with bench() as here:
        await here.connect()
        assert await here.manager.suspend()
        await pass_time(86400)
        assert here.status.state is State.SUSPENDED
        assert here.driver.sessions[0].closed
        assert here.driver.openings == 1
        assert not await here.manager.suspend()
        assert await here.manager.start()


@virtual
async def test_suspend_in_mid_launch_leaves_nothing():
    async with bench() as here:
        here.driver.opening_takes = 5
        await here.manager.start()
        await pass_time(1)
        await here.manager.suspend()
        await settle()
        assert not here.driver.open_now
        await pass_time(60)
        assert here.driver.sessions == []


@virtual
async def test_l13_a_launch_slot_is_held_until_the_browser_is_open():
    async with bench(slots=1) as here:
        here.driver.opening_takes = 1
        await here.manager.start()
        await settle()
        assert here.slots.locked()
        await pass_time(1.1)
        assert (here.slots.locked(), here.slots.launches.loading) == (False, 1), "its page waits for the network"
        here.session.report(code(1))
        await settle()
        assert here.slots.launches.loading == 0


@virtual
async def test_l13_a_failed_launch_frees_its_slot():
    async with bench(slots=1) as here:
        here.driver.fails = DriverError(Reason.LAUNCH_FAILED, "no")
        await here.manager.start()
        await settle()
        assert not here.slots.locked()


@virtual
async def test_l13_a_launch_waits_for_its_slot_without_a_deadline():
    async with bench(slots=1) as here:
        here.slots.hold("a test")
        await here.manager.start()
        await pass_time(3600)
        assert here.status.stage is Stage.QUEUED
        assert here.driver.openings == 0
        here.slots.release("a test")
        await settle()
        assert here.status.stage is Stage.LAUNCHING


@virtual
async def test_l15_a_browser_that_will_not_close_is_given_up_after_its_deadline(caplog):
    async with bench() as here:
        await here.connect()
        here.session.close_takes = 3600
        began = virtual_loop().time()
        await here.manager.stop()
        assert virtual_loop().time() - began <= 30
        assert here.status.state is State.IDLE
        assert "could not be closed" in caplog.text
        here.driver.open_now.clear()
        here.manager = here.driver  # type: ignore[assignment]


@virtual
async def test_a_second_stop_is_harmless():
    async with bench() as here:
        await here.connect()
        await here.manager.stop()
        assert here.session.closed


@virtual
async def test_l14_boot_takes_an_account_up():
    async with bench() as here:
        here.manager.boot(Boot(Wanted.CONNECTED, linked=True, state=State.CONNECTED))
        await settle()
        assert here.driver.openings == 1
        here.session.report(code(1))
        await settle()
        assert (here.status.state, here.status.reason) == (State.ERROR, Reason.RESTORE_FAILED)
        assert here.shown == [], "nobody asked, so nobody is woken with a code"


@virtual
async def test_a_listener_that_raises_stops_nobody(caplog):
    async with bench() as here:

        def broken(notice):
            here.notices.append(notice)
            raise ZeroDivisionError

        here.manager._listener = broken
        assert await here.manager.start()
        await settle()
        here.session.report(Ready(NUMBER))
        await settle()
        assert here.status.is_connected
        assert "A listener failed" in caplog.text


@virtual
async def test_a_stopped_manager_takes_no_command():
    async with bench() as here:
        await here.manager.stop()
        with pytest.raises(RuntimeError):
            await here.manager.start()


# --- the log ----------------------------------------------------------------------------------------------------------


@virtual
async def test_the_log_says_it_in_the_agreed_words(caplog):
    caplog.set_level(logging.DEBUG)
    async with bench() as here:
        await here.connect()
        await pass_time(61)
        here.driver.fails = DriverError(Reason.LAUNCH_FAILED, "no")
        here.session.report(Ended(Reason.CONNECTION_LOST))
        await pass_time(6)
        await until(lambda: here.status.state is State.SUSPENDED)
    for words in (
        "State: IDLE → CONNECTING → CONNECTED",
        "State: IDLE → CONNECTING → CONNECTED → DISCONNECTED",
        "Reconnect in 1s (attempt 1/10)",
        "Reconnect in 4s (attempt 3/10)",
        "Circuit breaker activated (5 errors), suspended for 60s",
        "Keep-alive heartbeat",
        "•••4567",
    ):
        assert words in caplog.text
    assert NUMBER not in caplog.text


@virtual
async def test_the_log_never_holds_a_code(caplog):
    caplog.set_level(logging.DEBUG)
    async with bench() as here:
        await here.manager.start()
        await settle()
        here.session.report(code(1))
        await pass_time(200)
    assert "ref1" not in caplog.text
    assert "noise" not in caplog.text
