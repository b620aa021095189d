"""A machine whose browsers are small programs that note, every 10 ms by the boot clock, that they run.

They are started as real ones are, by `launcher`, with its lock, pid file and binding to their host's end; so what the
product ends is ended in its own way, and what ran when stands in their own notes.
"""

import asyncio
import contextlib
import os
import sys
import time
from functools import partial
from pathlib import Path

from controller.accounts.reasons import Reason
from controller.accounts.reports import Ended, Health, Layer, Loaded, PageView, Ready
from controller.chromium.process import launcher
from controller.chromium.process.tree import ExitWatch, PidFile, end_tree, this_process
from controller.chromium.profile.orphans import end_orphans
from controller.cluster.browser_host import Figures
from controller.cluster.ray_links import Machine
from controller.driver import DriverError, Usage
from switchboard.cluster import LatestFigures

BROWSER = """
import os, sys, time
with open(sys.argv[1], "a", buffering=1) as notes:
    while True:
        notes.write(f"{time.clock_gettime(time.CLOCK_BOOTTIME)}\\n")
        time.sleep(0.01)
"""


class FakeSession:
    reached = Layer.PROCESS

    def __init__(self, driver, account, found, report):
        self.driver, self.account, self.found, self.report = driver, account, found, report
        self.closed = False
        self.watch = ExitWatch(found.process, self.ended)
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, self.tell, Loaded("1"))
        loop.call_later(0.3, self.tell, Ready(account))

    def tell(self, report):
        if not self.closed:
            self.report(report)

    def ended(self):
        self.tell(Ended(Reason.SESSION_CLOSED, "the browser's process ended"))

    async def probe(self):
        return Health() if self.found.process.is_alive() else Health(Layer.PROCESS, "gone")

    async def heartbeat(self, *, ask):
        return self.found.process.is_alive()

    async def usage(self):
        return Usage(1 << 20, 1)

    async def log_out(self, number=None):
        pass

    async def look(self):
        return PageView("fake")

    async def dismiss(self):
        pass

    async def close(self):
        self.closed = True
        self.watch.cancel()
        await end_tree(self.found.process, grace=0, timeout=5)


class FakeChromium:
    """As much of `ChromiumDriver` as a host needs."""

    def __init__(self, folder, host):
        self.folder, self.host, self.run = folder, host, folder / "run" / host
        self.count = 0

    def wait_for_store(self):
        """Block, as each call does to a slow store."""
        with contextlib.suppress(FileNotFoundError):
            time.sleep(float((self.folder / "slow").read_text()))

    def measure(self):
        self.wait_for_store()
        return Figures(free_memory=1 << 30)

    def warm_up(self):
        pass

    async def end_orphans(self):
        return await end_orphans(self.folder, self.host)

    async def open(self, opening, report):
        if (self.folder / "gone").exists():
            raise DriverError(Reason.LAUNCH_FAILED, "could not start the browser: Stale file handle")
        await asyncio.to_thread(self.wait_for_store)
        self.run.mkdir(parents=True, exist_ok=True)
        name = opening.account.removeprefix("+")
        self.count += 1
        pid_file, ticket = self.run / f"{name}.json", self.run / f"{name}.{self.count}.{os.getpid()}.sh"
        ticket.touch()
        notes = self.folder / "notes" / f"{name}.{self.host}.{os.getpid()}.{self.count}"
        command = [
            sys.executable, "-I", "-S", launcher.__file__, "--kill", "--parent", str(os.getpid()),
            "--pid-file", str(pid_file), "--owner", str(this_process()), "--ticket", str(ticket),
            "--lock", str(self.folder / "run" / f"{name}.lock"),
            "--", sys.executable, "-I", "-S", "-c", BROWSER, str(notes),
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
        ends_at = time.monotonic() + 10
        while not notes.exists():
            if process.returncode is not None:
                said = (await process.stderr.read()).decode()
                raise DriverError(Reason.PROFILE_IN_USE, said.strip().splitlines()[-1])
            if time.monotonic() > ends_at:
                raise DriverError(Reason.LAUNCH_FAILED, "too slow")
            await asyncio.sleep(0.02)
        found = PidFile.read(pid_file)
        if found is None:
            raise DriverError(Reason.LAUNCH_FAILED, "no pid file")
        return FakeSession(self, opening.account, found, report)

    async def stop(self):
        pass


def make_in(folder: Path):
    return partial(make, str(folder))


def make(folder, name):
    driver = FakeChromium(Path(folder), name)
    return Machine(driver, driver.run, LatestFigures(driver.measure), "test")
