"""Owned tasks: background work belongs to one `Tasks`, which cancels and awaits what is left of it at its end."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("switchboard.telegram")


class Tasks:
    """A set of running tasks. A task that fails is logged; it never ends the others."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` until it ends or until `stop`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._reap)
        return task

    async def drain(self, seconds: float) -> bool:
        """Let what is running come to its end, for at most so long. Returns whether all did."""
        if not self._running:
            return True
        _, late = await asyncio.wait(self._running, timeout=seconds)
        return not late

    async def stop(self) -> None:
        """Cancel and await what is left."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _reap(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
