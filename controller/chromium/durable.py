"""Waits until a fresh link is on the disk, so that a kill -9 of the browser cannot lose it any more.

Chromium collects what a page writes to localStorage and commits it some 5 s later, all of an origin at once; until
then it is in memory only. So we write a marker of our own behind the page's keys and look for its bytes in the
profile's files: once they are there, so is everything before them. IndexedDB reaches the disk when a transaction
completes; one of our own with strict durability, behind the page's, tells that theirs have been synced too.
What never lives here: when a link is fresh (`session`).
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from controller.driver import DriverError

log = logging.getLogger(__name__)

LONGEST_WAIT = 10.0
"""Seconds after which a link counts as durable where the marker is never found: twice what was ever measured."""
_POLL_SECONDS = 0.1
_ASK_SECONDS = 3.0

_NAME = "wa-store-check"
_PUT = """async ([name, nonce]) => {
  localStorage.setItem(name, nonce);
  const database = await new Promise((done, failed) => {
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("checks");
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
  try {
    await new Promise((done, failed) => {
      const transaction = database.transaction("checks", "readwrite", { durability: "strict" });
      transaction.objectStore("checks").put(nonce, "nonce");
      transaction.oncomplete = () => done();
      transaction.onabort = () => failed(transaction.error);
    });
  } finally {
    database.close();
  }
}"""
_REMOVE = """(name) => {
  localStorage.removeItem(name);
  indexedDB.deleteDatabase(name);
}"""

Evaluate = Callable[[str, Any], Awaitable[Any]]
"""Runs a function in the page with one argument. Raises DriverError."""


async def until_durable(evaluate: Evaluate, profile: Path) -> bool:
    """Wait until what the page has stored is on the disk. profile: --user-data-dir.

    Returns whether that was seen; if not, the longest wait has passed.
    """
    nonce = secrets.token_hex(16)
    try:
        async with asyncio.timeout(LONGEST_WAIT):
            await _seen_on_disk(evaluate, profile / "Default", nonce)
            seen = True
    except TimeoutError:
        seen = False
    with contextlib.suppress(DriverError, TimeoutError):
        async with asyncio.timeout(_ASK_SECONDS):
            await evaluate(_REMOVE, _NAME)
    return seen


async def _seen_on_disk(evaluate: Evaluate, folder: Path, nonce: str) -> None:
    try:
        await evaluate(_PUT, [_NAME, nonce])
    except DriverError as error:
        log.warning("The page's storage cannot be checked (%s): waiting instead", error)
        await asyncio.sleep(LONGEST_WAIT)
    while True:
        if await asyncio.to_thread(_is_stored, folder, nonce.encode("ascii")):
            return
        await asyncio.sleep(_POLL_SECONDS)


def _is_stored(folder: Path, nonce: bytes) -> bool:
    """Look for the marker where this and later builds keep localStorage: a LevelDB log or a SQLite file."""
    for place in ("Local Storage", "WebStorage"):
        for path in (folder / place).rglob("*"):
            try:
                if path.is_file() and nonce in path.read_bytes():
                    return True
            except OSError:
                continue  # compacted away meanwhile: the next look finds its successor
    return False
