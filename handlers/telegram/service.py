"""The desk: everything on Telegram's side put together, with one way in for notices and one way out for messages.

The composition root makes it, gives it what the controller tells (`tell`), runs it (`run`) and ends it (`stop`).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from controller.accounts.notices import CodeHidden, CodeShown, Notice, Transition
from controller.accounts.reasons import State
from controller.tasks import Tasks
from handlers.alerts import alert_text
from handlers.alerts.incidents import Kind
from handlers.alerts.owed import OutboxStore, Owed, Owing, trouble
from handlers.alerts.recipients import Recipients
from handlers.alerts.sender import Context
from handlers.alerts.service import Alerts
from handlers.alerts.silencing import Silencing
from handlers.chat.errors import ChatError
from handlers.chat.messages import Lane, Place, Text
from handlers.chat.people import People
from handlers.chat.rate_limits import Limits, RateLimits
from handlers.chat.send_queue import SendQueue
from handlers.ports import Accounts, Messages, Records
from handlers.telegram.account_actions import AccountActions
from handlers.telegram.alert_actions import AlertActions
from handlers.telegram.bot import TelegramBot
from handlers.telegram.buttons import ButtonPresses
from handlers.telegram.cards import Cards
from handlers.telegram.codes import Codes
from handlers.telegram.commands import Commands
from handlers.telegram.responder import Responder
from handlers.telegram.restore import RestoreActions
from handlers.texts import answers

log = logging.getLogger(__name__)

CARDS_AFTER = 15.0
"""Seconds after the start when every card is compared with the truth."""
GONE = "gone"
"""Of the references that are kept: chats of which admins were told that they cannot be written to."""


@dataclass(frozen=True, slots=True)
class TelegramOptions:
    """What is set. admins, operators: Telegram user ids. alert_chat: None for each admin's private chat.

    region: the country that national numbers belong to, ISO 3166 alpha-2. repeat_after: how long a critical alert
    may stay unacknowledged before it sounds again, zero for ever.
    """

    admins: tuple[int, ...]
    operators: tuple[int, ...] = ()
    alert_chat: int | None = None
    region: str | None = None
    repeat_after: timedelta = timedelta(hours=4)


def utc_now() -> datetime:
    """Return the wall clock's time, aware, UTC."""
    return datetime.now(UTC)


class TelegramService:
    """Telegram's side of the program. Make it inside a running loop."""

    def __init__(
        self,
        bot: TelegramBot,
        options: TelegramOptions,
        *,
        accounts: Accounts,
        records: Records,
        messages: Messages,
        outbox: OutboxStore,
        clock: Callable[[], datetime] = utc_now,
        limits: Limits | None = None,
    ) -> None:
        self._bot, self._accounts, self._messages, self._clock = bot, accounts, messages, clock
        self._tasks, self._lasting = Tasks(), Tasks()
        self._gone: set[int] = set()
        self._told_straight: set[str] = set()
        self._outbox = outbox
        self._post = SendQueue(bot.chat, RateLimits(limits))
        people = People(options.admins, options.operators)
        self._followers = Recipients(people, options.alert_chat)
        post, tasks = self._post, self._tasks
        self._answers = Responder(post, tasks, accounts=accounts, clock=clock)
        self._codes = Codes(post, tasks, accounts=accounts, followers=self._followers, messages=messages, clock=clock)
        self._cards = Cards(post, tasks, accounts=accounts, followers=self._followers, messages=messages, clock=clock)
        self._owing = Owing(accounts, self._followers)
        self._silencing = Silencing(outbox, clock)
        self._alerts = Alerts(
            Context(
                post,
                accounts,
                outbox,
                self._silencing.lasting,
                clock,
                options.repeat_after,
                on_gone=self._chat_is_gone,
                on_moved=self._chat_moved,
            ),
            self._lasting,
        )
        self._silencing.changed = self._alerts.wake_all
        actions = AccountActions(
            people=people,
            accounts=accounts,
            answers=self._answers,
            codes=self._codes,
            records=records,
            tasks=tasks,
            clock=clock,
        )
        alert_actions = AlertActions(
            people=people,
            accounts=accounts,
            actions=actions,
            answers=self._answers,
            alerts=self._alerts,
            silencing=self._silencing,
            region=options.region,
            clock=clock,
        )
        restoring = RestoreActions(accounts=accounts, actions=actions, answers=self._answers, tasks=tasks, clock=clock)
        bot.attach(
            people=people,
            answers=self._answers,
            commands=Commands(
                people=people,
                accounts=accounts,
                actions=actions,
                alert_actions=alert_actions,
                restoring=restoring,
                answers=self._answers,
                region=options.region,
                clock=clock,
            ),
            presses=ButtonPresses(
                people=people,
                accounts=accounts,
                actions=actions,
                alert_actions=alert_actions,
                restoring=restoring,
                answers=self._answers,
                records=records,
                clock=clock,
            ),
            stranger_came=self._stranger_came,
            moved=self._chat_moved,
            heard_from=self._heard_from,
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

    def owed(self, transition: Transition) -> list[Owed]:
        """Return what a transition owes to people, to be stored in the transaction that stores it."""
        return self._owing.plan(transition)

    async def tell_trouble(self, reason: str, detail: str = "") -> None:
        """Tell admins of a trouble of the controller itself (`handlers.alerts.incidents`), or of how it goes on."""
        await self._put_trouble(Kind.ALERT, reason, detail)

    async def tell_trouble_over(self, reason: str) -> None:
        """Tell admins that a trouble of the controller is over."""
        await self._put_trouble(Kind.OVER, reason)

    async def run(self) -> None:
        """Serve until cancelled.

        Raises TokenRefusedError when Telegram does not accept the token, OSError at the start if what was kept cannot
        be read.
        """
        self._followers.moved.update(await self._outbox.moved())
        await self._silencing.load()
        self._owing.told |= await self._alerts.load(place.chat for place in self._followers.of_admins())
        await self._cards.load()
        self._tasks.start(self._codes.clear_left(), "taking away codes that were left")
        self._lasting.start(self._refresh_cards(), "looking at all cards once")
        await self._bot.run()

    async def stop(self, deadline: float) -> None:
        """Take no more commands, say what is still to be said for at most `deadline` seconds, and close.

        Call it after the registry has stopped, so that its last words are among them.
        """
        await self._bot.stop()
        self._codes.hide_all()
        deadline = deadline if self._post.reachable else 0
        alerted, said = await asyncio.gather(self._alerts.drain(deadline), self._tasks.drain(deadline))
        if not alerted:
            log.warning("Not all alerts could be told before the end: they are kept, and told after the next start")
        if not said:
            log.warning("Not all could be said on Telegram before the end")
        await self._lasting.stop()
        await self._tasks.stop()
        await self._bot.close()

    def _take(self, transition: Transition) -> None:
        self._cards.refresh(transition.number)
        self._alerts.wake(place.chat for place in self._owing.places(transition))
        if transition.state is State.CONNECTED:
            self._codes.forget(transition.number)

    async def _put_trouble(self, kind: Kind, reason: str, detail: str = "") -> None:
        """Let admins be told through the outbox; where that cannot be written, straight away."""
        places = self._followers.of_admins()
        try:
            await self._outbox.put(trouble(places, kind, reason, self._clock(), detail))
            waiting = await self._outbox.waiting()
        except OSError as error:
            log.error("A trouble could not be kept: %s", error)
            if kind is Kind.ALERT and reason not in self._told_straight:
                self._told_straight.add(reason)
                text = Text(alert_text.straight(reason, detail))
                for place in places:
                    self._tasks.start(self._say_straight(place, text), "a trouble")
            return
        if reason in self._told_straight and kind is Kind.OVER:  # that alert is no incident, which this would end
            await self._tell_admins(alert_text.straight_over(reason))
        self._told_straight.discard(reason)
        self._cards.refresh_all()  # what all accounts wait for may have begun or ended
        self._alerts.wake(waiting)

    async def _say_straight(self, place: Place, text: Text) -> None:
        try:
            await self._post.deliver(Lane.ALERTS, place.chat, lambda chat: chat.send(place, text), repeat=True)
        except ChatError as error:
            log.error("A trouble could not be told in chat %d: %s", place.chat, error)

    async def _refresh_cards(self) -> None:
        """Look at every card once the accounts have been taken up: most have been edited by then, and cost nothing."""
        await asyncio.sleep(CARDS_AFTER)
        self._cards.refresh_all()

    async def _stranger_came(self, user: int, name: str, place: Place) -> None:
        await self._answers.say(place, answers.stranger(user))
        try:
            first = await self._messages.first_meeting(user, self._clock())
        except OSError as error:
            log.error("A stranger could not be remembered: %s", error)
            return
        if first:
            await self._tell_admins(answers.stranger_came(user, name))

    async def _tell_admins(self, html: str, *, but: int | None = None) -> None:
        """Let admins be told one line, silently and for certain."""
        places = [place for place in self._followers.of_admins() if place.chat != but]
        owed = trouble(places, Kind.NOTE, "", self._clock(), html)
        try:
            await self._outbox.put(owed)
        except OSError as error:
            log.error("What admins are to be told could not be kept: %s", error)
        self._alerts.wake(place.chat for place in places)

    # --- chats that go and move ---------------------------------------------------------------------------------------

    def _chat_is_gone(self, chat: int, why: str) -> None:
        log.warning("Chat %d cannot be written to: %s", chat, why)
        self._gone.add(chat)
        self._tasks.start(self._tell_gone(chat, why), "telling that a chat is gone")

    async def _tell_gone(self, chat: int, why: str) -> None:
        try:
            if any(kept.chat == chat for kept in await self._messages.kept(GONE)):
                return
            await self._messages.keep(GONE, str(chat), chat=chat, topic=None, message=0, shown="")
        except OSError as error:
            log.error("That a chat is gone could not be kept: %s", error)
        await self._tell_admins(alert_text.chat_is_gone(chat, why), but=chat)

    def _heard_from(self, chat: int) -> None:
        """Somebody wrote in a chat: if it was gone, it is back."""
        self._cards.came_back(chat)
        if chat in self._gone:
            self._gone.discard(chat)
            self._alerts.wake([chat])
            self._tasks.start(self._messages.forget(GONE, str(chat), chat=chat), "a chat is back")

    def _chat_moved(self, chat: int, to: int) -> None:
        moved = self._followers.moved
        if chat not in moved and all(place.chat != chat for place in self._followers.of_admins()):
            return  # anybody may add the bot to a group
        new = moved.get(chat) != to
        moved[chat] = to
        if new:
            log.warning("The group %d has become the supergroup %d", chat, to)
        self._tasks.start(self._move(chat, to, tell=new), "moving to a supergroup")

    async def _move(self, chat: int, to: int, *, tell: bool) -> None:
        await self._alerts.move(chat, to)
        await self._silencing.load()
        if tell:
            await self._tell_admins(alert_text.chat_moved(chat, to))
