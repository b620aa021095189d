"""The pulse: proof that the way from a transition to a person works, looked at again and again.

A timer that ticks proves a timer. One beat looks at every link of the way (the loop, the database, the alert workers,
Telegram's polls and calls), each within its own limit, and says which failed and how. Everything outside is fed from
it: systemd's watchdog, the heartbeat, the windows for machines. What each link is and how it is looked at is handed in.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, unique

log = logging.getLogger(__name__)

LOOP = "event loop"
"""The name of the one link that the pulse looks at by itself."""


@unique
class Health(StrEnum):
    """What a look at one link found."""

    GOOD = "good"
    AWAY = "away"
    """Somebody else's trouble that is known and being waited for, such as a Telegram that cannot be reached."""
    REFUSED = "refused"
    """It answered, and the answer was an error. A restart would not mend it."""
    HUNG = "hung"
    """No answer within its limit. A restart may mend it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at one link found. detail: one line for people, empty where all is well."""

    health: Health
    detail: str = ""


GOOD = Finding(Health.GOOD)


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the way to people. limit: seconds that a look may take.

    look: returns a Finding; what it raises counts as REFUSED, and what it does not return within the limit as HUNG.
    """

    name: str
    look: Callable[[], Awaitable[Finding]]
    limit: float = 10.0


@dataclass(frozen=True, slots=True)
class Beat:
    """One look at every link. at: aware UTC. lag: seconds that the loop was late."""

    at: datetime
    findings: dict[str, Finding]
    lag: float = 0.0

    @property
    def failed(self) -> dict[str, Finding]:
        """The links that did not work, by name."""
        return {name: one for name, one in self.findings.items() if one.health in {Health.REFUSED, Health.HUNG}}

    @property
    def is_good(self) -> bool:
        """Whether an alert of this moment would reach somebody, or waits only for what is known to be away."""
        return not self.failed

    @property
    def is_alive(self) -> bool:
        """Whether nothing hangs: what a restart would not mend counts as alive."""
        return all(one.health is not Health.HUNG for one in self.findings.values())

    def __str__(self) -> str:
        """Return what is wrong in one line; "good" where nothing is."""
        wrong = [
            f"{name} {one.health}" + (f": {one.detail}" if one.detail else "")
            for name, one in self.findings.items()
            if one.health is not Health.GOOD
        ]
        return "; ".join(wrong) or "good"


class Pulse:
    """Beats until cancelled. `last` is the newest beat; listeners get each."""

    def __init__(
        self,
        links: Sequence[Link],
        listeners: Sequence[Callable[[Beat], None]] = (),
        *,
        every: float = 15.0,
        lag_limit: float = 30.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """every: seconds between two beats. lag_limit: seconds that the loop may be late before that counts."""
        self._links, self._listeners = links, listeners
        self._every, self._lag_limit, self._clock = every, lag_limit, clock
        self.last: Beat | None = None
        self._looking: dict[str, tuple[asyncio.Future[Finding], float]] = {}
        """Looks that have not ended, and when they began, by the name of their link."""
        self._beaten_at: float | None = None

    @property
    def age(self) -> float | None:
        """Seconds since the newest beat; None before the first."""
        return None if self._beaten_at is None else asyncio.get_running_loop().time() - self._beaten_at

    async def run(self) -> None:
        """Beat again and again, each `every` seconds, however long the looks take."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            began = loop.time()
            await self.beat(lag=max(0.0, began - due))
            due = max(began + self._every, loop.time())
            await asyncio.sleep(due - loop.time())

    async def beat(self, lag: float = 0.0) -> Beat:
        """Look at every link once, side by side.

        A look that takes longer than to the next beat, and may, goes on: till then its link is as it was found last.
        """
        looks = await asyncio.gather(*(self._look(link) for link in self._links))
        findings = {link.name: finding for link, finding in zip(self._links, looks, strict=True)}
        late = Finding(Health.HUNG, f"it was {lag:.0f} s late") if lag > self._lag_limit else GOOD
        beat = Beat(self._clock(), {LOOP: late, **findings}, lag)
        self._note(beat)
        return beat

    async def _look(self, link: Link) -> Finding:
        """Look at one link, and never wait longer than its limit: also for a look that swallows its cancellation."""
        loop = asyncio.get_running_loop()
        if link.name not in self._looking:
            self._looking[link.name] = (asyncio.ensure_future(link.look()), loop.time())
        look, began = self._looking[link.name]
        left = began + link.limit - loop.time()
        done, _ = await asyncio.wait([look], timeout=max(0.0, min(left, self._every)))
        if not done and left > self._every:
            return self.last.findings[link.name] if self.last else Finding(Health.AWAY, "no answer yet")
        del self._looking[link.name]
        if not done:
            look.cancel()
            look.add_done_callback(_forget)
            return Finding(Health.HUNG, f"no answer in {link.limit:g} s")
        if look.cancelled():
            return Finding(Health.REFUSED, "it was cut short")
        if (error := look.exception()) is not None:
            return Finding(Health.REFUSED, str(error) or type(error).__name__)
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


def _forget(look: "asyncio.Future[Finding]") -> None:
    """Read what comes of a look that nobody waits for any more, so that it is not logged as never read."""
    if not look.cancelled():
        look.exception()
