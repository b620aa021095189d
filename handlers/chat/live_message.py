"""A message that is kept up to date: the latest text wins, and superseded ones are never sent."""

import asyncio
import logging

from controller.tasks import Tasks
from handlers.chat.errors import (
    ChatError,
    ChatGoneError,
    ChatMovedError,
    MessageGoneError,
    RefusedError,
    RightMissingError,
    TopicGoneError,
)
from handlers.chat.messages import Lane, Text
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue

log = logging.getLogger(__name__)


class LiveMessage:
    """One message of ours that shows the latest text given to `show`.

    gone: this object no longer edits it. lost: since it was deleted, its edit rejected, or its group moved: the text is
    nowhere. barred: since the chat takes nothing from us any more.
    """

    def __init__(self, queue: SendQueue, tasks: Tasks, lane: Lane, *, chat: int, message: int, shown: Text) -> None:
        self.chat, self.message = chat, message
        self.gone = self.lost = self.barred = False
        self._queue, self._tasks, self._lane = queue, tasks, lane
        self._shown = self._newest = shown
        self._busy = False
        self._updating: asyncio.Task[None] | None = None

    def show(self, text: Text) -> None:
        """Update the message as soon as possible. Returns at once."""
        self._newest = text
        if not self._busy and not self.gone and text.html != self._shown.html:
            self._busy = True
            self._updating = self._tasks.start(self._update(), f"editing message {self.message}")

    async def settled(self) -> None:
        """Wait until the message shows the latest text, or cannot be updated."""
        if self._updating is not None:
            await asyncio.wait({self._updating})

    async def _update(self) -> None:
        try:
            while self._newest != self._shown:
                sent = await self._queue.deliver(self._lane, self.chat, self._edit, key=("edit", self.message))
                self._lane = Lane.UPDATES  # somebody waits for the answer to a press, but not for later updates
                if sent != self._shown:
                    self.gone = True  # merged with the edit of a newer owner of this message, which takes precedence
                    return
        except ChatError as error:
            self.gone, self.lost = True, isinstance(error, MessageGoneError | RefusedError | ChatMovedError)
            self.barred = isinstance(error, ChatGoneError | RightMissingError | TopicGoneError)
            log.info("Message %d in chat %d is not kept up to date any more: %s", self.message, self.chat, error)
        finally:
            self._busy = False

    async def _edit(self, messenger: Messenger) -> Text:
        text = self._newest
        await messenger.edit(self.chat, self.message, text)
        self._shown = text
        return text
