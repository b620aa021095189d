"""The monitoring as it is put together: what each beat proves, who is notified, and no calls without cause.

The heartbeat service is a stand-in that calls as healthchecks.io does with a period of one minute and a grace of two:
at a `/fail`, and when nothing has come for three minutes.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from aiohttp import web

from controller.accounts.reasons import Reason, State
from controller.troubles import Trouble
from storage.database import StorageError
from storage.pulse import PulseRecords
from switchboard.monitoring.address import parse_address
from switchboard.monitoring.pulse import Health
from switchboard.monitoring.systemd import Notifier
from switchboard.monitoring.watch import Monitoring, Options
from tests.handlers.alerts.storms import connected, rigged
from tests.handlers.conftest import Rig
from tests.handlers.fakes import ADMIN, SECOND_ADMIN, FakeAccounts
from tests.switchboard.monitoring.fakes import Chat
from tests.virtual_time import pass_time, run_virtual, virtual, virtual_loop
from tests.waiting import until

PERIOD_AND_GRACE = 180.0


@dataclass
class Service:
    """Calls somebody. calls: why, and how many seconds after its first ping."""

    url: str = ""
    came: list[tuple[float, str]] = field(default_factory=list)

    def take(self, path: str) -> None:
        self.came.append((virtual_loop().time(), path.removeprefix("/ping")))

    @property
    def calls(self) -> list[str]:
        times = [at for at, _ in self.came] + [virtual_loop().time()]
        gaps = [f"nothing for {b - a:.0f} s" for a, b in itertools.pairwise(times) if b - a > PERIOD_AND_GRACE]
        return [path for _, path in self.came if path == "/fail"] + gaps


@contextlib.asynccontextmanager
async def service() -> AsyncIterator[Service]:
    one = Service()

    async def take(request: web.Request) -> web.Response:
        one.take(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_post("/{rest:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ping"
    try:
        yield one
    finally:
        await runner.cleanup()


class Systemd(Notifier):
    """Notes when it is fed."""

    def __init__(self, watchdog: float) -> None:
        super().__init__(None, watchdog)
        self.fed: list[float] = []

    def ping_watchdog(self) -> None:
        self.fed.append(virtual_loop().time())

    @property
    def longest(self) -> float:
        times = [*self.fed, virtual_loop().time()]
        return max(b - a for a, b in itertools.pairwise(times))


@contextlib.asynccontextmanager
async def watched(rig: Rig, systemd: Systemd, **options: object) -> AsyncIterator[Monitoring]:
    clock = virtual_loop().clock
    monitoring = Monitoring(
        Options(**options),
        registry=rig.accounts,
        chat=rig.service,
        records=PulseRecords(rig.database, boot_id="b", started_at=clock()),
        account_id=lambda number: number[-3:],
        notifier=systemd,
        clock=clock,
    )
    running = asyncio.create_task(monitoring.run())
    try:
        yield monitoring
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_an_hour_of_good_health_calls_nobody(tmp_path):
    """Nor does what recovers, is silenced, is delivered in time, or is deferred by its rule."""

    async def main():
        systemd = Systemd(watchdog=120)
        async with (
            rigged(tmp_path) as rig, service() as outside,
            watched(rig, systemd, heartbeat=outside.url),
        ):  # fmt: skip
            those = connected(rig, 40)
            for minute in range(60):
                number = those[minute % 40]
                match minute % 12:
                    case 1:
                        rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
                    case 3:
                        rig.accounts.move(those[(minute - 2) % 40], State.CONNECTED, Reason.LINKED)
                        await rig.answer(ADMIN, "/silence all 5m updating", "no alerts until")
                    case 4:
                        rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
                    case 6:
                        await rig.service.raise_trouble(Trouble.UNREACHABLE, "40 accounts are waiting")
                        rig.client.fail("drop")
                    case 8:
                        rig.client.heal()
                    case 10:
                        await rig.service.clear_trouble(Trouble.UNREACHABLE)
                        rig.accounts.move(those[(minute - 6) % 40], State.CONNECTED, Reason.LINKED)
                await asyncio.sleep(60)
            assert outside.calls == []
            assert len([path for _, path in outside.came if path == ""]) >= 59
            assert systemd.longest <= 40

    run_virtual(main())


def test_telegram_away_with_an_alert_owed_is_told_outside_within_its_time(tmp_path):
    async def main():
        systemd = Systemd(watchdog=120)
        async with (
            rigged(tmp_path) as rig, service() as outside,
            watched(rig, systemd, heartbeat=outside.url),
        ):  # fmt: skip
            (number,) = connected(rig, 1)
            await asyncio.sleep(120)
            rig.client.fail("drop")
            rig.accounts.move(number, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
            lost_at = virtual_loop().time()
            await asyncio.sleep(600)
            first = next(at for at, path in outside.came if path == "/fail")
            assert 180 <= first - lost_at <= 241
            assert systemd.longest <= 40, "a restart would mend nothing"

    run_virtual(main())


def test_a_worker_that_has_ended_is_told_outside_and_systemd_restarts(tmp_path):
    async def main():
        systemd = Systemd(watchdog=120)
        async with (
            rigged(tmp_path) as rig, service() as outside,
            watched(rig, systemd, heartbeat=outside.url),
        ):  # fmt: skip
            await asyncio.sleep(120)
            rig.service.alerts._workers[SECOND_ADMIN].task.cancel()
            ended_at = virtual_loop().time()
            await asyncio.sleep(135)
            assert next(at for at, path in outside.came if path == "/fail") - ended_at <= 75
            assert systemd.longest >= 120

    run_virtual(main())


def test_a_short_watchdog_is_fed_in_time_also_while_telegram_is_slow(tmp_path):
    async def main():
        systemd = Systemd(watchdog=10)
        async with rigged(tmp_path) as rig, watched(rig, systemd):
            await asyncio.sleep(60)
            rig.client.fail("slow", delay=25, method="getMe")
            await asyncio.sleep(600)
            assert systemd.longest < 10

    run_virtual(main())


def test_a_program_that_has_just_begun_tells_of_no_failure(tmp_path):
    async def main():
        async with rigged(tmp_path) as rig, service() as outside:
            rig.client.fail("slow", delay=12, method="getMe")
            async with watched(rig, Systemd(120), heartbeat=outside.url):
                await asyncio.sleep(70)
            assert [path for _, path in outside.came][:2] == ["/start", ""]
            assert outside.calls == []

    run_virtual(main())


# --- with a chat that is well -----------------------------------------------------------------------------------------


class Records:
    async def beat(self, at: datetime) -> None: ...


def monitoring_of(**given: object) -> Monitoring:
    more = {"registry": FakeAccounts(), "chat": Chat(), "records": Records(), "account_id": str} | given
    return Monitoring(more.pop("options", Options()), notifier=Notifier(None), **more)


class FailingRecords:
    """Fails with the failure in the list, if there is one."""

    def __init__(self, failure: list[StorageError]) -> None:
        self.failure = failure

    async def beat(self, at: datetime) -> None:
        if self.failure:
            raise self.failure[0]


@virtual
async def test_a_disk_that_stays_read_only_is_told_although_nothing_is_to_be_stored():
    """SQLite calls it an input/output error, which may pass: this one does not."""
    chat, failure = Chat(), []
    running = asyncio.create_task(monitoring_of(chat=chat, records=FailingRecords(failure)).run())
    for _ in range(3):
        failure[:] = [StorageError("db: disk I/O error", transient=True)]
        await pass_time(46)
        failure.clear()
        await pass_time(46)
    assert chat.troubles == [], "each time it was over within a minute"
    failure[:] = [StorageError("db: disk I/O error", transient=True)]
    await pass_time(180)
    assert chat.troubles == [(Trouble.DATABASE, "db: disk I/O error")]
    failure.clear()
    await pass_time(31)
    assert chat.troubles[1:] == [(Trouble.DATABASE, "")]
    running.cancel()


@virtual
async def test_a_database_that_needs_a_person_is_told_although_nothing_is_to_be_stored():
    """Its file is gone, or damaged; one that is only busy may be free by the time that anything happens."""
    chat, failure = Chat(), []
    running = asyncio.create_task(monitoring_of(chat=chat, records=FailingRecords(failure)).run())
    failure[:] = [StorageError("db: locked", transient=True)]
    await pass_time(31)
    assert chat.troubles == []
    failure[:] = [StorageError("db: it was removed")]
    await pass_time(61)
    assert chat.troubles == [(Trouble.DATABASE, "db: it was removed")]
    failure.clear()
    await pass_time(61)
    assert chat.troubles[1:] == [(Trouble.DATABASE, "")]
    running.cancel()


@virtual
async def test_a_wall_clock_that_stands_still_is_a_failure_and_one_that_jumps_is_none():
    offset, stood = [0.0], []

    def clock() -> datetime:
        return stood[0] if stood else datetime.fromtimestamp(virtual_loop().time() + offset[0], UTC)

    monitoring = monitoring_of(clock=clock)
    running = asyncio.create_task(monitoring.run())

    def health() -> Health:
        return monitoring.pulse.last.results["clock"].health

    for jump in (3600.0, -7200.0, -14.9, 0.0):
        offset[0] += jump
        await pass_time(16)
        assert health() is Health.GOOD
    stood.append(clock())
    await pass_time(46)
    assert health() is Health.REFUSED
    assert monitoring.report() == (
        False,
        "clock refused: it stands still; 0/0 connected, 0 alerts owed",
    )
    stood.clear()
    await pass_time(31)
    assert health() is Health.GOOD
    running.cancel()


@virtual
async def test_a_part_of_the_program_that_ended_by_an_error_is_named():
    async def fail() -> None:
        raise OSError("the disk is gone")

    monitoring = monitoring_of()
    monitoring.parts = [asyncio.create_task(fail(), name="backups"), asyncio.create_task(asyncio.sleep(0), name="done")]
    await asyncio.sleep(1)
    beat = await monitoring.pulse.beat()
    assert beat.failed["parts"].detail == "backups ended by an error, see the log"
    assert beat.is_alive


async def test_a_port_that_is_taken_stops_nothing_and_is_tried_again(unused_tcp_port, monkeypatch, caplog):
    monkeypatch.setattr("switchboard.monitoring.watch.RETRY", 0.05)
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", unused_tcp_port)
    monitoring = monitoring_of(options=Options(health=parse_address(f"127.0.0.1:{unused_tcp_port}")))
    with caplog.at_level(logging.INFO):
        running = asyncio.create_task(monitoring.run())
        await until(lambda: "HEALTH_LISTEN cannot be opened" in caplog.text, "the error")
        assert monitoring.pulse.last is not None, "the pulse beats"
        taken.close()
        await taken.wait_closed()
        await until(lambda: "/live, /ready, /metrics" in caplog.text, "the endpoints")
    assert caplog.text.count("HEALTH_LISTEN") == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@virtual
async def test_a_bug_in_one_part_does_not_end_the_pulse(tmp_path, monkeypatch, caplog):
    def fail(self: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("switchboard.monitoring.heartbeat.Heartbeat.run", fail)
    monitoring = monitoring_of(options=Options(heartbeat="http://127.0.0.1:9/ping"))
    running = asyncio.create_task(monitoring.run())
    await pass_time(100)
    assert monitoring.pulse.age < 16
    assert "beginning anew" in caplog.text
    running.cancel()


@pytest.mark.parametrize(("lasts", "told"), [(50, None), (70, False)])
@virtual
async def test_without_a_first_beat_nothing_is_told_until_it_is_overdue(lasts, told, monkeypatch):
    monitoring = monitoring_of()
    monkeypatch.setattr(monitoring.pulse, "run", asyncio.Event().wait)
    running = asyncio.create_task(monitoring.run())
    await pass_time(lasts)
    report = monitoring.report()
    assert (report and report[0]) == told
    running.cancel()
