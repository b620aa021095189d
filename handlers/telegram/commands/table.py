"""What a command is: one row with its name, usage and handler. Menu, /help, README and routing are generated from rows.

Each topic's module has its rows below its handlers; `handlers.telegram.commands.router` collects them. The actions
of a topic's own buttons are rows, too.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from handlers.chat.button_codes import Press, Verb
from handlers.chat.people import Role
from handlers.chat.request import Request

Handler = Callable[[Any, Request], Awaitable[None]]
"""An unbound method of a topic's class."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command. usage: its arguments. summary: for the menu and /help, help: for README and /help NAME.

    changes: it changes something if called with arguments. role: the minimum role. aliases: further names, not
    listed.
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
        """The command as it is typed, with its arguments."""
        return f"/{self.name} {self.usage}".rstrip()


@dataclass(frozen=True, slots=True)
class ButtonRow:
    """The action of a button. label: the button's label, for the confirmation of a late press.

    handler: an unbound method of a topic's class that returns the text shown above the chat for a moment. role: the
    minimum role. reads: it changes nothing, and may be late.
    """

    label: str
    handler: Callable[[Any, Request, Press], Awaitable[str]]
    role: Role = Role.OPERATOR
    reads: bool = False


class Topic:
    """Related commands: a class with their handlers and, below them, the rows of its commands and buttons."""

    COMMANDS: ClassVar[tuple[Command, ...]] = ()
    BUTTONS: ClassVar[Mapping[Verb, ButtonRow]] = {}
