"""What tests need thousands of times: folders in memory, for tests about anything but disks, and empty databases."""

import asyncio
import functools
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from storage.database import open_database

_MEMORY = Path("/dev/shm")


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Yield a new folder, on the disk where the system has no such place; it is deleted at the end."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)


def put_empty_database(path: Path) -> None:
    """Where there is no database, put one as `open_database` makes it, whose migrations take longer than most tests."""
    if not path.exists():
        path.write_bytes(_empty_database())


@functools.cache
def _empty_database() -> bytes:
    async def make(path: Path) -> None:
        async with open_database(path):
            pass

    with folder_in_memory() as folder, ThreadPoolExecutor(1) as thread:  # where a loop may be running, there is none
        thread.submit(asyncio.run, make(folder / "empty.sqlite")).result()
        return (folder / "empty.sqlite").read_bytes()
