"""`parse_mode=HTML`: from text with tags to text with entities, rejecting what the official server rejects.

Contents: the HTML parser and its error texts (tdlib/td `parse_html`). Not here: limits, detection of
links and commands, the other mark-up language.
"""

import string
from dataclasses import dataclass

from sandbox.telegram.markup.links import checked_link, checked_time_format, linked_user
from sandbox.telegram.markup.text import Entity, TextBuilder, sort_entities

_SIMPLE = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "span": "spoiler",
}  # fmt: skip
_TAGS = frozenset({*_SIMPLE, "a", "tg-emoji", "tg-time", "pre", "code", "blockquote"})
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_TOKEN = frozenset(string.ascii_letters + string.digits + ".-")
_LARGEST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_MAX_NAME = 6


class MarkupError(ValueError):
    """The text's mark-up is invalid; the message is the server's own reason."""


@dataclass(slots=True)
class _Open:
    tag: str
    argument: str
    offset: int
    time_format: str = ""


def _argument(tag: str, attribute: str, value: str) -> str | None:
    """Return the value of an attribute of its tag, None if it has no meaning there."""
    match tag, attribute:
        case ("a", "href") | ("tg-emoji", "emoji-id") | ("tg-time", "unix"):
            return value
        case ("code", "class") if value.startswith("language-"):
            return value.removeprefix("language-")
        case ("span", "class") if value.startswith("tg-"):
            return value.removeprefix("tg-")
        case ("blockquote", "expandable"):
            return "expandable"
    return None


class _HtmlParser:
    """One pass over one text; offsets in error texts are bytes of its UTF-8 form."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._out = TextBuilder()
        self._open: list[_Open] = []
        self._entities: list[Entity] = []

    def run(self) -> tuple[str, list[Entity]]:
        while self._at < len(self._source):
            character = self._source[self._at]
            if character == "&":
                self._out.add(self._reference())
            elif character == "<":
                self._tag()
            else:
                self._out.add(character)
                self._at += 1
        if self._open:
            raise MarkupError(f'Can\'t find end tag corresponding to start tag "{self._open[-1].tag}"')
        for number, entity in enumerate(self._entities):
            if entity.type == "code" and entity.language is not None:
                self._entities[number] = Entity("code", entity.offset, entity.length)
        return str(self._out), sort_entities(self._entities)

    def _byte(self, position: int) -> int:
        return len(self._source[:position].encode())

    def _peek(self) -> str:
        return self._source[self._at] if self._at < len(self._source) else ""

    def _skip_spaces(self) -> None:
        while self._peek().isspace():
            self._at += 1

    def _until(self, stops: str) -> str:
        start = self._at
        while self._peek() and not self._peek().isspace() and self._peek() not in stops:
            self._at += 1
        return self._source[start : self._at]

    def _reference(self) -> str:
        """Read `&lt;`, `&#60;`, `&#x3c;` (the semicolon may be missing); anything else is a plain ampersand."""
        body = self._source[self._at + 1 :]
        if body.startswith("#"):
            hexadecimal = body[1:2].lower() == "x"
            start = 2 if hexadecimal else 1
            digits = string.hexdigits if hexadecimal else string.digits
            stop = start
            while stop < len(body) and body[stop] in digits:
                stop += 1
            code = int(body[start:stop] or "0", 16 if hexadecimal else 10)
            if 0 < code <= _LARGEST_CODE_POINT:
                if code in _SURROGATES:
                    raise MarkupError(
                        "Text contains invalid Unicode characters after decoding HTML entities, "
                        "check for unmatched surrogate code units"
                    )
                self._at += 1 + stop + (body[stop : stop + 1] == ";")
                return chr(code)
        else:
            stop = 0
            while stop < min(len(body), _MAX_NAME) and body[stop].isascii() and body[stop].isalpha():
                stop += 1
            if body[:stop] in _NAMED:
                self._at += 1 + stop + (body[stop : stop + 1] == ";")
                return _NAMED[body[:stop]]
        self._at += 1
        return "&"

    def _tag(self) -> None:
        begin = self._at
        self._at += 1
        if self._peek() == "/":
            self._at += 1
            self._close(begin)
        else:
            self._begin(begin)

    def _begin(self, begin: int) -> None:
        where = f"at byte offset {self._byte(begin)}"
        name = self._until(">").lower()
        if not self._peek():
            raise MarkupError(f"Unclosed start tag {where}")
        if name not in _TAGS:
            raise MarkupError(f'Unsupported start tag "{name}" {where}')
        argument = time_format = ""
        while self._peek() != ">":
            self._skip_spaces()
            if self._peek() == ">":
                break
            attribute, value = self._attribute(name, where)
            if (name, attribute) == ("tg-time", "format"):
                time_format = value
            argument = _argument(name, attribute, value) or argument
        if name == "span" and argument != "spoiler":
            raise MarkupError(f'Tag "span" must have class "tg-spoiler" {where}')
        self._at += 1
        self._open.append(_Open(name, argument, self._out.length, time_format))

    def _attribute(self, tag: str, where: str) -> tuple[str, str]:
        attribute = self._until("=>")
        if not attribute:
            if not self._peek():
                raise MarkupError(f"Unclosed start tag {where}")
            raise MarkupError(f'Empty attribute name in the tag "{tag}" {where}')
        self._skip_spaces()
        if self._peek() != "=":
            if not self._peek():
                raise MarkupError(f'Unclosed start tag "{tag}" {where}')
            return attribute, ""
        self._at += 1
        self._skip_spaces()
        if not self._peek():
            raise MarkupError(f'Unclosed start tag "{tag}" {where}')
        if self._peek() in {"'", '"'}:
            value = self._quoted()
        else:
            start = self._at
            while self._peek() in _TOKEN and self._peek():
                self._at += 1
            value = self._source[start : self._at].lower()
            if not self._peek().isspace() and self._peek() != ">":
                raise MarkupError(f"Unexpected end of name token at byte offset {self._byte(start)}")
        if not self._peek():
            raise MarkupError(f"Unclosed start tag {where}")
        return attribute, value

    def _quoted(self) -> str:
        quote = self._peek()
        self._at += 1
        value = []
        while self._peek() and self._peek() != quote:
            if self._peek() == "&":
                value.append(self._reference())
            else:
                value.append(self._peek())
                self._at += 1
        if self._peek() == quote:
            self._at += 1
        return "".join(value)

    def _close(self, begin: int) -> None:
        where = f"at byte offset {self._byte(begin)}"
        if not self._open:
            raise MarkupError(f"Unexpected end tag {where}")
        name = self._until(">").lower()
        self._skip_spaces()
        if self._peek() != ">":
            raise MarkupError(f"Unclosed end tag {where}")
        self._at += 1
        opened = self._open.pop()
        if name and name != opened.tag:
            raise MarkupError(f'Unmatched end tag {where}, expected "</{opened.tag}>", found "</{name}>"')
        if self._out.length > opened.offset:
            self._finish(opened)

    def _finish(self, opened: _Open) -> None:
        offset, length = opened.offset, self._out.length - opened.offset
        if opened.tag in _SIMPLE:
            self._entities.append(Entity(_SIMPLE[opened.tag], offset, length))
        elif opened.tag == "tg-emoji":
            if not opened.argument.lstrip("-").isdigit() or int(opened.argument) == 0:
                raise MarkupError("Invalid custom emoji identifier specified")
            self._entities.append(Entity("custom_emoji", offset, length, custom_emoji_id=opened.argument))
        elif opened.tag == "tg-time":
            self._date(opened, length)
        elif opened.tag == "a":
            url = opened.argument or self._out.since(offset)
            if (user := linked_user(url)) is not None:
                self._entities.append(Entity("text_mention", offset, length, user_id=user))
            elif link := checked_link(url):
                self._entities.append(Entity("text_link", offset, length, url=link))
        elif opened.tag == "blockquote":
            kind = "expandable_blockquote" if opened.argument == "expandable" else "blockquote"
            self._entities.append(Entity(kind, offset, length))
        else:
            self._code(opened, length)

    def _code(self, opened: _Open, length: int) -> None:
        """Add code or pre; if both cover exactly the same text, they are one block, with the code's language."""
        last = self._entities[-1] if self._entities else None
        if last is not None and (last.offset, last.length) == (opened.offset, length):
            language = last.language if opened.tag == "pre" and last.type == "code" else None
            if opened.tag == "code" and last.type == "pre":
                language = opened.argument
            if language:
                self._entities[-1] = Entity("pre", opened.offset, length, language=language)
                return
        self._entities.append(Entity(opened.tag, opened.offset, length, language=opened.argument or None))

    def _date(self, opened: _Open, length: int) -> None:
        if not opened.argument.isdigit():
            raise MarkupError("Invalid Unix time specified")
        try:
            shape = checked_time_format(opened.time_format) or None
        except ValueError as error:
            raise MarkupError(str(error)) from None
        moment = int(opened.argument)
        self._entities.append(Entity("date_time", opened.offset, length, unix_time=moment, time_format=shape))


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Return the plain text of `source` and its entities; raise MarkupError with the server's reason."""
    return _HtmlParser(source).run()
