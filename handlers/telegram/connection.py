"""The connection to Telegram: python-telegram-bot's Bot, its HTTP clients, and the calls that fetch updates.

Updates are fetched as raw JSON: the library parses a batch as a whole, so that a single malformed update would
block all others for ever.
"""

import asyncio
import functools
import json
import logging
import math
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
import telegram
from telegram import Bot
from telegram.request import HTTPXRequest

from handlers.chat.errors import ChatError, NotSentError, OutcomeUnknownError, TokenRefusedError
from handlers.telegram.client import TelegramClient

log = logging.getLogger(__name__)

POLL_SECONDS = 25
"""How long Telegram may hold a poll open if there is nothing new."""
POLL_DEADLINE = POLL_SECONDS + 10.0
"""Seconds after which a poll without a response counts as lost."""
CLOSE_DEADLINE = 10.0
"""Seconds that one step of closing may take."""
SILENCES = 1.0, 86_400.0
"""The shortest and the longest silence, in seconds, that a 429 is believed to ask for."""
SILENCE_UNKNOWN = 5.0
"""Seconds of silence after a 429 that asks for no time."""
UPDATES = ("message", "edited_message", "callback_query", "my_chat_member", "channel_post")

CallListener = Callable[[str, str], None]
"""Called with a method's name and the outcome of one call: `ok`, an HTTP status, or `no answer`."""

DateListener = Callable[[str | None], None]
"""Called with the `Date` header of a successful response; None without one."""

Update = Mapping[str, Any]
"""An update as Telegram's JSON."""


class ProxyError(ValueError):
    """The proxy cannot be used. The text is one line naming the setting, without the proxy's password."""


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the TLS settings of every client: reading the trusted certificates takes some 30 ms each time."""
    return httpx.create_ssl_context()


class _ObservedRequest(HTTPXRequest):
    """Reports the outcome of each call to listeners: its method's name, and `ok`, an HTTP status, or `no answer`.

    Likewise the time that Telegram tells with each success.
    """

    def __init__(
        self, listeners: Sequence[CallListener], date_listeners: Sequence[DateListener], **options: Any
    ) -> None:
        super().__init__(httpx_kwargs={"verify": _tls(), "event_hooks": {"response": [self._note_date]}}, **options)
        self._listeners, self._date_listeners = listeners, date_listeners

    async def _note_date(self, response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.OK:  # another answer may be a proxy's own
            for listener in self._date_listeners:
                listener(response.headers.get("date"))

    async def do_request(self, url: str, *args: Any, **options: Any) -> tuple[int, bytes]:
        outcome = "no answer"
        try:
            code, payload = await super().do_request(url, *args, **options)
            outcome = "ok" if code == HTTPStatus.OK else str(code)
        finally:
            for listener in self._listeners:
                listener(url.rpartition("/")[2], outcome)
        if code == HTTPStatus.TOO_MANY_REQUESTS:  # the library takes one without a time for an outage
            raise telegram.error.RetryAfter(_silence(payload))
        return code, payload


class TelegramConnection:
    """Create it inside a running loop. client: for sending messages.

    proxy: an address such as `socks5://user:password@host:1080`, or None for the environment's. Raises ProxyError.
    """

    def __init__(self, token: str, api_url: str, proxy: str | None = None) -> None:
        base = api_url.rstrip("/")
        self.call_listeners: list[CallListener] = []
        """Notified of each call of the Bot API."""
        self.date_listeners: list[DateListener] = []
        """Notified of each time that Telegram tells."""
        listeners = self.call_listeners, self.date_listeners
        try:
            self._sending = _ObservedRequest(
                *listeners, connection_pool_size=32, pool_timeout=10, read_timeout=15, proxy=proxy
            )
            self._polling = _ObservedRequest(
                *listeners, connection_pool_size=2, read_timeout=POLL_DEADLINE, proxy=proxy
            )
        except (RuntimeError, ValueError, ImportError) as error:
            raise ProxyError(_proxy_problem(error, proxy)) from None
        calls, files, polling = f"{base}/bot", f"{base}/file/bot", self._polling
        self.bot = Bot(token, calls, files, request=self._sending, get_updates_request=polling)
        self._poller = Bot(token, calls, files, request=polling, get_updates_request=polling)
        self.client = TelegramClient(self.bot)

    @property
    def username(self) -> str:
        """The bot's own username; requires `open`."""
        return self.bot.username

    async def open(self) -> None:
        """Query the bot's identity. Raises ChatError; TokenRefusedError at once."""
        try:
            await self.client.perform(self.bot.initialize(), unchanged=(telegram.error.InvalidToken,))
        except telegram.error.InvalidToken:
            raise TokenRefusedError from None

    async def poll(self, offset: int | None) -> list[Update]:
        """Confirm the updates before `offset`, and wait for the next: at most `POLL_DEADLINE` seconds.

        Each has a number. Raises telegram.error.Conflict unchanged (somebody else gets our updates), ChatError for
        everything else.
        """
        # Method names are case-insensitive. In the library's own spelling this call would be its get_updates.
        asked = {"offset": offset, "timeout": POLL_SECONDS, "allowed_updates": list(UPDATES)}
        call = self._get_updates({name: value for name, value in asked.items() if value})
        result = await self.client.perform(call, unchanged=(telegram.error.Conflict,))
        updates = [each for each in result if _is_numbered(each)] if isinstance(result, list) else []
        if not updates and result != []:
            raise NotSentError("what came for a poll is no list of updates")
        return updates

    async def _get_updates(self, asked: dict[str, Any]) -> Any:
        try:
            return await self._poller.do_api_request("getupdates", asked)
        except telegram.error.InvalidToken as error:  # reported as if the method were unknown
            raise telegram.error.InvalidToken(str(error.__cause__ or error)) from None

    async def answers(self) -> bool:
        """Make a harmless call. Returns whether Telegram responded, whatever the response."""
        try:
            await self.client.perform(self.bot.get_me())
        except (NotSentError, OutcomeUnknownError):
            return False
        except ChatError:
            return True
        return True

    async def webhook(self) -> telegram.WebhookInfo:
        """Return the webhook; its url is empty if updates are polled. Raises ChatError."""
        return await self.client.perform(self.bot.get_webhook_info())

    async def delete_webhook(self) -> None:
        """Allow polling again; pending updates are kept. Raises ChatError."""
        await self.client.perform(self.bot.delete_webhook(drop_pending_updates=False))

    async def close(self) -> None:
        """Close the HTTP clients: nothing can be sent afterwards."""
        for step in (self.bot.shutdown, self._sending.shutdown, self._polling.shutdown):
            try:  # a Bot whose start was interrupted does not shut its requests down
                async with asyncio.timeout(CLOSE_DEADLINE):
                    await step()
            except (TimeoutError, RuntimeError, ChatError, telegram.error.TelegramError) as error:
                log.debug("A step of closing the connection failed: %s", type(error).__name__)


def _silence(payload: bytes) -> timedelta:
    """Return for how long a 429 asks for silence, within `SILENCES`; a proxy's may not say it."""
    try:
        seconds = float(json.loads(payload)["parameters"]["retry_after"])
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return timedelta(seconds=SILENCE_UNKNOWN)
    shortest, longest = SILENCES
    return timedelta(seconds=SILENCE_UNKNOWN if math.isnan(seconds) else min(max(seconds, shortest), longest))


def _is_numbered(update: object) -> bool:
    return isinstance(update, dict) and isinstance(update.get("update_id"), int)


def _proxy_problem(error: Exception, proxy: str | None) -> str:
    name = "TELEGRAM_PROXY" if proxy else "The proxy in the environment (ALL_PROXY, HTTPS_PROXY)"
    if "socks" in str(error).casefold() and not isinstance(error, ValueError):
        return f"{name}: a SOCKS proxy needs the package socksio; install python-telegram-bot[socks]"
    return f"{name}: takes http://, https:// or socks5://, with a host and a port"
