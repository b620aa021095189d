"""Telegram's HTML, measured and split the way Telegram counts: without tags, in UTF-16 units.

Pure. A text too long for one message is split into several, between lines and never inside a tag.
"""

import re
from collections.abc import Iterable
from html import unescape

from handlers.chat.messages import TEXT_LIMIT

_TAG = re.compile(r"<(/?)([a-z]+)[^>]*>")
_PIECE = re.compile(r"<[^>]*>|&[#\w]+;|[^<&]|[<&]", re.DOTALL)


def rendered_length(html: str) -> int:
    """Return the length of the rendered text in UTF-16 code units, as Telegram counts."""
    return _units(unescape(_TAG.sub("", html)))


def without_markup(html: str) -> str:
    """Return the text without its tags, still escaped."""
    return _TAG.sub("", html)


def split(html: str, limit: int = TEXT_LIMIT) -> list[str]:
    """Split the text into parts of at most `limit` rendered characters, each with its tags closed.

    Split at line ends if possible, otherwise inside a line that is too long. Nothing is lost except the line
    breaks at the splits.
    """
    parts: list[str] = []
    part = ""
    for line in html.split("\n"):
        joined = f"{part}\n{line}" if part else line
        if rendered_length(joined) <= limit:
            part = joined
            continue
        if part:
            parts.append(part)
        *whole, part = _cut(line, limit)
        parts.extend(whole)
    parts.append(part)
    return _balanced(part for part in parts if part or len(parts) == 1)


def _cut(line: str, limit: int) -> list[str]:
    pieces, part, length = [], "", 0
    for piece in _PIECE.findall(line):
        size = 0 if piece.startswith("<") and len(piece) > 1 else _units(unescape(piece))
        if length + size > limit:
            pieces.append(part)
            part, length = "", 0
        part += piece
        length += size
    return [*pieces, part]


def _balanced(parts: Iterable[str]) -> list[str]:
    """Close open tags at the end of each part and reopen them in the next."""
    balanced: list[str] = []
    still_open: list[tuple[str, str]] = []
    for part in parts:
        begin = "".join(tag for _, tag in still_open)
        for match in _TAG.finditer(part):
            if match[1]:
                if still_open:
                    still_open.pop()
            else:
                still_open.append((match[2], match[0]))
        balanced.append(begin + part + "".join(f"</{name}>" for name, _ in reversed(still_open)))
    return balanced


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
