"""`python -m tests.chaos`: every fault, one table, exit code 1 if any row violates the contract."""

import argparse
import asyncio
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import document
from bench.ending import ends_children
from tests.chaos import faults, field, hosts, outages, pairs, parts, stops, trial, waits, watchers
from tests.chaos.durations import MEASURED, Pace
from tests.chaos.durations import QUICK as QUICK_PACE
from tests.chaos.stage import Stage, StageError, stage
from tests.chaos.table import Row, line, markdown
from tests.chaos.trial import Fault
from tests.e2e.harness import ROOT, left_behind

QUICK = (
    "page hangs in a loop",
    "renderer killed",
    "browser killed (-9)",
    "logged out on the phone",
    "Playwright's driver killed",
    "controller killed (-9), restarted",
)
QUICK_WATCHED = ("outside: the program is stopped (SIGSTOP)", "outside: the alerts' workers end")

MOST_STANDING = 5.0
"""Seconds that the loop of all stand-ins may stand still: a page waits 13 for an answer to its ping."""
LOOK_EVERY = 0.5
PART = "one run"
"""The name of the part of docs/chaos.md that a run writes; all else there is written by hand."""


def say(text: str) -> None:
    """Print at once, for people who watch."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def _side_by_side(here: Stage, chosen: list[Fault], done: Callable[[Row], None]) -> None:
    """Run each fault on its own account, all at once: a hang takes a minute in which nothing else happens."""
    size = len(here.accounts)
    for first in range(0, len(chosen), size):
        batch = chosen[first : first + size]
        pairs_of = zip(batch, here.accounts, strict=False)
        rows = await asyncio.gather(*(trial.run(here, fault, account, alone=False) for fault, account in pairs_of))
        await trial.look_for_rest(here, rows)
        for row in rows:
            done(row)


async def _everything(here: Stage, told: argparse.Namespace, done: Callable[[Row], None]) -> None:
    wanted = lambda name: any(part in name for part in told.only) if told.only else not told.quick or name in QUICK
    picked = lambda table: [each for each in table if wanted(each.name) and told.part.has(each.name)]
    await _side_by_side(here, picked(faults.hangs(here)), done)
    serial = [
        *faults.crashes(), *faults.survived(), *faults.people(), *faults.pages(here), *field.all_of(here),
        *faults.shared(here),
    ]  # fmt: skip
    for place, fault in enumerate(picked(serial)):
        sounds = fault.expected.alerts != (0, 0)
        done(await trial.run(here, fault, here.calmest() if sounds else here.accounts[place % len(here.accounts)]))
    for name, outage in outages.outages(here):
        if wanted(name) and told.part.has(name):
            done(await outages.perform(here, name, outage))
    if wanted("two at a time") and told.part.has("two at a time") and told.minutes > 0:
        done(await pairs.run(here, told.minutes, told.seed, say))


async def chaos(told: argparse.Namespace) -> list[Row]:
    """Run everything and return the rows; the last one is about the end of the program."""
    rows: list[Row] = []

    def done(row: Row) -> None:
        rows.append(row)
        say(line(row))
        if told.rows:
            parts.write(row, told.rows)

    pace = QUICK_PACE if told.quick else MEASURED
    standing_still = asyncio.create_task(_watch_itself(done, MOST_STANDING * pace.patience), name="watch of this loop")
    background = asyncio.gather(_watched(told, done), waits.run(_picked(waits.NAMES, told), pace, done))
    try:
        if told.quick:
            await background  # which runs among other tests: one thing at a time
        await _foreground(told, pace, done)
        await background
    finally:
        standing_still.cancel()
        background.cancel()
    return rows


async def _watch_itself(done: Callable[[Row], None], most: float) -> None:
    """Report when this loop stood still: nothing of the stand-ins answers then, so that good rows look wrong."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(LOOK_EVERY)
        if (stood := time.monotonic() - began - LOOK_EVERY) > most:
            done(Row("the run itself", wrong=[f"its stand-ins stood still for {stood:.1f} s"]))


def _picked(names: Iterable[str], told: argparse.Namespace) -> list[str]:
    """Choose among rows that the short form leaves out."""
    if told.quick or not told.part.has_programs_of_their_own:
        return []
    return [name for name in names if not told.only or any(part in name for part in told.only)]


async def _foreground(told: argparse.Namespace, pace: Pace, done: Callable[[Row], None]) -> None:
    await hosts.run(_picked(hosts.TRIALS, told), done)
    if told.only and all("outside" in each or "host:" in each or each in waits.NAMES for each in told.only):
        return
    if told.part.has_shared_program:
        await _shared(told, pace, done)
    if _picked(["SIGTERM at moments"], told):
        with tempfile.TemporaryDirectory(prefix="sb") as folder:
            done(await stops.run(Path(folder)))


async def _shared(told: argparse.Namespace, pace: Pace, done: Callable[[Row], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="sb") as folder:
        async with stage(
            Path(folder), accounts=told.accounts, settings=pace.settings, pings=pace.pings, patience=pace.patience
        ) as here:
            try:
                await _everything(here, told, done)
                done(await _end(here))
            except StageError as error:
                done(Row("the run itself", wrong=[f"given up: {error}"]))
            finally:
                if here.running is not None:
                    await here.stop()
                if told.log:
                    here.logs += ["", "The alert chat:", *map(str, here.here.client.from_bot(here.alert_chat))]
                    told.log.write_text("\n".join(here.logs) + "\n", encoding="utf-8")


async def _watched(told: argparse.Namespace, done: Callable[[Row], None]) -> None:
    """The rows about external monitoring: separate programs, side by side."""
    if not told.part.has_programs_of_their_own:
        return
    if told.only:
        names = [name for name in watchers.TRIALS if any(part in name for part in told.only)]
    else:
        names = list(QUICK_WATCHED if told.quick else watchers.TRIALS)
    for row in await watchers.run(names, watchers.SHORT if told.quick else watchers.DEFAULTS):
        done(row)


async def _end(here: Stage) -> Row:
    """Stop with SIGTERM: exit 0, nothing left, the database intact."""
    row = Row(parts.END, layer="controller")
    began = time.monotonic()
    code = await here.stop()
    row.detected = time.monotonic() - began
    if code != 0 or row.detected > outages.STOP_LIMIT * here.patience:
        row.wrong.append(f"it ended with {code} after {row.detected:.0f} s")
    deadline = time.monotonic() + 5 * here.patience
    while left_behind(here.here.data_dir) and time.monotonic() < deadline:  # noqa: ASYNC110 - processes send no event
        await asyncio.sleep(0.1)
    census = here.census()
    row.left = str(census)
    if not census.clean:
        row.wrong.append("something is left behind")
    if here.here.rows("PRAGMA integrity_check") != [("ok",)]:
        row.wrong.append("the database is damaged")
    row.note = "detected: until exit 0"
    return row


def _about(told: argparse.Namespace) -> str:
    """Describe this run in one line: command, date, commit, machine, versions."""
    command = f"python -m tests.chaos --minutes {told.minutes:g} --seed {told.seed}"
    parts_of_it = f" --parts {told.parts}" if told.parts > 1 else ""
    commit = _output_of(["git", "rev-parse", "--short", "HEAD"]) or "unknown"
    settings = "short settings" if told.quick else "the default settings"
    side_by_side = f", in {told.parts} parts side by side" if told.parts > 1 else ""
    return (
        f"`{command}{parts_of_it}` with {told.accounts} accounts on {datetime.now(UTC):%d %B %Y}: commit {commit}, "
        f"{len(_cores())} cores, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}, "
        f"Playwright {version('playwright')}, {_browser()}, with {settings}{side_by_side}."
    )


def _cores() -> set[int]:
    import os

    return os.sched_getaffinity(0)


def _browser() -> str:
    command = [
        sys.executable,
        "-c",
        "from controller.chromium.process.find import find_executable; print(find_executable(None))",
    ]
    path = _output_of(command)
    named = _output_of([path, "--version"])
    return f"{Path(path).name} ({named})" if named else Path(path).name


def _output_of(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _options(told: argparse.Namespace) -> list[str]:
    """Return what each part is told."""
    options = [f"--accounts={told.accounts}", f"--minutes={told.minutes:g}", f"--seed={told.seed}"]
    return options + ["--quick"] * told.quick + [f"--only={text}" for text in told.only]


def main(argv: list[str] | None = None, run: Callable[..., Awaitable[list[Row]]] = chaos) -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a handful of rows on short settings, under a minute")
    parser.add_argument(
        "--accounts", type=int, choices=range(1, 7), metavar="1–6", help="how many (default 6, quick 3)"
    )
    parser.add_argument("--minutes", type=float, default=4, help="of two faults at a time (default 4)")
    parser.add_argument("--seed", type=int, default=1, help="of their choice (default 1)")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="rows whose name has this in it")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too, between its marks")
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep what the program wrote")
    parser.add_argument(
        "--parts", type=int, default=1, help="run so many parts side by side (2 cores: 4, quarter of an hour)"
    )
    parser.add_argument("--part", type=parts.Part.parse, default=parts.Part(), metavar="2/4", help="of the faults")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="append each row there, as JSON")
    told = parser.parse_args(argv)
    told.accounts = told.accounts or (3 if told.quick else 6)
    if told.parts > 1:
        with tempfile.TemporaryDirectory(prefix="sb") as folder, ends_children():
            rows = asyncio.run(parts.run_all(told.parts, _options(told), Path(folder)))
    else:
        rows = asyncio.run(run(told))
    say("\n" + markdown(rows))
    wrong = [row for row in rows if row.wrong]
    say(f"\n{len(rows)} rows, {len(wrong)} WRONG")
    if told.markdown:
        document.put(told.markdown, PART, f"{_about(told)}\n\n{markdown(rows)}", head="# What it survives\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
