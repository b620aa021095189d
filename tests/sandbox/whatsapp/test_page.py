"""The page in real Chromium: its states, its storage, and each nasty case as a driver would meet it."""

import asyncio
import contextlib
import io
import math
import shutil
from collections.abc import Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, BrowserContext, BrowserType, Error, Page, Route, WebSocket, async_playwright

from sandbox.whatsapp import Options, PhoneError, Timings, WhatsAppStandIn
from tests.waiting import until

BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.chromium,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium, not found on PATH"),
]

NUMBER = "+4915112345678"
QR = "[data-testid=link-device-qr-code]"
EXPIRED = "[data-testid=link_device_qr_expired_refresh_button]"
CHATS = "#pane-side [data-testid=chat-list]"
SOCKET = "window.require('WAWebSocketModel').Socket"
# Notes every state from the moment the modules are there; survives reloads, since it runs in each document.
WATCH = """
window.seen = [];
const looking = setInterval(() => {
  let model;
  try { model = window.require('WAWebSocketModel'); } catch { return; }
  clearInterval(looking);
  const note = () => window.seen.push(model.Socket.state);
  note();
  model.Socket.on('change:state', note);
}, 1);
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    """Playwright, started once for all tests: for those that need a profile on disk or a browser of their own."""
    async with async_playwright() as playwright:
        yield playwright.chromium


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium):
    """One browser for all tests that need no more than a profile of their own in it."""
    browser = await chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
    yield browser
    await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def whatsapp(request):
    """A fast stand-in; parametrize it (`SOON_SILENT`) where a page is to miss the server soon."""
    timings = Timings().scaled(25).with_given(getattr(request, "param", {}))
    async with WhatsAppStandIn(Options(timings=timings)) as stand_in:
        yield stand_in


SOON_SILENT = pytest.mark.parametrize("whatsapp", [{"ping_timeout": 1.0}], ids=["soon"], indirect=True)
"""Not for every test: a busy machine may take a second to answer a ping, and that page is no longer CONNECTED."""


@asynccontextmanager
async def opened(chromium: BrowserType, profile: Path, url: str | None = None, *arguments: str):
    """A page in a browser of its own, on a profile that outlasts it."""
    context = await chromium.launch_persistent_context(
        profile, executable_path=BROWSER, args=["--no-sandbox", *arguments]
    )
    async with watched(context, context.pages[0], url) as page:
        yield page


@asynccontextmanager
async def fresh(browser: Browser, url: str | None = None):
    """A page in a new profile of the shared browser."""
    context = await browser.new_context()
    async with watched(context, await context.new_page(), url) as page:
        yield page


@asynccontextmanager
async def watched(context: BrowserContext, page: Page, url: str | None):
    try:
        await context.add_init_script(WATCH)
        page.set_default_timeout(45_000)
        if url is not None:
            await page.goto(url)
        yield page
    finally:
        with contextlib.suppress(Error):
            await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser, whatsapp):
    async with fresh(browser, whatsapp.url) as found:
        yield found


async def code_of(page: Page) -> str:
    box = page.locator(f"{QR}[data-ref]")
    await box.wait_for()
    return await box.get_attribute("data-ref")


async def link(whatsapp: WhatsAppStandIn, page: Page) -> None:
    """Scan what the page shows, again where its socket was another one before a phone could."""

    async def scanned() -> bool:
        with contextlib.suppress(PhoneError):
            whatsapp.phones.scan(await code_of(page), NUMBER)
            return True
        return False

    await until(scanned, "a code that can be scanned")
    await page.locator(CHATS).wait_for()


async def reaches(page: Page, state: str) -> None:
    async def there() -> bool:
        with contextlib.suppress(Error):  # no modules yet, or between two documents
            return await page.evaluate(f"{SOCKET}.state") == state
        return False

    await until(there, f"state {state}")


async def events_of(page: Page, target: str, names: str) -> Callable[[], Any]:
    """Collect a page's events outside it, so that a navigation does not lose them."""
    told: list[str] = []

    def tell(name: str) -> None:  # Playwright takes no builtin
        told.append(name)

    await page.expose_function("told", tell)
    await page.evaluate(f"for (const name of '{names}'.split(' ')) {target}.on(name, () => told(name))")
    return lambda: told


# ---- link, restore, forget


async def test_a_cold_start_links_and_the_next_one_restores(chromium, whatsapp, tmp_path):
    async with opened(chromium, tmp_path, whatsapp.url) as page:
        code = await code_of(page)
        picture = Image.open(io.BytesIO(await page.locator(f"{QR} canvas").screenshot()))
        assert zxingcpp.read_barcodes(picture)[0].text == code
        assert code.count(",") == 4
        assert 230 <= len(code) <= 300
        assert code.split(",")[0] == await page.evaluate("window.require('WAWebConnModel').Conn.ref")
        await link(whatsapp, page)
        assert await page.evaluate("seen") == [
            "UNLAUNCHED",
            "OPENING",
            "PAIRING",
            "UNPAIRED",
            "PAIRING",
            "OPENING",
            "CONNECTED",
        ]
        assert (await page.locator("#pane-side").bounding_box())["height"] > 300
        await until(lambda: whatsapp.phones.devices()[0]["online"], "online")
    await until(lambda: not whatsapp.phones.devices()[0]["online"], "offline")

    async with opened(chromium, tmp_path, whatsapp.url) as page:
        await page.locator(CHATS).wait_for()
        await reaches(page, "CONNECTED")  # its chats may be there before
        assert await page.evaluate("seen") == ["UNLAUNCHED", "OPENING", "CONNECTED"]
        me = await page.evaluate("window.require('WAWebUserPrefsMeUser').getMaybeMePnUser()")
        assert me["_serialized"] == "4915112345678@c.us"


async def test_the_private_keys_are_crypto_keys_that_no_copy_as_json_keeps(whatsapp, page):
    await link(whatsapp, page)
    state = await page.context.storage_state(indexed_db=True)
    stored = str(state["origins"][0]["indexedDB"])
    assert "identity" in stored
    assert "wrapping" in stored
    identity = await page.evaluate(
        """() => new Promise((done) => {
          const opening = indexedDB.open('signal-storage');
          opening.onsuccess = () => {
            const rows = opening.result.transaction('signal-meta-store').objectStore('signal-meta-store');
            rows.get('identity').onsuccess = ({ target }) => {
              const { privateKey } = target.result.value;
              done([privateKey instanceof CryptoKey, privateKey.extractable]);
            };
          };
        })"""
    )
    assert identity == [True, False]


@pytest.mark.parametrize("lost", ["indexedDB.deleteDatabase('signal-storage')", "localStorage.clear()"])
async def test_a_page_without_all_of_its_keys_is_not_restored(whatsapp, page, lost):
    await link(whatsapp, page)
    before = await page.evaluate("window.require('WAWebUserPrefsMultiDevice').getADVSecretKey()")
    await page.evaluate(lost)
    await page.reload()
    await reaches(page, "UNPAIRED")
    assert await page.evaluate("window.require('WAWebUserPrefsMultiDevice').getADVSecretKey()") != before


async def test_killed_right_after_the_link_the_session_is_lost(chromium, whatsapp, tmp_path):
    async with opened(chromium, tmp_path, whatsapp.url) as page:
        await link(whatsapp, page)
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if str(tmp_path) in " ".join(process.cmdline()):
                    process.kill()
    # Chromium has written it five seconds after the page's first key: a busy machine may take as long to link.
    files = [path for path in (tmp_path / "Default" / "Local Storage").rglob("*") if path.is_file()]
    is_written = any(b"last-wid-md" in path.read_bytes() for path in files)
    async with opened(chromium, tmp_path, whatsapp.url) as page:
        await reaches(page, "CONNECTED" if is_written else "UNPAIRED")


@pytest.mark.parametrize("quiet", [False, True], ids=["told", "quiet"])
async def test_logout_on_the_phone_clears_the_page_and_tells_in_its_url(whatsapp, page, quiet):
    whatsapp.switches.set("quiet_logout", quiet)
    await page.reload()
    await link(whatsapp, page)
    told = await events_of(page, "window.require('WAWebCmd').Cmd", "logout logout_from_bridge")
    whatsapp.phones.logout(NUMBER)
    await page.wait_for_url("**/?post_logout=1&logout_reason=0")
    if quiet:
        assert told() == []
    else:
        await until(lambda: told() == ["logout_from_bridge", "logout"], "the page's own words")
    await reaches(page, "UNPAIRED")
    assert await page.evaluate("localStorage.getItem('last-wid-md')") is None


async def test_a_reload_may_say_post_logout_although_nobody_was_logged_out(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.phones.reload(NUMBER, post_logout=True)
    await page.wait_for_url("**/?post_logout=1*")
    await reaches(page, "CONNECTED")


# ---- codes


@pytest.mark.parametrize("by", ["cmd", "launch", "button"])
async def test_after_the_last_code_the_dead_one_stays_until_new_ones_are_asked_for(browser, by):
    timings = Timings().scaled(25).with_given({"first_ref": 1.0, "next_ref": 0.1})
    options = Options(timings=timings, switches={"refresh_qr": by})
    calls = {
        "cmd": "window.require('WAWebCmd').Cmd.refreshQR()",
        "launch": "window.require('WAWebLaunchSocketUtils').refreshQR()",
    }
    async with WhatsAppStandIn(options) as whatsapp, fresh(browser, whatsapp.url) as page:
        await reaches(page, "UNPAIRED_IDLE")
        button = page.locator(EXPIRED)
        await button.wait_for()
        dead = await page.evaluate("window.require('WAWebConnModel').Conn.ref")
        assert dead.startswith("2@")
        assert whatsapp.phones.codes() == []
        for name, call in calls.items():
            if name != by:
                with pytest.raises(Error, match=r"not a function|unknown module"):
                    await page.evaluate(call)
        if by in calls:
            await page.evaluate(calls[by])
        else:
            await button.click()
        # Seen or not by us: the new codes do not live long either.
        again = "seen.lastIndexOf('UNPAIRED') > seen.indexOf('UNPAIRED_IDLE')"
        await until(lambda: page.evaluate(again), "codes anew")
        assert await page.evaluate("window.require('WAWebConnModel').Conn.ref") != dead


@pytest.mark.parametrize(
    "given", [{"first_ref": 0.2}, {"first_ref": 0.01, "pairing": 0.5}], ids=["drawn late", "told late"]
)
async def test_the_last_code_that_is_drawn_too_late_has_its_button_too(browser, given):
    timings = Timings().scaled(25).with_given(given)
    async with WhatsAppStandIn(Options(timings=timings, refs=1)) as whatsapp, fresh(browser) as page:
        over = asyncio.Event()

        async def late(route: Route) -> None:
            await over.wait()
            await route.continue_()

        await page.route("**/qr?*", late)
        await page.goto(whatsapp.url)
        await reaches(page, "UNPAIRED_IDLE")
        over.set()
        await code_of(page)
        assert await page.locator(EXPIRED).count() == 1


@pytest.mark.parametrize(
    ("switch", "dressed"),
    [
        ("qr_prefix", lambda code: code.startswith("https://wa.me/settings/linked_devices#2@")),
        ("qr_suffix", lambda code: code.endswith(",https://faq.whatsapp.com/r/ld")),
    ],
)
async def test_the_pages_own_code_may_be_dressed(whatsapp, page, switch, dressed):
    whatsapp.switches.set(switch, value=True)
    await page.reload()
    assert dressed(await code_of(page))
    await link(whatsapp, page)


# ---- the network


async def test_offline_is_noticed_after_a_grace_and_the_chats_stay(whatsapp, page):
    await link(whatsapp, page)
    await page.context.set_offline(True)
    await reaches(page, "OPENING")
    assert await page.locator(CHATS).is_visible()
    await page.context.set_offline(False)
    await reaches(page, "CONNECTED")


@SOON_SILENT
async def test_silence_is_noticed_by_the_pages_own_ping(whatsapp, page):
    sockets: list[list[str]] = []
    page.on("websocket", lambda socket: sockets.append(unanswered_of(socket)))
    await page.reload()
    await link(whatsapp, page)
    unanswered = sockets[-1]
    whatsapp.phones.silence(NUMBER)
    asked = asyncio.ensure_future(
        page.evaluate("window.require('WAWebQueryExistsJob').queryWidExists('4915112345678@c.us')")
    )
    await reaches(page, "OPENING")
    timings = whatsapp.options.timings
    assert 1 <= len(unanswered) <= 1 + math.ceil(timings.ping_timeout / timings.ping_every), "the first tells it"
    assert not asked.done()
    assert await page.locator(CHATS).is_visible()
    whatsapp.phones.silence(NUMBER, on=False)
    await reaches(page, "CONNECTED")
    asked.cancel()


@SOON_SILENT
async def test_a_login_that_fell_into_silence_is_repeated_when_the_server_answers_pings_again(whatsapp, page):
    await page.reload()
    await link(whatsapp, page)
    logins: list[str] = []

    def note_login(frame: str) -> None:
        if '"hello"' in frame:
            logins.append(frame)

    page.on("websocket", lambda socket: socket.on("framesent", note_login))
    whatsapp.phones.silence(NUMBER)
    await until(lambda: logins, "it opens another socket, and its login is lost")
    whatsapp.phones.silence(NUMBER, on=False)
    await reaches(page, "CONNECTED")


def unanswered_of(socket: WebSocket) -> list[str]:
    """The pings of a page's socket since the last one that was answered; it goes on changing."""
    pings: list[str] = []
    socket.on("framesent", lambda frame: pings.append(frame) if '"ping"' in frame else None)
    socket.on("framereceived", lambda frame: pings.clear() if '"pong"' in frame else None)
    return pings


async def test_opening_for_ever_shows_the_chats_all_the_same(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.switches.set("opening_forever", value=True)
    await reaches(page, "OPENING")
    await page.reload()
    await page.locator(CHATS).wait_for()
    assert await page.evaluate("seen") == ["UNLAUNCHED", "OPENING"]
    whatsapp.switches.set("opening_forever", value=False)
    await reaches(page, "CONNECTED")


async def test_conflict_lasts_until_takeover(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.phones.conflict(NUMBER)
    await reaches(page, "CONFLICT")
    await until(lambda: whatsapp.phones.devices()[0]["state"] == "CONFLICT", "the server knows")
    assert not whatsapp.phones.devices()[0]["online"]
    whatsapp.phones.network(NUMBER, how="reset")
    whatsapp.phones.network(NUMBER, lost=False)
    await until(lambda: whatsapp.hub.pages == {}, "the socket is gone")
    await asyncio.sleep(0.5)  # a page that came back by itself would be back
    assert await page.evaluate(f"{SOCKET}.state") == "CONFLICT"
    await page.evaluate(f"{SOCKET}.takeover()")
    await reaches(page, "CONNECTED")


async def test_a_name_that_does_not_resolve_and_a_server_error(whatsapp, page):
    whatsapp.switches.set("dns_gone", value=True)
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        await page.goto(whatsapp.url)
    await page.wait_for_url("chrome-error://**")
    whatsapp.switches.reset()
    whatsapp.switches.set("http_error", 500)
    response = await page.goto(whatsapp.url)
    assert response.status == 500


# ---- nasty pages


async def test_loading_may_be_slow_or_never_end(whatsapp, page):
    whatsapp.switches.set("slow_load", 1.0)
    began = asyncio.get_running_loop().time()
    await page.reload()
    await reaches(page, "UNPAIRED")
    assert asyncio.get_running_loop().time() - began > 1.0
    whatsapp.switches.set("endless_load", value=True)
    await page.reload()
    await page.locator("#wa_web_initial_startup progress").wait_for()
    await asyncio.sleep(1.5)  # longer than any start at this speed: what never comes cannot be waited for
    with pytest.raises(Error, match="unknown module"):
        await page.evaluate(SOCKET)
    assert await page.locator("#wa_web_initial_startup progress").is_visible()


async def test_an_unknown_build_has_other_names(whatsapp, page):
    whatsapp.switches.set("unknown_build", "modules")
    await page.reload()
    await code_of(page)
    with pytest.raises(Error, match='unknown module "WAWebSocketModel"'):
        await page.evaluate(SOCKET)
    whatsapp.switches.set("unknown_build", "all")
    await page.reload()
    await page.locator("canvas").wait_for()
    known = page.locator("[data-testid], #wa_web_initial_startup, #pane-side")
    assert await known.count() == 0
    whatsapp.switches.set("unknown_build", "off")
    await page.reload()
    await link(whatsapp, page)
    whatsapp.switches.set("unknown_build", "all")
    await page.reload()
    await page.get_by_role("grid").wait_for(state="attached")
    assert await known.count() == 0, "a linked page has other names too"


async def test_debug_may_never_come_and_csp_refuses_script_tags(whatsapp, page):
    await reaches(page, "UNPAIRED")
    await until(lambda: page.evaluate("window.Debug?.VERSION === '2.3000.1045220589'"), "Debug.VERSION")
    with pytest.raises(Error, match="Content Security Policy"):
        await page.add_script_tag(content="window.injected = true")
    whatsapp.switches.set("debug_never", value=True)
    await page.reload()
    await code_of(page)
    assert await page.evaluate("typeof window.Debug") == "undefined"


async def test_a_restored_session_may_be_synced_before_anyone_listens(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.switches.set("synced_early", value=True)
    whatsapp.switches.set("opening_forever", value=True)
    await page.reload()
    await page.locator(CHATS).wait_for()
    assert await page.evaluate("window.Debug === undefined"), "however slow its server is"
    whatsapp.switches.set("opening_forever", value=False)
    await until(lambda: page.evaluate("window.Debug !== undefined"), "Debug")
    assert await page.evaluate(f"{SOCKET}.hasSynced") is True


async def test_a_session_that_the_server_refuses_is_logged_out(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.switches.set("refuse_restore", value=True)
    await page.reload()
    await page.wait_for_url("**/?post_logout=1&logout_reason=0")
    await reaches(page, "UNPAIRED")


async def test_a_ban_says_when_it_ends(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.switches.set("ban", 3600)
    await reaches(page, "TOS_BLOCK")
    ends = await page.evaluate("window.require('WAWebTemporaryBan').TemporaryBan.expiresAt")
    now = await page.evaluate("Date.now() / 1000")
    assert ends - now == pytest.approx(3600, abs=20)
    shown = await page.locator("[data-testid=temporary-ban]").get_attribute("data-expires-at")
    assert int(shown) == ends


async def test_a_passkey_is_asked_for_on_the_pages_own_origin(whatsapp, page):
    await page.evaluate(
        """() => {
          navigator.credentials.get = ({ publicKey }) => {
            window.asked = { ...publicKey, challenge: publicKey.challenge.byteLength };
            return new Promise(() => {});
          };
        }"""
    )
    whatsapp.phones.passkey(NUMBER)
    whatsapp.phones.scan(await code_of(page), NUMBER)
    await until(lambda: page.evaluate("window.asked !== undefined"), "credentials.get")
    asked = await page.evaluate("window.asked")
    assert (asked["rpId"], asked["userVerification"], asked["challenge"]) == ("whatsapp.com", "required", 32)
    whatsapp.phones.passkey(NUMBER, "approve")
    await page.locator(CHATS).wait_for()


async def test_without_an_authenticator_the_link_waits_for_the_passkey(chromium, tmp_path):
    """Chromium lets the request pend, its headless shell refuses it at once; the page waits in both."""
    async with WhatsAppStandIn(Options(tls=True, timings=Timings().scaled(25))) as whatsapp:
        mapped = f"--host-resolver-rules=MAP web.whatsapp.com 127.0.0.1:{whatsapp.port}"
        async with opened(chromium, tmp_path, None, mapped, "--ignore-certificate-errors") as page:
            await page.goto("https://web.whatsapp.com/")
            whatsapp.phones.passkey(NUMBER)
            whatsapp.phones.scan(await code_of(page), NUMBER)
            await page.locator("[data-testid=link-device-passkey]").wait_for()
            await asyncio.sleep(1.0)  # giving up would come at once
            assert await page.evaluate(f"{SOCKET}.state") == "PAIRING"
            whatsapp.phones.passkey(NUMBER, "approve")
            await page.locator(CHATS).wait_for()


async def test_frames_come_and_go(whatsapp, page):
    went: list[str] = []
    page.on("framenavigated", lambda frame: went.append(frame.url) if frame.parent_frame else None)
    whatsapp.switches.set("iframes", value=True)
    await page.reload()
    await until(lambda: any("post_logout=1" in url for url in went), "a frame that says post_logout")
    await until(lambda: page.frames[1:] == [], "the frame is gone again")


async def test_the_light_query_may_be_missing(whatsapp, page):
    await link(whatsapp, page)
    query = "window.require('WAWebQueryExistsJob').queryWidExists('4915112345678@c.us')"
    assert (await page.evaluate(query))["wid"]["_serialized"] == "4915112345678@c.us"
    whatsapp.switches.set("no_exists_query", value=True)
    await page.reload()
    await reaches(page, "CONNECTED")
    with pytest.raises(Error, match="unknown module"):
        await page.evaluate(query)


@pytest.mark.parametrize("by", ["phone", "switch"])
async def test_the_renderer_may_crash(whatsapp, page, by):
    await reaches(page, "UNPAIRED")
    crashed = asyncio.Event()
    page.on("crash", lambda _: crashed.set())
    if by == "phone":
        whatsapp.phones.crash()
    else:
        whatsapp.switches.set("page_crash", 0.2)
        with contextlib.suppress(Error):  # it may crash before Playwright takes it for loaded
            await page.reload()
    async with asyncio.timeout(45):
        await crashed.wait()


async def test_the_page_may_go_elsewhere_and_may_hang(whatsapp, page):
    await reaches(page, "UNPAIRED")
    whatsapp.phones.leave()
    await until(lambda: page.url.endswith("/frame"), "another address")
    await page.goto(whatsapp.url)
    await reaches(page, "UNPAIRED")

    async def hangs() -> bool:
        try:
            async with asyncio.timeout(1):
                await page.evaluate("1")
        except TimeoutError:
            return True
        return False

    assert await page.evaluate("1") == 1
    whatsapp.phones.hang()
    await until(hangs, "a page that hangs")


async def test_memory_may_grow(whatsapp, page):
    def used() -> int:
        sizes = [0]
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # it ends just now
                if "--type=renderer" in process.cmdline():
                    sizes.append(process.memory_info().rss)
        return max(sizes)

    await reaches(page, "UNPAIRED")
    before = used()
    whatsapp.switches.set("memory_growth", 40)
    await until(lambda: used() > before + 70 * 2**20, "70 MB more")
