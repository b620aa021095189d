"""Replacing an account's session by a saved one: list, confirmation, execution.

The previous session is kept on the server; the driver decides what is kept and how.
"""

import logging
from datetime import UTC, datetime
from functools import partial

from controller.driver import DriverError, SavedSession
from controller.registry import Account, ShuttingDownError
from handlers.chat.request import Request
from handlers.telegram.actions.account_actions import AccountActions
from handlers.telegram.actions.context import Context
from handlers.telegram.ui import keyboards
from handlers.texts import answers, notes

log = logging.getLogger(__name__)


class RestoreActions:
    """Answers /restore and its buttons. The caller has checked that the person may act on the account."""

    def __init__(self, context: Context, actions: AccountActions) -> None:
        self._context, self._accounts, self._responder = context, context.accounts, context.responder
        self._actions, self._tasks, self._clock = actions, context.tasks, context.clock

    async def offer(self, request: Request, account: Account) -> None:
        """List an account's saved sessions, each with a button."""
        copies = await self._copies(account)
        keyboard = keyboards.copies(account.number, [(copy.at, self._label(copy)) for copy in copies])
        await self._responder.answer(request, answers.saved_sessions(account, len(copies)), keyboard)

    async def question(self, account: Account, at: int) -> str | None:
        """Return the confirmation question for a restore; None if that copy no longer exists."""
        copy = await self._find(account, at)
        return None if copy is None else answers.confirm_restore(account, self._label(copy))

    async def restore(self, request: Request, account: Account, at: int) -> None:
        """Replace the session. Returns at once; the answer reports the outcome."""
        copy = await self._find(account, at)
        if copy is None:
            await self._responder.answer(request, answers.saved_sessions(account, 0))
            return
        await self._responder.answer(request, answers.restoring(account, self._label(copy)))
        restoring = self._tasks.start(self._replace(request, account, copy), "restoring a session")
        self._responder.track(request, restoring)  # it is unfinished until then, and asked about after a crash

    async def _replace(self, request: Request, account: Account, copy: SavedSession) -> None:
        try:
            await self._accounts.restore(account.number, copy.name)
        except (DriverError, OSError, ShuttingDownError) as error:
            log.warning("A session could not be restored: %s", error)
            await self._context.audit(request.user, "restore", account.number, f"failed: {answers.cause(error)}")
            await self._responder.answer(request, answers.restore_failed(account, answers.cause(error)))
            return
        await self._context.audit(request.user, "restore", account.number, f"restored {copy.name}")
        self._actions.show(request, account.number, partial(notes.restored, self._label(copy)))

    async def _copies(self, account: Account) -> list[SavedSession]:
        return list(await self._accounts.saved(account.number))

    async def _find(self, account: Account, at: int) -> SavedSession | None:
        return next((copy for copy in await self._copies(account) if int(copy.at) == at), None)

    def _label(self, copy: SavedSession) -> str:
        return answers.copy_label(datetime.fromtimestamp(copy.at, UTC), copy.size, self._clock())
