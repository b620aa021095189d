"""`python -m bench.flags`: what each browser flag saves and costs, one at a time, on the product's own driver.

For each set of flags an account is linked, sits still, is restored after a clean close and after a kill -9. Memory is
private memory (USS) of the browser's processes beside PSS, since shared pages depend on whatever else runs.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from controller.accounts.reports import Code, Ended, Ready, Report
from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.driver import Opening, Session
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn

ACCOUNT = "+4915112345678"
SETS: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "in-process-gpu": ("--in-process-gpu",),
    "network in process": ("--enable-features=NetworkServiceInProcess2",),
    "no-zygote": ("--no-zygote",),
    "lite-mode": ("--js-flags=--lite-mode --optimize-for-size",),
    "optimize-for-size": ("--js-flags=--optimize-for-size",),
    "no software rasterizer": ("--disable-software-rasterizer", "--disable-gpu"),
    "one renderer": ("--renderer-process-limit=1",),
    "small caches": ("--disk-cache-size=33554432", "--media-cache-size=1"),
    "all but lite-mode": (
        "--in-process-gpu",
        "--enable-features=NetworkServiceInProcess2",
        "--no-zygote",
        "--js-flags=--optimize-for-size",
    ),
    "all": (
        "--in-process-gpu",
        "--enable-features=NetworkServiceInProcess2",
        "--no-zygote",
        "--js-flags=--lite-mode --optimize-for-size",
    ),
}


@dataclass(frozen=True)
class Result:
    """uss, pss: MiB. cpu: seconds of the browser until ready; idle: % of a core. seconds until ready, restored."""

    uss: float
    pss: float
    processes: int
    cpu: float
    idle: float
    ready: float
    restored: float
    after_kill: float


class Account:
    """One account's session, and what it reports."""

    def __init__(self, driver: ChromiumDriver) -> None:
        self._driver = driver
        self.reports: list[Report] = []
        self.session: Session | None = None

    async def open(self) -> float:
        """Open a browser; return when it was asked for."""
        self.reports.clear()
        began = time.monotonic()
        self.session = await self._driver.open(Opening(ACCOUNT), self.reports.append)
        return began

    async def seen(self, kind: type[Report], within: float = 60.0) -> Report:
        """Wait for a report; an end that comes instead is an error."""
        async with asyncio.timeout(within):
            while True:
                for report in self.reports:
                    if isinstance(report, kind):
                        return report
                    if isinstance(report, Ended):
                        raise RuntimeError(f"it ended: {report.reason} {report.detail}")  # noqa: TRY004 - of the page
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Close it in order."""
        if self.session is not None:
            await self.session.close()


def family(data_dir: Path) -> list[psutil.Process]:
    """Return the browser's processes."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        if any(f"--user-data-dir={data_dir}" in part for part in process.info["cmdline"] or []):
            found += [process, *process.children(recursive=True)]
    return list(dict.fromkeys(found))


def total(processes: list[psutil.Process], of: Callable[[psutil.Process], float]) -> float:
    """Add up a figure over processes; one that has just ended counts nothing."""
    added = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            added += of(process)
    return added


async def measure(flags: tuple[str, ...], idle: float) -> Result:
    """Try one set of flags."""
    timings = Timings().scaled(10).with_given({"load_cold": 1.0})
    with tempfile.TemporaryDirectory(prefix="switchboard-flags-") as folder:
        data_dir = Path(folder) / "data"
        async with WhatsAppStandIn(Options(timings=timings)) as stand_in:
            driver = ChromiumDriver(ChromiumOptions(page_url=stand_in.url, data_dir=data_dir, extra_args=flags))
            account = Account(driver)
            try:
                began = await account.open()
                code = await account.seen(Code)
                assert isinstance(code, Code)
                stand_in.phones.scan(code.text, ACCOUNT)
                await account.seen(Ready)
                ready = time.monotonic() - began
                processes = family(data_dir)
                cpu = total(processes, lambda one: sum(one.cpu_times()[:2]))
                await asyncio.sleep(3)
                memory = [one.memory_full_info() for one in processes if one.is_running()]
                before = total(processes, lambda one: sum(one.cpu_times()[:2]))
                await asyncio.sleep(idle)
                idled = total(processes, lambda one: sum(one.cpu_times()[:2])) - before
                await account.close()

                began = await account.open()
                await account.seen(Ready)
                restored = time.monotonic() - began
                for process in family(data_dir):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
                await account.close()
                began = await account.open()
                await account.seen(Ready)
                after_kill = time.monotonic() - began
            finally:
                await account.close()
                await driver.stop()
    mib = 1 << 20
    uss, pss = sum(one.uss for one in memory) / mib, sum(one.pss for one in memory) / mib
    return Result(uss, pss, len(memory), cpu, idled / idle * 100, ready, restored, after_kill)


def main() -> int:
    """Measure each set and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.flags", description=__doc__)
    parser.add_argument("--idle", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("names", nargs="*", help=f"of the sets: {', '.join(SETS)}")
    asked = parser.parse_args()
    print(
        "| flags | USS MiB | PSS MiB | processes | CPU to ready s | idle % | ready s | restored s | after kill -9 s |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name in asked.names or SETS:
        try:
            one = asyncio.run(measure(SETS[name], asked.idle))
        except Exception as error:  # noqa: BLE001 - whatever a flag breaks is a row of the table
            print(f"| {name} | failed: {error} |", flush=True)
            continue
        print(
            f"| {name} | {one.uss:.0f} | {one.pss:.0f} | {one.processes} | {one.cpu:.2f} | {one.idle:.1f} "
            f"| {one.ready:.1f} | {one.restored:.1f} | {one.after_kill:.1f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
