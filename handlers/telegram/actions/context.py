"""What nearly every action and command needs, in one object."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from controller.registry import Registry
from controller.tasks import Tasks
from handlers.chat.people import People, Role
from handlers.ports import Records
from handlers.telegram.ui.responder import Responder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """Permissions, accounts, their history, and how people are answered.

    tasks: for work that continues after an answer; drained at shutdown. region: the country of national numbers,
    ISO 3166 alpha-2. telegram_clock: Telegram's time, by which requests and their buttons are dated: unlike our own
    `clock` it never jumps.
    """

    people: People
    accounts: Registry
    records: Records
    responder: Responder
    tasks: Tasks
    region: str | None
    clock: Callable[[], datetime]
    telegram_clock: Callable[[], datetime]

    def links(self, user: int) -> bool:
        """Return whether a person may link accounts, so that it is offered to them."""
        role = self.people.role(user)
        return role is not None and role >= Role.OPERATOR

    async def audit(self, user: int, command: str, number: str | None, outcome: str) -> None:
        """Record what a person changed, and the outcome. Never raises."""
        try:
            await self.records.audit(self.clock(), user, command, number, outcome)
        except OSError as error:
            log.error("The audit of %s by user %d could not be stored: %s", command, user, error)
