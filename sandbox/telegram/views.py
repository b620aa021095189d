"""Chats as a person sees them: the data of the control interface and the web page.

Contents: the JSON of messages and chats for people, pictures by URL, formatted text as safe HTML. Not here: the
Bot API's own JSON (`model`).
"""

import functools
import itertools
from html import escape
from typing import Any

from sandbox.telegram.markup.text import Entity, RichText
from sandbox.telegram.model import Chat, Content, Message, Version

_TAGS = {
    "bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "code": "code", "pre": "pre",
    "blockquote": "blockquote", "expandable_blockquote": "blockquote",
}  # fmt: skip


def message_view(message: Message) -> dict[str, Any]:
    """Return a message as shown now: `text`, `html`, `photo`, `buttons` … and `history`, oldest version first.

    Times are in seconds; `silent`: it made no sound; `deleted`: when it was deleted, with `deleted_by`.
    """
    found: dict[str, Any] = {
        "message_id": message.id,
        "chat_id": message.chat.id,
        "thread_id": message.thread_id,
        "from": {"id": message.sender.id, "name": message.sender.name, "is_bot": message.sender.is_bot},
        "date": message.date,
        "edited": message.edited_at,
        "deleted": message.deleted_at,
        "deleted_by": message.deleted_by,
        "silent": message.silent,
        "protected": message.protected,
        "pinned": message.id in message.chat.pinned,
        "reply_to": message.reply_to.id if message.reply_to else None,
        "service": message.service,
        "reactions": list(message.reactions),
    }
    found.update(content_view(message.content))
    found["history"] = [version_view(version) for version in message.history]
    return found


@functools.lru_cache(maxsize=4096)  # each edit is published with all earlier versions
def version_view(version: Version) -> dict[str, Any]:
    """Return what a message looked like before, and since when (`at`): to be read only."""
    return {"at": version.at, **content_view(version.content)}


def content_view(content: Content) -> dict[str, Any]:
    """Return what is visible: `text` (the caption, if there is a picture), its HTML, media and buttons."""
    photo = document = None
    if content.media is not None:
        file = content.media.best
        media = {"url": f"/client/files/{file.unique_id}", "file_id": file.file_id, "size": len(file.data)}
        if content.media.kind == "photo":
            photo = {**media, "width": file.width, "height": file.height, "spoiler": content.media.spoiler}
        else:
            document = {**media, "name": file.name, "mime_type": file.mime_type}
    buttons = [
        [{"text": button["text"], "data": button.get("callback_data"), "url": button.get("url")} for button in row]
        for row in content.keyboard()
    ]
    return {
        "text": content.text.text,
        "entities": [entity.to_json() for entity in content.text.entities],
        "html": to_html(content.text),
        "photo": photo,
        "document": document,
        "buttons": buttons,
    }


def chat_view(chat: Chat) -> dict[str, Any]:
    """Return a chat for a list of chats."""
    visible = chat.visible()
    return {
        **chat.to_json(),
        "name": chat.title,
        "blocked": chat.blocked,
        "bot_status": chat.bot_status,
        "migrated_to": chat.migrated_to,
        "members": [{"user_id": user_id, "status": status} for user_id, status in chat.members.items()],
        "topics": [{**topic.to_json(), "closed": topic.closed} for topic in chat.topics.values()],
        "pinned": list(chat.pinned),
        "messages": len(visible),
        "last": message_view(visible[-1]) if visible else None,
    }


def to_html(rich: RichText) -> str:
    """Render a text and its entities as safe HTML: the text itself is escaped."""
    units = rich.text.encode("utf-16-le")
    marks = sorted({0, len(units) // 2, *(e.offset for e in rich.entities), *(e.end for e in rich.entities)})
    html: list[str] = []
    opened: list[Entity] = []
    for start, stop in itertools.pairwise(marks):
        around = [entity for entity in rich.entities if entity.offset <= start and stop <= entity.end]
        kept = 0
        while kept < min(len(opened), len(around)) and opened[kept] is around[kept]:
            kept += 1
        html += [_tag(entity)[1] for entity in reversed(opened[kept:])]
        html += [_tag(entity)[0] for entity in around[kept:]]
        html.append(escape(units[start * 2 : stop * 2].decode("utf-16-le", errors="replace")))
        opened = around
    html += [_tag(entity)[1] for entity in reversed(opened)]
    return "".join(html)


def _tag(entity: Entity) -> tuple[str, str]:
    """Return the tags before and after an entity's text."""
    if entity.type in _TAGS:
        tag = _TAGS[entity.type]
        return f"<{tag}>", f"</{tag}>"
    if entity.type == "text_link" and entity.url:
        return f'<a href="{escape(entity.url)}" target="_blank" rel="noreferrer">', "</a>"
    return f'<span class="{escape(entity.type)}">', "</span>"
