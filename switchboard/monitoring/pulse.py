"""The pulse: periodic proof that the path from a transition to a person works.

A ticking timer proves only a timer. A beat checks every link of the path (the event loop, the database, the alert
workers, Telegram's polling and calls), each within its own limit, and says which failed and how. Everything external is
fed by it: systemd's watchdog, the heartbeat, the health endpoints. The links and their checks are passed in.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, unique

log = logging.getLogger(__name__)

LOOP = "event loop"
"""The name of the only link that the pulse checks by itself."""


@unique
class Health(StrEnum):
    """The result of checking a link."""

    GOOD = "good"
    AWAY = "away"
    """A known outage elsewhere that is being waited for, such as an unreachable Telegram."""
    REFUSED = "refused"
    """It responded with an error. A restart would not fix it."""
    HUNG = "hung"
    """No response within its limit. A restart may fix it."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of checking a link. detail: one line for people, empty if all is well."""

    health: Health
    detail: str = ""


GOOD = CheckResult(Health.GOOD)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Checks one link of the path to people. limit: seconds that a check may take.

    look: returns a CheckResult; if it raises, that counts as REFUSED, and if it misses the limit as HUNG.
    """

    name: str
    look: Callable[[], Awaitable[CheckResult]]
    limit: float = 10.0


@dataclass(frozen=True, slots=True)
class Beat:
    """One check of every link. at: aware UTC. lag: seconds by which the event loop was late."""

    at: datetime
    results: dict[str, CheckResult]
    lag: float = 0.0

    @property
    def failed(self) -> dict[str, CheckResult]:
        """The names of the links that did not work."""
        return {name: one for name, one in self.results.items() if one.health in {Health.REFUSED, Health.HUNG}}

    @property
    def is_good(self) -> bool:
        """Whether an alert would reach somebody now, or waits only for what is known to be away."""
        return not self.failed

    @property
    def is_alive(self) -> bool:
        """Whether nothing hangs: what a restart would not fix counts as alive."""
        return all(one.health is not Health.HUNG for one in self.results.values())

    def __str__(self) -> str:
        """Return the problems in one line; "good" if there are none."""
        wrong = [
            f"{name} {one.health}" + (f": {one.detail}" if one.detail else "")
            for name, one in self.results.items()
            if one.health is not Health.GOOD
        ]
        return "; ".join(wrong) or "good"


class Pulse:
    """Beats until cancelled. `last` is the latest beat; listeners get each."""

    def __init__(
        self,
        links: Sequence[HealthCheck],
        listeners: Sequence[Callable[[Beat], None]] = (),
        *,
        every: float = 15.0,
        lag_limit: float = 30.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """every: seconds between two beats. lag_limit: seconds by which the event loop may be late."""
        self._links, self._listeners = links, listeners
        self._every, self._lag_limit, self._clock = every, lag_limit, clock
        self.last: Beat | None = None
        self._looking: dict[str, tuple[asyncio.Future[CheckResult], float]] = {}
        """Running checks and when they began, by link name."""
        self._beaten_at: float | None = None

    @property
    def age(self) -> float | None:
        """Seconds since the latest beat; None before the first."""
        return None if self._beaten_at is None else asyncio.get_running_loop().time() - self._beaten_at

    async def run(self) -> None:
        """Beat every `every` seconds, however long the checks take."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            began = loop.time()
            await self.beat(lag=max(0.0, began - due))
            due = max(began + self._every, loop.time())
            await asyncio.sleep(due - loop.time())

    async def beat(self, lag: float = 0.0) -> Beat:
        """Check every link once, concurrently.

        A check with a limit beyond the next beat may continue: until it ends, its link keeps its last result.
        """
        looks = await asyncio.gather(*(self._look(link) for link in self._links))
        results = {link.name: finding for link, finding in zip(self._links, looks, strict=True)}
        late = CheckResult(Health.HUNG, f"it was {lag:.0f} s late") if lag > self._lag_limit else GOOD
        beat = Beat(self._clock(), {LOOP: late, **results}, lag)
        self._note(beat)
        return beat

    async def _look(self, link: HealthCheck) -> CheckResult:
        """Check one link, never waiting longer than its limit, even for a check that swallows its cancellation."""
        loop = asyncio.get_running_loop()
        if link.name not in self._looking:
            self._looking[link.name] = (asyncio.ensure_future(link.look()), loop.time())
        look, began = self._looking[link.name]
        left = began + link.limit - loop.time()
        done, _ = await asyncio.wait([look], timeout=max(0.0, min(left, self._every)))
        if not done and left > self._every:
            return self.last.results[link.name] if self.last else CheckResult(Health.AWAY, "no answer yet")
        del self._looking[link.name]
        if not done:
            look.cancel()
            look.add_done_callback(_forget)
            return CheckResult(Health.HUNG, f"no answer in {link.limit:g} s")
        if look.cancelled():
            return CheckResult(Health.REFUSED, "it was cut short")
        if (error := look.exception()) is not None:
            return CheckResult(Health.REFUSED, str(error) or type(error).__name__)
        return look.result()

    def _note(self, beat: Beat) -> None:
        before = self.last
        self.last, self._beaten_at = beat, asyncio.get_running_loop().time()
        if before is None or str(before) != str(beat):
            level = logging.WARNING if beat.failed else logging.INFO if before is not None else logging.DEBUG
            log.log(level, "Pulse: %s", beat)
        for listener in self._listeners:
            try:
                listener(beat)
            except Exception:
                log.exception("A beat could not be passed on")


def _forget(look: "asyncio.Future[CheckResult]") -> None:
    """Consume the result of a check that nobody awaits any more, so that it is not logged as never retrieved."""
    if not look.cancelled():
        look.exception()
