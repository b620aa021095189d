"""Further variants of the page's kinds (K1 to K13), in virtual time: other orders, other timing, two kinds at once.

The page is pretended; session, reader and manager are real. Each ends in a true state, in true words, in bounded time.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from controller.accounts.model import Stage
from controller.accounts.notices import Transition
from controller.accounts.policy import Dialogs
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended
from controller.chromium import session as session_module
from tests.controller.pretend import LOADING, NEARLY, OURS, SCAN, STRANGER, UP, Pretend, code, without_chromium
from tests.virtual_time import pass_time, run_virtual

NEWS = {"words": "What's new", "known": True, "locked": False}
LOCK = {"words": "locked", "known": False, "locked": True}
MINE = {"me": OURS[1:]}
RESUMING = UP | {"info": "RESUMING", "synced": False}

Test = Callable[..., Coroutine[Any, Any, None]]


def virtual(test: Test) -> Callable[..., None]:
    """Decorate a test so that it runs in virtual time, without Chromium. Keeps its parameters."""

    def run(**given: Any) -> None:
        with without_chromium():
            run_virtual(test(**given))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run


@asynccontextmanager
async def account(**policy: Any) -> AsyncIterator[Pretend]:
    made = Pretend(**policy)
    try:
        yield made
    finally:
        await made.stop()


# --- K1, K12: documents and glimpses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loads", [0.5, 8, 25])
@virtual
async def test_the_log_out_address_alone_is_no_log_out_however_slowly_it_loads(loads):
    async with account() as it:
        await it.connected()
        it.session.navigate("?post_logout=1&logout_reason=0", UP | MINE, loads)
        await pass_time(60)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [])


@virtual
async def test_the_log_out_address_that_asks_for_a_scan_is_one_and_its_code_is_told():
    async with account() as it:
        await it.connected()
        it.session.navigate("?post_logout=1&logout_reason=3", SCAN, 8)
        await pass_time(13)
        assert (it.ends, it.alerts) == ([Reason.ACCOUNT_LOCKED], [Reason.ACCOUNT_LOCKED])


@virtual
async def test_the_log_out_address_of_a_build_that_tells_no_number_ends_nothing():
    async with account() as it:
        await it.connected()
        it.session.navigate("?post_logout=1&logout_reason=0", UP, 2)
        await pass_time(30)
        it.page.show(state="CONFLICT")
        await pass_time(5)
        assert it.ends == [Reason.CONFLICT], "and what follows is heard"


@virtual
async def test_a_document_at_the_log_out_address_that_stays_down_is_not_read_for_ever():
    async with account() as it:
        await it.connected()
        it.session.navigate("?post_logout=1&logout_reason=0", LOADING | MINE, 2)
        await pass_time(5)
        assert it.connection.state is State.CONNECTING, "nobody says that it is connected"
        await pass_time(185)
        assert it.ends == [Reason.DEADLINE]


@pytest.mark.parametrize(
    ("first", "then"), [("CONFLICT", "TOS_BLOCK"), ("CONFLICT", "DEPRECATED_VERSION"), ("PROXYBLOCK", "CONFLICT")]
)
@virtual
async def test_of_two_words_in_turn_the_second_is_not_believed_at_a_glimpse(first, then):
    async with account() as it:
        await it.connected()
        it.page.show(state=first)
        await pass_time(2.9)
        it.page.show(state=then)
        await pass_time(0.5)
        it.page.show(**UP)
        await pass_time(30)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])


@pytest.mark.parametrize("seen", [{"state": "CONFLICT"}, SCAN | {"code": code()}])
@virtual
async def test_what_is_over_without_an_event_ends_nothing(seen):
    """A quiet page is looked at every seven seconds: before an end it is looked at once more."""
    async with account() as it:
        await it.connected()
        await pass_time(0.5)
        it.page.show(**seen)
        await pass_time(1)
        it.page.show(silently=True, **UP, code=None)
        await pass_time(30)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])


@virtual
async def test_two_words_that_take_turns_do_not_put_it_off_for_ever():
    async with account() as it:
        await it.connected()
        for turn in range(8):
            if it.driver.sessions:
                it.page.show(state=("CONFLICT", "TOS_BLOCK")[turn % 2])
            await pass_time(2)
        assert it.ends[:1] in ([Reason.CONFLICT], [Reason.BANNED])


@virtual
async def test_a_block_whose_end_is_counted_down_is_known_as_soon_as_any():
    async with account() as it:
        await it.connected()
        for left in (600, 599, 598, 597):
            if it.driver.sessions:
                it.page.show(state="TOS_BLOCK", blockEndsIn=left)
            await pass_time(1)
        assert it.ends == [Reason.BANNED]


@virtual
async def test_a_log_out_that_was_announced_outlives_a_glimpse_of_something_else():
    async with account() as it:
        await it.connected()
        it.page.say("logged out", reason="account_locked")
        it.page.show(**LOADING)
        it.page.show(state="CONFLICT")
        await pass_time(0.5)
        it.page.show(state="OPENING")
        await pass_time(5)
        assert it.ends == [Reason.ACCOUNT_LOCKED]


@virtual
async def test_a_log_out_that_was_announced_and_did_not_happen_is_forgotten():
    """The page says it, is still open, and loses its session days later by another way."""
    async with account() as it:
        await it.connected()
        it.page.say("logged out", reason="3")
        it.session.navigate("", UP | MINE)
        await pass_time(600)
        assert it.connection.state is State.CONNECTED
        it.page.show(**SCAN, code=code())
        await pass_time(5)
        assert it.ends == [Reason.LOGGED_OUT]


# --- K2: the connection -----------------------------------------------------------------------------------------------


@virtual
async def test_a_silent_socket_is_lost_when_its_server_does_not_answer_twice():
    """The page says that it is connected, but nothing has come over its socket for 35 s."""
    async with account() as it:
        await it.connected()
        it.page.answers = False
        it.page.show(silent=True)
        await pass_time(40)
        assert it.ends == [Reason.CONNECTION_LOST], "35 + 40 s: the 75 s within which what must be probed is known"
        lost = next(each for each in it.moves if each.reason is Reason.CONNECTION_LOST)
        assert lost.detail == "WhatsApp socket: it says that it is connected, and its server does not answer"


@virtual
async def test_a_silent_socket_whose_server_answers_is_a_quiet_one():
    async with account() as it:
        await it.connected()
        for _ in range(50):
            it.page.show(silent=True)
            await pass_time(30)
            it.page.show(silent=False)  # the answer has come over it
            await pass_time(35)
        assert (it.ends, it.alerts, it.connection.state) == ([], [], State.CONNECTED)


@virtual
async def test_a_silent_socket_whose_server_cannot_be_asked_is_stale():
    async with account() as it:
        await it.connected()
        it.page.answers = None
        await pass_time(900)
        assert it.ends == [], "the page pings its server, and says that it is connected"
        it.page.show(silent=True)
        await pass_time(200)
        assert it.ends == [], "that is no proof of a loss"
        await pass_time(165)
        assert it.ends == [Reason.STALE], "what cannot be asked is not an answer"


# --- K3, K4: whose account --------------------------------------------------------------------------------------------


@virtual
async def test_another_number_at_the_first_glimpse_logs_nobody_out():
    async with account() as it:
        page = await it.opened(**UP, me=STRANGER[1:])
        await pass_time(0.8)
        page.show(**MINE)
        await pass_time(10)
        assert (it.connection.state, it.connection.identified, it.ends) == (State.CONNECTED, OURS, [])


@virtual
async def test_a_stranger_is_never_said_to_be_connected():
    async with account() as it:
        await it.opened(**UP, me=STRANGER[1:])
        await pass_time(10)
        assert it.ends == [Reason.WRONG_NUMBER]
        assert State.CONNECTED not in {each.state for each in it.moves}


@virtual
async def test_a_number_that_changes_in_an_open_session_is_asked_about():
    """Its owner may have changed it: no other phone has scanned this page."""
    async with account() as it:
        await it.connected()
        it.page.show(me="4915112349999")
        await pass_time(10)
        assert (it.alerts, it.connection.state) == ([Reason.CONFIRM_NUMBER], State.CONNECTED)
        assert await it.manager.confirm_number("+4915112349999", same=False)
        await pass_time(10)
        assert it.ends == [Reason.WRONG_NUMBER]


@virtual
async def test_a_page_that_tells_two_numbers_in_turn_is_asked_about_once():
    async with account() as it:
        await it.connected()
        for turn in range(20):
            it.page.show(me=(NEARLY, OURS)[turn % 2][1:])
            await pass_time(5)
        assert it.alerts == [Reason.CONFIRM_NUMBER]
        assert it.connection.unconfirmed == NEARLY
        assert await it.manager.confirm_number(NEARLY, same=True)
        await pass_time(60)
        assert it.connection.unconfirmed is None


# --- K5, K6: progress and readiness -----------------------------------------------------------------------------------


@virtual
async def test_a_history_that_only_its_bar_shows_is_waited_for():
    """A build without modules: after a scan, or restored."""
    async with account(qr_timeout=60) as it:
        it.driver.has_linked = False
        page = await it.opened(state=None, code=code())
        page.answers = None
        await pass_time(5)
        page.show(code=None, startup=True, percent=0)
        for percent in range(1, 90):
            await pass_time(2)
            page.show(percent=percent)
        page.show(percent=None, startup=False, chats=True)
        await pass_time(10)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])


@virtual
async def test_a_connection_lost_while_its_link_is_made_durable_is_none(monkeypatch):
    async def slow(*_: object) -> bool:
        await asyncio.sleep(6)
        return True

    monkeypatch.setattr(session_module, "until_durable", slow)
    async with account() as it:
        it.driver.has_linked = False
        page = await it.opened(**SCAN, code=code())
        page.show(state="PAIRING", code=None)
        page.show(**UP, **MINE)
        await pass_time(2)
        page.show(**LOADING)
        await pass_time(20)
        assert it.connection.phase is Stage.SYNCING
        page.show(**UP)
        await pass_time(10)
        assert it.connection.state is State.CONNECTED


# --- K7: what covers the page -----------------------------------------------------------------------------------------


@virtual
async def test_a_lock_at_a_glimpse_needs_nobody():
    async with account() as it:
        page = await it.opened(**LOADING, **MINE)
        page.show(dialog=LOCK)
        await pass_time(2)
        page.show(dialog=None, **UP)
        await pass_time(10)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])
    async with account() as it:
        page = await it.opened(**LOADING, **MINE)
        page.show(dialog=LOCK)
        await pass_time(5)
        assert it.ends == [Reason.SCREEN_LOCKED]


@virtual
async def test_a_dialog_that_comes_and_goes_is_told_three_times_an_hour():
    async with account() as it:
        await it.connected()
        for _ in range(100):
            it.page.show(dialog=NEWS)
            await pass_time(6)
            it.page.show(dialog=None)
            await pass_time(6)
        assert it.alerts == [Reason.DIALOG] * 3
        await pass_time(3600)
        it.page.show(dialog=NEWS)
        await pass_time(6)
        assert len(it.alerts) == 4


@virtual
async def test_words_that_change_each_second_do_not_hide_a_dialog():
    async with account() as it:
        await it.connected()
        for left in range(5):
            it.page.show(dialog=NEWS | {"words": f"What's new in {left} s"})
            await pass_time(0.5)
        assert it.alerts == [Reason.DIALOG]


@virtual
async def test_a_button_that_does_nothing_is_left_to_a_person():
    async with account(dialogs=Dialogs.CONTINUE) as it:
        await it.connected()
        it.page.dismisses = False
        it.page.show(dialog=NEWS)
        await pass_time(10)
        assert (it.alerts, it.connection.state) == ([Reason.DIALOG], State.CONNECTED)


# --- K10: passkeys ----------------------------------------------------------------------------------------------------


@virtual
async def test_a_passkey_over_a_connection_is_over_when_the_chats_are_back():
    async with account() as it:
        await it.connected()
        it.page.say("passkey")
        it.page.show(chats=False)
        await pass_time(120)
        assert it.connection.phase is Stage.PASSKEY
        it.page.show(chats=True)
        await pass_time(6)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [Reason.PASSKEY])


@virtual
async def test_a_passkey_over_a_connection_is_not_over_while_the_server_is_silent():
    async with account() as it:
        await it.connected()
        it.page.answers = False
        it.page.say("passkey")
        await pass_time(60)
        assert it.connection.phase is Stage.PASSKEY, "its signs are those from before"
        it.page.say("passkey answered")
        await pass_time(1)
        assert it.connection.state is State.CONNECTED


@virtual
async def test_what_is_asked_for_again_and_again_is_told_until_that_is_said():
    async with account() as it:
        await it.connected()
        for _ in range(30):
            it.page.say("passkey")
            it.page.show(chats=False)
            await pass_time(20)
            it.page.show(chats=True)
            await pass_time(40)
        assert it.alerts == [Reason.PASSKEY] * 6 + [Reason.FLAPPING]


@virtual
async def test_a_page_that_is_ended_every_few_minutes_is_told_until_that_is_said():
    async with account() as it:
        await it.connected()
        for _ in range(30):
            await pass_time(400)
            it.session.end(Ended(Reason.PAGE_MISBEHAVES, "its browser used 3000 MiB"))
            await pass_time(10)
        assert it.alerts == [Reason.PAGE_MISBEHAVES] * 6 + [Reason.FLAPPING]


@virtual
async def test_a_resume_that_never_ends_is_connected_once_its_chats_stand():
    """The progress stays at 99 for good, and the page never calls itself synced, while its chats are there."""
    async with account() as it:
        page = await it.opened(**RESUMING, **MINE)
        for percent in range(0, 100, 3):
            page.show(percent=percent)
            await pass_time(2)
            assert it.connection.phase is Stage.SYNCING, "it is loading, though its chats are there"
        await pass_time(10)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])


@virtual
async def test_a_resume_that_never_ends_is_not_connected_where_its_server_is_silent():
    async with account() as it:
        it.driver.on_page = lambda page: setattr(page, "answers", False)
        await it.opened(**RESUMING, **MINE)
        it.page.show(percent=99)
        await pass_time(400)
        assert it.ends[:1] == [Reason.DEADLINE]
        assert State.CONNECTED not in {each.state for each in it.moves}


@virtual
async def test_a_passkey_that_is_asked_for_while_a_link_is_made_durable_is_waited_for(monkeypatch):
    async def slow(*_: object) -> bool:
        await asyncio.sleep(3)
        return True

    monkeypatch.setattr(session_module, "until_durable", slow)
    async with account() as it:
        it.driver.has_linked = False
        page = await it.opened(**SCAN, code=code())
        page.show(state="PAIRING", code=None)
        page.show(**UP, **MINE)
        await pass_time(1)
        page.say("passkey")
        page.show(chats=False)
        await pass_time(60)
        assert (it.connection.phase, it.alerts) == (Stage.PASSKEY, [Reason.PASSKEY])
        assert State.CONNECTED not in {each.state for each in it.moves}
        page.say("passkey answered")
        page.show(chats=True)
        await pass_time(10)
        assert it.connection.state is State.CONNECTED


# --- L16: what mends itself -------------------------------------------------------------------------------------------


@virtual
async def test_a_socket_that_drops_for_a_moment_all_the_time_is_told_once():
    async with account() as it:
        await it.connected()
        for _ in range(60):
            it.page.show(state="OPENING")
            await pass_time(5)
            it.page.show(state="CONNECTED")
            await pass_time(115)
        assert (it.alerts, it.ends) == ([Reason.FLAPPING], [])
        (told,) = (each for each in it.told if isinstance(each, Transition) and each.alert)
        assert (told.cause, told.detail) == (Reason.CONNECTION_LOST, "6 times within 60 min")
