"""The message about a person's linking queue: one per person, at the bottom of the chat where they last asked.

It is edited as the queue advances, and finally shows the outcome for each account. Its location and the queued
accounts are stored, so that the next start can correct a message about a queue that was lost with the process.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from controller.registry import Account, Registry, UnknownAccountError
from controller.stored import MessageReference
from controller.tasks import Tasks
from handlers.chat.live_message import LiveMessage
from handlers.chat.messages import Place, Text
from handlers.chat.request import Request
from handlers.ports import Messages
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.linking_line import Lines
from handlers.telegram.ui.responder import Responder
from handlers.texts import linking as texts

log = logging.getLogger(__name__)

KIND = "line"
"""The kind of these stored references: the key is the person, `shown` the queued numbers."""
GATHER_SECONDS = 0.7
"""Seconds during which further /link are collected before the queue is shown: twelve at once are one message."""


@dataclass(slots=True)
class _Told:
    """The message about one queue. request: the newest that joined it. over: it has ended; left: still waiting then.

    shown: the message itself. unstored: the stored reference must be synchronised; storing: that is in progress.
    """

    request: Request
    done: list[texts.Done] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    shown: LiveMessage | None = None
    sending: asyncio.Task[None] | None = None
    over: bool = False
    left: Sequence[Account] = ()
    unstored: bool = False
    storing: bool = False


class LineMessages:
    """The messages about all people's queues. All methods but `tell_broken` return at once."""

    def __init__(
        self, lines: Lines, *, accounts: Registry, messages: Messages, responder: Responder, tasks: Tasks
    ) -> None:
        self._lines, self._accounts, self._messages = lines, accounts, messages
        self._responder, self._tasks = responder, tasks
        self._told: dict[int, _Told] = {}
        self._scanned: dict[str, tuple[_Told, texts.Done]] = {}
        """Accounts whose turn is over but whose outcome is not known yet."""

    def tell(self, request: Request, problems: Sequence[str] = ()) -> None:
        """Show the queue at the bottom of the chat, once for all accounts that join it at this moment."""
        told = self._told.setdefault(request.user, _Told(request))
        told.request = request
        told.problems += [each for each in problems if each not in told.problems]
        if told.sending is None:
            told.sending = self._tasks.start(self._send(request.user, told), "telling a person's line")
        self._responder.track(request, told.sending)

    def add_outcome(self, person: int, account: Account, outcome: str) -> None:
        """Record the outcome for a queued account, and show it with the next update."""
        if (told := self._told.get(person)) is not None:
            told.done.append(done := texts.Done(account, outcome))
            if outcome == texts.SCANNED:
                self._scanned[account.number] = (told, done)

    def set_outcome(self, number: str, outcome: str) -> None:
        """Show the outcome for an account whose code was scanned, even if its queue has ended."""
        if number in self._scanned:
            told, before = self._scanned.pop(number)
            told.done[told.done.index(before)] = replace(before, outcome=outcome)
            self._show(told.request.user, told)

    def refresh(self, person: int) -> None:
        """Show the current queue."""
        if (told := self._told.get(person)) is not None:
            self._show(person, told)

    def end(self, person: int, left: Sequence[Account] = ()) -> None:
        """Show the final outcome of the queue. left: accounts that were still waiting when somebody stopped it."""
        if (told := self._told.pop(person, None)) is not None:
            told.over, told.left = True, left
            self._show(person, told)

    async def tell_broken(self) -> None:
        """Report the queues that were interrupted when an earlier run ended."""
        try:
            left = await self._messages.references(KIND)
        except OSError as error:
            log.error("Which lines were under way cannot be read: %s", error)
            return
        for each in left:
            await self._tell_broken(each)

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _send(self, person: int, told: _Told) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        told.sending, before = None, told.shown
        place = told.request.place
        text = self._text(person, told)
        told.shown = await self._responder.send(place, lambda: self._text(person, told).html, text.keyboard)
        if before is not None:
            await self._responder.delete(before.chat, before.message)
            if before.chat != place.chat:
                await self._forget(person, before.chat)
        if not told.over and self._lines.line(person) is None:
            told.over = True  # nothing could be queued
            if self._told.get(person) is told:
                del self._told[person]
        self._show(person, told)  # the queue may have advanced

    def _show(self, person: int, told: _Told) -> None:
        if told.shown is not None:
            told.shown.show(self._text(person, told))
        told.unstored = True
        if not told.storing:
            told.storing = True
            self._tasks.start(self._store(person, told), "storing where a line is told")

    def _text(self, person: int, told: _Told) -> Text:
        """Return the current text about a queue."""
        line = None if told.over else self._lines.line(person)
        there = self._those_of(() if line is None else (line.open, *line.waiting))
        if line is None or not there:
            return Text(texts.line_over(told.done, told.left, told.problems))
        html = texts.line(there, told.done, at=line.done + 1, of=line.length, problems=told.problems)
        return Text(html, keyboards.of_line())

    async def _store(self, person: int, told: _Told) -> None:
        """Synchronise the stored reference with the message, including changes made meanwhile."""
        try:
            while told.unstored:
                told.unstored = False
                live, line = told.shown, self._lines.line(person)
                if live is None:
                    continue
                if told.over or line is None:
                    await self._messages.delete(KIND, str(person), chat=live.chat, message=live.message)
                else:
                    numbers = ",".join((line.open, *line.waiting))
                    await self._messages.upsert(
                        KIND, str(person), chat=live.chat, topic=told.request.place.topic, message=live.message,
                        shown=numbers,
                    )  # fmt: skip
        except OSError as error:
            log.error("Where a line is told could not be stored: %s", error)
        finally:
            told.storing = False

    async def _forget(self, person: int, chat: int) -> None:
        try:
            await self._messages.delete(KIND, str(person), chat=chat)
        except OSError as error:
            log.error("Where a line was told could not be forgotten: %s", error)

    async def _tell_broken(self, stored: MessageReference) -> None:
        person = int(stored.key)
        accounts = [each for each in self._those_of(stored.shown.split(",")) if not self._is_linked(each.number)]
        text = texts.line_broken(accounts)
        request = Request(person, "", Place(stored.chat, stored.topic), private=False, message=stored.message)
        live = await self._responder.answer(request, text)
        if live is not None:
            await live.settled()
        if (live is None or live.gone) and accounts:
            await self._responder.send(request.place, text)
        await self._forget(person, stored.chat)

    def _those_of(self, numbers: Sequence[str]) -> list[Account]:
        """Return the accounts that exist among these numbers."""
        known = {account.number: account for account in self._accounts.accounts()}
        return [known[number] for number in numbers if number in known]

    def _is_linked(self, number: str) -> bool:
        try:
            return self._accounts.status(number).linked
        except UnknownAccountError:
            return False
