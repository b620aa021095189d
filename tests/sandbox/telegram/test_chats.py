"""Groups, migration, forums, pins and the command menu."""

from sandbox.telegram import TelegramStandIn
from tests.sandbox.telegram.conftest import Caller

ADA, BOB = 42, 43


async def test_a_group_that_migrates_names_its_new_id(tg: TelegramStandIn, call: Caller):
    group = tg.client.add_group("Ops", [ADA, BOB])
    large = tg.client.migrate(group["id"])
    answer = await call("sendMessage", chat_id=group["id"], text="x")
    assert answer["error_code"] == 400
    assert answer["description"] == "Bad Request: group chat was upgraded to a supergroup chat"
    assert answer["parameters"] == {"migrate_to_chat_id": large["id"]}
    assert (await call("sendMessage", chat_id=large["id"], text="x"))["ok"] is True
    told = [update["message"] for update in (await call("getUpdates"))["result"]]
    assert [message.get("migrate_to_chat_id") for message in told] == [large["id"], None]
    assert [message.get("migrate_from_chat_id") for message in told] == [None, group["id"]]


async def test_a_bot_that_is_out_of_a_group(tg: TelegramStandIn, call: Caller):
    small, large = tg.client.add_group("A", [ADA])["id"], tg.client.add_group("B", [ADA], supergroup=True)["id"]
    for chat, status, expected in (
        (small, "kicked", "Forbidden: bot was kicked from the group chat"),
        (small, "left", "Forbidden: bot is not a member of the group chat"),
        (large, "kicked", "Forbidden: bot was kicked from the supergroup chat"),
    ):
        tg.client.set_bot_status(chat, status)
        answer = await call("sendMessage", chat_id=chat, text="x")
        assert (answer["error_code"], answer["description"]) == (403, expected)


async def test_privacy_mode_hides_small_talk_from_a_plain_member(tg: TelegramStandIn, call: Caller):
    group = tg.client.add_group("Ops", [ADA], admin=False)["id"]
    await tg.client.send(ADA, "just talking", chat_id=group)
    await tg.client.send(ADA, "/status", chat_id=group)
    texts = [update["message"]["text"] for update in (await call("getUpdates"))["result"]]
    assert texts == ["/status"]


async def test_a_plain_member_deletes_only_its_own(tg: TelegramStandIn, call: Caller):
    group = tg.client.add_group("Ops", [ADA], admin=False)["id"]
    theirs = (await tg.client.send(ADA, "/x", chat_id=group))["message_id"]
    ours = (await call("sendMessage", chat_id=group, text="x"))["result"]["message_id"]
    answer = await call("deleteMessage", chat_id=group, message_id=theirs)
    assert answer["description"] == "Bad Request: message can't be deleted"
    assert (await call("deleteMessage", chat_id=group, message_id=ours))["ok"] is True


async def test_topics(tg: TelegramStandIn, call: Caller):
    forum = tg.client.add_group("Ops", [ADA], forum=True)["id"]
    topic = (await call("createForumTopic", chat_id=forum, name="Support Berlin"))["result"]
    thread = topic["message_thread_id"]
    sent = (await call("sendMessage", chat_id=forum, message_thread_id=thread, text="x"))["result"]
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (thread, True)
    assert (await call("closeForumTopic", chat_id=forum, message_thread_id=thread))["ok"] is True
    again = await call("closeForumTopic", chat_id=forum, message_thread_id=thread)
    assert again["description"] == "Bad Request: TOPIC_NOT_MODIFIED"
    tg.client.set_bot_status(forum, "member")
    closed = await call("sendMessage", chat_id=forum, message_thread_id=thread, text="x")
    assert closed["description"] == "Bad Request: TOPIC_CLOSED"
    powerless = await call("createForumTopic", chat_id=forum, name="x")
    assert powerless["description"] == "Bad Request: not enough rights to create a topic"
    tg.client.set_bot_status(forum, "administrator")
    assert (await call("reopenForumTopic", chat_id=forum, message_thread_id=thread))["ok"] is True
    assert (await call("deleteForumTopic", chat_id=forum, message_thread_id=thread))["ok"] is True
    lost = await call("sendMessage", chat_id=forum, message_thread_id=thread, text="x")
    assert lost["description"] == "Bad Request: message thread not found"
    assert tg.client.from_bot(forum) == []


async def test_no_topics_where_there_is_no_forum(tg: TelegramStandIn, call: Caller):
    group = tg.client.add_group("Ops", [ADA], supergroup=True)["id"]
    answer = await call("createForumTopic", chat_id=group, name="x")
    assert answer["description"] == "Bad Request: the chat is not a forum"


async def test_pins(tg: TelegramStandIn, call: Caller):
    await tg.client.send(ADA, "/start")
    number = (await call("sendMessage", chat_id=ADA, text="card"))["result"]["message_id"]
    assert (await call("pinChatMessage", chat_id=ADA, message_id=number, disable_notification=True))["ok"] is True
    assert tg.client.message(ADA, number)["pinned"] is True
    assert (await call("getChat", chat_id=ADA))["result"]["pinned_message"]["message_id"] == number
    assert (await call("unpinChatMessage", chat_id=ADA, message_id=number))["ok"] is True
    gone = await call("unpinChatMessage", chat_id=ADA, message_id=number)
    assert gone["description"] == "Bad Request: message to unpin not found"


async def test_members(tg: TelegramStandIn, call: Caller):
    group = tg.client.add_group("Ops", [ADA, BOB])["id"]
    creator = await call("getChatMember", chat_id=group, user_id=ADA)
    assert creator["result"]["status"] == "creator"
    tg.client.add_user(50, "Eve")
    assert (await call("getChatMember", chat_id=group, user_id=50))["result"]["status"] == "left"
    administrators = (await call("getChatAdministrators", chat_id=group))["result"]
    assert [member["status"] for member in administrators] == ["creator", "administrator"]
    assert (await call("getChatMemberCount", chat_id=group))["result"] == 3


async def test_the_menu_of_the_narrowest_scope_is_seen(tg: TelegramStandIn, call: Caller):
    await tg.client.send(ADA, "/start")
    await tg.client.send(BOB, "/start")
    everyone, operator = [{"command": "start", "description": "who I am"}], [{"command": "link", "description": "link"}]
    scope = {"type": "chat", "chat_id": ADA}
    assert (await call("setMyCommands", commands=everyone))["ok"]
    assert (await call("setMyCommands", commands=operator, scope=scope))["ok"]
    assert tg.client.commands(ADA) == operator
    assert tg.client.commands(BOB) == everyone
    assert (await call("getMyCommands", scope=scope))["result"] == operator
    assert (await call("deleteMyCommands", scope=scope))["ok"]
    assert (await call("getMyCommands", scope=scope))["result"] == []
    assert tg.client.commands(ADA) == everyone


async def test_commands_that_are_refused(call: Caller):
    bad = await call("setMyCommands", commands=[{"command": "Not good", "description": "x"}])
    assert bad["description"] == "Bad Request: BOT_COMMAND_INVALID"
    many = [{"command": f"c{number}", "description": "x"} for number in range(101)]
    assert (await call("setMyCommands", commands=many))["description"] == "Bad Request: BOT_COMMANDS_TOO_MUCH"
    unknown = await call("setMyCommands", commands=[], scope={"type": "chat", "chat_id": 99})
    assert unknown["description"] == "Bad Request: chat not found"


async def test_the_profile_texts(call: Caller):
    assert (await call("setMyDescription", description="Keeps accounts linked"))["ok"]
    assert (await call("getMyDescription"))["result"] == {"description": "Keeps accounts linked"}
    long = await call("setMyShortDescription", short_description="x" * 121)
    assert long["description"] == "Bad Request: bot short description is too long"
    assert (await call("getMyName"))["result"] == {"name": "Switchboard"}
