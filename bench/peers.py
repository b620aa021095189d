"""`python -m bench.peers`: this product beside unmodified whatsapp-web.js, in one run, on the same page's true timings.

Both keep N accounts on one stand-in: link them, stop, start again, sit still, lose a browser. One engine runs at a
time, in turn, each several times; what is printed are medians and the ratio of the product to the peer. `--quick` links
once and starts three times; `--growth` links 32 once and starts 1 to 32 of them.

Each runs on the browser that it takes by default: the product on the headless shell, the peer on a full Chromium in its
headless mode (Puppeteer's `headless: true`). Where both are installed the peer is measured on the headless shell, too;
where there is one, all run on that. They run copies, whose pages are shared with nobody else (see `browser_copy`).
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from bench import document
from bench.browser_copy import copied_browser
from bench.ending import ends_children
from bench.peer_tables import GROWTH, Figures, Start, growth_table, markdown, median, rows
from bench.usage import cpu_by_kind, idle_by_kind, pss_by_kind, thread_times, tree, usage, used_between
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Heavy, Options, PhoneError, Timings, WhatsAppStandIn
from tests.e2e.harness import ADMIN, World
from tests.peers.harness import MODULES, Node, why_not

PAGE_OWN = Timings().load_restored + Timings().open + Timings().sync
"""Seconds that the page itself needs from its first byte until it is synced, whoever drives it."""
PATIENCE = 300.0
LOOK_EVERY = 0.03
CONNECTIONS = "SELECT number FROM transitions WHERE to_state = 'CONNECTED'"
SETTLE = 10.0
"""Seconds after the last account is ready until memory is measured."""
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

    def __init__(self, whatsapp: WhatsAppStandIn, folder: Path, browser: Path) -> None:
        self._whatsapp, self._folder, self._browser = whatsapp, folder, browser

    def pause(self, numbers: Sequence[str]) -> None:
        """Nothing: only the clients that are named are started."""

    @asynccontextmanager
    async def running(self, numbers: Sequence[str], *, link: bool) -> AsyncIterator["PeerRunning"]:
        del link  # a client without a session shows a code by itself
        arguments = {
            "port": self._whatsapp.port, "profile": str(self._folder), "chromium": str(self._browser),
            "numbers": list(numbers),
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


# --- what is measured -------------------------------------------------------------------------------------------------

PEER_ON_SHELL = f"{Peer.name} on the headless shell"


@dataclass(frozen=True)
class Side:
    """One engine on one browser."""

    engine: str
    browser: Path


def sides_on(browser: Path) -> dict[str, Side]:
    """Return what is measured, by name. browser: the product's; a full Chromium is looked for beside it."""
    full = browser.parent / "chromium"
    sides = {Product.name: Side(Product.name, browser)}
    if browser.name == full.name or not full.is_file():
        return sides | {Peer.name: Side(Peer.name, browser)}
    return sides | {Peer.name: Side(Peer.name, full), PEER_ON_SHELL: Side(Peer.name, browser)}


# --- one run ----------------------------------------------------------------------------------------------------------


async def link(engine: Engine, whatsapp: WhatsAppStandIn, numbers: Sequence[str]) -> float:
    """Link accounts as fast as codes are shown; return the seconds until the last is ready."""
    began = time.monotonic()
    async with engine.running(numbers, link=True) as running:
        scanned: set[str] = set()
        while len(scanned) < len(numbers):
            for number, code in (await running.codes()).items():
                if number not in scanned:
                    with contextlib.suppress(PhoneError):  # dead by now: the next one follows
                        whatsapp.phones.scan(code, number)
                        scanned.add(number)
            await asyncio.sleep(0.1)
            if time.monotonic() - began > PATIENCE + 30 * len(numbers):
                raise TimeoutError(f"{engine.name}: only {len(scanned)} of {len(numbers)} showed a code")
        await asyncio.gather(*(running.until_ready(number, after=0) for number in numbers))
        took = time.monotonic() - began
        await asyncio.sleep(SETTLE)  # until the sessions are safe on the disk, whoever keeps them
    return took


async def start(engine: Engine, numbers: Sequence[str], idle: float) -> Start:
    """Start linked accounts, sit still, lose a browser."""
    began = time.monotonic()
    async with engine.running(numbers, link=False) as running:
        await asyncio.gather(*(running.until_ready(number, after=0) for number in numbers))
        boot = time.monotonic() - began
        boot_cpu, by_kind = usage(running.pid, memory=False).cpu, cpu_by_kind(running.pid)
        print(f"{engine.name}, {len(numbers)}: CPU of the boot by process {by_kind}", file=sys.stderr, flush=True)
        await asyncio.sleep(SETTLE)
        settled = usage(running.pid)
        print(f"{engine.name}, {len(numbers)}: MiB by process {pss_by_kind(running.pid)}", file=sys.stderr, flush=True)
        before = thread_times(running.pid)
        await asyncio.sleep(idle)
        after = thread_times(running.pid)
        idled = used_between(before, after) / idle if idle else float("nan")
        print(f"{engine.name}, {len(numbers)}: idle by process {idle_by_kind(before, after, idle)}", file=sys.stderr)
        victim = running.browser_of(numbers[0])
        began = time.monotonic()
        victim.send_signal(signal.SIGKILL)
        await running.until_ready(numbers[0], after=1)
        recovery = time.monotonic() - began
    return Start(boot, boot_cpu, settled.pss, settled.processes, idled, recovery)


@asynccontextmanager
async def engine_of(side: Side, heavy: Heavy | None) -> AsyncIterator[tuple[Engine, WhatsAppStandIn]]:
    """Give one engine a stand-in and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="switchboard-peers-") as folder:
        options = Options(tls=True, timings=Timings(), heavy=heavy)
        async with TelegramStandIn(0) as telegram, WhatsAppStandIn(options) as whatsapp:
            telegram.client.add_user(ADMIN, "Ada")
            if side.engine == Product.name:
                yield Product(World(telegram, whatsapp, Path(folder) / "data"), side.browser), whatsapp
            else:
                yield Peer(whatsapp, Path(folder), side.browser), whatsapp


def numbers_of(count: int) -> list[str]:
    """Return so many accounts."""
    return [f"+49151{index:08d}" for index in range(11_000_001, 11_000_001 + count)]


async def run_once(side: Side, count: int, idle: float, starts: int, heavy: Heavy | None) -> list[Figures]:
    """Link so many accounts once and start them so often."""
    numbers = numbers_of(count)
    async with engine_of(side, heavy) as (engine, whatsapp):
        linked = await link(engine, whatsapp, numbers)
        return [Figures(linked, **vars(await start(engine, numbers, idle))) for _ in range(starts)]


async def grow(name: str, side: Side, counts: Sequence[int], heavy: Heavy | None) -> dict[int, Start]:
    """Link the most accounts once, then start so many of them, the most first."""
    most = numbers_of(max(counts))
    async with engine_of(side, heavy) as (engine, whatsapp):
        took = await link(engine, whatsapp, most)
        print(f"{name}: {len(most)} linked in {took:.0f} s", file=sys.stderr, flush=True)
        grown = {}
        for count in sorted(counts, reverse=True):
            engine.pause(most[count:])
            grown[count] = await start(engine, most[:count], 5.0)
            print(f"{name}, {count}: {grown[count]}", file=sys.stderr, flush=True)
        return grown


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


# --- the command line -------------------------------------------------------------------------------------------------


def versions(browser: Path) -> str:
    """Return what ran: the browsers, Node.js and the peer."""
    on = dict.fromkeys(document.browser_version(str(side.browser)) for side in sides_on(browser).values())
    packages = json.loads((MODULES.parent / "package-lock.json").read_text("utf-8"))["packages"]
    peer = packages["node_modules/whatsapp-web.js"]["version"]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return f"{' and '.join(on)}, Node.js {node}, whatsapp-web.js {peer}"


@ends_children()
def main() -> int:
    """Measure both in turn and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--accounts", type=int, metavar="N", help="8, or with --growth 32")
    parser.add_argument("--heavy", action="store_true", help="on a page with 5,000 chats, pictures and 150 MiB stored")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="runs of each engine; medians are printed")
    parser.add_argument("--starts", type=int, default=1, metavar="N", help="starts after each linking")
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--quick", action="store_true", help="one linking, three starts, 20 s idle: some ten minutes")
    parser.add_argument("--growth", action="store_true", help="instead: 1, 2, 4, 8, 16, 32 accounts of each engine")
    parser.add_argument("--only", choices=(Product.name, Peer.name), help="one engine, without a table")
    parser.add_argument("--no-shell", action="store_true", help="leave out the peer on the headless shell")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there (docs/benchmarks.md)")
    asked = parser.parse_args()
    if (reason := why_not()) is not None:
        print(f"The peer is skipped: {reason}")
        return 0
    with copied_browser() as browser:
        measure(asked, browser)
    return 0


def measure(asked: argparse.Namespace, browser: Path) -> None:
    """Measure what the command line asks for, and print it."""
    heavy = Heavy() if asked.heavy else None
    where = f"{document.machine()} {versions(browser)}. `{document.command()}`"
    sides = sides_on(browser)
    if asked.only:
        sides = {asked.only: sides[asked.only]}
    if asked.no_shell:
        sides.pop(PEER_ON_SHELL, None)
    if asked.growth:
        counts = [count for count in GROWTH if count <= (asked.accounts or GROWTH[-1])]
        both = {name: side for name, side in sides.items() if name != PEER_ON_SHELL}
        grown = {name: asyncio.run(grow(name, side, counts, heavy)) for name, side in both.items()}
        text = f"## How it grows\n\n{where}\n\n{growth_table(grown)}"
        _give("growth on a heavy page" if heavy else "growth", text, asked.markdown)
        return
    most = asked.accounts or 8
    runs, starts, idle = (1, 3, 20.0) if asked.quick else (asked.runs, asked.starts, asked.idle)
    results: dict[str, dict[int, list[Figures]]] = {name: {} for name in sides}
    for _ in range(runs):
        for count in dict.fromkeys((1, most)):
            for name, measured in results.items():
                often = 1 if asked.quick and count == 1 else starts
                figures = asyncio.run(run_once(sides[name], count, idle, often, heavy))
                measured.setdefault(count, []).extend(figures)
                print(f"{name}, {count}: {figures}", file=sys.stderr, flush=True)
    if asked.json is not None:
        every = {name: {n: [vars(run) for run in runs] for n, runs in each.items()} for name, each in results.items()}
        asked.json.write_text(json.dumps(every, indent=2) + "\n", "utf-8")
    if asked.only:
        return
    medians = {name: {count: median(each) for count, each in counts.items()} for name, counts in results.items()}
    ours = medians.pop(Product.name)
    compared = {
        name: rows(ours[1], theirs[1], ours[most], theirs[most], most, PAGE_OWN) for name, theirs in medians.items()
    }
    how = f"Medians of {runs * starts} starts after {runs} linkings of each; the page itself needs {PAGE_OWN:.1f} s."
    on_heavy = " on a heavy page" if heavy else ""
    text = f"## Beside whatsapp-web.js{on_heavy}\n\n{where} {how}\n\n{markdown(compared)}"
    _give(f"peers{on_heavy}", text, asked.markdown)


def _give(name: str, text: str, file: Path | None) -> None:
    print(text)
    if file is not None:
        document.put(file, name, text)


if __name__ == "__main__":
    sys.exit(main())
