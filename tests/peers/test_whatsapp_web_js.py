"""Unmodified whatsapp-web.js on the stand-in: what it accepts as WhatsApp Web."""

from pathlib import Path

import pytest

from controller.chromium.process.flags import SAVINGS
from sandbox.whatsapp import Heavy, Options, Timings, WhatsAppStandIn
from tests.peers.harness import Node, browser, why_not

pytestmark = [pytest.mark.peers, pytest.mark.chromium]

NUMBER = "+4915112345678"
SOMEBODY = "+4915187654321"
FAST = Timings().scaled(15).with_given({"logout": 0.5})
LISTENED = True
"""Its client waits for ever for a sync that was over before it listened (switch synced_early)."""


@pytest.fixture(autouse=True, scope="module")
def peers() -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)


@pytest.fixture
async def whatsapp(request):
    given = request.node.get_closest_marker("timings")
    timings = FAST.with_given(given.kwargs if given else {})
    async with WhatsAppStandIn(Options(tls=True, timings=timings, listened=LISTENED)) as stand_in:
        yield stand_in


def client(whatsapp: WhatsAppStandIn, profile: Path, **options: object) -> Node:
    arguments = {"port": whatsapp.port, "profile": str(profile), "chromium": browser(), "options": options}
    return Node("whatsapp_web_js.mjs", arguments)


async def linked(whatsapp: WhatsAppStandIn, profile: Path) -> None:
    """Link a profile by its first code and close it cleanly."""
    async with client(whatsapp, profile) as node:
        (qr,) = await node.wait_for("qr")
        whatsapp.phones.scan(qr, NUMBER)
        await node.wait_for("ready")


@pytest.mark.timings(first_ref=5.0)
async def test_link_by_qr_then_message_then_restore_then_logout_on_the_phone(whatsapp, tmp_path):
    async with client(whatsapp, tmp_path) as node:
        (first,) = await node.wait_for("qr")
        (second,) = await node.wait_for("qr")
        assert first.count(",") == second.count(",") == 4
        assert first.split(",")[0] != second.split(",")[0]
        assert first.split(",")[1:] == second.split(",")[1:]
        assert 230 <= len(second) <= 300
        whatsapp.phones.scan(second, NUMBER)
        await node.wait_for("authenticated")
        assert await node.wait_for("ready") == ["4915112345678@c.us", "Sandbox phone", "android"]
        assert not [event for event in node.events if event[0] == "qr" and "undefined" in event[1]]
        whatsapp.phones.message(NUMBER, "Is anybody there?", SOMEBODY)
        assert await node.wait_for("message") == ["4915187654321@c.us", "Is anybody there?"]
        await node.tell("state")
        assert await node.wait_for("state") == ["CONNECTED"]

    async with client(whatsapp, tmp_path) as node:
        await node.wait_for("ready")
        assert "qr" not in node.names()
        whatsapp.phones.logout(NUMBER)
        assert await node.wait_for("disconnected") == ["LOGOUT"]
        assert whatsapp.phones.devices() == []


async def test_conflict_ends_the_client_unless_it_takes_over(whatsapp, tmp_path):
    await linked(whatsapp, tmp_path)
    async with client(whatsapp, tmp_path, takeoverOnConflict=True) as node:
        await node.wait_for("ready")
        whatsapp.phones.conflict(NUMBER)
        states = [(await node.wait_for("change_state"))[0] for _ in range(3)]
        assert states == ["CONFLICT", "OPENING", "CONNECTED"]
        assert "disconnected" not in node.names()
    async with client(whatsapp, tmp_path) as node:
        await node.wait_for("ready")
        whatsapp.phones.conflict(NUMBER)
        assert await node.wait_for("disconnected") == ["CONFLICT"]


async def test_each_block_is_told_by_its_state(whatsapp, tmp_path):
    await linked(whatsapp, tmp_path)
    for state in ("PROXYBLOCK", "TOS_BLOCK", "SMB_TOS_BLOCK", "DEPRECATED_VERSION"):
        async with client(whatsapp, tmp_path) as node:
            await node.wait_for("ready")
            whatsapp.phones.state(state, number=NUMBER)
            assert await node.wait_for("disconnected") == [state]


async def test_pairing_code(whatsapp, tmp_path):
    async with client(whatsapp, tmp_path, pairWithPhoneNumber={"phoneNumber": NUMBER.removeprefix("+")}) as node:
        (code,) = await node.wait_for("code")
        assert len(code) == 8
        whatsapp.phones.link_code(NUMBER, code)
        await node.wait_for("ready")


@pytest.mark.timings(first_ref=5.0, next_ref=0.5)
async def test_six_codes_and_then_none(whatsapp, tmp_path):
    async with client(whatsapp, tmp_path) as node:
        codes = {(await node.wait_for("qr"))[0] for _ in range(6)}
        assert len(codes) == 6
        with pytest.raises(AssertionError, match="no 'qr' within"):
            await node.wait_for("qr", within=2.0)
        await node.tell("state")
        assert await node.wait_for("state") == ["UNPAIRED_IDLE"]


async def test_logout_by_the_client_revokes_the_device(whatsapp, tmp_path):
    await linked(whatsapp, tmp_path)
    async with client(whatsapp, tmp_path) as node:
        await node.wait_for("ready")
        await node.tell("logout")
        await node.wait_for("logged out")
        assert whatsapp.phones.devices() == []


async def test_it_becomes_ready_on_a_heavy_page_that_is_spared_what_nobody_looks_at(tmp_path):
    """What the product's savings block is not missed by the page's own logic, nor by what others build on it."""
    options = Options(tls=True, timings=FAST, listened=LISTENED, heavy=Heavy(chats=300, stored=2, code=500))
    spared = [flag for name in ("pictures", "fonts", "caches") for flag in SAVINGS[name]]
    async with WhatsAppStandIn(options) as stand_in:
        arguments = {"port": stand_in.port, "profile": str(tmp_path), "chromium": browser(), "args": spared}
        async with Node("whatsapp_web_js.mjs", arguments) as node:
            (qr,) = await node.wait_for("qr")
            stand_in.phones.scan(qr, NUMBER)
            await node.wait_for("ready")
            stand_in.phones.message(NUMBER, "Is anybody there?", SOMEBODY)
            assert await node.wait_for("message") == ["4915187654321@c.us", "Is anybody there?"]
        assert stand_in.asked["picture"] == stand_in.asked["font"] == 0
        assert stand_in.asked["code"] > 0
