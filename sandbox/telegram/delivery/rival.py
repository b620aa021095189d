"""Another program with the bot's token: its polls end the bot's polls, and it takes updates away.

Contents: that program's loop. Not here: the rule that decides which poll wins (`updates`).
"""

import asyncio
import contextlib

from sandbox.telegram.delivery.updates import Updates
from sandbox.telegram.errors import ApiError

TIMEOUT = 50
AGAIN_AFTER = 1.0


class Rival:
    """Polls from `start` to `stop`, like a second copy of a bot on another machine."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start polling, unless it is already."""
        if self._task is None:
            self._task = asyncio.create_task(self._poll(), name="rival-poller")

    async def stop(self) -> None:
        """Stop polling."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _poll(self) -> None:
        offset = 0
        while True:
            try:
                found = await self._updates.get(offset, 100, TIMEOUT)
            except ApiError:
                await asyncio.sleep(AGAIN_AFTER)
            else:
                offset = found[-1].number + 1 if found else offset
