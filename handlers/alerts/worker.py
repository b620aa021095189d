"""One chat's alerts on their way: from its book to messages that sound.

In its turn the worker compares the book with what the chat shows and performs one action, so what goes out is the truth
of that moment, also after hours without Telegram. A message is marked in the database before it is sent: a crash in
between makes it sent again, and never lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from controller.incidents import Incident, Note
from controller.registry import Registry
from handlers.alerts.incidents import delivery
from handlers.alerts.incidents.book import Book
from handlers.alerts.incidents.delivery import Action, Edit, OpenTopic, Remind, Send, Withdraw
from handlers.alerts.incidents.incident_text import Offers
from handlers.alerts.incidents.ledger import Ledger
from handlers.alerts.incidents.policy import AlertPolicy, PolicyOf
from handlers.alerts.incidents.silences import Silences
from handlers.alerts.sender import PASSING, ChatState, Sender
from handlers.chat.errors import ChatError, ChatGoneError, ChatMovedError, OutcomeUnknownError
from handlers.chat.messages import Lane
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue

log = logging.getLogger(__name__)

LOOK_AGAIN = 60.0
"""Seconds after which a book is looked at in any case: a clock that was set forward wakes nobody."""
LOOK_AT_CHAT = 3600.0
"""Seconds between two looks at the chat itself."""


@dataclass(frozen=True, slots=True)
class ChatEvents:
    """Who is notified of what befalls a chat. Called on the loop; they return at once."""

    gone: Callable[[int, str], None]
    """The chat cannot be written to, and why."""
    back: Callable[[int], None]
    """It can be written to again."""
    moved: Callable[[int, int], None]
    """A group has a new id."""
    refused: Callable[[Incident, str], None]
    """The chat service does not take an alert, and why."""
    no_topics: Callable[[int, str], None]
    """Topics cannot be opened there, and why."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all workers share. looks_at: whether a chat's being there is checked, though nothing is to be sent."""

    queue: SendQueue
    accounts: Registry
    ledger: Ledger
    silences: Silences
    clock: Callable[[], datetime]
    policy_of: PolicyOf
    events: ChatEvents
    looks_at: Callable[[int], bool]
    offers: Offers


@dataclass(frozen=True, slots=True)
class _Hand:
    """One of a worker's two hands: its lane, and what it does. What sounds never waits behind an edit."""

    lane: Lane
    does: tuple[type[Action], ...]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is to try again before its rest after an error is over."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each look at the book."""
    delivering: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it waits for its turn in the send queue, or sends."""


@dataclass(slots=True)
class _Refusals:
    """How often something was refused, and when it may be tried again, by the loop's clock."""

    count: int = 0
    not_before: float = 0.0


_Work = tuple[Incident, Action] | Note


class Worker:
    """One chat's alerts."""

    def __init__(self, context: Context, chat: int, *, gone: bool = False) -> None:
        self.chat = chat
        self.task: asyncio.Task[None] | None = None
        self.forum = False
        """Whether each account has a topic of its own here."""
        self._context = context
        self._sounding = _Hand(Lane.ALERTS, (Send, Remind, OpenTopic))
        self._updating = _Hand(Lane.UPDATES, (Edit, Withdraw))
        self._seen: dict[int, float] = dict.fromkeys((each.id for each in self.book.incidents), float("-inf"))
        """When an incident was first seen here, by the loop's clock: new ones wait for those that come with them."""
        self._done: dict[int, Incident] = {}
        """Incidents that need nothing as they are. Books are immutable: a changed one is another object."""
        self._refusals: dict[tuple[int, str], _Refusals] = {}
        self._sender = Sender(
            ChatState(chat, context.accounts, context.ledger, context.clock, self.policy, self._no_topics)
        )
        self._gone = gone

    @property
    def policy(self) -> AlertPolicy:
        """How this chat's alerts are grouped, repeated and heard, as it was chosen last."""
        return self._context.policy_of(self.chat)

    @property
    def book(self) -> Book:
        """The chat's book as it is stored."""
        return self._context.ledger.book(self.chat)

    @property
    def refusing(self) -> frozenset[int]:
        """The incidents whose messages were refused of late: what comes now must not share their fate."""
        return frozenset(incident for incident, what in self._refusals if what != Note.__name__)

    def wake(self) -> None:
        """Look at the book."""
        for hand in (self._sounding, self._updating):
            hand.idle.clear()
            hand.woken.set()

    def look_again(self, number: str) -> None:
        """Look again at what is told of an account: what can be done about it may have changed."""
        about = [each for each in self.book.incidents if any(entry.number == number for entry in each.open_entries)]
        for each in about:
            self._done.pop(each.id, None)
        if about:
            self.wake()

    def policy_changed(self) -> None:
        """Look at everything again: what needed nothing may need something now."""
        self._done.clear()
        self.wake()

    def try_again(self) -> None:
        """Try at once what could not be sent, whatever the last try met."""
        for hand in (self._sounding, self._updating):
            hand.hurried.set()
        self.wake()

    async def until_idle(self) -> None:
        """Wait until nothing is left that could be sent now."""
        for hand in (self._sounding, self._updating):
            await hand.idle.wait()

    async def look(self) -> None:
        """Wait until both hands have looked at the book anew, or are about to send. Raises RuntimeError if it ended."""
        if self.task is not None and self.task.done():
            raise RuntimeError("the worker of a chat has ended")
        for hand in (self._sounding, self._updating):
            hand.looked.clear()
        self.wake()
        for hand in (self._sounding, self._updating):
            if not hand.delivering.is_set():
                await hand.looked.wait()

    async def run(self) -> None:
        """Serve for ever."""
        if any(delivery.is_uncertain(each) for each in self.book.incidents):
            log.warning("An alert of chat %d may have been sent before the end: it is sent again", self.chat)
        await self._look_at_chat()
        await asyncio.gather(self._use(self._sounding), self._use(self._updating), self._watch_chat())

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def _use(self, hand: _Hand) -> None:
        """Do what one hand has to do, for ever.

        Each round looks at the whole book, which is in memory and costs nothing. What it finds is not done at once:
        it waits for its turn in the send queue, and when that comes the book is looked at again (`_perform_next`),
        since much may have happened meanwhile. So nothing is handed over between the two looks, and nothing can be
        lost or be sent twice between them.

        An error ends the round, never the hand. What passes is waited for; what does not pass and is about one
        message (a refusal) is counted against that message alone, so that the others go on.
        """
        while True:
            hand.woken.clear()
            hand.hurried.clear()
            pause, failed, gone = self.policy.retry.total_seconds(), True, False
            try:
                pause = await self._serve(hand)
                failed = False
            except OSError as error:
                log.error("What became of an alert could not be stored, trying again: %s", error)
            except ChatMovedError as error:
                self._context.events.moved(self.chat, error.chat)  # which ends this worker, once that is stored
            except ChatGoneError as error:
                self._is_gone(error)
                gone = True
                pause = self.policy.gone_retry.total_seconds()
            except ChatError as error:
                log.error("An alert could not be sent to chat %d: %s", self.chat, error)
            except Exception:
                log.exception("The alerts of chat %d met what should not happen, going on", self.chat)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await (self._rest(hand, gone=gone) if failed else hand.woken.wait())

    async def _rest(self, hand: _Hand, *, gone: bool) -> None:
        """Wait after an error until somebody hurries: a changed book does not, since each try changes it itself."""
        while not hand.hurried.is_set():
            if gone:
                hand.idle.set()  # nothing can be sent now
            hand.looked.set()
            await hand.woken.wait()
            hand.woken.clear()

    async def _serve(self, hand: _Hand) -> float:
        """Do all that is to be done now. Returns the seconds until the next that time alone brings."""
        while True:
            hand.woken.clear()
            work, pause = self._next(hand)
            if work is None:
                if not hand.woken.is_set():
                    hand.idle.set()
                return pause
            hand.delivering.set()
            try:
                await self._context.queue.deliver(hand.lane, self.chat, partial(self._perform_next, hand))
            except OutcomeUnknownError:
                log.warning("An alert may have been sent to chat %d without our knowing: again", self.chat)
            finally:
                hand.delivering.clear()
            self._is_back()
            self.wake()  # what one hand has done may be what the other waits for

    async def _perform_next(self, hand: _Hand, chat: Messenger) -> None:
        """In our turn: do what is first now."""
        work, _ = self._next(hand)
        if work is None:
            return
        key = (work.id, Note.__name__) if isinstance(work, Note) else (work[0].id, type(work[1]).__name__)
        try:
            if isinstance(work, Note):
                incident = None if work.incident is None else self.book.get(work.incident)
                await self._sender.send_note(chat, work, incident)
            else:
                await self._sender.perform(chat, *work)
        except (*PASSING, ChatGoneError):
            raise
        except ChatError as error:
            await self._refused(key, work, error)
        else:
            self._refusals.pop(key, None)

    def _next(self, hand: _Hand) -> tuple[_Work | None, float]:
        """Return what a hand has to do now, else the seconds until something is to be done."""
        hand.looked.set()
        now, loop_now = self._context.clock(), asyncio.get_running_loop().time()
        pauses = [LOOK_AGAIN]
        book = self.book
        for incident in book.incidents:
            if self._done.get(incident.id) is incident:
                continue
            quiet_until = self.held_until(incident, now)
            action = delivery.next_action(
                incident,
                self._sender.name,
                now,
                self.policy,
                quiet_until=quiet_until,
                offers=self._context.offers,
            )
            if action is None:
                self._done[incident.id] = incident
            elif isinstance(action, datetime):
                pauses.append((action - now).total_seconds())
            elif isinstance(action, hand.does):
                wait = self._wait(incident, action, loop_now)
                if wait <= 0:
                    return (incident, action), 0.0
                pauses.append(wait)
        for note in book.notes:
            told = note.incident is None or ((one := book.get(note.incident)) is not None and one.told_at is not None)
            if told and note.sounds == (hand is self._sounding):
                wait = self._refusals.get((note.id, Note.__name__), _Refusals()).not_before - loop_now
                if wait <= 0:
                    return note, 0.0
                pauses.append(wait)
        self._forget_what_is_gone(book)
        return None, max(0.0, min(pauses))

    def held_until(self, incident: Incident, now: datetime) -> datetime | None:
        """Return when the first of what stands in an incident is held back no more; None if any is not now."""
        if (silenced_until := self._context.silences.quiet_until(incident)) is not None:
            return silenced_until
        policy = self.policy
        ends = [policy.held_until(entry.reason, entry.at, now) for entry in incident.open_entries]
        return min((end for end in ends if end is not None), default=None) if ends and None not in ends else None

    def _wait(self, incident: Incident, action: Action, loop_now: float) -> float:
        """Return for how long an action is to wait: after a refusal, or for what comes together with it."""
        not_before = self._refusals.get((incident.id, type(action).__name__), _Refusals()).not_before
        if incident.told_at is None and isinstance(action, Send):
            seen = self._seen.setdefault(incident.id, loop_now)
            not_before = max(not_before, seen + self.policy.first_gathers.total_seconds())
        return not_before - loop_now

    def _forget_what_is_gone(self, book: Book) -> None:
        known = {each.id for each in book.incidents}
        for memory in (self._seen, self._done):
            for gone in [each for each in memory if each not in known]:
                del memory[gone]

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    async def _refused(self, key: tuple[int, str], work: _Work, error: ChatError) -> None:
        """Count a refusal; after some, set what was refused aside, and let an alert be told another way."""
        refusals = self._refusals.setdefault(key, _Refusals())
        refusals.count += 1
        refusals.not_before = asyncio.get_running_loop().time() + self.policy.retry.total_seconds()
        log.error("Chat %d refuses an alert, for the %d. time: %s", self.chat, refusals.count, error)
        if refusals.count < self.policy.refusals:
            return
        if isinstance(work, Note):
            await self._sender.drop_note(work)
        else:
            await self._sender.set_aside(*work)
            if isinstance(work[1], Send):
                self._context.events.refused(work[0], str(error))
        del self._refusals[key]

    def _is_back(self) -> None:
        if self._gone:
            self._gone = False
            self._context.events.back(self.chat)

    def _is_gone(self, error: ChatGoneError) -> None:
        if not self._gone:
            self._context.events.gone(self.chat, str(error))
        self._gone = True

    def _no_topics(self, why: str) -> None:
        self.forum = False
        self._context.events.no_topics(self.chat, why)

    async def _watch_chat(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AT_CHAT)
            await self._look_at_chat()

    async def _look_at_chat(self) -> None:
        """Find out whether the chat is there, and whether it is a forum, where each account has a topic."""
        if not self._context.looks_at(self.chat):
            return
        try:
            forum = await self._context.queue.deliver(
                Lane.ALERTS, self.chat, lambda chat: chat.is_forum(self.chat), free=True
            )
            if all(each.told_at is not None for each in self.book.incidents):  # else sending one shows
                self._is_back()
            self.forum = forum and not self._sender.topics_refused
        except ChatMovedError as error:
            self._context.events.moved(self.chat, error.chat)
        except ChatGoneError as error:
            self._is_gone(error)
        except ChatError as error:
            log.info("Chat %d could not be looked at: %s", self.chat, error)
