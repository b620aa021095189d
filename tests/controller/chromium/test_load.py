"""Pages that do not load, and pages that are not recognised."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended
from controller.driver import DriverError
from sandbox.whatsapp import WhatsAppStandIn
from tests.controller.chromium.conftest import Rig

pytestmark = pytest.mark.chromium


async def test_the_page_answers_with_an_error(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("http_error", 500)
    await rig.open()
    ended = await rig.seen(Ended)
    assert (ended.reason, ended.detail) == (Reason.LAUNCH_FAILED, "the page answered HTTP 500")


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
    assert "refuses" in ended.detail


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
    rig.make(page_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connect_timeout=6.0)
    await rig.open()
    ended = await rig.seen(Ended)
    assert (ended.reason, ended.detail) == (Reason.LAUNCH_FAILED, "the page did not load within 3.3 s")
    server.close()
    for writer in writers:
        writer.close()


async def test_a_page_that_nobody_knows(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("unknown_build", "all")
    rig.make(connect_timeout=8.0)
    await rig.open()
    ended = await rig.seen(Ended)
    assert ended.reason is Reason.PAGE_UNKNOWN
    assert ended.picture is not None
    assert ended.picture.startswith(b"\x89PNG")


async def test_an_endless_start_of_a_known_page_is_left_to_its_deadline(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    stand_in.switches.set("endless_load", value=True)
    rig.make(connect_timeout=4.0)
    await rig.open()
    await asyncio.sleep(4)  # longer than loading and settling may take: nothing must be reported
    assert rig.reports == []


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
