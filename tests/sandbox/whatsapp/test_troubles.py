"""The page's troubles that are no mere delay, in a real Chromium: what it says of itself, covers, reloads, and harm."""

import asyncio
import contextlib

import pytest
import pytest_asyncio
from playwright.async_api import Error, Page, async_playwright

from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from sandbox.whatsapp.phones import other_form
from tests.sandbox.whatsapp.test_page import (
    BROWSER,
    CHATS,
    NUMBER,
    SOCKET,
    SOON_SILENT,
    code_of,
    fresh,
    link,
    opened,
    reaches,
)
from tests.waiting import until

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.chromium,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium, not found on PATH"),
]
STREAM = "window.require('WAWebStreamModel').Stream"
ME = "window.require('WAWebUserPrefsMeUser')"
OTHER = "+4915112349999"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
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
    timings = Timings().scaled(25).with_given(getattr(request, "param", {}))
    async with WhatsAppStandIn(Options(timings=timings)) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser, whatsapp):
    async with fresh(browser, whatsapp.url) as found:
        yield found


async def evaluates(page: Page, expression: str, wanted: object) -> None:
    async def there() -> bool:
        with contextlib.suppress(Error):
            return await page.evaluate(expression) == wanted
        return False

    await until(there, f"{expression} is {wanted}")


async def test_a_healthy_page_says_so_in_every_way(whatsapp, page):
    await link(whatsapp, page)
    said = f"[{SOCKET}.stream, {STREAM}.mode, {STREAM}.displayInfo, {SOCKET}.hasSynced]"
    await evaluates(page, said, ["CONNECTED", "MAIN", "NORMAL", True])


@pytest.mark.parametrize(
    ("switch", "value", "expression"),
    [
        ("dead_socket", "told", f"{SOCKET}.stream === 'DISCONNECTED' && {STREAM}.displayInfo === 'OFFLINE'"),
        ("stream", "RESUMING", f"{SOCKET}.stream === 'RESUMING'"),
        ("stream_mode", "OFFLINE", f"{STREAM}.mode === 'OFFLINE'"),
        ("display_info", "CONNECTING", f"{STREAM}.displayInfo === 'CONNECTING'"),
        ("dialog", "whats_new", "document.querySelectorAll('[role=dialog] button').length === 1"),
        ("dialog", "unknown", "document.querySelectorAll('[role=dialog] button').length === 2"),
    ],
)
async def test_an_open_page_feels_it_while_its_socket_stays_connected(whatsapp, page, switch, value, expression):
    await link(whatsapp, page)
    whatsapp.switches.set(switch, value)
    await evaluates(page, expression, wanted=True)
    assert await page.evaluate(f"{SOCKET}.state") == "CONNECTED"
    whatsapp.switches.reset()
    await evaluates(page, expression, wanted=False)


async def test_a_switch_of_one_number_is_felt_by_its_pages_alone(whatsapp, page):
    dialogs = "document.querySelectorAll('[role=dialog]').length"
    whatsapp.phones.turn_next("dialog", "unknown", OTHER)
    await link(whatsapp, page)
    await page.reload()
    await page.locator(CHATS).wait_for()
    assert await page.evaluate(dialogs) == 0
    whatsapp.phones.turn_next("dialog", "unknown", NUMBER)
    await page.reload()
    await evaluates(page, dialogs, 1)


async def test_a_switch_of_a_number_is_felt_from_its_scan_on(whatsapp, page):
    whatsapp.phones.turn_next("dialog", "unknown", NUMBER)
    await link(whatsapp, page)
    await evaluates(page, "document.querySelectorAll('[role=dialog]').length", 1)


@SOON_SILENT
async def test_a_dead_socket_outlives_the_ping_and_its_question_is_never_answered(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.switches.set("dead_socket", "untold")
    await asyncio.sleep(2.5)  # longer than ping and its time-out
    assert await page.evaluate(f"[{SOCKET}.state, {SOCKET}.stream]") == ["CONNECTED", "CONNECTED"]
    asked = f"Promise.race([require('WAWebQueryExistsJob').queryWidExists({ME}.getMaybeMePnUser()), "
    assert await page.evaluate(asked + "new Promise((done) => setTimeout(done, 300, 'silence'))])") == "silence"


@pytest.mark.parametrize(("value", "gives"), [("null", None), ("error", "query failed")])
async def test_what_the_own_query_comes_to(whatsapp, page, value, gives):
    await link(whatsapp, page)
    whatsapp.switches.set("own_query", value)
    asked = f"require('WAWebQueryExistsJob').queryWidExists({ME}.getMaybeMePnUser()).catch((error) => error.message)"
    await evaluates(page, asked, gives)


async def test_a_page_that_stands_still_goes_on_afterwards(whatsapp, page):
    await link(whatsapp, page)
    await page.evaluate("window.ticks = [performance.now()]; setInterval(() => ticks.push(performance.now()), 20)")
    whatsapp.switches.set("freeze", 1)
    longest = "Math.max(...ticks.map((tick, place) => tick - (ticks[place - 1] ?? tick))) > 900"
    await evaluates(page, longest, wanted=True)


@pytest.mark.parametrize(("how", "states"), [("holds_on", ["CONFLICT"]), ("takes_again", ["CONNECTED", "CONFLICT"])])
async def test_another_browser_that_does_not_let_go(whatsapp, page, how, states):
    await link(whatsapp, page)
    whatsapp.switches.set("other_browser", how)
    await page.reload()
    await reaches(page, "CONFLICT")
    await page.evaluate(f"window.passed = []; {SOCKET}.on('change:state', (_, state) => passed.push(state))")
    await page.evaluate(f"{SOCKET}.takeover()")
    await evaluates(
        page,
        f"{SOCKET}.state === 'CONFLICT' && [...passed.filter((state) => state === 'CONNECTED'), {SOCKET}.state].join()",
        ",".join(states),
    )


async def test_reload_once_is_once_in_each_browser(chromium, whatsapp, tmp_path):
    whatsapp.switches.set("reload_once", 0.3)
    for _ in range(2):
        loads: list[str] = []
        async with opened(chromium, tmp_path) as page:
            page.on("framenavigated", lambda frame, loads=loads: loads.append(frame.url))
            await page.goto(whatsapp.url)
            await until(lambda loads=loads: len(loads) == 2, "a second load")
            await asyncio.sleep(0.6)
            assert len(loads) == 2


async def test_a_stale_worker_stays_after_its_switch_is_off(chromium, whatsapp, tmp_path):
    whatsapp.switches.set("stale_worker", value=True)
    async with opened(chromium, tmp_path, whatsapp.url) as page:
        active = "navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')"
        await until(lambda: page.evaluate(active), "the worker serves from now on")
    whatsapp.switches.reset()
    async with opened(chromium, tmp_path, whatsapp.url) as page:
        assert "boot.gone.js" in await page.content()


@pytest.mark.parametrize("name", ["whats_new_blocks", "unknown_blocks"])
async def test_a_dialog_that_blocks_is_left_by_its_button(whatsapp, page, name):
    whatsapp.switches.set("dialog", name)
    await page.reload()
    await page.locator("[role=dialog] button").last.wait_for()
    assert await page.evaluate(f"{SOCKET}.state") == "UNLAUNCHED"
    await page.locator("[role=dialog] button").last.click()
    await reaches(page, "UNPAIRED")


async def test_the_screen_lock_opens_with_its_password(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.switches.set("screen_lock", value=True)
    await page.reload()
    await page.locator("[data-testid=screen-lock] input").fill("wrong")
    await page.locator("[data-testid=screen-lock] button").click()
    assert await page.evaluate(f"{SOCKET}.state") == "UNLAUNCHED"
    await page.locator("[data-testid=screen-lock] input").fill("sandbox")
    await page.locator("[data-testid=screen-lock] button").click()
    await page.locator(CHATS).wait_for()


@pytest.mark.parametrize("sight", ["UNPAIRED", "CONFLICT", "TOS_BLOCK"])
async def test_a_sight_that_passes(whatsapp, page, sight):
    await link(whatsapp, page)
    whatsapp.switches.set("brief_sight", sight)
    await page.reload()
    await page.locator(CHATS).wait_for()
    assert sight in await page.evaluate("seen")
    assert len(whatsapp.phones.devices()) == 1


@pytest.mark.parametrize(
    ("switch", "value", "told"),
    [
        ("lid_only", True, [False, False, False, False]),
        ("number_from", "me_user", [True, False, False, False]),
        ("number_from", "conn", [False, False, True, False]),
        ("number_from", "last_wid", [False, False, False, True]),
        ("number_from", "all", [True, True, True, True]),
    ],
)
async def test_where_the_number_is_told(whatsapp, page, switch, value, told):
    whatsapp.switches.set(switch, value)
    await page.reload()
    await link(whatsapp, page)
    digits = NUMBER.removeprefix("+")
    places = (
        f"[{ME}.getMaybeMeUser(), {ME}.getMaybeMePnUser(), require('WAWebConnModel').Conn.wid, "
        f"localStorage.getItem('last-wid-md')].map((place) => String(place).includes('{digits}'))"
    )
    assert await page.evaluate(places) == told
    assert await page.evaluate(f"{ME}.getMaybeMeLidUser().server") == "lid"
    await page.reload()
    await page.locator(CHATS).wait_for()


async def test_a_late_number(whatsapp, page):
    await link(whatsapp, page)
    whatsapp.switches.set("late_number", 4)
    await page.add_init_script(
        f"""
        window.connectedAs = [];
        const asking = setInterval(() => {{
          try {{ {SOCKET}; }} catch {{ return; }}
          clearInterval(asking);
          {SOCKET}.on('change:state', () => {{
            if ({SOCKET}.state !== 'CONNECTED') return;
            const isLate = performance.now() < 4000; // a busy machine may need that long
            connectedAs.push([isLate, {ME}.getMaybeMePnUser() === undefined]);
          }});
        }}, 1);
        """
    )
    await page.reload()
    await evaluates(
        page, "connectedAs.length > 0 && connectedAs.every(([isLate, none]) => isLate === none)", wanted=True
    )
    await evaluates(page, f"{ME}.getMaybeMePnUser()?.user", NUMBER.removeprefix("+"))


@pytest.mark.parametrize(
    ("people", "whatsapps"),
    [
        ("+541123456789", "+5491123456789"),
        ("+525512345678", "+5215512345678"),
        ("+5511987654321", "+551187654321"),
        ("+4915112345678", "+4915112345678"),
    ],
)
async def test_the_other_form_of_a_number(people, whatsapps):
    assert other_form(people) == whatsapps
    assert other_form(whatsapps) == people


@pytest.mark.parametrize(("how", "outcome"), [("throws", "failed"), ("ignored", "done"), ("hangs", "open")])
async def test_a_logout_that_fails_leaves_the_device(whatsapp, page, how, outcome):
    await link(whatsapp, page)
    whatsapp.switches.set("logout_fails", how)
    await evaluates(page, "require('StandInLive').live.logout_fails", how)
    left = (
        "Promise.race([(async () => require('WAWebSocketModel').Socket.logout())().then(() => 'done', () => 'failed'), "
        "new Promise((done) => setTimeout(done, 500, 'open'))])"
    )
    assert await page.evaluate(left) == outcome
    assert len(whatsapp.phones.devices()) == 1


async def test_a_slow_history_rises_and_a_page_may_never_say_synced(whatsapp, page):
    whatsapp.switches.set("slow_sync", 2)
    whatsapp.switches.set("never_synced", value=True)
    whatsapp.switches.set("stuck_at_99", value=True)
    await page.reload()
    await link(whatsapp, page)
    history = "require('WAWebHistorySyncProgressModel').getHistorySyncProgressModel().realProgress"
    assert await page.evaluate(history) == 100
    assert await page.evaluate(f"[{SOCKET}.hasSynced, {STREAM}.mode]") == [False, "MAIN"]
    assert (
        await page.evaluate("require('WAWebOfflineHandler').OfflineMessageHandler.getOfflineDeliveryProgress()") == 99
    )


@pytest.mark.parametrize("module", ["WAWebStreamModel", "WAWebUserPrefsMeUser"])
async def test_a_module_that_is_missing_is_missed_by_clients_only(whatsapp, page, module):
    whatsapp.switches.set("missing_module", module)
    await page.reload()
    await link(whatsapp, page)
    asked = f"(() => {{ try {{ require('{module}'); return true }} catch {{ return false }} }})()"
    assert await page.evaluate(asked) is False


async def test_a_build_without_require(whatsapp, page):
    whatsapp.switches.set("unknown_build", "no_require")
    await page.reload()
    whatsapp.phones.scan(await code_of(page), NUMBER)
    await page.locator(CHATS).wait_for()
    assert await page.evaluate("typeof window.require") == "undefined"


@pytest.mark.parametrize("stage", ["launching", "restored", "syncing"])
async def test_a_passkey_in_a_stage_of_a_restored_session(whatsapp, page, stage):
    await link(whatsapp, page)
    whatsapp.switches.set("passkey_at", stage)
    await page.reload()
    asked = page.locator("[data-testid=link-device-passkey]")
    await asked.wait_for()
    await until(lambda: any(each.passkey_for for each in whatsapp.hub.pages.values()), "the server knows")
    twice = "2000 * window.require('StandInConfig').timings.chat_list"
    await page.evaluate(f"new Promise((resolve) => setTimeout(resolve, {twice}))")
    assert await asked.is_visible(), "a restored session's chats do not cover the request"
    whatsapp.phones.passkey(NUMBER, "approve")
    await page.locator(CHATS).wait_for()


@pytest.mark.parametrize("reason", ["3", "storage_quota_exceeded", "account_locked"])
async def test_a_log_out_has_its_reason(whatsapp, page, reason):
    await link(whatsapp, page)
    whatsapp.phones.logout(NUMBER, reason)
    code = "0" if reason == "storage_quota_exceeded" else "3"
    await page.wait_for_url(f"**/?post_logout=1&logout_reason={code}")


async def test_the_host_answers_as_the_switches_say(whatsapp, page):
    whatsapp.switches.set("head_status", 501)
    assert (await page.request.head(whatsapp.url)).status == 501
    whatsapp.switches.set("only_browsers", value=True)
    assert (await page.request.get(whatsapp.url)).status == 403
    assert (await page.goto(whatsapp.url)).status == 200
