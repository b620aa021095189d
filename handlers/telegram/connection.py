"""The connection to Telegram: python-telegram-bot's Application, its HTTP clients, and the token that it is refused."""

import asyncio
import logging
from typing import Any

import telegram
from telegram.ext import Application
from telegram.request import HTTPXRequest

from handlers.chat.errors import TokenRefusedError
from handlers.telegram.client import TelegramClient

log = logging.getLogger(__name__)

SIDE_BY_SIDE = 1000
"""Updates handled at once: many wait for their chat's turn to be answered, and those of other chats must not."""
POLL_SECONDS = 25
CLOSE_DEADLINE = 10.0
"""Seconds that one step of closing may take."""


class _WatchedRequest(HTTPXRequest):
    """Notices that Telegram refuses the token: in mid-poll the library ends its polling without a word."""

    def __init__(self, refused: "asyncio.Future[None]", **options: Any) -> None:
        super().__init__(**options)
        self._refused = refused

    async def do_request(self, *args: Any, **options: Any) -> tuple[int, bytes]:
        code, payload = await super().do_request(*args, **options)
        if code == 401 and not self._refused.done():  # noqa: PLR2004 - Unauthorized
            self._refused.set_exception(TokenRefusedError())
            self._refused.exception()  # marks it as retrieved
        return code, payload


class TelegramConnection:
    """Make it inside a running loop. client: what the rest of the program sends by."""

    def __init__(self, token: str, api_url: str) -> None:
        base = api_url.rstrip("/")
        self.token_refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails with TokenRefusedError as soon as Telegram does not accept the token."""
        self._requests = (
            _WatchedRequest(self.token_refused, connection_pool_size=32, pool_timeout=10, read_timeout=15),
            _WatchedRequest(self.token_refused, connection_pool_size=2, read_timeout=POLL_SECONDS + 10),
        )
        self.app: Application[Any, Any, Any, Any, Any, Any] = (
            Application.builder()
            .token(token)
            .base_url(f"{base}/bot")
            .base_file_url(f"{base}/file/bot")
            .request(self._requests[0])
            .get_updates_request(self._requests[1])
            .concurrent_updates(SIDE_BY_SIDE)
            .build()
        )
        self.client = TelegramClient(self.app.bot)

    async def close(self) -> None:
        """Close the HTTP clients: nothing can be sent afterwards."""
        for step in (self.app.shutdown(), *(request.shutdown() for request in self._requests)):
            try:  # an Application whose start was cut short does not shut its requests down
                async with asyncio.timeout(CLOSE_DEADLINE):
                    await step
            except (TimeoutError, RuntimeError, telegram.error.TelegramError) as error:
                log.debug("A step of closing the connection failed: %s", type(error).__name__)
