"""`python -m tests.soak`: accounts run for hours amid faults and restarts; reports growth as a table.

A fault each 20 s, a restart each ten minutes, one of them by SIGKILL, one backup during the run that is restored at
the end. Exit code 1 if any row is wrong. docs/soak.md shows a long run; the test suite has a short one.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import psutil

from tests.chaos import faults
from tests.chaos.durations import QUICK_PINGS, SHORT
from tests.chaos.stage import Stage, StageError, stage
from tests.chaos.trial import Fault
from tests.e2e.harness import ROOT, left_behind
from tests.soak.measures import Row, Sample, judge, measures, table

BACK_SECONDS = 180.0
"""Seconds until every account must be CONNECTED again, whatever happened last."""
LEAST_RESTARTS = 2
"""One orderly and one by SIGKILL, however short the run is."""
_WAITING = ("Cards.", "LiveMessage.", "Answers.", "Codes.", "AlertWorker.", "Worker.")


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


class Soak:
    """One soak run."""

    def __init__(self, here: Stage, told: argparse.Namespace) -> None:
        self.here, self.told = here, told
        self.random = random.Random(told.seed)
        self.began = time.monotonic()
        self.samples: list[Sample] = []
        self.rows: list[Row] = []
        self.run = 0
        self.backed_up = False
        self.done: Counter[str] = Counter()

    @property
    def age(self) -> float:
        return time.monotonic() - self.began

    async def all_connected(self, within: float = BACK_SECONDS) -> None:
        here = self.here
        await here.until(
            lambda: all(here.state(each) == "CONNECTED" and here.is_online(each) for each in here.accounts),
            "all accounts connected", within,
        )  # fmt: skip

    async def sample(self) -> None:
        """Take a sample at a calm moment."""
        await self.all_connected()
        here, data_dir = self.here, self.here.here.data_dir
        me = psutil.Process(here.program.process.pid)
        tasks = await here.peep()
        family = here.program.family()[1:]
        values = {
            "controller, memory": me.memory_info().rss,
            "controller, open files": me.num_fds(),
            "controller, threads": me.num_threads(),
            "controller, tasks": sum(n for name, n in tasks.items() if not name.startswith(_WAITING)),
            "browsers, processes": len(family),
            "database": sum(path.stat().st_size for path in data_dir.glob("switchboard.sqlite*")),
            "profiles": _size(data_dir / "profiles"),
            "saved copies": len(list(data_dir.glob("saved/*/*"))),
            "files in run": len(list((data_dir / "run").iterdir())),
            "temporary files": len(list((data_dir.parent / "t").iterdir())),
        }
        with contextlib.suppress(StopIteration, psutil.Error):
            values["Playwright's driver, memory"] = here.node().memory_info().rss
        sample = Sample(self.run, round(self.age, 1), {name: float(value) for name, value in values.items()})
        self.samples.append(sample)
        if self.told.samples:
            with self.told.samples.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(sample)) + "\n")

    # --- events -------------------------------------------------------------------------------------------------------

    async def fault(self, chosen: list[Fault]) -> None:
        """Inject one fault; one that is impossible at this moment is skipped and counted."""
        account, fault = self.random.choice(self.here.accounts), self.random.choice(chosen)
        try:
            await fault.do(self.here, account)
            self.done[fault.name] += 1
            if fault.cure is not None:
                await asyncio.sleep(3)
                await fault.cure(self.here, account)
        except (StageError, psutil.Error, StopIteration):
            self.done["not possible just then"] += 1

    async def restart(self, number: signal.Signals) -> None:
        """Stop the program and restart it; all accounts reconnect without a code."""
        row = Row(f"restart {self.run + 1} ({number.name})")
        photos = self._photos()
        self.here.program.send(number)
        with contextlib.suppress(TimeoutError):
            code = await self.here.program.ended(60)
            if number is signal.SIGTERM and code != 0:
                row.wrong.append(f"it ended with {code}")
        await self.here.stop()
        await self._nothing_left(row)
        began = time.monotonic()
        await self.here.start()
        self.run += 1
        await self.all_connected()
        row.note = f"all back after {time.monotonic() - began:.0f} s"
        if self._photos() != photos:
            row.wrong.append("a code was shown")
        self.rows.append(row)
        say(f"{row.what}: {row.verdict}")

    async def backup(self, target: Path) -> Row:
        """Make a backup while accounts run."""
        row = Row("backup while they run")
        process = await self._command("backup", str(target), DATA_DIR=str(self.here.here.data_dir))
        if process:
            row.wrong.append(process)
        else:
            self.backed_up = True
            row.note = f"{_size(target.parent, target.name) / 1e6:.1f} MB"
        say(f"{row.what}: {row.verdict}")
        return row

    async def come_back_from(self, target: Path) -> Row:
        """Restore it elsewhere; all accounts reconnect without a code."""
        row = Row("backup restored elsewhere")
        here = self.here.here
        before, photos = here.data_dir, self._photos()
        elsewhere = before.parent / "elsewhere"
        problem = await self._command("restore-backup", str(target), DATA_DIR=str(elsewhere))
        if problem:
            row.wrong.append(problem)
            return row
        here.data_dir = elsewhere
        began = time.monotonic()
        await self.here.start()
        try:
            await self.all_connected()
            row.note = f"{len(self.here.accounts)} accounts back after {time.monotonic() - began:.0f} s, without a code"
            if self._photos() != photos:
                row.wrong.append("a code was shown")
        except StageError as error:
            row.wrong.append(str(error))
        finally:
            code = await self.here.stop()
            if code != 0:
                row.wrong.append(f"it ended with {code}")
            here.data_dir = before
        return row

    async def _command(self, *words: str, **settings: str) -> str:
        """Run one of the program's commands; return its error output, empty if it succeeded."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "switchboard", *words, cwd=self.here.here.data_dir.parent,
            env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "PROFILE_KEY": self.here.settings["PROFILE_KEY"]}
            | settings,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        _, errors = await asyncio.wait_for(process.communicate(), 300)
        return "" if process.returncode == 0 else f"{process.returncode}: {errors.decode().strip()}"

    def _photos(self) -> int:
        return len(self.here.here.client.requests("sendPhoto"))

    async def _nothing_left(self, row: Row) -> None:
        deadline = time.monotonic() + 10 * self.told.patience
        while (left := left_behind(self.here.here.data_dir)) and time.monotonic() < deadline:  # noqa: ASYNC110 - processes send no event
            await asyncio.sleep(0.1)
        if left:
            row.wrong.append(f"{len(left)} processes live on")

    # --- the whole run ------------------------------------------------------------------------------------------------

    async def go(self, target: Path) -> None:
        told = self.told
        chosen = [*faults.crashes(), *faults.survived(), *faults.shared(self.here)[:1]]
        chosen = [fault for fault in chosen if fault.prepare is None]
        restarts = 0
        next_restart, next_fault = told.restart_every, told.every
        await self.sample()
        while self.age < told.seconds or restarts < LEAST_RESTARTS:
            await asyncio.sleep(max(0.0, min(next_fault, next_restart, told.seconds) - self.age))
            if self.age >= min(next_restart, told.seconds):
                restarts += 1
                await self.restart(signal.SIGKILL if restarts == 2 else signal.SIGTERM)
                next_restart = max(next_restart + told.restart_every, self.age)
                await self.sample()
            if not self.backed_up and self.age > told.seconds / 2:
                self.rows.append(await self.backup(target))
            await self.fault(chosen)
            next_fault = max(next_fault + told.every, self.age)
            await asyncio.sleep(min(told.every / 2, 10))
            with contextlib.suppress(StageError):
                await self.sample()
        await self.sample()

    async def end(self, target: Path) -> None:
        """Judge, stop in order, check for leftovers, and restore the backup."""
        here = self.here
        numbers = [each.number for each in here.accounts]
        count = sum(len(here.here.transitions(number)) for number in numbers)
        self.rows = [judge(measure, self.samples) for measure in measures(len(numbers), count)] + self.rows
        row = Row("the end (SIGTERM)")
        began = time.monotonic()
        code = await here.stop()
        row.note = f"exit code 0 after {time.monotonic() - began:.0f} s, nothing left"
        if code != 0:
            row.wrong.append(f"it ended with {code}")
        await self._nothing_left(row)
        census = here.census()
        if not census.clean:
            row.wrong.append(f"left behind: {census}")
        if here.here.rows("PRAGMA integrity_check") != [("ok",)]:
            row.wrong.append("the database is damaged")
        self.rows.append(row)
        if self.backed_up:
            self.rows.append(await self.come_back_from(target))


def _size(folder: Path, only: str = "") -> int:
    """Return the size of a folder's files (only those of one name); browsers add and remove some meanwhile."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in (each for each in names if only in {"", each}):
            with contextlib.suppress(OSError):
                total += (Path(base) / name).lstat().st_size
    return total


def _new_key() -> str:
    command = [sys.executable, "-m", "switchboard", "new-key"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout.strip()


async def soak(told: argparse.Namespace) -> list[Row]:
    """Run it and return the rows."""
    settings = SHORT | {"PROFILE_KEY": _new_key(), "CONNECT_TIMEOUT_SECONDS": "60", "LAUNCH_SLOTS": "2"}
    with tempfile.TemporaryDirectory(prefix="sb") as folder:
        say(f"Linking {told.accounts} accounts")
        async with stage(
            Path(folder), accounts=told.accounts, settings=settings, pings=QUICK_PINGS, patience=told.patience
        ) as here:
            running, target = Soak(here, told), Path(folder) / "backup.tar.gz.age"
            try:
                await running.go(target)
                await running.end(target)
            except StageError as error:
                running.rows.append(Row("the run itself", wrong=[f"given up: {error}"]))
            finally:
                if told.log:
                    told.log.write_text("\n".join([*here.logs, *here.program.lines]) + "\n", encoding="utf-8")
            happened = ", ".join(f"{n} × {name}" for name, n in running.done.most_common())
            say(f"{running.age:.0f} s, {len(running.samples)} calm moments, {running.run} restarts; {happened}")
    return running.rows


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=7200)
    parser.add_argument("--accounts", type=int, default=12)
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two faults")
    parser.add_argument("--restart-every", type=float, help="seconds; ten minutes, or less in a short run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=float, default=3.0, help="by what times for linking are multiplied")
    parser.add_argument("--log", type=Path, help="where the program's log is written in the end")
    parser.add_argument("--samples", type=Path, help="where each calm moment is written, as a line of JSON")
    told = parser.parse_args(argv)
    if told.restart_every is None:
        told.restart_every = min(600.0, told.seconds / 3)
    rows = asyncio.run(soak(told))
    wrong = sum(bool(row.wrong) for row in rows)
    sys.stdout.write(f"\n{table(rows)}\n\n{len(rows)} rows, {wrong} WRONG\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
