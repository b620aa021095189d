"""A machine without browsers: its sessions are objects, so that what is measured is the cluster's own work."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from controller.accounts.reports import Health, Layer, Loaded, PageView, Ready, Report
from controller.cluster.browser_host import Figures
from controller.cluster.ray_links import Machine
from controller.driver import Opening, Usage
from controller.host.deadline import boot_time


class IdleSession:
    """Is linked at once, and well for ever. `dismiss` reports the boot clock, for a measure of reports."""

    reached = Layer.PROCESS

    def __init__(self, opening: Opening, report: Callable[[Report], None]) -> None:
        self._report = report
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, report, Loaded("1"))
        loop.call_later(0.02, report, Ready(opening.account))

    async def probe(self) -> Health:
        return Health()

    async def heartbeat(self, *, ask: bool) -> bool:  # noqa: ARG002
        return True

    async def usage(self) -> Usage:
        return Usage(1, 1)

    async def log_out(self, number: str | None = None) -> None:
        pass

    async def look(self) -> PageView:
        return PageView()

    async def dismiss(self) -> None:
        self._report(Loaded(str(boot_time())))

    async def close(self) -> None:
        pass


class IdleDriver:
    async def end_orphans(self) -> int:
        return 0

    def warm_up(self) -> None:
        pass

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> IdleSession:
        return IdleSession(opening, report)

    async def stop(self) -> None:
        pass


def make(folder: str, name: str) -> Machine:
    driver: Any = IdleDriver()
    return Machine(driver, Path(folder) / "run" / name, lambda: Figures(free_memory=1 << 30))
