"""Sending, editing, deleting and pressing over plain HTTP, with every error in the official server's wording."""

import io

import aiohttp
import pytest
from PIL import Image

from sandbox.telegram import TelegramStandIn
from tests.sandbox.telegram.conftest import Caller, HandClock, picture

USER = 42
BUTTONS = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y:1"}, {"text": "No", "callback_data": "n:1"}]]}
RESERVED = "Bad Request: can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'"
KEYBOARD_TOO_LONG = {"inline_keyboard": [[{"text": "x", "callback_data": "d" * 65}]]}


@pytest.fixture(autouse=True)
async def started(tg: TelegramStandIn) -> None:
    tg.client.add_user(USER, "Ada", username="ada")
    await tg.client.send(USER, "/start")


def refusal(answer: dict) -> str:
    assert answer["ok"] is False
    return answer["description"]


async def test_a_message_comes_back_as_telegram_writes_it(call: Caller, clock: HandClock):
    answer = await call("sendMessage", chat_id=USER, text="<b>Hi</b> /help", parse_mode="HTML")
    message = answer["result"]
    assert message["text"] == "Hi /help"
    assert message["entities"] == [
        {"type": "bold", "offset": 0, "length": 2},
        {"type": "bot_command", "offset": 3, "length": 5},
    ]
    assert message["chat"] == {"id": USER, "type": "private", "first_name": "Ada", "username": "ada"}
    assert message["from"]["is_bot"] is True
    assert message["date"] == int(clock.time)


@pytest.mark.parametrize("method", ["sendmessage", "SENDMESSAGE", "SendMessage"])
async def test_method_names_are_found_in_any_case(call: Caller, method: str):
    assert (await call(method, chat_id=USER, text="x"))["ok"] is True


async def test_parameters_come_in_the_query_urlencoded_and_multipart(tg: TelegramStandIn, http: aiohttp.ClientSession):
    url = f"{tg.url}/bot{tg.token}/sendMessage"
    form = aiohttp.FormData()
    form.add_field("chat_id", str(USER))
    form.add_field("text", "multipart")
    form.add_field("photo", b"x", filename="x.png")
    for request in (
        http.get(url, params={"chat_id": str(USER), "text": "query"}),
        http.post(url, data={"chat_id": str(USER), "text": "urlencoded"}),
        http.post(url, data=form),
    ):
        async with request as answer:
            assert answer.status == 200
    assert [m["text"] for m in tg.client.from_bot(USER)] == ["query", "urlencoded", "multipart"]


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"chat_id": USER}, "Bad Request: message text is empty"),
        ({"chat_id": USER, "text": " \n "}, "Bad Request: text must be non-empty"),
        ({"text": "x"}, "Bad Request: chat_id is empty"),
        ({"chat_id": 99, "text": "x"}, "Bad Request: chat not found"),
        ({"chat_id": "@nobody", "text": "x"}, "Bad Request: chat not found"),
        ({"chat_id": USER, "text": "x" * 4097}, "Bad Request: message is too long"),
        ({"chat_id": USER, "text": "😀" * 2049}, "Bad Request: message is too long"),
        (
            {"chat_id": USER, "text": "<b>x", "parse_mode": "HTML"},
            "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            {"chat_id": USER, "text": "a.b", "parse_mode": "MarkdownV2"},
            RESERVED,
        ),
        ({"chat_id": USER, "text": "x", "parse_mode": "BBCode"}, "Bad Request: unsupported parse_mode"),
        ({"chat_id": USER, "text": "x", "reply_markup": KEYBOARD_TOO_LONG}, "Bad Request: BUTTON_DATA_INVALID"),
        (
            {"chat_id": USER, "text": "x", "reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": ""}]]}},
            "Bad Request: BUTTON_DATA_INVALID",
        ),
        (
            {"chat_id": USER, "text": "x", "reply_parameters": {"message_id": 999}},
            "Bad Request: message to be replied not found",
        ),
        ({"chat_id": USER, "text": "x", "message_thread_id": 5}, "Bad Request: message thread not found"),
    ],
)
async def test_what_sendmessage_refuses(call: Caller, parameters: dict, description: str):
    assert refusal(await call("sendMessage", **parameters)) == description


async def test_length_is_counted_after_entity_parsing(call: Caller):
    text = "<b>" + "x" * 4096 + "</b>"
    assert (await call("sendMessage", chat_id=USER, text=text, parse_mode="HTML"))["ok"] is True


async def test_mark_up_is_read_before_the_chat_is_looked_up(call: Caller):
    answer = await call("sendMessage", chat_id=99, text="<b>", parse_mode="HTML")
    assert "can't parse entities" in refusal(answer)


async def test_unknown_token_method_and_path(tg: TelegramStandIn, call: Caller, http: aiohttp.ClientSession):
    assert await call("getMe", token="1:wrong") == {"ok": False, "error_code": 401, "description": "Unauthorized"}
    assert refusal(await call("getMe", token="wrong")) == "Unauthorized: invalid token specified"
    assert refusal(await call("noSuchMethod")) == "Not Found: method not found"
    async with http.post(f"{tg.url}/bot{tg.token}/getMe", data=b"{", headers={"Content-Type": "application/json"}) as a:
        assert a.status == 400


async def test_after_logout_nothing_is_served(call: Caller):
    assert (await call("logOut"))["result"] is True
    assert await call("getMe") == {"ok": False, "error_code": 400, "description": "Logged out"}


async def test_an_edit_changes_the_message_and_keeps_its_past(tg: TelegramStandIn, call: Caller, clock: HandClock):
    sent = (await call("sendMessage", chat_id=USER, text="one", reply_markup=BUTTONS))["result"]
    clock.pass_by(5)
    edited = (await call("editMessageText", chat_id=USER, message_id=sent["message_id"], text="two"))["result"]
    assert edited["edit_date"] - edited["date"] == 5
    assert "reply_markup" not in edited
    seen = tg.client.message(USER, sent["message_id"])
    assert seen["text"] == "two"
    assert seen["buttons"] == []
    assert [(version["text"], version["at"]) for version in seen["history"]] == [("one", clock.time - 5)]


@pytest.mark.parametrize("changed", [{"text": "two"}, {"text": "one", "reply_markup": BUTTONS}])
async def test_an_edit_that_changes_nothing_is_told_so(call: Caller, changed: dict):
    number = (await call("sendMessage", chat_id=USER, text="one"))["result"]["message_id"]
    same = await call("editMessageText", chat_id=USER, message_id=number, text="one")
    assert refusal(same).startswith("Bad Request: message is not modified: specified new message content")
    assert (await call("editMessageText", chat_id=USER, message_id=number, **changed))["ok"] is True


async def test_edits_of_what_is_not_there_or_not_ours(tg: TelegramStandIn, call: Caller):
    theirs = tg.client.messages(USER)[0]["message_id"]
    ours = (await call("sendMessage", chat_id=USER, text="x"))["result"]["message_id"]
    edit, gone = "editMessageText", "Bad Request: message to edit not found"
    assert refusal(await call(edit, chat_id=USER, message_id=999, text="y")) == gone
    not_ours = await call(edit, chat_id=USER, message_id=theirs, text="y")
    assert refusal(not_ours) == "Bad Request: message can't be edited"
    long = await call(edit, chat_id=USER, message_id=ours, text="y" * 4097)
    assert refusal(long) == "Bad Request: MESSAGE_TOO_LONG"
    caption = await call("editMessageCaption", chat_id=USER, message_id=ours, caption="y")
    assert refusal(caption) == "Bad Request: there is no caption in the message to edit"
    await call("deleteMessage", chat_id=USER, message_id=ours)
    assert refusal(await call(edit, chat_id=USER, message_id=ours, text="y")) == gone


async def send_photo(tg: TelegramStandIn, http: aiohttp.ClientSession, data: bytes, **fields: str) -> dict:
    form = aiohttp.FormData()
    for name, value in {"chat_id": str(USER), **fields}.items():
        form.add_field(name, value)
    form.add_field("photo", io.BytesIO(data), filename="qr.png", content_type="image/png")
    async with http.post(f"{tg.url}/bot{tg.token}/sendPhoto", data=form) as answer:
        body: dict = await answer.json()
        return body


async def test_a_photo_comes_in_sizes_as_jpeg(tg: TelegramStandIn, http: aiohttp.ClientSession, call: Caller):
    message = (await send_photo(tg, http, picture("blue"), caption="x", disable_notification="true"))["result"]
    assert [size["width"] for size in message["photo"]] == [90, 320, 520]
    file = (await call("getFile", file_id=message["photo"][-1]["file_id"]))["result"]
    async with http.get(f"{tg.url}/file/bot{tg.token}/{file['file_path']}") as answer:
        data = await answer.read()
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (520, 520))
    seen = tg.client.message(USER, message["message_id"])
    assert seen["silent"] is True
    assert tg.client.picture(seen) == data
    async with http.get(tg.url + seen["photo"]["url"]) as answer:
        assert await answer.read() == data
    async with http.get(f"{tg.url}/file/bot1:wrong/{file['file_path']}") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("data", "description"),
    [
        (b"no picture", "Bad Request: IMAGE_PROCESS_FAILED"),
        (picture(size=(21, 1)), "Bad Request: PHOTO_INVALID_DIMENSIONS"),
        (picture(size=(9000, 1001)), "Bad Request: PHOTO_INVALID_DIMENSIONS"),
        (
            b"x" * (10 * 1024 * 1024 + 1),
            "Bad Request: file of size 10485761 bytes is too big for a photo; the maximum size is 10485760 bytes",
        ),
    ],
    ids=["no picture", "too thin", "too wide", "too big"],
)
async def test_pictures_that_are_refused(
    tg: TelegramStandIn, http: aiohttp.ClientSession, data: bytes, description: str
):
    assert refusal(await send_photo(tg, http, data)) == description


async def test_captions_have_their_own_limit(tg: TelegramStandIn, http: aiohttp.ClientSession, call: Caller):
    sent = await send_photo(tg, http, picture(), caption="x" * 1025)
    assert refusal(sent) == "Bad Request: message caption is too long"
    number = (await send_photo(tg, http, picture(), caption="x" * 1024))["result"]["message_id"]
    long = await call("editMessageCaption", chat_id=USER, message_id=number, caption="y" * 1025)
    assert refusal(long) == "Bad Request: MEDIA_CAPTION_TOO_LONG"
    text = await call("editMessageText", chat_id=USER, message_id=number, text="y")
    assert refusal(text) == "Bad Request: there is no text in the message to edit"


async def test_a_photo_without_a_photo(call: Caller):
    assert refusal(await call("sendPhoto", chat_id=USER)) == "Bad Request: there is no photo in the request"
    wrong = await call("sendPhoto", chat_id=USER, photo="AgACunknown")
    assert refusal(wrong) == "Bad Request: wrong file identifier/HTTP URL specified"


async def test_deleting(tg: TelegramStandIn, call: Caller, clock: HandClock):
    theirs = tg.client.messages(USER)[0]["message_id"]
    old = (await call("sendMessage", chat_id=USER, text="old"))["result"]["message_id"]
    clock.pass_by(48 * 3600)
    new = (await call("sendMessage", chat_id=USER, text="new"))["result"]["message_id"]
    for number in (old, theirs):
        answer = await call("deleteMessage", chat_id=USER, message_id=number)
        assert refusal(answer) == "Bad Request: message can't be deleted for everyone"
    assert (await call("deleteMessage", chat_id=USER, message_id=new))["result"] is True
    again = await call("deleteMessage", chat_id=USER, message_id=new)
    assert refusal(again) == "Bad Request: message to delete not found"
    gone = tg.client.messages(USER, deleted=True)[-1]
    assert (gone["text"], gone["deleted"], gone["deleted_by"]) == ("new", clock.time, "bot")


async def test_deleting_many_passes_over_what_is_gone(tg: TelegramStandIn, call: Caller):
    numbers = [(await call("sendMessage", chat_id=USER, text=str(n)))["result"]["message_id"] for n in range(3)]
    assert (await call("deleteMessages", chat_id=USER, message_ids=[*numbers, 999]))["result"] is True
    assert tg.client.from_bot(USER) == []
    many = await call("deleteMessages", chat_id=USER, message_ids=list(range(1, 102)))
    assert refusal(many) == "Bad Request: too many message identifiers specified"


async def test_a_press_reaches_the_bot_and_is_answered_once(tg: TelegramStandIn, call: Caller):
    number = (await call("sendMessage", chat_id=USER, text="?", reply_markup=BUTTONS))["result"]["message_id"]
    query_id = (await tg.client.press(number, "y:1"))["query_id"]
    update = (await call("getUpdates", offset=-1))["result"][0]["callback_query"]
    assert (update["id"], update["data"], update["from"]["id"]) == (query_id, "y:1", USER)
    assert update["message"]["message_id"] == number
    assert (await call("answerCallbackQuery", callback_query_id=query_id, text="done"))["result"] is True
    again = await call("answerCallbackQuery", callback_query_id=query_id)
    assert refusal(again) == "Bad Request: query is too old and response timeout expired or query ID is invalid"


async def test_an_answer_that_comes_too_late(tg: TelegramStandIn, call: Caller, clock: HandClock):
    number = (await call("sendMessage", chat_id=USER, text="?", reply_markup=BUTTONS))["result"]["message_id"]
    query_id = (await tg.client.press(number, "n:1"))["query_id"]
    clock.pass_by(31)
    late = await call("answerCallbackQuery", callback_query_id=query_id)
    assert refusal(late).startswith("Bad Request: query is too old")


async def test_only_buttons_that_are_there_can_be_pressed(tg: TelegramStandIn, call: Caller):
    number = (await call("sendMessage", chat_id=USER, text="?", reply_markup=BUTTONS))["result"]["message_id"]
    with pytest.raises(LookupError, match="no button 'forged'"):
        await tg.client.press(number, "forged")
    await call("editMessageReplyMarkup", chat_id=USER, message_id=number)
    with pytest.raises(LookupError, match="no button"):
        await tg.client.press(number, "y:1")


async def test_edits_share_the_budget_and_answers_are_free(
    limited: TelegramStandIn, call_limited: Caller, clock: HandClock
):
    await limited.client.send(USER, "/start")
    number = (await call_limited("sendMessage", chat_id=USER, text="0", reply_markup=BUTTONS))["result"]["message_id"]
    for text in ("1", "2"):
        edit = await call_limited("editMessageText", chat_id=USER, message_id=number, text=text, reply_markup=BUTTONS)
        assert edit["ok"]
    refused = await call_limited("editMessageText", chat_id=USER, message_id=number, text="3")
    assert refused == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    query_id = (await limited.client.press(number, "y:1"))["query_id"]
    assert (await call_limited("answerCallbackQuery", callback_query_id=query_id))["ok"] is True
    clock.pass_by(1)
    assert (await call_limited("editMessageText", chat_id=USER, message_id=number, text="3"))["ok"] is True


async def test_a_blocked_bot_is_told_so_until_the_person_writes_again(tg: TelegramStandIn, call: Caller):
    tg.client.block(USER)
    answer = await call("sendMessage", chat_id=USER, text="x")
    assert answer == {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    update = (await call("getUpdates", offset=-1))["result"][0]["my_chat_member"]
    assert (update["old_chat_member"]["status"], update["new_chat_member"]["status"]) == ("member", "kicked")
    await tg.client.send(USER, "/start")
    assert (await call("sendMessage", chat_id=USER, text="x"))["ok"] is True


async def test_a_chat_that_never_began_is_not_found(tg: TelegramStandIn, call: Caller):
    tg.client.add_user(77, "Bob")
    assert refusal(await call("sendMessage", chat_id=77, text="x")) == "Bad Request: chat not found"


async def test_reactions_and_chat_actions(tg: TelegramStandIn, call: Caller):
    number = tg.client.messages(USER)[0]["message_id"]
    reaction = [{"type": "emoji", "emoji": "👍"}]
    assert (await call("setMessageReaction", chat_id=USER, message_id=number, reaction=reaction))["ok"]
    assert tg.client.message(USER, number)["reactions"] == reaction
    assert (await call("sendChatAction", chat_id=USER, action="typing"))["ok"]
    wrong = await call("sendChatAction", chat_id=USER, action="dancing")
    assert refusal(wrong) == "Bad Request: wrong parameter action in request"
