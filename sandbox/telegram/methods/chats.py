"""Methods about chats: their properties, members, pinned messages, and the topics of a forum.

Contents: those methods. Not here: messages and the bot's own settings.
"""

from typing import Any

from sandbox.telegram import posting
from sandbox.telegram.errors import bad_request, forbidden, message_not_found
from sandbox.telegram.methods.registry import Call, method
from sandbox.telegram.model import GENERAL_TOPIC, TOPIC_COLORS, Chat, Content, Json, Topic

MAX_TOPIC_NAME = 128


@method("getChat")
def get_chat(call: Call) -> Json:
    """Return everything about a chat."""
    chat = call.world.chat(call.params.text("chat_id"))
    found: Json = {
        **chat.to_json(),
        "accent_color_id": abs(chat.id) % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": {
            "unlimited_gifts": False, "limited_gifts": False, "unique_gifts": False, "premium_subscription": False,
            "gifts_from_channels": False,
        },
    }  # fmt: skip
    if chat.type != "private":
        found["permissions"] = {right: right not in chat.missing_rights for right in posting.WRITING_RIGHTS}
    if chat.pinned and (pinned := call.world.message(chat, chat.pinned[-1])) is not None:
        found["pinned_message"] = pinned.to_json()
    return found


@method("getChatMember")
def get_chat_member(call: Call) -> Json:
    """Return a user's membership in a chat."""
    chat = call.world.chat(call.params.text("chat_id"))
    user = call.world.users.get(call.params.integer("user_id"))
    if user is None:
        raise bad_request("PARTICIPANT_ID_INVALID" if chat.type == "supergroup" else "user not found")
    status = chat.bot_status if user.is_bot else chat.members.get(user.id, "left")
    return posting.member_json(user, status, chat.missing_rights if user.is_bot else ())


@method("getChatAdministrators")
def get_chat_administrators(call: Call) -> list[Json]:
    """Return the administrators of a group."""
    chat = call.world.chat(call.params.text("chat_id"))
    if chat.type == "private":
        raise bad_request("there are no administrators in the private chat")
    found = [
        posting.member_json(call.world.users[user_id], status)
        for user_id, status in chat.members.items()
        if status in {"administrator", "creator"}
    ]
    if chat.bot_status == "administrator":
        found.append(posting.member_json(call.world.bot, "administrator", chat.missing_rights))
    return found


@method("getChatMemberCount")
def get_chat_member_count(call: Call) -> int:
    """Return the number of members of a chat, the bot included."""
    return len(call.world.chat(call.params.text("chat_id")).members) + 1


@method("leaveChat")
def leave_chat(call: Call) -> bool:
    """Remove the bot from a group."""
    chat = call.world.chat(call.params.text("chat_id"))
    if chat.type == "private":
        raise bad_request("chat member status can't be changed in private chats")
    posting.set_bot_status(call.world, chat, "left")
    return True


# Pins


@method("pinChatMessage")
def pin_chat_message(call: Call) -> bool:
    """Pin a message; a service message announces it, silently or not."""
    world, chat = call.world, _chat_with_right(call, "pin a message")
    message = world.message(chat, call.params.integer("message_id"))
    if message is None:
        raise message_not_found("to pin")
    if message.id in chat.pinned:
        chat.pinned.remove(message.id)
    chat.pinned.append(message.id)
    posting.add(
        world,
        chat,
        world.bot,
        Content(),
        silent=call.params.boolean("disable_notification") or chat.type == "private",
        service={"pinned_message": message.to_json(with_reply=False)},
    )
    world.feed.publish("pins", chat_id=chat.id, pinned=list(chat.pinned))
    return True


@method("unpinChatMessage")
def unpin_chat_message(call: Call) -> bool:
    """Unpin one message, the newest if none is named."""
    chat = _chat_with_right(call, "unpin a message")
    number = call.params.integer("message_id") or (chat.pinned[-1] if chat.pinned else 0)
    if number not in chat.pinned:
        raise message_not_found("to unpin")
    chat.pinned.remove(number)
    call.world.feed.publish("pins", chat_id=chat.id, pinned=list(chat.pinned))
    return True


@method("unpinAllChatMessages")
def unpin_all_chat_messages(call: Call) -> bool:
    """Unpin everything."""
    chat = _chat_with_right(call, "unpin a message")
    chat.pinned.clear()
    call.world.feed.publish("pins", chat_id=chat.id, pinned=[])
    return True


def _chat_with_right(call: Call, what: str) -> Chat:
    chat = call.world.chat(call.params.text("chat_id"), write=True)
    if chat.type != "private" and not chat.bot_may("can_pin_messages"):
        raise bad_request(f"not enough rights to {what}")
    return chat


# Topics


@method("createForumTopic")
def create_forum_topic(call: Call) -> Json:
    """Open a topic; its thread id is the id of the service message that announces it."""
    world, chat = call.world, _forum(call, "create a topic")
    name = call.params.text("name").strip()
    if not 0 < len(name) <= MAX_TOPIC_NAME:
        raise bad_request("TOPIC_TITLE_EMPTY" if not name else "TOPIC_TITLE_INVALID")
    color = call.params.integer("icon_color", TOPIC_COLORS[0])
    if color not in TOPIC_COLORS:
        raise bad_request("TOPIC_ICON_COLOR_INVALID")
    return posting.open_topic(world, chat, world.bot, name, color).to_json()


@method("editForumTopic")
def edit_forum_topic(call: Call) -> bool:
    """Rename a topic."""
    chat = _forum(call, "edit the topic")
    topic = _topic(call, chat)
    name = call.params.text("name").strip()
    if not name or name == topic.name:
        raise bad_request("TOPIC_NOT_MODIFIED")
    topic.name = name
    return _service(call, chat, topic, {"forum_topic_edited": {"name": name}})


@method("closeForumTopic")
def close_forum_topic(call: Call) -> bool:
    """Close a topic for everybody except administrators."""
    chat = _forum(call, "close the topic")
    topic = _topic(call, chat)
    if topic.closed:
        raise bad_request("TOPIC_NOT_MODIFIED")
    topic.closed = True
    return _service(call, chat, topic, {"forum_topic_closed": {}})


@method("reopenForumTopic")
def reopen_forum_topic(call: Call) -> bool:
    """Reopen a closed topic."""
    chat = _forum(call, "reopen the topic")
    topic = _topic(call, chat)
    if not topic.closed:
        raise bad_request("TOPIC_NOT_MODIFIED")
    topic.closed = False
    return _service(call, chat, topic, {"forum_topic_reopened": {}})


@method("deleteForumTopic")
def delete_forum_topic(call: Call) -> bool:
    """Delete a topic with all its messages."""
    chat = _forum(call, "delete the topic")
    topic = _topic(call, chat)
    posting.delete_topic(call.world, chat, topic.thread_id, by="bot")
    return True


@method("getForumTopicIconStickers")
def get_forum_topic_icon_stickers(call: Call) -> list[Any]:
    """Return no icons: the stand-in has no stickers."""
    del call
    return []


def _forum(call: Call, what: str) -> Chat:
    chat = call.world.chat(call.params.text("chat_id"), write=True)
    if not chat.is_forum:
        raise bad_request("the chat is not a forum")
    if not chat.bot_may("can_manage_topics"):
        raise bad_request(f"not enough rights to {what}")
    return chat


def _topic(call: Call, chat: Chat) -> Topic:
    number = call.params.integer("message_thread_id")
    if number == GENERAL_TOPIC:
        raise forbidden("the General topic is handled by methods of its own")
    topic = chat.topics.get(number)
    if topic is None:
        raise bad_request("TOPIC_ID_INVALID")
    return topic


def _service(call: Call, chat: Chat, topic: Topic, service: Json) -> bool:
    posting.add(call.world, chat, call.world.bot, Content(), thread_id=topic.thread_id, service=service)
    posting.publish_topics(call.world, chat)
    return True
