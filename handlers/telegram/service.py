"""The Telegram side as a whole: one entry point for the controller's notices, one start and one stop.

`handlers.telegram.assemble` creates and connects its parts.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.accounts.notices import CodeHidden, CodeShown, Notice, Timed, Transition
from controller.accounts.reasons import Reason, State
from controller.tasks import Tasks
from controller.troubles import Trouble
from handlers.alerts.escalation.escalator import EscalationPolicy
from handlers.alerts.incidents.book import Kind
from handlers.alerts.incidents.policy import AlertPolicy
from handlers.alerts.service import Alerts
from handlers.chat.chat_settings import ChatSettings
from handlers.chat.destination import Destination
from handlers.chat.people import People
from handlers.chat.send_queue import SendQueue
from handlers.telegram.actions.alert_chat import AlertChat
from handlers.telegram.actions.linking import Linking
from handlers.telegram.bot import TelegramBot
from handlers.telegram.commands.proxies import TryProxy
from handlers.telegram.connection import TelegramConnection
from handlers.telegram.poll_watch import PollWatch
from handlers.telegram.ui.cards import Cards
from handlers.telegram.ui.codes import Codes
from handlers.telegram.ui.feed import Feed
from handlers.telegram.ui.link_queue_messages import LinkQueueMessages
from handlers.telegram.ui.responder import Responder

log = logging.getLogger(__name__)

DRAIN_STEP = 0.5
"""Seconds between two checks during shutdown whether anything can still be sent."""
CARDS_AFTER = 15.0
"""Seconds after the start when every card is compared with its account."""


@dataclass(frozen=True, slots=True)
class TelegramOptions:
    """What is set. admins, operators: Telegram user ids. alert_chat: None for each admin's private chat.

    region: the country that national numbers belong to, ISO 3166 alpha-2. alert_policies: of chats that have one of
    their own; alert_policy: of the others. escalation: whom to call if nobody responds. common_proxy: the address of
    the proxy of all accounts, without its password. try_proxy: see `TryProxy`. encrypts: whether passwords of accounts'
    own proxies are stored encrypted.
    """

    admins: tuple[int, ...]
    operators: tuple[int, ...] = ()
    alert_chat: Destination | None = None
    region: str | None = None
    alert_policy: AlertPolicy = field(default_factory=AlertPolicy)
    alert_policies: Mapping[int, AlertPolicy] = field(default_factory=dict)
    escalation: EscalationPolicy = field(default_factory=EscalationPolicy)
    common_proxy: str | None = None
    try_proxy: TryProxy | None = None
    encrypts: bool = False

    def alert_policy_of(self, chat: int) -> AlertPolicy:
        """Return how a chat's alerts are grouped, repeated and spaced."""
        return self.alert_policies.get(chat, self.alert_policy)


class TelegramService:
    """The Telegram side of the program. tasks: drained at shutdown; lasting: cancelled at shutdown."""

    def __init__(
        self,
        *,
        connection: TelegramConnection,
        bot: TelegramBot,
        poll_watch: PollWatch,
        queue: SendQueue,
        tasks: Tasks,
        lasting: Tasks,
        alerts: Alerts,
        responder: Responder,
        codes: Codes,
        linking: Linking,
        link_queue_messages: LinkQueueMessages,
        cards: Cards,
        alert_chat: AlertChat,
        people: People,
        chat_settings: ChatSettings,
        feed: Feed,
    ) -> None:
        self.call_listeners = connection.call_listeners
        self._connection, self._bot, self._poll_watch, self._queue = connection, bot, poll_watch, queue
        self._tasks, self._lasting = tasks, lasting
        self.alerts = alerts
        """Absorbs transitions as they are stored, and sends them plainly if they cannot be."""
        self._responder, self._codes, self._linking, self._cards = responder, codes, linking, cards
        self._link_queue_messages = link_queue_messages
        self._alert_chat, self._people, self._chat_settings = alert_chat, people, chat_settings
        self._feed = feed

    def notify(self, notice: Notice) -> None:
        """Handle a notice: a `Listener` of the recorder. Returns at once."""
        match notice:
            case CodeShown():
                self._codes.show(notice)
            case CodeHidden():
                self._codes.hide(notice)
            case Timed():
                return
            case Transition():
                in_vain = notice.reason is Reason.NOT_LINKED and self._linking.was_opened_in_vain(notice.number)
                if not (in_vain or self._linking.waits(notice.number)):  # else it gets a card when its turn comes
                    self._cards.refresh(notice.number)
                elif notice.state is not State.CONNECTING:  # it is not only opened ahead
                    self._cards.look_at_account(notice.number)
                self.alerts.account_changed(notice.number)
                if notice.state is State.CONNECTED:
                    self._codes.forget(notice.number)
                self._codes.refresh(notice.number)
                self._feed.note(notice)
                self._linking.refresh(notice.number)

    async def raise_trouble(self, reason: Trouble, detail: str = "") -> None:
        """Notify admins of a trouble of the controller itself (`controller.troubles`), or of news about it."""
        await self.alerts.announcer.trouble(Kind.ALERT, reason, detail)
        self._cards.look_at()  # all accounts may be waiting for this now

    async def clear_trouble(self, reason: Trouble) -> None:
        """Notify admins that a trouble of the controller is over."""
        await self.alerts.announcer.trouble(Kind.OVER, reason)
        self._cards.look_at()

    # --- queries by the monitoring ------------------------------------------------------------------------------------

    async def look_at_alerts(self) -> None:
        """Return once every chat's worker has examined its alerts; raises RuntimeError if one has ended."""
        await self.alerts.look()

    async def call(self) -> bool:
        """Make a harmless call. Returns whether Telegram responded."""
        return await self._connection.answers()

    @property
    def deaf(self) -> str:
        """Why no updates arrive; "" if they do."""
        return self._poll_watch.deaf

    @property
    def poll_age(self) -> float:
        """Seconds since the last successful poll."""
        return self._poll_watch.poll_age

    def unsent(self) -> list[datetime]:
        """Return since when alerts are pending that have reached nobody."""
        return self.alerts.unsent()

    # --- start and stop -----------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load what is stored, before the first transition is stored. Raises OSError."""
        await self._people.load()
        await self._chat_settings.load()
        await self._alert_chat.start()
        await self.alerts.load()
        await self._cards.load()

    async def run(self) -> None:
        """Run until cancelled, once the accounts are loaded. Raises TokenRefusedError if Telegram rejects the token."""
        await self.alerts.start()
        self._tasks.start(self._report_interrupted(), "reporting what was interrupted")
        self._lasting.start(self._refresh_cards(), "looking at all cards once")
        await self._bot.run()

    async def _report_interrupted(self) -> None:
        """Delete the codes that an earlier run left, and report them and the queues that it left, each once."""
        queues = await self._link_queue_messages.interrupted()
        self._tasks.start(self._link_queue_messages.report_interrupted(queues), "reporting interrupted queues")
        await self._codes.clear_left({number for each in queues for number in each.shown.split(",")})

    async def stop(self, deadline: float) -> None:
        """Accept no more commands, send what is pending for at most `deadline` seconds, and close.

        Call it after the registry has stopped, so that its last notices are included.
        """
        await self._bot.stop()
        self._codes.hide_all()
        alerted, sent = await self._drain(deadline if self._queue.reachable else 0)
        if not alerted:
            log.warning("Not all alerts could be sent before the end: they are stored, and sent after the next start")
        if not sent:
            log.warning("Not all messages could be sent on Telegram before the end")
        await self._lasting.stop()
        await self._tasks.stop()
        await self._connection.close()

    async def _drain(self, seconds: float) -> tuple[bool, bool]:
        """Send pending alerts and messages, without waiting for budgets; return whether all were sent."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        while True:
            step = min(DRAIN_STEP, max(0.0, ends_at - loop.time()))
            alerted, sent = await asyncio.gather(self.alerts.drain(step), self._tasks.drain(step))
            if (alerted and sent) or loop.time() >= ends_at or self._queue.waits_for_budgets:
                return alerted, sent

    async def _refresh_cards(self) -> None:
        """Compare every card once the accounts have been loaded: most have been edited by then, at no cost."""
        await asyncio.sleep(CARDS_AFTER)
        self._cards.look_at()  # what changed while the program was not running
