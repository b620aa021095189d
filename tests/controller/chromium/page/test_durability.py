"""Ready means that a kill -9 does not lose the link, and it is the wait before it that ensures this."""

import asyncio

import pytest

from controller.accounts.reports import Code, Ready, Report
from controller.chromium.page import durability
from controller.chromium.session import ChromiumSession
from controller.driver import Opening
from sandbox.whatsapp import WhatsAppStandIn
from tests.controller.chromium.conftest import ACCOUNT, Rig, eventually

pytestmark = pytest.mark.chromium

ACCOUNTS = [f"+49151123456{number}" for number in range(10, 13)]


async def link_and_kill(rig: Rig, stand_in: WhatsAppStandIn, account: str) -> float:
    """Link, kill -9 the whole tree as soon as Ready is told, close. Returns how long Ready took, in seconds."""
    reports: list[Report] = []
    killed = asyncio.Event()
    loop = asyncio.get_running_loop()
    session: ChromiumSession

    def report(told: Report) -> None:
        reports.append(told)
        if isinstance(told, Ready):
            rig.kill_tree(session._parts.process)
            killed.set()

    session = await rig.driver.open(Opening(account), report)
    rig.sessions.append(session)
    code = await eventually(lambda: next((told for told in reports if isinstance(told, Code)), None))
    begun = loop.time()
    stand_in.phones.scan(code.text, account)
    await asyncio.wait_for(killed.wait(), 30)
    took = loop.time() - begun
    await session.close()
    return took


async def is_restored(rig: Rig, account: str) -> bool:
    reports: list[Report] = []
    session = await rig.driver.open(Opening(account), reports.append)
    rig.sessions.append(session)
    told = await eventually(lambda: next((told for told in reports if isinstance(told, Code | Ready)), None), 20)
    await session.close()
    return isinstance(told, Ready)


async def test_a_kill_right_after_ready_keeps_the_link(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    took = await asyncio.gather(*(link_and_kill(rig, stand_in, account) for account in ACCOUNTS))
    assert max(took) < durability.LONGEST_WAIT, "the marker was not found on the disk, which is what this is about"
    for account in ACCOUNTS:
        assert await is_restored(rig, account)


async def test_without_the_wait_the_same_kill_loses_it(rig: Rig, stand_in: WhatsAppStandIn, soon_durable: None) -> None:
    await link_and_kill(rig, stand_in, ACCOUNT)
    assert not await is_restored(rig, ACCOUNT)


async def test_nothing_of_ours_stays_in_the_page(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    keys = await session._evaluate("() => Object.keys(localStorage)", None)
    databases = await session._evaluate("async () => (await indexedDB.databases()).map((each) => each.name)", None)
    assert durability._NAME not in [*keys, *databases]


async def test_a_commit_that_was_put_off_is_brought_about(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "SOON", 0.2)  # so short that Chromium cannot have committed yet
    took = await link_and_kill(rig, stand_in, ACCOUNT)
    assert took < 5, "the commit came by itself, which is not what this is about"
    assert await is_restored(rig, ACCOUNT)


async def test_a_page_that_cannot_store_our_marker_is_linked_all_the_same(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "LONGEST_WAIT", 0.3)
    monkeypatch.setattr(durability, "_PUT", "() => { throw new Error('no storage') }")
    await link_and_kill(rig, stand_in, ACCOUNT)
    assert await is_restored(rig, ACCOUNT)
