"""Watches polling itself: if no updates arrive, that is an incident, reported by sending.

The bot is deaf if no poll has returned for a minute, another program polls with the same token, or a webhook gets the
updates. With a webhook no button press reaches us either; but if its server is down, presses pile up, which Telegram
reports: so a press of the alert's button restores polling.
"""

import asyncio
import logging
from urllib.parse import urlsplit

from controller.tasks import Tasks
from controller.troubles import Trouble
from handlers.alerts.incidents.book import Kind
from handlers.alerts.service import Alerts
from handlers.chat.errors import ChatError
from handlers.telegram.connection import TelegramConnection

log = logging.getLogger(__name__)

DEAF_AFTER = 60.0
"""Seconds without a successful poll."""
CONFLICT_AFTER = 15.0
"""Seconds of conflicts with another program: one that we are replacing polls a little longer."""
CONFLICT_CALM = 20.0
"""Seconds without a conflict until it is over: two programs that poll end each other's polls by turns."""
LOOK_EVERY = 5.0
_TROUBLES = frozenset({Trouble.DEAF, Trouble.WEBHOOK})
"""What admins are alerted of, by one of them at a time."""


class PollWatch:
    """Receives the outcome of polls from the poller, and alerts admins if no updates arrive."""

    def __init__(self, connection: TelegramConnection, tasks: Tasks, alerts: Alerts) -> None:
        self._connection, self._tasks, self._alerts = connection, tasks, alerts
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._conflict_since: float | None = None
        self._conflicted_at = float("-inf")
        self._why = "Telegram does not answer"
        self._deaf: str | None = None
        """None until a poll succeeds or is missed: an earlier run may have alerted admins."""
        self._trouble = Trouble.DEAF
        """What admins were alerted of last."""
        self._webhook_pending: int | None = None

    @property
    def deaf(self) -> str:
        """Why no updates arrive, as reported to admins; "" if they do."""
        return self._deaf or ""

    @property
    def poll_age(self) -> float:
        """Seconds since the last successful poll, or since the start."""
        return self._loop.time() - self._heard_at

    def poll_succeeded(self) -> float:
        """Record a successful poll; return the seconds since the previous one."""
        now = self._loop.time()
        since, self._heard_at = now - self._heard_at, now
        if now - self._conflicted_at < CONFLICT_CALM:
            return since
        self._conflict_since = self._webhook_pending = None
        if self._deaf != "":
            if self._deaf:
                log.info("Telegram: polls come back again")
            self._deaf = ""
            self._tasks.start(self._end(*_TROUBLES), "reporting that people are heard again")
        return since

    def poll_failed(self, error: ChatError) -> None:
        """Record a failed poll."""
        self._why = str(error)

    async def poll_conflicted(self) -> None:
        """Record a poll rejected because somebody else gets our updates; find out who."""
        now = self._loop.time()
        self._conflict_since = self._conflict_since or now
        try:
            webhook = await self._connection.webhook()
        except ChatError as error:
            log.warning("Telegram does not say whether a webhook is set: %s", error)
            webhook = None
        by_webhook = webhook is not None and webhook.url
        self._conflicted_at = float("-inf") if by_webhook else now  # the end of a webhook is certain
        if webhook is not None and webhook.url:
            host = urlsplit(webhook.url).hostname or "an unknown host"
            await self._become_deaf(Trouble.WEBHOOK, f"a webhook sends everything to {host}")
            waiting = webhook.pending_update_count
            self._webhook_pending = waiting if self._webhook_pending is None else self._webhook_pending
            if waiting > self._webhook_pending and webhook.last_error_date is not None:
                log.warning("The webhook's server does not take updates, and somebody writes: taking the webhook back")
                await self.take_webhook()
            self._conflict_since = None
        elif (webhook is not None or not self._deaf) and now - self._conflict_since >= CONFLICT_AFTER:
            why = "another program asks Telegram for the messages of this bot, with the same token"
            await self._become_deaf(Trouble.DEAF, why)

    async def take_webhook(self) -> bool:
        """Remove the webhook; return whether that succeeded."""
        try:
            await self._connection.delete_webhook()
        except ChatError as error:
            log.error("The webhook could not be taken back: %s", error)
            return False
        return True

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if not self._deaf and self._loop.time() - self._heard_at >= DEAF_AFTER:
                await self._become_deaf(Trouble.DEAF, f"no poll has come back for {DEAF_AFTER:g} s ({self._why})")

    async def _become_deaf(self, trouble: Trouble, why: str) -> None:
        """Alert admins, unless they know this cause; another one takes its place."""
        if self._deaf and self._trouble is trouble:
            return
        self._deaf, self._trouble = why, trouble
        log.error("Telegram: nobody is heard: %s", why)
        await self._alerts.announcer.trouble(Kind.ALERT, trouble, why)
        await self._end(*(_TROUBLES - {trouble}))

    async def _end(self, *troubles: Trouble) -> None:
        for each in troubles:
            await self._alerts.announcer.trouble(Kind.OVER, each)
