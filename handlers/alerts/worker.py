"""One chat's alerts on their way: from what is owed, through incidents, to messages that sound.

In its turn the worker takes up all that is owed by then, keeps the incidents that this makes, and performs one duty; so
what goes out is the truth of that moment, also after hours without Telegram. A message is marked in the database before
it is sent: a crash in between makes it sent again, which is counted, and never lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from handlers.alerts import delivery
from handlers.alerts.delivery import Action, Edit, OpenTopic, Remind, Reply, Send
from handlers.alerts.incidents import Book, Fact, Incident, Kind
from handlers.alerts.owed import OwedRow, fact_of
from handlers.alerts.sender import Context, Sender
from handlers.alerts.silences import silenced_until
from handlers.chat.errors import ChatError, ChatGoneError, ChatMovedError, OutcomeUnknownError
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.messenger import Messenger

log = logging.getLogger(__name__)

FIRST_GATHERS = 1.0
"""Seconds that the first alert of an incident waits for those that come with it."""
LEASE = timedelta(minutes=2)
BATCH = 500
"""Rows taken up at once."""
STORE_RETRY = 5.0
GONE_RETRY = 600.0
"""Seconds until a chat that cannot be written to is tried again."""

_FACTS = (Kind.ALERT, Kind.OVER, Kind.HANDLED)
_LINES = (Kind.NOTE, Kind.PICTURE)


@dataclass(frozen=True, slots=True)
class _Hand:
    """One of a worker's two hands: its lane, and what it does. What sounds never waits behind an edit."""

    lane: Lane
    does: tuple[type[Action], ...]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Worker:
    """One chat's alerts."""

    def __init__(self, context: Context, book: Book) -> None:
        self.book = book
        self.task: asyncio.Task[None] | None = None
        self._context = context
        self._sounding = _Hand(Lane.ALERTS, (Send, Remind, OpenTopic))
        self._updating = _Hand(Lane.UPDATES, (Edit, Reply))
        self._taking = asyncio.Lock()
        self._unfinished = {each.id for each in book.incidents}
        self._absorbed: set[int] = set()
        """Facts that are in the book, and not yet known to be kept there."""
        self._changed: set[int] = set()
        """Incidents that they have changed."""
        self._look_again: datetime | None = None
        """When claims that came to nothing have ended."""
        self._teller = Sender(context, book)
        self._gone = False

    def wake(self) -> None:
        """Look at what is owed."""
        for hand in (self._sounding, self._updating):
            hand.idle.clear()
            hand.woken.set()

    async def until_idle(self) -> None:
        """Wait until nothing is owed that could be told now."""
        for hand in (self._sounding, self._updating):
            await hand.idle.wait()

    def retire(self) -> None:
        """End: the chat is another now."""
        if self.task is not None:
            self.task.cancel()

    async def change(self, incident: Incident) -> None:
        """Keep a changed incident and show it. Raises OSError."""
        self.book.put(incident)
        self._unfinished.add(incident.id)
        await self._teller.keep((), {incident.id})
        self.wake()

    async def run(self) -> None:
        """Serve for ever."""
        for each in self.book.incidents:
            if delivery.is_uncertain(each):
                self._context.counts.maybe_twice += 1
                log.warning("An alert of chat %d may have been sent before the end: it is sent again", self.book.chat)
        await self._look_at_chat()
        await asyncio.gather(self._use(self._sounding), self._use(self._updating))

    async def _use(self, hand: _Hand) -> None:
        while True:
            pause: float | None
            try:
                pause = await self._serve(hand)
            except OSError as error:
                log.error("What is owed could not be read or kept, trying again: %s", error)
                self._look_again = self._context.clock() + LEASE
                pause = STORE_RETRY
            except ChatMovedError as error:
                self._context.on_moved(self.book.chat, error.chat)  # which ends this worker, once it has been kept
                pause = STORE_RETRY
            except ChatGoneError as error:
                if not self._gone:
                    self._context.on_gone(self.book.chat, str(error))
                self._gone = True
                hand.idle.set()  # nothing can be told now
                pause = GONE_RETRY
            except ChatError as error:
                log.error("An alert could not be told in chat %d: %s", self.book.chat, error)
                pause = STORE_RETRY
            except Exception:
                log.exception("The alerts of chat %d met what should not happen, going on", self.book.chat)
                pause = STORE_RETRY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await hand.woken.wait()

    async def _serve(self, hand: _Hand) -> float | None:
        """Perform all that is owed now. Returns the seconds until something is owed by the clock."""
        while True:
            hand.woken.clear()
            fresh = await self._take_up()
            if fresh and self._untold():
                await asyncio.sleep(FIRST_GATHERS)
                await self._take_up()
            duty, at = self._next_duty(hand)
            if duty is not None:
                await self._deliver(hand.lane, partial(self._perform_next, hand))
                self._gone = False
                self.wake()  # what one hand has done may be what the other waits for
            elif hand is self._sounding or self._untold() or not await self._tell_line():
                due = [moment for moment in (at, self._silence_ends(), self._claims_end()) if moment is not None]
                if gone := self.book.forget(self._context.clock()):
                    await self._context.outbox.settle((), (), gone)
                if not hand.woken.is_set():
                    hand.idle.set()
                return (min(due) - self._context.clock()).total_seconds() if due else None

    def _untold(self) -> bool:
        """Tell whether an incident waits for its first message."""
        return any(
            each is not None and each.told_at is None for each in (self.book.get(number) for number in self._unfinished)
        )

    async def _deliver(self, lane: Lane, say: Callable[[Messenger], Awaitable[None]]) -> None:
        try:
            await self._context.post.deliver(lane, self.book.chat, say)
        except OutcomeUnknownError:
            self._look_again = self._context.clock() + LEASE  # a line is claimed until then
            self._context.counts.maybe_twice += 1
            log.warning("An alert may have been sent to chat %d without our knowing: again", self.book.chat)

    # --- what is owed -------------------------------------------------------------------------------------------------

    async def _take_up(self) -> bool:
        """Make incidents of all that is owed by now, and keep them. Returns whether there was anything."""
        async with self._taking:
            return await self._take_up_all()

    async def _take_up_all(self) -> bool:
        any_rows = bool(self._absorbed)
        await self._settle_absorbed()
        while rows := await self._claim(_FACTS, BATCH):
            any_rows = True
            now = self._context.clock()
            held = await self._held_back([fact_of(row) for row in rows])
            facts = [fact for fact in map(fact_of, rows) if fact.id not in held]
            self._changed |= self.book.absorb(facts, now)
            self._absorbed |= {fact.id for fact in facts}
            await self._settle_absorbed()
            for until, ids in _by_end(held).items():
                await self._context.outbox.postpone(ids, until)
            if len(rows) < BATCH:
                break
        return any_rows

    async def _settle_absorbed(self) -> None:
        """Keep what has been absorbed. Raises OSError; then it is kept the next time, and not absorbed again."""
        self._unfinished |= self._changed
        if self._absorbed:
            await self._teller.keep(self._absorbed, self._changed)
            self._absorbed, self._changed = set(), set()
            self.wake()  # what one hand has taken up may be for the other

    async def _held_back(self, facts: list[Fact]) -> dict[int, datetime]:
        """Return the facts that a silence holds back, with its end."""
        silences, now, chat = list(self._context.silences()), self._context.clock(), self.book.chat
        held: dict[int, datetime] = {}
        numbers: set[str] = set()
        for fact in facts if silences else ():
            until = silenced_until(silences, chat, fact.number, now)
            if until is None:
                continue
            if fact.kind is Kind.ALERT:
                numbers.add(fact.number)
                held[fact.id] = until
            elif not self.book.is_open(fact.number) and (
                fact.number in numbers or await self._context.outbox.has_waiting(chat, fact.number, Kind.ALERT)
            ):
                held[fact.id] = until
        return held

    async def _claim(self, kinds: tuple[Kind, ...], limit: int) -> list[OwedRow]:
        now = self._context.clock()
        rows = await self._context.outbox.claim(self.book.chat, kinds, now=now, until=now + LEASE, limit=limit)
        return list(rows)

    def _claims_end(self) -> datetime | None:
        if self._look_again is not None and self._look_again <= self._context.clock():
            self._look_again = None
            self.wake()
        return self._look_again

    def _silence_ends(self) -> datetime | None:
        now, chat = self._context.clock(), self.book.chat
        ends = [each.until for each in self._context.silences() if each.chat in {None, chat} and each.until > now]
        return min(ends, default=None)

    def _next_duty(self, hand: _Hand) -> tuple[tuple[Incident, Action] | None, datetime | None]:
        """Return the hand's next duty, and the next moment when something is owed."""
        now = self._context.clock()
        later: list[datetime] = []
        found: tuple[Incident, Action] | None = None
        for number in sorted(self._unfinished):
            incident = self.book.get(number)
            if incident is None:
                self._unfinished.discard(number)
                continue
            duty = delivery.next_duty(incident, self._teller.name, now, quiet_until=self._quiet_until(incident, now))
            if isinstance(duty, datetime):
                later.append(duty)
            elif duty is None:
                self._unfinished.discard(number)
            elif found is None and isinstance(duty, hand.does):
                found = incident, duty
        return found, min(later, default=None)

    def _quiet_until(self, incident: Incident, now: datetime) -> datetime | None:
        silences = list(self._context.silences())
        ends = [silenced_until(silences, self.book.chat, entry.number, now) for entry in incident.open_entries]
        return min((end for end in ends if end is not None), default=None) if ends and None not in ends else None

    # --- performing ---------------------------------------------------------------------------------------------------

    async def _perform_next(self, hand: _Hand, chat: Messenger) -> None:
        """In our turn: take up what came meanwhile, and perform the one duty that is first then."""
        await self._take_up()
        found, _ = self._next_duty(hand)
        if found is None:
            return
        await self._teller.perform(chat, *found)

    async def _tell_line(self) -> bool:
        """Tell one line that is owed beside the incidents, if there is one."""
        if not (rows := await self._claim(_LINES, 1)):
            return False
        (row,) = rows
        fact = fact_of(row)
        incident = None
        if row.picture is not None:
            await self._take_up()  # its alert came with it
            incident = self.book.about(fact.number, fact.reason)
            if incident is None or incident.told_at is None:
                await self._put_off(row, fact, untold=incident is not None)
                return True
        if row.tries:
            self._context.counts.maybe_twice += 1

        async def say(chat: Messenger) -> None:
            if row.picture is not None and incident is not None:
                await self._teller.show_picture(chat, incident, row.picture, fact.detail)
            else:
                await chat.send(Place(self.book.chat), Text(fact.detail), silent=True)
            await self._context.outbox.settle([row.id])

        await self._deliver(Lane.UPDATES, say)
        return True

    async def _put_off(self, row: OwedRow, fact: Fact, *, untold: bool) -> None:
        """Let a picture wait until its alert is told; drop it where that was over before its silence ended."""
        now = self._context.clock()
        until = now if untold else silenced_until(list(self._context.silences()), self.book.chat, fact.number, now)
        await (self._context.outbox.postpone([row.id], until) if until else self._context.outbox.settle([row.id]))

    async def _look_at_chat(self) -> None:
        """Find out whether the chat is a forum, where each account has a topic."""
        if self.book.chat < 0:
            chat_id = self.book.chat
            try:
                self.book.forum = await self._context.post.deliver(
                    Lane.ALERTS, chat_id, lambda chat: chat.is_forum(chat_id), free=True
                )
            except ChatError as error:
                log.info("Chat %d could not be looked at: %s", chat_id, error)


def _by_end(held: dict[int, datetime]) -> dict[datetime, list[int]]:
    ends: dict[datetime, list[int]] = {}
    for fact, until in held.items():
        ends.setdefault(until, []).append(fact)
    return ends
