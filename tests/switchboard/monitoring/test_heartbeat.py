"""The heartbeat over real HTTP, to stand-ins of the services built from their documented APIs."""

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from switchboard.monitoring.heartbeat import BODY_LIMIT, Call, Heartbeat, Signal, call_for
from tests.waiting import until

SECRET = "11111111-2222-3333-4444-555555555555"
CHECK = f"https://hc.example/ping/{SECRET}"


@pytest.mark.parametrize(
    ("address", "signal", "call"),
    [
        (CHECK, Signal.GOOD, Call("POST", CHECK, "38/40")),
        (CHECK, Signal.FAIL, Call("POST", f"{CHECK}/fail", "38/40")),
        (f"{CHECK}/", Signal.START, Call("POST", f"{CHECK}/start", "38/40")),
        (f"{CHECK}?rid=7", Signal.FAIL, Call("POST", f"{CHECK}/fail?rid=7", "38/40")),
        (
            "http://kuma.example/api/push/abc?status=up&msg=OK&ping=",
            Signal.GOOD,
            Call("GET", "http://kuma.example/api/push/abc?status=up&msg=38%2F40"),
        ),
        (
            "http://kuma.example/api/push/abc",
            Signal.FAIL,
            Call("GET", "http://kuma.example/api/push/abc?status=down&msg=38%2F40"),
        ),
        ("http://kuma.example/api/push/abc", Signal.START, None),
        (
            "https://goalert.example/api/v2/heartbeat/x",
            Signal.GOOD,
            Call("POST", "https://goalert.example/api/v2/heartbeat/x"),
        ),
        ("https://goalert.example/api/v2/heartbeat/x", Signal.FAIL, None),
    ],
)
def test_each_service_is_told_in_its_own_words(address, signal, call):
    assert call_for(address, signal, "38/40") == call


def test_a_long_body_is_cut():
    call = call_for(CHECK, Signal.GOOD, "x" * 5000)
    assert call is not None
    assert len(call.body) == BODY_LIMIT


@dataclass
class Service:
    """Answers as it is told, and notes what came."""

    address: str = ""
    answers: list[int] = field(default_factory=list)
    came: list[tuple[str, str]] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((request.path, await request.text()))
        self.more.set()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.came) < count:
                self.more.clear()
                await self.more.wait()


@pytest.fixture
async def service():
    one = Service()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", one.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    one.address = f"http://127.0.0.1:{runner.addresses[0][1]}/ping/{SECRET}"
    yield one
    await runner.cleanup()


@contextlib.asynccontextmanager
async def beating(heartbeat: Heartbeat):
    running = asyncio.create_task(heartbeat.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_start_then_good_then_fail(service):
    reports = iter([(True, "2/2 connected"), (False, "database hung")])
    async with beating(Heartbeat(service.address, lambda: next(reports, (True, "later")), every=0.05)):
        await service.wait_for(3)

    path = f"/ping/{SECRET}"
    assert service.came[:3] == [(f"{path}/start", ""), (path, "2/2 connected"), (f"{path}/fail", "database hung")]


async def test_a_refusal_is_tried_three_times_and_logged_once_without_the_address(service, caplog):
    service.answers = [503] * 5
    async with beating(Heartbeat(service.address, lambda: (True, ""), every=0.05, first_wait=0.01)):
        await service.wait_for(7)

    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "The heartbeat's service cannot be told: it answers 503"
    ]
    assert SECRET not in caplog.text


async def test_a_service_that_is_not_there_ends_nothing(caplog, unused_tcp_port):
    heartbeat = Heartbeat(
        f"http://127.0.0.1:{unused_tcp_port}/{SECRET}", lambda: (True, ""), every=0.05, first_wait=0.01
    )
    async with beating(heartbeat):
        await until(lambda: "cannot be told" in caplog.text, "the warning")

    assert SECRET not in caplog.text
