"""`python -m sandbox` as people run it: its output, its end, and its leftovers; needs no browser."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.chromium  # the product looks for one before it listens


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


class Sandbox:
    def __init__(self, process: asyncio.subprocess.Process, ports: list[int]) -> None:
        self.process = process
        self.page, self.telegram, self.whatsapp = (f"http://127.0.0.1:{port}" for port in ports)
        self.ports = ports

    async def ended(self, within: float = 90) -> int:
        return await asyncio.wait_for(self.process.wait(), within)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def bot(self) -> psutil.Process:
        for process in self.family():
            with suppress(psutil.Error):  # it ends just now
                if "switchboard" in process.cmdline():
                    return process
        raise AssertionError("no bot runs")


@asynccontextmanager
async def sandbox(tmp_path: Path, ports: list[int] | None = None) -> AsyncIterator[Sandbox]:
    ports = ports or free_ports(3)
    flags = [f"--{name}={port}" for name, port in zip(("port", "telegram-port", "whatsapp-port"), ports, strict=True)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", *flags, f"--data-dir={tmp_path / 'data'}",
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Sandbox(process, ports)
    finally:
        if process.returncode is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for each in family:
                each.kill()
            await process.wait()


async def is_listening(http: aiohttp.ClientSession, here: Sandbox) -> bool:
    try:
        async with http.get(f"{here.telegram}/client/me") as answer:
            return bool((await answer.json())["polling"])
    except aiohttp.ClientError:
        return False


async def program(http: aiohttp.ClientSession, here: Sandbox) -> dict:
    async with http.get(f"{here.page}/program") as answer:
        return await answer.json()


@pytest.mark.timeout(300)
async def test_it_ends_by_one_ctrl_c_with_tabs_open_from_this_run_and_another(tmp_path):
    async with sandbox(tmp_path) as here, aiohttp.ClientSession() as http:
        await until(lambda: is_listening(http, here), "the bot listens")
        tabs = [
            await http.get(f"{here.page}/telegram/client/events?after={after}") for after in ("0", "99999", "ab-99999")
        ]
        assert (await program(http, here))["running"] is True
        family = here.family()
        assert family
        here.process.send_signal(signal.SIGINT)
        assert await here.ended() == 0
        gone, left = psutil.wait_procs(family, timeout=60)
        assert (bool(gone), left) == (True, [])
        for tab in tabs:
            tab.close()


@pytest.mark.timeout(300)
async def test_a_second_ctrl_c_ends_it_at_once(tmp_path):
    async with sandbox(tmp_path) as here, aiohttp.ClientSession() as http:
        await until(lambda: is_listening(http, here), "the bot listens")
        family = here.family()
        bot = here.bot()
        bot.suspend()  # it does not stop by itself any more
        here.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(60):
            while b"Ctrl-C once more" not in await here.process.stderr.readline():
                pass
        here.process.send_signal(signal.SIGINT)
        assert await here.ended(15) == 130
        assert psutil.wait_procs(family, timeout=60)[1] == []


@pytest.mark.timeout(300)
async def test_a_revoked_token_ends_the_bot_and_not_the_sandbox(tmp_path):
    async with sandbox(tmp_path) as here, aiohttp.ClientSession() as http:
        await until(lambda: is_listening(http, here), "the bot listens")
        async with http.post(f"{here.telegram}/client/faults", json={"kind": "401"}) as answer:
            assert answer.status == 200
        await http.post(f"{here.page}/program", json={"action": "stop"})
        await http.post(f"{here.page}/program", json={"action": "start"})

        async def ended() -> bool:
            return (await program(http, here))["exit_code"] == 2

        await until(ended, "the bot ends")
        assert "TELEGRAM_BOT_TOKEN" in (await program(http, here))["lines"][-1]
        await http.delete(f"{here.telegram}/client/faults")
        async with http.post(f"{here.page}/program", json={"action": "start"}) as answer:
            assert (await answer.json())["running"] is True
        await until(lambda: is_listening(http, here), "the bot listens again")
        await http.post(f"{here.page}/program", json={"action": "kill"})
        assert (await program(http, here))["exit_code"] == -9
        async with http.get(f"{here.page}/phones") as answer:
            assert [each["text"] for each in (await answer.json())["timeline"]][-1] == "You killed the bot"
        here.process.send_signal(signal.SIGTERM)
        assert await here.ended() == 0


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_port_that_is_taken_is_one_line_with_the_way_out(tmp_path, place: int):
    ports = free_ports(3)
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports[place] = taken.getsockname()[1]
        async with sandbox(tmp_path, ports) as here:
            out, err = await asyncio.wait_for(here.process.communicate(), 30)
    flag = ("--port", "--telegram-port", "--whatsapp-port")[place]
    why = f"port {ports[place]}: address already in use; is a sandbox running already? {flag} takes another"
    assert err.decode() == f"The sandbox cannot start: {why}\n"
    assert (here.process.returncode, out) == (1, b"")


async def test_phones_that_cannot_be_read_are_one_line(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "phones.json").write_text(json.dumps({"last_id": {}}))
    async with sandbox(tmp_path) as here:
        _, err = await asyncio.wait_for(here.process.communicate(), 30)
    (line,) = err.decode().splitlines()
    assert "phones.json cannot be read" in line
    assert here.process.returncode == 1


@pytest.mark.parametrize("part", ["telegram", "people", "whatsapp"])
async def test_each_part_ends_by_ctrl_c_without_a_word(tmp_path, part: str):
    async with sandbox_part("telegram") as (telegram, port):
        extra = {"people": [f"--telegram=http://127.0.0.1:{port}"]}.get(part, [])
        async with sandbox_part(part, *extra) as (process, _):
            process.send_signal(signal.SIGINT)
            _, err = await asyncio.wait_for(process.communicate(), 15)
            assert (process.returncode, err) == (0, b"")
        telegram.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(telegram.wait(), 15) == 0


@asynccontextmanager
async def sandbox_part(part: str, *flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", part, f"--port={port}", *flags,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await asyncio.wait_for(process.stdout.readline(), 20)
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
