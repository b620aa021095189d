"""The fallback channel with the real Apprise: to a mail server and HTTP receivers on this machine, some failing."""

import asyncio

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller

from switchboard.monitoring.fallback import FallbackChannel, FallbackError

TITLE, TEXT = "Switchboard: an alert", "•••4567 Berlin: logged out on the phone.\nPress Link again."


class Mailbox:
    def __init__(self) -> None:
        self.came: list[str] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - the library's name
        self.came.append(envelope.content.decode())
        return "250 OK"


@pytest.fixture
def mail_server(unused_tcp_port):
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=unused_tcp_port)
    controller.start()
    try:
        yield mailbox, unused_tcp_port
    finally:
        controller.stop()


@pytest.fixture
async def receiver():
    came: list[dict] = []
    app = web.Application()

    async def take(request: web.Request) -> web.Response:
        came.append(await request.json())
        return web.Response()

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=500)

    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    app.add_routes([web.post("/take", take), web.post("/refuse", refuse), web.post("/hang", hang)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield came, f"json://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_mail_and_a_webhook_take_it(mail_server, receiver):
    mailbox, port = mail_server
    came, address = receiver
    mail = f"mailto://127.0.0.1:{port}?from=switchboard@example.org&to=duty@example.org&mode=insecure"
    took = await FallbackChannel([mail, f"{address}/take"]).send(TITLE, TEXT)

    assert took == {"1 (mailto)": True, "2 (json)": True}
    assert came[0]["message"] == TEXT
    assert came[0]["title"] == TITLE
    (letter,) = mailbox.came
    assert "duty@example.org" in letter


async def test_who_refuses_or_is_not_there_did_not_take_it_and_no_secret_is_logged(receiver, unused_tcp_port, caplog):
    _, address = receiver
    secret = f"json://user:hunter2@127.0.0.1:{unused_tcp_port}/token"
    took = await FallbackChannel([f"{address}/refuse", secret]).send(TITLE, TEXT)

    assert took == {"1 (json)": False, "2 (json)": False}
    assert "hunter2" not in caplog.text
    assert "token" not in caplog.text
    assert str(unused_tcp_port) not in caplog.text


async def test_who_hangs_is_not_waited_for(receiver):
    _, address = receiver
    loop = asyncio.get_running_loop()
    began = loop.time()
    took = await FallbackChannel([f"{address}/hang", f"{address}/take"], deadline=2).send(TITLE, TEXT)

    assert took == {"1 (json)": False, "2 (json)": True}
    assert loop.time() - began < 20


@pytest.mark.parametrize("address", ["carrier-pigeon://loft", "hunter2", "https//x"])
def test_an_address_that_nobody_knows_is_one_line_without_it(address):
    with pytest.raises(FallbackError) as raised:
        FallbackChannel([address])

    assert str(raised.value).startswith("ALERT_FALLBACK_URLS: address 1")
    assert "loft" not in str(raised.value)
    assert "hunter2" not in str(raised.value)
