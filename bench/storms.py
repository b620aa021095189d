"""`python -m bench.storms [--beside CHECKOUT]`: many accounts lost and recovered at once, and what a chat gets.

In virtual time, over HTTP.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from bench.beside import Beside
from bench.ending import ends_children
from bench.figures import Figure, table
from tests.handlers.alerts.storms import lost_together
from tests.virtual_time import VirtualLoop


@ends_children()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.storms", description=__doc__)
    parser.add_argument("--beside", type=Path, help="another checkout, whose bench runs meanwhile")
    options = parser.parse_args()
    beside = Beside(options.beside, "bench.storms") if options.beside else None
    figures = []
    for count in (200, 1000):
        began = time.perf_counter()
        with (
            tempfile.TemporaryDirectory(prefix="switchboard-storm-") as folder,
            asyncio.Runner(loop_factory=VirtualLoop) as runner,
        ):
            seen = runner.run(lost_together(Path(folder), count))
        figures += [
            Figure(f"{count} accounts lost in one second: sounding messages", seen.sounding, "", 5, at_most=True),
            Figure(f"{count} accounts: the first after", seen.first_after, "s", 2, at_most=True),
            Figure(
                f"{count} accounts: the last card true after the recovery",
                seen.true_after, "s", 60 if count == 200 else None, at_most=True,
            ),
            Figure(f"{count} accounts: answers of 429", seen.refused, ""),
            Figure(f"{count} accounts: real time for seven virtual minutes", time.perf_counter() - began, "s"),
        ]  # fmt: skip
    print(beside.table(figures) if beside else table(figures))


if __name__ == "__main__":
    main()
