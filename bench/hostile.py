"""`python -m bench.hostile`: one account's page turns hostile beside five good ones: how the good ones suffer.

Real driver, real Chromium, the default policy, and the stand-in at real speed. For each kind of harm, the hostile
account's open page, and each page that it loads afterwards, does that harm; no other page loads meanwhile. Each good
account is probed every second, with the policy's deadline. The bench stops by itself: after the last kind, or when the
machine runs short of memory.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.ending import ends_children
from controller.accounts.notices import Transition
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.reports import Health, Report
from controller.chromium import Bounds, ChromiumDriver
from controller.chromium.process.bounds import MIB, rough_usage
from controller.chromium.session import ChromiumSession
from controller.driver import Opening
from sandbox.whatsapp import PhoneError
from sandbox.whatsapp.switches import HARMS
from tests.controller.nasty import Account, World, a_world

KINDS = ("popups", "reports", "errors", "busy", "memory", "sockets", "sandboxed")
HOSTILE = "+4915112345670"
PROBE_EVERY = 1.0
MEASURE_EVERY = 0.5
MOST_WAITED = 180.0
"""Seconds within which the hostile account must reconnect once its page is harmless again."""
SPARE = 1500 * MIB
"""Bytes of memory that must stay available on the machine: with less, the bench ends at once."""


class NotingDriver:
    """The real driver, which also records each account's open session."""

    def __init__(self, driver: ChromiumDriver) -> None:
        self._driver = driver
        self.sessions: dict[str, ChromiumSession] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> ChromiumSession:
        """Open a browser and record its session."""
        self.sessions[opening.account] = session = await self._driver.open(opening, report)
        return session


@dataclass
class Seen:
    """The measurements for one kind of harm. Times in seconds, memory in bytes."""

    kind: str
    probes: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    good_transitions: int = 0
    ended: str = "not ended"
    ends: int = 0
    ended_after: float | None = None
    past_bound_after: float | None = None
    hostile_memory: int = 0
    hostile_processes: int = 0
    all_memory: int = 0
    driver_cpu: float = 0.0
    own_cpu: float = 0.0

    def row(self) -> str:
        """Return one row of the table."""
        ordered = sorted(self.probes) or [0.0]
        after = "" if self.ended_after is None else f" after {self.ended_after:.1f} s"
        after += f", {self.ends} times in all" if self.ends > 1 else ""
        if (
            self.ended_after is not None
            and self.past_bound_after is not None
            and self.past_bound_after < self.ended_after
        ):
            after += f" ({self.ended_after - self.past_bound_after:.1f} s past its bound)"
        return (
            f"| {self.kind} | {self.ended}{after} | {len(self.probes)} | {len(self.failed)} "
            f"| {ordered[len(ordered) // 2]:.2f} | {ordered[int(len(ordered) * 0.99)]:.2f} | {ordered[-1]:.2f} "
            f"| {self.good_transitions} | {self.hostile_memory // MIB} | {self.hostile_processes} "
            f"| {self.all_memory // MIB} | {self.driver_cpu:.1f} | {self.own_cpu:.1f} |"
        )


HEAD = (
    "| kind | hostile account | probes of the good ones | failed or late | median s | 99 % s | slowest s "
    "| their transitions | its most MiB | its most processes | all browsers' most MiB | driver's CPU s "
    "| controller's CPU s |\n"
    "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
)


async def probe(noting: NotingDriver, number: str, seen: Seen, deadline: float) -> None:
    """Probe one account until cancelled."""
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(deadline):
                health = await noting.sessions[number].probe()
        except TimeoutError:
            health = Health(noting.sessions[number].reached, "no answer in time")
        seen.probes.append(time.monotonic() - began)
        if health.failed is not None:
            seen.failed.append(f"{number}: {health.failed}, {health.detail}")
        await asyncio.sleep(PROBE_EVERY)


async def measure(noting: NotingDriver, seen: Seen, bound: int) -> None:
    """Record the peak usage of the browsers until cancelled. Raises RuntimeError if memory runs short."""
    began = time.monotonic()
    while True:
        pids = {number: session.pid for number, session in noting.sessions.items()}
        used = await asyncio.to_thread(rough_usage, pids.values())
        own = used[pids[HOSTILE]]
        if own.memory > bound and seen.past_bound_after is None:
            seen.past_bound_after = time.monotonic() - began
        seen.hostile_memory = max(seen.hostile_memory, own.memory)
        seen.hostile_processes = max(seen.hostile_processes, own.processes)
        seen.all_memory = max(seen.all_memory, sum(each.memory for each in used.values()))
        if psutil.virtual_memory().available < SPARE:
            raise RuntimeError("this machine has too little memory left: given up")
        await asyncio.sleep(MEASURE_EVERY)


def _transitions(accounts: Iterable[Account]) -> int:
    return sum(len(each.moves) for each in accounts)


def _cpu(pid: int) -> float:
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


async def harm(world: World, noting: NotingDriver, accounts: list[Account], kind: str, seconds: float) -> Seen:
    """Let the first account's page do one kind of harm, and measure the others."""
    bad, *good = accounts
    seen = Seen(kind)
    node = noting.sessions[HOSTILE]._parts.node.pid  # noqa: SLF001 - only this bench needs it
    before, cpu, own, moves = _transitions(good), _cpu(node), _cpu(os.getpid()), len(bad.moves)
    tasks = [asyncio.create_task(probe(noting, each.number, seen, world.policy.probe_timeout)) for each in good]
    tasks.append(asyncio.create_task(measure(noting, seen, Bounds().memory)))
    began = time.monotonic()
    world.switches.set("hostile", kind)
    world.phones.harm(kind, HOSTILE)
    while time.monotonic() - began < seconds and not any(task.done() for task in tasks):
        first: Transition | None = next(iter(bad.moves[moves:]), None)
        if first is not None and seen.ended_after is None:
            seen.ended, seen.ended_after = f"{first.state} ({first.reason})", time.monotonic() - began
        await asyncio.sleep(0.05)
    world.switches.set("hostile", "off")
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    seen.ends = sum(move.reason is Reason.PAGE_MISBEHAVES for move in bad.moves[moves:])
    seen.good_transitions = _transitions(good) - before
    seen.driver_cpu, seen.own_cpu = _cpu(node) - cpu, _cpu(os.getpid()) - own
    return seen


async def recover(world: World, account: Account) -> None:
    """Reload with a harmless page and wait until the account is connected again."""
    before = len(account.moves)
    await world.reopen(account)
    await account.until(
        lambda: len(account.moves) > before and account.connection.state is State.CONNECTED, MOST_WAITED
    )


async def link(world: World, number: str) -> Account:
    """Link an account, retrying as often as a busy machine needs."""
    account = world.account(number)
    await account.manager.start()

    def scanned() -> bool:
        with contextlib.suppress(PhoneError, IndexError):
            return bool(world.phones.scan(account.codes[-1], number))
        return False

    await account.until(scanned, MOST_WAITED)
    await account.until(lambda: account.connection.state is State.CONNECTED, MOST_WAITED)
    return account


async def run(kinds: list[str], seconds: float, good: int) -> list[Seen]:
    """Link all accounts, then try one kind of harm after another."""
    found = []
    with tempfile.TemporaryDirectory(prefix="sb") as folder:
        async with a_world(Path(folder), policy=Policy(), speed=1, connect_timeout=60.0) as world:
            noting = NotingDriver(world.driver)
            world.driver = noting  # type: ignore[assignment]
            world.switches.set("no_csp", value=True)
            numbers = [HOSTILE, *(f"+491511234568{place}" for place in range(good))]
            accounts = await asyncio.gather(*(link(world, number) for number in numbers))
            for kind in ("off", *kinds):
                if kind == "off":  # what the probes take while nobody does harm
                    found.append(await harm_nobody(world, noting, accounts, min(seconds / 2, 30)))
                else:
                    found.append(await harm(world, noting, accounts, kind, seconds))
                    await recover(world, accounts[0])
                print(found[-1].row(), *found[-1].failed[:3], sep="\n", flush=True)
    return found


async def harm_nobody(world: World, noting: NotingDriver, accounts: list[Account], seconds: float) -> Seen:
    """Take the same measurements while all pages are harmless."""
    seen = Seen("none", ended="–")
    tasks = [asyncio.create_task(probe(noting, each.number, seen, world.policy.probe_timeout)) for each in accounts[1:]]
    tasks.append(asyncio.create_task(measure(noting, seen, Bounds().memory)))
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seen


@ends_children()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each kind (default 60)")
    parser.add_argument("--good", type=int, default=5, help="accounts beside the hostile one (default 5)")
    parser.add_argument("kinds", nargs="*", default=KINDS, help=f"of {', '.join(HARMS)} (default {' '.join(KINDS)})")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    print(f"{os.cpu_count()} processors; load of the machine before: {os.getloadavg()[0]:.1f}\n\n{HEAD}", flush=True)
    asyncio.run(run(list(options.kinds), options.seconds, options.good))
    print(f"\nload of the machine after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
