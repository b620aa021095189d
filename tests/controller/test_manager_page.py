"""The manager with a realistic page, in virtual time: reloads, slow sync, dialogs, flapping, wrong phones."""

import pytest

from controller.accounts.model import Boot, Stage, Wanted
from controller.accounts.notices import BuildLoaded
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, Remedy, State
from controller.accounts.reports import (
    Authenticated,
    Dialog,
    DialogClosed,
    Ended,
    Identified,
    Loaded,
    PageView,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    Syncing,
)
from controller.accounts.status import Failure
from controller.driver import DriverError
from tests.controller.test_manager import NUMBER, bench, code
from tests.virtual_time import pass_time, settle, virtual, virtual_loop

OTHER = "+4915112345999"


async def reload(here) -> None:
    here.session.report(Reloaded())
    await pass_time(1)
    here.session.report(Ready(NUMBER))
    await settle()


@virtual
async def test_k1_a_page_that_reloads_itself_once_in_each_browser_is_connected_and_nothing_is_told():
    async with bench() as here:
        await here.manager.start()
        await settle()
        here.session.report(Ready(NUMBER))
        await pass_time(1.5)
        await reload(here)
        assert here.status.is_connected
        assert (here.driver.openings, here.alerts) == (1, [])
        assert here.status.reconnect_attempts == 0


@virtual
async def test_k1_a_page_that_reloads_itself_four_times_within_five_minutes_is_ended_in_those_words():
    async with bench() as here:
        await here.connect()
        for _ in range(3):
            await reload(here)
            await pass_time(90)
        assert here.status.is_connected
        here.session.report(Reloaded())
        await settle()
        assert (here.status.reason, here.status.detail) == (Reason.RELOADS_ITSELF, "more than 3 times within 300 s")


@virtual
async def test_k1_l16_a_page_that_reloads_itself_just_below_that_for_a_day_is_told_once():
    async with bench() as here:
        await here.connect()
        for _ in range(24 * 3600 // 101):
            await reload(here)
            await pass_time(100)
        assert here.driver.openings == 1
        assert here.alerts == [Reason.FLAPPING]
        told = next(each for each in here.transitions if each.alert)
        assert (told.cause, told.detail, told.state) == (Reason.RELOADED, "6 times within 60 min", State.CONNECTED)
        await pass_time(3400)
        assert here.status.flapping
        await pass_time(200)
        assert here.transitions[-1].over == (Reason.FLAPPING,)
        assert not here.status.flapping


@virtual
async def test_x9_connected_for_a_minute_lost_and_again_for_a_day_does_not_go_unsaid():
    async with bench() as here:
        here.driver.script = lambda session: session.report(Ready(NUMBER))
        await here.manager.start()
        end = virtual_loop().time() + 86400
        while virtual_loop().time() < end and here.status.state is not State.SUSPENDED:
            await pass_time(62)
            here.session.report(Ended(Reason.CONNECTION_LOST))
            await pass_time(1)
        assert here.alerts
        assert here.driver.openings <= 12


@virtual
async def test_l16_what_is_lost_each_nine_minutes_is_told_once_in_a_day():
    async with bench() as here:
        here.driver.script = lambda session: session.report(Ready(NUMBER))
        await here.manager.start()
        for _ in range(24 * 6):
            await pass_time(540)
            here.session.report(Ended(Reason.CONNECTION_LOST))
            await pass_time(60)
        assert here.status.is_connected
        assert here.alerts == [Reason.FLAPPING]


@virtual
async def test_k5_chats_that_load_slowly_are_waited_for_as_long_as_they_move():
    async with bench(Policy(sync_timeout=10)) as here:
        await here.manager.start()
        await settle()
        here.session.report(Authenticated(NUMBER))
        for percent in range(1, 100):
            await pass_time(9)
            here.session.report(Syncing(percent))
        await settle()
        assert here.status.stage is Stage.SYNCING
        here.session.report(Ready(NUMBER))
        await settle()
        assert here.status.is_connected


@virtual
async def test_l7_but_not_for_more_than_half_an_hour():
    async with bench(Policy(sync_timeout=10)) as here:
        await here.manager.start()
        await settle()
        here.session.report(Authenticated(NUMBER))
        await settle()
        begun, percent = virtual_loop().time(), 0
        while here.status.stage is Stage.SYNCING:
            percent = (percent + 1) % 100
            here.session.report(Syncing(percent))
            await pass_time(5)
        assert Reason.DEADLINE in [each.reason for each in here.transitions]
        assert 1800 <= virtual_loop().time() - begun <= 1820


@virtual
async def test_x10_code_scanned_code_does_not_go_on_for_days():
    async with bench() as here:
        await here.manager.start()
        await settle()
        begun = virtual_loop().time()
        for n in range(1000):
            here.session.report(code(n))
            await pass_time(10)
            here.session.report(Scanned())
            await pass_time(10)
            if here.status.state is not State.CONNECTING or here.driver.openings > 1:
                break
        assert virtual_loop().time() - begun <= 150
        assert Reason.QR_EXPIRED in [each.reason for each in here.transitions]


@virtual
async def test_k10_a_passkey_that_is_asked_for_after_the_identity_is_told_and_waited_for():
    async with bench() as here:
        await here.manager.start()
        await settle()
        here.session.report(Authenticated(NUMBER))
        await pass_time(3)
        here.session.report(PasskeyAsked())
        await pass_time(590)
        assert (here.status.stage, here.alerts) == (Stage.PASSKEY, [Reason.PASSKEY])
        here.session.report(Ready(NUMBER))
        await settle()
        assert here.status.is_connected


@pytest.mark.parametrize("hangs", [False, True])
def test_k7_a_stuck_page_is_shown_with_its_words_when_it_is_told(hangs):
    @virtual
    async def run():
        async with bench(Policy(breaker_threshold=1)) as here:

            def stuck(session):
                session.view, session.look_hangs = PageView("Update WhatsApp", picture=b"png"), hangs

            here.driver.script = stuck
            await here.manager.start()
            await pass_time(60 + 20)
            told = next(each for each in here.transitions if each.alert is Reason.BREAKER_OPEN)
            assert told.picture == (None if hangs else b"png")
            assert ("Update WhatsApp" in told.detail) is not hangs
            assert "launching took too long" in told.detail

    run()


@virtual
async def test_k7_a_known_dialog_is_answered_by_an_operator():
    async with bench() as here:
        await here.connect()
        here.session.report(Dialog("What's new", known=True))
        await settle()
        assert (here.status.dialog, here.status.remedy) == ("What's new", Remedy.CONTINUE)
        told = here.transitions[-1]
        assert (told.alert, told.silent, told.detail, told.within_state) == (Reason.DIALOG, True, "What's new", True)
        assert await here.manager.answer_dialog()
        await settle()
        assert here.session.dismissed == 1
        here.session.report(DialogClosed())
        await settle()
        assert (here.status.dialog, here.transitions[-1].over) == ("", (Reason.DIALOG,))
        assert not await here.manager.answer_dialog()


@pytest.mark.parametrize("fails", [None, DriverError(Reason.UNKNOWN, "no way to log out")])
def test_k4_what_is_told_of_a_wrong_phone_is_so(fails):
    @virtual
    async def run():
        async with bench() as here:
            assert await here.manager.start()
            await settle()
            here.session.report(Ready())
            here.session.log_out_fails = fails
            here.session.report(Identified(OTHER))
            await settle()
            reason = Reason.WRONG_NUMBER if fails is None else Reason.WRONG_NUMBER_STAYS
            assert here.alerts == [reason]
            assert here.session.logged_out is (fails is None)
            await here.manager.start()
            await settle()
            assert here.driver.opened[-1].set_aside is (fails is not None)

    run()


@virtual
async def test_what_ended_the_attempt_before_is_known_during_the_next():
    async with bench() as here:
        await here.manager.start()
        await settle()
        assert here.status.failure is None
        here.session.report(Ended(Reason.DEADLINE, "launching took too long; the page shows: Update"))
        await settle()
        assert (here.status.detail, here.status.failure) == ("launching took too long; the page shows: Update", None)
        await pass_time(2)
        assert here.status.stage is Stage.LAUNCHING
        assert here.status.failure == Failure(Reason.DEADLINE, "launching took too long; the page shows: Update")
        here.session.report(Ready(NUMBER))
        await settle()
        assert here.status.failure is None


@virtual
async def test_what_ended_the_attempt_before_a_restart_is_known_too():
    async with bench() as here:
        stored = {"reason": Reason.BREAKER_OPEN, "cause": Reason.PAGE_UNKNOWN, "detail": "none that we know"}
        here.manager.boot(Boot(Wanted.CONNECTED, linked=True, state=State.SUSPENDED, **stored))
        await settle()
        assert here.status.failure == Failure(Reason.PAGE_UNKNOWN, "none that we know")


@virtual
async def test_the_build_of_each_document_is_notified():
    async with bench() as here:
        await here.connect()
        here.session.report(Loaded("2.3000", frozenset({"socket"}), frozenset({"stream"})))
        await settle()
        found = here.notices[-1]
        assert isinstance(found, BuildLoaded)
        assert (found.number, found.build, found.missing) == (NUMBER, "2.3000", {"stream"})
        assert here.status.build == "2.3000"


@virtual
async def test_stop_tells_whether_the_device_was_logged_out():
    async with bench() as here:
        await here.connect()
        assert await here.manager.stop(log_out=True) is True
        assert here.session.logged_out
