"""The people over HTTP: what another process can do and see, and one clear line for what it cannot."""

import asyncio
import json
import sys

import aiohttp
import pytest

from sandbox.telegram import TelegramStandIn
from sandbox.telegram.feed import KEPT
from tests.sandbox.telegram.conftest import Caller

USER = 42
BUTTONS = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y:1"}]]}


async def test_a_conversation_over_http(tg: TelegramStandIn, http: aiohttp.ClientSession, call: Caller):
    base = tg.url + "/client"
    await post(http, f"{base}/user", {"user_id": USER, "first_name": "Ada"})
    sent = await post(http, f"{base}/send", {"user_id": USER, "chat_id": USER, "text": "/start"})
    assert sent["text"] == "/start"
    number = (await call("sendMessage", chat_id=USER, text="?", reply_markup=BUTTONS))["result"]["message_id"]
    pressed = await post(http, f"{base}/press", {"message_id": number, "data": "y:1"})
    await call("answerCallbackQuery", callback_query_id=pressed["query_id"], text="ok")
    await call("editMessageText", chat_id=USER, message_id=number, text="!")
    await call("deleteMessage", chat_id=USER, message_id=number)
    seen = await get(http, f"{base}/messages?chat_id={USER}")
    assert [message["text"] for message in seen["messages"]] == ["/start"]
    (gone,) = seen["deleted"]
    assert (gone["text"], gone["history"][0]["text"], gone["deleted_by"]) == ("!", "?", "bot")
    assert seen["chat"]["name"] == "Ada"


async def test_the_journal_over_http(tg: TelegramStandIn, http: aiohttp.ClientSession, call: Caller):
    await call("getMe")
    await call("sendMessage", chat_id=99, text="x")
    found = (await get(http, f"{tg.url}/client/requests?method=sendMessage"))["requests"]
    assert [(r["method"], r["parameters"], r["outcome"]) for r in found] == [
        ("sendMessage", {"chat_id": "99", "text": "x"}, "Bad Request: chat not found")
    ]


async def test_faults_over_http(tg: TelegramStandIn, http: aiohttp.ClientSession, call: Caller):
    rule = await post(http, f"{tg.url}/client/faults", {"kind": "500", "seconds": 60})
    assert (await call("getMe"))["error_code"] == 500
    listed = (await get(http, f"{tg.url}/client/faults"))["faults"]
    assert [(entry["number"], entry["hits"]) for entry in listed] == [(rule["number"], 1)]
    async with http.delete(f"{tg.url}/client/faults") as answer:
        assert answer.status == 200
    assert (await call("getMe"))["ok"] is True


async def test_groups_over_http(tg: TelegramStandIn, http: aiohttp.ClientSession):
    group = await post(http, f"{tg.url}/client/group", {"title": "Ops", "members": [1, 2]})
    large = await post(http, f"{tg.url}/client/migrate", {"chat_id": group["id"], "forum": True})
    chats = {chat["id"]: chat for chat in (await get(http, f"{tg.url}/client/chats"))["chats"]}
    assert chats[group["id"]]["migrated_to"] == large["id"]
    assert chats[large["id"]]["is_forum"] is True


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("send", {"text": "x"}, 400, "missing field 'user_id'"),
        ("send", {"user_id": 1, "chat_id": -5, "text": "x"}, 404, "there is no chat -5"),
        ("press", {"message_id": 5, "data": "x"}, 404, "there is no message 5"),
        ("block", {"user_id": 5}, 404, "there is no chat 5"),
        (
            "faults",
            {"kind": "explode"},
            400,
            "unknown kind of fault 'explode': an HTTP status, drop, hang, lost, portal, slow",
        ),
    ],
)
async def test_what_cannot_be_done(
    tg: TelegramStandIn, http: aiohttp.ClientSession, path: str, body: dict, status: int, error: str
):
    async with http.post(f"{tg.url}/client/{path}", json=body) as answer:
        assert (answer.status, await answer.json()) == (status, {"error": error})


async def test_the_stream_goes_on_from_a_given_event(tg: TelegramStandIn, http: aiohttp.ClientSession):
    await tg.client.send(USER, "missed")
    async with http.get(f"{tg.url}/client/events?after=0") as stream, asyncio.timeout(45):
        while True:
            line = (await stream.content.readline()).decode()
            if '"kind": "message"' in line:
                break
    assert '"text": "missed"' in line


async def events(http: aiohttp.ClientSession, url: str, count: int, **headers: str) -> list[tuple[str, str]]:
    """Return the first events of a stream as (id, kind)."""
    found: list[tuple[str, str]] = []
    event_id = ""
    async with http.get(url, headers=headers) as stream, asyncio.timeout(45):
        while len(found) < count:
            name, _, value = (await stream.content.readline()).decode().rstrip().partition(": ")
            if name == "id":
                event_id = value
            elif name == "data":
                found.append((event_id, json.loads(value)["kind"]))
    return found


@pytest.mark.parametrize("given", ["99999", "abcdef01-99999", "abcdef01-0"])
async def test_a_listener_of_another_run_is_told_and_blocks_nobody(
    tg: TelegramStandIn, http: aiohttp.ClientSession, given: str
):
    await tg.client.send(USER, "before")
    async with http.get(f"{tg.url}/client/events?after={given}") as stream, asyncio.timeout(45):
        await stream.content.readuntil(b"\n\n")
        assert b'"kind": "missed"' in await stream.content.readuntil(b"\n\n")
        await tg.client.send(USER, "since then")
        assert b"since then" in await stream.content.readuntil(b"\n\n")


async def test_a_stream_that_reconnects_goes_on_where_it_was(tg: TelegramStandIn, http: aiohttp.ClientSession):
    (at,) = [(await get(http, f"{tg.url}/client/chats"))["event"]]
    await tg.client.send(USER, "one")
    seen = await events(http, f"{tg.url}/client/events?after={at}", 1)
    kinds = [kind for _, kind in await events(http, f"{tg.url}/client/events?after={at}", 2)]
    again = await events(http, f"{tg.url}/client/events?after={at}", 1, **{"Last-Event-ID": seen[0][0]})
    assert again[0][1] == kinds[1]


async def test_a_listener_that_is_too_late_is_told_what_it_missed(tg: TelegramStandIn, http: aiohttp.ClientSession):
    for _ in range(KEPT + 5):
        tg.world.feed.publish("polling")
    found = await events(http, f"{tg.url}/client/events?after=1", 2)
    assert [kind for _, kind in found] == ["missed", "polling"]


async def test_the_failures_to_play_with_can_all_be_begun(tg: TelegramStandIn, http: aiohttp.ClientSession):
    presets = (await get(http, f"{tg.url}/client/faults"))["presets"]
    assert len({preset["label"] for preset in presets}) == len(presets) > 5
    for preset in presets:
        await post(http, f"{tg.url}/client/{preset['path']}", preset["rule"])
    assert all(preset["subject"] and preset["detail"] for preset in presets)


async def test_waiting_ends_with_its_deadline(tg: TelegramStandIn):
    with pytest.raises(TimeoutError, match=r"not true within 0\.01 s"):
        await tg.client.wait_for(lambda: False, 0.01)


async def test_a_busy_port_is_one_clear_line(tg: TelegramStandIn):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "telegram", "--port", str(tg.port), stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert errors.decode().splitlines() == [f"port {tg.port} cannot be used: address already in use"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_no_page_of_another_origin_may_control_it_or_use_the_bots_token(
    tg: TelegramStandIn, http: aiohttp.ClientSession, headers: dict
):
    for path in ("client/users", "client/requests", f"bot{tg.token}/getMe"):
        async with http.get(f"{tg.url}/{path}", headers=headers) as answer:
            assert answer.status == 403
        async with http.get(f"{tg.url}/{path}", headers={"Host": f"localhost:{tg.port}"}) as answer:
            assert answer.status == 200
    async with http.post(f"{tg.url}/client/faults", json={"kind": "500"}, headers=headers) as answer:
        assert answer.status == 403
    assert tg.world.faults.rules == []


async def post(http: aiohttp.ClientSession, url: str, body: dict) -> dict:
    async with http.post(url, json=body) as answer:
        assert answer.status == 200, await answer.text()
        found: dict = await answer.json()
        return found


async def get(http: aiohttp.ClientSession, url: str) -> dict:
    async with http.get(url) as answer:
        assert answer.status == 200, await answer.text()
        found: dict = await answer.json()
        return found
