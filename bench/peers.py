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
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import document
from bench.browser_copy import copied_browser
from bench.ending import ends_children
from bench.peer_engines import PATIENCE, Engine, Peer, Product, Running
from bench.peer_tables import GROWTH, Figures, Start, growth_table, markdown, median, rows
from bench.usage import cpu_by_kind, idle_by_kind, pss_by_kind, thread_times, usage, used_between
from sandbox.telegram import TelegramStandIn
from sandbox.whatsapp import Heavy, Options, PhoneError, Timings, WhatsAppStandIn
from tests.e2e.harness import ADMIN, World
from tests.peers.harness import MODULES, why_not

PAGE_OWN = Timings().load_restored + Timings().open + Timings().sync
"""Seconds that the page itself needs from its first byte until it is synced, whoever drives it."""
SETTLE = 10.0
"""Seconds after the last account is ready until memory is measured."""
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


async def all_ready(running: Running, numbers: Sequence[str]) -> None:
    """Wait until each account has become ready. Raises TimeoutError, which says how many have not."""
    ended = await asyncio.gather(*(running.until_ready(number, after=0) for number in numbers), return_exceptions=True)
    failed = [error for error in ended if isinstance(error, BaseException)]
    if failed and all(isinstance(error, TimeoutError) for error in failed):
        raise TimeoutError(f"{len(failed)} of {len(numbers)} were not ready within {PATIENCE:g} s")
    for error in failed:
        raise error


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
        await all_ready(running, numbers)
        took = time.monotonic() - began
        await asyncio.sleep(SETTLE)  # until the sessions are safe on the disk, whoever keeps them
    return took


async def start(engine: Engine, numbers: Sequence[str], idle: float) -> Start:
    """Start linked accounts, sit still, lose a browser."""
    began = time.monotonic()
    async with engine.running(numbers, link=False) as running:
        await all_ready(running, numbers)
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
async def engine_of(
    side: Side, heavy: Heavy | None, at_once: int | None = None
) -> AsyncIterator[tuple[Engine, WhatsAppStandIn]]:
    """Give one engine a stand-in and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="switchboard-peers-") as folder:
        options = Options(tls=True, timings=Timings(), heavy=heavy)
        async with TelegramStandIn(0) as telegram, WhatsAppStandIn(options) as whatsapp:
            telegram.client.add_user(ADMIN, "Ada")
            if side.engine == Product.name:
                yield Product(World(telegram, whatsapp, Path(folder) / "data"), side.browser), whatsapp
            else:
                yield Peer(whatsapp, Path(folder), side.browser, at_once), whatsapp


def numbers_of(count: int) -> list[str]:
    """Return so many accounts."""
    return [f"+49151{index:08d}" for index in range(11_000_001, 11_000_001 + count)]


async def run_once(side: Side, count: int, idle: float, starts: int, heavy: Heavy | None) -> list[Figures]:
    """Link so many accounts once and start them so often."""
    numbers = numbers_of(count)
    async with engine_of(side, heavy) as (engine, whatsapp):
        linked = await link(engine, whatsapp, numbers)
        return [Figures(linked, **vars(await start(engine, numbers, idle))) for _ in range(starts)]


LINKED_AT_ONCE = {Product.name: GROWTH[-1], Peer.name: 8}
"""The peer shows all codes at once, and of 32 on two cores not every client comes through before it gives up."""


async def grow(
    name: str, side: Side, counts: Sequence[int], heavy: Heavy | None, at_once: int | None
) -> dict[int, Start]:
    """Link the most accounts once, then start so many of them, the most first; what does not start is left out."""
    most = numbers_of(max(counts))
    async with engine_of(side, heavy, at_once) as (engine, whatsapp):
        often = LINKED_AT_ONCE[side.engine]
        for some in (most[at : at + often] for at in range(0, len(most), often)):
            took = await link(engine, whatsapp, some)
            print(f"{name}: {len(some)} linked in {took:.0f} s", file=sys.stderr, flush=True)
        grown = {}
        for count in sorted(counts, reverse=True):
            engine.pause(most[count:])
            try:
                grown[count] = await start(engine, most[:count], 5.0)
            except TimeoutError as error:  # so many are too many here: fewer may not be
                print(f"{name}, {count}: {error}", file=sys.stderr, flush=True)
            else:
                print(f"{name}, {count}: {grown[count]}", file=sys.stderr, flush=True)
        return grown


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
    parser.add_argument("--counts", type=int, nargs="+", default=GROWTH, metavar="N", help="with --growth: these")
    parser.add_argument("--at-once", type=int, metavar="N", help="with --growth: so many peers come up at a time")
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
        counts = [count for count in asked.counts if count <= (asked.accounts or GROWTH[-1])]
        both = {name: side for name, side in sides.items() if name != PEER_ON_SHELL}
        grown = {name: asyncio.run(grow(name, side, counts, heavy, asked.at_once)) for name, side in both.items()}
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
