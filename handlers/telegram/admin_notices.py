"""What admins are told of the controller itself: troubles with sound, and one-line notes without.

All of it goes through the outbox, so that none is lost; where that cannot be written, a trouble is sent straight away.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from controller.tasks import Tasks
from handlers.alerts import alert_text
from handlers.alerts.incidents import Kind
from handlers.alerts.owed import OutboxStore, trouble
from handlers.alerts.recipients import Recipients
from handlers.alerts.service import Alerts
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.send_queue import SendQueue

log = logging.getLogger(__name__)


class AdminNotices:
    """Notifies admins."""

    def __init__(
        self,
        queue: SendQueue,
        tasks: Tasks,
        *,
        recipients: Recipients,
        outbox: OutboxStore,
        alerts: Alerts,
        clock: Callable[[], datetime],
    ) -> None:
        self._queue, self._tasks, self._clock = queue, tasks, clock
        self._recipients, self._outbox, self._alerts = recipients, outbox, alerts
        self._sent_straight: set[str] = set()

    async def trouble(self, kind: Kind, reason: str, detail: str = "") -> None:
        """Notify admins of a trouble of the controller, how it goes on, or that it is over."""
        places = self._recipients.of_admins()
        try:
            await self._outbox.put(trouble(places, kind, reason, self._clock(), detail))
            waiting = await self._outbox.waiting()
        except OSError as error:
            log.error("A trouble could not be stored: %s", error)
            if kind is Kind.ALERT and reason not in self._sent_straight:
                self._sent_straight.add(reason)
                text = Text(alert_text.straight(reason, detail))
                for place in places:
                    self._tasks.start(self._send_straight(place, text), "a trouble")
            return
        if reason in self._sent_straight and kind is Kind.OVER:  # that alert is no incident, which this would end
            await self.note(alert_text.straight_over(reason))
        self._sent_straight.discard(reason)
        self._alerts.wake(waiting)

    async def note(self, html: str, *, but: int | None = None) -> None:
        """Let admins read one line, silently and for certain. but: a chat that is left out."""
        places = [place for place in self._recipients.of_admins() if place.chat != but]
        try:
            await self._outbox.put(trouble(places, Kind.NOTE, "", self._clock(), html))
        except OSError as error:
            log.error("A note to admins could not be stored: %s", error)
        self._alerts.wake(place.chat for place in places)

    async def _send_straight(self, place: Place, text: Text) -> None:
        try:
            await self._queue.deliver(Lane.ALERTS, place.chat, lambda chat: chat.send(place, text), repeat=True)
        except ChatError as error:
            log.error("A trouble could not be sent to chat %d: %s", place.chat, error)
