"""How the driver waits: tasks with an owner, and clean-up that a cancellation cannot cut short.

What never lives here: anything about browsers.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Tasks:
    """The background tasks of one owner, who ends and awaits them all."""

    def __init__(self, name: str) -> None:
        self._name = name  # theirs, for whoever looks at all tasks
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something in the background until it is done or the owner ends it."""
        task = asyncio.create_task(work, name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def end(self) -> None:
        """Cancel all and wait until they have gone."""
        mine = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """Run bounded work to its end even if the caller is cancelled meanwhile; the cancellation follows afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # it is of no interest any more; unread it would be logged
        raise cancelled
    return task.result()
