"""The heartbeat: a periodic ping to an external service that alerts if pings stop.

Supports healthchecks.io (POST with a short body; `/start` first, `/fail` on problems),
Uptime Kuma's push monitors (GET `/api/push/…?status=up|down&msg=…`) and GoAlert (POST; it has no failure signal, so a
bad beat is not sent). The address is secret and never logged. Nothing waits for it.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, unique
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx

from controller.network.http_errors import HTTP_ERRORS

log = logging.getLogger(__name__)

CALL_DEADLINE = 10.0
"""Seconds that one call may take in all."""
TRIES = 3
ASK_AGAIN = 1.0
"""Seconds until a missing report is requested again."""
BODY_LIMIT = 1000
"""Characters of the body; every supported service stores at least as many."""


@unique
class Signal(StrEnum):
    """The program's state as signalled."""

    START = "start"
    GOOD = "good"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call. body: text, empty for none."""

    method: str
    url: str
    body: str = ""


def call_for(address: str, signal: Signal, text: str) -> Call | None:
    """Return the call that signals to the service at `address`; None if it does not support the signal."""
    parts = urlsplit(address)
    text = text[:BODY_LIMIT]
    if "/api/push/" in parts.path:
        if signal is Signal.START:
            return None
        query = dict(parse_qsl(parts.query)) | {"status": "down" if signal is Signal.FAIL else "up", "msg": text[:200]}
        return Call("GET", urlunsplit(parts._replace(query=urlencode(query))))
    if "/api/v2/heartbeat/" in parts.path:
        return Call("POST", address) if signal is Signal.GOOD else None
    suffix = "" if signal is Signal.GOOD else f"/{signal}"
    return Call("POST", urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix)), text)


class Heartbeat:
    """Reports to the service every `every` seconds what `report` returns: whether all is well, and a few figures.

    report: returns None if that is not known yet; it is then called again soon, and nothing is sent.
    """

    def __init__(
        self,
        address: str,
        report: Callable[[], tuple[bool, str] | None],
        *,
        every: float = 60.0,
        first_wait: float = 1.0,
    ) -> None:
        """first_wait: seconds before the second attempt at a call; doubles each time."""
        self._address, self._report, self._every, self._first_wait = address, report, every, first_wait
        self._failing = False

    async def run(self) -> None:
        """Send pings until cancelled. An unreachable service is logged once, and once when it is back."""
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(timeout=CALL_DEADLINE, follow_redirects=False) as client:
            await self._send(client, Signal.START, "")
            while True:
                due = loop.time() + self._every
                if (report := self._report()) is None:
                    due = loop.time() + min(self._every, ASK_AGAIN)
                else:
                    is_good, text = report
                    await self._send(client, Signal.GOOD if is_good else Signal.FAIL, text)
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _send(self, client: httpx.AsyncClient, signal: Signal, text: str) -> None:
        call = call_for(self._address, signal, text)
        if call is None:
            return
        why = ""
        for number in range(TRIES):
            if number:
                await asyncio.sleep(self._first_wait * 2 ** (number - 1))
            why = await _perform(client, call)
            if not why:
                if self._failing:
                    log.info("The heartbeat's service can be reached again")
                self._failing = False
                return
        if not self._failing:
            log.warning("The heartbeat cannot be sent: %s", why)
        self._failing = True


async def _perform(client: httpx.AsyncClient, call: Call) -> str:
    """Make the call; return the error without the address, empty on success."""
    try:
        async with asyncio.timeout(CALL_DEADLINE):
            async with client.stream(call.method, call.url, content=call.body.encode() or None) as answer:
                pass  # the status is the answer: a body may be slow, or have no end
    except TimeoutError:
        return f"no answer in {CALL_DEADLINE:g} s"
    except HTTP_ERRORS as error:
        return "its TLS certificate is not accepted" if _is_certificate(error) else type(error).__name__
    if answer.is_redirect:  # not followed: the address is secret, and a POST would become a GET
        return f"it redirects ({answer.status_code}): HEARTBEAT_URL must be the address that it leads to"
    return "" if answer.is_success else f"it answers {answer.status_code}"


def _is_certificate(error: BaseException | None) -> bool:
    """Return whether a certificate was rejected: the HTTP library wraps that error more than once."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
