"""Who watches the watcher, with the whole program: systemd's socket, the heartbeat, and the windows for machines."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.e2e.harness import NUMBER, Program, world
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.chromium]


@dataclass
class Manager:
    """Does what systemd does with a Type=notify unit: listens, and kills what does not feed its watchdog in time."""

    path: Path
    watchdog: float
    told: list[str] = field(default_factory=list)
    fed_at: float = 0.0
    killed_after: float | None = None

    async def watch(self, process: Program) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(str(self.path))
            listening.setblocking(False)
            loop = asyncio.get_running_loop()
            while True:
                try:
                    async with asyncio.timeout(0.1):
                        message = (await loop.sock_recv(listening, 4096)).decode()
                except TimeoutError:
                    if self.fed_at and time.monotonic() - self.fed_at > self.watchdog and self.killed_after is None:
                        self.killed_after = time.monotonic() - self.fed_at
                        process.send(signal.SIGKILL)
                    continue
                self.told.append(message)
                if message in {"READY=1", "WATCHDOG=1"}:
                    self.fed_at = time.monotonic()

    def settings(self) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(self.watchdog * 1e6))}


@contextlib.asynccontextmanager
async def heartbeats() -> AsyncIterator[tuple[str, list[tuple[str, str]]]]:
    came: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((request.path, await request.text()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/{rest:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/ping/secret", came
    finally:
        await runner.cleanup()


async def test_a_program_that_is_well_says_so_everywhere(tmp_path, unused_tcp_port):
    health = f"http://127.0.0.1:{unused_tcp_port}"
    manager = Manager(tmp_path / "notify", watchdog=6)
    async with (
        world(tmp_path) as here,
        heartbeats() as (url, came),
        here.program(
            HEARTBEAT_URL=url, HEARTBEAT_SECONDS="0.5", HEALTH_LISTEN=f"127.0.0.1:{unused_tcp_port}",
            HEALTH_TEXTFILE=str(tmp_path / "switchboard.prom"), **manager.settings(),
        ) as program,
        aiohttp.ClientSession() as client,
    ):  # fmt: skip
        watching = asyncio.create_task(manager.watch(program))
        await until(lambda: "READY=1" in manager.told, "systemd is told that it is ready")
        await here.link()
        await until(lambda: manager.told.count("WATCHDOG=1") >= 3, "the watchdog is fed")
        await until(lambda: any(path == "/ping/secret" and "1/1 connected" in body for path, body in came), "a beat")
        assert came[0] == ("/ping/secret/start", "")
        async with client.get(f"{health}/live") as answer:
            assert answer.status == 200, await answer.text()
        async with client.get(f"{health}/ready") as answer:
            assert (answer.status, await answer.text()) == (200, "1/1 connected, 0 alerts owed\n")
        async with client.get(f"{health}/metrics") as answer:
            figures = await answer.text()
        assert 'switchboard_accounts{state="CONNECTED"} 1.0' in figures
        assert "switchboard_pulse_good 1.0" in figures
        assert NUMBER[-4:] not in figures
        await until(lambda: "switchboard_pulse_good" in (tmp_path / "switchboard.prom").read_text(), "the textfile")
        assert "secret" not in program.text
        program.send(signal.SIGTERM)
        assert await program.ended() == 0
        await until(lambda: "STOPPING=1" in manager.told, "systemd is told that it stops")
        watching.cancel()
    assert manager.killed_after is None
    assert any(line.startswith("STATUS=1/1 connected") for line in manager.told)


async def test_a_program_that_stands_still_is_ended(tmp_path):
    manager = Manager(tmp_path / "notify", watchdog=6)
    async with world(tmp_path) as here, here.program(**manager.settings()) as program:
        watching = asyncio.create_task(manager.watch(program))
        await until(lambda: "WATCHDOG=1" in manager.told, "the watchdog is fed")
        program.send(signal.SIGSTOP)
        await until(lambda: manager.killed_after is not None, "it is killed")
        assert await program.ended() == -signal.SIGKILL
        watching.cancel()
