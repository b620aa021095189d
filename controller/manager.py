"""The manager of one account: the thin asyncio shell around `controller.accounts.lifecycle`.

One owner task takes events from one inbox, lets `step` decide, records the new link in the one setter, and performs
the effects. Here live deadlines, tasks and the clock; what never lives here is a decision about what follows what.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, assert_never

from controller.accounts.lifecycle import advance
from controller.accounts.model import (
    Alert,
    Arm,
    Boot,
    Breaker,
    Browser,
    Close,
    Connection,
    Disarm,
    Effect,
    Event,
    Fired,
    FromSession,
    Heartbeat,
    HideCode,
    Hold,
    Open,
    Probe,
    Recovered,
    Refuse,
    Release,
    Said,
    ShowCode,
    Stage,
    Start,
    Stop,
    Suspend,
    Timer,
)
from controller.accounts.notices import CodeHidden, CodeShown, Listener, Notice, Transition
from controller.accounts.numbers import mask
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Heard
from controller.browser_run import BrowserRun, end_tasks
from controller.driver import Driver, Opening, Usage
from controller.launch_slots import LaunchSlots

log = logging.getLogger(__name__)

JITTER = 0.1
"""Retries wait up to this much longer, so that accounts lost together do not come back together (L2)."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a manager answers. Seconds are floats; `since` and `last_activity` are aware UTC."""

    phone_number: str
    state: State
    is_connected: bool
    reconnect_attempts: int
    error_count: int
    uptime: float
    """Seconds since CONNECTED, 0 otherwise."""
    reason: Reason | None
    cause: Reason | None
    detail: str
    stage: Stage | None
    percent: int | None
    since: datetime
    next_retry_in: float | None
    last_activity: datetime | None
    """When the server was last known to be there: a message, or an answered heartbeat."""
    last_message: datetime | None
    """When a message last came in or went out."""
    breaker: Breaker
    linked: bool
    on_hold: bool = False
    """WhatsApp cannot be reached: what would be tried waits until it can be (L13)."""


def utc_now() -> datetime:
    """Return the wall clock's time, aware, UTC."""
    return datetime.now(UTC)


class Manager:
    """Keeps one account's link as it should be. Make it inside a running loop; end it with `stop`."""

    __slots__ = (
        "_clock", "_connected_at", "_driver", "_heard_at", "_inbox", "_label", "_link", "_listener", "_loop",
        "_message_at", "_owner", "_path", "_policy", "_run", "_since", "_slots", "_stopped", "_tasks", "_timers",
        "_vacant", "_wake",
    )  # fmt: skip

    def __init__(
        self,
        number: str,
        *,
        driver: Driver,
        slots: LaunchSlots,
        policy: Policy,
        listener: Listener,
        clock: Callable[[], datetime] = utc_now,
        full_numbers: bool = False,
    ) -> None:
        self._driver, self._slots, self._policy, self._listener, self._clock = driver, slots, policy, listener, clock
        self._link = Connection(number)
        self._label = number if full_numbers else mask(number)
        self._loop = asyncio.get_running_loop()
        self._inbox: list[tuple[Event, asyncio.Future[bool] | None]] = []
        self._wake: asyncio.Future[None] | None = None
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._run: BrowserRun | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._vacant: asyncio.Future[None] | None = None
        self._path: tuple[State, ...] = (State.IDLE,)
        self._since = clock()
        self._connected_at: float | None = None
        self._heard_at: float | None = None
        self._message_at: float | None = None
        self._owner = self._loop.create_task(self._own(), name=f"manager {self._label}")

    def __repr__(self) -> str:
        return f"<Manager {self._label} {self._link.phase}>"

    # --- what others ask ----------------------------------------------------------------------------------------------

    @property
    def link(self) -> Connection:
        """The link as it stands. Immutable."""
        return self._link

    def boot(self, boot: Boot) -> None:
        """Take up the account as the database remembers it."""
        self._post(boot)

    async def start(self, *, takeover: bool = False) -> bool:
        """Connect now, with counters at zero. Returns False if it is connected or on its way already (L1)."""
        return await self._command(Start(takeover=takeover))

    async def suspend(self) -> bool:
        """Close the browser and stay so (L12). Returns False if it was so already."""
        return await self._command(Suspend())

    def hold(self) -> None:
        """Try nothing and count nothing until `release`: WhatsApp itself cannot be reached (L13)."""
        self._post(Hold())

    def release(self) -> None:
        """Go on after `hold`: what waited is tried at once, when its launch slot is free."""
        self._post(Release())

    def recycle(self, why: str) -> None:
        """Close the browser gracefully and open it again at once, if the account is connected. why: one line."""
        if self._link.state is State.CONNECTED:
            self._say(self._link.session, Ended(Reason.RECYCLED, why))

    async def usage(self) -> Usage | None:
        """Measure what the account's browser uses; None where none is open, or it cannot be told in time."""
        if self._run is None or self._link.browser is not Browser.OPEN:
            return None
        return await self._run.usage()

    async def vacated(self) -> None:
        """Wait until nothing is left of the account's browser. It does not close it: `suspend` does."""
        if self._link.browser is not Browser.NONE:
            self._vacant = self._vacant or self._loop.create_future()
            await asyncio.shield(self._vacant)

    async def stop(self) -> None:
        """End the account's browser and this manager. Bounded by the deadline for closing."""
        if self._stopped is None:
            self._stopped = self._loop.create_future()
            self._post(Stop())
        await self._stopped
        await end_tasks({self._owner, *self._tasks})

    def get_status(self) -> Status:
        """Return what is to be known about the account now."""
        link, now = self._link, self._loop.time()
        retry = self._timers.get(Timer.RETRY) or self._timers.get(Timer.COOLDOWN)
        return Status(
            phone_number=link.number,
            state=link.state,
            is_connected=link.state is State.CONNECTED,
            reconnect_attempts=link.attempts,
            error_count=link.errors,
            uptime=0.0 if self._connected_at is None else now - self._connected_at,
            reason=link.reason,
            cause=link.cause,
            detail=link.detail,
            stage=link.stage,
            percent=link.percent,
            since=self._since,
            next_retry_in=None if retry is None else max(0.0, retry.when() - now),
            last_activity=self._when(self._heard_at),
            last_message=self._when(self._message_at),
            breaker=link.breaker,
            linked=link.linked,
            on_hold=link.on_hold,
        )

    def _when(self, at: float | None) -> datetime | None:
        """Tell the loop's time as the wall clock's."""
        return None if at is None else self._clock() - timedelta(seconds=self._loop.time() - at)

    # --- the owner and its inbox --------------------------------------------------------------------------------------

    def _post(self, event: Event, reply: asyncio.Future[bool] | None = None) -> None:
        self._inbox.append((event, reply))
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _command(self, event: Event) -> bool:
        if self._owner.done():
            raise RuntimeError("the manager has been stopped")
        reply: asyncio.Future[bool] = self._loop.create_future()
        self._post(event, reply)
        return await reply

    async def _own(self) -> None:
        while True:
            while self._inbox:
                event, reply = self._inbox.pop(0)
                try:
                    changed = self._take(event)
                except Exception as error:
                    log.exception("%s An event could not be handled", self._label)
                    if reply is not None:
                        reply.set_exception(error)
                else:
                    if reply is not None and not reply.done():
                        reply.set_result(changed)
            if self._link.browser is Browser.NONE:
                if self._vacant is not None:
                    self._vacant.set_result(None)
                    self._vacant = None
                if self._stopped is not None:
                    self._stopped.set_result(None)
                    return
            self._wake = self._loop.create_future()
            await self._wake

    def _take(self, event: Event) -> bool:
        """Decide, record and perform, with no await between. Returns False if a command was refused."""
        link, effects = advance(self._link, event, self._policy)
        self._set(link, effects)
        for effect in effects:
            self._perform(effect)
        return Refuse() not in effects

    def _set(self, link: Connection, effects: tuple[Effect, ...]) -> None:
        """Record the new link: the only place where it changes, is logged and is told."""
        before, self._link = self._link, link
        if any(isinstance(effect, Arm) and effect.timer is Timer.STALE for effect in effects):
            self._heard_at = self._loop.time()
        alert = next((effect for effect in effects if isinstance(effect, Alert)), None)
        if (link.phase, link.reason) == (before.phase, before.reason) and alert is None:
            return
        if self._run is not None and link.stage not in {Stage.QUEUED, Stage.LAUNCHING}:
            self._run.settle()
        if link.state is not before.state:
            self._since = self._clock()
            self._connected_at = self._loop.time() if link.state is State.CONNECTED else None
        self._log_change(before, effects)
        if link.reason is not None:
            self._tell_transition(before, effects, alert)

    def _log_change(self, before: Connection, effects: tuple[Effect, ...]) -> None:
        link = self._link
        if link.state is before.state and link.reason is before.reason:
            log.debug("%s Stage: %s", self._label, link.stage)
            return
        if link.state is State.CONNECTING:
            self._path = (before.state, link.state)
        elif link.state is not before.state:
            self._path = (*self._path, link.state)
        why = (
            f"{link.reason}"
            + (f" after {link.cause}" if link.cause else "")
            + (f": {link.detail}" if link.detail else "")
        )
        log.info("%s State: %s (%s)", self._label, " → ".join(self._path), why)
        for effect in effects:
            if isinstance(effect, Arm) and effect.timer is Timer.RETRY:
                log.info(
                    "%s Reconnect in %gs (attempt %d/%d)",
                    self._label, effect.seconds, link.attempts + 1, self._policy.max_attempts,
                )  # fmt: skip
            elif isinstance(effect, Arm) and link.reason is Reason.BREAKER_OPEN:
                log.warning(
                    "%s Circuit breaker activated (%d errors), suspended for %gs",
                    self._label, link.errors, effect.seconds,
                )  # fmt: skip

    def _tell_transition(self, before: Connection, effects: tuple[Effect, ...], alert: Alert | None) -> None:
        link, now = self._link, self._clock()
        assert link.reason is not None
        waits = {effect.timer: now + timedelta(seconds=effect.seconds) for effect in effects if isinstance(effect, Arm)}
        self._tell(
            Transition(
                number=link.number,
                at=now,
                before=before.state,
                state=link.state,
                stage=link.stage,
                reason=link.reason,
                cause=link.cause,
                detail=link.detail,
                attempts=link.attempts,
                max_attempts=self._policy.max_attempts,
                errors=link.errors,
                linked=link.linked,
                next_retry_at=waits.get(Timer.RETRY) or waits.get(Timer.COOLDOWN),
                block_ends_at=waits.get(Timer.COOLDOWN) if link.reason is Reason.BANNED else None,
                alert=None if alert is None else alert.reason,
                recovered=any(isinstance(effect, Recovered) for effect in effects),
                within_state=link.state is before.state and link.reason is before.reason,
                picture=None if alert is None else alert.picture,
            )
        )

    def _tell(self, notice: Notice) -> None:
        """Tell the listener; if it breaks its promise not to raise, the account goes on all the same."""
        try:
            self._listener(notice)
        except Exception:
            log.exception("%s A notice could not be told", self._label)

    # --- effects ------------------------------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:  # noqa: C901 - one case for each effect there is
        match effect:
            case Arm():
                self._arm(effect.timer, effect.seconds)
            case Disarm():
                for timer in effect.timers:
                    self._disarm(timer)
            case Open():
                self._open(effect)
            case Close():
                self._spawn(self._current.close(log_out=effect.log_out))
            case Probe():
                self._spawn(self._current.probe())
            case Heartbeat():
                log.info("%s Keep-alive heartbeat", self._label)
                self._spawn(self._current.heartbeat(ask=effect.ask))
            case ShowCode():
                self._show(effect)
            case HideCode():
                self._tell(CodeHidden(self._link.number))
            case Alert() | Recovered() | Refuse():
                pass  # told with the transition, or as the command's answer
            case _:
                assert_never(effect)

    def _open(self, effect: Open) -> None:
        run = self._run = BrowserRun(self._label, self._policy.probe_timeout, partial(self._say, effect.session))
        opening = Opening(self._link.number, fresh=effect.fresh, takeover=effect.takeover)
        run.opening = self._spawn(run.open(self._driver, self._slots, opening))

    @property
    def _current(self) -> BrowserRun:
        assert self._run is not None
        return self._run

    def _show(self, effect: ShowCode) -> None:
        deadline = self._timers.get(Timer.DEADLINE)
        if deadline is None:
            return  # it has rung, and waits in the inbox behind this code: the window is over
        now, lives = self._clock(), effect.code.lives
        self._tell(
            CodeShown(
                self._link.number,
                effect.code,
                ends_at=None if lives is None else now + timedelta(seconds=lives),
                window_ends_at=now + timedelta(seconds=deadline.when() - self._loop.time()),
            )
        )

    def _arm(self, timer: Timer, seconds: float) -> None:
        self._disarm(timer)
        if timer is Timer.RETRY:
            seconds *= 1 + JITTER * random.random()  # noqa: S311 - spreads load, guards nothing
        self._timers[timer] = self._loop.call_later(seconds, self._ring, timer)

    def _ring(self, timer: Timer) -> None:
        del self._timers[timer]
        self._post(_FIRED[timer])

    def _disarm(self, timer: Timer) -> None:
        """Forget a timer, also one that has fired and still waits in the inbox."""
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()
        elif self._inbox:
            self._inbox = [item for item in self._inbox if item[0] is not _FIRED[timer]]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s A task of the account failed", self._label, exc_info=error)

    def _say(self, session: int, said: Said) -> None:
        if isinstance(said, Heard):
            self._message_at = self._loop.time()
        self._post(FromSession(session, said))


_FIRED = {timer: Fired(timer) for timer in Timer}
