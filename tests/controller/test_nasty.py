"""Every nasty case of the real page as the product meets it: the manager on the real driver, in real Chromium.

Here is the stand-in with one switch turned; what is looked at is state, reason, what follows, alerts, attempts and
errors (L1 to L12). Each switch of the stand-in must have its test here.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.accounts.model import Stage
from controller.accounts.policy import Takeover
from controller.accounts.reasons import VERDICTS, Reason, State
from controller.chromium import session as session_module
from controller.chromium.page import questions
from sandbox.whatsapp import TABLE
from tests.controller import test_field
from tests.controller.nasty import MET, POLICY, STRANGER, WITHIN, A, B, C, World, a_world, meets
from tests.waiting import until

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(400)]


def test_every_switch_of_the_stand_in_is_met():
    assert {row.name for row in TABLE} - MET.keys() == set(), "a nasty case without a test"
    assert MET.keys() - {row.name for row in TABLE} == set(), "a test of a case that is gone"


@pytest.fixture(autouse=True)
def _soon_durable(monkeypatch):
    """Spare these tests the seconds until a link is on the disk: test_durable.py is about them."""

    async def at_once(*_: object) -> bool:
        return True

    monkeypatch.setattr(session_module, "until_durable", at_once)


@pytest.fixture
async def world(tmp_path, request) -> AsyncIterator[World]:
    """A world in which everything is well; a test that says which switches it turns must turn them."""
    async with a_world(tmp_path) as made:
        turned: set[str] = set()
        made.switches.watch(lambda name, _: turned.add(name))
        yield made
    claimed = {switch for switch, tests in MET.items() if request.function.__name__ in tests}
    assert claimed <= turned, "a test that claims a switch and never turns it"


# --- the page does not load -------------------------------------------------------------------------------------------


@meets("dns_gone")
async def test_dns_gone_is_a_lost_connection_then_a_failed_launch_and_mends_itself(world):
    account = await world.linked()
    world.switches.set("dns_gone", value=True)
    lost = await account.until_ended(Reason.CONNECTION_LOST)
    assert (lost.state, lost.attempts, lost.errors) == (State.DISCONNECTED, 0, 0)
    assert lost.detail.startswith("WhatsApp socket")
    failed = await account.until_ended(Reason.LAUNCH_FAILED)
    assert (failed.state, failed.attempts, failed.errors) == (State.ERROR, 1, 1)
    assert "DNS" in failed.detail
    world.switches.set("dns_gone", value=False)
    await account.until_connected(after=len(account.moves))
    assert account.alerts == []


async def test_a_host_without_an_address_trips_the_breaker_and_a_failed_trial_needs_a_person(tmp_path):
    rules = ("--host-resolver-rules=MAP web.whatsapp.com ~NOTFOUND",)
    async with a_world(tmp_path, page_url="https://web.whatsapp.com/", extra_args=rules) as world:
        account = world.account(breaker_threshold=2)
        await account.manager.start()
        tripped = await account.until_ended(Reason.BREAKER_OPEN)
        assert (tripped.state, tripped.cause, tripped.errors) == (State.SUSPENDED, Reason.LAUNCH_FAILED, 2)
        assert "DNS" in tripped.detail
        await account.until_ended(Reason.TRIAL_FAILED)
        assert account.alerts == [Reason.BREAKER_OPEN, Reason.TRIAL_FAILED]
        await account.rests()


@meets("http_error")
async def test_http_500_is_an_error_each_time_until_the_breaker_trips_and_the_trial_closes_it(world):
    world.switches.set("http_error", 500)
    account = world.account(breaker_threshold=3, delays=(0.05,))
    await account.manager.start()
    await account.until_ended(Reason.BREAKER_OPEN)
    assert account.ends() == [(State.ERROR, Reason.LAUNCH_FAILED)] * 2 + [(State.SUSPENDED, Reason.BREAKER_OPEN)]
    assert "HTTP 500" in account.moves[-1].detail
    assert account.alerts == [Reason.BREAKER_OPEN]
    world.switches.set("http_error", 0)
    await world.scan(account)  # the one trial
    await account.until_connected()
    assert account.connection.breaker == "closed"


@meets("slow_load")
async def test_a_slow_load_is_waited_for(world):
    world.switches.set("slow_load", 4)
    account = await world.linked()
    assert account.ends() == []
    assert await account.counters() == (0, 0)


@meets("endless_load")
async def test_a_load_that_never_ends_is_ended_by_its_deadline(world):
    world.switches.set("endless_load", value=True)
    account = world.account(connect_timeout=6)
    await account.manager.start()
    ended = await account.until_ended(Reason.DEADLINE)
    assert (ended.state, ended.errors) == (State.ERROR, 1)
    world.switches.set("endless_load", value=False)
    await world.scan(account)
    await account.until_connected()
    assert account.alerts == []


@meets("freeze")
async def test_a_page_that_stands_still_is_ended_once_two_probes_had_no_answer(world):
    account = await world.linked(probe_timeout=0.5)
    world.switches.set("freeze", 60)
    world.switches.set("freeze", 0)  # the pages that come go on
    ended = await account.until_ended(Reason.UNRESPONSIVE)
    assert (ended.state, ended.detail) == (State.DISCONNECTED, "page script: no answer in 0.5 s")
    await account.until_connected(after=len(account.moves))
    assert account.alerts == []


@meets("page_crash")
async def test_a_page_that_crashes_is_an_error_before_it_is_connected_and_a_loss_afterwards(world):
    world.switches.set("page_crash", 0.2)
    account = world.account()
    await account.manager.start()
    crashed = await account.until_ended(Reason.SESSION_CLOSED)
    assert (crashed.state, crashed.errors, crashed.detail) == (State.ERROR, 1, "the page crashed")
    world.switches.set("page_crash", 0)
    await world.scan(account)
    await account.until_connected()
    count = len(account.moves)
    world.phones.crash(A)
    lost = await account.until_ended(Reason.SESSION_CLOSED, count)
    assert (lost.state, lost.errors) == (State.DISCONNECTED, 1)
    await account.until_connected(after=count + 1)
    assert account.alerts == []


# --- builds of the page -----------------------------------------------------------------------------------------------


@meets("unknown_build")
async def test_a_page_of_an_unknown_build_is_an_error_with_a_picture_and_the_dom_alone_will_do(tmp_path):
    async with a_world(tmp_path, settle=3.0) as world:
        world.switches.set("unknown_build", "all")
        account = world.account()
        await account.manager.start()
        unknown = await account.until_ended(Reason.PAGE_UNKNOWN)
        assert (unknown.state, unknown.errors, unknown.alert) == (State.ERROR, 1, Reason.PAGE_UNKNOWN)
        assert unknown.picture is not None
        assert unknown.picture.startswith(b"\x89PNG")
        world.switches.set("unknown_build", "modules")
        await world.scan(account)
        await account.until_connected()
        assert account.alerts == [Reason.PAGE_UNKNOWN, Reason.WATCHED_IN_PART], "each told once"


@meets("debug_never", "synced_early", "qr_prefix", "qr_suffix", "no_csp", "iframes")
async def test_builds_that_differ_in_small_things_are_linked_restored_and_kept(world):
    for switch in ("debug_never", "synced_early", "qr_prefix", "qr_suffix", "no_csp", "iframes"):
        world.switches.set(switch, value=True)
    account = await world.linked()
    await world.reopen(account)
    await account.until_connected(after=len(account.moves))
    await asyncio.sleep(1.5)  # time for frames to come and go, and for health checks
    assert account.connection.state is State.CONNECTED
    assert account.ends() == [(State.SUSPENDED, Reason.SUSPENDED_BY_OPERATOR)]
    assert len(set(account.codes)) == 1, "a restored session shows no code"
    assert account.alerts == []


@meets("refresh_qr")
async def test_after_six_codes_new_ones_come_whatever_way_this_build_has(tmp_path):
    async with a_world(tmp_path, timings={"first_ref": 0.6, "next_ref": 0.3}) as world:
        for number, way in ((A, "cmd"), (B, "launch"), (C, "button")):
            world.switches.set("refresh_qr", way)
            account = world.account(number)
            await account.manager.start()
            await account.until(lambda account=account: account.codes)  # it has loaded with this switch
        for account in world.accounts:
            await account.until(lambda account=account: len(account.codes) > 7)
            assert len(set(account.codes)) == len(account.codes), "a code was shown twice"
            await world.scan(account)
            await account.until_connected()
            assert account.ends() == []


async def test_codes_that_nobody_scans_end_the_attempt_which_is_no_error(world):
    account = world.account(qr_timeout=1)
    await account.manager.start()
    expired = await account.until_ended(Reason.QR_EXPIRED)
    assert (expired.state, expired.errors) == (State.DISCONNECTED, 0)
    await account.until(lambda: len(set(account.codes)) > 1)
    assert account.connection.attempts == 1
    assert account.alerts == []


# --- the socket -------------------------------------------------------------------------------------------------------


@meets("opening_forever")
async def test_opening_for_ever_is_seen_behind_the_chat_list(world):
    account = await world.linked(sync_timeout=3)
    world.switches.set("opening_forever", value=True)
    lost = await account.until_ended(Reason.CONNECTION_LOST)
    assert (lost.state, lost.errors) == (State.DISCONNECTED, 0)
    assert lost.detail == "WhatsApp socket: it is OPENING"
    stuck = await account.until_ended(Reason.DEADLINE)  # restored, with its chats, and no socket: L7
    assert (stuck.state, stuck.errors) == (State.ERROR, 1)
    assert Stage.SYNCING in stuck.detail
    world.switches.set("opening_forever", value=False)
    await account.until_connected(after=len(account.moves))
    assert account.alerts == []


@meets("silence")
async def test_a_silent_server_behind_an_open_socket_makes_the_session_stale(tmp_path):
    # No ping of the page's own would notice: only the unanswered heartbeat does (L9, L10).
    async with a_world(tmp_path, timings={"ping_every": 600}) as world:
        quiet, healthy = await asyncio.gather(world.linked(A, stale_after=6), world.linked(B, stale_after=6))
        world.phones.silence(A)
        stale = await quiet.until_ended(Reason.STALE)
        assert (stale.state, stale.errors, stale.alert) == (State.DISCONNECTED, 0, None)
        world.phones.silence(A, on=False)
        await quiet.until_connected(after=len(quiet.moves))
        asked = lambda: next(each["queries"] for each in world.phones.devices() if each["number"] == A)
        before = asked()
        await quiet.until(lambda: asked() > before + 1)  # the one before was answered
        assert healthy.ends() == [], "a quiet account whose questions are answered is left alone"
        assert world.phones.devices()[0]["presences"] == 0
        world.switches.set("silence", value=True)
        await asyncio.gather(*(each.until_ended(Reason.STALE, len(each.moves)) for each in (quiet, healthy)))


@meets("no_exists_query")
async def test_where_the_server_cannot_be_asked_a_live_socket_keeps_it_from_going_stale(world):
    world.switches.set("no_exists_query", value=True)
    account = await world.linked(stale_after=6)
    await asyncio.sleep(7)  # longer than the stale limit, which is longer than a busy machine stands still
    assert account.connection.state is State.CONNECTED
    assert world.phones.devices()[0]["queries"] == 0


async def test_a_reload_is_a_new_document_of_the_same_session_whatever_its_address_says(world):
    reloaded, misled = await asyncio.gather(world.linked(A), world.linked(B))
    world.phones.reload(A)
    world.phones.reload(B, post_logout=True)  # and nobody was logged out
    for account in (reloaded, misled):
        await account.until(lambda account=account: account.moves[-2].reason is Reason.RELOADED)
        await account.until_connected()
        assert account.ends() == []
        assert account.alerts == []
        assert account.connection.attempts == 0


# --- what WhatsApp or a person decides --------------------------------------------------------------------------------


@meets("refuse_restore")
async def test_a_restored_session_that_is_refused_is_a_logout_and_the_next_start_shows_a_code(world):
    account = await world.linked()
    world.switches.set("refuse_restore", value=True)
    await world.reopen(account)
    ended = await account.until_ended(Reason.LOGGED_OUT)
    assert (ended.state, ended.alert, ended.linked) == (State.DISCONNECTED, Reason.LOGGED_OUT, False)
    await account.rests()
    world.switches.set("refuse_restore", value=False)
    codes = len(account.codes)
    await account.manager.start()
    await account.until(lambda: len(account.codes) > codes)
    await world.scan(account)
    await account.until_connected()


@meets("quiet_logout")
async def test_a_logout_is_known_by_the_address_alone_and_is_not_tried_again(world):
    world.switches.set("quiet_logout", value=True)
    account = await world.linked()
    world.phones.logout(A)
    ended = await account.until_ended(Reason.LOGGED_OUT)
    assert (ended.state, ended.attempts, ended.alert) == (State.DISCONNECTED, 0, Reason.LOGGED_OUT)
    await account.rests()


@meets("ban")
async def test_a_temporary_ban_rests_until_its_end_and_then_tries_once(world):
    account = await world.linked()
    began = datetime.now(UTC)
    world.switches.set("ban", 5)
    banned = await account.until_ended(Reason.BANNED)
    assert (banned.state, banned.alert) == (State.SUSPENDED, Reason.BANNED)
    assert banned.block_ends_at is not None
    block = timedelta(seconds=5)
    told_in = timedelta(seconds=1)  # whole seconds
    assert began + block - told_in <= banned.block_ends_at <= banned.at + block + told_in, "counted by the page"
    world.switches.set("ban", 0)
    await account.until_connected(after=len(account.moves))
    trial = account.moves[-2]
    assert trial.reason is Reason.TRIAL
    assert trial.at >= banned.block_ends_at == banned.next_retry_at
    assert account.alerts == [Reason.BANNED]


async def test_terms_of_service_and_address_blocks_need_a_person(world):
    accounts = await asyncio.gather(*map(world.linked, (A, B, C)))
    for account, state in zip(accounts, ("TOS_BLOCK", "SMB_TOS_BLOCK", "PROXYBLOCK"), strict=True):
        world.phones.state(state, number=account.number)
    for account in accounts:
        banned = await account.until_ended(Reason.BANNED)
        assert (banned.state, banned.alert, banned.block_ends_at) == (State.SUSPENDED, Reason.BANNED, None)
    await asyncio.gather(*(account.rests() for account in accounts))


@meets("outdated")
async def test_a_version_too_old_gets_one_fresh_page_at_once_and_then_the_backoff(world):
    account = await world.linked(sync_timeout=15.0)  # longer than an end has to stand until it is believed
    world.switches.set("outdated", value=True)
    await account.until(lambda: account.ends().count((State.DISCONNECTED, Reason.OUTDATED)) == 3)
    first, second, third = (m for m in account.moves if m.reason is Reason.OUTDATED)
    waits = [(m.next_retry_at - m.at).total_seconds() for m in (first, second, third) if m.next_retry_at]
    assert waits == [0, POLICY.delays[0], POLICY.delays[1]]
    assert third.errors == 0
    world.switches.set("outdated", value=False)
    await account.until_connected(after=len(account.moves))
    assert len(set(account.codes)) == 1, "a fresh page keeps its keys"


@meets("passkey")
@pytest.mark.parametrize("real_origin", [False, True], ids=["loopback", "real origin"])
async def test_a_passkey_is_told_and_waited_for(tmp_path, real_origin):
    # Only on its own origin does a whole Chromium let the request pend; elsewhere it is refused, and the page waits on.
    async with a_world(tmp_path, tls=real_origin) as world:
        world.switches.set("passkey", value=True)
        account = world.account()
        await account.manager.start()
        await world.scan(account)
        await account.until(lambda: account.connection.stage is Stage.PASSKEY)
        assert account.alerts == [Reason.PASSKEY]
        await asyncio.sleep(0.5)
        world.phones.passkey(A, "approve")
        await account.until_connected()
        assert account.ends() == []


async def test_a_passkey_that_nobody_gives_ends_by_its_own_deadline(world):
    account = world.account(passkey_timeout=1.5)
    world.phones.passkey(A, "require")
    await account.manager.start()
    await world.scan(account)
    ended = await account.until_ended(Reason.DEADLINE)
    assert (ended.state, ended.errors) == (State.ERROR, 1)
    assert Stage.PASSKEY in ended.detail


@meets("other_browser")
async def test_a_conflict_asks_is_taken_back_or_left_alone_as_the_setting_says(world, monkeypatch):
    monkeypatch.setattr(questions, "_GIVEN_BACK_SECONDS", 1.0)
    asks, always, never = await asyncio.gather(
        world.linked(A),
        world.linked(B, takeover=Takeover.ALWAYS),
        world.linked(C, takeover=Takeover.NEVER),
    )
    for account in (asks, always, never):
        world.phones.conflict(account.number)
    for account, reason in ((asks, Reason.CONFLICT), (never, Reason.CONFLICT_LEFT)):
        ended = await account.until_ended(reason)
        assert (ended.state, ended.alert) == (State.DISCONNECTED, reason)
    await always.until_ended(Reason.CONFLICT)
    await always.until_connected(after=len(always.moves))
    assert always.alerts == []
    await asyncio.gather(asks.rests(), never.rests())
    world.switches.set("other_browser", "holds_on")
    count = len(asks.moves)
    assert await asks.manager.start(takeover=True)  # "Use here"
    ended = await asks.until_ended(Reason.CONFLICT, after=count)
    assert (ended.alert, "still open elsewhere" in ended.detail) == (Reason.CONFLICT, True)
    world.switches.set("other_browser", "lets_go")
    count = len(asks.moves)
    assert await asks.manager.start(takeover=True)
    await asks.until_connected(after=count)


async def test_another_number_is_logged_out_again_and_told_masked(world):
    account = world.account()
    await account.manager.start()
    await world.scan(account, STRANGER)
    await account.until(lambda: account.moves[-1].state is State.DISCONNECTED)
    ended = account.moves[-1]
    assert ended.reason is Reason.WRONG_NUMBER
    assert (ended.state, ended.alert, ended.linked) == (State.DISCONNECTED, Reason.WRONG_NUMBER, False)
    assert STRANGER not in ended.detail
    assert "9999" in ended.detail
    await account.until(lambda: world.phones.devices() == [])
    await account.rests()


async def test_an_id_without_brazils_ninth_digit_is_the_accounts_own(world):
    account = world.account("+5531988887777")
    await account.manager.start()
    await world.scan(account, "+553188887777")
    await account.until_connected()
    await world.reopen(account)
    await account.until_connected(after=len(account.moves))
    assert Reason.WRONG_NUMBER not in [reason for _, reason in account.ends()]
    assert len(world.phones.devices()) == 1


# --- what a page takes ------------------------------------------------------------------------------------------------


@meets("memory_growth")
async def test_a_page_that_grows_is_measured_and_recycled_without_an_alert(world):
    # What it shares with another test's browser is counted by halves (PSS), and alone when that one ends: ~100 MiB.
    shared = 150 << 20
    account = await world.linked()
    before = await account.manager.usage()
    assert before is not None
    world.switches.set("memory_growth", 80)

    async def grown() -> bool:
        usage = await account.manager.usage()
        return usage is not None and usage.memory > before.memory + 2 * shared

    await until(grown, "300 MiB more", WITHIN)
    assert account.connection.state is State.CONNECTED, "it goes on working meanwhile"
    world.switches.set("memory_growth", 0)
    count = len(account.moves)
    account.manager.recycle("its browser used too much")
    await account.until_connected(after=count)
    after = await account.manager.usage()
    assert after is not None
    assert after.memory < before.memory + shared
    assert account.moves[count].reason is Reason.RECYCLED
    assert account.alerts == []


def test_each_reason_that_a_page_can_give_is_looked_at_here():
    both = Path(__file__).read_text(encoding="utf-8") + Path(test_field.__file__).read_text(encoding="utf-8")
    looked_at = set(re.findall(r"Reason\.([A-Z_]+)", both))
    elsewhere = {
        "PROFILE_IN_USE",
        "RESTORE_FAILED",
        "UNKNOWN",
        "ARCHIVE_OUTDATED",
    }  # chromium/test_chaos.py, test_manager.py, chromium/test_archived_driver.py
    elsewhere |= {
        "PAGE_MISBEHAVES",
        "NOT_LINKED",
        "CONFLICT_LEFT",
        "NAVIGATED",
    } - looked_at  # accounts/lifecycle, chromium/test_fence.py
    assert {reason.name for reason in VERDICTS} - looked_at == elsewhere
