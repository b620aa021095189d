"""What a command is: one row with its name, its words and its handler. Menu, /help, README and routes come from rows.

Each topic's module has its rows below its handlers; `handlers.telegram.commands.router` puts them together.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

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


class Topic:
    """Commands that belong together: a class with their handlers, and below them their rows."""

    COMMANDS: ClassVar[tuple[Command, ...]] = ()
