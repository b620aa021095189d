"""From the start of the program to serving: the seconds until it polls Telegram for the first time, and their floor.

The floor is what no program with these libraries can be below: an interpreter that loads them and ends.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Figure
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Options, WhatsAppStandIn
from tests.e2e.harness import ADMIN, World

STARTS = 7
LIBRARIES = "import aiosqlite, httpx, playwright.async_api, pydantic_settings, telegram.request"
PATIENCE = 60.0


async def measure(folder: Path) -> list[Figure]:
    """Start the program so often, without accounts, each time on the same database."""
    async with TelegramStandIn(0) as telegram, WhatsAppStandIn(Options()) as whatsapp:
        telegram.client.add_user(ADMIN, "Ada")
        world = World(telegram, whatsapp, folder / "start")
        await _start(world)  # makes the database
        taken = [await _start(world) for _ in range(STARTS)]
    floor = statistics.median(_load() for _ in range(STARTS))
    return [
        Figure(
            f"start to serving, median of {STARTS}", statistics.median(taken), "s", aim=1.5, at_most=True,
            floor=floor, by="the libraries loaded",
        )
    ]  # fmt: skip


async def _start(world: World) -> float:
    """Return the seconds from the start to the first poll."""
    polls = len(world.client.requests("getUpdates"))
    began = time.monotonic()
    async with world.program():
        while len(world.client.requests("getUpdates")) == polls:
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError("it does not poll")
            await asyncio.sleep(0.005)
        return time.monotonic() - began


def _load() -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True)
    return time.monotonic() - began
