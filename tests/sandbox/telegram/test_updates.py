"""Delivery of updates to the bot: long polling, confirmation, conflicts, webhook."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from sandbox.telegram import TelegramStandIn
from tests.sandbox.telegram.conftest import Caller

USER = 42
OTHER_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


async def start_poll(tg: TelegramStandIn, call: Caller, **parameters: int) -> asyncio.Task[dict]:
    """Begin a long poll and return once the server holds it."""
    before = len(tg.client.requests("getUpdates"))
    task = asyncio.create_task(call("getUpdates", timeout=50, **parameters))  # type: ignore[arg-type]
    await tg.client.wait_for(lambda: len(tg.client.requests("getUpdates")) > before and tg.world.updates.polling)
    return task


async def test_a_long_poll_returns_as_soon_as_somebody_writes(tg: TelegramStandIn, call: Caller):
    poll = await start_poll(tg, call)
    await tg.client.send(USER, "/start")
    updates = (await asyncio.wait_for(poll, 45))["result"]
    assert [update["message"]["text"] for update in updates] == ["/start"]
    entity = {"type": "bot_command", "offset": 0, "length": 6}
    assert updates[0]["message"]["entities"] == [entity]


async def test_updates_come_again_until_the_offset_confirms_them(tg: TelegramStandIn, call: Caller):
    for text in ("1", "2", "3"):
        await tg.client.send(USER, text)
    first = (await call("getUpdates"))["result"]
    assert (await call("getUpdates"))["result"] == first
    rest = (await call("getUpdates", offset=first[1]["update_id"]))["result"]
    assert [update["message"]["text"] for update in rest] == ["2", "3"]
    assert [u["message"]["text"] for u in (await call("getUpdates", offset=-1))["result"]] == ["3"]
    assert [u["message"]["text"] for u in (await call("getUpdates"))["result"]] == ["3"]
    assert len((await call("getUpdates", limit=1))["result"]) == 1


async def test_the_older_poll_is_ended_and_the_newer_goes_on(tg: TelegramStandIn, call: Caller):
    older = await start_poll(tg, call)
    newer = await start_poll(tg, call)
    assert await asyncio.wait_for(older, 45) == {
        "ok": False,
        "error_code": 409,
        "description": OTHER_POLLER,
    }
    await tg.client.send(USER, "hello")
    assert len((await asyncio.wait_for(newer, 45))["result"]) == 1


async def test_setting_a_webhook_ends_the_poll_and_bars_the_next(tg: TelegramStandIn, call: Caller):
    poll = await start_poll(tg, call)
    assert (await call("setWebhook", url="http://127.0.0.1:9/hook"))["ok"] is True
    assert (await asyncio.wait_for(poll, 45))["description"] == "Conflict: terminated by setWebhook request"
    barred = await call("getUpdates")
    assert (barred["error_code"], barred["description"]) == (
        409,
        WEBHOOK_ACTIVE,
    )
    assert (await call("deleteWebhook"))["ok"] is True
    assert (await call("getUpdates"))["ok"] is True


async def test_allowed_updates_keep_others_away(tg: TelegramStandIn, call: Caller):
    await call("getUpdates", allowed_updates=["callback_query"])
    await tg.client.send(USER, "unseen")
    assert (await call("getUpdates"))["result"] == []
    await call("getUpdates", allowed_updates=[])
    await tg.client.send(USER, "seen")
    assert len((await call("getUpdates"))["result"]) == 1


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"url": "nonsense"}, "Bad Request: invalid webhook URL specified"),
        ({"url": "https://x/", "secret_token": "x" * 257}, "Bad Request: secret token is too long"),
        ({"url": "https://x/", "secret_token": "a b"}, "Bad Request: secret token contains unallowed characters"),
    ],
)
async def test_webhooks_that_are_refused(call: Caller, parameters: dict, description: str):
    assert (await call("setWebhook", **parameters))["description"] == description


class Receiver:
    """A bot's own server: keeps what it is sent and answers with the statuses it is given, 200 after those."""

    def __init__(self) -> None:
        self.received: list[tuple[str | None, dict]] = []
        self.statuses: list[int] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.received.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), await request.json()))
        return web.Response(status=status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


async def until(condition) -> None:
    async with asyncio.timeout(45):
        while not condition():  # noqa: ASYNC110 - what is waited for is another server's state
            await asyncio.sleep(0.01)


async def test_a_webhook_gets_updates_in_order_with_its_secret(tg: TelegramStandIn, call: Caller, receiver: Receiver):
    await tg.client.send(USER, "before")
    await call("setWebhook", url=receiver.url, secret_token="s3cret_-")
    await tg.client.send(USER, "after")
    await until(lambda: len(receiver.received) == 2)
    assert [secret for secret, _ in receiver.received] == ["s3cret_-"] * 2
    assert [update["message"]["text"] for _, update in receiver.received] == ["before", "after"]
    info = (await call("getWebhookInfo"))["result"]
    assert info["url"] == receiver.url
    await until(lambda: not tg.world.updates.pending)  # the last one is taken off once its answer has come


async def test_a_webhook_that_fails_is_tried_again(tg: TelegramStandIn, call: Caller, receiver: Receiver):
    receiver.statuses = [500, 500]
    await call("setWebhook", url=receiver.url)
    await tg.client.send(USER, "x")
    await until(lambda: len(receiver.received) == 1)
    info = (await call("getWebhookInfo"))["result"]
    assert info["last_error_message"] == "Wrong response from the webhook: 500 Internal Server Error"


async def test_a_client_that_leaves_its_poll_loses_nothing(tg: TelegramStandIn, call: Caller):
    poll = await start_poll(tg, call)
    poll.cancel()
    with pytest.raises(asyncio.CancelledError):
        await poll
    await tg.client.send(USER, "x")
    assert len((await call("getUpdates"))["result"]) == 1


async def test_events_stream_what_happens(tg: TelegramStandIn, http: aiohttp.ClientSession):
    async with http.get(f"{tg.url}/client/events") as stream:
        await stream.content.readline()
        await tg.client.send(USER, "x")
        lines = []
        async with asyncio.timeout(45):
            while not any('"kind": "message"' in line for line in lines):
                lines.append((await stream.content.readline()).decode())
