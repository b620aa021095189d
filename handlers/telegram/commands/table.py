"""What a command is: one row with its name, its words and its handler. Menu, /help, README and routes come from rows.

Each topic's module has its rows below its handlers; `handlers.telegram.commands.router` puts them together. What a
topic's own buttons do are rows too.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from handlers.chat.button_codes import Press, Verb
from handlers.chat.people import Role
from handlers.chat.request import Request

Handler = Callable[[Any, Request], Awaitable[None]]
"""A method of a topic's class, not bound."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command. usage: what may follow the name. summary: for the menu and /help, help: for README and /help NAME.

    changes: with words behind it, it changes something. role: the least that a person must be. aliases: further names,
    which stand in no list.
    """

    name: str
    usage: str
    summary: str
    help: str
    handler: Handler
    changes: bool = False
    role: Role = Role.OPERATOR
    aliases: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The command as it is typed, with what may follow."""
        return f"/{self.name} {self.usage}".rstrip()


@dataclass(frozen=True, slots=True)
class ButtonRow:
    """What a press of a button does. label: what the button is called, where a late press is asked about.

    handler: a method of a topic's class, not bound; it returns what is shown over the chat for a moment. role: the
    least that the presser must be. reads: it changes nothing, and may come late.
    """

    label: str
    handler: Callable[[Any, Request, Press], Awaitable[str]]
    role: Role = Role.OPERATOR
    reads: bool = False


class Topic:
    """Commands that belong together: a class with their handlers, and below them the rows, also of its buttons."""

    COMMANDS: ClassVar[tuple[Command, ...]] = ()
    BUTTONS: ClassVar[Mapping[Verb, ButtonRow]] = {}
