"""Destinations of alerts as people write them: a chat's id, one of its topics, or a public name. Pure.

`-1001234567890`, `-1001234567890:7`, `@our_team`. Only the chat service can resolve a name.
"""

import re
from dataclasses import dataclass

GENERAL = 1
"""The id of a forum's General topic: messages without a topic appear there, and none may name it."""

_SHAPE = re.compile(r"(?:(?P<chat>[+-]?\d{1,18})|(?P<name>@[A-Za-z][A-Za-z0-9_]{3,31}))(?::(?P<topic>\d{1,10}))?")
_EXAMPLES = "-1001234567890, one topic of it such as -1001234567890:7, or a public name such as @our_team"


class DestinationError(ValueError):
    """The text is not a destination. The message is one line for people and begins with a verb: "takes …"."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A chat, or one topic of a forum. chat: the service's id, or `@name`."""

    chat: int | str
    topic: int | None = None


def parse_destination(text: str) -> Destination:
    """Parse a destination. Raises DestinationError."""
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
