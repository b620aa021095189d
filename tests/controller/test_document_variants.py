"""Further variants of the page's documents (K1, K8, K12), in virtual time: reloads, other addresses, glimpses.

The page is pretended; session, reader and manager are real, as in `test_page_variants`.
"""

import asyncio
from typing import Any

import pytest

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended
from controller.chromium import session as session_module
from controller.chromium.page import documents as documents_module
from tests.controller.pretend import (
    LINKING,
    LOADING,
    LOCK,
    MINE,
    NEWS,
    OURS,
    SCAN,
    STRANGER,
    UP,
    Emitter,
    PretendSession,
    account,
    code,
    virtual,
)
from tests.virtual_time import pass_time


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


@pytest.mark.parametrize(
    ("before", "glimpse"),
    [
        (UP | MINE, {"state": "CONFLICT"}),
        (UP | MINE, {"state": "TOS_BLOCK"}),
        (UP | MINE, SCAN | {"code": code()}),
        (LOADING | MINE, SCAN | {"code": code()}),
        (LOADING | MINE, {"dialog": LOCK}),
        (LOADING, {"me": STRANGER[1:]}),
    ],
    ids=["conflict", "block", "code", "code of a saved session", "lock", "another number"],
)
@virtual
async def test_a_glimpse_after_which_the_page_stands_still_ends_nothing(before, glimpse):
    """A machine that is short of processors: what the page showed last may be over as soon as it goes on."""
    async with account() as it:
        page = await it.opened(**before)
        await pass_time(4)
        page.show(**glimpse)
        page.frozen = True
        await pass_time(12)
        page.show(silently=True, code=None, dialog=None, **UP, **MINE)
        page.frozen = False
        await pass_time(30)
        assert (it.connection.state, it.connection.identified, it.ends) == (State.CONNECTED, OURS, [])
        assert len(it.driver.opened) == 1


@virtual
async def test_a_reload_while_the_page_is_looked_at_once_more_ends_nothing():
    async with account() as it:
        await it.connected()
        it.page.show(state="CONFLICT")
        it.page.frozen = True
        await pass_time(4)
        it.session.navigate("", UP | MINE)
        await pass_time(30)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])


ELSEWHERE = "https://www.whatsapp.com/"


@virtual
async def test_a_hop_over_another_address_ends_nothing():
    async with account() as here:
        await here.connected()
        here.session.land(ELSEWHERE)
        here.session.receive({"kind": "snapshot", **SCAN, "code": code(), "marks": {"code": True}})
        assert (await here.session.probe()).failed is None
        await pass_time(0.8)
        here.session.navigate("", UP | MINE, loads=0.1)
        await pass_time(10)
        assert (here.ends, here.alerts, here.connection.state) == ([], [], State.CONNECTED)


@pytest.mark.parametrize(
    ("address", "where"),
    [
        (ELSEWHERE, "https://www.whatsapp.com"),
        ("https://www.whatsapp.com/?post_logout=1&logout_reason=3", "https://www.whatsapp.com"),
        ("about:blank", "another address"),
        ("blob:https://web.whatsapp.com/1-2", "another address"),
    ],
)
@virtual
async def test_a_page_that_stays_at_another_address_has_gone(address, where):
    async with account() as here:
        await here.connected()
        here.session.land(address)
        await pass_time(1)
        here.session.land("https://elsewhere.example/")
        await pass_time(1)
        assert here.ends == [Reason.NAVIGATED]
        assert here.moves[-1].detail == f"the page went to {where}"


@virtual
async def test_a_page_that_hops_for_ever_reloads_itself():
    async with account() as here:
        await here.connected()
        for _ in range(4):
            here.session.land(ELSEWHERE)
            await pass_time(0.8)
            here.session.navigate("", UP | MINE, loads=0.1)
            await pass_time(2)
        assert Reason.RELOADS_ITSELF in here.ends


@virtual
async def test_an_address_of_millions_of_characters_is_not_taken_apart(monkeypatch):
    async with account() as here:
        await here.connected()
        seen = []
        monkeypatch.setattr(documents_module, "parse_qs", lambda query: seen.append(len(query)) or {})
        here.session.navigate("?" + "a=1&" * 500_000, UP | MINE)
        await pass_time(10)
        assert (max(seen) < 5000, here.ends) == (True, [])


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


@pytest.mark.parametrize(
    ("before", "saved"),
    [
        ([LINKING], False),
        ([LINKING, {"state": "PAIRING", "code": None}], False),
        ([LOADING | MINE], True),
        ([LOADING | MINE | {"percent": 40}], True),
        ([LOADING | MINE | {"dialog": NEWS}], True),
        ([LOADING | MINE, "passkey"], True),
        ([LOADING | MINE, "passkey", "passkey answered"], True),
    ],
    ids=["awaiting scan", "pairing", "launching", "syncing", "dialog", "passkey", "passkey answered"],
)
@virtual
async def test_a_reload_in_the_middle_of_any_stage_is_the_page_s_own_business(before, saved):
    async with account() as it:
        it.driver.has_linked = saved
        page = await it.opened(**before[0])
        await pass_time(2)
        for event in before[1:]:
            page.say(event) if isinstance(event, str) else page.show(**event)
            await pass_time(2)
        it.session.navigate("", LINKING if before == [LINKING] else LOADING | MINE)
        await pass_time(6)
        if before == [LINKING]:
            assert it.connection.phase is Stage.AWAITING_SCAN, "the code is shown again"
            it.page.show(state="PAIRING", code=None)
        it.page.show(**UP, **MINE)
        await pass_time(10)
        assert (it.connection.state, it.ends) == (State.CONNECTED, [])
        assert len(it.driver.opened) == 1
        assert set(it.alerts) <= {Reason.PASSKEY, Reason.DIALOG}


@virtual
async def test_a_reload_while_a_link_is_made_durable_makes_the_wait_begin_anew(monkeypatch):
    done: list[float] = []

    async def slow(*_: object) -> bool:
        await asyncio.sleep(6)
        done.append(asyncio.get_running_loop().time())
        return True

    monkeypatch.setattr(session_module, "until_durable", slow)
    async with account() as it:
        it.driver.has_linked = False
        page = await it.opened(**LINKING)
        page.show(state="PAIRING", code=None)
        page.show(**UP, **MINE)
        await pass_time(5)
        it.session.navigate("", UP | MINE)
        await pass_time(4)
        assert (it.connection.state, done) == (State.CONNECTING, [])
        await pass_time(10)
        assert (it.connection.state, len(done), it.ends) == (State.CONNECTED, 1, [])


@pytest.mark.parametrize("me", [OURS[1:], "", None])
@virtual
async def test_a_connection_that_reloads_and_asks_for_a_scan_was_logged_out(me):
    """Neither an event nor its address tells of it; whose it is may never have been known."""
    async with account() as it:
        await it.connected(me=me)
        it.session.navigate("", LINKING)
        await pass_time(60)
        assert (it.ends, it.alerts) == ([Reason.LOGGED_OUT], [Reason.LOGGED_OUT])
        assert (len(it.driver.opened), it.connection.linked) == (1, False)


@virtual
async def test_use_here_outlives_the_page_s_own_reload():
    async with account() as it:
        it.driver.first = lambda _: LOADING | MINE
        await it.manager.start(takeover=True)
        await pass_time(3)
        it.session.navigate("", LOADING | MINE)
        await pass_time(3)
        it.page.show(state="CONFLICT")
        await pass_time(10)
        assert (it.connection.state, it.ends, it.alerts) == (State.CONNECTED, [], [])


@virtual
async def test_use_here_where_the_other_browser_does_not_let_go_is_told_as_that():
    async with account() as it:
        it.driver.on_page = lambda page: setattr(page, "lets_go", False)
        it.driver.first = lambda _: LOADING | MINE | {"state": "CONFLICT"}
        await it.manager.start(takeover=True)
        await pass_time(25)
        assert (it.ends, it.alerts) == ([Reason.CONFLICT], [Reason.CONFLICT])
        assert "still open elsewhere" in it.moves[-1].detail


@virtual
async def test_use_here_during_an_attempt_takes_over_without_an_alert():
    async with account() as it:
        page = await it.opened(**LOADING, **MINE)
        assert not await it.manager.start(takeover=True)
        it.driver.first = lambda _: LOADING | MINE | {"state": "CONFLICT"}
        page.show(state="CONFLICT")
        await pass_time(20)
        assert (it.connection.state, it.alerts) == (State.CONNECTED, [])
        assert [each.takeover for each in it.driver.opened] == [False, True]


@pytest.mark.parametrize(
    ("status", "reason", "detail"),
    [
        (200, Reason.PAGE_UNKNOWN, "it says “Sign in to the guest network”: the page is none that we know"),
        (503, Reason.LAUNCH_FAILED, "the page answered HTTP 503: it says “Sign in to the guest network”"),
        ("?", Reason.PAGE_UNKNOWN, "it says “Sign in to the guest network”: the page is none that we know"),
    ],
)
@virtual
async def test_a_reload_to_what_is_not_known_is_told_with_what_it_says(status, reason, detail):
    async with account() as it:
        await it.connected()

        async def answer(*_: object) -> dict[str, Any]:
            return {"result": {"value": status}}

        it.session._cdp.send = answer
        it.session.navigate("", {"dialog": {"words": "Sign in to the guest network", "known": False, "locked": False}})
        await pass_time(45)
        ended = next(each for each in it.moves if each.state is State.ERROR)
        assert (ended.reason, ended.detail) == (reason, detail)


@virtual
async def test_a_host_that_sends_no_page_at_all_is_told_as_that(monkeypatch):
    """HTTP 204: the browser goes nowhere."""

    async def stay(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(PretendSession, "_goto", stay)
    async with account() as it:
        await it.manager.start()
        await pass_time(40)
        ended = next(each for each in it.moves if each.state is State.ERROR)
        assert (ended.reason, ended.detail) == (Reason.PAGE_UNKNOWN, "its host sent no page")


@virtual
async def test_a_fresh_load_that_a_starved_browser_cannot_prepare_is_a_load_all_the_same(monkeypatch):
    async def hang(*_: object) -> None:
        await asyncio.sleep(3600)

    async with account() as it:
        await it.opened(**LOADING, **MINE)
        monkeypatch.setattr(Emitter, "send", hang)
        it.driver.first = lambda _: UP | MINE
        it.session.end(Ended(Reason.LAUNCH_FAILED, "it did not start"))
        await pass_time(15)
        assert it.driver.opened[-1].fresh
        assert it.connection.state is State.CONNECTED
