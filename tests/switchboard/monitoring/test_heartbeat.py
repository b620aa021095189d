"""The heartbeat over real HTTP, to stand-ins of the services built from their documented APIs."""

import asyncio
import contextlib
import gc
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
import trustme
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
    """Answers as configured, and records the requests."""

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
        "The heartbeat cannot be sent: it answers 503"
    ]
    assert SECRET not in caplog.text


async def test_a_service_that_is_not_there_ends_nothing(caplog, unused_tcp_port):
    heartbeat = Heartbeat(
        f"http://127.0.0.1:{unused_tcp_port}/{SECRET}", lambda: (True, ""), every=0.05, first_wait=0.01
    )
    async with beating(heartbeat):
        await until(lambda: "cannot be sent" in caplog.text, "the warning")

    assert SECRET not in caplog.text


# --- services as strangers have them ----------------------------------------------------------------------------------


async def logged(address: str, caplog: pytest.LogCaptureFixture) -> str:
    """Return why the service could not be reached, and check that nothing waits for it for long."""
    heartbeat = Heartbeat(address, lambda: (True, ""), every=0.05, first_wait=0.01)
    async with beating(heartbeat):
        await until(lambda: "cannot be sent" in caplog.text, "the warning")
    assert SECRET not in caplog.text
    (warning,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    return warning.removeprefix("The heartbeat cannot be sent: ")


async def test_a_redirect_is_followed_nowhere_and_says_what_to_do(service, caplog):
    service.answers = [301] * 100
    assert await logged(service.address, caplog) == (
        "it redirects (301): HEARTBEAT_URL must be the address that it leads to"
    )
    assert {path for path, _ in service.came} <= {f"/ping/{SECRET}/start", f"/ping/{SECRET}"}


@contextlib.asynccontextmanager
async def raw_server(answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """Answer so; yields the port. Nothing is left open at the end."""
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            await reader.read(4096)
            with contextlib.suppress(ConnectionError):
                await answer(writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def hang(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(60):
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.05)


async def talk_nonsense(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.org ESMTP\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("answer", "why"),
    [(hang, "no answer in 0.2 s"), (drip, "no answer in 0.2 s"), (talk_nonsense, "RemoteProtocolError")],
)
async def test_one_that_hangs_drips_or_speaks_something_else_ends_nothing(answer, why, caplog, monkeypatch):
    if answer is not talk_nonsense:  # whose answer comes in time, however busy the machine is
        monkeypatch.setattr("switchboard.monitoring.heartbeat.CALL_DEADLINE", 0.2)
    async with raw_server(answer) as port:
        assert await logged(f"http://127.0.0.1:{port}/ping/{SECRET}", caplog) == why


@pytest.mark.parametrize("body", [b"Content-Length: 1000\r\n\r\n.", b"\r\n" + bytes(1 << 20)], ids=["slow", "endless"])
async def test_a_status_is_an_answer_whatever_its_body_does(body, caplog, monkeypatch):
    monkeypatch.setattr("switchboard.monitoring.heartbeat.CALL_DEADLINE", 20)
    came, more = [], asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        came.append(b"")
        more.set()
        writer.write(b"HTTP/1.1 200 OK\r\n" + body)
        await asyncio.sleep(60)

    async with raw_server(answer) as port:
        heartbeat = Heartbeat(f"http://127.0.0.1:{port}/{SECRET}", lambda: (True, ""), every=0.05, first_wait=30)
        async with beating(heartbeat), asyncio.timeout(20):
            while len(came) < 3:  # the second one of a call comes after thirty seconds
                await more.wait()
                more.clear()
    assert "cannot be sent" not in caplog.text


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the library leaves the connection to the garbage collector
async def test_a_proxy_of_the_environment_that_does_not_speak_socks_ends_nothing(caplog, monkeypatch):
    async with raw_server(talk_nonsense) as port:
        monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
        assert await logged(f"http://hc.example/ping/{SECRET}", caplog) == "ProtocolError"
    gc.collect()


def distrusted() -> ssl.SSLContext:
    """A server's context with a certificate that nobody here vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # likewise, since Python 3.13
async def test_a_certificate_that_nobody_vouches_for_is_named(caplog):
    app = web.Application()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=distrusted()).start()
    try:
        address = f"https://127.0.0.1:{runner.addresses[0][1]}/ping/{SECRET}"
        assert await logged(address, caplog) == "its TLS certificate is not accepted"
    finally:
        await runner.cleanup()
    gc.collect()


async def test_what_is_not_known_yet_is_not_told(service, monkeypatch):
    monkeypatch.setattr("switchboard.monitoring.heartbeat.ASK_AGAIN", 0.01)
    reports = iter([None, None, (True, "2/2 connected")])
    async with beating(Heartbeat(service.address, lambda: next(reports, (True, "later")), every=0.05)):
        await service.wait_for(2)
    assert [path.removeprefix(f"/ping/{SECRET}") for path, _ in service.came[:2]] == ["/start", ""]
