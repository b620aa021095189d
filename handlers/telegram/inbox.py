"""People's requests, stored from acceptance until they have been carried out and answered.

If the database fails, requests are served regardless, and would only be lost in a crash.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from controller.stored import StoredRequest
from handlers.chat.request import Request, without_secrets
from handlers.ports import RequestStore

log = logging.getLogger(__name__)


class Inbox:
    """The unfinished requests, backed by a store."""

    def __init__(self, store: RequestStore, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock

    async def accept(self, requests: Sequence[Request]) -> list[Request]:
        """Store requests before they are confirmed to Telegram; return those that are new."""
        if not requests:
            return []
        try:
            new = await self._store.accept(map(_stored, requests), self._clock())
        except OSError as error:
            log.error("Requests could not be stored, and are served all the same: %s", error)
            return list(requests)
        return [each for each in requests if each.update in new]

    async def unfinished(self) -> list[Request]:
        """Return what an earlier run left unfinished, oldest first. Raises OSError."""
        return [_request(each) for each in await self._store.unfinished()]

    async def find(self, update: int) -> Request | None:
        """Return a request of the last two days. Raises OSError."""
        row = await self._store.find(update)
        return None if row is None else _request(row)

    async def start(self, request: Request) -> None:
        """Mark a request as started."""
        try:
            await self._store.start(request.update, self._clock())
        except OSError as error:
            log.error("The start of a request could not be stored: %s", error)

    async def finish(self, requests: Iterable[Request]) -> None:
        """Mark requests as carried out and answered."""
        try:
            await self._store.finish([each.update for each in requests], self._clock())
        except OSError as error:
            log.error("The end of a request could not be stored: %s", error)


def _stored(request: Request) -> StoredRequest:
    return replace(request, words=without_secrets(request.words))


def _request(row: StoredRequest) -> Request:
    return Request(**asdict(row))
