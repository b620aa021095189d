"""One chat's worker: delivers its book as messages.

When its turn comes, the worker compares the book with what the chat shows and performs one action, so what is sent is
current, even after hours without Telegram. A message is marked in the database before it is sent: after a crash in
between it is sent again, and never lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from controller.incidents import Incident, Note
from controller.registry import Registry
from handlers.alerts.announcer import Announcer
from handlers.alerts.attempts import Attempts, Work
from handlers.alerts.incidents import delivery
from handlers.alerts.incidents.book import Book
from handlers.alerts.incidents.delivery import Action, Edit, OpenTopic, Remind, Send
from handlers.alerts.incidents.incident_text import Offers, Reader
from handlers.alerts.incidents.ledger import Ledger
from handlers.alerts.incidents.policy import AlertPolicy, PolicyOf
from handlers.alerts.incidents.silences import Silences
from handlers.alerts.sender import PASSING, ChatState, Sender
from handlers.chat.errors import (
    CallFailedError,
    ChatError,
    ChatGoneError,
    ChatMovedError,
    OutcomeUnknownError,
    TopicGoneError,
)
from handlers.chat.messages import Lane
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue

log = logging.getLogger(__name__)

LOOK_AGAIN = 60.0
"""Seconds after which a book is examined in any case: a clock that is set forward wakes nobody."""
LOOK_AT_CHAT = 3600.0
"""Seconds between two checks of the chat itself."""


@dataclass(frozen=True, slots=True)
class ChatEvents:
    """Callbacks for events of a chat. Called on the loop; they return at once."""

    gone: Callable[[int, str], None]
    """The chat cannot be written to, with the error."""
    back: Callable[[int, bool], None]
    """It can be written to again; whether what sounds waited for that."""
    moved: Callable[[int, int], None]
    """A group has a new id."""
    refused: Callable[[Incident, str], None]
    """The chat service rejects an alert, with the error."""
    no_topics: Callable[[int, str], None]
    """Topics cannot be opened there, with the error."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all workers share. looks_at: whether a chat is checked even though nothing is to be sent."""

    queue: SendQueue
    accounts: Registry
    ledger: Ledger
    silences: Silences
    clock: Callable[[], datetime]
    policy_of: PolicyOf
    events: ChatEvents
    looks_at: Callable[[int], bool]
    offers: Offers
    reader_of: Callable[[int], Reader]
    announcer: Announcer


@dataclass(frozen=True, slots=True)
class _DeliveryLoop:
    """One of a worker's loops, with its lane and actions: what makes a sound never waits behind an edit.

    Nor does an end behind edits of what lasts: until it is shown, the alert contradicts the account's card.
    """

    lane: Lane
    does: Callable[[Incident, Action], bool]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to cut a back-off after an error short."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each examination of the book."""
    delivering: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it waits for its turn in the send queue, or sends."""


class Worker:
    """Delivers one chat's alerts."""

    def __init__(self, context: Context, chat: int, *, gone: bool = False) -> None:
        self.chat = chat
        self.task: asyncio.Task[None] | None = None
        self.forum = False
        """Whether each account has its own topic here."""
        self._context = context
        self._sounding = _DeliveryLoop(Lane.ALERTS, _sounds)
        self._ending = _DeliveryLoop(Lane.ANSWERS, _ends)
        self._updating = _DeliveryLoop(
            Lane.UPDATES, lambda of, action: not _sounds(of, action) and not _ends(of, action)
        )
        self._loops = (self._sounding, self._ending, self._updating)
        self._edited: set[int] = set()
        """Incidents whose edit is under way: a later edit must not overtake it."""
        self._seen: dict[int, float] = dict.fromkeys((each.id for each in self.book.incidents), float("-inf"))
        """When an incident was first seen here, by the loop's clock: new ones wait for others to join them."""
        self._done: dict[int, Incident] = {}
        """Incidents without pending actions. Books are immutable: a changed incident is a new object."""
        self._attempts = Attempts()
        self._sender = Sender(
            ChatState(
                chat,
                context.accounts,
                context.ledger,
                context.clock,
                self.policy,
                self._no_topics,
                context.announcer,
            )
        )
        self._gone, self._late = gone, False  # late: what sounds waits until the chat can be written to
        self._changed = asyncio.Event()
        """Set if what the bot may do in the chat has changed."""

    @property
    def policy(self) -> AlertPolicy:
        """How this chat's alerts are grouped, repeated and sounded at present."""
        return self._context.policy_of(self.chat)

    @property
    def book(self) -> Book:
        """The chat's stored book."""
        return self._context.ledger.book(self.chat)

    @property
    def refusing(self) -> frozenset[int]:
        """Incidents whose messages were rejected recently: new alerts must not join them."""
        return self._attempts.refusing

    def wake(self) -> None:
        """Examine the book."""
        for loop in self._loops:
            loop.idle.clear()
            loop.woken.set()

    def look_again(self, number: str) -> None:
        """Re-examine alerts about an account whose remedies may have changed."""
        about = [each for each in self.book.incidents if any(e.number == number and e.open for e in each.entries)]
        for each in about:
            self._done.pop(each.id, None)
        if about:
            self.wake()

    def policy_changed(self) -> None:
        """Re-examine everything: what had no pending actions may have some now."""
        self._done.clear()
        self.wake()

    def try_again(self) -> None:
        """Retry at once whatever could not be sent, regardless of back-off."""
        for loop in self._loops:
            loop.hurried.set()
        self.wake()

    def membership_changed(self, *, may_write: bool) -> None:
        """Tell at once that nothing can be written any more; else look at the chat and its topics anew."""
        if may_write:
            self._sender.topics_refused = False
            self._changed.set()
        else:
            self._is_gone(ChatGoneError("the bot was blocked or removed, or may not write there any more"))

    async def until_idle(self) -> None:
        """Wait until nothing is left that could be sent now."""
        for loop in self._loops:
            await loop.idle.wait()

    async def look(self) -> None:
        """Wait until all loops have re-examined the book, or are sending. Raises RuntimeError if it has ended."""
        if self.task is not None and self.task.done():
            raise RuntimeError("the worker of a chat has ended")
        for loop in self._loops:
            loop.looked.clear()
        self.wake()
        for loop in self._loops:
            if not loop.delivering.is_set():
                await loop.looked.wait()

    async def run(self) -> None:
        """Run until cancelled."""
        if any(delivery.is_uncertain(each) for each in self.book.incidents):
            log.warning("An alert of chat %d may have been sent before the end: it is sent again", self.chat)
        await self._look_at_chat()
        await asyncio.gather(*map(self._use, self._loops), self._watch_chat())

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def _use(self, loop: _DeliveryLoop) -> None:
        """Run one loop for ever.

        Each round examines the whole book, which is in memory and costs nothing. The action found is not performed at
        once: it waits for its turn in the send queue, and then the book is examined again (`_perform_next`), since much
        may have happened meanwhile. So no state is passed between the two examinations, and nothing can be lost or sent
        twice between them.

        An error ends the round, never the loop. Transient errors are waited out; a permanent one that concerns a single
        message (a rejection) is counted for that message only, so that the others are delivered.
        """
        while True:
            loop.woken.clear()
            loop.hurried.clear()
            pause, failed, gone = self.policy.retry.total_seconds(), True, False
            try:
                pause = await self._serve(loop)
                failed = False
            except OSError as error:
                log.error("What became of an alert could not be stored, trying again: %s", error)
            except ChatMovedError as error:
                self._context.events.moved(self.chat, error.chat)  # ends this worker, once that is stored
            except ChatGoneError as error:
                self._is_gone(error)
                self._late, gone = self._late or loop is self._sounding, True
                pause = self.policy.gone_retry.total_seconds()
            except ChatError as error:
                log.error("An alert could not be sent to chat %d: %s", self.chat, error)
            except Exception:
                log.exception("The alerts of chat %d met what should not happen, going on", self.chat)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await (self._rest(loop, gone=gone) if failed else loop.woken.wait())

    async def _rest(self, loop: _DeliveryLoop, *, gone: bool) -> None:
        """Back off after an error until hurried: a changed book is not enough, since each attempt changes it itself."""
        while not loop.hurried.is_set():
            if gone:
                loop.idle.set()  # nothing can be sent now
            loop.looked.set()
            await loop.woken.wait()
            loop.woken.clear()

    async def _serve(self, loop: _DeliveryLoop) -> float:
        """Perform everything due now. Returns the seconds until time alone makes something due."""
        while True:
            loop.woken.clear()
            work, pause = self._next(loop)
            if work is None:
                if not loop.woken.is_set():
                    loop.idle.set()
                return pause
            loop.delivering.set()
            try:
                await self._context.queue.deliver(loop.lane, self.chat, partial(self._perform_next, loop))
            except OutcomeUnknownError:
                log.warning("An alert may have been sent to chat %d without our knowing: again", self.chat)
            else:
                self._is_back()
            finally:
                loop.delivering.clear()
            self.wake()  # what one loop has done may be what the other waits for

    async def _perform_next(self, loop: _DeliveryLoop, chat: Messenger) -> None:
        """In our turn, perform what is due first now."""
        work, _ = self._next(loop)
        if work is None:
            return
        try:
            if isinstance(work, Note):
                incident = None if work.incident is None else self.book.get(work.incident)
                await self._sender.send_note(chat, work, incident)
            else:
                await self._perform(chat, *work)
        except CallFailedError as error:
            if not self._attempts.fail(work, error, asyncio.get_running_loop().time()):
                raise
            await self._give_up(work, error)
        except OutcomeUnknownError as error:
            self._attempts.lose(work, error, asyncio.get_running_loop().time())
            raise
        except (*PASSING, ChatGoneError):
            raise
        except ChatError as error:
            in_general = isinstance(work, Note) or work[0].topic is None
            if isinstance(error, TopicGoneError) and in_general:  # so is nothing without a topic
                raise ChatGoneError(str(error) or "its General topic is closed") from None
            await self._refused(work, error)
        else:
            self._attempts.forget(work)

    async def _perform(self, chat: Messenger, incident: Incident, action: Action) -> None:
        edits = isinstance(action, Edit)
        if edits:
            self._edited.add(incident.id)
        try:
            await self._sender.perform(chat, incident, action)
        finally:
            if edits:
                self._edited.discard(incident.id)

    def _next(self, loop: _DeliveryLoop) -> tuple[Work | None, float]:
        """Return a loop's next action, else the seconds until there is one."""
        loop.looked.set()
        book, pauses, failed = self.book, [LOOK_AGAIN], None
        for work, wait in self._pending(loop, book):
            if work is not None and wait <= 0:
                if not self._attempts.has_failed(work):
                    return work, 0.0
                failed = failed or work
                continue
            pauses.append(wait)
        self._forget_what_is_gone(book)
        return failed, 0.0 if failed else max(0.0, min(pauses))

    def _pending(self, loop: _DeliveryLoop, book: Book) -> Iterator[tuple[Work | None, float]]:
        """Yield what a loop has to do, first things first, and how many seconds each must wait.

        None: what an incident needs will be known then.
        """
        now, loop_now = self._context.clock(), asyncio.get_running_loop().time()
        for incident in book.incidents:
            action = self._action(incident, now)
            if isinstance(action, datetime):
                yield None, (action - now).total_seconds()
            elif action is not None and loop.does(incident, action) and incident.id not in self._edited:
                yield (incident, action), self._wait(incident, action, loop_now)
        for note in book.notes:
            about = None if note.incident is None else book.get(note.incident)
            may_follow = note.incident is None or (about is not None and about.told_at is not None)
            if may_follow and loop is (self._sounding if note.sounds else self._updating):
                yield note, self._attempts.wait(note, loop_now)

    def _action(self, incident: Incident, now: datetime) -> Action | datetime | None:
        """Return what an incident needs next, or the time at which it will need something; None if neither is known."""
        if self._done.get(incident.id) is incident:
            return None
        action = delivery.next_action(
            incident,
            self._sender.name,
            now,
            self.policy,
            quiet_until=self.held_until(incident, now),
            offers=self._context.offers,
            reader=self._context.reader_of(self.chat),
        )
        if action is None:
            self._done[incident.id] = incident
        return action

    def held_until(self, incident: Incident, now: datetime) -> datetime | None:
        """Return when the first open entry is no longer held back; None if one is not held back now."""
        if (silenced_until := self._context.silences.quiet_until(incident)) is not None:
            return silenced_until
        policy = self.policy
        ends = [policy.held_until(entry.reason, entry.at, now) for entry in incident.open_entries]
        return min((end for end in ends if end is not None), default=None) if ends and None not in ends else None

    def _wait(self, incident: Incident, action: Action, loop_now: float) -> float:
        """Return how long an action must wait: after a rejection, or for alerts that belong with it."""
        wait = self._attempts.wait((incident, action), loop_now)
        if incident.told_at is None and isinstance(action, Send):
            seen = self._seen.setdefault(incident.id, loop_now)
            wait = max(wait, seen + self.policy.first_gathers.total_seconds() - loop_now)
        return wait

    def _forget_what_is_gone(self, book: Book) -> None:
        known = {each.id for each in book.incidents}
        self._attempts.keep_only(known | {each.id for each in book.notes})
        for memory in (self._seen, self._done):
            for gone in [each for each in memory if each not in known]:
                del memory[gone]

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    async def _refused(self, work: Work, error: ChatError) -> None:
        """Count a rejection; after several, give the message up."""
        now, retry = asyncio.get_running_loop().time(), self.policy.retry.total_seconds()
        times = self._attempts.reject(work, now, retry)
        log.error("Chat %d refuses an alert, for the %d. time: %s", self.chat, times, error)
        if times >= self.policy.refusals:
            await self._give_up(work, error)

    async def _give_up(self, work: Work, error: ChatError) -> None:
        """Set a message aside, and deliver the alert another way."""
        if isinstance(work, Note):
            await self._sender.give_up_note(work, str(error))
        else:
            await self._sender.set_aside(*work)
            if isinstance(work[1], Send):
                self._context.events.refused(work[0], str(error))
        self._attempts.forget(work)

    def _is_back(self) -> None:
        if self._gone:
            self._gone, late, self._late = False, self._late, False
            self._context.events.back(self.chat, late)

    def _is_gone(self, error: ChatGoneError) -> None:
        if not self._gone:
            self._context.events.gone(self.chat, str(error))
        self._gone = True

    def _no_topics(self, why: str) -> None:
        self.forum = False
        self._context.events.no_topics(self.chat, why)

    async def _watch_chat(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AT_CHAT):
                    await self._changed.wait()
            self._changed.clear()
            await self._look_at_chat()

    async def _look_at_chat(self) -> None:
        """Check whether the chat exists, and whether it is a forum with a topic per account."""
        if not self._context.looks_at(self.chat):
            return
        try:
            forum = await self._context.queue.deliver(
                Lane.ALERTS, self.chat, lambda chat: chat.is_forum(self.chat), free=True
            )
            if all(each.told_at is not None for each in self.book.incidents):  # otherwise sending an alert shows it
                self._is_back()
            self.forum = forum and not self._sender.topics_refused
        except ChatMovedError as error:
            self._context.events.moved(self.chat, error.chat)
        except ChatGoneError as error:
            self._is_gone(error)
        except ChatError as error:
            log.info("Chat %d could not be looked at: %s", self.chat, error)


def _sounds(_: Incident, action: Action) -> bool:
    return isinstance(action, Send | Remind | OpenTopic)


def _ends(incident: Incident, action: Action) -> bool:
    """Return whether an action shows that an incident is over."""
    return isinstance(action, Edit) and incident.over_at is not None
