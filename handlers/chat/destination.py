"""Where alerts go, as people write it: a chat's id, one topic of it, or a public name. Pure.

`-1001234567890`, `-1001234567890:7`, `@our_team`. What a name stands for only the chat service knows.
"""

import re
from dataclasses import dataclass

GENERAL = 1
"""The topic that a forum calls General: what belongs to no topic is shown there, and no message names it."""

_SHAPE = re.compile(r"(?:(?P<chat>[+-]?\d{1,18})|(?P<name>@[A-Za-z][A-Za-z0-9_]{3,31}))(?::(?P<topic>\d{1,10}))?")
_EXAMPLES = "-1001234567890, one topic of it such as -1001234567890:7, or a public name such as @our_team"


class DestinationError(ValueError):
    """What was written is no destination. Its text is one line for people, and begins with a verb: "takes …"."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A chat, or one topic of a forum. chat: the service's id, or `@name`."""

    chat: int | str
    topic: int | None = None


def parse_destination(text: str) -> Destination:
    """Return what was written as a destination. Raises DestinationError."""
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        raise DestinationError(f"takes a chat's id such as {_EXAMPLES}")
    topic = int(shape["topic"]) if shape["topic"] else None
    if topic == 0:
        raise DestinationError(
            "takes a topic's number after the colon, from 1 on; without a colon it is the whole chat"
        )
    topic = None if topic == GENERAL else topic
    if shape["name"]:
        return Destination(shape["name"], topic)
    chat = int(shape["chat"])
    if chat == 0:
        raise DestinationError(f"takes a chat's id such as {_EXAMPLES}")
    if chat > 0 and topic is not None:
        raise DestinationError("takes a topic in a group alone, whose id begins with -100; this id is a person's")
    return Destination(chat, topic)
