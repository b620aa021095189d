"""The manager of one account: the thin asyncio shell around `controller.accounts.lifecycle`.

Events go through one inbox: `advance` decides, the new connection is recorded in a single setter, and the effects are
performed. Deadlines, tasks and the clock are here; decisions about what follows what are not.

It is longer than other files because the effects of one account are performed in one place, which owns their order.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import assert_never

from controller.accounts.e164 import mask
from controller.accounts.effects import (
    Activity,
    Alert,
    AlertOver,
    Arm,
    Close,
    Disarm,
    Dismiss,
    Effect,
    Heartbeat,
    HideCode,
    LogOut,
    Look,
    Open,
    Probe,
    RecordBuild,
    Refuse,
    ReleaseSlot,
    ShowCode,
    Tripped,
)
from controller.accounts.lifecycle.table import advance
from controller.accounts.model import (
    COUNTED,
    AnswerDialog,
    Boot,
    Browser,
    ConfirmNumber,
    Connection,
    Event,
    Fired,
    FromSession,
    Hold,
    Recycle,
    Release,
    SessionEvent,
    Stage,
    Start,
    Stop,
    StopLinking,
    Suspend,
    Timer,
)
from controller.accounts.notices import BuildLoaded, CodeHidden, CodeShown, Listener, Notice, Timed, Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import VERDICTS, Reason, State
from controller.accounts.remedies import is_restorable, remedies_of
from controller.accounts.reports import Heard
from controller.accounts.status import Failure, Status
from controller.browser_run import BrowserRun
from controller.driver import Driver, Opening, Usage
from controller.launch_slots import Applicant, LaunchSlots
from controller.tasks import Tasks

log = logging.getLogger(__name__)

PERCENT_STEP = 25
"""Sync progress is published in steps of so many percent."""
JITTER = 0.1
"""Retries wait up to this fraction longer, so that accounts lost together do not reconnect together (L2)."""


def utc_now() -> datetime:
    """Return the wall clock's time, aware, UTC."""
    return datetime.now(UTC)


class Manager:
    """Keeps one account in its wanted state. Create it inside a running loop; end it with `stop`."""

    __slots__ = (
        "_applicant", "_clock", "_connected_at", "_connection", "_context", "_counted", "_driver", "_failure",
        "_heard_at", "_inbox", "_is_due", "_label", "_listener", "_loop", "_message_at", "_path", "_policy", "_run",
        "_since", "_slots", "_stopped", "_tasks", "_timers", "_vacant",
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
        applicant: Applicant | None = None,
    ) -> None:
        self._applicant = applicant or Applicant()
        self._driver, self._slots, self._policy, self._listener, self._clock = driver, slots, policy, listener, clock
        self._connection = Connection(number)
        self._label = number if full_numbers else mask(number)
        self._loop = asyncio.get_running_loop()
        self._inbox: list[tuple[Event, asyncio.Future[bool] | None]] = []
        self._is_due = False
        """The inbox is about to be handled."""
        self._context = copy_context()
        """Of all its timers: a copy for each would be a tenth of what an idle account takes."""
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._counted: dict[Timer, list[asyncio.TimerHandle]] = {}
        self._tasks = Tasks(f"{self._label} A task of the account")
        self._run: BrowserRun | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._vacant: asyncio.Future[None] | None = None
        self._path: tuple[State, ...] = (State.IDLE,)
        self._since = clock()
        self._connected_at: float | None = None
        self._failure: Failure | None = None
        self._heard_at: float | None = None
        self._message_at: float | None = None

    def __repr__(self) -> str:
        return f"<Manager {self._label} {self._connection.phase}>"

    # --- commands and queries -----------------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        """The current connection. Immutable."""
        return self._connection

    def boot(self, boot: Boot, since: datetime | None = None) -> None:
        """Restore the account as it was stored. since: when it entered its state, aware UTC."""
        self._since = since or self._since
        self._post(boot)

    async def start(self, *, takeover: bool = False, anew: bool = False) -> bool:
        """Connect now, with counters reset. Returns False if it is connected or connecting already (L1).

        anew: its former session was given up.
        """
        return await self._command(Start(takeover=takeover, anew=anew))

    async def suspend(self) -> bool:
        """Close the browser and keep it closed (L12). Returns False if it was closed already."""
        return await self._command(Suspend())

    async def stop_linking(self) -> bool:
        """Stop an attempt to link that nobody waits for. Returns False if there is none, or its code was scanned."""
        return await self._command(StopLinking())

    def hold(self) -> None:
        """Suspend attempts and counting until `release`: WhatsApp itself cannot be reached (L13)."""
        self._post(Hold())

    def release(self) -> None:
        """Resume after `hold`: pending attempts start as soon as their launch slot is free."""
        self._post(Release())

    def recycle(self, why: str) -> None:
        """Close the browser gracefully and reopen it at once, if the account is connected. why: one line."""
        self._post(Recycle(why))

    async def confirm_number(self, asked: str, *, same: bool) -> bool:
        """Answer whether the number that may be the account's is.

        asked: the number that the question was about, E.164. Returns False if that one is not in question.
        """
        return await self._command(ConfirmNumber(same, asked))

    async def answer_dialog(self) -> bool:
        """Press Continue in the known dialog that covers the page. Returns False if there is none."""
        return await self._command(AnswerDialog())

    async def usage(self) -> Usage | None:
        """Measure the account's browser; None if none is open or it takes too long."""
        if self._run is None or self._connection.browser is not Browser.OPEN:
            return None
        return await self._run.usage()

    async def wait_closed(self) -> None:
        """Wait until nothing is left of the account's browser. It does not close it: `suspend` does."""
        if self._connection.browser is not Browser.NONE:
            self._vacant = self._vacant or self._loop.create_future()
            await asyncio.shield(self._vacant)

    async def stop(self, *, log_out: bool = False) -> bool | None:
        """End the account's browser and this manager, within the deadline for closing.

        log_out: first remove the linked device from its phone, if a browser is open. Returns whether that is confirmed,
        None if it was not tried.
        """
        if self._stopped is None:
            self._stopped = self._loop.create_future()
            self._post(Stop(log_out=log_out))
        await asyncio.shield(self._stopped)
        await self._tasks.stop()
        return self._connection.logged_out if log_out else None

    def get_status(self) -> Status:
        """Return the account's current status."""
        connection, now = self._connection, self._loop.time()
        retry = self._timers.get(Timer.RETRY) or self._timers.get(Timer.COOLDOWN)
        return Status(
            phone_number=connection.number,
            state=connection.state,
            is_connected=connection.state is State.CONNECTED,
            reconnect_attempts=connection.attempts,
            error_count=connection.errors,
            uptime=0.0 if self._connected_at is None else now - self._connected_at,
            reason=connection.reason,
            cause=connection.cause,
            detail=connection.detail,
            stage=connection.stage,
            percent=None if connection.percent is None else int(connection.percent),
            since=self._since,
            next_retry_in=None if retry is None else max(0.0, retry.when() - now),
            last_activity=self._when(self._heard_at),
            last_message=self._when(self._message_at),
            breaker=connection.breaker,
            linked=connection.linked,
            on_hold=connection.on_hold,
            wants_connection=connection.wants_connection,
            remedies=remedies_of(connection, self._policy),
            restorable=is_restorable(connection, self._policy),
            verified=connection.verified,
            unconfirmed=connection.unconfirmed,
            partial=connection.partial,
            dialog="" if connection.dialog is None else connection.dialog.words,
            build=connection.build,
            missing=connection.missing,
            flapping=connection.flapping,
            failure=self._failure if connection.state is State.CONNECTING else None,
            takes_over=connection.use_here or connection.takes_over,
            place_in_line=self._slots.place(self._applicant) if connection.stage is Stage.QUEUED else None,
            held=connection.stage is Stage.QUEUED and self._slots.is_held(connection.number),
        )

    def _when(self, at: float | None) -> datetime | None:
        """Convert the loop's time to the wall clock's."""
        return None if at is None else self._clock() - timedelta(seconds=self._loop.time() - at)

    # --- the inbox ----------------------------------------------------------------------------------------------------

    def _post(self, event: Event, reply: asyncio.Future[bool] | None = None) -> None:
        self._inbox.append((event, reply))
        if not self._is_due and not self._is_stopped:
            self._is_due = True
            self._loop.call_soon(self._handle_inbox, context=self._context)

    @property
    def _is_stopped(self) -> bool:
        return self._stopped is not None and self._stopped.done()

    async def _command(self, event: Event) -> bool:
        if self._is_stopped:
            raise RuntimeError("the manager has been stopped")
        reply: asyncio.Future[bool] = self._loop.create_future()
        self._post(event, reply)
        return await reply

    def _handle_inbox(self) -> None:
        while self._inbox:
            event, reply = self._inbox.pop(0)
            try:
                changed = self._handle(event)
            except Exception as error:
                log.exception("%s An event could not be handled", self._label)
                if reply is not None and not reply.done():
                    reply.set_exception(error)
            else:
                if reply is not None and not reply.done():
                    reply.set_result(changed)
        self._is_due = False
        if self._connection.browser is Browser.NONE:
            if self._vacant is not None:
                self._vacant.set_result(None)
                self._vacant = None
            if self._stopped is not None:
                self._stopped.set_result(None)

    def _handle(self, event: Event) -> bool:
        """Decide, record and perform, without awaiting in between. Returns False if a command was refused."""
        before = self._connection
        connection, effects = advance(before, event, self._policy)
        if isinstance(event, Boot):
            before = before._replace(  # as it was stored
                state=event.state, reason=event.reason, cause=event.cause, detail=event.detail
            )
        self._set(before, connection, effects, is_boot=isinstance(event, Boot))
        for effect in effects:
            self._perform(effect)
        return Refuse() not in effects

    def _set(self, before: Connection, connection: Connection, effects: tuple[Effect, ...], *, is_boot: bool) -> None:
        """Record the new connection: the only place where it is changed, logged and published.

        before: the connection as it was, or as it was stored.
        """
        self._connection = connection
        if connection.state is not before.state:
            self._since = self._clock()
            self._connected_at = self._loop.time() if connection.state is State.CONNECTED else None
            self._note_failure(before if is_boot else connection)
        alerts = [effect for effect in effects if isinstance(effect, Alert)]
        over = tuple(effect.reason for effect in effects if isinstance(effect, AlertOver))
        if (connection.phase, connection.reason) != (before.phase, before.reason):
            self._log_change(before, connection, effects)
        elif not alerts and not over and _shown(connection) == _shown(before) and not is_boot:
            return
        if connection.reason is not None:
            self._notify(self._transition(before, effects, alerts[0] if alerts else None, over))
            for alert in alerts[1:]:
                self._notify(self._transition(connection, (), alert, ()))

    def _note_failure(self, connection: Connection) -> None:
        """Remember why no attempt is under way, for the time in which the next one is."""
        if connection.state is State.CONNECTING:
            return
        reason = connection.cause or connection.reason
        self._failure = None
        if reason is not None and reason in VERDICTS:
            self._failure = Failure(reason, connection.detail)

    def _log_change(self, before: Connection, connection: Connection, effects: tuple[Effect, ...]) -> None:
        if connection.state is before.state and connection.reason is before.reason:
            log.debug("%s Stage: %s", self._label, connection.stage)
            return
        if connection.state is State.CONNECTING:
            self._path = (before.state, connection.state)
        elif connection.state is not before.state:
            self._path = (*self._path, connection.state)
        why = (
            f"{connection.reason}"
            + (f" after {connection.cause}" if connection.cause else "")
            + (f": {connection.detail}" if connection.detail else "")
        )
        log.info("%s State: %s (%s)", self._label, " → ".join(self._path), why)
        for effect in effects:
            if isinstance(effect, Arm) and effect.timer is Timer.RETRY:
                log.info(
                    "%s Reconnect in %gs (attempt %d/%d)",
                    self._label, effect.seconds, connection.attempts + 1, self._policy.max_attempts,
                )  # fmt: skip

    def _transition(
        self, before: Connection, effects: tuple[Effect, ...], alert: Alert | None, over: tuple[Reason, ...]
    ) -> Transition:
        connection, now = self._connection, self._clock()
        assert connection.reason is not None
        waits = {effect.timer: now + timedelta(seconds=effect.seconds) for effect in effects if isinstance(effect, Arm)}
        block_ends_at = waits.get(Timer.COOLDOWN, now if connection.waiting is Timer.COOLDOWN else None)
        return Transition(
            number=connection.number,
            at=now,
            before=before.state,
            state=connection.state,
            stage=connection.stage,
            reason=connection.reason,
            cause=(alert and alert.cause) or connection.cause,
            detail=(alert and alert.detail) or connection.detail,
            attempts=connection.attempts,
            max_attempts=self._policy.max_attempts,
            errors=connection.errors,
            linked=connection.linked,
            next_retry_at=waits.get(Timer.RETRY) or waits.get(Timer.COOLDOWN),
            block_ends_at=block_ends_at if connection.reason is Reason.BANNED else None,
            alert=None if alert is None else alert.reason,
            within_state=connection.state is before.state and connection.reason is before.reason,
            picture=None if alert is None else alert.picture,
            silent=alert is not None and alert.silent,
            over=over,
            alias=connection.alias,
        )

    def _notify(self, notice: Notice) -> None:
        """Notify the listener; should it raise in spite of its contract, the account is not affected."""
        try:
            self._listener(notice)
        except Exception:
            log.exception("%s A listener failed", self._label)

    # --- effects ------------------------------------------------------------------------------------------------------

    def _perform(self, effect: Effect) -> None:  # noqa: C901, PLR0912 - one case for each effect there is
        match effect:
            case Arm():
                self._arm(effect.timer, effect.seconds)
            case Disarm():
                for timer in effect.timers:
                    self._disarm(timer)
            case Open():
                self._open(effect)
            case ReleaseSlot():
                self._current.settle()
            case Close():
                self._tasks.start(self._current.close(log_out=effect.log_out))
            case Probe():
                self._tasks.start(self._current.probe())
            case Look():
                self._tasks.start(self._current.look())
            case LogOut():
                self._tasks.start(self._current.log_out(effect.number))
            case Dismiss():
                self._tasks.start(self._current.dismiss())
            case Heartbeat():
                log.debug("%s Keep-alive heartbeat", self._label)
                self._tasks.start(self._current.heartbeat(ask=effect.ask))
            case ShowCode():
                self._show(effect)
            case HideCode():
                self._notify(CodeHidden(self._connection.number))
            case Activity():
                self._heard_at = self._loop.time()
            case Tripped():
                log.warning(
                    "%s Circuit breaker activated (%d errors), suspended for %gs",
                    self._label, effect.errors, effect.seconds,
                )  # fmt: skip
            case RecordBuild():
                self._notify(
                    BuildLoaded(self._connection.number, self._clock(), effect.build, effect.present, effect.missing)
                )
            case Alert() | AlertOver() | Refuse():
                pass  # published with the transition, or returned as the command's answer
            case _:
                assert_never(effect)

    def _open(self, effect: Open) -> None:
        run = self._run = BrowserRun(
            self._label, self._policy.probe_timeout, partial(self._report, effect.session), self._note_time
        )
        opening = Opening(
            self._connection.number, fresh=effect.fresh, takeover=effect.takeover, set_aside=effect.set_aside
        )
        slot = self._slots.slot(self._applicant, lost=effect.lost)
        run.opening = self._tasks.start(run.open(self._driver, slot, opening))

    @property
    def _current(self) -> BrowserRun:
        assert self._run is not None
        return self._run

    def _show(self, effect: ShowCode) -> None:
        deadline = self._timers.get(Timer.CODES)
        if deadline is None:
            return  # it has fired and is in the inbox behind this code: the window is over
        now, lives = self._clock(), effect.code.lives
        self._notify(
            CodeShown(
                self._connection.number,
                effect.code,
                ends_at=None if lives is None else now + timedelta(seconds=lives),
                window_ends_at=now + timedelta(seconds=deadline.when() - self._loop.time()),
                rounds_left=max(0, self._policy.qr_rounds - self._connection.rounds - 1),
            )
        )

    def _note_time(self, what: str, seconds: float) -> None:
        self._notify(Timed(self._connection.number, what, seconds))

    def _arm(self, timer: Timer, seconds: float) -> None:
        if timer in COUNTED:
            handle = self._loop.call_later(seconds, Manager._fire_counted, self, timer, context=self._context)
            self._counted.setdefault(timer, []).append(handle)
            return
        self._disarm(timer)
        if timer is Timer.RETRY:
            seconds *= 1 + JITTER * random.random()  # noqa: S311 - spreads load, guards nothing
        self._timers[timer] = self._loop.call_later(seconds, Manager._fire, self, timer, context=self._context)

    def _fire(self, timer: Timer) -> None:
        del self._timers[timer]
        self._post(_FIRED[timer])

    def _fire_counted(self, timer: Timer) -> None:
        self._counted[timer].pop(0)  # all of them run equally long
        self._post(_FIRED[timer])

    def _disarm(self, timer: Timer) -> None:
        """Cancel a timer, also one that has fired and is still in the inbox."""
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()
            return
        for counted in self._counted.pop(timer, ()):
            counted.cancel()
        if self._inbox:
            self._inbox = [item for item in self._inbox if item[0] is not _FIRED[timer]]

    def _report(self, session: int, event: SessionEvent) -> None:
        if isinstance(event, Heard):
            self._message_at = self._loop.time()
        self._post(FromSession(session, event))


def _shown(connection: Connection) -> tuple[object, ...]:
    """Return what a card shows of a connection apart from state and reason."""
    percent = None if connection.percent is None else connection.percent // PERCENT_STEP
    return connection.verified, connection.unconfirmed, connection.partial, connection.dialog, percent


_FIRED = {timer: Fired(timer) for timer in Timer}
