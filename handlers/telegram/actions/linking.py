"""Linking one account after the other: each person has one code open, and what else they link waits for its turn.

Which account is next is decided in `handlers.telegram.ui.linking_line`, and what a person is told of their line is in
`handlers.telegram.ui.line_messages`; here a turn begins and ends. The browsers of the next few are opened ahead, so
that their codes are there when their turn comes. A turn is over when the code has been scanned, and what comes of the
account is told when it is known.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.manager import Status
from controller.registry import Account, Registry, ShuttingDownError, UnknownAccountError
from controller.tasks import Tasks
from handlers.chat.request import Request
from handlers.telegram.actions.open_ahead import OpenAhead
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.line_messages import LineMessages
from handlers.telegram.ui.linking_line import Lines
from handlers.telegram.ui.responder import Responder
from handlers.texts import linking as texts

log = logging.getLogger(__name__)

Begin = Callable[[Request], Awaitable[None]]
"""Starts an account now and answers the request."""


class Linking:
    """The lines of all people, as they go on."""

    def __init__(
        self,
        lines: Lines,
        told: LineMessages,
        *,
        accounts: Registry,
        codes: Codes,
        responder: Responder,
        tasks: Tasks,
    ) -> None:
        self._lines, self._told, self._accounts, self._codes = lines, told, accounts, codes
        self._responder, self._tasks = responder, tasks
        self._ahead = OpenAhead(accounts, tasks)
        self._waiting: dict[str, tuple[Request, Begin]] = {}
        """How to begin those that wait for their turn, and those whose turn has just come."""
        self._beginning: set[str] = set()
        """Those whose turn has come, until they are started: how they stand is not yet what came of it."""

    def waits(self, number: str) -> bool:
        """Tell whether an account's turn has not come yet."""
        turn = self._lines.turn(number)
        return turn is not None and not turn.open

    async def take_ahead(self, number: str) -> bool:
        """Take over an account that was opened before its turn came; return whether it is on its way already."""
        return await self._ahead.take(number)

    def person(self, number: str) -> int | None:
        """Return in whose line an account is."""
        return self._lines.person(number)

    def open_of(self, person: int) -> str | None:
        """Return the account whose turn it is in the person's line."""
        line = self._lines.line(person)
        return None if line is None else line.open

    async def take_turn(self, request: Request, account: Account, begin: Begin) -> None:
        """Begin to link an account, or put it in the person's line where another one's code is open."""
        number = account.number
        known = self._lines.turn(number) is not None
        turn = self._lines.join(request.user, number)
        if not turn.open:
            self._waiting[number] = (request, begin)
            self._look_ahead(request.user)
            self._told.tell(request)
        elif known:
            await self._start(number, lambda: begin(request))  # it is under way: the answer says so
        else:
            await self._begin(request, number, begin)

    def take_turns(self, request: Request, wanted: Sequence[tuple[Account, Begin]], problems: Sequence[str]) -> None:
        """Put several accounts in the person's line; the first begins at once where nobody's code is open."""
        for account, begin in wanted:
            if self._lines.turn(account.number) is None:
                self._waiting[account.number] = (request, begin)
                if self._lines.join(request.user, account.number).open:
                    self._begin_soon(account.number)
        self._look_ahead(request.user)
        self._told.tell(request, problems)

    def refresh(self, number: str) -> None:
        """Look whether an account's turn is over: it is scanned, gone, or nothing more is tried. Then the next begins.

        One that waits leaves the line too where it is linked without it, or gone.
        """
        turn = self._lines.turn(number)
        if turn is None:
            self._follow_scanned(number)
            return
        if turn.open and number in self._beginning:
            return
        try:
            status = self._accounts.status(number)
        except UnknownAccountError:
            self._leave(number, None)
            return
        if status.reason is Reason.SHUTDOWN:
            return  # the next start tells of the line
        if status.is_connected or (turn.open and _is_over(status)):
            self._leave(number, texts.outcome(status))
        elif turn.open and status.state is State.CONNECTING and status.stage in {Stage.PAIRING, Stage.SYNCING}:
            self._leave(number, texts.SCANNED)

    def _follow_scanned(self, number: str) -> None:
        """Tell what came of an account whose code was scanned, once that is known."""
        account = self._account(number)
        if account is not None and _is_over(status := self._accounts.status(number)):
            self._told.set_outcome(number, texts.outcome(status))

    def keep_only(self, person: int, may: Callable[[Account], bool]) -> None:
        """Take out of a person's line what they may not link any more."""
        line = self._lines.line(person)
        for number in () if line is None else (*line.waiting, line.open):
            account = self._account(number)
            if account is None or not may(account):
                self._leave(number, "not yours any more")

    async def skip(self, number: str) -> bool:
        """Let the next one begin; this account is closed if its code is open. Returns False if it is in no line."""
        turn = self._lines.turn(number)
        if turn is None:
            return False
        if not turn.open or number in self._beginning:
            self._leave(number, "skipped")
        else:
            await self._close(number)
            self.refresh(number)
        return True

    def drop(self, number: str) -> None:
        """Take an account out of a line in which it waits."""
        turn = self._lines.turn(number)
        if turn is not None and not turn.open:
            self._leave(number, "skipped")

    async def stop(self, number: str) -> bool:
        """End the whole line in which the account is, and close the open one. Returns False if nothing waits for it."""
        person = self._lines.person(number)
        if person is None:
            if _is_over(self._accounts.status(number)):
                return False
            await self._close(number)
            return True
        numbers = self._lines.dissolve(person)
        for each in numbers:
            self._waiting.pop(each, None)
            self._ahead.give_up(each)
        self._told.end(person, [account for each in numbers if (account := self._account(each)) is not None])
        if numbers[0] not in self._beginning:  # else it is closed as soon as it is started
            await self._close(numbers[0])
        return True

    async def new_code(self, number: str) -> bool | None:
        """Show a fresh code in the place of the one that is shown, with all rounds before it.

        Returns False if nobody waits for a code any more, None if one is on its way already.
        """
        if number in self._beginning:
            return None
        if _is_over(self._accounts.status(number)):
            return False
        with self._codes.renewing(number):
            await self._start(number, lambda: self._restart(number))
        return True

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _restart(self, number: str) -> None:
        await self._accounts.suspend(number)
        await self._accounts.start(number)

    async def _begin(self, request: Request, number: str, begin: Begin) -> None:
        """Start an account whose turn has come."""
        try:
            await self._start(number, lambda: begin(request))
        except ShuttingDownError:
            raise  # the next start tells of the line
        except Exception:
            self._leave(number, None)
            raise

    async def _start(self, number: str, start: Callable[[], Awaitable[None]]) -> None:
        """Start an account; it is closed again where its turn has been taken from it meanwhile."""
        turn = self._lines.turn(number)
        self._beginning.add(number)
        try:
            await start()
        finally:
            self._beginning.discard(number)
        if turn is not None and turn.open and self._lines.turn(number) is None:
            await self._close(number)
            return
        person = self._lines.person(number)
        if person is not None and self.waits(number):
            self._look_ahead(person)  # it waits again already, and is open ahead of its turn
        self.refresh(number)

    def _begin_soon(self, number: str) -> None:
        self._beginning.add(number)
        self._tasks.start(self._begin_next(number), "linking the next account in line")

    async def _begin_next(self, number: str) -> None:
        """Begin the one whose turn has come, unless it has been taken from it."""
        self._beginning.discard(number)
        request, begin = self._waiting.pop(number, (None, None))
        if request is None or begin is None:
            return
        request = replace(request, message=None, update=0)  # it was answered when it was put in line
        account = self._account(number)
        if account is None:
            self._leave(number, None)
            return
        try:
            await self._begin(request, number, begin)
        except ShuttingDownError:
            return
        except Exception:
            log.exception("An account whose turn had come could not be started")
            await self._responder.send(request.place, texts.cannot_begin(account))

    async def _close(self, number: str) -> None:
        """Close an account that is being linked; one that is connected already stays so."""
        try:
            if not _is_over(self._accounts.status(number)):
                await self._accounts.suspend(number)
        except UnknownAccountError:
            return

    def _leave(self, number: str, outcome: str | None) -> None:
        """Take an account out of its line, and let the next one begin."""
        person, account = self._lines.person(number), self._account(number)
        if person is None:
            return
        following = self._lines.leave(number)
        self._waiting.pop(number, None)
        if account is not None and outcome is not None:
            self._told.add_outcome(person, account, outcome)
        self._ahead.give_up(number)
        self._look_ahead(person)
        if following is not None:
            self._begin_soon(following)
        if self._lines.line(person) is None:
            self._told.end(person)
        else:
            self._told.refresh(person)

    def _look_ahead(self, person: int) -> None:
        """Open the browsers of the next few of a person's line."""
        line = self._lines.line(person)
        self._ahead.follow([] if line is None else line.waiting)

    def _account(self, number: str) -> Account | None:
        try:
            return self._accounts.account(number)
        except UnknownAccountError:
            return None


def _is_over(status: Status) -> bool:
    """Tell whether an account's turn is over: it is linked, or nothing more is tried without a person's word."""
    if status.state is State.CONNECTING:
        return False
    return status.state in {State.CONNECTED, State.SUSPENDED, State.IDLE} or not status.wants_connection
