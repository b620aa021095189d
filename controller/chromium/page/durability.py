"""Waits until a fresh link is on disk, so that a kill -9 of the browser can no longer lose it.

Chromium buffers localStorage writes and commits them about 5 s later, all of an origin together. So we write a
marker after the page's keys and look for its bytes in the profile's files: once they are there, so is everything
written before. IndexedDB reaches the disk when a transaction completes; one of our own with strict durability, after
the page's, shows that theirs have been synced too.
The 5 s hold for the first commit only: Chromium allows an origin 60 an hour (components/services/storage/dom_storage,
StorageAreaImpl's commit rate limiter), so where something of the origin is on disk already the next one may take a
minute. What no page keeps open is committed at once: then the page is left, and loaded again as a restored session.
Not here: when a link is fresh (`session`).
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

SOON = 6.5
"""Seconds within which an origin's first commit happens: if it takes longer, Chromium has deferred it."""
LONGEST_WAIT = 10.0
"""Seconds after which a link counts as durable even if the marker is never found: many times the longest seen."""
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
  return location.origin;
}"""
_REMOVE = """(name) => {
  localStorage.removeItem(name);
  indexedDB.deleteDatabase(name);
}"""

Evaluate = Callable[[str, Any], Awaitable[Any]]
"""Runs a function in the page with one argument. Raises DriverError."""


Leave = Callable[[], Awaitable[None]]
"""Leaves the page, so that nothing keeps its origin open. Raises DriverError."""


async def until_durable(evaluate: Evaluate, profile: Path, leave: Leave) -> bool:
    """Wait until everything the page has stored is on disk. profile: --user-data-dir.

    Returns whether the page is still loaded; if not, it had to be left and must be loaded again. Raises DriverError.
    """
    nonce = secrets.token_hex(16)
    folder = profile / "Default"
    try:
        origin = await evaluate(_PUT, [_NAME, nonce])
    except DriverError as error:
        log.warning("The page's storage cannot be checked (%s): it is loaded anew instead", error)
    else:
        is_first = not await asyncio.to_thread(_is_stored, folder, str(origin).encode())
        if is_first and await _seen_on_disk(folder, nonce, SOON):
            await remove_marker(evaluate)
            return True
    await leave()
    if not await _seen_on_disk(folder, nonce, LONGEST_WAIT):
        log.warning("The fresh link was not seen on the disk: it counts as stored after the longest wait")
    return False


async def remove_marker(evaluate: Evaluate) -> None:
    """Remove our marker from the page's storage."""
    with contextlib.suppress(DriverError, TimeoutError):
        async with asyncio.timeout(_ASK_SECONDS):
            await evaluate(_REMOVE, _NAME)


async def _seen_on_disk(folder: Path, nonce: str, seconds: float) -> bool:
    ends_at = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends_at:
        if await asyncio.to_thread(_is_stored, folder, nonce.encode("ascii")):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False


def _is_stored(folder: Path, text: bytes) -> bool:
    """Look for a marker or an origin where this and later builds store localStorage: a LevelDB log or a SQLite file."""
    for place in ("Local Storage", "WebStorage"):
        try:
            if any(text in path.read_bytes() for path in (folder / place).rglob("*") if path.is_file()):
                return True
        except OSError:
            continue  # a file or folder was compacted meanwhile: the next scan finds its successor
    return False
