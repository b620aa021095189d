"""Text as Telegram stores it: plain characters plus entities measured in UTF-16 code units.

Contents: entities, their normal form and those detected by Telegram (commands, links, mentions).
Not here: the two mark-up languages (`html`, `markdown`) and length limits.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

CODE_LIKE = frozenset({"code", "pre"})
SPLITTABLE = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
_PRIORITY = {
    "blockquote": 0, "expandable_blockquote": 0, "pre": 11, "code": 20, "text_link": 49, "text_mention": 49,
    "bold": 90, "italic": 91, "underline": 92, "strikethrough": 93, "spoiler": 94, "custom_emoji": 99,
}  # fmt: skip
_OTHER_PRIORITY = 50

# What Telegram itself detects in plain text. The word boundaries follow tdlib/td MessageEntity.cpp; links are
# recognised by scheme or by a few well-known top-level domains, where the real list has hundreds.
_FOUND = (
    ("url", re.compile(r"(?<![\w@.])(?:https?://[^\s<>\"]+|(?:[\w-]+\.)+(?:org|com|net|dev|io|me|de)\b(?:/[^\s<>\"]*)?)")),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]+\.)+[a-zA-Z]{2,}")),
    ("mention", re.compile(r"(?<!\w)@[A-Za-z0-9_]{4,32}(?!\w)")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])")),
    ("hashtag", re.compile(r"(?<!\w)#(?=\w*[^\W\d_])\w{1,256}(?![\w#])")),
    ("phone_number", re.compile(r"(?<![\w+/])\+\d(?:[ -]?\d){7,14}(?!\w)")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entity:
    """One MessageEntity; `offset` and `length` count UTF-16 code units."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    user_id: int | None = None
    custom_emoji_id: str | None = None
    unix_time: int | None = None
    time_format: str | None = None

    @property
    def end(self) -> int:
        """The first unit after the entity."""
        return self.offset + self.length

    def to_json(self) -> dict[str, Any]:
        """Return the Bot API's MessageEntity."""
        found: dict[str, Any] = {"type": self.type, "offset": self.offset, "length": self.length}
        if self.url is not None:
            found["url"] = self.url
        if self.language is not None:
            found["language"] = self.language
        if self.user_id is not None:
            found["user"] = {"id": self.user_id, "is_bot": False, "first_name": str(self.user_id)}
        if self.custom_emoji_id is not None:
            found["custom_emoji_id"] = self.custom_emoji_id
        if self.unix_time is not None:
            found["unix_time"] = self.unix_time
        if self.time_format is not None:
            found["date_time_format"] = self.time_format
        return found


@dataclass(frozen=True, slots=True)
class RichText:
    """A text with its entities in normal order."""

    text: str = ""
    entities: tuple[Entity, ...] = ()

    @property
    def length(self) -> int:
        """The text's length in UTF-16 code units, which Telegram's limits apply to here."""
        return utf16_length(self.text)


class TextBuilder:
    """Collects plain text during parsing and knows its length in UTF-16 units."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.length = 0

    def add(self, piece: str) -> None:
        """Append `piece`."""
        self._parts.append(piece)
        self.length += utf16_length(piece)

    def __str__(self) -> str:
        return "".join(self._parts)

    def since(self, offset: int) -> str:
        """Return what was added after UTF-16 `offset`."""
        return utf16_slice(str(self), offset, self.length)


def utf16_length(text: str) -> int:
    """Return the number of UTF-16 code units of `text`."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf16_slice(text: str, start: int, stop: int) -> str:
    """Return the part of `text` between two UTF-16 offsets."""
    return text.encode("utf-16-le")[start * 2 : stop * 2].decode("utf-16-le", errors="ignore")


def normalise(text: str, entities: list[Entity], *, detect: bool = True) -> RichText:
    """Strip whitespace, clip entities to what is left, apply the nesting rules and detect what Telegram detects.

    Leading and trailing whitespace is removed, as by the server, with entities that become empty; nothing is allowed
    inside code or pre, and bold and similar entities are split around them.
    """
    stripped = text.lstrip()
    shift = utf16_length(text) - utf16_length(stripped)
    stripped = stripped.rstrip()
    end = utf16_length(stripped)
    clipped = []
    for entity in entities:
        first = min(max(entity.offset - shift, 0), end)
        last = min(max(entity.end - shift, 0), end)
        if last > first:
            clipped.append(replace(entity, offset=first, length=last - first))
    kept = _without_code_overlap(clipped)
    if detect:
        kept += _detected(stripped, kept)
    return RichText(stripped, tuple(sort_entities(kept)))


def sort_entities(entities: list[Entity]) -> list[Entity]:
    """Sort by start, then longest first, then by the server's priority of types."""
    return sorted(entities, key=lambda e: (e.offset, -e.length, _PRIORITY.get(e.type, _OTHER_PRIORITY)))


def find_entities(text: str) -> list[Entity]:
    """Return the entities that Telegram itself detects in plain text, without overlaps."""
    return sort_entities(_detected(text, []))


def _without_code_overlap(entities: list[Entity]) -> list[Entity]:
    codes = [entity for entity in entities if entity.type in CODE_LIKE]
    outermost = [code for code in codes if not any(_inside(code, other) for other in codes)]
    kept = list(outermost)
    for entity in entities:
        if entity.type in CODE_LIKE:
            continue
        if entity.type in SPLITTABLE:
            kept += _split_around(entity, outermost)
        elif not any(code.offset <= entity.offset and entity.end <= code.end for code in outermost):
            kept.append(entity)
    return kept


def _inside(inner: Entity, outer: Entity) -> bool:
    """Return whether `outer` covers `inner` and more."""
    return outer.length > inner.length and outer.offset <= inner.offset and inner.end <= outer.end


def _split_around(entity: Entity, holes: list[Entity]) -> list[Entity]:
    spans = [(entity.offset, entity.end)]
    for hole in holes:
        spans = [
            part
            for first, last in spans
            for part in ((first, min(last, hole.offset)), (max(first, hole.end), last))
            if part[1] > part[0]
        ]
    return [replace(entity, offset=first, length=last - first) for first, last in dict.fromkeys(spans)]


def _detected(text: str, taken: list[Entity]) -> list[Entity]:
    barred = [entity for entity in taken if entity.type not in SPLITTABLE | {"blockquote", "expandable_blockquote"}]
    found: list[Entity] = []
    for kind, pattern in _FOUND:
        for match in pattern.finditer(text):
            offset = utf16_length(text[: match.start()])
            entity = Entity(kind, offset, utf16_length(match.group()))
            if not any(entity.offset < other.end and other.offset < entity.end for other in (*barred, *found)):
                found.append(entity)
    return found
