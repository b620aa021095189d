"""Runs the same bench in another checkout (`git worktree add`) at the same time, for a second column."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure, side_by_side

ROW = re.compile(r"^\| (?P<what>[^|]+?) +\| (?P<measured>[^|]+?) +\|")


class Beside:
    """The bench of the same name in another checkout, running in parallel."""

    def __init__(self, checkout: Path, module: str, *arguments: str) -> None:
        self._checkout = checkout
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def table(self, figures: Sequence[Figure]) -> str:
        """Wait for the other run; return both columns as a Markdown table."""
        out, _ = self._process.communicate()
        rows = [match for line in out.splitlines() if (match := ROW.match(line))]
        theirs = {row["what"]: row["measured"] for row in rows}
        return side_by_side(figures, self._checkout.name, theirs)
