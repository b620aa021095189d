"""Alerts: messages that sound, for what needs a person; and recovery, as a reply where a loss was told."""

import logging
from collections.abc import Callable
from datetime import datetime

from controller.notices import Transition
from controller.registry import UnknownAccountError
from handlers import keyboards, wording
from handlers.chat import Chat, ChatError
from handlers.followers import Followers
from handlers.messages import Lane, Place, Text
from handlers.ports import Accounts
from handlers.post import Post
from handlers.tasks import Tasks

log = logging.getLogger("switchboard.telegram")


class Alerts:
    """Tells people what needs them. `take` returns at once."""

    def __init__(
        self, post: Post, tasks: Tasks, *, accounts: Accounts, followers: Followers, clock: Callable[[], datetime]
    ) -> None:
        self._post, self._tasks, self._accounts, self._followers = post, tasks, accounts, followers
        self._clock = clock
        self._told: dict[tuple[str, Place], tuple[int, datetime]] = {}

    def take(self, transition: Transition) -> None:
        """Take one transition."""
        if transition.alert is None and not transition.recovered:
            return
        try:
            account = self._accounts.account(transition.number)
        except UnknownAccountError:
            return
        for place in self._followers.of_alerts(account):
            if transition.alert is not None:
                text = Text(
                    wording.alert(account, transition.alert, transition, self._clock()),
                    keyboards.next_step(account.number, transition.state, transition.alert),
                )
                self._tasks.start(self._tell(place, text, transition), "an alert")
            else:
                self._tasks.start(self._tell_recovery(place, transition), "a recovery")

    async def _tell(self, place: Place, text: Text, transition: Transition) -> None:
        async def say(chat: Chat) -> int:
            return await chat.send(place, text)

        try:
            message = await self._post.deliver(Lane.ALERTS, place.chat, say, repeat=True)
        except ChatError as error:
            log.error("An alert could not be told in chat %d: %s", place.chat, error)
        else:
            self._told[transition.number, place] = message, transition.at

    async def _tell_recovery(self, place: Place, transition: Transition) -> None:
        message, at = self._told.pop((transition.number, place), (None, None))
        account = self._accounts.account(transition.number)
        lasted = None if at is None else (transition.at - at).total_seconds()

        async def say(chat: Chat) -> int:
            return await chat.send(place, Text(wording.recovered(account, lasted)), silent=True, reply_to=message)

        try:
            await self._post.deliver(Lane.ALERTS, place.chat, say, repeat=True)
        except ChatError as error:
            log.error("A recovery could not be told in chat %d: %s", place.chat, error)
