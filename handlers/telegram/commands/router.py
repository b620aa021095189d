"""The table of all commands, and the routing of a message to its handler.

The menu, /help and README's table are generated from `COMMANDS` too.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from handlers.chat.people import People, Role
from handlers.chat.request import Request
from handlers.telegram.actions.find_account import nearest
from handlers.telegram.commands.accounts import AccountCommands
from handlers.telegram.commands.alerts import AlertCommands
from handlers.telegram.commands.audit import AuditCommands
from handlers.telegram.commands.chat_settings import ChatSettingCommands
from handlers.telegram.commands.duty import DutyCommands
from handlers.telegram.commands.feed import FeedCommands
from handlers.telegram.commands.help import HelpCommands
from handlers.telegram.commands.hosts import HostCommands
from handlers.telegram.commands.ownership import OwnershipCommands
from handlers.telegram.commands.people import PeopleCommands
from handlers.telegram.commands.proxies import ProxyCommands
from handlers.telegram.commands.table import Command, Topic
from handlers.telegram.ui.responder import Responder
from handlers.texts import answers
from handlers.texts import people as people_text

TOPICS = (
    AccountCommands, AlertCommands, OwnershipCommands, ProxyCommands, DutyCommands, ChatSettingCommands, PeopleCommands,
    FeedCommands, AuditCommands, HostCommands, HelpCommands,
)  # fmt: skip
COMMANDS: tuple[Command, ...] = tuple(row for topic in TOPICS for row in topic.COMMANDS)
"""All commands, in the order in which they are listed."""

_WORDS = re.compile(r"/(?P<name>[A-Za-z0-9_]+)(?:@(?P<bot>\w+))?(?:[.,;:!?…]+(?!\S))?(?P<rest>.*)", re.DOTALL)
"""A command: what a sentence ends with belongs to none."""
_BARE = re.compile(r"[^\w@+]*([A-Za-z_]{3,20})\W*")
"""One word without a slash, or with too much of it or another one."""
_CLOSE = 0.8
"""How close to a command's name a word without a slash must be: most such words are no commands."""
_SYNONYMS = {
    "delete": "remove", "unlink": "remove", "logout": "remove",
    "stop": "suspend", "pause": "suspend", "disconnect": "suspend", "close": "suspend",
    "resume": "reconnect", "restart": "reconnect", "connect": "reconnect", "unsuspend": "reconnect",
    "mute": "silence", "snooze": "silence", "unmute": "silence", "maintenance": "silence",
    "login": "link", "qr": "link", "code": "link", "add": "link", "pair": "link",
    "list": "status", "accounts": "status", "state": "status", "info": "status",
    "users": "people", "admins": "people", "invite": "people", "log": "audit", "history": "audit",
    "sound": "loud", "notifications": "loud", "name": "rename", "commands": "help", "menu": "help",
}  # fmt: skip
"""What people call a command that has another name."""


def listed(*, hosts: bool) -> tuple[Command, ...]:
    """Return the commands to list to people. hosts: there are several machines; with one, nothing is to be seen."""
    return tuple(row for row in COMMANDS if hosts or row not in HostCommands.COMMANDS)


def menu(role: Role | None, rows: Sequence[Command] = COMMANDS) -> tuple[tuple[str, str], ...]:
    """Return a person's menu: the name and summary of each command; strangers see /start only."""
    if role is None:
        return (("start", "who are you?"),)
    return tuple((row.name, row.summary) for row in rows if row.role <= role)


class PlainHandler(Protocol):
    """Handles text without a command. to_us: it is certainly addressed to the bot."""

    def __call__(self, request: Request, *, to_us: bool) -> Awaitable[None]: ...  # noqa: D102


class Router:
    """Finds the handler of a message. plain: handles text without a command; username: the bot's own."""

    def __init__(
        self,
        topics: Iterable[Topic],
        *,
        people: People,
        responder: Responder,
        plain: PlainHandler,
        username: Callable[[], str],
    ) -> None:
        self._people, self._responder, self._plain, self._username = people, responder, plain, username
        self._rows = {
            name: (row, topic) for topic in topics for row in topic.COMMANDS for name in (row.name, *row.aliases)
        }

    def is_ours(self, request: Request) -> bool:
        """Return whether a message is a command that is not addressed to another bot."""
        words = _WORDS.fullmatch(request.words)
        return words is not None and self._is_to_us(words)

    def is_known(self, request: Request) -> bool:
        """Return whether a message is a command that names us, or that we have: in a group others are other bots'."""
        words = _WORDS.fullmatch(request.words)
        return words is not None and (words["bot"] is not None or self._row(words["name"]) is not None)

    def changes(self, request: Request) -> bool:
        """Return whether a message may change something."""
        words = _WORDS.fullmatch(request.words)
        row = None if words is None else self._row(words["name"])
        return row is not None and words is not None and row.changes and bool(words["rest"].strip())

    async def handle(self, request: Request) -> None:
        """Handle a message. A command addressed to another bot, or from somebody without a role, is ignored."""
        words, role = _WORDS.fullmatch(request.words), self._people.role(request.user)
        if words is None:
            await self._handle_words(request)
        elif role is None:
            return
        elif self._is_to_us(words):
            await self._handle_command(request, words, role)
        elif request.private:
            await self._responder.answer(request, answers.for_another_bot(words["bot"], self._username()))

    async def _handle_words(self, request: Request) -> None:
        """Handle a message that is no command, but may be one without its slash; in a group it may name us first."""
        named = re.match(rf"@{re.escape(self._username())}\b", request.words, re.IGNORECASE)
        to_us, said = request.private or named is not None, request.words[named.end() if named else 0 :].strip()
        bare = _BARE.fullmatch(said)
        if to_us and bare and (meant := self._meant(request, bare[1], cutoff=_CLOSE)):
            await self._responder.answer(request, answers.bare_word(meant))
        else:
            await self._plain(request if named is None else replace(request, words=said), to_us=to_us)

    async def _handle_command(self, request: Request, words: re.Match[str], role: Role) -> None:
        name = words["name"]
        row, topic = self._rows.get(name.casefold(), (None, None))
        if row is not None and role >= row.role:
            await row.handler(topic, replace(request, words=words["rest"]))
        elif row is not None and role is Role.VIEWER and row.role is Role.OPERATOR:
            await self._responder.answer(request, people_text.ONLY_VIEWER)
        elif row is not None and (request.private or words["bot"] is not None):
            await self._responder.answer(request, answers.only_admins_command(f"/{name}"))
        elif row is None and (request.private or words["bot"] is not None):
            await self._responder.answer(request, answers.unknown_command(f"/{name}", self._meant(request, name)))

    def _meant(self, request: Request, word: str, *, cutoff: float = 0.7) -> str | None:
        """Return the command that a word without a handler means, among those that the person may use."""
        role = self._people.role(request.user)
        known = [name for name, (row, _) in self._rows.items() if role is not None and row.role <= role]
        synonym = _SYNONYMS.get(word.casefold())
        return synonym if synonym in known else nearest(word, known, cutoff=cutoff)

    def _row(self, name: str) -> Command | None:
        return self._rows[name.casefold()][0] if name.casefold() in self._rows else None

    def _is_to_us(self, words: re.Match[str]) -> bool:
        return words["bot"] is None or words["bot"].casefold() == self._username().casefold()
