"""The message about a person's linking queue: one per person, at the bottom of the chat where they last asked.

It is edited as the queue advances, and finally shows the outcome for each account. Its location and the queued
accounts are stored, so that the next start can correct a message about a queue that was lost with the process.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from controller.registry import Account, Registry
from controller.stored import MessageReference
from controller.tasks import Tasks
from handlers.chat.live_message import LiveMessage
from handlers.chat.messages import Text
from handlers.chat.request import Request
from handlers.ports import Messages
from handlers.telegram.ui import keyboards
from handlers.telegram.ui.link_queues import LinkQueues
from handlers.telegram.ui.responder import Responder
from handlers.texts import linking as texts

log = logging.getLogger(__name__)

KIND = "line"
"""The kind of these stored references: the key is the person, `shown` the queued numbers."""
GATHER_SECONDS = 0.7
"""Seconds during which further /link are collected before the queue is shown: twelve at once are one message."""


@dataclass(slots=True)
class _QueueMessage:
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


class LinkQueueMessages:
    """The messages about all people's queues. All methods but `report_interrupted` return at once."""

    def __init__(
        self, queues: LinkQueues, *, accounts: Registry, messages: Messages, responder: Responder, tasks: Tasks
    ) -> None:
        self._queues, self._accounts, self._messages = queues, accounts, messages
        self._responder, self._tasks = responder, tasks
        self._entries: dict[int, _QueueMessage] = {}
        self._scanned: dict[str, tuple[_QueueMessage, texts.Done]] = {}
        """Accounts whose turn is over but whose outcome is not known yet."""

    def show_queue(self, request: Request, problems: Sequence[str] = ()) -> None:
        """Show the queue at the bottom of the chat, once for all accounts that join it at this moment."""
        entry = self._entries.setdefault(request.user, _QueueMessage(request))
        entry.request = request
        entry.problems += [each for each in problems if each not in entry.problems]
        if entry.sending is None:
            entry.sending = self._tasks.start(self._send(request.user, entry), "showing a queue")
        self._responder.track(request, entry.sending)

    def add_outcome(self, person: int, account: Account, outcome: str) -> None:
        """Record the outcome for a queued account, and show it with the next update."""
        if (entry := self._entries.get(person)) is not None:
            entry.done.append(done := texts.Done(account, outcome))
            if outcome == texts.SCANNED:
                self._scanned[account.number] = (entry, done)

    def set_outcome(self, number: str, outcome: str) -> None:
        """Show the outcome for an account whose code was scanned, even if its queue has ended."""
        if number in self._scanned:
            entry, before = self._scanned.pop(number)
            entry.done[entry.done.index(before)] = replace(before, outcome=outcome)
            self._show(entry.request.user, entry)

    def refresh(self, person: int) -> None:
        """Show the current queue."""
        if (entry := self._entries.get(person)) is not None:
            self._show(person, entry)

    def end(self, person: int, left: Sequence[Account] = ()) -> None:
        """Show the final outcome of the queue. left: accounts that were still waiting when somebody stopped it."""
        if (entry := self._entries.pop(person, None)) is not None:
            entry.over, entry.left = True, left
            self._show(person, entry)

    def moved(self, chat: int, to: int) -> None:
        """Show the queues of a group in the supergroup that it has become, where its messages cannot be edited."""
        for person, entry in self._entries.items():
            if entry.request.chat == chat:
                entry.request, entry.shown = replace(entry.request, chat=to, topic=None, message=None), None
                self._tasks.start(self._forget(person, chat), "forgetting where a queue was shown")
                if entry.sending is None:
                    entry.sending = self._tasks.start(self._send(person, entry), "showing a queue")

    async def interrupted(self) -> Sequence[MessageReference]:
        """Return the messages about queues that were interrupted when an earlier run ended; `shown`: their accounts."""
        try:
            return await self._messages.references(KIND)
        except OSError as error:
            log.error("Which queues were under way cannot be read: %s", error)
            return ()

    async def report_interrupted(self, left: Sequence[MessageReference]) -> None:
        """Report interrupted queues where they were shown."""
        for each in left:
            await self._report_interrupted(each)

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _send(self, person: int, entry: _QueueMessage) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        entry.sending, before = None, entry.shown
        place = entry.request.place
        text = self._text(person, entry)
        entry.shown = await self._responder.send(place, lambda: self._text(person, entry).html, text.keyboard)
        if before is not None:
            await self._responder.delete(before.chat, before.message)
            if before.chat != place.chat:
                await self._forget(person, before.chat)
        if not entry.over and self._queues.queue(person) is None:
            entry.over = True  # nothing could be queued
            if self._entries.get(person) is entry:
                del self._entries[person]
        self._show(person, entry)  # the queue may have advanced

    def _show(self, person: int, entry: _QueueMessage) -> None:
        if entry.shown is not None:
            entry.shown.show(self._text(person, entry))
        entry.unstored = True
        if not entry.storing:
            entry.storing = True
            self._tasks.start(self._store(person, entry), "storing where a queue is shown")

    def _text(self, person: int, entry: _QueueMessage) -> Text:
        """Return the current text about a queue."""
        queue = None if entry.over else self._queues.queue(person)
        there = self._those_of(() if queue is None else (queue.open, *queue.waiting))
        if queue is None or not there:
            return Text(texts.queue_over(entry.done, entry.left, entry.problems))
        html = texts.queue_progress(there, entry.done, at=queue.done + 1, of=queue.length, problems=entry.problems)
        return Text(html, keyboards.of_queue())

    async def _store(self, person: int, entry: _QueueMessage) -> None:
        """Synchronise the stored reference with the message, including changes made meanwhile."""
        try:
            while entry.unstored:
                entry.unstored = False
                live, queue = entry.shown, self._queues.queue(person)
                if live is None:
                    continue
                if entry.over or queue is None:
                    await self._messages.delete(KIND, str(person), chat=live.chat, message=live.message)
                else:
                    numbers = ",".join((queue.open, *queue.waiting))
                    await self._messages.upsert(
                        KIND, str(person), chat=live.chat, topic=entry.request.place.topic, message=live.message,
                        shown=numbers,
                    )  # fmt: skip
        except OSError as error:
            log.error("Where a queue is shown could not be stored: %s", error)
        finally:
            entry.storing = False

    async def _forget(self, person: int, chat: int) -> None:
        try:
            await self._messages.delete(KIND, str(person), chat=chat)
        except OSError as error:
            log.error("Where a queue was shown could not be forgotten: %s", error)

    async def _report_interrupted(self, stored: MessageReference) -> None:
        person = int(stored.key)
        accounts = [each for each in self._those_of(stored.shown.split(",")) if not self._is_linked(each.number)]
        text = texts.queue_interrupted(accounts)
        request = Request(
            user=person, name="", chat=stored.chat, topic=stored.topic, private=False, message=stored.message
        )
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
        status = self._accounts.find_status(number)
        return status is not None and status.linked
