"""`python -m bench.detection`: how long it takes until a fault of a page is known, by real driver and real Chromium.

The default policy, and the stand-in with its real pings. What the page itself knows is measured until the driver
reports it, one fault after another; what must be probed until the state of the account says so, on one account each,
side by side. `--short`: the first kind only, in a minute.
"""

import argparse
import asyncio
import logging
import os
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.ending import ends_children
from bench.hostile import NotingDriver, link
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Dialog, Ended, Reloaded, Report, SocketDown
from controller.chromium.session import ChromiumSession
from controller.driver import Opening
from sandbox.whatsapp.switches import LIVE
from tests.controller.nasty import Account, World, a_world

NUMBER = "+49151123457{:02}"
KNOWN_LIMIT, BELIEVED_LIMIT, PROBED_LIMIT = 2.0, 5.0, 75.0
"""Seconds: what the page knows, what must stand for some seconds before it is believed, and what must be probed."""
MOST_WAITED = 180.0


class Timed(NotingDriver):
    """The real driver; it notes when each report came."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self.reports: dict[str, list[tuple[float, Report]]] = {}

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> ChromiumSession:
        """Open a browser, and note what it reports."""
        came = self.reports.setdefault(opening.account, [])

        def note(said: Report) -> None:
            came.append((time.monotonic(), said))
            report(said)

        return await super().open(opening, note)


@dataclass
class Bench:
    """What the cases act on."""

    world: World
    driver: Timed

    def session(self, account: Account) -> ChromiumSession:
        """The account's open browser."""
        return self.driver.sessions[account.number]

    def signal(self, account: Account, kind: str | None, number: int) -> None:
        """Signal the browser's first process, or those of one --type."""
        leader = psutil.Process(self.session(account).pid)
        found = [leader] if kind is None else leader.children(recursive=True)
        for each in found:
            if kind is None or any(word == f"--type={kind}" for word in " ".join(each.cmdline()).split()):
                os.kill(each.pid, number)


Act = Callable[[Bench, Account], object]
KNOWN: list[tuple[str, Act, type[Report], float]] = [
    ("Socket.stream says DISCONNECTED", lambda b, a: b.world.phones.turn("stream", "DISCONNECTED", a.number),
     SocketDown, KNOWN_LIMIT),
    ("Stream.mode says OFFLINE", lambda b, a: b.world.phones.turn("stream_mode", "OFFLINE", a.number), SocketDown,
     KNOWN_LIMIT),
    ("Socket.state says OPENING", lambda b, a: b.world.phones.state("OPENING", number=a.number), SocketDown,
     KNOWN_LIMIT),
    ("a dialog over the page", lambda b, a: b.world.phones.turn("dialog", "whats_new", a.number), Dialog, KNOWN_LIMIT),
    ("a reload by the page itself", lambda b, a: b.world.phones.reload(a.number), Reloaded, KNOWN_LIMIT),
    ("the renderer dies", lambda b, a: b.signal(a, "renderer", signal.SIGKILL), Ended, KNOWN_LIMIT),
    ("the browser dies", lambda b, a: b.signal(a, None, signal.SIGKILL), Ended, KNOWN_LIMIT),
    ("navigation away (believed after 1.5 s)", lambda b, a: b.world.phones.harm("refresh", a.number), Ended,
     KNOWN_LIMIT),
    ("opened elsewhere (believed after 3 s)", lambda b, a: b.world.phones.conflict(a.number), Ended, BELIEVED_LIMIT),
    ("terms-of-service block (believed after 3 s)", lambda b, a: b.world.phones.state("TOS_BLOCK", number=a.number),
     Ended, BELIEVED_LIMIT),
]  # fmt: skip
PROBED: list[tuple[str, Act, Reason]] = [
    ("the renderer is stopped", lambda b, a: b.signal(a, "renderer", signal.SIGSTOP), Reason.UNRESPONSIVE),
    ("the browser is stopped", lambda b, a: b.signal(a, None, signal.SIGSTOP), Reason.SESSION_CLOSED),
    ("the server is silent, the socket open", lambda b, a: b.world.phones.silence(a.number), Reason.CONNECTION_LOST),
    ("the server is silent, and the page calls its socket connected",
     lambda b, a: (b.world.phones.silence(a.number), b.world.phones.turn("dead_socket", "untold", a.number)),
     Reason.CONNECTION_LOST),
    ("the page is in an endless loop", lambda b, a: b.world.phones.hang(a.number), Reason.PAGE_MISBEHAVES),
    ("Socket.stream stays DISCONNECTED", lambda b, a: b.world.phones.turn("stream", "DISCONNECTED", a.number),
     Reason.CONNECTION_LOST),
]  # fmt: skip


async def _again(bench: Bench, account: Account) -> None:
    for name in sorted(LIVE):
        bench.world.switches.set(name, next(row.default for row, _ in bench.world.switches if row.name == name))
    before = len(account.moves)
    await bench.world.reopen(account)
    await account.until(
        lambda: len(account.moves) > before and account.connection.state is State.CONNECTED, MOST_WAITED
    )
    await asyncio.sleep(3)  # until the watcher looks seldom, as at any account that has been connected for a while


async def _known(bench: Bench, account: Account, act: Act, kind: type[Report]) -> float:
    came = bench.driver.reports[account.number]
    count, began = len(came), time.monotonic()
    act(bench, account)
    await account.until(lambda: any(isinstance(said, kind) for _, said in came[count:]), MOST_WAITED)
    return next(at for at, said in came[count:] if isinstance(said, kind)) - began


async def _probed(bench: Bench, account: Account, act: Act, reason: Reason) -> float:
    count, began = len(account.moves), time.monotonic()
    act(bench, account)
    await account.until(lambda: any(each.reason is reason for each in account.moves[count:]), MOST_WAITED)
    return time.monotonic() - began


def _row(what: str, seconds: float, limit: float) -> bool:
    print(f"| {what} | {seconds:.2f} | {limit:g} | {'ok' if seconds <= limit else 'LATE'} |", flush=True)
    return seconds <= limit


async def run(*, short: bool) -> bool:
    """Measure and print; returns whether everything was in time."""
    in_time = True
    pings = {"ping_every": 20.0, "ping_timeout": 13.0}
    with tempfile.TemporaryDirectory(prefix="sb") as folder:
        async with a_world(Path(folder), policy=Policy(), speed=10, timings=pings, connect_timeout=60.0) as world:
            driver = Timed(world.driver)
            world.driver = driver  # type: ignore[assignment]
            bench = Bench(world, driver)
            account = await link(world, NUMBER.format(0))
            for what, act, kind, limit in KNOWN:
                await _again(bench, account)
                in_time &= _row(what, await _known(bench, account, act, kind), limit)
            if short:
                return in_time
            others: list[Account] = [await link(world, NUMBER.format(n + 1)) for n in range(len(PROBED))]
            measured: list[Awaitable[float]] = [
                _probed(bench, other, act, reason) for other, (_, act, reason) in zip(others, PROBED, strict=True)
            ]
            for seconds, (what, _, _) in zip(await asyncio.gather(*measured), PROBED, strict=True):
                in_time &= _row(what, seconds, PROBED_LIMIT)
    return in_time


@ends_children()
def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.detection", description=__doc__)
    parser.add_argument("--short", action="store_true", help="only what the page itself knows, about a minute")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(f"{os.cpu_count()} processors; load of the machine before: {os.getloadavg()[0]:.1f}\n")
    print("| fault | known after s | at most | |\n| --- | --: | --: | --- |", flush=True)
    in_time = asyncio.run(run(short=options.short))
    print(f"\nload of the machine after: {os.getloadavg()[0]:.1f}")
    return 0 if in_time else 1


if __name__ == "__main__":
    raise SystemExit(main())
