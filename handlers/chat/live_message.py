"""A message that is kept up to date: the newest text wins, and what was superseded meanwhile is never sent."""

import logging

from controller.tasks import Tasks
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane, Text
from handlers.chat.messenger import Messenger
from handlers.chat.send_queue import SendQueue

log = logging.getLogger(__name__)


class LiveMessage:
    """One message of ours that says what it was last told to say. gone: it cannot be edited any more."""

    def __init__(self, post: SendQueue, tasks: Tasks, lane: Lane, *, chat: int, message: int, shown: Text) -> None:
        self.chat, self.message = chat, message
        self.gone = False
        self._post, self._tasks, self._lane = post, tasks, lane
        self._shown = self._newest = shown
        self._busy = False

    def show(self, text: Text) -> None:
        """Let the message say this, as soon as it may."""
        self._newest = text
        if not self._busy and not self.gone and text.html != self._shown.html:
            self._busy = True
            self._tasks.start(self._bring(), f"editing message {self.message}")

    async def _bring(self) -> None:
        try:
            while self._newest != self._shown:
                await self._post.deliver(self._lane, self.chat, self._edit)
                self._lane = Lane.UPDATES  # the answer to a press is waited for; what follows is not
        except ChatError as error:
            self.gone = True
            log.info("Message %d in chat %d is not kept up to date any more: %s", self.message, self.chat, error)
        finally:
            self._busy = False

    async def _edit(self, chat: Messenger) -> None:
        text = self._newest
        await chat.edit(self.chat, self.message, text)
        self._shown = text
