"""Opens browsers of queued accounts in advance, so that their codes are ready when their turn comes.

A page needs six to ten seconds for its first code, which would add up in a queue. Only the next few are opened,
and closed again if their turn does not come in time: a code's rounds are limited, and nobody sees these. Whose turn it
is, and what people are shown, is up to `linking`.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from controller.accounts.reasons import State
from controller.registry import Registry, ShuttingDownError, UnknownAccountError
from controller.tasks import Tasks

log = logging.getLogger(__name__)

MOST = 8
"""Accounts of one queue opened in advance: a chat takes as many codes while a page gets its first one."""
SECONDS = 90.0
"""How long an account stays open in advance: less than its codes are renewed (QR_TIMEOUT_SECONDS)."""


@dataclass(frozen=True, slots=True)
class _Ahead:
    opening: asyncio.Task[None]
    too_long: asyncio.TimerHandle


class OpenAhead:
    """The accounts of all queues that were opened in advance."""

    def __init__(self, accounts: Registry, tasks: Tasks) -> None:
        self._accounts, self._tasks = accounts, tasks
        self._ahead: dict[str, _Ahead] = {}
        self._closing: dict[str, asyncio.Task[None]] = {}
        """The closings in progress; whoever starts such an account waits for them, or they would close it again."""
        self.in_vain: set[str] = set()
        """Accounts that were closed again since their turn did not come."""

    def follow(self, waiting: Sequence[str]) -> None:
        """Open the first accounts of a queue. Returns at once; idempotent."""
        for number in waiting[:MOST]:
            if number not in self._ahead:
                opening = self._tasks.start(
                    self._open(number, self._closing.get(number)), "opening an account ahead of its turn"
                )
                timer = asyncio.get_running_loop().call_later(SECONDS, self._too_long, number)
                self._ahead[number] = _Ahead(opening, timer)

    async def take(self, number: str) -> bool:
        """Release an account whose turn has come; return whether it is already connecting."""
        self.in_vain.discard(number)
        ahead = self._ahead.pop(number, None)
        if ahead is not None:
            ahead.too_long.cancel()
            await asyncio.wait({ahead.opening})
        if (closing := self._closing.get(number)) is not None:
            await asyncio.wait({closing})
        return ahead is not None and self._is_under_way(number)

    def give_up(self, number: str) -> None:
        """Close an account that has left the queue. Returns at once."""
        ahead = self._ahead.pop(number, None)
        if ahead is not None:
            ahead.too_long.cancel()
            self._close_soon(number, ahead)

    def _too_long(self, number: str) -> None:
        """Close an account whose turn has not come; it is not opened in advance again."""
        self._close_soon(number, self._ahead[number])

    def _close_soon(self, number: str, ahead: _Ahead) -> None:
        closing = self._tasks.start(self._close(number, ahead), "closing an account that was open ahead")
        self._closing[number] = closing
        closing.add_done_callback(lambda _: self._forget(number, closing))

    def _forget(self, number: str, closing: asyncio.Task[None]) -> None:
        if self._closing.get(number) is closing:  # otherwise it was opened and given up once more
            del self._closing[number]

    async def _open(self, number: str, closing: asyncio.Task[None] | None) -> None:
        if closing is not None:
            await asyncio.wait({closing})
        try:
            if not self._is_under_way(number):
                await self._accounts.start(number)
        except (UnknownAccountError, ShuttingDownError):
            return
        except OSError as error:
            log.warning("An account could not be opened ahead of its turn: %s", error)

    async def _close(self, number: str, ahead: _Ahead) -> None:
        await asyncio.wait({ahead.opening})
        self.in_vain.add(number)
        try:
            if await self._accounts.stop_linking(number):
                return
        except (UnknownAccountError, ShuttingDownError):
            pass
        self.in_vain.discard(number)

    def _is_under_way(self, number: str) -> bool:
        status = self._accounts.find_status(number)
        return status is not None and status.state in {State.CONNECTING, State.CONNECTED}
