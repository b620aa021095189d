"""Messages sent, edited and deleted by either side, under the rules that the server enforces.

Contents: the rules of sending, editing, deleting and pressing. Not here: reading parameters (`methods`),
HTTP, long polling.
"""

from collections.abc import Collection
from dataclasses import replace

from sandbox.telegram.errors import bad_request, message_not_found, not_modified, stale_query
from sandbox.telegram.markup.text import normalise
from sandbox.telegram.model import GENERAL_TOPIC, TOPIC_COLORS, Chat, Content, Json, Message, Topic, User
from sandbox.telegram.views import message_view
from sandbox.telegram.world import World

MAX_TEXT = 4096
MAX_CAPTION = 1024
DELETABLE_SECONDS = 48 * 3600.0
MAX_ANSWER = 200


def check_length(content: Content, *, edit: bool) -> None:
    """Reject what is too long after entity parsing; sending and editing have different error texts."""
    if content.media is None and content.text.length > MAX_TEXT:
        raise bad_request("MESSAGE_TOO_LONG" if edit else "message is too long")
    if content.media is not None and content.text.length > MAX_CAPTION:
        raise bad_request("MEDIA_CAPTION_TOO_LONG" if edit else "message caption is too long")


def check_thread(chat: Chat, thread_id: int | None) -> None:
    """Reject a thread that the chat does not have, or one that is closed to this bot."""
    topic = None if thread_id is None else chat.topics.get(thread_id)
    if thread_id is not None and topic is None:
        raise bad_request("message thread not found")
    closed = chat.is_forum and (chat.general_closed if topic is None else topic.closed)
    if closed and not chat.bot_may("can_manage_topics"):
        raise bad_request("TOPIC_CLOSED")


def check_rights(chat: Chat, content: Content) -> None:
    """Reject what the bot may not send here."""
    if "can_send_messages" in chat.missing_rights:
        raise bad_request("not enough rights to send text messages to the chat")
    if content.media is not None and "can_send_photos" in chat.missing_rights:
        raise bad_request("not enough rights to send photos to the chat")


def send(
    world: World,
    chat: Chat,
    content: Content,
    *,
    thread_id: int | None = None,
    reply_to: Message | None = None,
    silent: bool = False,
    protected: bool = False,
) -> Message:
    """Send a message as the bot; raises ApiError for what the server rejects, budgets included."""
    check_length(content, edit=False)
    if thread_id == GENERAL_TOPIC and chat.is_forum:
        thread_id = None
    check_rights(chat, content)
    check_thread(chat, thread_id)
    world.charge(chat)
    return add(
        world, chat, world.bot, content, thread_id=thread_id, reply_to=reply_to, silent=silent, protected=protected
    )


def add(
    world: World,
    chat: Chat,
    sender: User,
    content: Content,
    *,
    thread_id: int | None = None,
    reply_to: Message | None = None,
    silent: bool = False,
    protected: bool = False,
    service: Json | None = None,
) -> Message:
    """Add a message to a chat without checking any rule, and publish it in the feed."""
    message = Message(
        world.next_message_id(chat), chat, sender, world.now(), content, thread_id, reply_to, silent, protected
    )
    message.service = service
    chat.messages[message.id] = message
    world.feed.publish("message", chat_id=chat.id, message=message_view(message))
    return message


def person_says(
    world: World, chat: Chat, user: User, text: str, *, thread_id: int | None = None, reply_to: Message | None = None
) -> Message:
    """Send a message as a person; the bot gets the update, unless privacy mode or a block prevents it."""
    if chat.type == "private" and chat.blocked:
        unblock(world, chat)
    message = add(world, chat, user, Content(normalise(text, [])), thread_id=thread_id, reply_to=reply_to)
    if (
        chat.bot_status in {"member", "administrator", "restricted"}
        and chat.migrated_to is None
        and _bot_sees(world, chat, message)
    ):
        world.updates.push("channel_post" if chat.type == "channel" else "message", message.to_json())
    return message


def _bot_sees(world: World, chat: Chat, message: Message) -> bool:
    """Apply privacy mode: in groups a bot that is a plain member gets commands, mentions and replies to it."""
    if chat.type == "private" or chat.bot_status == "administrator":
        return True
    if message.reply_to is not None and message.reply_to.sender.is_bot:
        return True
    text = message.content.text.text
    return text.startswith("/") or f"@{world.bot.username}" in text


def edit(world: World, message: Message, content: Content) -> Message:
    """Edit one of the bot's messages; raises ApiError where the server does."""
    if message.sender.id != world.bot.id or message.service is not None:
        raise bad_request("message can't be edited")
    check_length(content, edit=True)
    world.charge(message.chat)
    if _shown(content) == _shown(message.content):
        raise not_modified()
    message.replace(content, world.now())
    world.feed.publish("edit", chat_id=message.chat.id, message=message_view(message))
    return message


def _shown(content: Content) -> Content:
    """Return the content without what makes no difference: link options if there is no link."""
    if any(entity.type in {"url", "text_link"} for entity in content.text.entities):
        return content
    return replace(content, link_preview=None)


def editable(world: World, chat: Chat, message_id: int) -> Message:
    """Return the message to be edited."""
    found = world.message(chat, message_id)
    if found is None:
        raise message_not_found("to edit")
    return found


def delete(world: World, chat: Chat, message_id: int) -> None:
    """Delete a message for everyone as the bot; raises ApiError where the server does.

    In a private chat it may delete either side's, in a group its own and, as administrator, everybody's; in private
    chats and without the right, only for 48 hours (core.telegram.org/bots/api#deletemessage).
    """
    message = world.message(chat, message_id)
    if message is None:
        raise message_not_found("to delete")
    ours = message.sender.id == world.bot.id
    administrator = chat.bot_may("can_delete_messages") and chat.type == "supergroup"
    if chat.type != "private" and not ours and not chat.bot_may("can_delete_messages"):
        raise bad_request("message can't be deleted")
    if not administrator and world.now() - message.date >= DELETABLE_SECONDS:
        raise bad_request("message can't be deleted for everyone")
    remove(world, message, by="bot")


def remove(world: World, message: Message, *, by: str) -> None:
    """Hide a message and publish in the feed who deleted it ("bot" or "person")."""
    message.deleted_at, message.deleted_by = world.now(), by
    if message.id in message.chat.pinned:
        message.chat.pinned.remove(message.id)
    world.feed.publish("delete", chat_id=message.chat.id, message_id=message.id, by=by)


def press(world: World, message: Message, user: User, data: str, *, stale: bool = False) -> str:
    """Press a button as a person; return the callback query's id.

    stale: on a phone that has not seen the message's last edit yet. Raises LookupError if the message, as it is now,
    has no such button.
    """
    buttons = [button for row in message.content.keyboard() for button in row]
    if message.deleted_at is not None:
        raise LookupError(f"message {message.id} is deleted")
    if not stale and not any(button.get("callback_data") == data for button in buttons):
        offered = [button.get("callback_data") for button in buttons]
        raise LookupError(f"message {message.id} has no button {data!r}, only {offered}")
    query_id = world.next_query_id()
    world.queries[query_id] = {
        "at": world.now(), "chat_id": message.chat.id, "message_id": message.id, "user_id": user.id, "answer": None,
    }  # fmt: skip
    world.feed.publish(
        "press", chat_id=message.chat.id, message_id=message.id, user_id=user.id, data=data, query_id=query_id
    )
    body = {
        "id": query_id, "from": user.to_json(), "message": message.to_json(),
        "chat_instance": str(message.chat.id), "data": data,
    }  # fmt: skip
    world.updates.push("callback_query", body)
    return query_id


def answer(world: World, query_id: str, text: str, *, alert: bool, url: str) -> None:
    """Answer a button press as the bot, once, while the query is fresh; not subject to any budget."""
    query = world.queries.get(query_id)
    if query is None or query["answer"] is not None or world.now() - query["at"] > world.callback_seconds:
        raise stale_query()
    if len(text) > MAX_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    query["answer"] = {"text": text, "show_alert": alert, "url": url}
    world.feed.publish("answer", query_id=query_id, **{key: query[key] for key in ("chat_id", "message_id", "user_id")},
                       text=text, show_alert=alert)  # fmt: skip


def unblock(world: World, chat: Chat) -> None:
    """Unblock the bot as the person."""
    _membership(world, chat, "kicked", "member")
    chat.blocked = False
    world.feed.publish("unblocked", chat_id=chat.id)


def block(world: World, chat: Chat) -> None:
    """Block the bot as the person."""
    if not chat.blocked:
        chat.blocked = True
        _membership(world, chat, "member", "kicked")
        world.feed.publish("blocked", chat_id=chat.id)


def set_bot_status(world: World, chat: Chat, status: str) -> None:
    """Make the bot of a group a member or an administrator, restrict it, or remove it ("left", "kicked")."""
    if status not in {"member", "administrator", "restricted", "left", "kicked"}:
        raise ValueError(f"no such status: {status}")
    was, chat.bot_status = chat.bot_status, status  # type: ignore[assignment]  # checked one line above
    _membership(world, chat, was, status)
    world.feed.publish("chat", chat=chat.to_json())


def set_missing_rights(world: World, chat: Chat, rights: set[str]) -> None:
    """Revoke rights of the bot in a group, and grant it all others."""
    unknown = rights - {*ADMIN_RIGHTS, *WRITING_RIGHTS}
    if unknown:
        raise ValueError(f"no such right: {', '.join(sorted(unknown))}")
    chat.missing_rights = set(rights)
    _membership(world, chat, chat.bot_status, chat.bot_status)
    world.feed.publish("chat", chat=chat.to_json())


def open_topic(world: World, chat: Chat, actor: User, name: str, color: int = TOPIC_COLORS[0]) -> Topic:
    """Open a topic as the bot or a person: its thread id is the id of the service message that announces it."""
    message = add(world, chat, actor, Content(), service={"forum_topic_created": {"name": name, "icon_color": color}})
    message.thread_id = message.id
    topic = chat.topics[message.id] = Topic(message.id, name, color)
    publish_topics(world, chat)
    return topic


def set_topic(world: World, chat: Chat, thread_id: int | None, *, closed: bool) -> None:
    """Close or reopen a topic as a person; the General one if none is named."""
    if thread_id in {None, GENERAL_TOPIC}:
        chat.general_closed = closed
    else:
        chat.topics[thread_id or 0].closed = closed
    publish_topics(world, chat)


def delete_topic(world: World, chat: Chat, thread_id: int, *, by: str) -> None:
    """Delete a topic with all its messages."""
    for message in chat.visible():
        if message.thread_id == thread_id:
            remove(world, message, by=by)
    del chat.topics[thread_id]
    publish_topics(world, chat)


def publish_topics(world: World, chat: Chat) -> None:
    """Publish the list of topics in the feed."""
    topics = [{**topic.to_json(), "closed": topic.closed} for topic in chat.topics.values()]
    world.feed.publish("topics", chat_id=chat.id, topics=topics)


def _membership(world: World, chat: Chat, old: str, new: str) -> None:
    actor = chat.person or next((world.users[member] for member in chat.members if member in world.users), world.bot)
    world.updates.push(
        "my_chat_member",
        {
            "chat": chat.to_json(), "from": actor.to_json(), "date": int(world.now()),
            "old_chat_member": member_json(world.bot, old, chat.missing_rights),
            "new_chat_member": member_json(world.bot, new, chat.missing_rights),
        },
    )  # fmt: skip


ADMIN_RIGHTS = (
    "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
    "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
    "can_edit_stories", "can_delete_stories", "can_pin_messages", "can_manage_topics",
)  # fmt: skip


WRITING_RIGHTS = ("can_send_messages", "can_send_photos")
RESTRICTABLE_RIGHTS = (
    *WRITING_RIGHTS, "can_send_audios", "can_send_documents", "can_send_videos", "can_send_video_notes",
    "can_send_voice_notes", "can_send_polls", "can_send_other_messages", "can_add_web_page_previews", "can_change_info",
    "can_invite_users", "can_pin_messages", "can_manage_topics", "can_edit_tag", "can_react_to_messages",
)  # fmt: skip


def member_json(user: User, status: str, missing: Collection[str] = ()) -> Json:
    """Return the Bot API's ChatMember. missing: rights that an administrator, or who is restricted, does not have."""
    found: Json = {"user": user.to_json(), "status": status}
    if status == "creator":
        found["is_anonymous"] = False
    elif status == "administrator":
        none = {"can_be_edited", "is_anonymous", *missing}
        found.update({right: right not in none for right in ADMIN_RIGHTS})
    elif status == "restricted":
        found.update({right: right not in missing for right in RESTRICTABLE_RIGHTS}, is_member=True, until_date=0)
    elif status == "kicked":
        found["until_date"] = 0
    return found


def migrate(world: World, chat: Chat, *, forum: bool = False) -> Chat:
    """Upgrade a group to a supergroup: a new id, a reference from the old one, and a service message in both chats."""
    if chat.type != "group" or chat.migrated_to is not None:
        raise ValueError(f"chat {chat.id} is no group that could migrate")
    large = world.add_group(
        chat.title, supergroup=True, forum=forum, members=chat.members, admin=chat.bot_status == "administrator"
    )
    actor = next((world.users[member] for member in chat.members), world.bot)
    farewell = add(world, chat, actor, Content(), service={"migrate_to_chat_id": large.id})
    chat.migrated_to = large.id
    chat.deactivated = True
    world.updates.push("message", farewell.to_json())
    greeting = add(world, large, actor, Content(), service={"migrate_from_chat_id": chat.id})
    world.updates.push("message", greeting.to_json())
    world.feed.publish("migrated", chat_id=chat.id, to_chat_id=large.id)
    return large
