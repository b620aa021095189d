"""What single questions to a page find: a probe's health, and whether the server answered a heartbeat.

Three-valued throughout: yes, no, and cannot be told; what cannot be told is never taken for yes where more could have
been asked. What never lives here: how the page is asked (`channel`), and how often.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from controller.accounts.reasons import Reason
from controller.accounts.reports import Health, Layer
from controller.chromium.page.snapshot import Connection, words_of
from controller.driver import DriverError

_SECONDS = 3.0
_LOOK_SECONDS = 0.2

Ask = Callable[[str], Awaitable[Any]]
"""Calls one of the functions of surfaces.js. Raises DriverError."""


def connection_of(live: Any) -> Connection:
    """Check what the page answered to "live()"."""
    return Connection.parse(live) if isinstance(live, dict) else Connection()


def health_of(live: Any) -> Health:
    """Say whether the page's socket is well, from what it answered to "live()"."""
    connection = connection_of(live)
    if connection.fault is not None:
        return Health(Layer.SOCKET, f"it is {connection.fault}")
    if connection.is_up:
        return Health()
    if connection.shows_chats:
        return Health(detail="the socket cannot be read; the chat list is there")
    return Health(Layer.SOCKET, "it is not to be found")


async def heartbeat(ask_page: Ask, *, ask: bool, presence: bool) -> bool:
    """Return whether the server is known to have answered.

    With `ask` it is asked one question about our own address; where the page offers no such question, a socket that is
    read as connected is the answer (the page pings its server itself). presence: say also that we are here.
    """
    if presence:
        await ask_page("sendPresence()")
    connection = connection_of(await ask_page("live()"))
    if connection.fault is not None or not (connection.is_up or connection.shows_chats):
        return False
    if not await ask_page("canAsk()"):
        return True
    return ask and await ask_page("serverAnswers()") is True


async def headline(ask_page: Ask) -> str:
    """Return the words that stand out on the page, for people; "" where none can be had in time."""
    with contextlib.suppress(DriverError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            return words_of(await ask_page("headline()"))
    return ""


async def dismiss(ask_page: Ask) -> None:
    """Press the one button of the known dialog, and see it go. Raises DriverError."""
    if not await ask_page("dismiss()"):
        raise DriverError(Reason.UNKNOWN, "this page shows no dialog that is known")
    for _ in range(int(_SECONDS / _LOOK_SECONDS)):
        if await ask_page("dialog()") is None:
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise DriverError(Reason.UNKNOWN, "the dialog did not go away")
