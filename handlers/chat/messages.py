"""What a message is here, as plain data: where it goes, what it says, its buttons. No chat service's own classes.

Texts are HTML as Telegram reads it; whatever comes from people or from pages has passed `escape`.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, unique
from html import escape as _escape

TEXT_LIMIT = 4096
"""Characters that a message may have, counted as people see them: without the tags."""
CAPTION_LIMIT = 1024


@unique
class Lane(IntEnum):
    """The kinds of messages. Each has a share of a chat's turns (`turns`); a lower number is more urgent."""

    QR = 0
    ANSWERS = 1
    ALERTS = 2
    UPDATES = 3
    """Edits of alerts and of answers that go on: less urgent than what sounds, or is waited for."""
    CARDS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A chat, or one topic of a forum. chat: Telegram's id, negative for groups."""

    chat: int
    topic: int | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a message. code: what a press sends back, 1 to 64 bytes."""

    label: str
    code: str


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """What a message says. html: Telegram's HTML, at most `TEXT_LIMIT` characters as rendered."""

    html: str
    keyboard: Keyboard = ()
    asks: bool = False
    """The chat's app opens the keyboard for an answer to this."""

    @property
    def digest(self) -> str:
        """A short fingerprint: equal texts look equal in the chat."""
        return hashlib.sha256(repr((self.html, self.keyboard)).encode()).hexdigest()[:16]


_UNSEEN = dict.fromkeys(
    (
        *range(9), *range(11, 32), *range(0x7F, 0xA0), 0x2028, 0x2029,
        0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),
    )
)  # fmt: skip
"""Control characters but for tabs and ends of lines, and those that turn the direction of writing.

Not the joiners U+200C and U+200D: Persian and Indic words are misspelt without them, and families of emoji fall apart.
"""


def visible(text: str) -> str:
    """Return text without the signs that are not seen and change how the rest is read."""
    return text.translate(_UNSEEN)


def escape(text: str) -> str:
    """Return text that can stand in HTML as it is, without signs that are not seen and change how the rest is read."""
    return _escape(visible(text), quote=False)
