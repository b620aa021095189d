"""`python -m bench.idle`: what accounts cost that are connected and have nothing to do, beside another checkout.

Real driver, real Chromium, the default policy, the stand-in at its real pace and in the same process as the managers,
which is a small part of the figure in both. With `--beside` the other checkout (`git worktree add`) is measured at the
same time with its own code, so that whatever else runs slows both alike; this file imports only what both have.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.controller import nasty

SETTLES = 20.0
"""Seconds after the last account is connected: compiling, first queries and caches are over."""
LINKS_WITHIN = 300.0


def _cpu() -> dict[str, float]:
    """Return the processor time of this process, and of all that it has started, in seconds.

    By thread, in nanoseconds: ticks of 10 ms are too coarse for what hardly does anything.
    """
    own = psutil.Process()
    found = {"controller and stand-in": _of_threads(own), "browsers and driver": 0.0}
    for each in own.children(recursive=True):
        found["browsers and driver"] += _of_threads(each)
    return found


def _of_threads(process: psutil.Process) -> float:
    spent = 0
    for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            spent += int(path.read_text("ascii").split()[0])
    return spent / 1e9


def _is_connected(account: nasty.Account) -> bool:
    return str(account.moves[-1].state) == "CONNECTED"


async def measure(accounts: int, seconds: float) -> dict[str, float]:
    """Return shares of one processor, in percent, by what uses them."""
    nasty.WITHIN = LINKS_WITHIN
    policy = nasty.POLICY.__class__()  # the default one, wherever that checkout has it
    with tempfile.TemporaryDirectory(prefix="sbi") as folder:
        async with nasty.a_world(Path(folder), policy=policy, speed=1, connect_timeout=60.0) as world:
            idle = []
            for number in range(accounts):
                account = world.account(f"+49151123458{number:02}")
                await account.manager.start()
                await world.scan(account)
                await account.until(functools.partial(_is_connected, account), LINKS_WITHIN)
                idle.append(account)
            await asyncio.sleep(SETTLES)
            moves = [len(account.moves) for account in idle]
            before, began = _cpu(), time.monotonic()
            await asyncio.sleep(seconds)
            after, passed = _cpu(), time.monotonic() - began
            if moves != [len(account.moves) for account in idle]:
                raise RuntimeError("an account did not stay idle: measure again")
    return {what: 100 * (after[what] - before[what]) / passed for what in after}


def _measured(checkout: Path, accounts: int, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).resolve()), "--json"]
    command += ["--accounts", str(accounts), "--seconds", f"{seconds:g}"]
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve())}
    return subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--accounts", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=120.0, help="to measure (default 120)")
    parser.add_argument("--beside", type=Path, metavar="DIR", help="another checkout, measured at the same time")
    parser.add_argument("--json", action="store_true", help="print the figures only")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.json:
        print(json.dumps(asyncio.run(measure(options.accounts, options.seconds))))
        return
    from bench.ending import ends_children

    with ends_children():
        _compare(options)


def _compare(options: argparse.Namespace) -> None:
    # Each in a process of its own: neither counts the other's browsers among what it has started.
    own = _measured(Path(__file__).resolve().parents[1], options.accounts, options.seconds)
    other = _measured(options.beside, options.accounts, options.seconds) if options.beside else None
    here: dict[str, float] = json.loads(own.communicate()[0])
    there: dict[str, float] = json.loads(other.communicate()[0]) if other is not None else {}
    print(f"{options.accounts} idle accounts, {options.seconds:g} s; load of the machine: {os.getloadavg()[0]:.1f}\n")
    print(f"| % of a processor | here | {options.beside.name if options.beside else '–'} | ratio |\n|---|--:|--:|--:|")
    for what, figures in [(each, (here[each], there.get(each))) for each in here] + [
        ("all", (sum(here.values()), sum(there.values()) or None))
    ]:
        mine, theirs = figures
        print(f"| {what} | {mine:.1f} | " + (f"{theirs:.1f} | {mine / theirs:.2f} |" if theirs else "– | – |"))


if __name__ == "__main__":
    main()
