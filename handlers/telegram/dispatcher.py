"""Schedules requests: every person has a bounded queue per chat, so that they can slow down only themselves.

Requests of one queue run concurrently, up to a limit; a request is in progress until its answer is in the
chat, so that a chat with an exhausted budget slows down its own queue. Identical pending questions are answered once.
"""

import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from controller.tasks import Tasks
from handlers.chat.request import Request

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 8
"""Requests of one person in one chat that run concurrently."""
MOST_WAITING = 200
"""Pending requests of one person in one chat; further ones are dropped."""


Carry = Callable[[Request], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Queue:
    waiting: deque[tuple[str, Request]] = field(default_factory=deque)
    keys: set[str] = field(default_factory=set)
    """Of pending questions."""
    under_way: set[str] = field(default_factory=set)
    running: int = 0
    left_out: list[Request] = field(default_factory=list)
    clearing: bool = False
    flooded: bool = False


class Dispatcher:
    """Schedules requests.

    perform: carries a request out completely. leave_out: closes requests that are dropped, as duplicates
    or because there were too many; flooded: notifies the person.
    """

    def __init__(
        self,
        tasks: Tasks,
        *,
        perform: Carry,
        leave_out: Callable[[list[Request]], Coroutine[Any, Any, None]],
        flooded: Carry,
    ) -> None:
        self._tasks, self._perform, self._leave_out, self._flooded = tasks, perform, leave_out, flooded
        self._queues: dict[tuple[int, int], _Queue] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether no more requests are started."""
        return self._closed

    @property
    def idle(self) -> bool:
        """Whether nothing is in progress or pending."""
        return not self._queues

    def close(self) -> None:
        """Start nothing more: pending requests are served after the next start."""
        self._closed = True
        for queue in self._queues.values():
            queue.waiting.clear()
            queue.left_out.clear()

    def submit(self, request: Request, key: str = "") -> None:
        """Schedule a request. key: the same for identical questions, "" for changes. Returns at once."""
        if self._closed:
            return
        name = request.user, request.place.chat
        queue = self._queues.setdefault(name, _Queue())
        if key and key in queue.keys:
            queue.left_out.append(request)
            self._clear(name, queue)
        elif len(queue.waiting) >= MOST_WAITING:
            if not queue.flooded:
                queue.flooded = True
                self._tasks.start(self._flooded(request), "a person who sends too much")
            queue.left_out.append(request)
            self._clear(name, queue)
        else:
            queue.waiting.append((key, request))
            queue.keys |= {key} - {""}
            self._advance(name, queue)

    def _advance(self, name: tuple[int, int], queue: _Queue) -> None:
        passed: list[tuple[str, Request]] = []
        while queue.waiting and queue.running < SIDE_BY_SIDE:
            key, request = queue.waiting.popleft()
            if key and key in queue.under_way:
                passed.append((key, request))
                continue
            queue.running += 1
            queue.keys.discard(key)
            queue.under_way |= {key} - {""}
            self._tasks.start(self._run(name, queue, key, request), f"a request of user {request.user}")
        queue.waiting.extendleft(reversed(passed))
        queue.flooded = queue.flooded and bool(queue.waiting)
        if not queue.running and not queue.waiting and not queue.left_out:
            self._queues.pop(name, None)

    async def _run(self, name: tuple[int, int], queue: _Queue, key: str, request: Request) -> None:
        try:
            await self._perform(request)
        finally:
            queue.running -= 1
            queue.under_way.discard(key)
            self._advance(name, queue)

    def _clear(self, name: tuple[int, int], queue: _Queue) -> None:
        if not queue.clearing:
            queue.clearing = True
            self._tasks.start(self._clear_out(name, queue), "requests that are left out")

    async def _clear_out(self, name: tuple[int, int], queue: _Queue) -> None:
        """Close dropped requests in sequential batches: a flood must not consume what others need."""
        try:
            while queue.left_out:
                batch, queue.left_out = queue.left_out, []
                await self._leave_out(batch)
        finally:
            queue.clearing = False
            self._advance(name, queue)
