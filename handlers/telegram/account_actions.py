"""What changes something, asked for by a command or by a button: done, kept in the audit, and answered.

The one place that tells the registry to start or suspend. Every method answers the person, whatever comes of it.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.registry import Account, UnknownAccountError
from controller.tasks import Tasks
from handlers.chat.messages import Place
from handlers.chat.people import People
from handlers.ports import Accounts, Records
from handlers.telegram.codes import Codes
from handlers.telegram.responder import Responder
from handlers.texts import answers
from handlers.texts import status as status_text

log = logging.getLogger(__name__)

NAMES = 1000
"""How many people's names are remembered."""


class Asker(Protocol):
    """Who asks for something, and where."""

    @property
    def user(self) -> int:
        """Telegram's id of the person."""

    @property
    def name(self) -> str:
        """What the person is called."""

    @property
    def place(self) -> Place:
        """Where they are answered."""

    @property
    def private(self) -> bool:
        """Whether nobody else reads there."""


class AccountActions:
    """Start, link and suspend, for people."""

    def __init__(
        self,
        *,
        people: People,
        accounts: Accounts,
        answers: Responder,
        codes: Codes,
        records: Records,
        tasks: Tasks,
        clock: Callable[[], datetime],
    ) -> None:
        self._people, self._accounts, self._answers, self._codes = people, accounts, answers, codes
        self._records, self._tasks, self._clock = records, tasks, clock
        self._names: OrderedDict[int, str] = OrderedDict()
        self._starting: dict[str, int] = {}

    async def link(self, asker: Asker, number: str, name: str = "", *, message: int | None = None) -> None:
        """Register the account if it is new, give it the name, start it, and bring the code to the asker.

        message: of a pressed button, which becomes the answer.
        """
        self._remember(asker)
        account = self._existing(number)
        new = account is None
        if account is None:
            account = await self._accounts.add(number, name=name, owner=asker.user)
        if not self._people.may(asker.user, account):  # also where somebody else has added it meanwhile
            await self._answers.put(asker.place, message, answers.NOT_YOURS)
            return
        if name and name != account.name:
            await self._accounts.rename(number, name)
            account = self._accounts.account(number)
        if (other := self._linking_by_other(asker, number)) is not None:
            await self._answers.put(asker.place, message, answers.taken_by(account, other))
            return
        await self._start(asker, account, "link", message, lambda: answers.linking(account, new=new))

    async def reconnect(
        self, asker: Asker, account: Account, *, takeover: bool = False, message: int | None = None
    ) -> None:
        """Connect an account now, with counters at zero. takeover: also if its session is open elsewhere."""
        self._remember(asker)
        command = "use here" if takeover else "reconnect"
        await self._start(asker, account, command, message, lambda: answers.starting(account), takeover=takeover)

    async def suspend(self, asker: Asker, account: Account, *, message: int | None = None) -> None:
        """Close an account until somebody says otherwise."""
        changed = await self._accounts.suspend(account.number)
        await self.keep(asker.user, "suspend", account.number, "suspended" if changed else "was suspended already")
        await self._answers.put(asker.place, message, answers.suspended(account, changed=changed))

    async def keep(self, user: int, command: str, number: str | None, outcome: str) -> None:
        """Keep in the audit what a person changed, and what came of it."""
        try:
            await self._records.audit(self._clock(), user, command, number, outcome)
        except OSError as error:
            log.error("That user %d said %s could not be kept: %s", user, command, error)

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _start(
        self,
        asker: Asker,
        account: Account,
        command: str,
        message: int | None,
        words: Callable[[], str],
        *,
        takeover: bool = False,
    ) -> None:
        number = account.number
        if number in self._starting and (other := self._linking_by_other(asker, number)) is not None:
            await self._answers.put(asker.place, message, answers.taken_by(account, other))
            return
        first = self._starting.setdefault(number, asker.user) == asker.user  # until the account's state tells it
        try:
            began = await self._begin(asker, account, takeover=takeover, asks=first)
        finally:
            if first:
                self._starting.pop(number, None)
        await self.keep(asker.user, command, number, "started" if began else "was running already")
        if not began:
            status = self._accounts.status(number)
            await self._answers.put(asker.place, message, status_text.already_running(account, status, self._clock()))
            return
        text = words() if asker.private or command != "link" else answers.sent_privately(account)
        live = await self._answers.put(asker.place, message, text)
        self._answers.follow(number, live)

    async def _begin(self, asker: Asker, account: Account, *, takeover: bool, asks: bool) -> bool:
        """Start the account. asks: a code, if one comes of it, is the asker's."""
        number = account.number
        if self._accounts.status(number).stage is Stage.PASSKEY:
            await self._accounts.suspend(number)  # the page waits for what it will not get: begin anew
        if asks and self._accounts.status(number).state not in {State.CONNECTING, State.CONNECTED}:
            self._codes.ask(number, asker.user, lambda: self._unreachable(asker, account))
        return await self._accounts.start(number, takeover=takeover)

    def _linking_by_other(self, asker: Asker, number: str) -> str | None:
        """Return the name of the other person who is linking the account at this moment."""
        person = self._starting.get(number) or self._codes.asker(number)
        if person is None or person == asker.user:
            return None
        status = self._accounts.status(number)
        under_way = number in self._starting or status.state is State.CONNECTING
        waiting = under_way or status.reason is Reason.QR_EXPIRED
        return self._names.get(person, "Somebody else") if waiting and not status.linked else None

    def _unreachable(self, asker: Asker, account: Account) -> None:
        if not asker.private:
            text = answers.cannot_write_privately(account)
            self._tasks.start(self._answers.say(asker.place, text), "telling that a code cannot be brought")

    def _existing(self, number: str) -> Account | None:
        try:
            return self._accounts.account(number)
        except UnknownAccountError:
            return None

    def _remember(self, asker: Asker) -> None:
        self._names[asker.user] = asker.name
        if len(self._names) > NAMES:
            self._names.popitem(last=False)
