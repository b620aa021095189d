"""The faults in parts, each a program of its own side by side: one after another they take over half an hour.

The first part has what runs in programs of its own anyway (hosts, watchers, long waits, the moments of SIGTERM); the
faults of the shared program are divided among the others.
"""

import asyncio
import json
import sys
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.table import Row, line
from tests.e2e.harness import ROOT

BETWEEN_STARTS = 20.0
"""Seconds: each begins with linking its accounts, which is most of what it costs."""
END = "SIGTERM at the end"
"""The row with which each part ends."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the faults that one run has: from 1. The only one has all."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Read "2/4". Raises ValueError."""
        number, of = map(int, text.split("/"))
        if not 1 <= number <= of:
            raise ValueError(text)
        return cls(number, of)

    @property
    def has_programs_of_their_own(self) -> bool:
        """Whether it has the faults that are not done to the shared program."""
        return self.number == 1

    @property
    def has_shared_program(self) -> bool:
        """Whether it has any of the others."""
        return self.of == 1 or self.number > 1

    def has(self, fault: str) -> bool:
        """Whether it has this fault of the shared program."""
        return self.of == 1 or zlib.crc32(fault.encode()) % (self.of - 1) == self.number - 2


async def run_all(count: int, options: Sequence[str], folder: Path) -> list[Row]:
    """Run so many parts side by side with these options; print and return their rows. Of their ends one is shown."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_run(Part(number, count), options, folder)) for number in range(1, count + 1)]
    rows = [row for task in tasks for row in task.result()]
    ends = sorted((row for row in rows if row.fault == END), key=lambda row: not row.wrong)
    return [*(row for row in rows if row.fault != END), *ends[:1]]


async def _run(part: Part, options: Sequence[str], folder: Path) -> list[Row]:
    await asyncio.sleep(BETWEEN_STARTS * (part.number - 1))
    named = f"{part.number}/{part.of}"
    file = folder / f"{part.number}.jsonl"
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos", *options, "--part", named, "--rows", str(file),
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    read = 0
    try:
        while True:
            ended = program.returncode is not None
            rows = [Row(**json.loads(text)) for text in file.read_text("utf-8").splitlines()] if file.exists() else []
            for row in rows[read:]:
                sys.stdout.write(line(row) + "\n")
            sys.stdout.flush()
            read = len(rows)
            if ended:
                break
            await asyncio.wait({asyncio.ensure_future(program.wait())}, timeout=1)
    finally:
        if program.returncode is None:
            program.terminate()
            await program.wait()
    if program.returncode not in {0, 1}:
        rows.append(Row(f"part {named}", wrong=[f"it ended with {program.returncode}"]))
    return rows


def write(row: Row, file: Path) -> None:
    """Append a row."""
    with file.open("a", encoding="utf-8") as rows:
        rows.write(json.dumps(asdict(row)) + "\n")
