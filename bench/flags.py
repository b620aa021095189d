"""`python -m bench.flags`: what each browser flag saves and costs, one at a time, with the product's driver.

For each set of flags an account is linked, closed, restored, left idle, and restored after a kill -9. Memory is private
memory (USS) of the restored browser's processes, beside PSS, since shared pages depend on whatever else runs.
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

from bench import document
from bench.ending import ends_children
from controller.accounts.reports import Code, Ended, Ready, Report
from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.chromium.process.flags import SAVINGS
from controller.driver import Opening, Session
from sandbox.whatsapp import Heavy, Options, Timings, WhatsAppStandIn

ACCOUNT = "+4915112345678"
SETTLE = 3.0
HEAVY_SETTLE = 20.0
"""Seconds after linking until the page has stored its data."""
ONE_BY_ONE: dict[str, tuple[str, ...]] = {
    "v8 lite-mode": ("--js-flags=--lite-mode --optimize-for-size",),
    "one renderer": ("--renderer-process-limit=1",),
    "low-end device": ("--enable-low-end-device-mode",),
}
"""Flags outside the product's savings, each tried in addition to all savings."""


@dataclass(frozen=True)
class Trial:
    """One set of flags. savings: names of the product's savings that are on; more: further Chromium arguments."""

    savings: frozenset[str]
    more: tuple[str, ...] = ()


def trials() -> dict[str, Trial]:
    """Return the sets by name: no saving, all savings, all but each one, and all plus each further flag."""
    every = frozenset(SAVINGS)
    return {
        "no saving": Trial(frozenset()),
        "all savings": Trial(every),
        **{f"all but {name}": Trial(every - {name}) for name in SAVINGS},
        **{f"all, {name}": Trial(every, flags) for name, flags in ONE_BY_ONE.items()},
    }


@dataclass(frozen=True)
class Result:
    """uss, pss: MiB. cpu: seconds of the browser until ready, after a restore; idle: % of a core.

    ready, restored, after_kill: seconds. asked: pictures and fonts that the page requested. disk: MiB of the profile.
    """

    uss: float
    pss: float
    processes: int
    cpu: float
    idle: float
    ready: float
    restored: float
    after_kill: float
    asked: int
    disk: float


class Account:
    """One account's session and its reports."""

    def __init__(self, driver: ChromiumDriver) -> None:
        self._driver = driver
        self.reports: list[Report] = []
        self.session: Session | None = None

    async def open(self) -> float:
        """Open a browser; return the time of the request, `time.monotonic`."""
        self.reports.clear()
        began = time.monotonic()
        self.session = await self._driver.open(Opening(ACCOUNT), self.reports.append)
        return began

    async def seen(self, kind: type[Report], within: float = 60.0) -> Report:
        """Wait for a report of a kind. Raises RuntimeError if the session ends, TimeoutError after `within` s."""
        async with asyncio.timeout(within):
            while True:
                for report in self.reports:
                    if isinstance(report, kind):
                        return report
                    if isinstance(report, Ended):
                        raise RuntimeError(f"it ended: {report.reason} {report.detail}")  # noqa: TRY004 - of the page
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Close the session gracefully."""
        if self.session is not None:
            await self.session.close()


def family(data_dir: Path) -> list[psutil.Process]:
    """Return the browser's processes."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline"]):
        if any(f"--user-data-dir={data_dir}" in part for part in process.info["cmdline"] or []):
            found += [process, *process.children(recursive=True)]
    return list(dict.fromkeys(found))


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of a process's threads, with nanosecond resolution if the kernel provides it."""
    try:
        found = [Path(f"/proc/{process.pid}/task/{one.id}/schedstat") for one in process.threads()]
        return sum(int(path.read_text("ascii").split()[0]) for path in found) / 1e9
    except OSError:
        return float(sum(process.cpu_times()[:2]))


def total(processes: list[psutil.Process], of: Callable[[psutil.Process], float]) -> float:
    """Sum a figure over processes; one that has ended meanwhile counts as 0."""
    added = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            added += of(process)
    return added


async def measure(trial: Trial, idle: float, heavy: Heavy | None) -> Result:
    """Measure one set of flags. idle: seconds of idling to measure."""
    timings = Timings().scaled(10).with_given({"load_cold": 1.0})
    with tempfile.TemporaryDirectory(prefix="switchboard-flags-") as folder:
        data_dir = Path(folder) / "data"
        async with WhatsAppStandIn(Options(timings=timings, heavy=heavy)) as stand_in:
            options = ChromiumOptions(
                page_url=stand_in.url, data_dir=data_dir, extra_args=trial.more, savings=trial.savings
            )
            driver = ChromiumDriver(options)
            account = Account(driver)
            try:
                began = await account.open()
                code = await account.seen(Code)
                assert isinstance(code, Code)
                stand_in.phones.scan(code.text, ACCOUNT)
                await account.seen(Ready)
                ready = time.monotonic() - began
                await asyncio.sleep(SETTLE if heavy is None else HEAVY_SETTLE)
                await account.close()

                began = await account.open()
                await account.seen(Ready)
                restored = time.monotonic() - began
                processes = family(data_dir)
                await asyncio.sleep(SETTLE)
                cpu = total(processes, cpu_seconds)
                memory = [one.memory_full_info() for one in processes if one.is_running()]
                await asyncio.sleep(idle)
                idled = total(processes, cpu_seconds) - cpu
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
            disk = sum(file.stat().st_size for file in data_dir.rglob("*") if file.is_file())
            asked = stand_in.asked["picture"] + stand_in.asked["font"]
    mib = 1 << 20
    uss, pss = sum(one.uss for one in memory) / mib, sum(one.pss for one in memory) / mib
    return Result(uss, pss, len(memory), cpu, idled / idle * 100, ready, restored, after_kill, asked, disk / mib)


@ends_children()
def main() -> int:
    """Measure each set and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.flags", description=__doc__)
    parser.add_argument("--idle", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there (docs/benchmarks.md)")
    parser.add_argument("--heavy", action="store_true", help="on a page with 5,000 chats, pictures and 150 MiB stored")
    every = trials()
    parser.add_argument("names", nargs="*", help=f"of the sets: {', '.join(every)}")
    asked = parser.parse_args()
    heavy = Heavy() if asked.heavy else None
    where = f"{document.machine()} `{document.command()}`"
    columns = (
        "flags", "USS MiB", "PSS MiB", "processes", "CPU to ready s", "idle %", "ready s", "restored s",
        "after kill -9 s", "pictures, fonts", "disk MiB",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" + "|--:" * (len(columns) - 1) + "|"]
    for name in asked.names or every:
        try:
            one = asyncio.run(measure(every[name], asked.idle, heavy))
        except Exception as error:  # noqa: BLE001 - a flag that breaks something is a row of the table
            lines.append(f"| {name} | failed: {error} |")
        else:
            lines.append(
                f"| {name} | {one.uss:.0f} | {one.pss:.0f} | {one.processes} | {one.cpu:.2f} | {one.idle:.1f} "
                f"| {one.ready:.1f} | {one.restored:.1f} | {one.after_kill:.1f} | {one.asked} | {one.disk:.0f} |"
            )
        print(lines[-1], file=sys.stderr, flush=True)
    page = "a heavy page" if heavy else "a light page"
    text = f"## Browser savings, on {page}\n\n{where}\n\n" + "\n".join(lines)
    print(text)
    if asked.markdown is not None:
        document.put(asked.markdown, f"savings on {page}", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
