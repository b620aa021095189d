"""`python -m bench`: measure everything and print one table."""

import argparse
import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

from bench import chat, codes, document, fleet, start, steps
from bench.ending import ends_children
from bench.figures import table
from switchboard.logs import set_up_logging


@ends_children()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--idle", type=float, default=60.0, metavar="SECONDS", help="how long to watch the idle fleet")
    parser.add_argument(
        "--codes", type=int, default=40, metavar="N", help="how many codes to follow; 0 needs no Chromium"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there (docs/benchmarks.md)")
    options = parser.parse_args()
    where = document.machine()
    # The log is formatted as usual but discarded: its cost is part of the measurement.
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        set_up_logging("INFO", "console")
        figures = steps.measure()
        with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
            if options.codes:
                figures += asyncio.run(codes.measure(Path(folder), options.codes))
            figures += asyncio.run(chat.measure(Path(folder)))
            figures += asyncio.run(fleet.measure(Path(folder), options.idle))
            figures += asyncio.run(start.measure(Path(folder)))
    text = f"## The program itself\n\n{where} `{document.command()}`\n\n{table(figures)}"
    print(text)
    if options.markdown is not None:
        document.put(options.markdown, "program", text)


if __name__ == "__main__":
    main()
