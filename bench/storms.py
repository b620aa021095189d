"""`python -m bench.storms`: accounts lost and back together, in virtual time over HTTP, and what a chat hears of it."""

import asyncio
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, table
from tests.handlers.alerts.storms import lost_together
from tests.virtual_time import VirtualLoop


def main() -> None:
    """Measure and print."""
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
    print(table(figures))


if __name__ == "__main__":
    main()
