"""From the first code to the log-out, as reported by real Chromium."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.reasons import Reason
from controller.accounts.reports import (
    Authenticated,
    Code,
    Ended,
    Health,
    Heard,
    Identified,
    Layer,
    Loaded,
    PasskeyAsked,
    Ready,
    Reloaded,
    Scanned,
    SocketDown,
    Syncing,
)
from controller.chromium.profile.profile import Profile
from controller.chromium.session import ChromiumSession
from controller.driver import DriverError
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from tests.controller.chromium.conftest import ACCOUNT, SPEED, Rig, eventually, left_behind, until_health

pytestmark = [pytest.mark.chromium, pytest.mark.usefixtures("soon_durable")]

OTHER = "+491511234567"


@pytest.fixture
async def visible_sync(tmp_path: Path) -> AsyncIterator[tuple[Rig, WhatsAppStandIn]]:
    """A rig whose page syncs for as long as a real one at least: what is over within half a second is passed over."""
    timings = Timings().scaled(SPEED).with_given({"first_sync": 1.5, "sync": 1.5})
    async with WhatsAppStandIn(Options(timings=timings)) as stand_in:
        rig = Rig(tmp_path / "data", stand_in.url)
        try:
            yield rig, stand_in
        finally:
            for session in rig.sessions:
                await session.close()
            await rig.driver.stop()


async def test_a_link_and_its_restore_are_told_in_order(visible_sync: tuple[Rig, WhatsAppStandIn]) -> None:
    rig, stand_in = visible_sync
    session = await rig.linked(stand_in)
    kinds = [type(report) for report in rig.steps()]
    assert list(dict.fromkeys(kinds)) == [Code, Scanned, Authenticated, Syncing, Ready]
    assert next(r for r in rig.reports if isinstance(r, Authenticated)).number == ACCOUNT
    assert rig.steps()[-1] == Ready(ACCOUNT)
    await session.close()

    rig.reports.clear()
    await rig.open()
    await rig.seen(Ready)
    kinds = [type(report) for report in rig.steps()]
    assert list(dict.fromkeys(kinds)) == [Authenticated, Syncing, Ready]


async def test_what_a_profile_holds_is_looked_at_before_its_browser_writes_there(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_then: list[int] = []

    def look(profile: Profile) -> bool:
        open_then.append(len(rig.processes()))
        return False

    monkeypatch.setattr(Profile, "has_session", look)
    await rig.open()
    assert open_then == [0]


async def test_the_code_is_the_one_that_the_page_draws(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    await rig.open()
    code = await rig.seen(Code)
    drawn = await eventually(lambda: next((row for row in stand_in.phones.codes() if row.get("qr")), None))
    assert drawn["qr"] == code.text
    assert len(code.text.split(",")) == 5
    assert "undefined" not in code.text


async def test_after_the_last_ref_there_are_new_codes(tmp_path: Path) -> None:
    timings = Timings().scaled(SPEED).with_given({"first_ref": 0.5, "next_ref": 0.3})
    async with WhatsAppStandIn(Options(timings=timings, refs=2)) as stand_in:
        rig = Rig(tmp_path / "data", stand_in.url)
        for way in ("cmd", "launch", "button"):
            stand_in.switches.set("refresh_qr", way)
            rig.reports.clear()
            session = await rig.open()
            await eventually(lambda: len([r for r in rig.reports if isinstance(r, Code)]) >= 4)
            codes = [report.text for report in rig.reports if isinstance(report, Code)]
            assert len(set(codes)) == len(codes), "a dead code was shown again"
            await session.close()
        await rig.driver.stop()


async def test_a_healthy_session_answers(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    assert await session.probe() == Health()
    assert session.reached is Layer.SOCKET
    queries = stand_in.phones.devices()[0]["queries"]
    assert not await session.heartbeat(ask=False), "reading is no answer where the server can be asked"
    assert stand_in.phones.devices()[0]["queries"] == queries
    assert await session.heartbeat(ask=True)
    assert stand_in.phones.devices()[0]["queries"] == queries + 1
    assert stand_in.phones.devices()[0]["presences"] == 0
    await heard(rig, stand_in)


async def heard(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    """Let messages come until one is heard: a single one may meet a page whose collections are not attached yet."""
    for _ in range(20):
        stand_in.phones.message(ACCOUNT, "hello", OTHER)
        with contextlib.suppress(TimeoutError):
            await rig.seen(Heard, 3.0)
            return
    raise AssertionError("no message was heard")


async def test_where_the_server_cannot_be_asked_a_live_socket_is_the_answer(
    rig: Rig, stand_in: WhatsAppStandIn
) -> None:
    stand_in.switches.set("no_exists_query", value=True)
    session = await rig.linked(stand_in)
    assert await session.heartbeat(ask=False)
    assert await session.heartbeat(ask=True)


async def test_presence_is_sent_where_wanted(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    rig.make(presence=True)
    session = await rig.linked(stand_in)
    await session.heartbeat(ask=False)
    await eventually(lambda: stand_in.phones.devices()[0]["presences"] > 0)


@pytest.mark.timings(ping_timeout=2.0)
async def test_a_silent_server_does_not_answer_and_then_the_socket_fails(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    assert not [each for each in rig.reports if isinstance(each, SocketDown)]
    stand_in.switches.set("silence", value=True)
    asking = asyncio.create_task(session.heartbeat(ask=True))
    await rig.seen(SocketDown)
    health = await until_health(session, lambda health: health.failed is not None)
    assert health.failed is Layer.SOCKET
    assert not await session.heartbeat(ask=False)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        assert not await asking  # or never answered, which is the caller's deadline


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_log_out_on_the_phone(rig: Rig, stand_in: WhatsAppStandIn, quiet: bool) -> None:
    stand_in.switches.set("quiet_logout", value=quiet)
    await rig.linked(stand_in)
    stand_in.phones.logout(ACCOUNT)
    ended = await rig.seen(Ended)
    assert ended.reason is Reason.LOGGED_OUT
    assert ended.code == ("0" if quiet else "primary_initiated")


async def test_our_own_log_out(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    await asyncio.wait_for(session.log_out(), 60)
    assert stand_in.phones.devices() == []
    assert (await rig.seen(Ended)).reason is Reason.LOGGED_OUT


async def test_only_the_account_that_is_meant_is_logged_out(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    with pytest.raises(DriverError, match="any more"):
        await session.log_out("+4915119999999")
    assert len(stand_in.phones.devices()) == 1
    await asyncio.wait_for(session.log_out(stand_in.phones.devices()[0]["number"]), 60)
    assert stand_in.phones.devices() == []


async def test_a_refused_session_is_a_log_out(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    await session.close()
    rig.reports.clear()
    stand_in.switches.set("refuse_restore", value=True)
    await rig.open()
    assert (await rig.seen(Ended)).reason is Reason.LOGGED_OUT


async def test_a_conflict_is_told_and_taken_over_once_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timings = Timings().scaled(SPEED).with_given({"sync": 3.0})
    async with WhatsAppStandIn(Options(timings=timings)) as stand_in:
        rig = Rig(tmp_path / "data", stand_in.url)
        session = await rig.linked(stand_in)
        stand_in.phones.conflict(ACCOUNT)
        assert (await rig.seen(Ended)).reason is Reason.CONFLICT
        await session.close()

        rig.reports.clear()
        states: list[str] = []
        receive = ChromiumSession.receive

        def note(session: ChromiumSession, told: Any) -> None:
            states.append(told.get("state"))
            receive(session, told)

        monkeypatch.setattr(ChromiumSession, "receive", note)  # before it opens: it may be CONNECTED by then
        session = await rig.open(takeover=True)
        await eventually(lambda: "CONNECTED" in states)
        stand_in.phones.conflict(ACCOUNT)  # while it syncs: the other one has not let go yet
        await rig.seen(Ready)
        assert "CONFLICT" in states
        stand_in.phones.conflict(ACCOUNT)
        assert (await rig.seen(Ended)).reason is Reason.CONFLICT, "somebody is there again: it is theirs to say"
        await session.close()
        await rig.driver.stop()


async def test_a_ban_tells_its_end(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    await session.close()
    rig.reports.clear()
    stand_in.switches.set("ban", 3600)
    await rig.open()
    ended = await rig.seen(Ended)
    assert ended.reason is Reason.BANNED
    assert ended.block_ends_in == pytest.approx(3600, abs=30)


async def test_a_block_ends_the_session(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    await rig.linked(stand_in)
    stand_in.phones.state("TOS_BLOCK", number=ACCOUNT)
    ended = await rig.seen(Ended)
    assert (ended.reason, ended.block_ends_in) == (Reason.BANNED, None)


async def test_an_outdated_page(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("outdated", value=True)
    await rig.open()
    assert (await rig.seen(Ended)).reason is Reason.OUTDATED


async def test_a_reload_of_a_page_that_worked(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    await rig.linked(stand_in)
    seen = len(rig.reports)
    stand_in.phones.reload(ACCOUNT)
    await rig.seen(Ready, after=seen)
    await rig.seen(Loaded, after=seen)
    kinds = [type(report) for report in rig.steps(seen)]
    assert (kinds[0], kinds[-1]) == (Reloaded, Ready)
    assert Authenticated in kinds
    assert len(rig.processes()) == 1, "in the same browser"


async def test_frames_that_come_and_go_are_no_navigation(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("iframes", value=True)
    session = await rig.linked(stand_in)
    await session._evaluate("() => history.pushState({}, '', '/chat')", None)
    await asyncio.sleep(0.5)  # for frames to come and go: nothing is awaited that could be seen
    assert (await session.probe()).failed is None
    assert not any(isinstance(report, Ended) for report in rig.reports)


async def test_a_passkey_is_told(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("passkey", value=True)
    await rig.open()
    await rig.scan(stand_in)
    await rig.seen(PasskeyAsked)
    stand_in.phones.passkey(ACCOUNT, "approve")
    await rig.seen(Ready)


async def test_another_number_is_told_as_it_is_once_it_stands_and_before_it_is_ready(
    rig: Rig, stand_in: WhatsAppStandIn
) -> None:
    await rig.open()
    await rig.scan(stand_in, OTHER)
    assert (await rig.seen(Authenticated)).number is None
    await rig.seen(Ready)
    told = [report for report in rig.reports if isinstance(report, Identified | Ready)]
    assert told[0] == Identified(OTHER), "before it is ready"


async def test_builds_that_differ(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    for switch in ("synced_early", "debug_never", "qr_prefix", "qr_suffix", "no_csp"):
        stand_in.switches.set(switch, value=True)
    session = await rig.linked(stand_in)
    await session.close()
    rig.reports.clear()
    await rig.open()
    await rig.seen(Ready)


async def test_without_its_modules_the_dom_is_read(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("unknown_build", "modules")
    session = await rig.open()
    await rig.scan(stand_in)
    assert (await rig.seen(Ready)).number is None
    assert rig.steps()[-1] == Ready(None, partial="by its chat list only")
    assert (await session.probe()).failed is None
    assert await session.heartbeat(ask=True), "there is nothing that could be asked"


async def test_a_fresh_page_keeps_its_keys(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    await session.close()
    rig.reports.clear()
    await rig.open(fresh=True)
    await rig.seen(Ready)


async def test_close_leaves_nothing_and_can_be_repeated(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    count = len(rig.reports)
    await asyncio.gather(session.close(), session.close())
    await session.close()
    assert rig.processes() == []
    assert len(rig.reports) == count, "a closed session reports nothing"
    run = rig.data_dir / "run"
    name = Profile.of(rig.data_dir, ACCOUNT).name
    kept = {f"{name}.lock", f"{name}.clean"}
    assert {path.name for path in run.iterdir() if not path.name.startswith("playwright.")} == kept
    await rig.driver.stop()
    assert {path.name for path in run.iterdir()} == kept
    assert left_behind(rig.data_dir) == []
    assert (rig.data_dir / "profiles" / name).stat().st_mode & 0o777 == 0o700


async def test_what_the_page_and_the_network_see_is_not_headless(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.open()
    await rig.seen(Code)
    said = await session._evaluate("() => navigator.userAgent + JSON.stringify(navigator.userAgentData)", None)
    assert "Chrome/" in said
    assert "Headless" not in said
    names = await session._evaluate("() => Object.getOwnPropertyNames(window)", None)
    assert not [name for name in names if name.startswith("_") and "playwright" not in name and len(name) == 13]


async def test_the_browser_is_told_what_it_needs(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    rig.make(extra_args=("--disable-features=OfTheOperator", "--lang=de"))
    await rig.open()
    (process,) = rig.processes()
    words = process.cmdline()
    lists = [word.partition("=")[2].split(",") for word in words if word.startswith("--disable-features=")]
    assert len(lists) == 1, "a browser obeys the last list alone"
    assert {"OfTheOperator", "WebUIOmniboxPopup", "PaintHolding"} <= set(lists[0]), "one of three lists was lost"
    assert "--disable-background-networking" in words
    assert "--lang=de" in words


async def test_our_environment_stays_ours(rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:secret")
    await rig.open()
    for process in (*rig.processes(), rig.node()):
        assert "TELEGRAM_BOT_TOKEN" not in process.environ()
