"""The page is untrusted: whatever it sends, no report fails, forges a log line or leaks a secret."""

import math
from base64 import b64encode
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from playwright.async_api import Error as PlaywrightError

from controller.accounts.reasons import Reason
from controller.accounts.reports import Authenticated, Code, Ended
from controller.chromium.page.documents import _address, _host
from controller.chromium.page.reader import PageReader, Stands
from controller.chromium.page.snapshot import Connection, log_out_code, words_of
from controller.chromium.playwright.errors import translate
from tests.controller.chromium.conftest import ACCOUNT, Rig, eventually

KEY = b64encode(bytes(range(32))).decode()
CODE = f"2@{b64encode(bytes(range(100, 196))).decode()},{KEY},{KEY},{KEY},1"
FORGED = f"x\n2026-01-01 00:00:00,000 INFO    State: IDLE → CONNECTED\r\x1b[31m\u202e {CODE} +491511234567"

numbers = st.one_of(st.integers(), st.floats(), st.booleans())
states = st.sampled_from(["UNPAIRED", "PAIRING", "OPENING", "CONNECTED", "TOS_BLOCK", "CONFLICT", FORGED])
values = st.recursive(
    st.one_of(st.none(), numbers, st.text(), states, st.just(10**400), st.just(CODE)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=5,
)
sights = st.fixed_dictionaries(
    {"kind": st.sampled_from(["snapshot", "state", "heard", "passkey", "logged out"])},
    optional=dict.fromkeys(("state", "synced", "code", "marks", "me", "percent", "blockEndsIn"), values)
    | {"state": st.one_of(states, values), "code": st.one_of(st.text(), st.just(CODE), values)},
)


def assert_fit_for_people(text: str) -> None:
    assert text.isprintable()
    assert len(text) <= 200
    assert not [part for part in CODE.split(",") if len(part) > 16 and part in text]
    assert "491511234567" not in text


@given(st.lists(st.one_of(values, sights), max_size=8), st.booleans())
def test_nothing_that_a_page_tells_fails_or_gets_through_unchecked(messages, takeover):
    reader = PageReader(takeover=takeover)
    for told in messages:
        for said in reader.read(told):
            meant = said.meant if isinstance(said, Stands) else said
            if isinstance(meant, Code):
                assert meant.text.isascii()
                assert meant.text.isprintable()
            elif isinstance(meant, Ended):
                assert_fit_for_people(meant.detail)
                assert meant.block_ends_in is None or 0 <= meant.block_ends_in < 4e8


@pytest.mark.parametrize("told", [math.inf, -math.inf, math.nan, 1e300, 10**400, -1, True, "60", None])
def test_a_block_without_a_real_end_has_none(told):
    (ended,) = [
        said.meant
        for said in PageReader(takeover=False).read({"kind": "snapshot", "state": "TOS_BLOCK", "blockEndsIn": told})
        if isinstance(said, Stands) and isinstance(said.meant, Ended)
    ]
    assert ended == Ended(Reason.BANNED, "WhatsApp blocks the account (terms of service)")


@pytest.mark.parametrize("code", ["\ud800,b,c,d,e", "a,b,c,d,\n", "a,b,c,d,ü", ",".join("abcd") + "," + "x" * 1000])
def test_a_code_that_could_not_be_drawn_is_none(code):
    told = PageReader(takeover=False).read({"kind": "snapshot", "state": None, "code": code})
    assert not [said for said in told if isinstance(getattr(said, "meant", said), Code)]


@pytest.mark.parametrize("state", [FORGED, "", 7, {"a": 1}, "connected"])
def test_a_state_in_the_pages_own_words_is_not_handed_on(state):
    told = dict.fromkeys(("state", "stream", "mode", "info"), state)
    assert (Connection.parse(told).fault or "in no state that we know") == "in no state that we know"
    assert_fit_for_people(words_of(f"{state} {FORGED}"))


@pytest.mark.parametrize(
    "url",
    [
        "http://[", "http://ada:hunter2@example.com:1/", "http://491511234567.example/", "data://[x", "about:blank",
        f"http://{'a' * 300}.example/", "http://exa\x1bmple/", FORGED, "http://a\u2100b/", f"blob:{CODE}",
    ],
)  # fmt: skip
def test_where_the_page_went_is_told_without_what_it_may_hide(url):
    told = _host(_address(url))

    assert_fit_for_people(told)
    assert "hunter2" not in told


@pytest.mark.parametrize("code", [FORGED, "491511234567", "A" * 2000, KEY, "1\n", "<b>", "٣٤٥"])
def test_a_reason_for_a_logout_is_told_only_if_it_is_one(code):
    assert log_out_code(code) == ""
    assert log_out_code("401") == "401"
    assert log_out_code("storage_quota_exceeded") == "storage_quota_exceeded"


@pytest.mark.parametrize(
    "said",
    [
        f"Page.evaluate: Error: {FORGED}",
        f"Page.evaluate: {CODE}",
        f"Page.evaluate: Error: x\n[pid=1][err] switchboard launcher: profile in use by {FORGED}",
        f"Page.goto: {FORGED}",
        "BrowserType.launch: x\n[pid=1][err] switchboard launcher: cannot run /data/491511234567\x1b[2J",
    ],
)
def test_what_a_page_throws_is_not_handed_on(said):
    error = translate(PlaywrightError(said), "ask the page", Reason.UNRESPONSIVE)

    assert_fit_for_people(error.detail)
    assert said.startswith("Browser") or error.reason is Reason.UNRESPONSIVE


PAGE = """<!doctype html><title>hostile</title><script>
const socket = { state: "UNPAIRED", hasSynced: false, on() {} };
const modules = {
  WAWebSocketModel: { Socket: socket },
  WAWebTemporaryBan: { TemporaryBan: { expiresAt: "Infinity" } },
  WAWebUserPrefsMeUser: { getMaybeMePnUser: () => window.me ?? null },
};
window.require = (id) => modules[id];
</script>"""


@pytest.fixture
async def hostile() -> AsyncIterator[str]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/{any:.*}", page)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.chromium
async def test_a_hostile_page_in_a_real_browser(tmp_path, hostile):
    rig = Rig(tmp_path / "data", hostile)
    try:
        session = await rig.open()
        page = session._parts.page
        await eventually(lambda: session._documents.is_recognised)

        await page.evaluate("(text) => { socket.state = text }", FORGED)
        health = await session.probe()
        assert_fit_for_people(health.detail)
        assert health.failed is not None

        await page.evaluate("(text) => { document.querySelector = () => { throw new Error(text) } }", FORGED)
        health = await session.probe()
        assert health.detail == "could not ask the page: its script failed"

        await page.evaluate("() => { delete document.querySelector; socket.state = 'TOS_BLOCK' }")
        ended = await eventually(lambda: next((one for one in rig.reports if isinstance(one, Ended)), None))
        assert ended == Ended(Reason.BANNED, "WhatsApp blocks the account (terms of service)")
        await session.close()

        before = len(rig.reports)
        session = await rig.open()
        await eventually(lambda: session._documents.is_recognised)
        number, query = ACCOUNT.removeprefix("+"), "?post_logout=1&logout_reason=491511234567"
        await session._parts.page.evaluate("(number) => { me = `${number}@c.us`; socket.state = 'CONNECTED' }", number)
        await rig.seen(Authenticated, after=before)  # who was nobody's cannot be logged out
        await session._parts.page.evaluate("(query) => { location.href = '/' + query }", query)
        ended = await eventually(lambda: next((one for one in rig.reports[before:] if isinstance(one, Ended)), None))
        assert ended == Ended(Reason.LOGGED_OUT, "WhatsApp removed this linked device")
    finally:
        for session in rig.sessions:
            await session.close()
        await rig.driver.stop()
