"""Linking accounts one by one: each person has one code open, and their other accounts wait in a queue.

`handlers.telegram.ui.link_queues` decides which account is next, and `handlers.telegram.ui.link_queue_messages` shows
the queue to its person; this module begins and ends turns. The browsers of the next few accounts are opened in advance,
so that their codes are ready when their turn comes. A turn is over when the code has been scanned; the account's
outcome is shown when it is known.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from controller.accounts.model import Stage
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from controller.registry import Account, Registry, ShuttingDownError, UnknownAccountError
from controller.tasks import Tasks
from handlers.chat.request import Request
from handlers.telegram.actions.open_ahead import OpenAhead
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.link_queue_messages import LinkQueueMessages
from handlers.telegram.ui.link_queues import LinkQueues
from handlers.telegram.ui.responder import Responder
from handlers.texts import linking as texts
from handlers.texts.display_state import is_due

log = logging.getLogger(__name__)

Begin = Callable[[Request], Awaitable[None]]
"""Starts an account now and answers the request."""


class Linking:
    """Runs the queues of all people."""

    def __init__(
        self,
        queues: LinkQueues,
        messages: LinkQueueMessages,
        *,
        accounts: Registry,
        codes: Codes,
        responder: Responder,
        tasks: Tasks,
        look_at_card: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._queues, self._messages, self._accounts, self._codes = queues, messages, accounts, codes
        self._responder, self._tasks, self._look_at_card = responder, tasks, look_at_card
        self._ahead = OpenAhead(accounts, tasks)
        self._waiting: dict[str, tuple[Request, Begin]] = {}
        """How to start the accounts that wait for their turn, and those whose turn has just come."""
        self._beginning: set[str] = set()
        """Accounts whose turn has come, until they are started: their status is not the outcome yet."""

    def waits(self, number: str) -> bool:
        """Return whether an account is queued and its turn has not come yet."""
        return self._queues.waits(number)

    async def take_ahead(self, number: str) -> bool:
        """Take over an account that was opened in advance; return whether it is already connecting."""
        return await self._ahead.take(number)

    def was_opened_in_vain(self, number: str) -> bool:
        """Return whether an account was opened in advance, and closed since its turn did not come."""
        return number in self._ahead.in_vain

    def person(self, number: str) -> int | None:
        """Return the person in whose queue an account is."""
        return self._queues.person(number)

    def open_of(self, person: int) -> str | None:
        """Return the account whose turn it is in the person's queue."""
        queue = self._queues.queue(person)
        return None if queue is None else queue.open

    async def take_turn(self, request: Request, account: Account, begin: Begin) -> None:
        """Start linking an account, or append it to the person's queue if another one's code is open."""
        number = account.number
        known = self._queues.position(number) is not None
        turn = self._queues.join(request.user, number)
        if not turn.open:
            self._waiting[number] = (request, begin)
            self._look_ahead(request.user)
            self._look_at_card(number)
            self._messages.show_queue(request)
        elif known:
            await self._start(number, lambda: begin(request))  # it is in progress: the answer says so
        else:
            await self._begin(request, number, begin)

    def take_turns(self, request: Request, wanted: Sequence[tuple[Account, Begin]], problems: Sequence[str]) -> None:
        """Append several accounts to the person's queue; the first starts at once if no code is open."""
        for account, begin in wanted:
            if self._queues.position(account.number) is None:
                self._waiting[account.number] = (request, begin)
                if self._queues.join(request.user, account.number).open:
                    self._begin_soon(account.number)
                self._look_at_card(account.number)
        self._look_ahead(request.user)
        self._messages.show_queue(request, problems)

    def refresh(self, number: str) -> None:
        """End an account's turn if it is scanned, removed, or not retried any more, and start the next one.

        An account that is still waiting also leaves the queue if it has been linked otherwise, or removed.
        """
        turn = self._queues.position(number)
        if turn is None:
            self._follow_scanned(number)
            return
        if turn.open and number in self._beginning:
            return
        status = self._accounts.find_status(number)
        if status is None:
            self._leave(number, None)
            return
        if status.reason in {Reason.SHUTDOWN, Reason.REMOVED}:
            return  # the next start reports the interrupted queue; a removed account is gone in a moment
        if status.is_connected or (turn.open and _is_over(status)):
            self._leave(number, texts.outcome(status))
        elif turn.open and status.state is State.CONNECTING and status.stage in {Stage.PAIRING, Stage.SYNCING}:
            self._leave(number, texts.SCANNED)

    def _follow_scanned(self, number: str) -> None:
        """Show the outcome for an account whose code was scanned, once it is known."""
        account = self._accounts.find(number)
        if account is not None and _is_over(status := self._accounts.status(number)):
            self._messages.set_outcome(number, texts.outcome(status))

    def moved(self, chat: int, to: int) -> None:
        """Answer in the supergroup that a group has become. Returns at once."""
        for number, (request, begin) in self._waiting.items():
            if request.chat == chat:
                self._waiting[number] = replace(request, chat=to, topic=None, message=None), begin
        self._messages.moved(chat, to)

    def keep_only(self, person: int, may: Callable[[Account], bool]) -> None:
        """Remove the accounts that a person may no longer link from their queue."""
        queue = self._queues.queue(person)
        for number in () if queue is None else (*queue.waiting, queue.open):
            account = self._accounts.find(number)
            if account is None or not may(account):
                self._leave(number, "not yours any more")

    async def skip(self, number: str) -> bool:
        """Start the next account, and close this one if its code is open. Returns False if it is in no queue."""
        turn = self._queues.position(number)
        if turn is None:
            return False
        if not turn.open or number in self._beginning:
            self._leave(number, "skipped")
        else:
            await self._close(number)
            self.refresh(number)
        return True

    def drop(self, number: str) -> None:
        """Remove an account that is waiting in a queue."""
        turn = self._queues.position(number)
        if turn is not None and not turn.open:
            self._leave(number, "skipped")

    async def stop(self, number: str) -> bool:
        """End the account's whole queue, and close the open account. Returns False if nothing is being linked."""
        person = self._queues.person(number)
        if person is None:
            if _is_over(self._accounts.status(number)):
                return False
            await self._close(number)
            return True
        numbers = self._queues.dissolve(person)
        for each in numbers:
            self._waiting.pop(each, None)
            self._ahead.give_up(each)
            self._look_at_card(each)
        self._messages.end(person, [account for each in numbers if (account := self._accounts.find(each)) is not None])
        if numbers[0] not in self._beginning:  # otherwise it is closed as soon as it has started
            await self._close(numbers[0])
        return True

    async def new_code(self, number: str) -> bool | None:
        """Replace the code with a fresh one, with the full number of rounds.

        Returns False if nothing waits for a code any more, None if one is already on its way.
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

        async def begin_or_leave() -> None:
            try:
                await begin(request)
            except ShuttingDownError:
                raise  # the next start reports the interrupted queue
            except Exception:
                self._leave(number, None)
                raise

        await self._start(number, begin_or_leave)

    async def _start(self, number: str, start: Callable[[], Awaitable[None]]) -> None:
        """Start an account; close it again if it has been removed from the queue meanwhile."""
        turn = self._queues.position(number)
        self._beginning.add(number)
        try:
            await start()
        except ShuttingDownError:
            raise
        except Exception:
            self._beginning.discard(number)
            self.refresh(number)  # it may have been linked or removed meanwhile
            raise
        finally:
            self._beginning.discard(number)
        if turn is not None and turn.open and self._queues.position(number) is None:
            await self._close(number)
            return
        person = self._queues.person(number)
        if person is not None and self.waits(number):
            self._look_ahead(person)  # it is waiting again, and was opened in advance
        self.refresh(number)

    def _begin_soon(self, number: str) -> None:
        self._beginning.add(number)
        self._tasks.start(self._begin_next(number), "linking the next account of a queue")

    async def _begin_next(self, number: str) -> None:
        """Start the account whose turn has come, unless it has been removed from the queue."""
        self._beginning.discard(number)
        request, begin = self._waiting.pop(number, (None, None))
        if request is None or begin is None:
            return
        request = replace(request, message=None, update=0, answered=True)
        account = self._accounts.find(number)
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
        """Close an account that is being linked; a connected one is left alone."""
        try:
            if not _is_over(self._accounts.status(number)):
                await self._accounts.suspend(number)
        except UnknownAccountError:
            return

    def _leave(self, number: str, outcome: str | None) -> None:
        """Remove an account from its queue, and start the next one."""
        person, account = self._queues.person(number), self._accounts.find(number)
        if person is None:
            return
        following = self._queues.leave(number)
        self._look_at_card(number)
        self._waiting.pop(number, None)
        if account is not None and outcome is not None:
            self._messages.add_outcome(person, account, outcome)
        self._ahead.give_up(number)
        self._look_ahead(person)
        if following is not None:
            self._look_at_card(following)
            self._begin_soon(following)
        if self._queues.queue(person) is None:
            self._messages.end(person)
        else:
            self._messages.refresh(person)

    def _look_ahead(self, person: int) -> None:
        """Open the browsers of the next few accounts of a person's queue."""
        queue = self._queues.queue(person)
        self._ahead.follow([] if queue is None else queue.waiting)


def _is_over(status: Status) -> bool:
    """Return whether an account's turn is over: it is linked, or not retried without a person's request."""
    if status.state is State.CONNECTING or is_due(status):
        return False
    return status.state in {State.CONNECTED, State.SUSPENDED, State.IDLE} or not status.wants_connection
