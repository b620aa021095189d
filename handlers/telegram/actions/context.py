"""What nearly every action and command works with, handed over as one."""

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
    """Who may what, the accounts, their history, and how a person is answered.

    tasks: what goes on after an answer, and is finished at the end. region: the country that national numbers belong
    to, ISO 3166 alpha-2.
    """

    people: People
    accounts: Registry
    records: Records
    responder: Responder
    tasks: Tasks
    region: str | None
    clock: Callable[[], datetime]

    def links(self, user: int) -> bool:
        """Tell whether a person may link accounts: whether they are offered to."""
        role = self.people.role(user)
        return role is not None and role >= Role.OPERATOR

    async def audit(self, user: int, command: str, number: str | None, outcome: str) -> None:
        """Record what a person changed, and what came of it. Never raises."""
        try:
            await self.records.audit(self.clock(), user, command, number, outcome)
        except OSError as error:
            log.error("The audit of %s by user %d could not be stored: %s", command, user, error)
