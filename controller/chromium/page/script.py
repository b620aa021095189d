"""Our scripts for the page: the watcher that runs from the start, and single queries.

Not here: how they reach the page (`channel`), and what the answers mean.
"""

import json
from functools import cache
from importlib.resources import files


@cache
def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


SILENT_AFTER = 35.0
"""Seconds without anything over a page's socket until it counts as silent: a page pings its server more often."""


def watcher(binding: str, secret: str) -> str:
    """Build the init script. binding: the function that receives its messages. secret: their prefix."""
    arguments = f"{json.dumps(binding)}, {json.dumps(secret)}, {1000 * SILENT_AFTER}"
    return f"{_source('fence.js')};\n{_source('watcher.js')}({_source('surfaces.js')}, {arguments});"


def question(call: str) -> str:
    """Build the expression that calls one of the functions of surfaces.js, as in "live()"."""
    return f"{_source('surfaces.js')}.{call}"
