"""Writes docs/benchmarks.md: each bench has a part of its own, with machine, versions and command.

`put` alone is for any document of which a program writes a part.
"""

import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from textwrap import TextWrapper

import psutil

HEAD = """# Benchmarks

What was measured, by which command, on which machine. The parts that name a command are written by that command.
"""
PROSE = TextWrapper(width=120, break_long_words=False, break_on_hyphens=False)


def machine() -> str:
    """Describe the machine and the versions in a few lines of Markdown."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = psutil.virtual_memory().total / (1 << 30)
    others = sum("chrom" in (one.info["name"] or "") for one in psutil.process_iter(["name"]))
    shared = f"; {others} other browser processes ran beside it" if others else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} cores ({model}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}, Playwright {version('playwright')}; "
        f"load {os.getloadavg()[0]:.1f} when it began{shared}."
    )


def command() -> str:
    """Return the command line of this run."""
    name = getattr(sys.modules["__main__"].__spec__, "name", None) or "?"
    arguments, given = [], iter(sys.argv[1:])
    for each in given:
        if each in {"--markdown", "--json"}:
            next(given, None)  # the file's path: of this machine only
        else:
            arguments.append(each)
    return shlex.join(["python", "-m", name.removesuffix(".__main__"), *arguments])


def browser_version(executable: str) -> str:
    """Ask a browser for its version."""
    version = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    return version.strip() or "a browser of unknown version"


def put(file: Path, name: str, text: str, *, head: str = HEAD) -> None:
    """Replace one bench's part of the document, or append it if there is none yet. head: of a new document."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    lines = (line if line.startswith("|") else PROSE.fill(line) for line in text.strip().splitlines())
    part = "\n".join((begin, *lines, end))
    before = file.read_text("utf-8") if file.exists() else head
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    after = pattern.sub(lambda _: part, before) if pattern.search(before) else f"{before.rstrip()}\n\n{part}\n"
    file.write_text(after, "utf-8")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
