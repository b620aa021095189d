"""`python -m bench.peers`: this product beside unmodified whatsapp-web.js, in one run, on the same page's true timings.

Both keep N accounts on one stand-in: link them, stop, start again, sit still, lose a browser. One engine runs at a
time, in turn, each several times; what is printed are medians and the ratio of the product to the peer. PSS shares
pages with whatever else runs a Chromium, so let nothing else run one.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import psutil

from bench.usage import tree, usage
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Options, Timings, WhatsAppStandIn
from tests.e2e.harness import ADMIN, World
from tests.peers.harness import Node, browser, why_not

PAGE_OWN = Timings().load_restored + Timings().open + Timings().sync
"""Seconds that the page itself needs from its first byte until it is synced, whoever drives it."""
PATIENCE = 300.0
SETTLE = 10.0
"""Seconds after the last account is ready until memory is measured."""
TRUE_SETTINGS = {
    "RECONNECT_DELAYS": "1,2,4,8,16,30", "BREAKER_COOLDOWN_SECONDS": "60", "HEALTH_CHECK_SECONDS": "30",
    "PROBE_TIMEOUT_SECONDS": "10", "KEEP_ALIVE_SECONDS": "60", "STALE_AFTER_SECONDS": "300",
    "STABLE_AFTER_SECONDS": "300", "QR_DEBOUNCE_SECONDS": "2", "CONNECT_TIMEOUT_SECONDS": "60",
    "SYNC_TIMEOUT_SECONDS": "180",
}  # fmt: skip
"""The product's defaults: the harness of the tests sets shorter ones."""


@dataclass(frozen=True)
class Figures:
    """What one engine did with N accounts in one run. Seconds, bytes; idle: seconds of processor time per second."""

    link: float
    boot: float
    boot_cpu: float
    memory: float
    processes: float
    idle: float
    recovery: float


class Engine(Protocol):
    """One way to keep accounts linked: a process that is started on a folder."""

    name: str

    def running(self, numbers: Sequence[str], *, link: bool) -> "contextlib.AbstractAsyncContextManager[Running]":
        """Start it; with `link` each account asks for a code, else it takes its session up."""


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

    def __init__(self, world: World) -> None:
        self._world = world

    @asynccontextmanager
    async def running(self, numbers: Sequence[str], *, link: bool) -> AsyncIterator["ProductRunning"]:
        settings = {"BROWSER_ARGS": "--ignore-certificate-errors"} | TRUE_SETTINGS
        before = {number: self._connections(number) for number in numbers}
        async with self._world.program(**settings) as program:
            if link:
                await self._world.client.send(ADMIN, "/link " + "\n".join(numbers))
            yield ProductRunning(program.process.pid, self, numbers, before)

    def _connections(self, number: str) -> int:
        with contextlib.suppress(Exception):
            return sum(to == "CONNECTED" for _, to, _ in self._world.transitions(number))
        return 0

    def connections(self, number: str) -> int:
        return self._connections(number)

    def shown(self) -> list[dict[str, Any]]:
        return [message for message in self._world.chat() if message["photo"]]

    def read(self, message: dict[str, Any]) -> str:
        return self._world.decode(message)

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
            number = next((one for one in self._numbers if one in caption or one[-4:] in caption), None)
            if number is not None:
                found[number] = self._product.read(message)
        return found

    async def until_ready(self, number: str, *, after: int) -> None:
        await _until(lambda: self._product.connections(number) > self._before[number] + after, f"{number} is ready")

    def browser_of(self, number: str) -> psutil.Process:
        return _browser_with(self.pid, self._product.profile_of(number))


# --- whatsapp-web.js --------------------------------------------------------------------------------------------------


class Peer:
    """whatsapp-web.js: one node process with a client for each account."""

    name = "whatsapp-web.js"

    def __init__(self, whatsapp: WhatsAppStandIn, folder: Path) -> None:
        self._whatsapp, self._folder = whatsapp, folder

    @asynccontextmanager
    async def running(self, numbers: Sequence[str], *, link: bool) -> AsyncIterator["PeerRunning"]:
        del link  # a client without a session shows a code by itself
        arguments = {
            "port": self._whatsapp.port, "profile": str(self._folder), "chromium": browser(), "numbers": list(numbers)
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

    async def stop(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def codes(self) -> dict[str, str]:
        return dict(self._codes)

    async def until_ready(self, number: str, *, after: int) -> None:
        await _until(lambda: self._ready.get(number, 0) > after, f"{number} is ready")

    def browser_of(self, number: str) -> psutil.Process:
        return _browser_with(self.pid, f"session-{number.removeprefix('+')}")


# --- one run ----------------------------------------------------------------------------------------------------------


async def measure(engine: Engine, whatsapp: WhatsAppStandIn, numbers: Sequence[str], idle: float) -> Figures:
    """Link, stop, start, sit still, lose a browser: with one engine, once."""
    began = time.monotonic()
    async with engine.running(numbers, link=True) as running:
        scanned: set[str] = set()
        while len(scanned) < len(numbers):
            for number, code in (await running.codes()).items():
                if number not in scanned:
                    with contextlib.suppress(LookupError, ValueError):
                        whatsapp.phones.scan(code, number)
                        scanned.add(number)
            await asyncio.sleep(0.1)
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError(f"{engine.name}: only {len(scanned)} of {len(numbers)} showed a code")
        await asyncio.gather(*(running.until_ready(number, after=0) for number in numbers))
        link = time.monotonic() - began
        await asyncio.sleep(SETTLE)  # until the sessions are safe on the disk, whoever keeps them

    began = time.monotonic()
    async with engine.running(numbers, link=False) as running:
        await asyncio.gather(*(running.until_ready(number, after=0) for number in numbers))
        boot = time.monotonic() - began
        boot_cpu = usage(running.pid, memory=False).cpu
        await asyncio.sleep(SETTLE)
        settled = usage(running.pid)
        await asyncio.sleep(idle)
        idled = usage(running.pid, memory=False).cpu - settled.cpu
        victim = running.browser_of(numbers[0])
        began = time.monotonic()
        victim.send_signal(signal.SIGKILL)
        await running.until_ready(numbers[0], after=1)
        recovery = time.monotonic() - began
    return Figures(link, boot, boot_cpu, settled.pss, settled.processes, idled / idle, recovery)


async def run_once(name: str, count: int, idle: float) -> Figures:
    """Give one engine a stand-in and a folder of its own."""
    numbers = [f"+49151{index:08d}" for index in range(11_000_001, 11_000_001 + count)]
    with tempfile.TemporaryDirectory(prefix="switchboard-peers-") as folder:
        options = Options(tls=True, timings=Timings())
        async with TelegramStandIn(0) as telegram, WhatsAppStandIn(options) as whatsapp:
            telegram.client.add_user(ADMIN, "Ada")
            engine: Engine = (
                Product(World(telegram, whatsapp, Path(folder) / "data"))
                if name == Product.name
                else Peer(whatsapp, Path(folder))
            )
            return await measure(engine, whatsapp, numbers, idle)


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
        await asyncio.sleep(0.05)


# --- the table --------------------------------------------------------------------------------------------------------


def median(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return Figures(
        **{each.name: statistics.median(getattr(run, each.name) for run in runs) for each in fields(Figures)}
    )


def rows(one: dict[str, Figures], many: dict[str, Figures], count: int) -> list[tuple[str, float, float, str, float]]:
    """Return what is compared: (figure, product, peer, unit, goal of the ratio)."""
    ours, theirs = many[Product.name], many[Peer.name]
    ours_one, theirs_one = one[Product.name], one[Peer.name]
    mib = 1 << 20

    def further(all_of_them: Figures, single: Figures) -> float:
        return (all_of_them.memory - single.memory) / (count - 1) / mib

    return [
        ("memory for each further account", further(ours, ours_one), further(theirs, theirs_one), "MiB", 0.40),
        (f"memory of all {count}", ours.memory / mib, theirs.memory / mib, "MiB", 0.50),
        (f"boot of {count} linked accounts", ours.boot, theirs.boot, "s", 0.80),
        ("CPU of that boot", ours.boot_cpu, theirs.boot_cpu, "s", 0.40),
        ("crash → ready", ours.recovery, theirs.recovery, "s", 1.0),
        ("recovery beyond the page's own time", ours.recovery - PAGE_OWN, theirs.recovery - PAGE_OWN, "s", 0.40),
        ("idle CPU", ours.idle * 100, theirs.idle * 100, "% of a core", 0.50),
        (f"linking {count}", ours.link, theirs.link, "s", 1.5),
        ("processes for each account", ours.processes / count, theirs.processes / count, "", 0.58),
    ]


def markdown(compared: Sequence[tuple[str, float, float, str, float]]) -> str:
    """Return the table."""
    lines = ["| figure | product | peer | ratio | goal |", "|---|--:|--:|--:|--:|"]
    for what, ours, theirs, unit, goal in compared:
        ratio = ours / theirs if theirs else float("nan")
        missed = "" if ratio <= goal else " (missed)"
        lines.append(f"| {what} | {ours:.3g} {unit} | {theirs:.3g} {unit} | {ratio:.2f}{missed} | ≤ {goal:g} |")
    return "\n".join(lines)


def main() -> int:
    """Measure both in turn and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--accounts", type=int, default=8, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each engine; medians are printed")
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--growth", action="store_true", help="also 1, 2, 4, 8, 16, 32 accounts of the product")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    asked = parser.parse_args()
    if (reason := why_not()) is not None:
        print(f"The peer is skipped: {reason}")
        return 0
    results: dict[str, dict[int, list[Figures]]] = {Product.name: {}, Peer.name: {}}
    for _ in range(asked.runs):
        for count in (1, asked.accounts):
            for name, measured in results.items():
                figures = asyncio.run(run_once(name, count, asked.idle))
                measured.setdefault(count, []).append(figures)
                print(f"{name}, {count}: {figures}", file=sys.stderr, flush=True)
    medians = {name: {count: median(runs) for count, runs in each.items()} for name, each in results.items()}
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {asked.runs} runs of each, medians\n")
    one, many = ({name: each[count] for name, each in medians.items()} for count in (1, asked.accounts))
    print(markdown(rows(one, many, asked.accounts)))
    if asked.growth:
        print("\n| accounts | boot | memory | processes |\n|--:|--:|--:|--:|")
        for count in (1, 2, 4, 8, 16, 32):
            grown = asyncio.run(run_once(Product.name, count, 5.0))
            print(
                f"| {count} | {grown.boot:.1f} s | {grown.memory / (1 << 20):.0f} MiB | {grown.processes:.0f} |",
                flush=True,
            )
    if asked.json is not None:
        every = {name: {n: [vars(run) for run in runs] for n, runs in each.items()} for name, each in results.items()}
        asked.json.write_text(json.dumps(every, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
