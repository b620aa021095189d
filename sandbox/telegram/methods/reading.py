"""Parameters that several methods share: text with mark-up, keyboards, replies, media.

Contents: converting parameters to the model's values, with the server's error texts. Not here: acting on
them.
"""

from collections.abc import Callable
from typing import Any

from sandbox.telegram.errors import bad_request, cannot_parse_entities, message_not_found
from sandbox.telegram.markup.html import MarkupError, parse_html
from sandbox.telegram.markup.links import checked_link
from sandbox.telegram.markup.markdown import parse_markdown, parse_markdown_v2
from sandbox.telegram.markup.text import Entity, RichText, normalise
from sandbox.telegram.methods.registry import Call
from sandbox.telegram.model import Chat, Json, Media, Message
from sandbox.telegram.params import ATTACH, Upload

Markup = tuple[tuple[tuple[tuple[str, Any], ...], ...], ...]
MAX_SOURCE_BYTES = 1 << 15
MAX_CALLBACK_DATA = 64
MAX_BUTTONS = 100
MAX_ROW = 8

_PARSERS: dict[str, Callable[[str], tuple[str, list[Entity]]]] = {
    "html": parse_html,
    "markdownv2": parse_markdown_v2,
    "markdown": parse_markdown,
}
_ACTIONS = (
    "url", "callback_data", "callback_game", "pay", "switch_inline_query", "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat", "login_url", "web_app", "copy_text",
)  # fmt: skip


def rich_text(text: str, parse_mode: str, entities: Any) -> RichText:
    """Return text and entities of a message; raises the 400 for invalid mark-up."""
    if len(text.encode()) > MAX_SOURCE_BYTES:
        raise bad_request("text is too long")
    mode = parse_mode.lower()
    if text and mode not in {"", "none"}:
        parser = _PARSERS.get(mode)
        if parser is None:
            raise bad_request("unsupported parse_mode")
        try:
            return normalise(*parser(text))
        except MarkupError as error:
            raise cannot_parse_entities(str(error)) from None
    return normalise(text, [_entity(entity) for entity in entities or []])


def _entity(given: Any) -> Entity:
    if not isinstance(given, dict):
        raise bad_request("can't parse MessageEntity: expected an Object")
    for name in ("offset", "length", "type"):
        if name not in given:
            raise bad_request(f"can't parse MessageEntity: Can't find field \"{name}\"")
    user = given.get("user")
    return Entity(
        str(given["type"]),
        int(given["offset"]),
        int(given["length"]),
        url=given.get("url"),
        language=given.get("language"),
        user_id=user.get("id") if isinstance(user, dict) else None,
        custom_emoji_id=given.get("custom_emoji_id"),
    )


def text_of(call: Call) -> RichText:
    """Return the `text` of sendMessage and editMessageText."""
    text = call.params.text("text")
    if not text:
        raise bad_request("message text is empty")
    found = rich_text(text, call.params.text("parse_mode"), call.params.structure("entities", "entities"))
    if not found.text:
        raise bad_request("text must be non-empty")
    return found


def caption_of(call: Call) -> RichText:
    """Return the `caption` with its entities."""
    params = call.params
    return rich_text(
        params.text("caption"), params.text("parse_mode"), params.structure("caption_entities", "caption entities")
    )


def inline_markup(call: Call, *, inline_only: bool) -> Markup | None:
    """Return the inline keyboard of `reply_markup`; other keyboards are accepted and not shown."""
    given = call.params.structure("reply_markup", "reply keyboard markup")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise bad_request("object expected as reply markup")
    rows = given.get("inline_keyboard")
    if rows is None:
        if inline_only and given:
            raise bad_request("inline keyboard expected")
        return None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    markup = tuple(tuple(_button(button) for button in row) for row in rows if row)
    if any(len(row) > MAX_ROW for row in markup) or sum(map(len, markup)) > MAX_BUTTONS:
        raise bad_request(
            "REPLY_MARKUP_TOO_LONG" if any(len(row) > MAX_ROW for row in markup) else "reply markup is too long"
        )
    return markup or None


def _button(given: Any) -> tuple[tuple[str, Any], ...]:
    if not isinstance(given, dict):
        raise bad_request("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    if "text" not in given:
        raise bad_request("can't parse inline keyboard button: Can't find field \"text\"")
    if not str(given["text"]).strip():
        raise bad_request("can't parse inline keyboard button: Text must be non-empty".replace("Text", "text"))
    if not any(given.get(action) is not None and given.get(action) != "" for action in _ACTIONS):
        if "callback_data" in given:
            raise bad_request("BUTTON_DATA_INVALID")
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    data = given.get("callback_data")
    if data is not None and len(str(data).encode()) > MAX_CALLBACK_DATA:
        raise bad_request("BUTTON_DATA_INVALID")
    if given.get("url") and not checked_link(str(given["url"])):
        raise bad_request("BUTTON_URL_INVALID")
    return tuple(sorted((str(key), _frozen(value)) for key, value in given.items() if value is not None))


def _frozen(value: Any) -> Any:
    return tuple(sorted((str(k), _frozen(v)) for k, v in value.items())) if isinstance(value, dict) else value


def link_preview(call: Call) -> tuple[tuple[str, Any], ...] | None:
    """Return `link_preview_options` (or its predecessor `disable_web_page_preview`)."""
    given = call.params.structure("link_preview_options", "link preview options")
    if given is None:
        return (("is_disabled", True),) if call.params.boolean("disable_web_page_preview") else None
    if not isinstance(given, dict):
        raise bad_request("object expected as link preview options")
    return tuple(sorted(given.items())) or None


def reply_target(call: Call, chat: Chat) -> Message | None:
    """Return the message replied to; raises if it is gone and the reply requires it."""
    given = call.params.structure("reply_parameters", "reply parameters")
    if given is not None and not isinstance(given, dict):
        raise bad_request("object expected as reply parameters")
    number = int(given.get("message_id", 0)) if given else call.params.integer("reply_to_message_id")
    if not number:
        return None
    lenient = bool(given.get("allow_sending_without_reply")) if given else False
    found = call.world.message(chat, number)
    if found is None and not (lenient or call.params.boolean("allow_sending_without_reply")):
        raise message_not_found("to be replied")
    return found


def thread_of(call: Call) -> int | None:
    """Return `message_thread_id`, None if missing."""
    return call.params.integer("message_thread_id") or None


def media_of(call: Call, name: str) -> Media:
    """Return the media that sendPhoto or sendDocument has in the parameter `name`."""
    return _media(call, name, call.params.text(name), call.params.upload(name), {})


def input_media(call: Call) -> tuple[Media, RichText, Json]:
    """Return media, caption and the whole InputMedia object of editMessageMedia."""
    given = call.params.structure("media", "input media")
    if not isinstance(given, dict):
        raise bad_request(
            "can't parse InputMedia: expected an Object" if given is not None else "there is no media in the request"
        )
    kind = given.get("type")
    if kind not in {"photo", "document"}:
        raise bad_request(f'can\'t parse InputMedia: type "{kind}" is not served by this stand-in')
    source = str(given.get("media", ""))
    upload = call.params.uploads.get(source.removeprefix(ATTACH)) if source.startswith(ATTACH) else None
    media = _media(call, str(kind), source, upload, given)
    caption = rich_text(
        str(given.get("caption") or ""), str(given.get("parse_mode") or ""), given.get("caption_entities")
    )
    return media, caption, given


def _media(call: Call, kind: str, source: str, upload: Upload | None, given: Json) -> Media:
    spoiler = bool(given.get("has_spoiler")) or call.params.boolean("has_spoiler")
    if upload is not None:
        if kind == "photo":
            return call.world.files.add_photo(upload.data, spoiler=spoiler)
        return call.world.files.add_document(upload.data, upload.name, upload.content_type)
    if not source or source.startswith(ATTACH):
        raise bad_request(f"there is no {kind} in the request")
    if source.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")
    found = call.world.files.by_id(source)
    if found is None:
        raise bad_request("wrong file identifier/HTTP URL specified")
    if found.kind != kind:
        raise bad_request(f"can't use file of type {found.kind.title()} as {kind.title()}")
    return found if found.kind == "document" else Media("photo", found.files, spoiler)
