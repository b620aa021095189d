"""Our scripts in the page: the watcher that runs from its first moment, and single questions to it.

What never lives here: what the answers mean.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from playwright.async_api import Page

from controller.chromium.playwright.errors import translated


@cache
def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def watcher(binding: str) -> str:
    """Build the init script. binding: the name of the function that it is to tell its messages to."""
    return f"{_source('watcher.js')}({_source('surfaces.js')}, {json.dumps(binding)});"


async def ask(page: Page, call: str) -> Any:
    """Call one of the functions of surfaces.js in the page, as in "live()". Raises DriverError; has no deadline."""
    with translated("ask the page"):
        return await page.evaluate(f"{_source('surfaces.js')}.{call}")
