"""What people have reported of the page in the world (K1 to K13), as the product meets it: real driver, real Chromium.

As in `test_nasty`, one switch of the stand-in is turned, and what is looked at is what people would be told.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from controller.accounts.model import Stage
from controller.accounts.policy import Dialogs
from controller.accounts.reasons import Reason, State
from controller.chromium import Bounds
from controller.chromium import session as session_module
from controller.chromium.page import channel as channel_module
from controller.chromium.page import questions, script
from controller.chromium.page import reader as reader_module
from controller.chromium.process import driver_flood, endless_loop
from controller.network.reach import Reach
from tests.controller.nasty import MET, STRANGER, A, Account, B, World, a_world, meets, side_by_side
from tests.waiting import until

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(400)]
ARGENTINA = "+541123456789"


@pytest.fixture(autouse=True)
def _soon_durable(monkeypatch):
    async def at_once(*_: object) -> bool:
        return True

    monkeypatch.setattr(session_module, "until_durable", at_once)
    monkeypatch.setattr(reader_module, "ONE_SIGN_AFTER", 0.5)  # the policy's own durations are short here
    monkeypatch.setattr(session_module, "ONE_SIGN_AFTER", 0.5)


@pytest.fixture
async def world(tmp_path, request) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        turned: set[str] = set()
        made.switches.watch(lambda name, _: turned.add(name))
        yield made
    claimed = {switch for switch, tests in MET.items() if request.function.__name__ in tests}
    assert claimed <= turned, "a test that claims a switch and never turns it"


async def reopened(world, account) -> None:
    """The next load is that of a saved session, felt by the switches of the next load."""
    count = len(account.moves)
    await world.reopen(account)
    await account.until(lambda: len(account.moves) > count + 1)


async def restored(world, account) -> None:
    await reopened(world, account)
    await account.until_connected()


# --- K1: documents ----------------------------------------------------------------------------------------------------


@meets("reload_once", "reload_after_link")
async def test_a_page_that_reloads_itself_once_is_read_anew_in_the_same_browser(world):
    world.switches.set("reload_after_link", 1)
    account = await world.linked()
    await account.until(lambda: any(each.reason is Reason.RELOADED for each in account.moves))
    await account.until_connected()
    world.switches.set("reload_once", 1.5)
    await restored(world, account)
    count = len(account.moves)
    await account.until(lambda: any(each.reason is Reason.RELOADED for each in account.moves[count - 2 :]))
    await account.until_connected()
    assert {state for state, _ in account.ends()} == {State.SUSPENDED}, "by the operator's own word"
    assert account.alerts == []
    assert account.connection.attempts == 0


@meets("reload_every")
async def test_a_page_that_reloads_itself_again_and_again_is_ended_in_those_words(world):
    account = await world.linked()
    world.switches.set("reload_every", 1.5)
    await reopened(world, account)
    ended = await account.until_ended(Reason.RELOADS_ITSELF)
    assert "3 times" in ended.detail


@meets("stale_worker")
async def test_a_stale_worker_is_bypassed_by_the_launch_after_the_one_that_came_to_nothing(tmp_path):
    async with a_world(tmp_path, connect_timeout=8.0) as world:
        world.switches.set("stale_worker", value=True)
        account = await world.linked(connect_timeout=8)
        await world.driver.opened[A]._evaluate("() => navigator.serviceWorker.ready.then(() => true)", None)
        world.switches.set("stale_worker", value=False)
        await reopened(world, account)
        await account.until_connected(after=len(account.moves))
        assert [reason for _, reason in account.ends()][-1] in {Reason.DEADLINE, Reason.PAGE_UNKNOWN}
        await restored(world, account)
        assert account.alerts in ([], [Reason.PAGE_UNKNOWN]), "and the worker is gone for good"


# --- K2: the connection -----------------------------------------------------------------------------------------------


@meets("dead_socket", "stream", "stream_mode", "display_info")
async def test_what_the_page_says_against_its_connection_is_heard(world):
    account = await world.linked()
    for switch, value in (
        ("dead_socket", "told"),
        ("stream", "DISCONNECTED"),
        ("stream_mode", "OFFLINE"),
        ("stream_mode", "QR"),
        ("display_info", "OPENING"),
    ):
        count = len(account.moves)
        world.switches.set(switch, value)
        lost = await account.until_ended(Reason.CONNECTION_LOST, after=count)
        assert lost.detail.startswith("WhatsApp socket"), (switch, value)
        world.switches.reset()
        await account.until_connected(after=len(account.moves))


@meets("lid_only", "dead_socket")
async def test_a_dead_connection_that_nothing_tells_of_is_known_by_its_silence(world, monkeypatch):
    monkeypatch.setattr(script, "SILENT_AFTER", 6.0)  # the page pings its server each second here
    monkeypatch.setattr(questions, "SERVER_SECONDS", 1.0)
    world.switches.set("lid_only", value=True)
    account = await world.linked()
    await until(lambda: world.driver.opened[A].heartbeat(ask=True), "its server is asked by the LID, and answers")
    await asyncio.sleep(6.5)
    assert account.ends() == []
    assert account.connection.identified is None
    world.switches.set("dead_socket", "untold")
    lost = await account.until_ended(Reason.CONNECTION_LOST)
    assert "its server does not answer" in lost.detail


@meets("own_query")
async def test_no_answer_is_no_sign_of_life(tmp_path):
    async def one(tmp_path, value):
        async with a_world(tmp_path) as world:
            account = await world.linked(stale_after=3)
            world.switches.set("own_query", value)
            await account.until_ended(Reason.STALE)

    await side_by_side(tmp_path, one, ["null", "error", "never"])


# --- K3, K4: whose account --------------------------------------------------------------------------------------------


@meets("number_from", "late_number", "plain_logout")
async def test_another_number_is_noticed_wherever_and_whenever_it_is_told(tmp_path):
    async def one(tmp_path, place):
        async with a_world(tmp_path) as world:
            world.switches.set("number_from", place)
            world.switches.set("late_number", 12)
            world.switches.set("plain_logout", value=place == "conn")
            account = world.account()
            await account.manager.start()
            await world.scan(account, STRANGER)
            await account.until_connected()
            assert account.connection.identified is None
            await account.until(lambda: account.moves[-1].state is State.DISCONNECTED)
            assert account.moves[-1].reason is Reason.WRONG_NUMBER
            assert world.phones.devices() == []

    await side_by_side(tmp_path, one, ["me_user", "conn", "last_wid"])


@meets("keys_hang")
async def test_a_code_whose_parts_cannot_be_had_is_read_where_it_is_drawn(world):
    world.switches.set("keys_hang", value=True)
    account = await world.linked()
    assert account.ends() == []


@meets("trunk_digit")
async def test_a_trunk_digit_more_or_less_logs_nobody_out(world):
    world.switches.set("trunk_digit", value=True)
    account = world.account(ARGENTINA)
    await account.manager.start()
    await world.scan(account)
    await account.until_connected()
    await asyncio.sleep(1)  # for the number to be looked at
    assert len(world.phones.devices()) == 1
    assert Reason.WRONG_NUMBER not in account.alerts


@meets("logout_fails")
async def test_a_stranger_that_cannot_be_logged_out_is_not_said_to_be(tmp_path):
    async def one(tmp_path, how):
        async with a_world(tmp_path) as world:
            world.switches.set("logout_fails", how)
            account = world.account(log_out_timeout=4)
            await account.manager.start()
            await world.scan(account, STRANGER)
            await account.until(lambda: account.moves[-1].state is State.DISCONNECTED)
            assert account.moves[-1].reason is Reason.WRONG_NUMBER_STAYS
            assert len(world.phones.devices()) == 1
            world.switches.set("logout_fails", "off")
            codes = len(account.codes)
            await account.manager.start()
            await account.until(lambda: len(account.codes) > codes)  # and not the stranger's session
            await world.scan(account)
            await account.until_connected()

    await side_by_side(tmp_path, one, ["throws", "hangs", "ignored"])


# --- K5, K6: progress and readiness -----------------------------------------------------------------------------------


@meets("slow_sync", "progress_in", "stuck_at_99")
async def test_a_history_that_moves_is_waited_for_wherever_that_can_be_read(tmp_path):
    async def one(tmp_path, place):
        async with a_world(tmp_path) as world:
            world.switches.set("slow_sync", 9)
            world.switches.set("progress_in", place)
            if place == "history":
                world.switches.set("stuck_at_99", value=True)
            account = await world.linked(sync_timeout=7)
            assert account.ends() == []

    await side_by_side(tmp_path, one, ["history", "offline", "bar"])


@meets("sync_pause")
async def test_a_history_that_stops_moving_is_ended_by_the_time_since_it_moved(world):
    account = await world.linked(sync_timeout=3)
    world.switches.set("sync_pause", 8)
    world.switches.set("slow_sync", 2)
    await reopened(world, account)
    await account.until(lambda: account.connection.percent == 50)
    (page,) = world.stand_in.hub.pages_of(account.number)
    page.reset()
    await account.until(lambda: [each for each in world.stand_in.hub.pages_of(account.number) if each is not page])
    seen = set()
    await account.until(lambda: seen.add(account.connection.percent) or account.moves[-1].reason is Reason.DEADLINE)
    assert seen <= {50, None}, "another socket does not load anew what is loaded"
    assert Stage.SYNCING in account.moves[-1].detail


@meets("never_synced", "missing_module")
async def test_two_signs_that_agree_are_enough_without_the_flag(world):
    world.switches.set("never_synced", value=True)
    account = await world.linked()
    assert account.ends() == []
    world.switches.set("missing_module", "WAWebStreamModel")  # then the server is the second sign
    await restored(world, account)
    assert not account.connection.partial


@meets("slow_bundle")
async def test_a_page_whose_scripts_come_one_by_one_lacks_nothing(world):
    world.switches.set("slow_bundle", 0.15)
    account = await world.linked()
    assert account.connection.build
    assert account.connection.missing == frozenset()


@meets("missing_module", "no_init_conn", "build")
async def test_a_build_of_which_a_part_is_missing_is_recorded_and_kept(world):
    world.switches.set("build", 1042652105)
    world.switches.set("no_init_conn", value=True)
    world.switches.set("missing_module", "WAWebSocketModel")
    account = await world.linked(stale_after=6)
    await account.until(lambda: account.connection.build == "2.3000.1042652105")
    assert "socket" in account.connection.missing
    assert account.connection.partial
    await asyncio.sleep(7)
    assert account.connection.state is State.CONNECTED


# --- K7, K10, K11, K12 ------------------------------------------------------------------------------------------------


@meets("dialog", "dialog_in")
async def test_a_dialog_that_blocks_is_offered_and_continued(world):
    account = await world.linked(connect_timeout=12, sync_timeout=12)
    world.switches.set("dialog", "whats_new_blocks")
    world.switches.set("dialog_in", "shadow")
    await reopened(world, account)
    await account.until(lambda: Reason.DIALOG in account.alerts)
    assert "What's new" in account.connection.dialog.words
    assert await account.manager.answer_dialog()
    await account.until_connected()

    world.switches.set("dialog", "unknown_blocks")
    world.switches.set("dialog_in", "frame")
    await reopened(world, account)
    ended = await account.until_ended(Reason.DEADLINE)
    assert "Review your account settings" in ended.detail


HIDDEN = """() => {
  const style = '<style>.asks { display: none } .asked .asks { display: block }</style>';
  const box = '<div class=asks role=dialog style="position: fixed; inset: 0">';
  const inner = '<h1>Terms</h1><button>Later</button><button>Agree</button>';
  document.body.insertAdjacentHTML('beforeend', `${style}${box}${inner}</div>`);
  setTimeout(() => (document.body.className = 'asked'), 1000);
}"""


async def test_dialogs_are_seen_when_they_become_visible(tmp_path, monkeypatch):
    """Not when the page is next polled: fading in, in a closed shadow root that was there before, or by a class."""

    def without_polls(*told: str) -> str:
        source = script.watcher(*told)
        for before, after in (("SLOW_READ_MS = 7000", "SLOW_READ_MS = 7e8"), ("[1000, 2500]", "[]"),
                              ("BUILD_MS = 3000", "BUILD_MS = 0")):  # fmt: skip
            assert before in source
            source = source.replace(before, after)
        return source

    monkeypatch.setattr(channel_module, "watcher", without_polls)
    async with a_world(tmp_path) as world:
        account = await world.linked(dialogs=Dialogs.CONTINUE)
        world.switches.set("dialog_in", "old_shadow")
        world.switches.set("dialog", "whats_new_blocks")
        await restored(world, account)
        assert account.alerts == []  # it was continued without a person
        await asyncio.sleep(1.5)  # until the page is quiet
        world.switches.set("dialog", "whats_new_stuck")
        await account.until(lambda: account.alerts == [Reason.DIALOG])  # it could not be pressed

        world.switches.set("dialog", "off")
        await account.until(lambda: account.connection.dialog is None)
        await world.driver.opened[account.number].channel.evaluate(HIDDEN, None)
        await account.until(lambda: account.connection.dialog is not None)
        assert account.connection.dialog.words == "Terms · Later · Agree"


@meets("screen_lock")
async def test_the_pages_own_lock_is_told_as_what_it_is(world):
    account = await world.linked()
    world.switches.set("screen_lock", value=True)
    await reopened(world, account)
    ended = await account.until_ended(Reason.SCREEN_LOCKED)
    assert "locked" in ended.detail


@pytest.mark.parametrize("stages", [("launching", "restored"), ("syncing", "connected", "unseen")])
@meets("passkey_at", "conditional_webauthn")
async def test_a_passkey_is_noticed_in_every_stage(tmp_path, stages):
    async def one(tmp_path, stage):
        async with a_world(tmp_path) as world:
            world.switches.set("conditional_webauthn", value=True)
            account = await world.linked(sync_timeout=3)
            assert Reason.PASSKEY not in account.alerts, "a conditional request asks nobody"
            world.switches.set("passkey_at", stage)
            await reopened(world, account)
            await account.until(lambda: account.connection.stage is Stage.PASSKEY)
            assert Reason.PASSKEY in account.alerts
            if stage == "unseen":  # nobody can answer it, and nothing waits for that
                await account.until_connected(after=len(account.moves))
                return
            await asyncio.sleep(4)  # no stage's own deadline ends it
            assert account.connection.stage is Stage.PASSKEY
            world.phones.passkey(A, "approve")
            await account.until_connected()

    await side_by_side(tmp_path, one, stages)


async def test_a_log_out_is_told_with_its_meaning(world):
    meanings = {
        "3": Reason.ACCOUNT_LOCKED,
        "account_locked": Reason.ACCOUNT_LOCKED,
        "1": Reason.SYNC_FAILED,
        "storage_quota_exceeded": Reason.STORAGE_FULL,
        "user_initiated": Reason.LOGGED_OUT,
    }
    accounts = await asyncio.gather(*(world.linked(f"+491511234568{place}") for place in range(len(meanings))))
    for account, reason in zip(accounts, meanings, strict=True):
        world.phones.logout(account.number, reason)
    for account, meant in zip(accounts, meanings.values(), strict=True):
        await account.until_ended(meant)


@pytest.mark.parametrize(
    "sights", [("UNPAIRED", "CONFLICT", "TOS_BLOCK"), ("DEPRECATED_VERSION", "logout", "blank", "number")]
)
@meets("brief_sight")
async def test_a_glimpse_ends_nothing(tmp_path, sights):
    async def one(tmp_path, sight):
        async with a_world(tmp_path) as world:
            account = await world.linked()
            world.switches.set("brief_sight", sight)  # over the open page
            await asyncio.sleep(4.5)  # longer than a sight must stand
            assert account.connection.state is State.CONNECTED
            await restored(world, account)  # and before the session is taken up
            await asyncio.sleep(2)
            assert {state for state, _ in account.ends()} == {State.SUSPENDED}
            assert account.alerts == []
            assert len(world.phones.devices()) == 1

    await side_by_side(tmp_path, one, sights)


# --- a hostile page ---------------------------------------------------------------------------------------------------


HARMLESS = (
    ("reports", "forged", "errors", "console"),
    ("popups", "downloads", "permissions", "protocols", "prompts"),
    ("alerts", "addresses", "titles", "data"),
    ("requests", "elements", "unload", "sandboxed", "unguarded"),
)
"""Harms that are refused, or do nothing to anybody else; several at once, since each goes on for ever."""
HARMS_ENDED = {
    "frames": Reason.PAGE_MISBEHAVES,
    "memory": Reason.PAGE_MISBEHAVES,
    "worker_memory": Reason.PAGE_MISBEHAVES,
    "busy": Reason.PAGE_MISBEHAVES,
    "workers": Reason.PAGE_MISBEHAVES,
    "sockets": Reason.PAGE_MISBEHAVES,
    "answers": Reason.UNRESPONSIVE,
    "refresh": Reason.NAVIGATED,
    "blob": Reason.NAVIGATED,
}


@asynccontextmanager
async def one_hostile(tmp_path) -> AsyncIterator[tuple[World, Account]]:
    """A good account, and one whose page turns hostile; nothing else loads meanwhile."""
    bounds = Bounds(memory=800 << 20, disk=200 << 20)
    async with a_world(tmp_path, bounds=bounds) as world:
        bad, good = await world.linked(A), await world.linked(B)
        world.switches.set("no_csp", value=True)  # frames are to be refused by us, and not by the page's own rules
        await restored(world, bad)
        yield world, bad
        assert good.connection.state is State.CONNECTED
        assert good.ends() == []
        assert good.alerts == []


@meets("no_csp")
async def test_a_hostile_page_harms_nobody_else(tmp_path):
    async with one_hostile(tmp_path) as (world, bad):
        for harms in HARMLESS:
            for harm in harms:
                world.phones.harm(harm, A)
            await asyncio.sleep(3)
            used = await bad.manager.usage()
            assert used.processes < 20, harms
            await restored(world, bad)
        assert {reason for _, reason in bad.ends()} == {Reason.SUSPENDED_BY_OPERATOR}, (
            "what it may not do is refused, and nothing forged believed"
        )
        assert bad.alerts == []
    assert [path for path in tmp_path.rglob("*") if "gift" in path.name] == []


@meets("no_csp")
async def test_a_page_past_every_bound_is_ended_and_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setattr(endless_loop, "LONGEST_TASK", 2.0)  # of processor time, of which a busy machine has little
    monkeypatch.setattr(driver_flood, "LONGEST", 1.0)
    async with one_hostile(tmp_path) as (world, bad):
        for harm, reason in HARMS_ENDED.items():
            count = len(bad.moves)
            world.phones.harm(harm, A)
            await bad.until(lambda count=count: len(bad.moves) > count)
            assert bad.moves[count].reason is reason, harm
            await restored(world, bad)


@meets("hostile")
async def test_a_page_that_is_hostile_from_its_first_moment_is_ended_as_well(tmp_path):
    async with one_hostile(tmp_path) as (world, bad):
        world.switches.set("hostile", "frames")
        count = len(bad.moves)
        await world.reopen(bad)
        await bad.until_ended(Reason.PAGE_MISBEHAVES, after=count)


@meets("instead")
async def test_what_answers_in_whatsapp_s_place_is_told_as_such_and_tried_again(tmp_path):
    async with a_world(tmp_path, settle=3.0) as world:
        account = await world.linked(breaker_threshold=50, max_attempts=50)
        for value, reason, words in (
            ("portal", Reason.PAGE_UNKNOWN, "the page is none that we know"),
            ("elsewhere", Reason.PAGE_UNKNOWN, "127.0.0.1 led to http://localhost"),
            ("file", Reason.LAUNCH_FAILED, "its host sent a file instead"),
        ):
            world.switches.set("instead", value)
            count = len(account.moves)
            await world.reopen(account)
            ended = await account.until(
                lambda count=count: next((m for m in account.moves[count:] if m.state is State.ERROR), None)
            )
            assert (ended.reason, ended.detail.endswith(words)) == (reason, True), ended.detail
            world.switches.set("instead", "off")
            await account.until_connected(after=len(account.moves))


@meets("head_status", "only_browsers")
async def test_a_host_that_refuses_all_but_browsers_is_reached_all_the_same(world):
    world.switches.set("head_status", 501)
    world.switches.set("only_browsers", value=True)
    await Reach(world.stand_in.url)()
    account = await world.linked()
    assert account.ends() == []
