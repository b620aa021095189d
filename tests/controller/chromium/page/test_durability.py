"""Ready means that a kill -9 does not lose the link, and it is the wait before it that ensures this."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.reports import Code, Ready, Report
from controller.chromium.page import durability
from controller.chromium.session import ChromiumSession
from controller.driver import Opening
from sandbox.whatsapp import PhoneError, WhatsAppStandIn
from tests.controller.chromium.conftest import ACCOUNT, Rig, eventually
from tests.virtual_time import virtual

pytestmark = pytest.mark.chromium

SHORT = 0.3
ACCOUNTS = [f"+49151123456{number}" for number in range(10, 13)]


async def link_and_kill(
    rig: Rig, stand_in: WhatsAppStandIn, account: str, *, before_scan: Callable[[], Awaitable[None]] | None = None
) -> float:
    """Link, kill -9 the whole tree as soon as Ready is reported, close. Returns how long Ready took, in seconds."""
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
    await eventually(lambda: next((told for told in reports if isinstance(told, Code)), None))
    if before_scan is not None:
        await before_scan()

    def scanned() -> bool:
        code = next(told for told in reversed(reports) if isinstance(told, Code))
        with contextlib.suppress(PhoneError):  # it has expired
            stand_in.phones.scan(code.text, account)
            return True
        return False

    await eventually(scanned)
    begun = loop.time()
    await asyncio.wait_for(killed.wait(), 90)
    took = loop.time() - begun
    await session.close()
    return took


async def is_restored(rig: Rig, account: str) -> bool:
    reports: list[Report] = []
    session = await rig.driver.open(Opening(account), reports.append)
    rig.sessions.append(session)
    told = await eventually(lambda: next((told for told in reports if isinstance(told, Code | Ready)), None))
    await session.close()
    return isinstance(told, Ready)


async def test_a_kill_right_after_ready_keeps_the_link(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "LONGEST_WAIT", 60.0)  # what is looked at is what was seen, not how soon
    seen_on_disk, seen = durability._seen_on_disk, []

    async def noted(*given: Any) -> bool:
        seen.append(await seen_on_disk(*given))
        return seen[-1]

    monkeypatch.setattr(durability, "_seen_on_disk", noted)
    await asyncio.gather(*(link_and_kill(rig, stand_in, account) for account in ACCOUNTS))
    assert seen.count(True) == len(ACCOUNTS), "the marker was not found on the disk, which is what this is about"
    for account in ACCOUNTS:
        assert await is_restored(rig, account)


async def test_without_the_wait_the_same_kill_loses_it(rig: Rig, stand_in: WhatsAppStandIn, soon_durable: None) -> None:
    await link_and_kill(rig, stand_in, ACCOUNT)
    # Chromium has written it five seconds after the page's first key: a busy machine may take as long to link.
    is_written = rig.driver._profile(ACCOUNT).has_session()
    assert await is_restored(rig, ACCOUNT) is is_written


async def test_nothing_of_ours_stays_in_the_page(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    session = await rig.linked(stand_in)
    keys = await session._evaluate("() => Object.keys(localStorage)", None)
    databases = await session._evaluate("async () => (await indexedDB.databases()).map((each) => each.name)", None)
    assert durability._NAME not in [*keys, *databases]


async def test_a_commit_that_is_put_off_is_brought_about(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "SOON", 120)
    profile = rig.driver._profile(ACCOUNT).folder / "Default"

    async def first_commit() -> None:
        await eventually(lambda: durability._is_stored(profile, stand_in.url.rstrip("/").encode()))

    took = await link_and_kill(rig, stand_in, ACCOUNT, before_scan=first_commit)
    assert took < durability.SOON, "it waited for a commit that Chromium puts off for up to a minute"
    assert await is_restored(rig, ACCOUNT)


@virtual
async def test_a_first_commit_that_does_not_come_is_brought_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a browser: where nothing of the origin is on disk, the page is left only after the wait."""
    monkeypatch.setattr(durability, "SOON", SHORT)
    stored, steps = tmp_path / "Default" / "Local Storage" / "1.log", []
    stored.parent.mkdir(parents=True)
    nonce = ""

    async def evaluate(function: str, argument: Any) -> Any:
        nonlocal nonce
        if function == durability._PUT:
            nonce = argument[1]
        return "https://page.example"

    async def leave() -> None:
        steps.append(asyncio.get_running_loop().time())
        stored.write_text(nonce)

    for already, waits in ((b"", True), (b"_https://page.example\0key", False)):
        stored.write_bytes(already)
        begun = asyncio.get_running_loop().time()
        assert await durability.until_durable(evaluate, tmp_path, leave) is False
        assert (steps.pop() - begun >= SHORT) == waits


async def test_a_page_that_cannot_store_our_marker_is_linked_all_the_same(
    rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def written(folder: Path, *_: object) -> bool:
        """As long as a busy machine needs to commit, which is a moment otherwise."""
        await eventually(lambda: durability._is_stored(folder, b"last-wid-md"))
        return False

    monkeypatch.setattr(durability, "_seen_on_disk", written)
    monkeypatch.setattr(durability, "_PUT", "() => { throw new Error('no storage') }")
    await link_and_kill(rig, stand_in, ACCOUNT)
    assert await is_restored(rig, ACCOUNT)
