"""Messages as plain data: place, text, buttons. No types of any chat service.

Texts are Telegram's HTML; whatever comes from people or pages has passed `escape`.
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from enum import IntEnum, unique
from html import escape as _escape

TEXT_LIMIT = 4096
"""Characters allowed in a message, counted as displayed: without tags."""


@unique
class Lane(IntEnum):
    """Kinds of messages. Each has a share of a chat's turns (`turns`); a lower number is more urgent."""

    QR = 0
    ANSWERS = 1
    ALERTS = 2
    UPDATES = 3
    """Edits of alerts and of progressing answers: less urgent than what makes a sound or is waited for."""
    CARDS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A chat, or one topic of a forum. chat: Telegram's id, negative for groups."""

    chat: int
    topic: int | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message. code: its callback data, 1 to 64 bytes."""

    label: str
    code: str


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A message's content. html: Telegram's HTML, at most `TEXT_LIMIT` characters as rendered."""

    html: str
    keyboard: Keyboard = ()
    asks: bool = False
    """Force a reply: the chat's app opens the keyboard."""

    @property
    def digest(self) -> str:
        """A short fingerprint of what the chat shows, without the nonces of its buttons. Equal texts need no edit."""
        labels = [[button.label for button in row] for row in self.keyboard]
        return hashlib.sha256(repr((self.html, labels)).encode()).hexdigest()[:16]


_UNSEEN = dict.fromkeys(
    (
        *range(9), *range(11, 32), *range(0x7F, 0xA0), 0x2028, 0x2029,
        0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),
    )
)  # fmt: skip
"""Control characters except tabs and line ends, and characters that change the writing direction.

The joiners U+200C and U+200D are allowed: Persian and Indic words are misspelt without them, and emoji families split.
"""


def visible(text: str) -> str:
    """Remove invisible characters that affect how the rest is read."""
    return text.translate(_UNSEEN)


_FIRST_STRONG_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def escape(text: str, *, isolated: bool = True) -> str:
    """Escape text for HTML, and remove invisible characters that affect how the rest is read.

    Arabic or Hebrew text is isolated: otherwise a number beside a name would be displayed in another order. isolated:
    False where text is copied as it stands, such as a command.
    """
    escaped = _escape(visible(text), quote=False)
    if isolated and any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in escaped):
        return f"{_FIRST_STRONG_ISOLATE}{escaped}{_END_OF_ISOLATE}"
    return escaped
