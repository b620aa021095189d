"""The page's server: who may use it, what it forwards, and its camera."""

import asyncio
import io

import pytest
from PIL import Image

from sandbox.people import PeoplePage
from sandbox.people.cast import ADMIN, GROUP, OPERATOR, PHONES
from sandbox.people.scanning import NoCodeError, read_code
from tests.sandbox.people.conftest import Desk, code_picture

pytestmark = pytest.mark.asyncio(loop_scope="module")
CODE = "2@ref,c3RhdGlj,aWRlbnRpdHk=,c2VjcmV0,1"


async def get(desk: Desk, path: str, **headers: str) -> tuple[int, dict]:
    async with desk.http.get(desk.page.url + path, headers=headers) as answer:
        return answer.status, await answer.json()


async def post(desk: Desk, path: str, body: dict) -> tuple[int, dict]:
    async with desk.http.post(desk.page.url + path, json=body) as answer:
        return answer.status, await answer.json()


async def test_the_cast_is_known_to_telegram_and_the_group_is_made_once(desk: Desk):
    names = [user["first_name"] for user in desk.telegram.client.users()]
    assert names == ["Ada", "Ben", "Sam"]
    _, cast = await get(desk, "cast")
    group = desk.telegram.client.chat(cast["group"]["id"])
    assert (group.title, sorted(group.members)) == (GROUP, [ADMIN, OPERATOR])
    async with (
        PeoplePage(desk.telegram.url, desk.whatsapp.url) as second,
        desk.http.get(second.url + "cast") as answer,
    ):
        assert (await answer.json())["group"] == cast["group"]


async def test_the_page_is_served_with_its_policy(desk: Desk):
    async with desk.http.get(desk.page.url) as answer:
        assert answer.content_type == "text/html"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


async def test_both_stand_ins_are_reached_by_the_peoples_doors_only(desk: Desk):
    status, sent = await post(desk, "telegram/client/send", {"user_id": ADMIN, "text": "/start"})
    assert (status, sent["text"]) == (200, "/start")
    assert (await get(desk, "whatsapp/phone/devices")) == (200, [])
    assert (await get(desk, f"telegram/bot{desk.telegram.token}/getMe"))[0] == 404
    assert (await get(desk, "whatsapp/index.html"))[0] == 404


async def test_a_stand_ins_refusal_comes_through(desk: Desk):
    missing = await post(desk, "telegram/client/press", {"message_id": 99, "data": "x"})
    assert missing == (404, {"error": "there is no message 99"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},  # another program's page on this machine
        {"Origin": "null"},
    ],
)
async def test_other_sites_are_kept_out(desk: Desk, headers: dict):
    status, answer = await get(desk, "cast", **headers)
    assert (status, set(answer)) == (403, {"error"})


async def test_its_own_page_is_let_in(desk: Desk):
    assert (await get(desk, "cast", Origin=desk.page.url.rstrip("/"), **{"Sec-Fetch-Site": "same-origin"}))[0] == 200
    local = desk.page.url.replace("127.0.0.1", "localhost").rstrip("/")
    host = local.removeprefix("http://")
    assert (await get(desk, "cast", Host=host, Origin=local))[0] == 200


async def test_a_stand_in_that_is_away(desk: Desk):
    await desk.telegram.stop()
    assert await get(desk, "telegram/client/users") == (502, {"error": "the stand-in does not answer"})


async def test_the_stream_goes_on_where_it_was(desk: Desk):
    """Otherwise the page would get again all that it knows, at each break of its stream."""
    _, chats = await get(desk, "telegram/client/chats")
    await desk.telegram.client.send(ADMIN, "one")
    headers = {"Last-Event-ID": f"{desk.telegram.world.feed.run}-{desk.telegram.world.feed.last}"}
    url = f"{desk.page.url}telegram/client/events?after={chats['event']}"
    async with desk.http.get(url, headers=headers) as stream, asyncio.timeout(45):
        await stream.content.readuntil(b"\n\n")
        await desk.telegram.client.send(ADMIN, "two")
        while b"message" not in (line := await stream.content.readuntil(b"\n\n")):
            pass
    assert b'"text": "two"' in line


async def test_which_pictures_are_codes(desk: Desk):
    await desk.telegram.client.send(ADMIN, "/start")
    blank = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(blank, "PNG")
    for picture, expected in ((code_picture(CODE), True), (blank.getvalue(), False)):
        number = (await desk.bot("sendPhoto", chat_id=ADMIN, photo=picture))["message_id"]
        name = desk.telegram.client.message(ADMIN, number)["photo"]["url"].rsplit("/", 1)[1]
        assert await get(desk, f"code/{name}") == (200, {"code": expected})
    assert await get(desk, "code/unknown") == (200, {"code": False})


async def test_a_bot_that_runs_elsewhere_cannot_be_stopped_from_here(desk: Desk):
    assert await get(desk, "program") == (200, {"ours": False})
    assert (await post(desk, "program", {"action": "kill"}))[0] == 409


async def test_what_cannot_be_scanned(desk: Desk):
    await desk.telegram.client.send(ADMIN, "/start")
    blank = io.BytesIO()
    Image.new("RGB", (200, 200), "white").save(blank, "PNG")
    number = (await desk.bot("sendPhoto", chat_id=ADMIN, photo=blank.getvalue()))["message_id"]
    scan = {"chat_id": ADMIN, "message_id": number, "as": PHONES[0]["number"]}
    assert await post(desk, "scan", scan) == (422, {"error": "the camera finds no QR code in this picture"})
    assert await post(desk, "scan", {**scan, "message_id": 999}) == (404, {"error": "the picture is gone"})
    assert (await post(desk, "scan", {"chat_id": ADMIN}))[0] == 400
    dead = (await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture(CODE)))["message_id"]
    assert await post(desk, "scan", {**scan, "message_id": dead}) == (
        404,
        {"error": "this code is dead or was never shown"},
    )


async def test_the_camera_reads_what_a_chat_shows(desk: Desk):
    await desk.telegram.client.send(ADMIN, "/start")
    await desk.bot("sendPhoto", chat_id=ADMIN, photo=code_picture(CODE))
    shown = desk.telegram.client.picture(desk.telegram.client.from_bot(ADMIN)[0])
    assert read_code(shown) == CODE


async def test_two_codes_in_one_picture_are_none():
    first, second = (Image.open(io.BytesIO(code_picture(text))).convert("L") for text in ("one", "two"))
    both = Image.new("L", (first.width + second.width, first.height), 255)
    both.paste(first, (0, 0))
    both.paste(second, (first.width, 0))
    encoded = io.BytesIO()
    both.save(encoded, "PNG")
    with pytest.raises(NoCodeError, match="several"):
        read_code(encoded.getvalue())
