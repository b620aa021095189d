"""`python -m bench.boot`: how long a boot takes, and whether probes of connected accounts are late because of it.

Real browsers on the stand-in page: some accounts are connected and probed twice a second while others boot. Three ways
of launching are compared: by the machine's pressure, two at a time, and all at once.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import document
from bench.ending import ends_children
from controller.accounts.model import Wanted
from controller.accounts.policy import Policy
from controller.accounts.reports import Code, Ended, Ready, Report
from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.driver import Opening
from controller.host.launch_policy import Machine, most_at_once
from controller.host.launch_pressure import LaunchPressure
from controller.host.limits import HostLimits
from controller.host.pressure import Pressure, cores
from controller.registry import Account, Registry
from controller.tasks import Tasks
from sandbox.whatsapp import Heavy, Options, PhoneError, Timings, WhatsAppStandIn

PATIENCE = 180.0
PROBE_EVERY = 0.5


@dataclass(frozen=True)
class Boot:
    """seconds: until all are connected. probes: how long each probe of a connected account took, in seconds."""

    seconds: float
    probes: Sequence[float]


class Store:
    """Accounts in memory."""

    def __init__(self, numbers: Sequence[str]) -> None:
        self._accounts = [Account(number, "", 1, Wanted.CONNECTED, linked=True) for number in numbers]

    async def accounts(self) -> Sequence[Account]:
        return self._accounts

    async def set_wanted(self, e164: str, wanted: Wanted) -> None: ...
    async def add_account(self, account: Account) -> None: ...
    async def rename(self, e164: str, name: str) -> None: ...
    async def change_owner(self, e164: str, owner: int) -> None: ...
    async def remove_account(self, e164: str) -> None: ...


async def link(driver: ChromiumDriver, stand_in: WhatsAppStandIn, number: str) -> None:
    """Link one account and close it."""
    reports: list[Report] = []
    session = await driver.open(Opening(number), reports.append)
    try:
        async with asyncio.timeout(PATIENCE):
            while not any(isinstance(each, Ready) for each in reports):
                for each in reports:
                    if isinstance(each, Ended):
                        raise RuntimeError(f"{each.reason}: {each.detail}")  # noqa: TRY004 - of the page
                    if isinstance(each, Code):
                        with contextlib.suppress(PhoneError):  # it was scanned already, or has expired
                            stand_in.phones.scan(each.text, number)
                await asyncio.sleep(0.1)
    finally:
        await session.close()


async def boot(driver: ChromiumDriver, old: Sequence[str], new: Sequence[str], most: int, *, follows: bool) -> Boot:
    """Boot `new` accounts beside connected `old` ones. follows: launches follow the pressure, up to `most`."""
    machine = Machine(cores())
    registries = [
        Registry(Store(numbers), driver=driver, policy=Policy(), listener=lambda _: None, launch_slots=most)
        for numbers in (old, new)
    ]
    first, second = registries
    tasks = Tasks("bench")
    probes: list[float] = []
    await first.boot()
    await _connected(first, old)
    if follows:
        pressure = LaunchPressure(second.slots, machine, Pressure(HostLimits()).look)
        tasks.start(pressure.run())
    await asyncio.sleep(2)
    sessions = [first._managers[number]._run._session for number in old]  # type: ignore[union-attr]  # noqa: SLF001

    async def probe(session: object) -> None:
        while True:
            began = time.monotonic()
            await session.probe()  # type: ignore[attr-defined]
            probes.append(time.monotonic() - began)
            await asyncio.sleep(PROBE_EVERY)

    for session in sessions:
        tasks.start(probe(session))
    began = time.monotonic()
    await second.boot()
    await _connected(second, new)
    took = time.monotonic() - began
    await tasks.stop()
    for registry in registries:
        await registry.stop()
    return Boot(took, probes)


async def _connected(registry: Registry, numbers: Sequence[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all(registry.status(number).is_connected for number in numbers):  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.05)


async def measure(count: int, heavy: Heavy | None, most: int, *, follows: bool) -> Boot:
    """Link all accounts on a fast page, then boot them."""
    numbers = [f"+49151{index:08d}" for index in range(12_000_001, 12_000_001 + count + 4)]
    with tempfile.TemporaryDirectory(prefix="switchboard-boot-") as folder:
        options = Options(timings=Timings().scaled(4).with_given({"load_cold": 0.5}), heavy=heavy)
        async with WhatsAppStandIn(options) as stand_in:
            driver = ChromiumDriver(ChromiumOptions(page_url=stand_in.url, data_dir=Path(folder), save_every=1e9))
            try:
                for at in range(0, len(numbers), 4):
                    await asyncio.gather(*(link(driver, stand_in, number) for number in numbers[at : at + 4]))
                return await boot(driver, numbers[:4], numbers[4:], most, follows=follows)
            finally:
                await driver.stop()


@ends_children()
def main() -> int:
    """Measure the three ways of launching and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.boot", description=__doc__)
    parser.add_argument("--accounts", type=int, default=12, metavar="N")
    parser.add_argument("--heavy", action="store_true", help="on a page that computes as a real one does")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there (docs/benchmarks.md)")
    asked = parser.parse_args()
    heavy = Heavy(stored=5) if asked.heavy else None
    where = f"{document.machine()} `{document.command()}`"
    lines = ["| launches | boot | probes | median | 99 of 100 | longest |", "|---|--:|--:|--:|--:|--:|"]
    most = most_at_once(Machine(cores()))
    for name, slots, follows in (("by pressure", most, True), ("two", 2, False), ("all at once", 1000, False)):
        one = asyncio.run(measure(asked.accounts, heavy, slots, follows=follows))
        spread = statistics.quantiles(one.probes, n=100, method="inclusive")
        lines.append(
            f"| {name} | {one.seconds:.1f} s | {len(one.probes)} | {1000 * spread[49]:.0f} ms "
            f"| {1000 * spread[98]:.0f} ms | {1000 * max(one.probes):.0f} ms |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    page = "heavy" if heavy else "light"
    text = f"## A boot of {asked.accounts} beside 4 connected, {page} page\n\n{where}\n\n" + "\n".join(lines)
    print(text)
    if asked.markdown is not None:
        document.put(asked.markdown, f"boot on a {page} page", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
