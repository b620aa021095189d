"""What the real Telegram does to bots and a friendly stand-in would not: rights, topics, rivals, malformed updates."""

import asyncio

import aiohttp
import pytest

from sandbox.telegram import TelegramStandIn
from tests.sandbox.telegram.conftest import Caller, HandClock, picture

USER = 42


async def description(call: Caller, method: str, **parameters) -> str:
    return (await call(method, **parameters)).get("description", "ok")


@pytest.fixture
def forum(tg: TelegramStandIn) -> int:
    number: int = tg.client.add_group("Ops", [USER], forum=True)["id"]
    return number


async def topic(call: Caller, forum: int) -> int:
    number: int = (await call("createForumTopic", chat_id=forum, name="Shop"))["result"]["message_thread_id"]
    return number


async def test_a_bot_without_the_right_opens_no_topic_and_writes_all_the_same(tg, call, forum):
    tg.client.set_missing_rights(forum, ["can_manage_topics"])
    asked = await description(call, "createForumTopic", chat_id=forum, name="Shop")
    assert asked == "Bad Request: not enough rights to create a topic"
    assert (await call("sendMessage", chat_id=forum, text="x"))["ok"]
    own = await call("getChatMember", chat_id=forum, user_id=tg.world.bot.id)
    assert own["result"]["can_manage_topics"] is False
    assert own["result"]["can_pin_messages"] is True


@pytest.mark.parametrize(
    ("right", "method", "text"),
    [
        ("can_send_messages", "sendMessage", "not enough rights to send text messages to the chat"),
        ("can_send_photos", "sendPhoto", "not enough rights to send photos to the chat"),
    ],
)
async def test_a_bot_that_may_not_write(tg, call, http, forum, right, method, text):
    tg.client.set_missing_rights(forum, [right])
    form = aiohttp.FormData({"chat_id": str(forum), "text": "x"})
    form.add_field("photo", picture(), filename="x.png")
    async with http.post(f"{tg.url}/bot{tg.token}/{method}", data=form) as answer:
        assert (await answer.json())["description"] == f"Bad Request: {text}"
    with pytest.raises(ValueError, match="no such right"):
        tg.client.set_missing_rights(forum, ["can_fly"])


@pytest.mark.parametrize("general", [True, False])
async def test_a_closed_topic_takes_nothing_from_who_may_not_manage_topics(tg, call, forum, general):
    thread = None if general else await topic(call, forum)
    where = {} if general else {"message_thread_id": thread}
    tg.client.close_topic(forum, thread)
    assert await description(call, "sendMessage", chat_id=forum, text="x", **where) == "ok", "an administrator may"
    tg.client.set_missing_rights(forum, ["can_manage_topics"])
    assert await description(call, "sendMessage", chat_id=forum, text="x", **where) == "Bad Request: TOPIC_CLOSED"
    tg.client.close_topic(forum, thread, closed=False)
    assert await description(call, "sendMessage", chat_id=forum, text="x", **where) == "ok"


async def test_a_topic_that_a_person_deleted_is_gone(tg, call, forum):
    thread = await topic(call, forum)
    tg.client.delete_topic(forum, thread)
    said = await description(call, "sendMessage", chat_id=forum, text="x", message_thread_id=thread)
    assert said == "Bad Request: message thread not found"
    with pytest.raises(LookupError):
        tg.client.delete_topic(forum, thread)


async def test_a_group_that_was_deleted(tg, call, forum):
    group = tg.client.add_group("Small", [USER])["id"]
    for chat, text in ((group, "the group chat was deleted"), (forum, "bot is not a member of the supergroup chat")):
        tg.client.delete_group(chat)
        assert await description(call, "sendMessage", chat_id=chat, text="x") == f"Forbidden: {text}"


async def test_a_message_is_refused_by_what_it_says(tg, call):
    await tg.client.send(USER, "/start")
    tg.client.fail("400", text="cursed", description="Bad Request: MESSAGE_TOO_PURPLE")
    assert (
        await description(call, "sendMessage", chat_id=USER, text="a cursed one") == "Bad Request: MESSAGE_TOO_PURPLE"
    )
    assert await description(call, "sendMessage", chat_id=USER, text="another") == "ok"


async def test_what_is_two_days_old_cannot_be_deleted_and_can_be_edited(tg, call, clock: HandClock):
    await tg.client.send(USER, "/start")
    number = (await call("sendMessage", chat_id=USER, text="x"))["result"]["message_id"]
    clock.pass_by(48 * 3600)
    said = await description(call, "deleteMessage", chat_id=USER, message_id=number)
    assert said == "Bad Request: message can't be deleted for everyone"
    assert await description(call, "editMessageText", chat_id=USER, message_id=number, text="y") == "ok"


async def test_a_webhook_that_another_program_set_ends_the_polling_until_it_is_taken_back(tg, call):
    poll = asyncio.create_task(call("getUpdates", timeout=20))
    await tg.client.wait_for(lambda: tg.world.updates.polling)
    tg.client.set_webhook("http://127.0.0.1:1/theirs")
    assert (await poll)["description"] == "Conflict: terminated by setWebhook request"
    assert "while webhook is active" in await description(call, "getUpdates")
    assert (await call("getWebhookInfo"))["result"]["url"] == "http://127.0.0.1:1/theirs"
    await tg.client.send(USER, "/start")
    await call("deleteWebhook")
    assert len((await call("getUpdates"))["result"]) == 1


async def test_a_second_poller_ends_the_first_ones_poll_and_takes_its_updates(tg, call):
    poll = asyncio.create_task(call("getUpdates", timeout=20))
    await tg.client.wait_for(lambda: tg.world.updates.polling)
    tg.client.start_rival()
    assert "terminated by other getUpdates" in (await asyncio.wait_for(poll, 45))["description"]
    await tg.client.wait_for(lambda: tg.world.updates.polling)
    await tg.client.send(USER, "/start")
    await tg.client.wait_for(lambda: not tg.world.updates.pending and tg.world.updates.polling)
    await tg.client.stop_rival()
    assert not tg.world.updates.polling


async def test_an_update_that_no_library_can_read_stays_until_it_is_confirmed(tg, call):
    number = tg.client.push_update()
    for _ in range(2):
        (update,) = (await call("getUpdates"))["result"]
        assert update["update_id"] == number
        assert update["message"]["date"] == "yesterday"
    assert (await call("getUpdates", offset=number + 1))["result"] == []


async def test_a_network_that_answers_in_telegrams_place(tg, http):
    tg.client.fail("portal", count=1)
    async with http.get(f"{tg.url}/bot{tg.token}/getMe") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


async def test_all_of_it_over_http(tg, http, call, forum):
    thread = await topic(call, forum)
    for path, body in (
        ("rights", {"chat_id": forum, "missing": ["can_manage_topics"]}),
        ("topic", {"chat_id": forum, "do": "close"}),
        ("topic", {"chat_id": forum, "thread_id": thread, "do": "close"}),
        ("topic", {"chat_id": forum, "thread_id": thread, "do": "reopen"}),
        ("topic", {"chat_id": forum, "thread_id": thread, "do": "delete"}),
        ("webhook", {"url": "http://127.0.0.1:1/"}),
        ("rival", {"on": True}),
        ("rival", {"on": False}),
        ("update", {}),
        ("update", {"kind": "poll", "body": 7}),
        ("delete_group", {"chat_id": forum}),
    ):
        async with http.post(f"{tg.url}/client/{path}", json=body) as answer:
            assert answer.status == 200, (path, await answer.text())
    assert tg.client.chat(forum).general_closed
    assert 7 in [update.body for update in tg.world.updates.pending]
    for path, body, status in (
        ("topic", {"chat_id": forum, "do": "burn"}, 400),
        ("topic", {"chat_id": forum, "thread_id": 999, "do": "close"}, 404),
        ("rights", {"chat_id": forum, "missing": ["can_fly"]}, 400),
    ):
        async with http.post(f"{tg.url}/client/{path}", json=body) as answer:
            assert answer.status == status
