"""The command menu of each person, by role; strangers see /start only."""

import asyncio
import logging
from collections.abc import Sequence

import telegram
from telegram import BotCommandScopeChat, BotCommandScopeDefault

from controller.tasks import Tasks
from handlers.chat.errors import ChatError, NotSentError, TooManyError
from handlers.chat.people import People, Role
from handlers.chat.rate_limits import LONG_PAUSE
from handlers.telegram.commands.router import menu
from handlers.telegram.commands.table import Command
from handlers.telegram.connection import TelegramConnection

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LONGEST = 1.0, 30.0
"""Seconds between two tries."""


class Menus:
    """Sets the menus. rows: the commands that have an effect here."""

    def __init__(self, connection: TelegramConnection, tasks: Tasks, people: People, rows: Sequence[Command]) -> None:
        self._client, self._tasks, self._people, self._rows = connection.client, tasks, people, rows

    async def set_all(self) -> None:
        """Set everybody's menu."""
        await self._try(None, BotCommandScopeDefault())
        for person in self._people.everybody:
            await self._try(person.role, BotCommandScopeChat(person.user))

    def set_for(self, user: int) -> None:
        """Set one person's menu, which their chat does not accept before their first message. Returns at once."""
        self._tasks.start(self._try(self._people.role(user), BotCommandScopeChat(user)), "setting a menu")

    async def _try(self, role: Role | None, scope: telegram.BotCommandScope) -> None:
        wait = RETRY_FIRST
        while True:
            try:
                await self._client.set_commands(menu(role, self._rows), scope)
            except TooManyError as error:
                await asyncio.sleep(min(error.seconds, LONG_PAUSE))
            except NotSentError:
                await asyncio.sleep(wait)
                wait = min(wait * 2, RETRY_LONGEST)
            except ChatError as error:
                log.debug("The menu could not be set: %s", error)  # people who never wrote to the bot have none
                return
            else:
                return
