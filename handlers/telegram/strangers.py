"""People without access: they are shown their own id and nothing more, and admins are notified of each once."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from controller.tasks import Tasks
from handlers.alerts.service import Alerts
from handlers.chat.messages import Place
from handlers.chat.people import StrangerLimits
from handlers.ports import PeopleStore
from handlers.telegram.ui import people_keyboards as keyboards
from handlers.telegram.ui.responder import Responder
from handlers.texts import answers
from handlers.texts import people as people_text

log = logging.getLogger(__name__)


class Strangers:
    """Answers strangers outside the request queues, so that a flood of them delays nobody."""

    def __init__(
        self,
        tasks: Tasks,
        *,
        responder: Responder,
        alerts: Alerts,
        people: PeopleStore,
        clock: Callable[[], datetime],
    ) -> None:
        self._tasks, self._responder, self._alerts = tasks, responder, alerts
        self._people, self._clock = people, clock
        self._limits = StrangerLimits()
        self._storing = asyncio.Lock()
        """One at a time: a crowd must not precede everybody else's requests at the database."""

    def came(self, user: int, name: str, place: Place) -> None:
        """Answer a stranger's /start, at most once a minute. Returns at once."""
        if self._limits.may_answer(user, asyncio.get_running_loop().time()):
            self._tasks.start(self._answer(user, name, place), "a stranger")

    def hint(self, place: Place, text: str) -> None:
        """Say why a command is not obeyed, at most once a minute in a chat: anybody may have written it.

        Returns at once.
        """
        if self._limits.may_answer(place.chat, asyncio.get_running_loop().time()):
            self._tasks.start(self._responder.send(place, text), "a command that is not obeyed")

    async def _answer(self, user: int, name: str, place: Place) -> None:
        await self._responder.send(place, answers.stranger(user))
        async with self._storing:
            try:
                first = await self._people.first_meeting(user, name, self._clock())
            except OSError as error:
                log.error("A stranger could not be stored: %s", error)
                return
            if first:
                rows = keyboards.stranger(user)
                buttons = tuple((button.label, button.code) for row in rows for button in row)
                await self._alerts.announcer.notify_admins(people_text.stranger_came(user, name), buttons=buttons)
