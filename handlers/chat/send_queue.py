"""The queue of everything sent to a chat service: whose turn it is, when, and what is retried.

Every call of the messenger that counts towards a limit waits here, in one line per chat and lane. The rules:

- A line is first in, first out, with one call in progress at a time. Lines are independent, so a slow call delays only
  its own line.
- A chat's next turn goes to one of the lanes that its budget allows now (`rate_limits`), by a table in which each lane
  has a share (`turns`). Updates and cards leave one message of the budget for more urgent ones, unless one is waiting.
- If the budget for all chats is short, chats queue up for it, and the same table chooses the lane; within a lane the
  first come is served first, whatever its chat. A flood in one chat is limited by that chat's own budget.
- Calls that are not limited (deletions) have lines of their own, which wait only for each other.
- A call is made when its turn has come, by its caller's task; the queue owns none. So what is sent is current at that
  moment. Calls with the same key are merged while they wait: one is made for all, as the latest caller wants it.
- 429 pauses one chat, but its alerts only if an alert got it. A long pause is tried every few minutes.
- While Telegram cannot be reached everybody waits, and one call probes whether it is back.
- A call that fails while others are performed lets those behind it pass, and in the end counts as rejected.

The module is longer than others: these rules are about the same lines, and each must hold whatever the others do.
"""

import asyncio
import bisect
import itertools
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handlers.chat.alert_topic import AlertTopics, InTopics
from handlers.chat.errors import (
    CallFailedError,
    ChatError,
    ChatPausedError,
    FailuresOfOne,
    NotSentError,
    OutcomeUnknownError,
    SupersededError,
    TooManyError,
    UnknownRefusalError,
)
from handlers.chat.messages import Lane
from handlers.chat.messenger import Messenger
from handlers.chat.rate_limits import LONG_PAUSE, RateLimits
from handlers.chat.turns import Turns

T = TypeVar("T")
log = logging.getLogger(__name__)

FIRST_BACK_OFF = 1.0
LONGEST_BACK_OFF = 30.0
"""The most seconds between two attempts to reach Telegram while it is down."""
SOON = 2.0
"""Seconds for which a turn is still waited for during shutdown."""
TICK = 0.001
"""The least number of seconds that a wait takes."""
MOST_ANSWERS = 20
"""Answers that may wait in one chat; beyond that the oldest are dropped."""

_OF_ALERTS = frozenset({Lane.ALERTS, Lane.UPDATES})
_URGENT = frozenset({Lane.QR, Lane.ANSWERS, Lane.ALERTS})


@dataclass(slots=True, eq=False)
class _Waiter:
    """A caller that waits for a turn. after: not before this time on the loop's clock."""

    lane: Lane
    order: int
    free: bool
    after: float
    turn: asyncio.Future[None]


@dataclass(slots=True, eq=False)
class _Job:
    """A pending call. key: for merging; followers: callers with the same key, which get its result.

    after: not before this time on the loop's clock. pause: the seconds until the next attempt if it alone fails.
    """

    order: int
    lane: Lane
    send: Callable[[Messenger], Awaitable[Any]]
    key: tuple[int, Hashable] | None = None
    followers: list[asyncio.Future[Any]] = field(default_factory=list)
    waiter: _Waiter | None = None
    after: float = 0.0
    pause: float = FIRST_BACK_OFF
    failures: FailuresOfOne = field(default_factory=FailuresOfOne)


Lines = defaultdict[Lane, list[_Waiter]]


@dataclass(slots=True)
class _Chat:
    """A chat's callers: `lines` for limited calls, `free_lines` for the rest. busy: lines with a call in progress."""

    turns: Turns
    lines: Lines = field(default_factory=lambda: defaultdict(list))
    free_lines: Lines = field(default_factory=lambda: defaultdict(list))
    busy: set[tuple[Lane, bool]] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None

    def line(self, waiter: _Waiter) -> list[_Waiter]:
        return (self.free_lines if waiter.free else self.lines)[waiter.lane]

    @property
    def is_idle(self) -> bool:
        return not (self.busy or any(self.lines.values()) or any(self.free_lines.values()))


class _TakeOver:
    """Result for a follower whose leader was cancelled: make the call yourself."""


class SendQueue:
    """Schedules calls. Create it inside a running loop."""

    def __init__(self, messenger: Messenger, limits: RateLimits | None = None) -> None:
        self._messenger, self._in_topics = messenger, InTopics(messenger)
        self.alert_topics: dict[int, int] = {}
        """chat → the topic for alerts, if one is set."""
        self.alert_topic_lost: Callable[[int], None] = lambda _: None
        """Called with a chat whose topic for alerts is closed or deleted: they go to General. Returns at once."""
        self.silenced: Callable[[int], None] = lambda _: None
        """Called with a chat in which people will get no answers for long, as Telegram demands. Returns at once."""
        self._alert_messenger = AlertTopics(messenger, self.alert_topics, self._alert_topic_lost)
        self._limits = limits or RateLimits()
        self._loop = asyncio.get_running_loop()
        self._chats: dict[int, _Chat] = {}
        self._order = itertools.count()
        self._jobs: dict[tuple[int, Hashable], _Job] = {}
        """Waiting jobs that can be merged with."""
        self._crowd: dict[int, None] = {}
        """Chats that are ready to send and wait for the overall budget."""
        self._crowd_turns = Turns()
        self._crowd_timer: asyncio.TimerHandle | None = None
        self._under_way = 0
        self._back_off = 0.0
        self._closed_until = 0.0
        self._performed = 0
        """How many calls Telegram had performed when one failed last."""

    @property
    def reachable(self) -> bool:
        """Whether Telegram responded to the latest call."""
        return self._back_off == 0

    def silence(self, chat: int) -> float:
        """Return the seconds for which people get no answers in a chat, as Telegram demands; 0 if not for long."""
        seconds = self._limits.paused_for(chat, Lane.ANSWERS, self._loop.time())
        return seconds if seconds > LONG_PAUSE else 0.0

    @property
    def silences(self) -> dict[int, float]:
        """The chats in which people get no answers for long, and for how many seconds."""
        silences = {chat: self.silence(chat) for chat in self._limits.remembered}
        return {chat: seconds for chat, seconds in silences.items() if seconds}

    @property
    def waits_for_budgets(self) -> bool:
        """Whether everything queued waits for its chat's budget, and nothing can be sent soon."""
        now = self._loop.time()
        timers = [each.timer for each in self._chats.values() if not each.is_idle]
        return (
            self._under_way == 0
            and bool(timers)
            and all(timer is not None and timer.when() - now > SOON for timer in timers)
        )

    def service_responded(self) -> None:
        """Note that a call that is not queued was performed, such as a poll: what waits may try. Returns at once."""
        self._is_back()

    def _messenger_for(self, chat: int, lane: Lane) -> Messenger:
        if lane in _OF_ALERTS:
            return self._alert_messenger if chat in self.alert_topics else self._messenger
        return self._in_topics if chat < 0 else self._messenger  # a private chat has no topics

    def _alert_topic_lost(self, chat: int) -> None:
        self.alert_topic_lost(chat)

    async def deliver(
        self,
        lane: Lane,
        chat: int,
        send: Callable[[Messenger], Awaitable[T]],
        *,
        free: bool = False,
        repeat: bool = False,
        key: Hashable = None,
    ) -> T:
        """Wait for a turn, then call `send`, retrying while Telegram demands pauses or is down. Returns its result.

        free: this call is not limited (a deletion). repeat: retry even if it may have succeeded already.
        key: calls to one chat with the same key are merged while they wait: the latest `send` is made once, in the
        oldest one's position and the most urgent one's lane, and all callers get its result.

        Raises OutcomeUnknownError (without `repeat`), SupersededError for an answer with too many behind it,
        ChatPausedError for an alert whose chat Telegram wants left alone for longer than `LONG_PAUSE`, and every other
        permanent ChatError.
        """
        merged_by = None if key is None else (chat, key)
        job = None if merged_by is None else self._jobs.get(merged_by)
        if job is None:
            job = _Job(next(self._order), lane, send, merged_by)
        else:
            job.send = send
            self._hasten(chat, job, lane)
            outcome = await self._follow(job)
            if not isinstance(outcome, _TakeOver):
                return outcome  # type: ignore[no-any-return]
        try:
            result: T = await self._perform(chat, job, free=free, repeat=repeat)
        except asyncio.CancelledError:
            self._hand_over(job)
            raise
        except Exception as error:
            for each in job.followers:
                if not each.done():
                    each.set_exception(error)
            raise
        for each in job.followers:
            if not each.done():
                each.set_result(result)
        return result

    async def _perform(self, chat: int, job: _Job, *, free: bool, repeat: bool) -> Any:
        while True:
            self._check_pause(chat, job, free=free)
            if job.key is not None:
                self._jobs.setdefault(job.key, job)
            waiter = job.waiter = _Waiter(job.lane, job.order, free, job.after, self._loop.create_future())
            await self._turn(chat, waiter)
            self._no_longer_waits(job)
            try:
                result = await job.send(self._messenger_for(chat, waiter.lane))
            except TooManyError as error:
                self._pause(chat, job, error.seconds)
            except CallFailedError as error:
                self._call_failed(job, error)
            except (NotSentError, OutcomeUnknownError) as error:
                self._is_away(error)
                if isinstance(error, OutcomeUnknownError) and not repeat:
                    raise
            except ChatError:
                self._is_back()
                raise
            else:
                self._is_back()
                if not free:
                    self._limits.performed(chat, job.lane, self._loop.time())
                return result
            finally:
                self._done(chat, waiter)

    def _check_pause(self, chat: int, job: _Job, *, free: bool) -> None:
        """Raise ChatPausedError for an alert that should not wait for the end of its chat's pause."""
        now = self._loop.time()
        paused = self._limits.paused_for(chat, Lane.ALERTS, now)
        to_be_tried = self._limits.is_to_be_tried(chat, Lane.ALERTS, now)
        if job.lane is Lane.ALERTS and not free and paused > LONG_PAUSE and not to_be_tried:
            raise ChatPausedError(paused)

    def _pause(self, chat: int, job: _Job, seconds: float) -> None:
        log.warning("Telegram asks for %g s of silence in chat %d", seconds, chat)
        now, before = self._loop.time(), self.silence(chat)
        job.after = now + min(seconds, LONG_PAUSE)  # unlimited calls do not check the budget
        self._limits.pause(chat, seconds, now, lane=job.lane)
        self._is_back()
        if job.lane is not Lane.ALERTS and self.silence(chat) and not before:
            self.silenced(chat)

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def _turn(self, chat: int, waiter: _Waiter) -> None:
        each = self._chats.get(chat)
        if each is None:
            each = self._chats[chat] = _Chat(Turns() if chat > 0 else Turns(table=()))
        line = each.line(waiter)
        bisect.insort(line, waiter, key=lambda other: other.order)
        if waiter.lane is Lane.ANSWERS and not waiter.free and len(line) > MOST_ANSWERS:
            line.pop(0).turn.set_exception(SupersededError())
        self._advance(chat)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.cancelled():
                each.line(waiter).remove(waiter)
                self._advance(chat)
            elif waiter.turn.exception() is None:
                self._done(chat, waiter)
            raise

    def _hasten(self, chat: int, job: _Job, lane: Lane) -> None:
        """Move a waiting job to a more urgent lane."""
        waiter = job.waiter
        if lane >= job.lane or waiter is None or waiter.turn.done():
            return
        each = self._chats[chat]
        each.line(waiter).remove(waiter)
        job.lane = waiter.lane = lane
        bisect.insort(each.line(waiter), waiter, key=lambda other: other.order)
        self._advance(chat)

    async def _follow(self, job: _Job) -> Any:
        """Wait for the result of another caller's call. Returns a _TakeOver if this caller has to make it."""
        follower: asyncio.Future[Any] = self._loop.create_future()
        job.followers.append(follower)
        try:
            return await follower
        except asyncio.CancelledError:
            if follower.done() and not follower.cancelled() and follower.exception() is None:
                self._hand_over(job)  # this caller was about to make it
            raise

    def _hand_over(self, job: _Job) -> None:
        """Let a follower make the call of a job whose caller was cancelled."""
        for each in reversed(job.followers):
            if not each.done():
                each.set_result(_TakeOver())
                return
        self._no_longer_waits(job)

    def _no_longer_waits(self, job: _Job) -> None:
        if job.key is not None and self._jobs.get(job.key) is job:
            del self._jobs[job.key]

    # --- turns --------------------------------------------------------------------------------------------------------

    def _advance(self, chat: int) -> None:
        """Grant a chat's turns that are due, and schedule the next."""
        each = self._chats.get(chat)
        if each is None:
            return
        if each.timer is not None:
            each.timer.cancel()
            each.timer = None
        waits = [wait for wait in (self._give_free(each), self._give(chat, each)) if wait > 0]
        if waits:
            each.timer = self._loop.call_later(max(min(waits), TICK), self._advance, chat)
        if each.is_idle:
            del self._chats[chat]

    def _give_free(self, each: _Chat) -> float:
        """Grant unlimited turns; return the seconds until the next, 0 if it does not depend on time."""
        soonest = 0.0
        for lane, line in each.free_lines.items():
            if not line or (lane, True) in each.busy:
                continue
            now = self._loop.time()
            wait = max(line[0].after, self._closed_until) - now
            if wait > 0:
                soonest = min(soonest or wait, wait)
            elif self._may_try():
                self._start(each, line.pop(0))
        return soonest

    def _give(self, chat: int, each: _Chat) -> float:
        """Grant limited turns; return the seconds until the next, 0 if it does not depend on time."""
        while True:
            now = self._loop.time()
            ready, wait = self._ready(chat, each, now)
            if not ready:
                return wait
            if self._closed_until > now:
                return self._closed_until - now
            if not self._may_try():
                return 0.0
            if self._crowd or self._limits.wait_overall(now) > 0:
                self._crowd[chat] = None
                self._await_crowd(now)
                return wait
            self._spend(chat, each, each.turns.choose(ready), now)

    def _ready(self, chat: int, each: _Chat, now: float) -> tuple[list[Lane], float]:
        """Return the lanes whose first caller fits the chat's budget now, and the seconds until the next, or 0."""
        waiting = [lane for lane, line in each.lines.items() if line and (lane, False) not in each.busy]
        contested = not _URGENT.isdisjoint(waiting)
        ready, soonest = [], 0.0
        for lane in waiting:
            leave = int(lane not in _URGENT and not (contested and lane is each.turns.owner))
            wait = max(self._limits.wait(chat, lane, now, leave=leave), _first_of(each.lines[lane], now).after - now)
            if wait > 0:
                soonest = min(soonest or wait, wait)
            else:
                ready.append(lane)
        return ready, soonest

    def _await_crowd(self, now: float) -> None:
        if self._crowd_timer is None:
            wait = max(self._limits.wait_overall(now), TICK)
            self._crowd_timer = self._loop.call_later(wait, self._serve_crowd)

    def _serve_crowd(self) -> None:
        """Grant turns to chats that wait for the overall budget."""
        self._crowd_timer = None
        while self._crowd:
            now = self._loop.time()
            if self._closed_until > now or not self._may_try():
                chats, self._crowd = list(self._crowd), {}
                for chat in chats:  # each waits by itself until Telegram is back
                    self._advance(chat)
                return
            if self._limits.wait_overall(now) > 0:
                self._await_crowd(now)
                return
            first = self._first_of_crowd(now)
            if not first:
                return
            lane = self._crowd_turns.choose(first)
            self._crowd_turns.take(lane)
            chat = first[lane]
            self._spend(chat, self._chats[chat], lane, now)

    def _first_of_crowd(self, now: float) -> dict[Lane, int]:
        """Return, per lane, the chat whose first caller has waited longest; chats that cannot send now are removed."""
        first: dict[Lane, tuple[int, int]] = {}
        left = []
        for chat in self._crowd:
            each = self._chats.get(chat)
            ready = self._ready(chat, each, now)[0] if each is not None else []
            if each is None or not ready:
                left.append(chat)
                continue
            for lane in ready:
                order = _first_of(each.lines[lane], now).order
                first[lane] = min(first.get(lane, (order, chat)), (order, chat))
        for chat in left:
            del self._crowd[chat]
        for chat in left:
            self._advance(chat)
        return {lane: chat for lane, (_, chat) in first.items()}

    def _spend(self, chat: int, each: _Chat, lane: Lane, now: float) -> None:
        self._limits.take(chat, lane, now)
        each.turns.take(lane)
        line = each.lines[lane]
        first = _first_of(line, now)
        line.remove(first)
        self._start(each, first)

    def _start(self, each: _Chat, waiter: _Waiter) -> None:
        each.busy.add((waiter.lane, waiter.free))
        self._under_way += 1
        waiter.turn.set_result(None)

    def _done(self, chat: int, waiter: _Waiter) -> None:
        self._under_way -= 1
        self._chats[chat].busy.discard((waiter.lane, waiter.free))
        self._advance(chat)
        if not self.reachable and not self._under_way:
            self._advance_all()

    # --- reachability -------------------------------------------------------------------------------------------------

    def _may_try(self) -> bool:
        """Whether a call may be made: while Telegram is down, one call probes for all."""
        return self.reachable or not self._under_way

    def _call_failed(self, job: _Job, error: CallFailedError) -> None:
        """Let a call be retried, alone if Telegram has performed any other since one failed last, and so is there.

        Raises UnknownRefusalError once it counts as rejected.
        """
        if job.failures.add(error):
            raise UnknownRefusalError(str(error)) from None
        before, self._performed = self._performed, error.performed
        if error.performed == before:
            self._is_away(error)
            return
        job.after, job.pause = self._loop.time() + job.pause, min(2 * job.pause, LONGEST_BACK_OFF)
        job.order = next(self._order)  # behind what waits

    def _is_away(self, error: ChatError) -> None:
        if self.reachable:
            log.warning("Telegram is away (%s): messages wait", error)
        now = self._loop.time()
        if now >= self._closed_until:  # calls in progress when the first one failed prove nothing new
            self._back_off = min(max(FIRST_BACK_OFF, self._back_off * 2), LONGEST_BACK_OFF)
            self._closed_until = now + self._back_off

    def _is_back(self) -> None:
        if not self.reachable:
            log.info("Telegram is back: messages go out")
            self._back_off = self._closed_until = 0.0
            self._advance_all()

    def _advance_all(self) -> None:
        for chat in list(self._chats):
            self._advance(chat)


def _first_of(line: list[_Waiter], now: float) -> _Waiter:
    """Return whose turn is next in a line that is not empty: the first that need not wait, else the soonest."""
    return next((each for each in line if each.after <= now), None) or min(line, key=lambda each: each.after)
