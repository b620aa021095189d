"""Latency of the chat side: one alert from its transition to the phone, and /status over 300 accounts.

The product's Telegram interface and a database on disk, over HTTP to the stand-in, all in this process. The floor of
each figure is the same message sent by a plain HTTP client over an open connection, with as many database commits.
"""

import asyncio
import contextlib
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.figures import Figure
from controller.accounts.reasons import Reason, State
from sandbox.telegram import TelegramStandIn
from storage.database import open_database
from tests.handlers.conftest import Rig, running_rig
from tests.handlers.fakes import ADMIN

ALERTS = 30
LOOKS = 15
ACCOUNTS = 300
COMMITS = 3
"""Transactions that an alert takes; tests/handlers/alerts/test_transactions.py pins them."""
PATIENCE = 30.0


async def measure(folder: Path) -> list[Figure]:
    """Raise alerts one after the other, then query a large fleet; returns the figures."""
    async with TelegramStandIn(0) as telegram, open_database(folder / "chat.db") as database:
        telegram.client.add_user(ADMIN, "Ada")
        async with running_rig(telegram, database, admins=(ADMIN,), operators=()) as rig:
            await rig.answer(ADMIN, "/help", "Switchboard")
            alerts = [await _alert(rig, number) for number in range(ALERTS)]
            text = next(m["text"] for m in rig.client.from_bot(ADMIN) if "🚨" in m["text"])
            least_alert = await _least(telegram, text, folder / "floor-chat.db")
            for number in range(ACCOUNTS):
                kind = (State.CONNECTED, Reason.LINKED) if number % 4 else (State.SUSPENDED, Reason.EXHAUSTED)
                rig.accounts.put(_number(number), f"Shop {number}", state=kind[0], reason=kind[1])
            looks = [await _status(rig) for _ in range(LOOKS)]
            shown = max((m["text"] for m in rig.client.from_bot(ADMIN)), key=len)
            least_look = await _least(telegram, shown, None)
    return [
        Figure(
            f"one alert, transition to phone, median of {ALERTS}", 1000 * statistics.median(alerts), "ms",
            floor=1000 * least_alert, by=f"{COMMITS} commits and one call",
        ),
        Figure(
            f"/status over {ACCOUNTS} accounts, median of {LOOKS}", 1000 * statistics.median(looks), "ms", aim=1000,
            at_most=True, floor=1000 * least_look, by="one call",
        ),
    ]  # fmt: skip


def _number(number: int) -> str:
    return f"+4915112{number:06}"


async def _alert(rig: Rig, number: int) -> float:
    """Log an account out; return the seconds until its alert is in the chat."""
    name = f"Alert {number}"
    rig.accounts.put(_number(number), name, linked=True)
    await rig.service.alerts.drain(PATIENCE)
    begun = time.perf_counter()
    rig.accounts.move(_number(number), State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    await _until(lambda: any("🚨" in m["text"] and name in m["text"] for m in rig.client.from_bot(ADMIN)))
    taken = time.perf_counter() - begun
    rig.accounts.move(_number(number), State.CONNECTED, Reason.LINKED)
    await rig.service.alerts.drain(PATIENCE)
    return taken


async def _status(rig: Rig) -> float:
    before = {m["message_id"] for m in rig.client.from_bot(ADMIN)}
    begun = time.perf_counter()
    await rig.say(ADMIN, "/status")
    await _until(
        lambda: any(m["message_id"] not in before and "accounts" in m["text"] for m in rig.client.from_bot(ADMIN))
    )
    return time.perf_counter() - begun


async def _least(telegram: TelegramStandIn, text: str, path: Path | None) -> float:
    """Return the median seconds that a plain client needs to send a text, including the commits if `path` is given."""
    url, taken = f"{telegram.url}/bot{telegram.token}/sendMessage", []
    async with httpx.AsyncClient() as client:
        with contextlib.closing(sqlite3.connect(path or ":memory:")) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("CREATE TABLE floor (text TEXT)")
            for _ in range(20):
                begun = time.perf_counter()
                for _ in range(COMMITS if path is not None else 0):
                    with database:
                        database.execute("INSERT INTO floor VALUES (?)", (text,))
                (await client.post(url, json={"chat_id": ADMIN, "text": text})).raise_for_status()
                taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


async def _until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - seen from outside
            await asyncio.sleep(0.001)
