"""Three unmodified libraries run the same scenario on the stand-in, and all their requests are well formed."""

from collections.abc import AsyncIterator

import pytest
import telegram
from aiohttp import web

from sandbox.telegram import Limits, TelegramStandIn
from tests.sandbox.telegram import bots
from tests.sandbox.telegram.conftest import picture
from tests.sandbox.telegram.validation import all_problems, problems

ADA, BOB = 42, 43
SECRET = "an-unguessable_secret"


@pytest.fixture
async def tg() -> AsyncIterator[TelegramStandIn]:
    async with TelegramStandIn() as stand_in:
        yield stand_in


@pytest.fixture(params=bots.ALL, ids=lambda kind: kind.__name__)
async def bot(request: pytest.FixtureRequest, tg: TelegramStandIn) -> AsyncIterator[bots.ScenarioBot]:
    bot = request.param(tg.url, tg.token)
    await bot.start()
    yield bot
    await bot.stop()
    assert all_problems(tg.client.requests()) == []


@pytest.fixture(autouse=True)
def modern_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask python-telegram-bot for the kind of durations that it does not warn about."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


def texts(tg: TelegramStandIn, chat: int) -> list[str]:
    return [message["text"] for message in tg.client.from_bot(chat)]


async def test_the_common_scenario(tg: TelegramStandIn, bot: bots.ScenarioBot):
    assert await bot.username() == "switchboard_bot"
    await bot.poll()
    await tg.client.send(ADA, "/start")
    assert await bot.next_heard() == (ADA, "/start")

    # a picture that is edited in place, and its caption
    number = await bot.send_photo(ADA, picture("red"), "code 1")
    await bot.edit_media(ADA, number, picture("blue"), "<b>code 2</b>")
    await bot.edit_caption(ADA, number, "code 3")
    seen = tg.client.message(ADA, number)
    assert (seen["text"], [version["text"] for version in seen["history"]]) == ("code 3", ["code 1", "code 2"])
    assert tg.client.picture(seen) != tg.client.picture(seen["history"][0])
    assert tg.client.picture(seen) == tg.client.picture(seen["history"][1])
    await bot.delete(ADA, number)
    assert texts(tg, ADA) == []

    # buttons and their answers
    asked = await bot.send_text(ADA, "<i>Sure?</i>", buttons={"Yes": "y:7", "No": "n:7"}, silent=True, protected=True)
    message = tg.client.message(ADA, asked)
    assert (message["html"], message["silent"], message["protected"]) == ("<i>Sure?</i>", True, True)
    query_id = (await tg.client.press_text(asked, "Yes"))["query_id"]
    assert await bot.next_pressed() == (query_id, "y:7")
    await bot.answer(query_id, "Done")
    assert tg.world.queries[query_id]["answer"]["text"] == "Done"
    await bot.edit_text(ADA, asked, "Sure.")
    reply = await bot.send_text(ADA, "as I said", reply_to=asked)
    assert tg.client.message(ADA, reply)["reply_to"] == asked
    await bot.pin(ADA, reply)
    assert tg.client.message(ADA, reply)["pinned"] is True

    # files
    document = bytes(range(256)) * 40
    file_id = await bot.send_document(ADA, document, "log.txt")
    assert await bot.download(file_id) == document

    # the command menu
    await bot.set_commands({"start": "Who am I"})
    await bot.set_commands({"link": "Link an account"}, chat=ADA)
    assert await bot.commands() == {"start": "Who am I"}
    assert await bot.commands(ADA) == {"link": "Link an account"}
    assert [command["command"] for command in tg.client.commands(ADA)] == ["link"]

    # a forum's topics
    forum = tg.client.add_group("Ops", [ADA, BOB], forum=True)["id"]
    thread = await bot.create_topic(forum, "Support Berlin")
    sent = await bot.send_text(forum, "in the topic", thread=thread)
    assert tg.client.message(forum, sent)["thread_id"] == thread
    await bot.close_topic(forum, thread)
    assert tg.client.chat(forum).topics[thread].closed is True
    await bot.stop_polling()


async def test_a_webhook_with_a_secret(tg: TelegramStandIn, bot: bots.ScenarioBot):
    async def receive(request: web.Request) -> web.Response:
        if request.headers.get("X-Telegram-Bot-Api-Secret-Token") != SECRET:
            return web.Response(status=403)
        await bot.feed(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await bot.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", SECRET)
        await tg.client.send(ADA, "/status")
        assert await bot.next_heard() == (ADA, "/status")
        await bot.delete_webhook()
    finally:
        await runner.cleanup()


async def test_refusals_reach_the_library(tg: TelegramStandIn, bot: bots.ScenarioBot):
    unknown = await bot.refusal(bot.send_text(99, "x"))
    assert "chat not found" in unknown.text
    await tg.client.send(ADA, "/start")
    number = await bot.send_text(ADA, "x")
    assert "message is not modified" in (await bot.refusal(bot.edit_text(ADA, number, "x"))).text
    assert "message to edit not found" in (await bot.refusal(bot.edit_text(ADA, 999, "x"))).text
    assert "message to delete not found" in (await bot.refusal(bot.delete(ADA, 999))).text
    assert "query is too old" in (await bot.refusal(bot.answer("1", "x"))).text
    assert "can't parse entities" in (await bot.refusal(bot.send_text(ADA, "a < b <c>"))).text
    assert "mark-up" in " ".join(problems(tg.world.journal.requests.pop()))
    group = tg.client.add_group("Ops", [ADA])
    large = tg.client.migrate(group["id"])
    assert (await bot.refusal(bot.send_text(group["id"], "x"))).migrate_to == large["id"]
    tg.client.block(ADA)
    blocked = await bot.refusal(bot.send_text(ADA, "x"))
    assert blocked.kind in {"Forbidden", "TelegramForbiddenError", "403"}
    assert "bot was blocked by the user" in blocked.text


@pytest.mark.parametrize("kind", bots.ALL, ids=lambda kind: kind.__name__)
async def test_the_budget_reaches_the_library(kind: type[bots.ScenarioBot]):
    async with TelegramStandIn(limits=Limits(chat_burst=1, chat_rate=0.1)) as tg:
        bot = kind(tg.url, tg.token)
        await bot.start()
        await tg.client.send(ADA, "/start")
        number = await bot.send_text(ADA, "x")
        assert (await bot.refusal(bot.edit_text(ADA, number, "y"))).retry_after == 10
        assert (await bot.refusal(bot.send_text(ADA, "y"))).retry_after in {9, 10}
        await bot.stop()


def test_the_libraries_are_the_ones_that_were_asked_for():
    assert telegram.__version__.startswith("22.8")
