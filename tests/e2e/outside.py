"""Stand-ins for external monitoring: a service manager, a heartbeat service, a fallback channel.

Each records when it noticed a failure (`time.monotonic()`). Not here: anything of the product.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.e2e.harness import Program

LOOK_EVERY = 0.1


@dataclass
class Manager:
    """Acts like systemd with a Type=notify unit: listens, and kills a program that misses its watchdog's deadline.

    watchdog: the seconds that the program is told. patience: those after which it is killed, where they are more.
    """

    path: Path
    watchdog: float
    patience: float = 0.0
    told: list[str] = field(default_factory=list)
    fed_at: float = 0.0
    killed_at: float | None = None

    async def watch(self, process: Program) -> None:
        """Watch a program until it has to be killed, or until cancelled."""
        self.path.unlink(missing_ok=True)
        self.fed_at, self.killed_at = 0.0, None
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(str(self.path))
            listening.setblocking(False)
            loop = asyncio.get_running_loop()
            loop.add_reader(listening, self._read, listening)  # a receive that is cut short would lose a message
            try:
                while not self.fed_at or time.monotonic() - self.fed_at <= max(self.watchdog, self.patience):  # noqa: ASYNC110 - time alone
                    await asyncio.sleep(LOOK_EVERY)
            finally:
                loop.remove_reader(listening)
        self.killed_at = time.monotonic()
        process.send(signal.SIGKILL)

    def _read(self, listening: socket.socket) -> None:
        message = listening.recv(4096).decode()
        self.told.append(message)
        if message in {"READY=1", "WATCHDOG=1"}:
            self.fed_at = time.monotonic()

    def settings(self) -> dict[str, str]:
        """Return the environment variables for a program."""
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(self.watchdog * 1e6))}


@dataclass
class HeartbeatService:
    """Alerts like healthchecks.io: at a `/fail`, and when no ping has arrived for a period and a grace."""

    period_and_grace: float
    url: str = ""
    came: list[tuple[float, str, str]] = field(default_factory=list)
    """Time, path and body."""
    calls: list[tuple[float, str]] = field(default_factory=list)
    """Time and reason of each alert."""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.text()
        self.came.append((time.monotonic(), request.path, body))
        if request.path.endswith("/fail"):
            self.calls.append((time.monotonic(), f"/fail: {body}"))
        return web.Response()

    async def watch(self) -> None:
        """Alert when pings stop, once each time."""
        called_for = 0.0
        while True:
            await asyncio.sleep(LOOK_EVERY)
            last = self.came[-1][0] if self.came else 0.0
            if last and last != called_for and time.monotonic() - last > self.period_and_grace:
                called_for = last
                self.calls.append((time.monotonic(), f"no ping for {self.period_and_grace:g} s"))


@dataclass
class Receiver:
    """Receives messages of the fallback channel, over Apprise's `json://`."""

    url: str = ""
    came: list[tuple[float, str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        told = await request.json()
        self.came.append((time.monotonic(), f"{told['title']}: {told['message']}"))
        return web.Response()


@asynccontextmanager
async def outside(period_and_grace: float) -> AsyncIterator[tuple[HeartbeatService, Receiver]]:
    """Run a heartbeat service and a receiver on one port."""
    service, receiver = HeartbeatService(period_and_grace), Receiver()
    app = web.Application()
    app.router.add_post("/ping/{rest:.*}", service.take)
    app.router.add_post("/second", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    service.url, receiver.url = f"http://127.0.0.1:{port}/ping/secret", f"json://127.0.0.1:{port}/second"
    watching = asyncio.create_task(service.watch())
    try:
        yield service, receiver
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await runner.cleanup()
