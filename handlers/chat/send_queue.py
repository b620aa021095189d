"""The post: whatever is said on Telegram waits here for its turn, and is said again where that is right.

A turn comes by lane (QR, answers, alerts, cards), within each chat's budget and that of all; within a lane of a chat
the order is kept. What costs no budget (a deletion) overtakes what waits for it. What is said is made when its turn has
come, so that what was superseded meanwhile is never sent. 429 pauses that chat alone, and a deletion only where it was
told so itself; where Telegram cannot be reached everybody waits, and one message tries whether it is back.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handlers.chat.errors import ChatError, NotSentError, OutcomeUnknownError, TooManyError
from handlers.chat.messages import Lane
from handlers.chat.messenger import Messenger
from handlers.chat.rate_limits import RateLimits

T = TypeVar("T")
log = logging.getLogger(__name__)

FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 30.0
"""Seconds between two tries to reach a Telegram that is away."""
TICK = 0.001
"""Seconds that a wait takes at least."""
CLEAN_UP_AT = 1000
"""Chats with a queue after which idle ones are forgotten."""


@dataclass(slots=True, order=True)
class _Waiter:
    """One who waits for a turn. after: not before this moment, by the loop's clock."""

    lane: Lane
    order: int
    after: float = field(compare=False)
    turn: asyncio.Future[None] = field(compare=False)


@dataclass(slots=True)
class _Queue:
    """Who waits for a turn in one chat, apart where it costs nothing. busy: (lane, free) with one under way."""

    waiting: list[_Waiter] = field(default_factory=list)
    free: list[_Waiter] = field(default_factory=list)
    busy: set[tuple[Lane, bool]] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None


class SendQueue:
    """Gives turns. Make it inside a running loop; it owns no task: work runs in its caller's."""

    def __init__(self, chat: Messenger, budgets: RateLimits | None = None) -> None:
        self.chat = chat
        self._budgets = budgets or RateLimits()
        self._loop = asyncio.get_running_loop()
        self._queues: dict[int, _Queue] = {}
        self._order = itertools.count()
        self._under_way = 0
        self._back_off = 0.0
        self._closed_until = 0.0

    @property
    def reachable(self) -> bool:
        """Whether Telegram answered the last time it was asked."""
        return self._back_off == 0

    async def deliver(
        self,
        lane: Lane,
        chat: int,
        say: Callable[[Messenger], Awaitable[T]],
        *,
        free: bool = False,
        repeat: bool = False,
    ) -> T:
        """Wait for a turn, then `say`; again and again while Telegram asks to wait or is away.

        free: this costs no budget (a deletion), and overtakes what does. repeat: say it again also where it may have
        been said already. Raises OutcomeUnknownError (without `repeat`), and every other ChatError as it comes.
        """
        first, after = next(self._order), 0.0
        while True:
            await self._turn(chat, lane, first, after, free=free)
            try:
                said = await say(self.chat)
            except TooManyError as error:
                log.warning("Telegram asks for %g s of silence in chat %d", error.seconds, chat)
                after = self._loop.time() + error.seconds  # the budget is not asked for what is free
                self._budgets.pause(chat, after)
                self._is_back()
            except (NotSentError, OutcomeUnknownError) as error:
                self._is_away(error)
                if isinstance(error, OutcomeUnknownError) and not repeat:
                    raise
            except ChatError:
                self._is_back()
                raise
            else:
                self._is_back()
                return said
            finally:
                self._done(chat, lane, free=free)

    async def _turn(self, chat: int, lane: Lane, order: int, after: float, *, free: bool) -> None:
        queue = self._queues.get(chat)
        if queue is None:
            queue = self._queues[chat] = _Queue()
        turn: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(queue.free if free else queue.waiting, _Waiter(lane, order, after, turn))
        self._advance(chat)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._done(chat, lane, free=free)
            raise

    def _advance(self, chat: int) -> None:
        """Give the turns of a chat that can be given now, and see to it that the next is given in time."""
        queue = self._queues[chat]
        if queue.timer is not None:
            queue.timer.cancel()
            queue.timer = None
        waits = [self._give(chat, queue, free=free) for free in (True, False)]
        if any(waits):
            soonest = min(wait for wait in waits if wait)
            queue.timer = self._loop.call_later(max(soonest, TICK), self._advance, chat)
        if not queue.waiting and not queue.free and not queue.busy:
            del self._queues[chat]

    def _give(self, chat: int, queue: _Queue, *, free: bool) -> float:
        """Give the turns that can be given now; return the seconds until the next, 0 where time alone gives none."""
        line = queue.free if free else queue.waiting
        held: list[_Waiter] = []
        wait = 0.0
        while line:
            waiter = line[0]
            if waiter.turn.done():
                heapq.heappop(line)
                continue
            if (waiter.lane, free) in queue.busy:
                held.append(heapq.heappop(line))
                continue
            now = self._loop.time()
            own = 0.0 if free else self._budgets.wait(chat, waiter.lane, now)
            wait = max(0.0, own, waiter.after - now, self._closed_until - now)
            if wait > 0:
                break
            if not self.reachable and self._under_way:
                break  # one tries for all; what comes of it calls everybody
            heapq.heappop(line)
            if not free:
                self._budgets.take(chat, now)
            queue.busy.add((waiter.lane, free))
            self._under_way += 1
            waiter.turn.set_result(None)
        for waiter in held:
            heapq.heappush(line, waiter)
        return wait

    def _done(self, chat: int, lane: Lane, *, free: bool) -> None:
        self._under_way -= 1
        self._queues[chat].busy.discard((lane, free))
        self._advance(chat)
        if not self.reachable and not self._under_way:
            self._call_everybody()
        if len(self._queues) > CLEAN_UP_AT:
            self._budgets.forget_idle(self._loop.time())

    def _is_away(self, error: ChatError) -> None:
        if self.reachable:
            log.warning("Telegram is away (%s): messages wait", error)
        now = self._loop.time()
        if now >= self._closed_until:  # what was under way when the first one failed tells nothing new
            self._back_off = min(max(FIRST_BACK_OFF, self._back_off * 2), LONGEST_BACK_OFF)
            self._closed_until = now + self._back_off

    def _is_back(self) -> None:
        if not self.reachable:
            log.info("Telegram is back: messages go out")
            self._back_off = self._closed_until = 0.0
            self._call_everybody()

    def _call_everybody(self) -> None:
        for chat in list(self._queues):
            if chat in self._queues:
                self._advance(chat)


Say = Callable[[Messenger], Awaitable[Any]]
"""What is done when a turn has come."""
