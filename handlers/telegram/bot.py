"""Telegram's bot in our own event loop: connecting at start, and polling.

Telegram may be down for any length of time, even at start; a rejected token ends `run`. `intake` handles updates.
"""

import asyncio
import logging

from controller.tasks import Tasks
from handlers.chat.errors import ChatError, TokenRefusedError, TooManyError
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.intake import Intake
from handlers.telegram.menus import Menus
from handlers.telegram.poll_watch import PollWatch
from handlers.telegram.polling import LONGEST_SILENCE, Poller

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LONGEST = 1.0, 30.0
"""Seconds between two attempts to reach Telegram at start."""


class TelegramBot:
    """The bot: call `run`, and end it with `stop`."""

    def __init__(self, connection: TelegramConnection, *, poll_watch: PollWatch, intake: Intake, menus: Menus) -> None:
        self._connection, self._poll_watch, self._intake, self._menus = connection, poll_watch, intake, menus
        self._poller = Poller(connection, poll_watch, intake.accept)
        self._tasks = Tasks()
        self._polling: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run until cancelled.

        Raises TokenRefusedError if Telegram rejects the token, OSError at start if stored requests cannot
        be read.
        """
        await self._reach()
        log.info("Telegram: I am @%s", self._connection.username)
        await self._intake.recover()
        self._tasks.start(self._menus.set_all(), "setting the menu of commands")
        self._tasks.start(self._poll_watch.watch(), "watching the polls")
        self._polling = asyncio.create_task(self._poller.run(), name="polling")
        await asyncio.shield(self._polling)

    async def stop(self) -> None:
        """Accept no more updates. Accepted ones are stored and continue."""
        await self._tasks.stop()
        if self._polling is not None:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)
        self._intake.close()

    async def _reach(self) -> None:
        """Wait until Telegram can be reached."""
        wait, logged = RETRY_FIRST, False
        while True:
            try:
                await self._connection.open()
            except TokenRefusedError:
                raise
            except ChatError as error:
                if not logged:
                    log.warning("Telegram cannot be reached, trying on while accounts run: %s", error)
                logged = True
                await asyncio.sleep(min(error.seconds, LONGEST_SILENCE) if isinstance(error, TooManyError) else wait)
                wait = min(wait * 2, RETRY_LONGEST)
            else:
                return
