"""`parse_mode=MarkdownV2` and the legacy `Markdown`: from marked text to text with entities.

Contents: the two parsers and their error texts (tdlib/td `parse_markdown_v2`, `parse_markdown`). Not
here: limits, detection of links and commands, the other mark-up language.
"""

from dataclasses import dataclass

from sandbox.telegram.markup.html import MarkupError
from sandbox.telegram.markup.links import checked_link, linked_mark, linked_user
from sandbox.telegram.markup.text import Entity, TextBuilder, sort_entities

_RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
_RESERVED_IN_CODE = frozenset("`")
_LAST_ESCAPABLE = 126
_ENTITY = {
    "Bold": "bold", "Italic": "italic", "Underline": "underline", "Strikethrough": "strikethrough",
    "Spoiler": "spoiler", "Code": "code", "Pre": "pre", "PreCode": "pre",
}  # fmt: skip
_CLOSING = {
    "Bold": "*", "Code": "`", "Pre": "```", "PreCode": "```", "TextUrl": "]", "CustomEmoji": "]",
    "Underline": "__", "Strikethrough": "~", "Spoiler": "||",
}  # fmt: skip
_LEGACY = {"_": "italic", "*": "bold", "`": "code", "[": "text_link"}


@dataclass(slots=True)
class _Open:
    kind: str  # named as the server names it in its error texts
    argument: str
    offset: int
    at: int


class _MarkdownV2Parser:
    """One pass over one text; offsets in error texts are bytes of its UTF-8 form."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._out = TextBuilder()
        self._line_start = True
        self._open: list[_Open] = []
        self._in_quote = False
        self._entities: list[Entity] = []

    def run(self) -> tuple[str, list[Entity]]:
        while self._at < len(self._source):
            self._step()
        if self._in_quote:
            self._end_quote()
        if self._open:
            raise self._unclosed()
        return str(self._out), sort_entities(self._entities)

    def _next(self, count: int = 1) -> str:
        return self._source[self._at : self._at + count]

    def _byte(self, position: int) -> int:
        return len(self._source[:position].encode())

    def _emit(self, character: str) -> None:
        self._out.add(character)
        self._line_start = character in "\n\r"

    def _unclosed(self) -> MarkupError:
        last = self._open[-1]
        return MarkupError(f"Can't find end of {last.kind} entity at byte offset {self._byte(last.at)}")

    def _step(self) -> None:
        character = self._next()
        follower = self._source[self._at + 1 : self._at + 2]
        if character == "\\" and follower and 0 < ord(follower) <= _LAST_ESCAPABLE:
            self._emit(follower)
            self._at += 2
            return
        kind = self._open[-1].kind if self._open else None
        reserved = _RESERVED_IN_CODE if kind in {"Code", "Pre", "PreCode"} else _RESERVED
        if character not in reserved:
            self._emit(character)
            self._at += 1
        elif character == "\n":
            self._newline()
        elif kind is not None and self._closes(kind):
            self._close()
        else:
            self._begin(character)

    def _newline(self) -> None:
        self._at += 1
        if self._in_quote and self._next() == ">":
            self._emit("\n")
            self._at += 1
        elif self._in_quote:
            self._end_quote(tail="\n")
        else:
            self._emit("\n")

    def _end_quote(self, tail: str = "") -> None:
        """Close the block quote; an empty spoiler mark at its very end makes it expandable."""
        kind = "blockquote"
        last = self._open[-1]
        if (
            last.kind == "Spoiler"
            and self._open[-2].kind == "BlockQuote"
            and not self._out.since(last.offset).strip("\r")
        ):
            self._open.pop()
            kind = "expandable_blockquote"
        if self._open[-1].kind != "BlockQuote":
            raise self._unclosed()
        quote = self._open.pop()
        self._in_quote = False
        if tail:
            self._emit(tail)
        if self._out.length > quote.offset:
            self._entities.append(Entity(kind, quote.offset, self._out.length - quote.offset))

    def _closes(self, kind: str) -> bool:
        if kind == "Italic":
            return self._next() == "_" and self._next(2) != "__"
        closing = _CLOSING.get(kind)
        return closing is not None and self._next(len(closing)) == closing

    def _begin(self, character: str) -> None:
        start = self._at
        argument = ""
        if self._next(2) == "__":
            kind, width = "Underline", 2
        elif self._next(2) == "||":
            kind, width = "Spoiler", 2
        elif self._next(2) == "![":
            kind, width = "CustomEmoji", 2
        elif self._next(3) == "```":
            kind, argument, width = self._code_block()
        elif character in "_*~[`":
            kind = {"_": "Italic", "*": "Bold", "~": "Strikethrough", "[": "TextUrl", "`": "Code"}[character]
            width = 1
        elif character == ">" and self._line_start and not self._in_quote:
            kind, width = "BlockQuote", 1
            self._in_quote = True
        else:
            raise MarkupError(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")
        self._at += width
        self._open.append(_Open(kind, argument, self._out.length, start))

    def _code_block(self) -> tuple[str, str, int]:
        """Return kind, language and the width of the opening: the fence, the language and one line break."""
        rest = self._source[self._at + 3 :]
        stop = 0
        while stop < len(rest) and not rest[stop].isspace() and rest[stop] != "`":
            stop += 1
        language = rest[:stop] if 0 < stop < len(rest) and rest[stop] != "`" else ""
        width = 3 + len(language)
        rest = rest[len(language) :]
        if rest[:2] in {"\n\r", "\r\n"}:
            width += 2
        elif rest[:1] in {"\n", "\r"}:
            width += 1
        return ("PreCode" if language else "Pre"), language, width

    def _close(self) -> None:
        opened = self._open.pop()
        offset, length = opened.offset, self._out.length - opened.offset
        self._at += len(_CLOSING.get(opened.kind, "_"))
        entity: Entity | None
        if opened.kind == "TextUrl":
            url = self._parenthesised() if self._next() == "(" else self._out.since(offset)
            if (user := linked_user(url)) is not None:
                entity = Entity("text_mention", offset, length, user_id=user)
            else:
                link = checked_link(url)
                entity = Entity("text_link", offset, length, url=link) if link else None
        elif opened.kind == "CustomEmoji":
            if self._next() != "(":
                raise MarkupError("The entity must contain a tg://emoji or tg://time URL")
            try:
                kind, number, shape = linked_mark(self._parenthesised())
            except ValueError as error:
                raise MarkupError(str(error)) from None
            if kind == "emoji":
                entity = Entity("custom_emoji", offset, length, custom_emoji_id=number)
            else:
                entity = Entity("date_time", offset, length, unix_time=int(number), time_format=shape or None)
        else:
            entity = Entity(_ENTITY[opened.kind], offset, length, language=opened.argument or None)
        if entity is not None and length:
            self._entities.append(entity)

    def _parenthesised(self) -> str:
        self._at += 1
        start = self._at
        url = []
        while self._next() and self._next() != ")":
            follower = self._source[self._at + 1 : self._at + 2]
            if self._next() == "\\" and follower and ord(follower) <= _LAST_ESCAPABLE:
                self._at += 1
            url.append(self._next())
            self._at += 1
        if self._next() != ")":
            raise MarkupError(f"Can't find end of a URL at byte offset {self._byte(start)}")
        self._at += 1
        return "".join(url)


def parse_markdown_v2(source: str) -> tuple[str, list[Entity]]:
    """Return the plain text of `source` and its entities; raise MarkupError with the server's reason."""
    return _MarkdownV2Parser(source).run()


def parse_markdown(source: str) -> tuple[str, list[Entity]]:
    """Return text and entities of the legacy mark-up, which has no nesting; raise MarkupError."""
    out = TextBuilder()
    entities: list[Entity] = []
    at = 0
    while at < len(source):
        character = source[at]
        if character == "\\" and source[at + 1 : at + 2] in {"_", "*", "`", "["}:
            out.add(source[at + 1])
            at += 2
        elif character not in _LEGACY:
            out.add(character)
            at += 1
        else:
            at = _legacy_entity(source, at, out, entities)
    return str(out), sort_entities(entities)


def _legacy_entity(source: str, begin: int, out: TextBuilder, entities: list[Entity]) -> int:
    """Read one entity starting at `begin` and return where the text continues."""
    kind, closing, at, language = _LEGACY[source[begin]], source[begin].replace("[", "]"), begin + 1, None
    if source.startswith("```", begin):
        kind, closing, at = "pre", "```", begin + 3
        word = source[at:].split("`", 1)[0].split("\n", 1)[0]
        if word and not any(c.isspace() for c in word) and source[at + len(word) : at + len(word) + 1] == "\n":
            language, at = word, at + len(word)
        at += source[at : at + 1] in {"\n", "\r"}
    stop = source.find(closing, at)
    if stop < 0:
        where = len(source[:begin].encode())
        raise MarkupError(f"Can't find end of the entity starting at byte offset {where}")
    offset, inner = out.length, source[at:stop]
    out.add(inner)
    after = stop + len(closing)
    url: str | None = None
    if kind == "text_link":
        target = inner
        if source[after : after + 1] == "(":
            end = source.find(")", after)
            end = len(source) if end < 0 else end
            target, after = source[after + 1 : end], end + 1
        if (user := linked_user(target)) is not None:
            entities.append(Entity("text_mention", offset, out.length - offset, user_id=user))
            return after
        url = checked_link(target)
    if inner and (kind != "text_link" or url):
        entities.append(Entity(kind, offset, out.length - offset, url=url or None, language=language))
    return after
