"""Polls Telegram for updates, for ever: updates are accepted before they are confirmed. No error ends that."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import telegram

from handlers.chat.errors import ChatError, TokenRefusedError, TooManyError
from handlers.telegram.connection import TelegramConnection, Update
from handlers.telegram.poll_watch import PollWatch

log = logging.getLogger(__name__)

RETRY_FIRST, RETRY_LONGEST = 1.0, 30.0
"""Seconds between two polls after failures."""
LONGEST_SILENCE = 300.0
"""Seconds after which a poll is tried again even if Telegram asked for a longer silence: meanwhile nobody is heard."""
CONFLICT_WAIT = 3.0
"""Seconds until the next poll if somebody else polls or a webhook is set."""


class Poller:
    """Polls. accept: called with a batch and the seconds since the previous poll returned (first: None); never raises.

    Updates that `accept` has processed are confirmed by the next poll, and never delivered again.
    """

    def __init__(
        self,
        connection: TelegramConnection,
        poll_watch: PollWatch,
        accept: Callable[[list[Update], float | None], Awaitable[None]],
    ) -> None:
        self._connection, self._poll_watch, self._accept = connection, poll_watch, accept

    async def run(self) -> None:
        """Poll until cancelled. Raises TokenRefusedError if Telegram rejects the token for good."""
        offset, wait, in_trouble, first = None, RETRY_FIRST, False, True
        while True:
            try:
                updates = await self._connection.poll(offset)
            except telegram.error.Conflict as error:
                log.log(logging.DEBUG if in_trouble else logging.ERROR, "Telegram: %s", error.message)
                in_trouble = True
                await self._poll_watch.poll_conflicted()
                await asyncio.sleep(CONFLICT_WAIT)
            except TokenRefusedError:
                raise
            except ChatError as error:
                level = logging.DEBUG if in_trouble else logging.WARNING
                log.log(level, "Telegram cannot be asked for messages (%s): trying on", error)
                in_trouble = True
                self._poll_watch.poll_failed(error)
                await asyncio.sleep(min(error.seconds, LONGEST_SILENCE) if isinstance(error, TooManyError) else wait)
                wait = min(wait * 2, RETRY_LONGEST)
            else:
                since = self._poll_watch.poll_succeeded()
                if updates:
                    await self._accept(updates, None if first else since)
                    # Not the highest ever seen: after a week without updates Telegram numbers them anew, perhaps lower.
                    offset = max(int(each["update_id"]) for each in updates) + 1
                wait, in_trouble, first = RETRY_FIRST, False, False
