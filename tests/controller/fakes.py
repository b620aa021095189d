"""A fake driver behind the production protocol: opens nothing, reports on demand, and forbids two sessions at once."""

import asyncio
from collections.abc import Callable

from controller.accounts.reasons import Reason
from controller.accounts.reports import Health, Layer, PageView, Report
from controller.driver import DriverError, Opening, SavedSession, Usage


class FakeSession:
    """One session. Its attributes set its behaviour from now on."""

    def __init__(self, driver: "FakeDriver", opening: Opening, report: Callable[[Report], None]) -> None:
        self.driver = driver
        self.opening = opening
        self.report = report
        self.reached = Layer.PROCESS
        self.health = Health()
        self.probe_hangs = False
        self.answers = True
        self.close_takes = 0.0
        self.probes = 0
        self.beats: list[bool] = []
        self.logged_out = False
        self.log_out_fails: DriverError | None = None
        self.view = PageView()
        self.look_hangs = False
        self.dismissed = 0
        self.used = Usage(memory=200 << 20, processes=5)
        self.closed = False

    async def probe(self) -> Health:
        self.probes += 1
        if self.probe_hangs:
            self.reached = Layer.PAGE
            await asyncio.Event().wait()
        return self.health

    async def heartbeat(self, *, ask: bool) -> bool:
        self.beats.append(ask)
        return ask and self.answers

    async def usage(self) -> Usage:
        return self.used

    async def log_out(self, number: str | None = None) -> None:
        if self.log_out_fails is not None:
            raise self.log_out_fails
        self.logged_out = True

    async def look(self) -> PageView:
        if self.look_hangs:
            await asyncio.Event().wait()
        return self.view

    async def dismiss(self) -> None:
        self.dismissed += 1

    async def close(self) -> None:
        await asyncio.sleep(self.close_takes)
        self.closed = True
        self.driver.open_now.discard(self.opening.account)


class FakeDriver:
    """Opens fake sessions; `fails` makes the next openings raise, `opening_takes` and `hangs` make them slow."""

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []
        self.openings = 0
        self.opened: list[Opening] = []
        self.at_once = 0
        self.most_at_once = 0
        self.fails: DriverError | None = None
        self.hangs = False
        self.opening_takes = 0.0
        self.open_now: set[str] = set()
        self.copies: list[SavedSession] = []
        self.restored: list[tuple[str, str]] = []
        self.linked: set[str] = set()
        self.removed: list[str] = []
        self.discarded: list[str] = []
        self.script: Callable[[FakeSession], None] | None = None

    @property
    def newest(self) -> FakeSession:
        return self.sessions[-1]

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> FakeSession:
        self.openings += 1
        self.opened.append(opening)
        assert opening.account not in self.open_now, "two browsers on one profile"
        self.open_now.add(opening.account)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.opening_takes)
            if self.hangs:
                await asyncio.Event().wait()
            if self.fails is not None:
                raise self.fails  # noqa: TRY301 - what is left open is cleaned up in one place
        except BaseException:
            self.open_now.discard(opening.account)
            raise
        finally:
            self.at_once -= 1
        session = FakeSession(self, opening, report)
        self.sessions.append(session)
        if self.script is not None:
            self.script(session)
        return session

    async def has_session(self, account: str) -> bool:
        return account in self.linked

    async def remove(self, account: str) -> None:
        assert account not in self.open_now, "removed under an open browser"
        self.removed.append(account)

    async def saved(self, account: str) -> list[SavedSession]:
        return self.copies

    async def restore(self, account: str, name: str) -> None:
        assert account not in self.open_now, "restored under an open browser"
        if name not in {copy.name for copy in self.copies}:
            raise DriverError(Reason.RESTORE_FAILED, f"no copy {name}")
        self.restored.append((account, name))

    async def discard(self, account: str) -> None:
        assert account not in self.open_now, "discarded under an open browser"
        self.discarded.append(account)

    async def stop(self) -> None:
        assert not self.open_now
