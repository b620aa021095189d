"""Open questions: one that nobody answers in time loses its buttons and says so, instead of looking as if it were open.

Not here: what a press does, and whether it still may (`handlers.telegram.commands.buttons`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from controller.tasks import Tasks
from handlers.chat.button_codes import StaleButtonError, read_code
from handlers.chat.live_message import LiveMessage
from handlers.chat.messages import Keyboard, Text
from handlers.texts import answers

AT_MOST = 500
"""Open questions that are followed; an older one says only when it is pressed that it has expired."""
LATER = 1.0
"""Seconds after its end at which a question is closed: until then a press may be on its way."""


class Questions:
    """Closes questions when they expire. tasks: cancelled at shutdown; clock: the one that dates their buttons."""

    def __init__(self, tasks: Tasks, clock: Callable[[], datetime]) -> None:
        self._tasks, self._clock = tasks, clock
        self._open: OrderedDict[tuple[int, int], asyncio.Task[Any]] = OrderedDict()

    def show(self, live: LiveMessage, keyboard: Keyboard) -> None:
        """Follow what a message shows now: a question, if its buttons expire, or none any more."""
        self.close(live.chat, live.message)
        if (until := _until(keyboard)) is None:
            return
        self._open[live.chat, live.message] = self._tasks.start(self._expire(live, until), "a question's end")
        if len(self._open) > AT_MOST:
            self._open.popitem(last=False)[1].cancel()

    def close(self, chat: int, message: int) -> None:
        """Follow a question no more: it is answered, or its message shows something else."""
        expiring = self._open.pop((chat, message), None)
        if expiring is not None:
            expiring.cancel()

    async def _expire(self, live: LiveMessage, until: int) -> None:
        await asyncio.sleep(max(0.0, until - self._clock().timestamp()) + LATER)
        del self._open[live.chat, live.message]
        live.show(Text(answers.EXPIRED))


def _until(keyboard: Keyboard) -> int | None:
    """Return the epoch second at which the buttons expire; None if they do not."""
    ends = []
    for button in (button for row in keyboard for button in row):
        try:
            press = read_code(button.code)
        except StaleButtonError:
            continue
        if press.until is not None:
            ends.append(press.until)
    return max(ends, default=None)
