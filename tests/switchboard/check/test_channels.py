"""`switchboard check` of the fallback channel, the heartbeat and the endpoints: parsed and reached, never sent to."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme
from aiohttp import web

from switchboard.check.channels import check_channels
from switchboard.check.findings import Verdict
from switchboard.data_dir import lock_data_dir
from switchboard.monitoring.fallback import place_of
from switchboard.settings import Settings


async def found(tmp_path, **more):
    settings = Settings(
        telegram_bot_token="7:x", telegram_admin_ids="1", data_dir=tmp_path / "data", _env_file=None, **more
    )  # fmt: skip
    return {each.name: each async for each in check_channels(settings)}


def distrusted() -> ssl.SSLContext:
    """A server's context with a certificate that nobody here vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


@contextlib.asynccontextmanager
async def service(context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[str]]]:
    came: list[str] = []

    async def take(request: web.Request) -> web.Response:
        came.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1], came
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("mailtos://ada:hunter2@mail.example.org?to=bob@example.org", ("mail.example.org", 587, False)),
        ("ntfys://ntfy.example.org/topic", ("ntfy.example.org", 443, True)),
        ("ntfy://topic", ("ntfy.sh", 443, True)),
        ("json://127.0.0.1:8080/hook", ("127.0.0.1", 8080, False)),
        ("matrixs://ada:hunter2@matrix.example.org:8448/#room", ("matrix.example.org", 8448, True)),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", ("discord.com", 443, True)),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#nuxref", None),
        ("nonsense://x", None),
    ],
)
def test_where_an_address_leads(address, place):
    assert place_of(address) == place


async def test_what_can_be_reached_is_good_and_gets_nothing(tmp_path):
    async with service() as (port, came):
        told = await found(
            tmp_path,
            alert_fallback_urls=f"json://127.0.0.1:{port}/hook-secret slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#x",
            heartbeat_url=f"http://127.0.0.1:{port}/ping/secret",
        )  # fmt: skip
    assert {name: each.verdict for name, each in told.items()} == {
        "fallback channel 1 (json)": Verdict.GOOD, "fallback channel 2 (slack)": Verdict.GOOD,
        "heartbeat": Verdict.GOOD,
    }  # fmt: skip
    assert "not tried here" in told["fallback channel 2 (slack)"].text
    assert came == []
    assert "secret" not in str(told)


async def test_what_is_away_comes_later_and_what_is_not_understood_is_to_be_mended(tmp_path, unused_tcp_port):
    away = f"127.0.0.1:{unused_tcp_port}"
    told = await found(tmp_path, alert_fallback_urls=f"json://{away}/", heartbeat_url=f"https://{away}/ping/secret")
    assert {each.verdict for each in told.values()} == {Verdict.LATER}
    told = await found(tmp_path, alert_fallback_urls=f"json://{away}/ nonsense://hunter2")
    assert told["fallback channel"].verdict is Verdict.MEND
    assert "address 2 (nonsense)" in told["fallback channel"].text
    assert "hunter2" not in str(told)


async def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path):
    async with service(distrusted()) as (port, _):
        told = await found(tmp_path, heartbeat_url=f"https://127.0.0.1:{port}/ping/secret")
    assert told["heartbeat"].verdict is Verdict.LATER
    assert "TLS certificate is not accepted" in told["heartbeat"].text


async def test_without_a_fallback_that_is_said(tmp_path):
    told = await found(tmp_path)
    assert [each.verdict for each in told.values()] == [Verdict.NOTE]


async def test_the_port_of_the_health_endpoints(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        assert (await found(tmp_path, health_listen=listen))["health"].verdict is Verdict.MEND
        with lock_data_dir(tmp_path / "data"):  # in the product it is another process that holds it
            assert (await found(tmp_path, health_listen=listen))["health"].verdict is Verdict.GOOD
    await asyncio.sleep(0)
    assert (await found(tmp_path, health_listen=listen))["health"].verdict is Verdict.GOOD
