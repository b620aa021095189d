"""The two that `bench.peers` measures, behind one interface: this product, and whatsapp-web.js in a node process."""

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import psutil

from bench.usage import tree
from sandbox.whatsapp import WhatsAppStandIn
from tests.e2e.harness import ADMIN, World
from tests.peers.harness import Node

PATIENCE = 300.0
LOOK_EVERY = 0.03
CONNECTIONS = "SELECT number FROM transitions WHERE to_state = 'CONNECTED'"
TRUE_SETTINGS = {
    "RECONNECT_DELAYS": "1,2,4,8,16,30", "BREAKER_COOLDOWN_SECONDS": "60", "HEALTH_CHECK_SECONDS": "30",
    "PROBE_TIMEOUT_SECONDS": "10", "KEEP_ALIVE_SECONDS": "60", "STALE_AFTER_SECONDS": "300",
    "STABLE_AFTER_SECONDS": "300", "QR_DEBOUNCE_SECONDS": "2", "CONNECT_TIMEOUT_SECONDS": "60",
    "SYNC_TIMEOUT_SECONDS": "180",
}  # fmt: skip
"""The product's defaults: the harness of the tests sets shorter ones."""


class Engine(Protocol):
    """One way to keep accounts linked: a process that is started on a folder."""

    name: str

    def running(self, numbers: Sequence[str], *, link: bool) -> "contextlib.AbstractAsyncContextManager[Running]":
        """Start it; with `link` each account asks for a code, else it takes its session up."""

    def pause(self, numbers: Sequence[str]) -> None:
        """Let these accounts not be started the next time."""


class Running(Protocol):
    """A started engine."""

    pid: int

    async def codes(self) -> dict[str, str]:
        """Return the newest code of each account that shows one."""

    async def until_ready(self, number: str, *, after: int) -> None:
        """Wait until the account has become ready more than `after` times since the start."""

    def browser_of(self, number: str) -> psutil.Process:
        """Return the main process of the account's browser."""


# --- this product -----------------------------------------------------------------------------------------------------


class Product:
    """Switchboard, linked through its chat."""

    name = "product"

    def __init__(self, world: World, browser: Path) -> None:
        self._world, self._browser = world, browser
        self._decoded: dict[str, str] = {}
        self._counted: Counter[str] = Counter()
        self._counted_at = float("-inf")

    @asynccontextmanager
    async def running(self, numbers: Sequence[str], *, link: bool) -> AsyncIterator["ProductRunning"]:
        settings = {"BROWSER_ARGS": "--ignore-certificate-errors", "CHROMIUM_PATH": str(self._browser)} | TRUE_SETTINGS
        before = {number: self.connections(number) for number in numbers}
        async with self._world.program(**settings) as program:
            if link:
                await self._world.client.send(ADMIN, "/link " + "\n".join(numbers))
            yield ProductRunning(program.process.pid, self, numbers, before)

    def connections(self, number: str) -> int:
        """Return how often the account has become connected; read at most every 30 ms for all of them."""
        if time.monotonic() - self._counted_at >= LOOK_EVERY:
            with contextlib.suppress(sqlite3.OperationalError):  # there is no table yet
                self._counted = Counter(number for (number,) in self._world.rows(CONNECTIONS))
            self._counted_at = time.monotonic()
        return self._counted[number]

    def pause(self, numbers: Sequence[str]) -> None:
        with contextlib.closing(sqlite3.connect(self._world.data_dir / "switchboard.sqlite")) as database, database:
            database.executemany(
                "UPDATE accounts SET wanted = 'suspended' WHERE number = ?", [(number,) for number in numbers]
            )

    def shown(self) -> list[dict[str, Any]]:
        return [message for message in self._world.chat() if message["photo"]]

    def read(self, message: dict[str, Any]) -> str:
        """Return the code in a picture, "" if it holds none; it is decoded once, as a phone would, not at each look."""
        picture = message["photo"]["url"]
        if picture not in self._decoded:
            try:
                self._decoded[picture] = self._world.decode(message)
            except ValueError:  # the picture between two codes
                self._decoded[picture] = ""
        return self._decoded[picture]

    def profile_of(self, number: str) -> str:
        return self._world.profile_name(number)


class ProductRunning:
    """Its process, seen through the chat and the database."""

    def __init__(self, pid: int, product: Product, numbers: Sequence[str], before: dict[str, int]) -> None:
        self.pid, self._product, self._numbers, self._before = pid, product, numbers, before

    async def codes(self) -> dict[str, str]:
        found = {}
        for message in self._product.shown():
            caption = (message.get("caption") or message.get("text") or "").replace(" ", "")
            # The whole number first: the last digits of one may stand in the middle of another's.
            named = [one for one in self._numbers if one in caption] or [
                one for one in self._numbers if one[-4:] in caption
            ]
            number = named[0] if named else None
            if number is not None and (code := self._product.read(message)):
                found[number] = code
        return found

    async def until_ready(self, number: str, *, after: int) -> None:
        await _until(lambda: self._product.connections(number) > self._before[number] + after, f"{number} is ready")

    def browser_of(self, number: str) -> psutil.Process:
        return _browser_with(self.pid, self._product.profile_of(number))


# --- whatsapp-web.js --------------------------------------------------------------------------------------------------


class Peer:
    """whatsapp-web.js: one node process with a client for each account."""

    name = "whatsapp-web.js"

    def __init__(self, whatsapp: WhatsAppStandIn, folder: Path, browser: Path, at_once: int | None) -> None:
        self._whatsapp, self._folder, self._browser, self._at_once = whatsapp, folder, browser, at_once

    def pause(self, numbers: Sequence[str]) -> None:
        """Nothing: only the clients that are named are started."""

    @asynccontextmanager
    async def running(self, numbers: Sequence[str], *, link: bool) -> AsyncIterator["PeerRunning"]:
        del link  # a client without a session shows a code by itself
        arguments = {
            "port": self._whatsapp.port, "profile": str(self._folder), "chromium": str(self._browser),
            "numbers": list(numbers), "atOnce": self._at_once,
        }  # fmt: skip
        async with Node("fleet.mjs", arguments) as node:
            running = PeerRunning(node)
            try:
                yield running
            finally:
                await running.stop()


class PeerRunning:
    """The node process, seen through its events."""

    def __init__(self, node: Node) -> None:
        self.pid = node.pid
        self._node = node
        self._codes: dict[str, str] = {}
        self._ready: dict[str, int] = {}
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for event in self._node.stream():
            match event:
                case ["qr", number, code]:
                    self._codes[number] = code
                case ["ready", number]:
                    self._codes.pop(number, None)
                    self._ready[number] = self._ready.get(number, 0) + 1
                case ["failed", number, why]:
                    print(f"{Peer.name}: {number} is tried again: {why}", file=sys.stderr, flush=True)

    async def stop(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def codes(self) -> dict[str, str]:
        return dict(self._codes)

    async def until_ready(self, number: str, *, after: int) -> None:
        await _until(lambda: self._ready.get(number, 0) > after, f"{number} is ready")

    def browser_of(self, number: str) -> psutil.Process:
        return _browser_with(self.pid, f"session-{number.removeprefix('+')}")


def _browser_with(pid: int, profile: str) -> psutil.Process:
    """Return the browser itself: Debian's is started by a shell script that bears the same arguments."""
    found: psutil.Process | None = None
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            command = process.cmdline()
            named = "chrom" in process.name() or "headless" in process.name()
            is_main = not any(part.startswith("--type=") for part in command)
            if named and is_main and any(profile in part for part in command):
                found = process
    if found is None:
        raise LookupError(f"no browser of {profile}")
    return found


async def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE:g} s: {what}")
        await asyncio.sleep(0.02)
