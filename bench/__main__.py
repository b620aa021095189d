"""`python -m bench`: measure everything and print one table."""

import argparse
import asyncio
import contextlib
import os
import platform
import sys
import tempfile
from pathlib import Path

from bench import codes, fleet, steps
from bench.figures import table
from switchboard.logs import set_up_logging


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS", help="how long to watch the idle fleet")
    parser.add_argument(
        "--codes", type=int, default=40, metavar="N", help="how many codes to follow; 0 needs no Chromium"
    )
    told = parser.parse_args()
    # The log is written as ever, and to nowhere: its cost belongs to what is measured.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        set_up_logging("INFO", "console")
        figures = steps.measure()
        with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
            if told.codes:
                figures += asyncio.run(codes.measure(Path(folder), told.codes))
            figures += asyncio.run(fleet.measure(Path(folder), told.idle))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {sys.platform}\n")
    print(table(figures))


if __name__ == "__main__":
    main()
