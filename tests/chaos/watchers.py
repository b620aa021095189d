"""External monitoring of the program: it stops, hangs or dies; how long until somebody is alerted.

Each row is a separate program with its own stand-ins, and all run in parallel. Outside are a service manager
that kills and restarts like systemd, a heartbeat service that alerts when pings stop, and a fallback service.
`detected` is the time until the first of them noticed, `layer` which one; `back`, until a restarted program served.
`python -m tests.chaos --only outside` runs these alone.
"""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.table import Row
from tests.e2e.harness import NUMBER, Program, World, world
from tests.e2e.outside import HeartbeatService, Manager, Receiver, outside

READY_WITHIN = 120.0
SETTLED = 5.0
"""Calm seconds before a fault."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Seconds. watchdog, heartbeat, fallback: settings; grace: the heartbeat service's; limit: until somebody noticed.

    look: the delay that periodic checks may add.
    """

    watchdog: float = 120.0
    heartbeat: float = 60.0
    grace: float = 120.0
    fallback: float = 180.0
    limit: float = 180.0
    look: float = 3.0
    blocked: float = 120.0
    away: float = 600.0
    healthy: float = 600.0


DEFAULTS = Durations()
"""deploy/switchboard.service, .env.example, and the recipe in docs/monitoring.md."""
SHORT = Durations(
    watchdog=9, heartbeat=1, grace=8, fallback=4, limit=45, look=3, blocked=12, away=12, healthy=20
)  # fmt: skip


class Watched:
    """A program, and its external monitors."""

    def __init__(
        self, here: World, durations: Durations, manager: Manager, service: HeartbeatService, receiver: Receiver
    ) -> None:
        self.here, self.durations = here, durations
        self.manager, self.service, self.receiver = manager, service, receiver
        self.program: Program | None = None
        self._watching: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self, module: str = "tests.chaos.inside", **more: str) -> AsyncIterator[Program]:
        """Run the program with all its monitors, until it is at least serving."""
        settings = self.manager.settings() | {
            "CHAOS_PEEPHOLE": str(self.here.data_dir.parent / "peep"),
            "HEARTBEAT_URL": self.service.url,
            "HEARTBEAT_SECONDS": f"{self.durations.heartbeat:g}",
            "ALERT_FALLBACK_URLS": self.receiver.url,
            "ALERT_FALLBACK_AFTER_SECONDS": f"{self.durations.fallback:g}",
        }
        self.manager.told.clear()
        async with self.here.program(module, **(settings | more)) as program:
            self._watching = asyncio.create_task(self.manager.watch(program))
            try:
                await self.here.until(lambda: "READY=1" in self.manager.told, READY_WITHIN)
                await asyncio.sleep(SETTLED)
                yield program
            finally:
                with contextlib.suppress(ProcessLookupError):
                    program.send(signal.SIGCONT)
                self._watching.cancel()
                await asyncio.gather(self._watching, return_exceptions=True)

    async def ask(self, question: str) -> None:
        """Break something inside, by the debugging hook."""
        reader, writer = await asyncio.open_unix_connection(str(self.here.data_dir.parent / "peep"))
        writer.write(question.encode() + b"\n")
        found = json.loads(await asyncio.wait_for(reader.readline(), 10))
        writer.close()
        assert found, f"nothing was found to {question}"

    def unwatch(self) -> None:
        """Remove the service manager, as if its machine were lost."""
        if self._watching is not None:
            self._watching.cancel()

    def knew(self, since: float) -> list[tuple[float, str]]:
        """Return when each of them noticed, in seconds, with who and what; sorted by time."""
        known = [(at - since, f"heartbeat service ({why})") for at, why in self.service.calls if at >= since]
        known += [(at - since, f"fallback ({text.partition(': ')[2][:40]}…)") for at, text in self.receiver.came]
        if (killed_at := self.manager.killed_at) is not None and killed_at >= since:
            known.append((killed_at - since, "service manager (watchdog)"))
        return sorted(known)

    async def until_known(self, since: float, row: Row) -> None:
        """Wait until somebody has noticed, and record who and when."""
        limit = self.durations.limit
        while not self.knew(since) and time.monotonic() - since < limit + 60:  # noqa: ASYNC110 - it may never come
            await asyncio.sleep(0.1)
        if not (known := self.knew(since)):
            row.wrong.append(f"nobody knew within {limit + 60:g} s")
            return
        row.detected, row.layer = known[0]
        if row.detected > limit + self.durations.look:
            row.wrong.append(f"at most {limit:g} s")


Act = Callable[[Watched, Program], Awaitable[None]]


async def _restarted(watched: Watched, fault: Act, row: Row) -> None:
    """A fault fixed by the service manager's restart: killed by its watchdog, or noticed sooner by others."""
    async with watched.running() as program:
        since = time.monotonic()
        await fault(watched, program)
        await watched.until_known(since, row)
        ends_at = since + watched.durations.limit + 30
        while watched.manager.killed_at is None and time.monotonic() < ends_at:  # noqa: ASYNC110 - it may never come
            await asyncio.sleep(0.1)
        if watched.manager.killed_at is None:
            row.wrong.append("the service manager never ended it")
            return
        row.note = f"ended by the service manager after {watched.manager.killed_at - since:.0f} s"
        await program.ended()
    began = time.monotonic()
    async with watched.running():
        row.back = time.monotonic() - began - SETTLED


async def _seen(watched: Watched, fault: Act, row: Row, **more: str) -> None:
    """A fault that no restart fixes."""
    async with watched.running(**more) as program:
        since = time.monotonic()
        await fault(watched, program)
        await watched.until_known(since, row)
        if watched.manager.killed_at is not None:
            row.wrong.append("the service manager restarted what a restart does not mend")


async def _blocked(watched: Watched, _: Program) -> None:
    await watched.ask(f"block {watched.durations.blocked:g}")


async def _stopped(_: Watched, program: Program) -> None:
    program.send(signal.SIGSTOP)


async def _hung(watched: Watched, _: Program) -> None:
    await watched.ask("hang-database 900")


async def _ended(watched: Watched, _: Program) -> None:
    await watched.ask("end-workers")


async def _dead(watched: Watched, program: Program) -> None:
    watched.unwatch()
    os.killpg(program.process.pid, signal.SIGKILL)


async def _loop_blocked(watched: Watched, row: Row) -> None:
    """It may recover just before the watchdog acts: then the next beat reports the delay."""
    async with watched.running() as program:
        since = time.monotonic()
        await _blocked(watched, program)
        await watched.until_known(since, row)


async def _clock(watched: Watched, row: Row) -> None:
    clock = watched.here.data_dir.parent / "clock"

    async def stop(_: Watched, __: Program) -> None:
        clock.touch()

    await _seen(watched, stop, row, module="tests.chaos.clock", CHAOS_CLOCK=str(clock))


async def _telegram_away(watched: Watched, row: Row) -> None:
    """A critical alert is sent by the fallback channel, once; the chat gets it, with a note, when Telegram is back."""
    here = watched.here
    async with watched.running():
        await here.link()
        here.client.fail("drop")
        await asyncio.sleep(1)
        here.phones.logout(NUMBER)
        await here.until(lambda: here.newest_state() != "CONNECTED")
        since = time.monotonic()
        await watched.until_known(since, row)
        await asyncio.sleep(max(0.0, watched.durations.away - (time.monotonic() - since)))
        here.client.heal()
        began = time.monotonic()
        await here.until(lambda: here.says("🚨", "📨 Sent by 1 (json)"))
        row.back = time.monotonic() - began
        about = [text for _, text in watched.receiver.came if "Support Berlin" in text]
        if len(about) != 1:
            row.wrong.append(f"it came {len(about)} times by the fallback channel")
        row.note = "back: until the chat has it"


async def _healthy(watched: Watched, row: Row) -> None:
    """Nobody is alerted: by the heartbeat service, the fallback channel or the service manager."""
    here = watched.here
    async with watched.running():
        await here.link()
        since = time.monotonic()
        await asyncio.sleep(watched.durations.healthy)
        row.wrong += [f"a false call after {seconds:.0f} s: {why}" for seconds, why in watched.knew(since)]
        row.layer = f"no call in {watched.durations.healthy:g} s"


Trial = Callable[[Watched, Row], Awaitable[None]]

TRIALS: dict[str, Trial] = {
    "outside: the loop is blocked for 2 min": _loop_blocked,
    "outside: the program is stopped (SIGSTOP)": lambda watched, row: _restarted(watched, _stopped, row),
    "outside: the database hangs": lambda watched, row: _restarted(watched, _hung, row),
    "outside: the alerts' workers end": lambda watched, row: _restarted(watched, _ended, row),
    "outside: the wall clock stands still": _clock,
    "outside: the machine dies (-9 of all)": lambda watched, row: _seen(watched, _dead, row),
    "outside: Telegram is away for 10 min, an alert is owed": _telegram_away,
    "outside: good health for 10 min": _healthy,
}


async def run(names: Sequence[str], durations: Durations) -> list[Row]:
    """Run these rows in parallel."""
    return list(await asyncio.gather(*(_run(name, durations) for name in names)))


async def _run(name: str, durations: Durations) -> Row:
    row = Row(name)
    with tempfile.TemporaryDirectory(prefix="sbw") as folder:
        async with world(Path(folder)) as here, outside(durations.heartbeat + durations.grace) as (service, receiver):
            manager = Manager(Path(folder) / "notify", durations.watchdog)
            try:
                await TRIALS[name](Watched(here, durations, manager, service, receiver), row)
            except (AssertionError, OSError, TimeoutError) as error:
                row.wrong.append(f"given up: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    return row
