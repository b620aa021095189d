"""10,000 managers in one process with a driver that does nothing: memory per manager, write throughput, idle CPU.

All but the browsers is the product: registry, managers, recorder and SQLite on a real disk, including logging.
"""

import asyncio
import contextlib
import gc
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from bench.figures import Figure
from controller.accounts.model import Connection, Wanted
from controller.accounts.notices import Notice, Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Ended, Health, Layer, PageView, Ready, Report
from controller.driver import Driver, Opening, SavedSession, Usage
from controller.recorder import Recorder
from controller.registry import Account, Registry
from storage.accounts import AccountRecords
from storage.database import open_database

MANAGERS = 10_000
LAUNCH_SLOTS = 100
BOOTED = 2
"""Transitions of each account at boot: to CONNECTING, to CONNECTED."""
LOST_AND_BACK = 3
"""To DISCONNECTED, to CONNECTING, to CONNECTED."""
PATIENCE = 300.0


class NullSession:
    """A session that is always healthy and always answers."""

    reached = Layer.SOCKET

    async def probe(self) -> Health:
        return Health()

    async def heartbeat(self, *, ask: bool) -> bool:  # noqa: ARG002 - the protocol's
        return True

    async def usage(self) -> Usage:
        return Usage(0, 0)

    async def log_out(self, number: str | None = None) -> None: ...

    async def look(self) -> PageView:
        return PageView()

    async def dismiss(self) -> None: ...

    async def close(self) -> None: ...


class NullDriver:
    """A driver whose sessions are ready at once. says: each manager's report function, by number."""

    def __init__(self) -> None:
        self.says: dict[str, Callable[[Report], None]] = {}

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> NullSession:
        self.says[opening.account] = report
        report(Ready(opening.account))
        return NullSession()

    async def has_session(self, account: str) -> bool:  # noqa: ARG002 - the protocol's
        return True

    async def remove(self, account: str) -> None: ...

    async def saved(self, account: str) -> Sequence[SavedSession]:  # noqa: ARG002 - the protocol's
        return ()

    async def restore(self, account: str, name: str) -> None: ...

    async def discard(self, account: str) -> None: ...

    async def stop(self) -> None: ...


class TransitionCounter:
    """The recorder's last listener: counts the transitions that have been stored."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, notice: Notice) -> None:
        self.count += isinstance(notice, Transition) and not notice.within_state


async def measure(folder: Path, idle_seconds: float) -> list[Figure]:
    """Boot the fleet from the database, lose all accounts at once, then let it idle; return the figures."""
    me = psutil.Process()
    async with open_database(folder / "bench.db") as database:
        memory = AccountRecords(database)
        numbers = [f"+4915{i:08}" for i in range(MANAGERS)]
        for number in numbers:
            await memory.add_account(Account(number, "", 1, wanted=Wanted.CONNECTED, linked=True))
        counter = TransitionCounter()
        recorder = Recorder(memory, counter)
        driver = NullDriver()
        typed: Driver = driver
        registry = Registry(memory, driver=typed, policy=Policy(), listener=recorder, launch_slots=LAUNCH_SLOTS)

        gc.collect()
        before = me.memory_info().rss
        await registry.boot()
        await _until(lambda: counter.count == BOOTED * MANAGERS)
        gc.collect()
        weight = (me.memory_info().rss - before) / MANAGERS / 1024

        stored = counter.count
        begun = time.perf_counter()
        for say in list(driver.says.values()):
            say(Ended(Reason.SESSION_CLOSED))
        await _until(lambda: counter.count == stored + LOST_AND_BACK * MANAGERS)
        seconds = time.perf_counter() - begun
        assert _connected(registry) == MANAGERS
        rate = (counter.count - stored) / seconds

        idle = await _idle(idle_seconds)
        assert _connected(registry) == MANAGERS
        begun = time.perf_counter()
        await registry.stop()
        await recorder.stop(PATIENCE)
        stopped = time.perf_counter() - begun
    return [
        Figure(
            f"memory for each of {MANAGERS:,} managers",
            weight,
            "KiB",
            aim=8,
            at_most=True,
            floor=await _least_weight(),
            by="a waiting task, three timers, its values",
        ),
        Figure(
            "transitions stored, all accounts lost at once and back",
            rate,
            "/s",
            aim=2_000,
            floor=_least_stored(folder / "floor.db"),
            by="the same rows by sqlite3 alone",
        ),
        Figure(f"a core's share, {MANAGERS:,} idle accounts", idle, "%", aim=5, at_most=True),
        Figure(f"ordered stop of {MANAGERS:,} accounts", stopped, "s"),
    ]


async def _least_weight() -> float:
    """Return the KiB that any manager needs: a task waiting for its inbox, timers, and the account's values."""
    me, loop, kept = psutil.Process(), asyncio.get_running_loop(), []
    gc.collect()
    before = me.memory_info().rss
    for number in range(MANAGERS):
        inbox: asyncio.Queue[object] = asyncio.Queue()
        task = asyncio.create_task(inbox.get())
        timers = [loop.call_later(3600, id, None) for _ in range(3)]
        kept.append((inbox, task, timers, Connection(f"+4915{number:08}")))
    await asyncio.sleep(0)
    gc.collect()
    weight = (me.memory_info().rss - before) / MANAGERS / 1024
    for _, task, timers, _ in kept:
        task.cancel()
        for timer in timers:
            timer.cancel()
    await asyncio.gather(*(task for _, task, _, _ in kept), return_exceptions=True)
    return max(weight, 0.1)


def _least_stored(path: Path) -> float:
    """Return how many transitions per second plain sqlite3 stores: a row each plus the account's, in large batches."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE accounts (number TEXT PRIMARY KEY, state TEXT, reason TEXT, since TEXT)")
        database.execute(
            "CREATE TABLE transitions (number TEXT, at TEXT, was TEXT, now TEXT, reason TEXT, detail TEXT)"
        )
        numbers = [f"+4915{i:08}" for i in range(MANAGERS)]
        with database:
            database.executemany("INSERT INTO accounts (number) VALUES (?)", [(number,) for number in numbers])
        begun = time.perf_counter()
        for _ in range(LOST_AND_BACK):
            for start in range(0, MANAGERS, 500):
                batch, at = numbers[start : start + 500], "2026-01-01T00:00:00+00:00"
                with database:
                    rows = [(number, at, "connected", "disconnected", "session_closed", "") for number in batch]
                    database.executemany("INSERT INTO transitions VALUES (?, ?, ?, ?, ?, ?)", rows)
                    database.executemany(
                        "UPDATE accounts SET state = ?, reason = ?, since = ? WHERE number = ?",
                        [("disconnected", "session_closed", at, number) for number in batch],
                    )
        return LOST_AND_BACK * MANAGERS / (time.perf_counter() - begun)


def _connected(registry: Registry) -> int:
    return sum(registry.status(account.number).state is State.CONNECTED for account in registry.accounts())


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not reached():  # noqa: ASYNC110 - observed from outside: the fleet has no event for it
            await asyncio.sleep(0.05)


async def _idle(seconds: float) -> float:
    """Return the percentage of a core that idling for `seconds` took."""
    begun, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    return 100 * (time.process_time() - used) / (time.perf_counter() - begun)
