"""People whom nobody let in: they learn their own id and nothing more, and admins hear of each of them once."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from controller.tasks import Tasks
from handlers.alerts.service import Alerts
from handlers.chat.messages import Place
from handlers.chat.people import StrangerLimits
from handlers.ports import Messages
from handlers.telegram.ui.responder import Responder
from handlers.texts import answers

log = logging.getLogger(__name__)


class Strangers:
    """Answers strangers beside the handlers, so that a flood of them holds up nobody."""

    def __init__(
        self,
        tasks: Tasks,
        *,
        responder: Responder,
        alerts: Alerts,
        messages: Messages,
        clock: Callable[[], datetime],
    ) -> None:
        self._tasks, self._responder, self._alerts = tasks, responder, alerts
        self._messages, self._clock = messages, clock
        self._limits = StrangerLimits()
        self._storing = asyncio.Lock()
        """One at a time: a crowd must not stand before everybody else's requests at the database."""

    def came(self, user: int, name: str, place: Place) -> None:
        """Answer a stranger's /start, at most once a minute. Returns at once."""
        if self._limits.may_answer(user, asyncio.get_running_loop().time()):
            self._tasks.start(self._answer(user, name, place), "a stranger")

    async def _answer(self, user: int, name: str, place: Place) -> None:
        await self._responder.send(place, answers.stranger(user))
        async with self._storing:
            try:
                first = await self._messages.first_meeting(user, self._clock())
            except OSError as error:
                log.error("A stranger could not be stored: %s", error)
                return
            if first:
                await self._alerts.notify_admins(answers.stranger_came(user, name))
