"""What browsers are spared: on a heavy page nothing is loaded that nobody looks at, and all that is looked at works."""

import asyncio
import contextlib
import io

import pytest
from PIL import Image

from controller.accounts.reports import Code, Ended, Health, Loaded, Ready
from controller.chromium.process.find import Browser
from controller.chromium.process.flags import SAVINGS, arguments, viewport
from controller.driver import DriverError
from sandbox.whatsapp import Heavy, Options, Timings, WhatsAppStandIn
from tests.controller.chromium.conftest import SPEED, Rig, eventually
from tests.waiting import until

MOST_PROCESSES = 2
"""Of a browser's own where it runs without its sandbox: the browser and the page."""
PICTURES = "require('StandInHeavy').pictures"


@pytest.fixture
async def heavy():
    options = Options(timings=Timings().scaled(SPEED), heavy=Heavy(chats=300, stored=4, code=500))
    async with WhatsAppStandIn(options) as stand_in:
        yield stand_in


@pytest.fixture
async def heavy_rig(heavy, tmp_path):
    rig = Rig(tmp_path / "data", heavy.url)
    yield rig
    for session in rig.sessions:
        await session.close()
    await rig.driver.stop()


async def shown(session) -> dict[str, int]:
    """What the page itself has seen of its pictures, once its rows are there."""
    counted = "() => document.querySelectorAll('.heavy img').length > 0 && require('StandInHeavy').pictures"
    told: list[dict[str, int]] = []

    async def look() -> bool:
        with contextlib.suppress(DriverError):  # a fresh link may be loading once more, to be durable
            told.append(await session._evaluate(counted, None))
        return bool(told and told[-1])

    await until(look, "its rows are there")
    return told[-1]


@pytest.mark.chromium
async def test_a_heavy_page_without_pictures_and_fonts_is_linked_restored_and_looked_at(heavy, heavy_rig):
    session = await heavy_rig.linked(heavy)
    assert await shown(session) == {"loaded": 0, "failed": 0}, "the page saw neither success nor failure"
    assert heavy.asked["picture"] == heavy.asked["font"] == 0
    assert heavy.asked["code"] > 0
    assert await session.probe() == Health()
    view = await session.look()
    assert Image.open(io.BytesIO(view.picture)).size == viewport(frozenset(SAVINGS))
    if session.pid and "--no-zygote" in " ".join(heavy_rig.processes()[0].cmdline()):
        family = [*heavy_rig.processes(), *heavy_rig.processes()[0].children(recursive=True)]
        assert len(family) <= MOST_PROCESSES, family
    await session.close()
    seen = len(heavy_rig.reports)
    await heavy_rig.open()
    await heavy_rig.seen(Ready, after=seen)
    assert not [report for report in heavy_rig.reports[seen:] if isinstance(report, Code | Ended)]


@pytest.mark.chromium
async def test_each_saving_has_an_off_switch(heavy, heavy_rig):
    heavy_rig.make(savings=frozenset(SAVINGS) - {"pictures", "fonts", "layout"})
    session = await heavy_rig.linked(heavy)
    await shown(session)
    await eventually(lambda: heavy.asked["picture"] and heavy.asked["font"])
    view = await session.look()
    assert Image.open(io.BytesIO(view.picture)).size == viewport(frozenset())


@pytest.mark.parametrize("name", SAVINGS)
def test_what_is_switched_off_is_on_no_command_line(name, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    browser = Browser("chromium", "1.2.3.4")
    every, without = (set(arguments(browser, (), frozenset(SAVINGS) - off)) for off in (set(), {name}))
    assert every - without == set(SAVINGS[name])


def test_zygotes_stay_where_there_is_a_sandbox(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    kept = arguments(Browser("chromium", "1.2.3.4"))
    assert "--no-zygote" not in kept
    assert "--no-unsandboxed-zygote" in kept, "it has nothing to start"
    assert "--no-unsandboxed-zygote" not in arguments(
        Browser("chromium", "1.2.3.4"), savings=frozenset(SAVINGS) - {"zygote"}
    )


CDP_CALLS_PER_IDLE_MINUTE = 9
"""Two probes of two calls, and one heartbeat of three at most, with `HEALTH_CHECK_SECONDS` and `KEEP_ALIVE_SECONDS`."""


@pytest.mark.chromium
async def test_an_idle_minute_costs_a_few_calls_and_no_reports(heavy, heavy_rig, monkeypatch, soon_durable):
    session = await heavy_rig.linked(heavy)
    await shown(session)
    await heavy_rig.seen(Loaded)
    sent, send = [], type(session._parts.page_cdp).send

    async def counted(self, method, params=None):
        sent.append(method)
        return await send(self, method, params)

    monkeypatch.setattr(type(session._parts.page_cdp), "send", counted)
    reports = len(heavy_rig.reports)
    for _ in range(2):
        assert await session.probe() == Health()
    assert await session.heartbeat(ask=True)
    assert len(sent) <= CDP_CALLS_PER_IDLE_MINUTE, sent
    sent.clear()
    await asyncio.sleep(2)
    assert sent == [], "nothing is asked between"
    assert heavy_rig.reports[reports:] == [], "and nothing is told"
