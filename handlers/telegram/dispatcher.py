"""Who is served when: every person has a line of their own in each chat, and a bound: they slow only themselves.

Requests of one line are carried out side by side, up to a bound; a request is under way until its answer is in the
chat, so that a chat whose budget is used up slows down its own line. Equal questions that wait are answered once.
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
"""Requests of one person in one chat that are carried out at once."""
MOST_WAITING = 200
"""Requests of one person in one chat that wait; what comes on top is left out."""


Carry = Callable[[Request], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class _Line:
    waiting: deque[tuple[str, Request]] = field(default_factory=deque)
    keys: set[str] = field(default_factory=set)
    """Of questions that wait."""
    under_way: set[str] = field(default_factory=set)
    running: int = 0
    left_out: list[Request] = field(default_factory=list)
    clearing: bool = False
    flooded: bool = False


class Dispatcher:
    """Gives requests their turns.

    perform: carries a request out, to the end. leave_out: closes those that are not carried out, since an equal one
    is, or there were too many; flooded: tells the person that.
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
        self._lines: dict[tuple[int, int], _Line] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing more is begun."""
        return self._closed

    @property
    def idle(self) -> bool:
        """Whether nothing is under way or waits."""
        return not self._lines

    def close(self) -> None:
        """Begin nothing more: what waits is served after the next start."""
        self._closed = True
        for line in self._lines.values():
            line.waiting.clear()
            line.left_out.clear()

    def submit(self, request: Request, key: str = "") -> None:
        """Take a request. key: the same for equal questions, "" for what changes something. Returns at once."""
        if self._closed:
            return
        name = request.user, request.place.chat
        line = self._lines.setdefault(name, _Line())
        if key and key in line.keys:
            line.left_out.append(request)
            self._clear(name, line)
        elif len(line.waiting) >= MOST_WAITING:
            if not line.flooded:
                line.flooded = True
                self._tasks.start(self._flooded(request), "a person who sends too much")
            line.left_out.append(request)
            self._clear(name, line)
        else:
            line.waiting.append((key, request))
            line.keys |= {key} - {""}
            self._advance(name, line)

    def _advance(self, name: tuple[int, int], line: _Line) -> None:
        passed: list[tuple[str, Request]] = []
        while line.waiting and line.running < SIDE_BY_SIDE:
            key, request = line.waiting.popleft()
            if key and key in line.under_way:
                passed.append((key, request))
                continue
            line.running += 1
            line.keys.discard(key)
            line.under_way |= {key} - {""}
            self._tasks.start(self._run(name, line, key, request), f"a request of user {request.user}")
        line.waiting.extendleft(reversed(passed))
        line.flooded = line.flooded and bool(line.waiting)
        if not line.running and not line.waiting and not line.left_out:
            self._lines.pop(name, None)

    async def _run(self, name: tuple[int, int], line: _Line, key: str, request: Request) -> None:
        try:
            await self._perform(request)
        finally:
            line.running -= 1
            line.under_way.discard(key)
            self._advance(name, line)

    def _clear(self, name: tuple[int, int], line: _Line) -> None:
        if not line.clearing:
            line.clearing = True
            self._tasks.start(self._clear_out(name, line), "requests that are left out")

    async def _clear_out(self, name: tuple[int, int], line: _Line) -> None:
        """Close what was left out, in batches and one after another: a flood must not take up what others need."""
        try:
            while line.left_out:
                batch, line.left_out = line.left_out, []
                await self._leave_out(batch)
        finally:
            line.clearing = False
            self._advance(name, line)
