"""Methods that send, edit and delete messages and answer button presses.

Contents: those methods. Not here: their rules (`posting`) and shared parameters (`reading`).
"""

from dataclasses import replace
from typing import Any

from sandbox.telegram import posting
from sandbox.telegram.errors import ApiError, bad_request, message_not_found
from sandbox.telegram.methods import reading
from sandbox.telegram.methods.registry import Call, method
from sandbox.telegram.model import Chat, Content, Json, Message

CHAT_ACTIONS = frozenset({
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
})  # fmt: skip
MAX_BATCH = 100


def _send(call: Call, make: Any) -> Json:
    """Post what `make()` returns; mark-up is parsed before the chat is looked up, as on the real server."""
    params = call.params
    content: Content = make()
    content = replace(content, markup=reading.inline_markup(call, inline_only=False))
    chat = call.world.chat(params.text("chat_id"), write=True)
    message = posting.send(
        call.world,
        chat,
        content,
        thread_id=reading.thread_of(call),
        reply_to=reading.reply_target(call, chat),
        silent=params.boolean("disable_notification"),
        protected=params.boolean("protect_content"),
    )
    return message.to_json()


@method("sendMessage")
def send_message(call: Call) -> Json:
    """Send a text."""
    return _send(call, lambda: Content(reading.text_of(call), link_preview=reading.link_preview(call)))


@method("sendPhoto")
def send_photo(call: Call) -> Json:
    """Send a picture, uploaded or by file_id."""
    return _send(
        call,
        lambda: Content(
            reading.caption_of(call),
            reading.media_of(call, "photo"),
            caption_above=call.params.boolean("show_caption_above_media"),
        ),
    )


@method("sendDocument")
def send_document(call: Call) -> Json:
    """Send a file unchanged."""
    return _send(call, lambda: Content(reading.caption_of(call), reading.media_of(call, "document")))


@method("editMessageText")
def edit_message_text(call: Call) -> Json:
    """Edit a text message."""
    text, markup = reading.text_of(call), reading.inline_markup(call, inline_only=True)
    message = _to_edit(call)
    if message.content.media is not None:
        raise bad_request("there is no text in the message to edit")
    content = Content(text, markup=markup, link_preview=reading.link_preview(call))
    return posting.edit(call.world, message, content).to_json()


@method("editMessageCaption")
def edit_message_caption(call: Call) -> Json:
    """Edit the caption of a picture or document."""
    caption, markup = reading.caption_of(call), reading.inline_markup(call, inline_only=True)
    message = _to_edit(call)
    if message.content.media is None:
        raise bad_request("there is no caption in the message to edit")
    above = call.params.boolean("show_caption_above_media")
    content = replace(message.content, text=caption, markup=markup, caption_above=above)
    return posting.edit(call.world, message, content).to_json()


@method("editMessageMedia")
def edit_message_media(call: Call) -> Json:
    """Replace a message's picture or document, with its caption."""
    media, caption, given = reading.input_media(call)
    markup = reading.inline_markup(call, inline_only=True)
    message = _to_edit(call)
    content = Content(caption, media, markup, caption_above=bool(given.get("show_caption_above_media")))
    return posting.edit(call.world, message, content).to_json()


@method("editMessageReplyMarkup")
def edit_message_reply_markup(call: Call) -> Json:
    """Edit only the buttons."""
    markup = reading.inline_markup(call, inline_only=True)
    message = _to_edit(call)
    return posting.edit(call.world, message, replace(message.content, markup=markup)).to_json()


def _to_edit(call: Call) -> Message:
    params = call.params
    if params.text("inline_message_id"):
        raise bad_request("MESSAGE_ID_INVALID")
    if "chat_id" not in params and "message_id" not in params:
        raise bad_request("message identifier is not specified")
    chat = call.world.chat(params.text("chat_id"), write=True)
    return posting.editable(call.world, chat, params.integer("message_id"))


@method("deleteMessage")
def delete_message(call: Call) -> bool:
    """Delete one message for everyone."""
    params = call.params
    if not params.text("chat_id"):
        raise bad_request("chat identifier is not specified")
    if not params.integer("message_id"):
        raise bad_request("message identifier is not specified")
    chat = _chat_to_delete_in(call)
    posting.delete(call.world, chat, params.integer("message_id"))
    return True


@method("deleteMessages")
def delete_messages(call: Call) -> bool:
    """Delete up to 100 messages; missing ones are skipped."""
    numbers = call.params.structure("message_ids", "message identifiers")
    if not isinstance(numbers, list) or not numbers:
        raise bad_request("message identifiers are not specified")
    if len(numbers) > MAX_BATCH:
        raise bad_request("too many message identifiers specified")
    chat = _chat_to_delete_in(call)
    for number in numbers:
        try:
            posting.delete(call.world, chat, int(number))
        except ApiError as error:
            if error.description != message_not_found("to delete").description:
                raise
    return True


def _chat_to_delete_in(call: Call) -> Chat:
    """Find the chat; a blocked bot may still delete its messages."""
    chat = call.world.chat(call.params.text("chat_id"))
    return chat if chat.blocked else call.world.chat(call.params.text("chat_id"), write=True)


@method("answerCallbackQuery")
def answer_callback_query(call: Call) -> bool:
    """Answer a button press with nothing, a toast or an alert."""
    params = call.params
    posting.answer(
        call.world,
        params.text("callback_query_id"),
        params.text("text"),
        alert=params.boolean("show_alert"),
        url=params.text("url"),
    )
    return True


@method("sendChatAction")
def send_chat_action(call: Call) -> bool:
    """Show "typing…" for some seconds; costs nothing."""
    chat = call.world.chat(call.params.text("chat_id"), write=True)
    action = call.params.text("action")
    if action not in CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    call.world.feed.publish("action", chat_id=chat.id, action=action)
    return True


@method("setMessageReaction")
def set_message_reaction(call: Call) -> bool:
    """Set the bot's reaction to a message."""
    chat = call.world.chat(call.params.text("chat_id"), write=True)
    message = call.world.message(chat, call.params.integer("message_id"))
    if message is None:
        raise message_not_found("to react")
    reactions = call.params.structure("reaction", "reaction") or []
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    message.reactions = [reaction for reaction in reactions if isinstance(reaction, dict)]
    call.world.feed.publish("reaction", chat_id=chat.id, message_id=message.id, reactions=message.reactions)
    return True
