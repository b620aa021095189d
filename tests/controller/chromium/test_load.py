"""Pages that do not load, and pages that are not recognised."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import Error as PlaywrightError

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended
from controller.chromium.page import screenshot
from controller.chromium.page.documents import Documents, Timing
from controller.driver import DriverError
from sandbox.whatsapp import WhatsAppStandIn
from tests.controller.chromium.conftest import Rig, eventually
from tests.controller.chromium.test_fence import FakeCdp
from tests.virtual_time import pass_time, virtual

pytestmark = pytest.mark.chromium


async def test_the_page_answers_with_an_error(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("http_error", 500)
    await rig.open()
    ended = await rig.seen(Ended)
    says = "the page answered HTTP 500: it says “500: this server is not well.”"
    assert (ended.reason, ended.detail, ended.picture is not None) == (Reason.LAUNCH_FAILED, says, True)


async def test_the_host_name_is_not_known(rig: Rig) -> None:
    rig.make(page_url="http://web.whatsapp.invalid/", extra_args=("--host-resolver-rules=MAP *.invalid ~NOTFOUND",))
    await rig.open()
    ended = await rig.seen(Ended)
    assert ended.reason is Reason.LAUNCH_FAILED
    assert "DNS" in ended.detail
    assert "\n" not in ended.detail


async def test_nobody_listens(rig: Rig) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        rig.make(page_url=f"http://127.0.0.1:{closed.getsockname()[1]}/")
        await rig.open()
        ended = await rig.seen(Ended)
    assert ended.reason is Reason.LAUNCH_FAILED
    assert "the connection is refused" in ended.detail


@asynccontextmanager
async def site(handler: web.RequestHandler | object) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_a_load_that_never_ends(rig: Rig) -> None:
    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    rig.make(page_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", load=2.2)
    await rig.open()
    ended = await rig.seen(Ended)
    assert (ended.reason, ended.detail) == (Reason.LAUNCH_FAILED, "the page did not load within 2.2 s")
    server.close()
    for writer in writers:
        writer.close()


async def test_a_page_that_nobody_knows(rig: Rig, stand_in: WhatsAppStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshot, "_SECONDS", 45.0)  # that there is one, not how soon
    stand_in.switches.set("unknown_build", "all")
    rig.make(settle=2.0)
    await rig.open()
    ended = await rig.seen(Ended)
    assert ended.reason is Reason.PAGE_UNKNOWN
    assert ended.picture is not None
    assert ended.picture.startswith(b"\x89PNG")


async def test_an_endless_start_of_a_known_page_is_left_to_its_deadline(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("endless_load", value=True)
    session = await rig.open()
    await eventually(lambda: session._documents.is_recognised or rig.reports)
    assert rig.reports == []
    assert session._documents._settling is None, "nothing else would end it"


class FakePage:
    """Loads at once and can be asked nothing."""

    async def goto(self, *_: object, **__: object) -> None:
        return None

    async def screenshot(self, **_: object) -> bytes:
        raise PlaywrightError("has been closed")


class FakeOwner:
    def __init__(self) -> None:
        self.ended: list[Ended] = []
        self.log_outs: list[str] = []

    def end(self, ended: Ended) -> None:
        self.ended.append(ended)

    def renew(self) -> None: ...

    async def words(self) -> str:
        return ""

    def log_out_address(self, code: str) -> None:
        self.log_outs.append(code)


@virtual
async def test_the_log_out_address_has_its_own_time_though_what_led_there_was_never_recognised() -> None:
    url, cdp, owner = "https://web.whatsapp.com/", FakeCdp(), FakeOwner()
    timing = Timing(load=30.0, settle=15.0, close=1.0)
    documents = Documents(FakePage(), cdp, url, timing, owner)  # type: ignore[arg-type]
    documents.watch()
    loading = asyncio.create_task(documents.load(fresh=False))
    await pass_time(14.0)
    cdp.listeners["Page.frameNavigated"]({"frame": {"url": f"{url}?post_logout=1&logout_reason=0"}})
    assert owner.log_outs == ["0"]
    await pass_time(14.0)
    assert owner.ended == []
    documents.recognise()
    await pass_time(60.0)
    assert owner.ended == []
    await documents.stop()
    await loading


async def test_a_slow_page_is_waited_for(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("slow_load", 2)
    await rig.open()
    await rig.seen(Code)


async def test_a_page_that_goes_on_to_another_while_loading(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    async def redirect(_: web.Request) -> web.Response:
        text = f"<script>location.replace({stand_in.url!r})</script>"
        return web.Response(text=text, content_type="text/html")

    async with site(redirect) as url:
        rig.make(page_url=url)
        await rig.open()
        await rig.seen(Code)


async def test_a_browser_that_is_none(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    folder = rig.data_dir.parent
    broken = folder / "broken"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Chromium 156.0.0.1" && exit 0\necho no luck >&2\nexit 3\n'
    )
    broken.chmod(0o700)
    silent = folder / "silent"
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o700)
    for executable, words in [
        (folder / "missing", "CHROMIUM_PATH is no executable"),
        (silent, "does not report its version"),
        (broken, r"could not start the browser: it ended \(exit code 3\) no luck"),
    ]:
        rig.make(executable=executable)
        with pytest.raises(DriverError, match=words) as raised:
            await rig.open()
        assert raised.value.reason is Reason.LAUNCH_FAILED
        assert "\n" not in raised.value.detail
        await rig.driver.stop()
