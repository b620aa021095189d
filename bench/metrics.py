"""`python -m bench.metrics`: the cost of a scrape and of a readiness probe at 100 accounts.

Registry, managers, recorder, database, monitoring and HTTP are the product's; browsers do nothing but report their
memory. The client is a process of its own, so that the measured CPU time is the program's alone.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.ending import ends_children
from bench.figures import Figure, table
from bench.fleet import NullDriver
from controller.accounts.model import Wanted
from controller.accounts.notices import Notice
from controller.accounts.policy import Policy
from controller.chromium.profile.names import name_of
from controller.driver import Driver, Usage
from controller.host.limits import HostLimits
from controller.recorder import Recorder
from controller.registry import Account, Registry
from storage.accounts import AccountRecords
from storage.database import open_database
from storage.pulse import PulseRecords
from switchboard.monitoring.address import Address
from switchboard.monitoring.watch import Monitoring, Options
from tests.switchboard.monitoring.fakes import Chat

ACCOUNTS, SCRAPES = 100, 200
SCRAPED_EACH = 15.0
"""Prometheus' usual scrape interval in seconds."""

ASK = """
import sys, urllib.request
for _ in range(int(sys.argv[2])):
    body = urllib.request.urlopen(sys.argv[1]).read()
print(len(body))
"""


async def measure(folder: Path) -> list[Figure]:
    """Boot the accounts, scrape them, and return the costs."""
    async with open_database(folder / "bench.db") as database:
        records = AccountRecords(database)
        numbers = [f"+4915{i:08}" for i in range(ACCOUNTS)]
        for number in numbers:
            await records.add_account(Account(number, "", 1, wanted=Wanted.CONNECTED, linked=True))
        driver: Driver = NullDriver()
        notices: list[Notice] = []
        recorder = Recorder(records, notices.append)
        registry = Registry(records, driver=driver, policy=Policy(), listener=recorder, launch_slots=ACCOUNTS)
        limits = HostLimits()
        used = dict.fromkeys(numbers, Usage(250 << 20, 7))

        def host() -> dict[str, float]:
            return {"memory_free": float(limits.free_memory()), "memory_limit": float(limits.memory_limit() or 0)}

        monitoring = Monitoring(
            Options(health=Address(path=None, host="127.0.0.1", port=0)),
            registry=registry,
            chat=Chat(),
            records=PulseRecords(database, boot_id="", started_at=datetime.now(UTC)),
            account_id=lambda number: name_of(folder, number.removeprefix("+"))[:8],
            used=lambda: used,
            host=host,
        )
        running = asyncio.create_task(monitoring.run())
        await registry.boot()
        monitoring.ready()
        async with asyncio.timeout(60):
            while not (monitoring.where and all(registry.status(each).is_connected for each in numbers)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for notice in notices:
            monitoring.note(notice)
        figures = [await _asked(f"{monitoring.where}/metrics", "a scrape")]
        figures += [await _asked(f"{monitoring.where}/ready", "an answer of /ready")]
        share = figures[0].value / 1000 / SCRAPED_EACH * 100
        figures.insert(
            0, Figure(f"metrics, {ACCOUNTS} accounts, scraped each 15 s", share, "% of a core", 1, at_most=True)
        )
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await registry.stop()
        await recorder.stop(5)
    return figures


async def _asked(url: str, what: str) -> Figure:
    """Let another process send requests; return this one's CPU time per request."""
    await _ask(url, 5)
    began = time.process_time()
    await _ask(url, SCRAPES)
    return Figure(f"{what}: processor time", (time.process_time() - began) / SCRAPES * 1000, "ms")


async def _ask(url: str, times: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ASK, url, str(times), stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise SystemExit("The endpoint could not be read.")


@ends_children()
def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="switchboard-metrics-") as folder:
        print(table(asyncio.run(measure(Path(folder)))))


if __name__ == "__main__":
    main()
