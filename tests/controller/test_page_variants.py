"""Further variants of the page's kinds (K2 to K13), in virtual time: other orders, other timing, two kinds at once.

The page is pretended; session, reader and manager are real. Each ends in a true state, in true words, in bounded time.
"""

import asyncio

import pytest

from controller.accounts.model import Stage
from controller.accounts.notices import Transition
from controller.accounts.policy import Dialogs
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended
from controller.chromium import session as session_module
from tests.controller.pretend import (
    LINKING,
    LOADING,
    LOCK,
    MINE,
    NEARLY,
    NEWS,
    OURS,
    RESUMING,
    SCAN,
    STRANGER,
    UP,
    account,
    code,
    virtual,
)
from tests.virtual_time import pass_time

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
async def test_a_socket_that_is_silent_before_the_page_is_ready_is_known_too():
    async with account() as it:
        page = await it.opened(**LOADING, **MINE, silent=True)
        page.answers = False
        page.show(**UP)
        await pass_time(2)
        assert it.connection.state is State.CONNECTED, "two signs agree"
        await pass_time(73)
        assert it.ends == [Reason.CONNECTION_LOST]


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


@virtual
async def test_a_question_that_is_never_answered_does_not_end_a_live_connection_again_and_again():
    """A build that asks in another way, or a hidden address that nobody is found by: its socket is alive."""
    async with account() as it:
        it.driver.on_page = lambda page: setattr(page, "answers", False)
        await it.connected()
        await pass_time(3600)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [Reason.STALE])
        assert it.alerts == [Reason.WATCHED_IN_PART], "that is told, silently"
        assert "does not answer questions" in it.connection.partial
        it.page.show(silent=True)
        await pass_time(80)
        assert it.ends == [Reason.STALE, Reason.CONNECTION_LOST], "silence on the socket is another matter"
        it.driver.on_page = lambda _: None
        await pass_time(20)
        it.page.answers = True
        await pass_time(400)
        assert (it.connection.state, it.connection.partial) == (State.CONNECTED, "")
        assert it.overs == [Reason.WATCHED_IN_PART]


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


@virtual
async def test_a_stranger_that_is_logged_out_by_a_plain_reload_is_known_to_be():
    """Neither an event nor an address tells of it; but the page asks for a scan, as we asked it to."""
    async with account() as it:
        it.driver.on_page = lambda page: setattr(page, "logs_out", "by a reload")
        await it.opened(**UP, me=STRANGER[1:])
        await pass_time(15)
        assert it.ends == [Reason.WRONG_NUMBER]


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
async def test_modules_that_come_later_than_the_chats_are_watched_in_full():
    async with account() as it:
        page = await it.opened(state=None, stream=None, mode=None, info=None, synced=None, chats=True)
        page.answers = None
        await pass_time(10)
        assert (it.connection.partial, it.alerts) == ("by its chat list only", [Reason.WATCHED_IN_PART])
        page.answers = True
        page.show(**UP, **MINE)
        await pass_time(5)
        assert (it.connection.state, it.connection.partial, it.connection.identified) == (State.CONNECTED, "", OURS)
        assert it.overs == [Reason.WATCHED_IN_PART]


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


BLANK = dict.fromkeys(UP) | {"chats": False, "me": None}


@pytest.mark.parametrize("shown", [BLANK, {"dialog": LOCK}], ids=["blank", "lock"])
@virtual
async def test_a_glimpse_while_a_link_is_made_durable_ends_nothing(monkeypatch, shown):
    async def slow(*_: object) -> bool:
        await asyncio.sleep(6)
        return True

    monkeypatch.setattr(session_module, "until_durable", slow)
    async with account() as it:
        it.driver.has_linked = False
        page = await it.opened(**LINKING)
        page.show(state="PAIRING", code=None)
        page.show(**UP, **MINE)
        await pass_time(4)
        page.show(**shown)
        await pass_time(2.5)  # over the moment in which it is on disk
        assert it.connection.state is State.CONNECTING or shown is not BLANK, "nothing is there"
        page.show(dialog=None, **UP, **MINE)
        await pass_time(10)
        assert (it.connection.state, it.connection.partial, it.ends) == (State.CONNECTED, "", [])
        assert it.alerts == []


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
async def test_a_dialog_is_told_once_though_a_glimpse_of_a_block_comes_between():
    async with account() as it:
        page = await it.opened(**LOADING, **MINE, dialog=NEWS)
        await pass_time(3)
        page.show(state="CONFLICT", dialog=None)
        await pass_time(1)
        page.show(dialog=NEWS, **UP)
        await pass_time(10)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [Reason.DIALOG])


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
async def test_a_passkey_after_which_the_page_does_not_change_is_over_once_its_server_answers():
    """The browser refuses the request at once, and the page goes on as if nothing had been."""
    async with account() as it:
        await it.connected()
        it.page.answers = False
        it.page.say("passkey")
        await pass_time(60)
        assert it.connection.phase is Stage.PASSKEY
        it.page.answers = True
        await pass_time(20)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [Reason.PASSKEY])


@pytest.mark.parametrize("answered", [True, False])
@virtual
async def test_a_passkey_while_a_link_is_made_durable_and_nothing_else_changes(monkeypatch, answered):
    running: list[int] = []
    most = 0

    async def slow(*_: object) -> bool:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        await asyncio.sleep(6)
        running.pop()
        return True

    monkeypatch.setattr(session_module, "until_durable", slow)
    async with account() as it:
        it.driver.has_linked = False
        page = await it.opened(**SCAN, code=code())
        page.show(state="PAIRING", code=None)
        page.show(**UP, **MINE)
        await pass_time(1)
        page.say("passkey")
        await pass_time(1)
        assert it.connection.phase is Stage.PASSKEY
        if answered:
            page.say("passkey answered")
        await pass_time(25)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])
        assert most == 1, "two such waits would take each other's marker away"


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


def test_what_a_test_replaces_is_put_back():
    """A page that is linked at once in all tests afterwards would make those of the disk meaningless."""

    @virtual
    async def replaces(monkeypatch):
        monkeypatch.setattr(session_module, "until_durable", None)

    real = session_module.until_durable
    with pytest.MonkeyPatch.context() as patches:
        replaces(monkeypatch=patches)
    assert session_module.until_durable is real
