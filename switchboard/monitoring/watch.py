"""Assembles the monitoring: what the pulse checks, and who gets the result of each beat.

Parts that need extra packages (the health endpoints) are imported only if they are enabled.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from controller.accounts.notices import Notice
from controller.driver import Usage
from controller.hosts import HostUsage
from controller.registry import Registry
from controller.troubles import Trouble, Troubles
from storage.database import StorageError
from storage.pulse import PulseRecords
from switchboard.monitoring.absence import report_absence
from switchboard.monitoring.address import Address
from switchboard.monitoring.heartbeat import Heartbeat
from switchboard.monitoring.pulse import GOOD, Beat, CheckResult, Health, HealthCheck, Pulse
from switchboard.monitoring.systemd import Notifier

if TYPE_CHECKING:
    from switchboard.monitoring.endpoints import HealthResponse
    from switchboard.monitoring.metrics import Figures, Metrics

log = logging.getLogger(__name__)

BEAT_EVERY = 15.0
"""Seconds between two beats, or a third of systemd's watchdog if that is less."""
LEAST_BEAT = 0.2
"""Seconds between two beats, however short the watchdog is: each writes to the disk."""
SHORTEST_WATCHDOG = 30.0
"""Seconds; a link of the way to people may take ten before it counts as hung."""
CALL_EVERY = 60.0
"""Seconds between two calls of the Bot API whose only purpose is to see whether it responds."""
AT_START = 30.0
"""Seconds after the start in which alerts that an earlier run left unsent are not yet a failure of this one."""
STALE_BEAT = 60.0
"""Seconds after which a beat proves nothing any more."""
DATABASE_PATIENCE = 60.0
"""Seconds for which the database may refuse a beat before people are alerted: a busy one is free again by then."""
CLOCK_WATCHED = 5.0
"""Seconds over which the wall clock is compared with the monotonic one."""
TEXTFILE_EVERY = 15.0
RETRY = 15.0
"""Seconds until the endpoints, or a part that failed due to a bug, are retried."""


class ChatSide(Troubles, Protocol):
    """The chat side, as far as it is monitored."""

    async def look_at_alerts(self) -> None:
        """Return once every chat's worker has examined its alerts; raises RuntimeError if one has ended."""

    async def call(self) -> bool:
        """Make a harmless call. Returns whether the service responded; False if it is down."""

    @property
    def deaf(self) -> str:
        """Why no updates arrive; "" if they do."""

    @property
    def poll_age(self) -> float:
        """Seconds since the last successful poll."""

    def unsent(self) -> list[datetime]:
        """Return since when alerts are pending that have reached nobody."""


@dataclass(frozen=True, slots=True)
class Options:
    """The settings. heartbeat: an address, "" for none. health: where the health endpoints listen.

    textfile: written for node_exporter.
    unsent_too_long: seconds after which an alert that reached nobody makes `report` a failure.
    """

    unsent_too_long: float = 180.0
    heartbeat: str = ""
    heartbeat_every: float = 60.0
    health: Address | None = None
    textfile: Path | None = None


class Monitoring:
    """Monitors the program itself. Call `run` as a task; `ready` and `stopping` notify systemd."""

    def __init__(
        self,
        options: Options,
        *,
        registry: Registry,
        chat: ChatSide,
        records: PulseRecords,
        account_id: Callable[[str], str],
        used: Callable[[], Mapping[str, Usage]] = dict,
        host: Callable[[], Mapping[str, float]] = dict,
        machines: Callable[[], Sequence[HostUsage]] = tuple,
        host_of: Callable[[str], str] = lambda _: "",
        backup_age: Callable[[], float | None] = lambda: None,
        notifier: Notifier | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """account_id: a short, stable id of an account that does not reveal its number.

        used: what accounts' browsers use, by number. host: figures of the host by name (`metrics.Figures.host`).
        machines, host_of: of a cluster (`controller.hosts.Hosts`).
        """
        self._used, self._host, self._backup_age = used, host, backup_age
        self._machines, self._host_of = machines, host_of
        self._options, self._registry, self._chat, self._records = options, registry, chat, records
        self._account_id, self._clock = account_id, clock
        self._notifier = notifier or Notifier.from_environment()
        self._called_at: float | None = None
        self._database_told = False
        self._database_failing_since: float | None = None
        self._answered = True
        self._serving = False
        self._running_since: float | None = None
        self.where = ""
        """Where the health endpoints listen, "" while they do not."""
        self._clock_seen: tuple[float, datetime] | None = None
        self._clock_stood = 0
        self.parts: list[asyncio.Task[None]] = []
        """The program's permanent tasks: one that ended with an error is reported as a failure."""
        self._metrics = self._make_metrics()
        self.pulse = Pulse(
            (
                HealthCheck("database", self._look_at_database),
                HealthCheck("alerts", self._look_at_alerts),
                HealthCheck("Telegram poll", self._look_at_polls),
                HealthCheck("Telegram call", self._look_at_calls, limit=30.0),
                HealthCheck("clock", self._look_at_clock),
                HealthCheck("parts", self._look_at_parts),
            ),
            (self._notify_systemd,),
            every=self._beat_every(),
            clock=clock,
        )

    def _beat_every(self) -> float:
        watchdog = self._notifier.watchdog or BEAT_EVERY * 3
        if watchdog < SHORTEST_WATCHDOG:
            log.warning(
                "WatchdogSec=%g is too short: one slow write ends this program; at least %g s", watchdog,
                SHORTEST_WATCHDOG,
            )  # fmt: skip
        return min(BEAT_EVERY, max(watchdog / 3, LEAST_BEAT))

    def note(self, notice: Notice) -> None:
        """Count a notice: a listener of the recorder."""
        if self._metrics is not None:
            self._metrics.note(notice)

    def note_call(self, method: str, outcome: str) -> None:
        """Count a call of the Bot API."""
        if self._metrics is not None:
            self._metrics.note_call(method, outcome)

    def ready(self) -> None:
        """Report that the accounts have been loaded and the chat is served."""
        self._serving = True
        self._notifier.ready()

    def stopping(self) -> None:
        """Report that the program is stopping in order."""
        self._serving = False
        self._notifier.stopping()

    async def report_absence(self, notify: Callable[[str], Awaitable[None]]) -> None:
        """Report downtime once the accounts have been loaded. Raises OSError if the pulse cannot be read."""
        await report_absence(self._records, self._registry, notify)

    async def ended(self, why: str) -> None:
        """Record that the program is stopping in order. Raises OSError."""
        await self._records.ended(why, self._clock())

    async def run(self) -> None:
        """Beat and report until cancelled. Whatever fails apart from the pulse is retried."""
        self._running_since = asyncio.get_running_loop().time()
        work: list[Callable[[], Coroutine[Any, Any, None]]] = [self.pulse.run]
        if self._options.health is not None and self._metrics is not None:
            work.append(partial(self._serve_endpoints, self._options.health, self._metrics))
        if self._options.heartbeat:
            heartbeat = Heartbeat(self._options.heartbeat, self.report, every=self._options.heartbeat_every)
            work.append(heartbeat.run)
        if self._options.textfile is not None and self._metrics is not None:
            work.append(partial(self._write_textfile, self._metrics, self._options.textfile))
        await asyncio.gather(*(_for_ever(each) for each in work))

    def report(self) -> tuple[bool, str] | None:
        """Return whether alerts reach people, and a line of figures; None before the first beat."""
        beat = self.pulse.last
        if beat is None and self._runs_for() < STALE_BEAT:
            return None
        age = self.pulse.age
        problems = []
        if beat is None or age is None or age > STALE_BEAT:
            problems.append(f"no beat for {self._runs_for() if age is None else age:.0f} s")
        if beat is not None and beat.failed:
            problems.append(str(beat))
        age = self._oldest_unsent()
        if age is not None and age > self._options.unsent_too_long and self._runs_for() > AT_START:
            problems.append(f"an alert has reached nobody for {age:.0f} s")
        return not problems, "; ".join([*problems, self._counts()])

    def _runs_for(self) -> float:
        since = self._running_since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def status(self) -> str:
        """Return one line of figures, and what is wrong."""
        beat = self.pulse.last
        return self._counts() + ("" if beat is None or str(beat) == "good" else f", {beat}")

    def _counts(self) -> str:
        accounts = self._registry.accounts()
        connected = sum(self._registry.status(account.number).is_connected for account in accounts)
        return f"{connected}/{len(accounts)} connected, {len(self._chat.unsent())} alerts owed"

    def _make_metrics(self) -> "Metrics | None":
        if self._options.health is None and self._options.textfile is None:
            return None
        from switchboard.monitoring.metrics import Metrics

        return Metrics(self._figures, version=version("switchboard"))

    # --- the checks of a beat -----------------------------------------------------------------------------------------

    async def _look_at_database(self) -> CheckResult:
        loop = asyncio.get_running_loop()
        try:
            await self._records.beat(self._clock())
        except StorageError as error:
            # One that stays is told although nothing is to be stored: that may be days away.
            self._database_failing_since = self._database_failing_since or loop.time()
            stays = not error.transient or loop.time() - self._database_failing_since >= DATABASE_PATIENCE
            if stays and not self._database_told:
                await self._chat.raise_trouble(Trouble.DATABASE, str(error))
                self._database_told = True
            raise
        self._database_failing_since = None
        if self._database_told:
            await self._chat.clear_trouble(Trouble.DATABASE)
            self._database_told = False
        return GOOD

    async def _look_at_alerts(self) -> CheckResult:
        try:
            await self._chat.look_at_alerts()
        except RuntimeError as error:  # the task that escalates has ended: only a restart fixes that
            return CheckResult(Health.HUNG, str(error))
        return GOOD

    async def _look_at_polls(self) -> CheckResult:
        return CheckResult(Health.AWAY, why) if (why := self._chat.deaf) else GOOD

    async def _look_at_calls(self) -> CheckResult:
        now = asyncio.get_running_loop().time()
        if self._called_at is None or not self._answered or now - self._called_at >= CALL_EVERY:
            self._answered = await self._chat.call()
            self._called_at = now
        return GOOD if self._answered else CheckResult(Health.AWAY, "it does not answer")

    async def _look_at_clock(self) -> CheckResult:
        """Check that the wall clock advances: alerts' deadlines depend on it. A single step back is not a stop."""
        now, wall = asyncio.get_running_loop().time(), self._clock()
        if self._clock_seen is None:
            self._clock_seen = now, wall
        then, wall_then = self._clock_seen
        if (passed := now - then) >= CLOCK_WATCHED:
            moved = (wall - wall_then).total_seconds()
            self._clock_stood = self._clock_stood + 1 if 0 <= moved < passed / 10 else 0
            self._clock_seen = now, wall
        return CheckResult(Health.REFUSED, "it stands still") if self._clock_stood > 1 else GOOD

    async def _look_at_parts(self) -> CheckResult:
        ended = [
            each.get_name()
            for each in self.parts
            if each.done() and not each.cancelled() and each.exception() is not None
        ]
        return CheckResult(Health.REFUSED, f"{', '.join(ended)} ended by an error, see the log") if ended else GOOD

    # --- who gets the results -----------------------------------------------------------------------------------------

    def _notify_systemd(self, beat: Beat) -> None:
        self._notifier.status(self.status())
        if beat.is_alive:
            self._notifier.ping_watchdog()

    async def _serve_endpoints(self, address: Address, metrics: "Metrics") -> None:
        """Serve the health endpoints. An address that cannot be used, such as a port that is taken, is retried."""
        from switchboard.monitoring.endpoints import Endpoints, serve_endpoints

        failing = False
        while True:
            try:
                async with serve_endpoints(
                    address, Endpoints(self._live, self._is_ready, metrics.scrape)
                ) as self.where:
                    await asyncio.Event().wait()
            except OSError as error:
                if not failing:
                    log.error("HEALTH_LISTEN cannot be opened, trying on: %s", error.strerror or error)
                failing = True
            await asyncio.sleep(RETRY)

    async def _write_textfile(self, metrics: "Metrics", path: Path) -> None:
        failing = False
        while True:
            try:
                metrics.write(path)
                failing = False
            except OSError as error:
                if not failing:
                    log.error("HEALTH_TEXTFILE cannot be written: %s", error)
                failing = True
            await asyncio.sleep(TEXTFILE_EVERY)

    def _live(self) -> "HealthResponse":
        from switchboard.monitoring.endpoints import HealthResponse

        beat, age = self.pulse.last, self.pulse.age
        if beat is None or age is None:
            return HealthResponse(ok=True, lines=("starting",))
        return HealthResponse(ok=beat.is_alive, lines=(str(beat), f"looked at {age:.0f} s ago"))

    def _is_ready(self) -> "HealthResponse":
        from switchboard.monitoring.endpoints import HealthResponse

        is_well, line = self.report() or (False, "starting")
        return HealthResponse(ok=self._serving and is_well, lines=(line if self._serving else f"not serving; {line}",))

    def _oldest_unsent(self) -> float | None:
        waiting = self._chat.unsent()
        return max(0.0, (self._clock() - min(waiting)).total_seconds()) if waiting else None

    def _figures(self) -> "Figures":
        from switchboard.monitoring.metrics import AccountFigures, Figures

        accounts, used = self._registry.accounts(), self._used()
        return Figures(
            accounts=[
                AccountFigures(
                    self._account_id(account.number),
                    self._registry.status(account.number),
                    used.get(account.number),
                    self._host_of(account.number),
                )
                for account in accounts
            ],
            launches_waiting=self._registry.launches.waiting,
            launch_slots=self._registry.launches.room.launching,
            host=self._host(),
            machines=self._machines(),
            backup_age=self._backup_age(),
            alerts_owed=len(self._chat.unsent()),
            alerts_owed_age=self._oldest_unsent(),
            poll_age=self._chat.poll_age,
            beat=self.pulse.last,
            beat_age=self.pulse.age,
        )


async def _for_ever(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it until cancelled. A bug in it is logged, and it is restarted: one part must not end the others."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("A part of the monitoring met a bug, beginning anew")
        await asyncio.sleep(RETRY)
