"""Single queries to a page: a probe's health, and whether the server answered a heartbeat.

Three-valued throughout: yes, no, and unknown; unknown is never taken for yes if more could have been queried.
Not here: how the page is queried (`channel`), and how often.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from controller.accounts.reasons import Reason
from controller.accounts.reports import Health, Layer
from controller.chromium.page.snapshot import Connection, words_of
from controller.driver import DriverError

_SECONDS = 3.0
_LOOK_SECONDS = 0.2
_TAKE_OVER_SECONDS = 10.0
_GIVEN_BACK_SECONDS = 15.0
"""How long a page may stay in conflict once its session was taken back."""
SERVER_SECONDS = 5.0
"""Half a probe's deadline: two unanswered queries, one health check apart, are known within 75 s of the silence."""

CANNOT_ASK = "its server does not answer questions about its own number"
"""What cannot be watched where `OwnQuery.proves_nothing`, for people."""

Ask = Callable[[str], Awaitable[Any]]
"""Calls one of the functions of surfaces.js. Raises DriverError."""

_ENOUGH = 2


@dataclass(slots=True)
class OwnQuery:
    """What came of asking about our own number in one account's browsers, up to the one that is open.

    unanswered: how often in this browser, while something came over its socket. If a whole browser saw no answer, the
    next one takes the question for one that this build, or this account's hidden address, has no answer to: its silence
    proves nothing then, until an answer comes.
    """

    unanswered: int = 0
    answered: bool = False
    proves_nothing: bool = False
    is_certain: bool = False
    """That it proves nothing has shown in a further browser."""

    def begin(self) -> None:
        """Begin with another browser."""
        if not self.answered and self.unanswered >= _ENOUGH:
            self.proves_nothing = True
        self.unanswered, self.answered = 0, False

    @property
    def partial(self) -> str:
        """What cannot be watched, for people."""
        return CANNOT_ASK if self.is_certain else ""

    async def ask(self, ask_page: Ask, *, silent: bool) -> bool:
        """Ask, and return whether the server is known to be alive. Raises DriverError; may never return."""
        self.unanswered += not silent
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SERVER_SECONDS if self.proves_nothing else None):
                if await ask_page("serverAnswers()") is True:
                    self.answered, self.proves_nothing, self.is_certain = True, False, False
                    return True
        self.is_certain = self.proves_nothing
        return self.proves_nothing and not silent


def connection_of(live: Any) -> Connection:
    """Validate the page's answer to "live()"."""
    return Connection.parse(live) if isinstance(live, dict) else Connection()


def health_of(live: Any) -> Health:
    """Return whether the page's socket is healthy, from its answer to "live()"."""
    connection = connection_of(live)
    if connection.fault is not None:
        return Health(Layer.SOCKET, f"it is {connection.fault}")
    if connection.is_up:
        return Health()
    if connection.shows_chats:
        return Health(detail="the socket cannot be read; the chat list is there")
    return Health(Layer.SOCKET, "it is not to be found")


async def health_of_silent(ask_page: Ask, answered: Callable[[], None]) -> Health:
    """Return the health of a page that says it is connected while nothing comes over its socket.

    answered: called if its server answers.
    """
    answer: Any = False
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SERVER_SECONDS):
                answer = await ask_page("serverAnswers()")
    except DriverError as error:
        return Health(Layer.PAGE, error.detail)
    if answer is None:
        return Health(detail="nothing comes over its socket, and its server cannot be asked")
    if not answer:
        return Health(Layer.SOCKET, "it says that it is connected, and its server does not answer")
    answered()
    return Health()


async def heartbeat(ask_page: Ask, query: OwnQuery, *, ask: bool, presence: bool, silent: bool = False) -> bool:
    """Return whether the server is known to have answered.

    With `ask`, query our own address; if the page offers no such query, or one that proves nothing, a socket in the
    connected state counts (the page pings its server itself), unless it is silent. presence: also announce that we are
    online.
    """
    if presence:
        await ask_page("sendPresence()")
    connection = connection_of(await ask_page("live()"))
    if connection.fault is not None or not (connection.is_up or connection.shows_chats):
        return False
    if not await ask_page("canAsk()"):
        return not silent
    return (ask or query.proves_nothing) and await query.ask(ask_page, silent=silent)


async def headline(ask_page: Ask) -> str:
    """Return the page's most prominent text, for people; "" if it cannot be read in time."""
    with contextlib.suppress(DriverError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            return words_of(await ask_page("headline()"))
    return ""


async def log_out(ask_page: Ask, number: str | None) -> None:
    """Begin to log this device out, if the account that is open is this one (E.164; None: any). Raises DriverError."""
    answer = await ask_page(f"logOut({json.dumps(number and number.removeprefix('+'))})")
    if answer == "another":
        raise DriverError(Reason.UNKNOWN, "the page does not tell any more that this account is open")
    if answer is not True:
        raise DriverError(Reason.UNKNOWN, "this page offers no way to log out")


async def take_over(ask_page: Ask, is_not_given_back: Callable[[], bool]) -> str:
    """Take the session back from elsewhere. Returns "" if that is done, else why not, as one line for people."""
    try:
        async with asyncio.timeout(_TAKE_OVER_SECONDS):
            if not await ask_page("takeOver()"):
                return "this page offers no way to take the session back"
    except DriverError as error:
        return error.detail
    except TimeoutError:
        return "the page did not answer when the session was to be taken back"
    await asyncio.sleep(_GIVEN_BACK_SECONDS)
    return "it was to be taken back here, and is still open elsewhere" if is_not_given_back() else ""


async def dismiss(ask_page: Ask) -> None:
    """Press the known dialog's only button and wait until it is gone. Raises DriverError."""
    if not await ask_page("dismiss()"):
        raise DriverError(Reason.UNKNOWN, "this page shows no dialog that is known")
    for _ in range(int(_SECONDS / _LOOK_SECONDS)):
        if await ask_page("dialog()") is None:
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise DriverError(Reason.UNKNOWN, "the dialog did not go away")
