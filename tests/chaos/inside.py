"""The unmodified program with a debugging hook: it lists its asyncio tasks, and breaks parts on request.

Run as `python -m tests.chaos.inside` in place of `python -m switchboard`. One line of text in, one of JSON out,
over a Unix socket named by CHAOS_PEEPHOLE. Not here: anything that the program itself would notice.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter
from functools import partial

import switchboard.app
from controller.chromium.session import ChromiumSession
from handlers.alerts.worker import Worker
from storage.database import Database
from switchboard.__main__ import main
from switchboard.settings import Settings

_serve = switchboard.app.serve


async def _with_peephole(settings: Settings) -> None:
    mine: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        mine.add(this)
        try:
            words = (await reader.readline()).decode().split()
            told = await _do(words) if words[:1] != ["tasks"] else _tasks(mine)
            writer.write(json.dumps(told).encode() + b"\n")
            await writer.drain()
        finally:
            writer.close()
            mine.discard(this)

    server = await asyncio.start_unix_server(answer, os.environ["CHAOS_PEEPHOLE"])
    try:
        await _serve(settings)
    finally:
        server.close()


def _tasks(mine: set) -> dict[str, int]:
    """Count the tasks by the coroutine they run."""
    return Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks() - mine)


async def _do(words: list[str]) -> int:
    match words:
        case ["close", profile]:
            return await _close(profile)
        case ["block", seconds]:
            return _block(float(seconds))
        case ["hang-database", seconds]:
            return _hang_database(float(seconds))
        case ["end-workers"]:
            return _end_workers()
    raise ValueError(f"no such question: {words}")


def _block(seconds: float) -> int:
    """Block the event loop, once this has been answered."""
    asyncio.get_running_loop().call_later(0.1, time.sleep, seconds)
    return 1


def _hang_database(seconds: float) -> int:
    """Hang the database's thread as on a disk that does not answer: no interrupt reaches it."""
    found = [each for each in gc.get_objects() if isinstance(each, Database)]
    for each in found:
        nobody = asyncio.get_running_loop().create_future()
        each._connection._tx.put_nowait((nobody, partial(time.sleep, seconds)))
    return len(found)


def _end_workers() -> int:
    """Cancel all alert workers, as a bug might."""
    found = [each for each in gc.get_objects() if isinstance(each, Worker) and each.task is not None]
    for each in found:
        each.task.cancel()
    return len(found)


async def _close(profile: str) -> int:
    """Close the page of an account's open session."""
    found = [
        each
        for each in gc.get_objects()
        if isinstance(each, ChromiumSession) and each._parts.profile.name == profile and each._closing is None
    ]
    for session in found:
        async with asyncio.timeout(5):
            await session._parts.page.close()
    return len(found)


switchboard.app.serve = _with_peephole

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
