"""The full view of one account, with buttons for everything that can be done with it now."""

import logging
from collections.abc import Sequence

from controller.accounts.notices import BuildLoaded
from controller.driver import DriverError
from controller.registry import Account
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.link_queues import LinkQueues
from handlers.texts import status as status_text

log = logging.getLogger(__name__)

LOADS = 50
"""Loads of the page that are searched for the current build."""


class Detail:
    """Answers /status NUMBER and an account's button."""

    def __init__(self, context: Context, link_queues: LinkQueues) -> None:
        self._link_queues = link_queues
        self._people, self._accounts, self._records = context.people, context.accounts, context.records
        self._responder, self._clock = context.responder, context.clock

    async def show(self, request: Request, account: Account) -> None:
        """Show the account to the person."""
        status = self._accounts.status(account.number)
        may, queued = self._people.may(request.user, account), self._link_queues.waits(account.number)
        keyboard = keyboards.detail(
            account,
            status,
            may=may,
            has_copies=status.restorable and await self._has_copies(account),
        )
        loads = await self._loads(account)
        text = status_text.detail(account, status, self._clock(), loads, may=may, queued=queued)
        await self._responder.answer(request, text, keyboard)

    async def _loads(self, account: Account) -> Sequence[BuildLoaded]:
        try:
            return await self._records.loads(account.number, LOADS)
        except OSError as error:
            log.warning("What an account has loaded of the page cannot be read: %s", error)
            return ()

    async def _has_copies(self, account: Account) -> bool:
        try:
            return bool(await self._accounts.saved(account.number))
        except (DriverError, OSError) as error:
            log.warning("Saved sessions cannot be looked for: %s", error)
            return False
