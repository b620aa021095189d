"""The desk: everything on Telegram's side put together, with one way in for notices and one way out for messages.

The composition root makes it, gives it what the controller tells (`tell`), runs it (`run`) and ends it (`stop`).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.notices import CodeHidden, CodeShown, Notice, Transition
from controller.reasons import State
from handlers import wording
from handlers.access import People
from handlers.actions import Actions
from handlers.alerts import Alerts
from handlers.answers import Answers
from handlers.bot import TelegramBot
from handlers.budgets import Budgets, Limits
from handlers.cards import Cards
from handlers.chat import ChatError
from handlers.codes import Codes
from handlers.commands import Commands
from handlers.followers import Followers
from handlers.messages import Lane, Place, Text
from handlers.ports import Accounts, Messages, Records
from handlers.post import Post
from handlers.presses import Presses
from handlers.tasks import Tasks

log = logging.getLogger("switchboard.telegram")


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """What is set. admins, operators: Telegram user ids. alert_chat: None for each admin's private chat.

    region: the country that national numbers belong to, ISO 3166 alpha-2.
    """

    admins: tuple[int, ...]
    operators: tuple[int, ...] = ()
    alert_chat: int | None = None
    region: str | None = None


def utc_now() -> datetime:
    """Return the wall clock's time, aware, UTC."""
    return datetime.now(UTC)


class Desk:
    """Telegram's side of the program. Make it inside a running loop."""

    def __init__(
        self,
        bot: TelegramBot,
        options: DeskOptions,
        *,
        accounts: Accounts,
        records: Records,
        messages: Messages,
        clock: Callable[[], datetime] = utc_now,
        limits: Limits | None = None,
    ) -> None:
        self._bot, self._accounts, self._messages, self._clock = bot, accounts, messages, clock
        self._tasks = Tasks()
        self._post = Post(bot.chat, Budgets(limits))
        people = People(options.admins, options.operators)
        self._followers = Followers(people, options.alert_chat)
        post, tasks = self._post, self._tasks
        self._answers = Answers(post, tasks, accounts=accounts, clock=clock)
        self._codes = Codes(post, tasks, accounts=accounts, messages=messages, clock=clock)
        self._cards = Cards(post, tasks, accounts=accounts, followers=self._followers, messages=messages, clock=clock)
        self._alerts = Alerts(post, tasks, accounts=accounts, followers=self._followers, clock=clock)
        actions = Actions(
            people=people,
            accounts=accounts,
            answers=self._answers,
            codes=self._codes,
            records=records,
            tasks=tasks,
            clock=clock,
        )
        bot.attach(
            people=people,
            answers=self._answers,
            commands=Commands(
                people=people,
                accounts=accounts,
                actions=actions,
                answers=self._answers,
                region=options.region,
                clock=clock,
            ),
            presses=Presses(
                people=people,
                accounts=accounts,
                actions=actions,
                answers=self._answers,
                records=records,
                clock=clock,
            ),
            stranger_came=self._stranger_came,
            moved=self._moved,
        )

    def tell(self, notice: Notice) -> None:
        """Take what the controller tells: it is the recorder's `Listener`. Returns at once."""
        match notice:
            case CodeShown():
                self._codes.show(notice)
            case CodeHidden():
                self._codes.hide(notice)
            case Transition():
                self._take(notice)
        self._answers.refresh(notice.number)

    async def run(self) -> None:
        """Serve until cancelled.

        Raises TokenRefusedError when Telegram does not accept the token, OSError at the start if what was kept cannot
        be read.
        """
        await self._cards.load()
        self._tasks.start(self._codes.clear_left(), "taking away codes that were left")
        await self._bot.run()

    async def stop(self, deadline: float) -> None:
        """Take no more commands, say what is still to be said for at most `deadline` seconds, and close.

        Call it after the registry has stopped, so that its last words are among them.
        """
        await self._bot.stop()
        self._codes.hide_all()
        if not await self._tasks.drain(deadline if self._post.reachable else 0):
            log.warning("Not all could be said on Telegram before the end")
        await self._tasks.stop()
        await self._bot.close()

    def _take(self, transition: Transition) -> None:
        self._cards.refresh(transition.number)
        self._alerts.take(transition)
        if transition.state is State.CONNECTED:
            self._codes.forget(transition.number)

    async def _stranger_came(self, user: int, name: str, place: Place) -> None:
        await self._answers.say(place, wording.stranger(user))
        try:
            first = await self._messages.first_meeting(user, self._clock())
        except OSError as error:
            log.error("A stranger could not be remembered: %s", error)
            return
        if first:
            for admins in self._followers.of_admins():
                self._tasks.start(self._tell_admins(admins, Text(wording.stranger_came(user, name))), "a stranger")

    async def _tell_admins(self, place: Place, text: Text) -> None:
        try:
            await self._post.deliver(Lane.ALERTS, place.chat, lambda chat: chat.send(place, text, silent=True))
        except ChatError as error:
            log.warning("Admins could not be told in chat %d: %s", place.chat, error)

    async def _moved(self, chat: int, to: int) -> None:
        log.warning(
            "The group %d has become the supergroup %d: set TELEGRAM_ALERT_CHAT_ID=%d if alerts go there", chat, to, to
        )
