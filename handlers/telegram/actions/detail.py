"""All of one account, with the buttons for what can be done with it now."""

import logging
from collections.abc import Callable
from datetime import datetime

from controller.driver import DriverError
from controller.registry import Account, Registry
from handlers.chat.people import People
from handlers.chat.request import Request
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.responder import Responder
from handlers.texts import status as status_text

log = logging.getLogger(__name__)


class Detail:
    """Answers /status NUMBER and the button of an account."""

    def __init__(
        self, *, people: People, accounts: Registry, responder: Responder, clock: Callable[[], datetime]
    ) -> None:
        self._people, self._accounts, self._responder, self._clock = people, accounts, responder, clock

    async def show(self, request: Request, account: Account) -> None:
        """Show the account to the person who asks."""
        status = self._accounts.status(account.number)
        keyboard = keyboards.detail(
            account,
            status,
            may=self._people.may(request.user, account),
            has_copies=status.restorable and await self._has_copies(account),
        )
        await self._responder.answer(request, status_text.detail(account, status, self._clock()), keyboard)

    async def _has_copies(self, account: Account) -> bool:
        try:
            return bool(await self._accounts.saved(account.number))
        except (DriverError, OSError) as error:
            log.warning("Saved sessions cannot be looked for: %s", error)
            return False
