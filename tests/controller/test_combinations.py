"""Two troubles of a page at once, or one in the middle of another's wait, in virtual time.

The page is pretended; session, reader and manager are real, as in `test_page_variants`. Each ends in a true state, in
true words, in bounded time.
"""

import asyncio
from typing import Any

import pytest

from controller.accounts.model import Stage
from controller.accounts.notices import Transition
from controller.accounts.policy import Takeover
from controller.accounts.reasons import Reason, State
from controller.chromium import session as session_module
from tests.controller.pretend import (
    LINKING,
    LOADING,
    LOCK,
    MINE,
    NEARLY,
    NEWS,
    OURS,
    SCAN,
    STRANGER,
    UP,
    account,
    code,
    virtual,
)
from tests.virtual_time import pass_time

UNREADABLE = dict.fromkeys(("state", "stream", "mode", "info", "synced"))
"""A build whose modules cannot be read."""


# --- a session that is gone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [SCAN, SCAN | {"state": "UNPAIRED_IDLE"}, SCAN | {"state": None}])
@pytest.mark.parametrize("reloads", [True, False])
@virtual
async def test_a_connection_that_asks_for_a_scan_was_logged_out_though_its_code_cannot_be_read(shown, reloads):
    async with account() as it:
        await it.connected()
        if reloads:
            it.session.navigate("", shown)
        else:
            it.page.show(**shown)
        await pass_time(60)
        assert (it.ends, it.alerts) == ([Reason.LOGGED_OUT], [Reason.LOGGED_OUT])
        assert len(it.driver.opened) == 1


@pytest.mark.parametrize("shown", [UP | {"state": "UNPAIRED"}, SCAN | {"chats": True}, SCAN | {"mode": "MAIN"}])
@virtual
async def test_one_word_for_a_scan_among_others_for_the_session_is_a_lost_connection(shown):
    async with account() as it:
        await it.connected()
        it.page.show(**shown)
        await pass_time(60)
        assert it.ends == [Reason.CONNECTION_LOST], "the next opening shows which of them is true"


@virtual
async def test_a_linking_screen_without_a_code_for_some_seconds_ends_nothing():
    async with account() as it:
        await it.connected()
        for _ in range(3):
            it.page.show(**SCAN)
            await pass_time(6)
            it.page.show(**UP)
            await pass_time(30)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])


@virtual
async def test_a_passkey_over_a_connection_that_turns_into_a_code_is_a_log_out():
    async with account() as it:
        await it.connected()
        it.page.say("passkey")
        it.page.show(chats=False)
        await pass_time(60)
        it.page.show(**SCAN, code=code())
        await pass_time(10)
        assert (it.ends, it.alerts) == ([Reason.LOGGED_OUT], [Reason.PASSKEY, Reason.LOGGED_OUT])


@virtual
async def test_a_log_out_that_is_said_beneath_a_conflict_is_told_as_the_log_out():
    async with account() as it:
        await it.connected()
        it.page.show(state="CONFLICT")
        await pass_time(1)
        it.page.say("logged out", reason="account_locked")
        it.session.navigate("?post_logout=1&logout_reason=3", SCAN | {"code": code()})
        await pass_time(10)
        assert (it.ends, it.alerts) == ([Reason.ACCOUNT_LOCKED], [Reason.ACCOUNT_LOCKED])


@virtual
async def test_a_log_out_while_a_dialog_waits_is_told_and_the_dialog_is_over():
    async with account() as it:
        await it.connected()
        it.page.show(dialog=NEWS)
        await pass_time(5)
        it.page.say("logged out", reason="3")
        it.session.navigate("?post_logout=1&logout_reason=3", SCAN | {"code": code()})
        await pass_time(10)
        assert (it.ends, it.alerts) == ([Reason.ACCOUNT_LOCKED], [Reason.DIALOG, Reason.ACCOUNT_LOCKED])
        assert it.overs == [Reason.DIALOG]


@virtual
async def test_a_link_that_begins_again_is_not_a_loss_that_mended_itself():
    """Reload and log-out six times an hour, each time a person links it again."""
    async with account() as it:
        await it.connected()
        for _ in range(8):
            it.session.navigate("?post_logout=1&logout_reason=0", SCAN | {"code": code()})
            await pass_time(20)
            assert it.connection.reason is Reason.LOGGED_OUT
            it.driver.first = lambda _: UP | MINE
            await it.manager.start()
            await pass_time(20)
            assert it.connection.state is State.CONNECTED
        assert Reason.FLAPPING not in it.alerts


@pytest.mark.parametrize("how", ["word", "address", "both"])
@virtual
async def test_a_log_out_on_a_page_that_nobody_has_linked_ends_nothing(how):
    """It takes away what an earlier session has left, and goes on asking for a scan."""
    async with account() as it:
        it.driver.has_linked = False
        page = await it.opened(**LINKING)
        await pass_time(2)
        if how != "address":
            page.say("logged out", reason="user_initiated")
        if how != "word":
            it.session.navigate("?post_logout=1&logout_reason=0", SCAN | {"code": code("next")})
        await pass_time(15)
        assert (it.connection.phase, it.ends, it.alerts) == (Stage.AWAITING_SCAN, [], [])
        assert it.codes[-1] == (code() if how == "word" else code("next"))
        it.page.show(state="PAIRING", code=None)
        it.page.show(**UP, **MINE)
        await pass_time(10)
        assert it.connection.state is State.CONNECTED
        it.page.say("logged out", reason="account_locked")
        it.page.show(**LOADING)
        await pass_time(5)
        assert it.ends == [Reason.ACCOUNT_LOCKED], "once it is linked, it is one"


# --- pages that stand still -------------------------------------------------------------------------------------------


@virtual
async def test_a_page_that_stands_still_from_its_first_moment_is_not_said_to_be_unknown():
    """Nothing was seen of it, so nothing is known of it."""
    async with account() as it:
        it.driver.on_page = lambda page: setattr(page, "frozen", True)
        it.driver.first = lambda _: UP | MINE
        await it.manager.start()
        await pass_time(70)
        assert it.ends[:1] == [Reason.UNRESPONSIVE]
        assert Reason.PAGE_UNKNOWN not in it.alerts
        assert it.moves[-1].detail == "it has loaded, and does not answer" or it.connection.state is State.CONNECTING


@virtual
async def test_a_page_that_stands_still_while_connected_and_goes_on_within_a_minute_is_one_loss_at_most():
    async with account() as it:
        await it.connected()
        for _ in range(3):
            it.page.frozen = True
            await pass_time(20)
            it.page.frozen = False
            await pass_time(100)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [])


@virtual
async def test_a_page_that_stands_still_in_the_middle_of_its_own_reload():
    async with account() as it:
        await it.connected()
        it.driver.on_page = lambda page: setattr(page, "frozen", True)
        it.session.navigate("", UP | MINE)
        await pass_time(70)
        assert it.ends[:1] == [Reason.UNRESPONSIVE]
        it.driver.on_page = lambda _: None
        await pass_time(60)
        assert it.connection.state is State.CONNECTED


# --- what is elsewhere ------------------------------------------------------------------------------------------------


@virtual
async def test_two_browsers_that_take_the_session_from_each_other_are_told():
    """Each time it is back before it would be believed; for an hour."""
    async with account() as it:
        await it.connected()
        for _ in range(600):
            if not it.driver.sessions or it.connection.state is not State.CONNECTED:
                break
            it.page.show(state="CONFLICT")
            await pass_time(2)
            it.page.show(**UP)
            await pass_time(4)
        assert it.alerts in ([Reason.CONFLICT], [Reason.FLAPPING]), "somebody is told"


@pytest.mark.parametrize("after", [0.5, 2, 20])
@virtual
async def test_a_session_that_is_taken_again_after_use_here_is_told_once(after):
    async with account() as it:
        it.driver.first = lambda _: LOADING | MINE | {"state": "CONFLICT"}
        await it.manager.start(takeover=True)
        await pass_time(3)
        await pass_time(after)
        it.page.show(state="CONFLICT")
        await pass_time(30)
        assert (it.ends, it.alerts) == ([Reason.CONFLICT], [Reason.CONFLICT])
        assert len(it.driver.opened) == 1


@virtual
async def test_a_takeover_for_ever_is_given_up_in_words_of_the_conflict():
    """TAKEOVER=always against another browser that takes it back as well."""

    def on_page(page: Any) -> None:
        asyncio.get_running_loop().call_later(4, lambda: page.show(state="CONFLICT"))

    async with account(takeover=Takeover.ALWAYS) as it:
        it.driver.on_page = on_page
        it.driver.first = lambda _: UP | MINE
        await it.manager.start()
        await pass_time(1200)
        assert it.alerts in ([Reason.FLAPPING], [Reason.FLAPPING, Reason.EXHAUSTED])
        assert it.connection.cause in {Reason.CONFLICT, None}
        told = next(each for each in it.told if isinstance(each, Transition) and each.alert is Reason.FLAPPING)
        assert told.cause is Reason.CONFLICT


@virtual
async def test_use_here_on_a_page_that_is_locked_is_told_as_the_lock():
    async with account() as it:
        it.driver.first = lambda _: LOADING | MINE | {"dialog": LOCK}
        await it.manager.start(takeover=True)
        await pass_time(20)
        assert (it.ends, it.alerts) == ([Reason.SCREEN_LOCKED], [Reason.SCREEN_LOCKED])


@virtual
async def test_a_stranger_in_conflict_is_not_said_to_be_ours():
    async with account() as it:
        await it.opened(**UP | {"state": "CONFLICT"}, me=STRANGER[1:])
        await pass_time(30)
        assert it.ends in ([Reason.CONFLICT], [Reason.WRONG_NUMBER], [Reason.WRONG_NUMBER_STAYS])
        assert it.connection.identified != OURS
        assert State.CONNECTED not in {each.state for each in it.moves}


# --- silence where little can be read ---------------------------------------------------------------------------------


@virtual
async def test_a_dead_socket_of_a_page_that_is_watched_by_its_list_only_is_stale():
    """Its words cannot be read; that nothing comes over its socket can."""
    async with account() as it:
        page = await it.opened(**UNREADABLE, chats=True, me=None)
        page.answers = None
        await pass_time(900)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])
        it.page.show(silent=True)
        await pass_time(365)
        assert it.ends[:1] == [Reason.STALE]


@virtual
async def test_modules_that_vanish_from_an_open_page_are_told_once():
    """A page may take its `require` away once it is up: from then on its list is all that can be watched."""
    async with account() as it:
        await it.connected()
        it.page.answers = None
        it.page.show(**UNREADABLE)
        await pass_time(300)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])
        assert (it.connection.partial, it.alerts) == ("by its chat list only", [Reason.WATCHED_IN_PART])
        it.page.answers = True
        it.page.show(**UP)
        await pass_time(5)
        assert (it.connection.partial, it.overs) == ("", [Reason.WATCHED_IN_PART])


@virtual
async def test_a_passkey_while_modules_are_missing_is_not_over_when_these_are_told():
    async with account() as it:
        await it.connected()
        it.page.answers = None
        it.page.show(**UNREADABLE)
        await pass_time(30)
        it.page.say("passkey")
        it.page.show(chats=False)
        await pass_time(120)
        assert (it.connection.phase, it.alerts) == (Stage.PASSKEY, [Reason.PASSKEY])


@virtual
async def test_a_passkey_of_a_page_whose_modules_come_meanwhile_is_not_over():
    async with account() as it:
        page = await it.opened(**UNREADABLE, chats=True, me=None)
        page.answers = None
        await pass_time(10)
        assert it.connection.state is State.CONNECTED
        page.answers = False
        page.say("passkey")
        await pass_time(10)
        page.show(**UP, **MINE)
        await pass_time(60)
        assert it.connection.phase is Stage.PASSKEY, "its chats were there before"


@virtual
async def test_modules_that_are_unreadable_for_a_moment_are_not_told():
    async with account() as it:
        await it.connected()
        for _ in range(120):
            it.page.show(**UNREADABLE)
            await pass_time(1)
            it.page.show(**UP)
            await pass_time(9)
        assert (it.connection.state, it.alerts, it.ends) == (State.CONNECTED, [], [])


# --- the history ------------------------------------------------------------------------------------------------------


@virtual
async def test_a_progress_that_goes_backwards_and_forwards_for_ever_ends_with_the_outer_limit():
    async with account() as it:
        page = await it.opened(**LOADING, **MINE)
        page.show(state="CONNECTED", info="SYNCING", mode="SYNCING")
        for turn in range(2000):
            if it.ends:
                break
            page.show(percent=(40, 55, 12)[turn % 3])
            await pass_time(2)
        assert it.ends == [Reason.DEADLINE]
        assert 1700 < it.at[-1] < 2000


@virtual
async def test_a_progress_that_stays_at_99_and_then_loses_its_socket_is_told_by_the_socket():
    async with account() as it:
        page = await it.opened(**LOADING, **MINE)
        page.show(state="CONNECTED", stream="SYNCING", mode="SYNCING", info="SYNCING", percent=99)
        await pass_time(5)
        page.show(**LOADING, percent=99)
        await pass_time(200)
        ended = next(each for each in it.moves if each.state is State.ERROR)
        assert ended.reason is Reason.DEADLINE
        assert "OPENING" in ended.detail, "why it took too long"


@virtual
async def test_a_socket_that_never_opens_at_the_start_is_named_when_the_time_is_over():
    async with account() as it:
        await it.opened(**LOADING | {"chats": True}, **MINE)
        await pass_time(200)
        ended = next(each for each in it.moves if each.state is State.ERROR)
        assert (ended.reason, "OPENING" in ended.detail) == (Reason.DEADLINE, True)


# --- passkeys and reloads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["launching", "connected", "syncing", "durable"])
@virtual
async def test_a_passkey_that_is_asked_for_again_after_a_reload_is_told_once(stage, monkeypatch):
    async def slow(*_: object) -> bool:
        await asyncio.sleep(20)
        return True

    monkeypatch.setattr(session_module, "until_durable", slow)
    async with account() as it:
        it.driver.has_linked = stage != "durable"
        if stage == "connected":
            await it.connected()
        else:
            page = await it.opened(**(LINKING if stage == "durable" else LOADING | MINE))
            if stage == "durable":
                page.show(state="PAIRING", code=None)
                page.show(**UP, **MINE)
            elif stage == "syncing":
                page.show(percent=30)
        await pass_time(3)
        for _ in range(3):
            it.page.say("passkey")
            it.page.show(chats=False)
            await pass_time(10)
            assert it.connection.phase is Stage.PASSKEY
            it.session.navigate("", LOADING | MINE)
            await pass_time(5)
        it.page.show(**UP)
        await pass_time(40)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [Reason.PASSKEY])


@virtual
async def test_a_passkey_that_nobody_gives_ends_after_ten_minutes_though_the_page_reloads():
    async with account() as it:
        await it.connected()
        it.page.say("passkey")
        for _ in range(4):
            await pass_time(160)
            if it.ends:
                break
            it.session.navigate("", LOADING | MINE)
            await pass_time(2)
            it.page.say("passkey")
        await pass_time(300)
        assert it.ends[:1] == [Reason.DEADLINE]


@virtual
async def test_a_passkey_on_a_page_of_which_nothing_else_can_be_read_is_waited_for():
    """The request itself names WhatsApp."""
    async with account() as it:
        page = await it.opened()
        page.say("passkey")
        await pass_time(120)
        assert (it.connection.phase, it.alerts, it.ends) == (Stage.PASSKEY, [Reason.PASSKEY], [])
        page.say("passkey answered")
        page.show(**UP, **MINE)
        await pass_time(10)
        assert it.connection.state is State.CONNECTED


# --- numbers ----------------------------------------------------------------------------------------------------------


@virtual
async def test_a_number_that_is_told_while_a_dialog_waits_is_compared():
    async with account() as it:
        it.driver.has_linked = False
        page = await it.opened(**LINKING)
        page.show(state="PAIRING", code=None)
        page.show(**LOADING, me="")
        page.show(dialog=NEWS)
        await pass_time(5)
        assert it.connection.phase is Stage.DIALOG
        page.show(me=STRANGER[1:])
        await pass_time(20)
        assert it.ends == [Reason.WRONG_NUMBER]
        assert it.overs == [Reason.DIALOG]


@virtual
async def test_a_question_about_a_number_outlives_a_reload_and_is_asked_once():
    async with account() as it:
        await it.connected(me=NEARLY[1:])
        for _ in range(2):
            it.session.navigate("", UP | {"me": NEARLY[1:]})
            await pass_time(20)
        assert (it.alerts, it.connection.unconfirmed) == ([Reason.CONFIRM_NUMBER], NEARLY)
        assert await it.manager.confirm_number(NEARLY, same=True)
        it.session.navigate("", UP | {"me": NEARLY[1:]})
        await pass_time(20)
        assert (it.connection.state, it.alerts) == (State.CONNECTED, [Reason.CONFIRM_NUMBER])


ODD: list[Any] = [
    0,
    -1,
    10**30,
    [],
    [OURS[1:]],
    {},
    {"user": OURS[1:]},
    True,
    float("nan"),
    "x" * 5000,
    "٤٩١٥١١٢٣٤٥٦٧١",
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@virtual
async def test_a_value_of_any_type_in_any_place_ends_nothing_and_says_nothing(odd):
    """What comes over the channel may be anything; a page that goes on being well is connected."""
    async with account() as it:
        await it.connected()
        for place in ("me", "percent", "blockEndsIn", "dialog", "startup", "silent", "offline", "synced", "code"):
            it.page.show(**{place: odd})
            await pass_time(8)
            it.page.show(**{place: None, **UP, **MINE})
            await pass_time(2)
        for place in ("state", "stream", "mode", "info"):
            it.page.show(**{place: odd})
            await pass_time(1)
            it.page.show(**UP)
            await pass_time(2)
        for kind in ("state", "loaded", "logged out", "passkey answered", "heard", odd):
            it.session.receive({"kind": kind, "state": odd, "build": odd, "parts": odd, "reason": odd})
            it.session.receive(odd)
        await pass_time(100)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [])
