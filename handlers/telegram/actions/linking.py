"""Linking one account after the other: each person has one code open, and what else they link waits for its turn.

Which account is next is decided in `handlers.telegram.ui.linking_line`; here it is begun, skipped, stopped and told.
The browsers of the next few are opened ahead, so that their codes are there when their turn comes; a turn is over when
the code has been scanned, and what comes of the account is told when it is known.
A line is told in one message at the bottom of the chat where the person last asked; it is edited as the line moves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from controller.accounts.model import Stage
from controller.accounts.reasons import State
from controller.manager import Status
from controller.registry import Account, Registry, ShuttingDownError, UnknownAccountError
from controller.tasks import Tasks
from handlers.chat.live_message import LiveMessage
from handlers.chat.messages import Text
from handlers.chat.request import Request
from handlers.telegram.actions.open_ahead import OpenAhead
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.linking_line import Lines
from handlers.telegram.ui.responder import Responder
from handlers.texts import linking as texts

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.7
"""How long further /link are gathered before the line is told: twelve at once are one message."""

Begin = Callable[[Request], Awaitable[None]]
"""Starts an account now and answers the request."""


@dataclass(slots=True)
class _Told:
    """What a person is told of their line. request: the newest that joined; shown: the message that tells it."""

    request: Request
    done: list[texts.Done] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    shown: LiveMessage | None = None
    sending: asyncio.Task[None] | None = None


class Linking:
    """The lines of all people, as they go on."""

    def __init__(self, lines: Lines, *, accounts: Registry, codes: Codes, responder: Responder, tasks: Tasks) -> None:
        self._lines, self._accounts, self._codes = lines, accounts, codes
        self._responder, self._tasks = responder, tasks
        self._ahead = OpenAhead(accounts, tasks)
        self._waiting: dict[str, tuple[Request, Begin]] = {}
        self._beginning: set[str] = set()
        self._told: dict[int, _Told] = {}
        self._scanned: dict[str, tuple[_Told, texts.Done]] = {}
        """Accounts whose turn is over and of which it is not known yet what comes of them."""

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
            self._tell(request)
        elif known:
            await begin(request)  # it is under way: the answer says so
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
        self._tell(request, problems)

    def refresh(self, number: str) -> None:
        """Look whether the open account is done: scanned, or nothing more is tried. Then the next one begins."""
        turn = self._lines.turn(number)
        if turn is None:
            self._follow_scanned(number)
            return
        if not turn.open or number in self._beginning:
            return
        try:
            status = self._accounts.status(number)
        except UnknownAccountError:
            self._leave(number, None)
            return
        if _is_over(status):
            self._leave(number, texts.outcome(status))
        elif status.state is State.CONNECTING and status.stage in {Stage.PAIRING, Stage.SYNCING}:
            self._leave(number, texts.SCANNED)

    def _follow_scanned(self, number: str) -> None:
        """Tell what came of an account that was scanned, once that is known."""
        if number not in self._scanned:
            return
        try:
            status = self._accounts.status(number)
        except UnknownAccountError:
            del self._scanned[number]
            return
        if not _is_over(status):
            return
        told, before = self._scanned.pop(number)
        told.done[told.done.index(before)] = replace(before, outcome=texts.outcome(status))
        person = told.request.user
        if self._told.get(person) is told:
            self._show(told, self._text(person, told))
        else:
            self._show(told, Text(texts.line_over(told.done, problems=told.problems)))

    async def skip(self, number: str) -> bool:
        """Let the next one begin; this account is closed if its code is open. Returns False if it is in no line."""
        turn = self._lines.turn(number)
        if turn is None:
            return False
        if turn.open:
            await self._close(number)
            self.refresh(number)
        else:
            self.drop(number)
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
        told = self._told.pop(person, None)
        await self._close(numbers[0])
        if told is not None:
            left = [account for each in numbers if (account := self._account(each)) is not None]
            self._show(told, Text(texts.line_over(told.done, left, told.problems)))
        return True

    async def new_code(self, number: str) -> bool | None:
        """Show a fresh code in the place of the one that is shown, with all rounds before it.

        Returns False if nobody waits for a code any more, None if one is on its way already.
        """
        if number in self._beginning:
            return None
        if _is_over(self._accounts.status(number)):
            return False
        self._beginning.add(number)
        try:
            with self._codes.renewing(number):
                await self._accounts.suspend(number)
                await self._accounts.start(number)
        finally:
            self._beginning.discard(number)
        self.refresh(number)
        return True

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _begin(self, request: Request, number: str, begin: Begin) -> None:
        self._beginning.add(number)
        try:
            await begin(request)
        except BaseException:
            self._beginning.discard(number)
            self._leave(number, None)
            raise
        self._beginning.discard(number)
        self.refresh(number)

    def _begin_soon(self, number: str) -> None:
        self._beginning.add(number)  # from now on: what happened before its turn does not end it
        self._tasks.start(self._begin_next(number), "linking the next account in line")

    async def _begin_next(self, number: str) -> None:
        """Begin the one whose turn has come."""
        request, begin = self._waiting.pop(number)
        request = replace(request, message=None, update=0)  # it was answered when it was put in line
        account = self._account(number)
        if account is None:
            self._beginning.discard(number)
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
        told = self._told.get(person)
        if told is not None and account is not None and outcome is not None:
            done = texts.Done(account, outcome)
            told.done.append(done)
            if outcome == texts.SCANNED:
                self._scanned[number] = (told, done)
        self._ahead.give_up(number)
        self._look_ahead(person)
        if following is not None:
            self._begin_soon(following)
        if told is None:
            return
        if self._lines.line(person) is None:
            del self._told[person]
            self._show(told, Text(texts.line_over(told.done, problems=told.problems)))
        else:
            self._show(told, self._text(person, told))

    def _look_ahead(self, person: int) -> None:
        """Open the browsers of the next few of a person's line."""
        line = self._lines.line(person)
        self._ahead.follow([] if line is None else line.waiting)

    def _account(self, number: str) -> Account | None:
        try:
            return self._accounts.account(number)
        except UnknownAccountError:
            return None

    # --- what is told of a line ---------------------------------------------------------------------------------------

    def _tell(self, request: Request, problems: Sequence[str] = ()) -> None:
        """Tell the line at the bottom of the chat, once for all that join it at this moment."""
        told = self._told.setdefault(request.user, _Told(request))
        told.request = request
        told.problems += [each for each in problems if each not in told.problems]
        if told.sending is None:
            told.sending = self._tasks.start(self._send(told), "telling a person's line")
        self._responder.track(request, told.sending)

    async def _send(self, told: _Told) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        told.sending, before = None, told.shown
        person = told.request.user
        told.shown = await self._responder.send(
            told.request.place, lambda: self._text(person, told).html, keyboards.of_line()
        )
        if before is not None:
            await self._responder.delete(before.chat, before.message)
        self._show(told, self._text(person, told))  # it may have moved on
        if self._lines.line(person) is None and self._told.get(person) is told:
            del self._told[person]  # nothing could be put in line

    def _text(self, person: int, told: _Told) -> Text:
        """Return what a line reads now."""
        line = self._lines.line(person)
        accounts = [] if line is None else [self._account(each) for each in (line.open, *line.waiting)]
        there = [account for account in accounts if account is not None]
        if line is None or not there:
            return Text(texts.line_over(told.done, problems=told.problems))
        html = texts.line(there, told.done, at=line.done + 1, of=line.length, problems=told.problems)
        return Text(html, keyboards.of_line())

    def _show(self, told: _Told, text: Text) -> None:
        if told.shown is not None:
            told.shown.show(text)


def _is_over(status: Status) -> bool:
    """Tell whether an account's turn is over: it is linked, or nothing more is tried without a person's word."""
    if status.state is State.CONNECTING:
        return False
    return status.state in {State.CONNECTED, State.SUSPENDED, State.IDLE} or not status.wants_connection
