"""Puts the parts of the monitoring together: what the pulse looks at, and who is told of each beat.

The parts that need further packages (the windows) are loaded only where they are set.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from controller.accounts.notices import Notice
from controller.driver import Usage
from controller.registry import Registry
from storage.pulse import PulseRecords
from switchboard.monitoring.absence import tell_absence
from switchboard.monitoring.address import Address
from switchboard.monitoring.heartbeat import Heartbeat
from switchboard.monitoring.pulse import GOOD, Beat, Finding, Health, Link, Pulse
from switchboard.monitoring.systemd import Notifier

if TYPE_CHECKING:
    from switchboard.monitoring.metrics import Figures, Metrics
    from switchboard.monitoring.windows import Answer

log = logging.getLogger(__name__)

BEAT_EVERY = 15.0
"""Seconds between two beats, or a third of systemd's watchdog where that is less."""
CALL_EVERY = 60.0
"""Seconds between two calls of the Bot API that only ask whether it answers."""
OWED_TOO_LONG = 180.0
"""Seconds after which an alert that reached nobody is a failure of the whole way."""
TEXTFILE_EVERY = 15.0


class ChatSide(Protocol):
    """What is looked at of the side of people."""

    async def look_at_alerts(self) -> None:
        """Return once every chat's worker has looked at its alerts; raises RuntimeError if one has ended."""

    async def call(self) -> bool:
        """Make one call that changes nothing. Returns whether the service answered; False where it is away."""

    @property
    def deaf(self) -> str:
        """Why nobody is heard; "" while polls come back."""

    @property
    def poll_age(self) -> float:
        """Seconds since a poll came back."""

    def unsent(self) -> list[datetime]:
        """Return since when alerts wait that nobody was told of."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is set. heartbeat: an address, "" for none; health: where the windows are; textfile: for node_exporter."""

    heartbeat: str = ""
    heartbeat_every: float = 60.0
    health: Address | None = None
    textfile: Path | None = None


class Monitoring:
    """Watches the program itself. `run` it as a task; `ready` and `stopping` pass on what systemd waits for."""

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
        backup_age: Callable[[], float | None] = lambda: None,
        notifier: Notifier | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """account_id: a short, stable id of an account that tells nothing of its number.

        used: what accounts' browsers use, by number. host: figures of the host by name (`metrics.Figures.host`).
        """
        self._used, self._host, self._backup_age = used, host, backup_age
        self._options, self._registry, self._chat, self._records = options, registry, chat, records
        self._account_id, self._clock = account_id, clock
        self._notifier = notifier or Notifier.from_environment()
        self._called_at: float | None = None
        self._answered = True
        self._serving = False
        self._metrics = self._make_metrics()
        self.pulse = Pulse(
            (
                Link("database", self._look_at_database),
                Link("alerts", self._look_at_alerts),
                Link("Telegram poll", self._look_at_polls),
                Link("Telegram call", self._look_at_calls, limit=30.0),
            ),
            (self._tell_systemd,),
            every=min(BEAT_EVERY, (self._notifier.watchdog or BEAT_EVERY * 3) / 3),
            clock=clock,
        )

    def note(self, notice: Notice) -> None:
        """Count what accounts do: a listener of the recorder."""
        if self._metrics is not None:
            self._metrics.note(notice)

    def note_call(self, method: str, outcome: str) -> None:
        """Count a call of the Bot API."""
        if self._metrics is not None:
            self._metrics.note_call(method, outcome)

    def ready(self) -> None:
        """Say that the accounts have been taken up, and the chat is served."""
        self._serving = True
        self._notifier.ready()

    def stopping(self) -> None:
        """Say that the program ends in order."""
        self._serving = False
        self._notifier.stopping()

    async def tell_absence(self, notify: Callable[[str], Awaitable[None]]) -> None:
        """Tell for how long nobody watched, once the accounts are taken up. Raises OSError if that cannot be read."""
        await tell_absence(self._records, self._registry, notify)

    async def ended(self, why: str) -> None:
        """Store that the program ends in order. Raises OSError."""
        await self._records.ended(why, self._clock())

    async def run(self) -> None:
        """Beat, and tell whoever is to be told, until cancelled. Raises OSError if the windows cannot be opened."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            if self._options.health is not None and self._metrics is not None:
                from switchboard.monitoring.windows import Views, listening

                views = Views(self._live, self._is_ready, self._metrics.scrape)
                await stack.enter_async_context(listening(self._options.health, views))
            work: list[Coroutine[Any, Any, None]] = [self.pulse.run()]
            if self._options.heartbeat:
                work.append(Heartbeat(self._options.heartbeat, self.report, every=self._options.heartbeat_every).run())
            if self._options.textfile is not None and self._metrics is not None:
                work.append(self._write_textfile(self._metrics, self._options.textfile))
            for each in work:
                group.create_task(each)

    def report(self) -> tuple[bool, str]:
        """Return whether alerts reach people, and a line of figures."""
        beat, age = self.pulse.last, self._oldest_unsent()
        problems = []
        if beat is None:
            problems.append("no beat yet")
        elif beat.failed:
            problems.append(str(beat))
        if age is not None and age > OWED_TOO_LONG:
            problems.append(f"an alert has reached nobody for {age:.0f} s")
        return not problems, "; ".join([*problems, self.status()])

    def status(self) -> str:
        """Return one line of figures."""
        accounts = self._registry.accounts()
        connected = sum(self._registry.status(account.number).is_connected for account in accounts)
        beat = self.pulse.last
        wrong = "" if beat is None or str(beat) == "good" else f", {beat}"
        owed = len(self._chat.unsent())
        return f"{connected}/{len(accounts)} connected, {owed} alerts owed{wrong}"

    def _make_metrics(self) -> "Metrics | None":
        if self._options.health is None and self._options.textfile is None:
            return None
        from switchboard.monitoring.metrics import Metrics

        return Metrics(self._figures, version=version("switchboard"))

    # --- what a beat looks at -----------------------------------------------------------------------------------------

    async def _look_at_database(self) -> Finding:
        await self._records.beat(self._clock())
        return GOOD

    async def _look_at_alerts(self) -> Finding:
        await self._chat.look_at_alerts()
        return GOOD

    async def _look_at_polls(self) -> Finding:
        return Finding(Health.AWAY, why) if (why := self._chat.deaf) else GOOD

    async def _look_at_calls(self) -> Finding:
        now = asyncio.get_running_loop().time()
        if self._called_at is None or not self._answered or now - self._called_at >= CALL_EVERY:
            self._answered = await self._chat.call()
            self._called_at = now
        return GOOD if self._answered else Finding(Health.AWAY, "it does not answer")

    # --- who is told --------------------------------------------------------------------------------------------------

    def _tell_systemd(self, beat: Beat) -> None:
        self._notifier.status(self.status())
        if beat.is_alive:
            self._notifier.feed()

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

    def _live(self) -> "Answer":
        from switchboard.monitoring.windows import Answer

        beat, age = self.pulse.last, self.pulse.age
        if beat is None or age is None:
            return Answer(ok=True, lines=("starting",))
        return Answer(ok=beat.is_alive, lines=(str(beat), f"looked at {age:.0f} s ago"))

    def _is_ready(self) -> "Answer":
        from switchboard.monitoring.windows import Answer

        is_well, line = self.report()
        return Answer(ok=self._serving and is_well, lines=(line if self._serving else f"not serving; {line}",))

    def _oldest_unsent(self) -> float | None:
        waiting = self._chat.unsent()
        return max(0.0, (self._clock() - min(waiting)).total_seconds()) if waiting else None

    def _figures(self) -> "Figures":
        from switchboard.monitoring.metrics import AccountFigures, Figures

        accounts, used = self._registry.accounts(), self._used()
        return Figures(
            accounts=[
                AccountFigures(
                    self._account_id(account.number), self._registry.status(account.number), used.get(account.number)
                )
                for account in accounts
            ],
            launches_waiting=self._registry.launches.waiting,
            launch_slots=self._registry.launches.room.launching,
            host=self._host(),
            backup_age=self._backup_age(),
            alerts_owed=len(self._chat.unsent()),
            alerts_owed_age=self._oldest_unsent(),
            poll_age=self._chat.poll_age,
            beat=self.pulse.last,
            beat_age=self.pulse.age,
        )
