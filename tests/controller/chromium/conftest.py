"""Fixtures for the driver: a DATA_DIR, the reports in order, and a check for leftovers."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from controller.accounts.reports import Code, Ended, Health, Loaded, Ready, Report
from controller.chromium import ChromiumDriver, ChromiumOptions
from controller.chromium import session as session_module
from controller.chromium.page.documents import Timing
from controller.chromium.process.tree import ProcessId, tree
from controller.chromium.session import ChromiumSession
from controller.driver import Opening
from sandbox.whatsapp import Options, PhoneError, Timings, WhatsAppStandIn

ACCOUNT = "+4915112345678"
SPEED = 20

R = TypeVar("R")


async def eventually(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for a condition with a deadline."""
    async with asyncio.timeout(seconds):
        while True:
            if found := condition():
                return found
            await asyncio.sleep(0.02)


async def until_health(session: ChromiumSession, wanted: Callable[[Health], bool], seconds: float = 60.0) -> Health:
    """Probe until it finds what is wanted."""
    async with asyncio.timeout(seconds):
        while True:
            if wanted(health := await session.probe()):
                return health
            await asyncio.sleep(0.05)


def left_behind(data_dir: Path) -> list[str]:
    """Processes that know the DATA_DIR, from their command line or their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(data_dir) in word for word in words):
            found.append(" ".join(words)[:200])
    return found


@dataclass(frozen=True, kw_only=True)
class PatientOptions(ChromiumOptions):
    """Options whose deadlines a test shortens one by one: a busy machine exceeds those that it is not about.

    All in seconds, None as derived from `connect_timeout`; launch: until a browser must have started.
    """

    launch: float = 30.0
    load: float | None = None
    settle: float | None = None

    @property
    def launch_timeout(self) -> float:
        return self.launch

    @property
    def timing(self) -> Timing:
        derived = super().timing
        return replace(derived, load=self.load or derived.load, settle=self.settle or derived.settle)


class Rig:
    def __init__(self, data_dir: Path, url: str) -> None:
        self.data_dir = data_dir
        self.url = url
        self.reports: list[Report] = []
        self.sessions: list[ChromiumSession] = []
        self.driver = self.make()

    def make(self, **options: Any) -> ChromiumDriver:
        told = {"page_url": self.url, "data_dir": self.data_dir, **options}
        self.driver = ChromiumDriver(PatientOptions(**told))
        return self.driver

    def change(self, **options: Any) -> None:
        """Change options of the driver; they apply from its next opening on."""
        self.driver._options = replace(self.driver._options, **options)

    async def open(self, account: str = ACCOUNT, **opening: Any) -> ChromiumSession:
        session = await self.driver.open(Opening(account, **opening), self.reports.append)
        self.sessions.append(session)
        return session

    async def seen(self, kind: type[R], seconds: float = 60.0, *, after: int = 0) -> R:
        """The first report of a kind, waited for; any end that comes instead fails."""

        def look() -> R | None:
            for report in self.reports[after:]:
                if isinstance(report, kind):
                    return report
                assert not isinstance(report, Ended), report
            return None

        try:
            return await eventually(look, seconds)
        except TimeoutError:
            raise TimeoutError(f"no {kind.__name__} within {seconds} s: {self.reports[after:]}") from None

    def steps(self, after: int = 0) -> list[Report]:
        """The reports of the account's way, without which build it loaded: that has no place in their order."""
        return [report for report in self.reports[after:] if not isinstance(report, Loaded)]

    async def linked(self, stand_in: WhatsAppStandIn, account: str = ACCOUNT, **opening: bool) -> ChromiumSession:
        """A session that has been linked by a scan."""
        session = await self.open(account, **opening)
        await self.scan(stand_in, account)
        await self.seen(Ready)
        return session

    async def scan(self, stand_in: WhatsAppStandIn, number: str = ACCOUNT) -> None:
        """Scan the newest code, again if it has expired before a phone could."""

        def scanned() -> bool:
            codes = [report for report in self.reports if isinstance(report, Code)]
            try:
                stand_in.phones.scan(codes[-1].text, number)
            except (PhoneError, IndexError):
                assert not any(isinstance(report, Ended) for report in self.reports), self.reports
                return False
            return True

        await eventually(scanned)

    def processes(self, kind: str | None = None) -> list[psutil.Process]:
        """Of the browsers on this DATA_DIR the processes of one --type, None for the first ones."""
        first = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(f"--user-data-dir={self.data_dir}" in word for word in process.info["cmdline"] or [])
        ]
        leaders = [process for process in first if not _type(process)]
        if kind is None:
            return leaders
        family: list[psutil.Process] = []
        for leader in leaders:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ends just now
                family += leader.children(recursive=True)
        return [process for process in family if _type(process) == kind]

    @staticmethod
    def kill_tree(leader: ProcessId) -> None:
        """Kill -9 everything of a browser at once."""
        for process in tree(leader):
            os.kill(process.pid, signal.SIGKILL)

    def node(self) -> psutil.Process:
        found = self.driver._host.process
        assert found is not None
        return psutil.Process(found.pid)


def _type(process: psutil.Process) -> str | None:
    try:
        words = process.cmdline()
    except psutil.Error:
        return "gone"
    return next((word.removeprefix("--type=") for word in words if word.startswith("--type=")), None)


@pytest.fixture
async def stand_in(request: pytest.FixtureRequest) -> AsyncIterator[WhatsAppStandIn]:
    given = request.node.get_closest_marker("timings")
    timings = Timings().scaled(SPEED).with_given(given.kwargs if given else {})
    async with WhatsAppStandIn(Options(timings=timings)) as running:
        yield running


@pytest.fixture
async def rig(tmp_path: Path, stand_in: WhatsAppStandIn) -> AsyncIterator[Rig]:
    made = Rig(tmp_path / "data", stand_in.url)
    try:
        yield made
    finally:
        for session in made.sessions:
            await session.close()
        await made.driver.stop()
        assert left_behind(made.data_dir) == []


@pytest.fixture
def soon_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the tests of other things the seconds until a link is on the disk."""

    async def at_once(*_: object) -> bool:
        return True

    monkeypatch.setattr(session_module, "until_durable", at_once)
