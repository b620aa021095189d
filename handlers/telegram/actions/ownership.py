"""Transferring an account, and removing it for good: both are audited."""

import logging
from collections.abc import Callable

from controller.accounts.e164 import mask
from controller.accounts.reasons import State
from controller.driver import DriverError
from controller.registry import Account, ShuttingDownError
from handlers.alerts.service import Alerts
from handlers.chat.messages import Place
from handlers.chat.people import Person, Role
from handlers.chat.request import Request
from handlers.telegram.actions.context import Context
from handlers.telegram.actions.people import RightsChanged
from handlers.texts import answers
from handlers.texts import ownership as texts

log = logging.getLogger(__name__)


class OwnershipActions:
    """Transfers and removes accounts. The caller has checked that the person may act on the account.

    gone: called with the number of a removed account.
    """

    def __init__(
        self, context: Context, *, alerts: Alerts, rights_changed: RightsChanged, gone: Callable[[str], None]
    ) -> None:
        self._context, self._people, self._accounts = context, context.people, context.accounts
        self._responder, self._tasks = context.responder, context.tasks
        self._alerts, self._rights_changed, self._gone = alerts, rights_changed, gone
        self._removing: set[str] = set()

    def owners(self) -> list[Person]:
        """Return the people who may own an account."""
        return [person for person in self._people.everybody if person.role >= Role.OPERATOR]

    async def give(self, request: Request, account: Account, owner: Person) -> None:
        """Transfer an account to somebody."""
        changed = account.owner != owner.user
        if changed:
            await self._accounts.change_owner(account.number, owner.user)
            await self._context.audit(request.user, "owner", account.number, f"given to {owner.name or owner.user}")
            await self._rights_changed(account.owner)
            await self._rights_changed(owner.user)
        await self._responder.answer(request, texts.is_theirs(account, owner, changed=changed))
        if changed and owner.user != request.user:
            await self._responder.send(Place(owner.user), texts.yours_now(account, request.name))

    async def remove(self, request: Request, account: Account) -> None:
        """Remove an account. Returns at once; the answer reports the outcome."""
        await self._responder.answer(request, texts.removing(account))
        if account.number not in self._removing:
            self._removing.add(account.number)
            removing = self._tasks.start(self._remove(request, account), "removing an account")
            self._responder.track(request, removing)  # it is unfinished until then, and asked about after a crash

    async def _remove(self, request: Request, account: Account) -> None:
        number = account.number
        linked = self._accounts.status(number).linked
        try:
            logged_out = await self._accounts.remove(number)
        except (DriverError, OSError, ShuttingDownError) as error:
            log.warning("An account could not be removed: %s", error)
            await self._context.audit(request.user, "remove", number, "failed")
            is_paused = self._accounts.status(number).state is State.SUSPENDED
            deleted = is_paused and isinstance(error, OSError)
            text = texts.not_removed(account, answers.cause(error), is_paused=is_paused, may_be_deleted=deleted)
            await self._responder.answer(request, text)
            return
        finally:
            self._removing.discard(number)
        known = {True: "logged out", False: "not logged out", None: "no browser was open"}[logged_out]
        await self._context.audit(request.user, "remove", None, f"{mask(number)} removed, {known}")
        self._gone(number)
        await self._alerts.handling.account_gone(number)
        text = texts.removed(account, linked=linked, logged_out=logged_out)
        await self._responder.answer(request, text)
