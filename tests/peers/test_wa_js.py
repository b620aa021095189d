"""Unmodified wa-js on the stand-in: injected before the page's own scripts, as its users do."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from controller.chromium.process.flags import SAVINGS
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from tests.peers.harness import MODULES, browser, why_not
from tests.waiting import until

pytestmark = [pytest.mark.peers, pytest.mark.chromium]

NUMBER = "+4915112345678"
DIGITS = NUMBER.removeprefix("+")
SCRIPT = MODULES / "@wppconnect" / "wa-js" / "dist" / "wppconnect-wa.js"
EVENTS = (
    "auth_code_change",
    "authenticated",
    "backend_event",
    "logout",
    "logout_reason",
    "main_init",
    "main_loaded",
    "main_ready",
    "needs_update",
    "online",
    "qrcode_idle",
    "require_auth",
    "stream_info_changed",
    "stream_mode_changed",
)
# Kept outside the page, so that what was told before a navigation is not lost with it.
LISTEN = "for (const name of %s) WPP.on(`conn.${name}`, (...told) => tell(name, told[0] ?? null))"


@pytest.fixture(autouse=True, scope="module")
def peers() -> None:
    if (reason := why_not()) is not None:
        pytest.skip(reason)


class Wpp:
    """A page with wa-js in it, and everything that its conn.* events told."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.told: list[tuple[str, Any]] = []

    async def call(self, expression: str) -> Any:
        return await self.page.evaluate(f"WPP.{expression}")

    async def heard(self, name: str, value: Any = None) -> None:
        wanted = (name, value)
        await until(
            lambda: any(told == wanted or (value is None and told[0] == name) for told in self.told), f"{wanted}"
        )

    async def full_ready(self) -> None:
        await until(lambda: self.page.evaluate("window.WPP?.isFullReady === true"), "isFullReady")


SPARED = [flag for name in ("pictures", "fonts", "caches") for flag in SAVINGS[name]]
"""The product's own: what it blocks, wa-js does not miss."""


@pytest.fixture
async def whatsapp(request):
    given = request.node.get_closest_marker("timings")
    timings = Timings().scaled(15).with_given({"logout": 0.5} | (given.kwargs if given else {}))
    async with WhatsAppStandIn(Options(timings=timings)) as stand_in:
        yield stand_in


@pytest.fixture
async def wpp(whatsapp, tmp_path: Path):
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=browser(), args=["--no-sandbox", *SPARED]
        )
        found = Wpp(context.pages[0])
        await context.expose_function("tell", lambda name, value: found.told.append((name, value)))
        await context.add_init_script("window.WPPConfig = { disableGoogleAnalytics: true }")
        await context.add_init_script(path=SCRIPT)
        await context.add_init_script(LISTEN % list(EVENTS))
        await found.page.goto(whatsapp.url)
        yield found
        await context.close()


async def test_link_by_auth_code_then_log_out(whatsapp, wpp):
    await wpp.full_ready()
    assert await wpp.call("conn.isAuthenticated()") is False
    assert await wpp.call("conn.isRegistered()") is False
    await wpp.heard("require_auth")
    await wpp.heard("stream_mode_changed", "QR")
    await wpp.heard("main_init")
    await wpp.heard("main_ready")

    auth = await wpp.call("conn.getAuthCode()")
    assert auth["type"] == "multidevice"
    assert auth["fullCode"].split(",") == [
        auth["ref"],
        auth["staticKeyPair"],
        auth["identityKeyPair"],
        auth["secretKey"],
    ]
    whatsapp.phones.scan(auth["fullCode"], NUMBER)

    await wpp.heard("main_loaded")
    await wpp.heard("authenticated")
    await wpp.heard("stream_info_changed", "NORMAL")
    await wpp.heard("backend_event", "socket_stream")
    assert await wpp.call("conn.isAuthenticated()") is True
    assert await wpp.call("conn.isRegistered()") is True
    assert await wpp.call("conn.getAuthCode()") is None
    assert await wpp.call("conn.getMyUserId().toString()") == f"{DIGITS}@c.us"

    await wpp.page.context.set_offline(True)
    await wpp.heard("online", False)
    await wpp.page.context.set_offline(False)
    await wpp.heard("online", True)

    assert await wpp.call("conn.logout()") is True
    await wpp.heard("logout_reason", "user_initiated")
    await wpp.heard("logout")
    assert whatsapp.phones.devices() == []
    await wpp.page.wait_for_url("**/?post_logout=1*")


async def test_pairing_code_links(whatsapp, wpp):
    await wpp.full_ready()
    code = await wpp.call(f"conn.genLinkDeviceCodeForPhoneNumber('{DIGITS}')")
    assert len(code) == 8
    assert (await wpp.page.locator("[data-link-code]").get_attribute("data-link-code")).replace(",", "") == code
    whatsapp.phones.link_code(NUMBER, code)
    await wpp.heard("main_loaded")
    assert await wpp.call("conn.isAuthenticated()") is True


@pytest.mark.timings(first_ref=8.0, next_ref=0.5)
async def test_codes_run_out_and_are_refreshed(whatsapp, wpp):
    await wpp.full_ready()
    await wpp.heard("qrcode_idle")
    assert await wpp.call("conn.isIdle()") is True
    dead = await wpp.call("conn.getAuthCode()")
    fresh = await wpp.call("conn.refreshQR()")
    assert fresh["ref"] != dead["ref"]
    whatsapp.phones.scan(fresh["fullCode"], NUMBER)
    await wpp.heard("main_loaded")


async def test_it_finds_the_version_where_the_page_never_sets_debug(whatsapp, wpp):
    whatsapp.switches.set("debug_never", True)
    await wpp.page.reload()
    await wpp.full_ready()
    assert await wpp.page.evaluate("Debug.VERSION") == whatsapp.options.version
