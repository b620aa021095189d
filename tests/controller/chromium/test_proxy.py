"""Real Chromium through real proxies, with and without passwords, none of which is on a command line."""

import psutil
import pytest

from controller.accounts.reasons import Reason
from controller.accounts.reports import Code, Ended
from controller.driver import DriverError
from controller.network.proxy import parse_proxy
from sandbox.whatsapp import WhatsAppStandIn
from tests.controller.chromium.conftest import Rig, eventually
from tests.proxies import http_proxy, socks_proxy

pytestmark = [pytest.mark.chromium, pytest.mark.usefixtures("soon_durable")]


@pytest.mark.parametrize(
    ("kind", "login"),
    [(http_proxy, ""), (http_proxy, "ada:hunter2"), (socks_proxy, "")],
    ids=["http", "password", "socks"],
)
async def test_the_page_is_loaded_through_the_proxy(rig: Rig, stand_in: WhatsAppStandIn, kind, login) -> None:
    async with kind(login) as proxy:
        rig.make(proxy=parse_proxy(proxy.url(login)))
        session = await rig.open()
        await rig.seen(Code)
        assert stand_in.url.split("/")[2] in proxy.seen
        everybody = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        assert not any("hunter2" in command for command in everybody)
        await session.close()


async def test_an_account_s_own_proxy_goes_before_those_of_all(rig: Rig, stand_in: WhatsAppStandIn) -> None:
    async with http_proxy("ada:hunter2") as own, http_proxy() as common, http_proxy() as argument:
        rig.make(
            proxy=parse_proxy(common.url()), extra_args=(f"--proxy-server={argument.url()}", "--proxy-bypass-list=*")
        )
        session = await rig.open(proxy=own.url("ada:hunter2"))
        await rig.seen(Code)
        assert stand_in.url.split("/")[2] in own.seen
        assert common.seen == argument.seen == []
        everybody = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        assert not any("hunter2" in command for command in everybody)
        await session.close()


@pytest.mark.parametrize("login", ["", "ada:wrong"])
async def test_a_proxy_that_wants_another_password_is_named(rig: Rig, stand_in: WhatsAppStandIn, login) -> None:
    async with http_proxy("ada:hunter2") as proxy:
        rig.make(proxy=parse_proxy(proxy.url(login)))
        try:
            await rig.open()
            ended = await eventually(lambda: next((r for r in rig.reports if isinstance(r, Ended)), None))
            reason, detail = ended.reason, ended.detail
        except DriverError as error:
            reason, detail = error.reason, error.detail
        assert reason is not Reason.PAGE_UNKNOWN
        assert "407" in detail
