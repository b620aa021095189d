"""The one place where Playwright's errors become ours (`DriverError`), worded for people.

Only the first line of a message is ever looked at: what follows is a log of calls, which may hold anything.
What never lives here: what follows from an error.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from controller.chromium.launcher import IN_USE, REFUSAL
from controller.driver import DriverError
from controller.reasons import Reason

GONE = "the page or its browser is gone"

_NET = {
    "ERR_NAME_NOT_RESOLVED": "its host name is not known (DNS)",
    "ERR_INTERNET_DISCONNECTED": "this machine is offline",
    "ERR_CONNECTION_REFUSED": "its host refuses the connection",
    "ERR_CONNECTION_RESET": "its host reset the connection",
    "ERR_CONNECTION_CLOSED": "its host closed the connection",
    "ERR_CONNECTION_TIMED_OUT": "its host does not answer",
    "ERR_TIMED_OUT": "its host does not answer",
    "ERR_ADDRESS_UNREACHABLE": "its host cannot be reached",
    "ERR_EMPTY_RESPONSE": "its host answered nothing",
    "ERR_TOO_MANY_REDIRECTS": "it redirects without end",
    "ERR_PROXY_CONNECTION_FAILED": "the proxy cannot be reached",
    "ERR_TUNNEL_CONNECTION_FAILED": "the proxy refuses the connection",
    "ERR_HTTP_RESPONSE_CODE_FAILURE": "its host answered with an error and nothing else",
}
_NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)")
_LOG_LINE = re.compile(r"^(?:\s*- )?\[pid=\d+\]\[err\] (.*)$", re.MULTILINE)
_GONE = re.compile(r"has been closed|Target crashed|Target closed|Connection closed|Browser closed|was detached")
_INTERRUPTED = re.compile(r"ERR_ABORTED|interrupted by another navigation|frame was detached", re.IGNORECASE)


@contextmanager
def translated(doing: str, reason: Reason = Reason.LAUNCH_FAILED) -> Iterator[None]:
    """Turn what Playwright raises into DriverError. doing: what was tried, as in "load the page"."""
    try:
        yield
    except TimeoutError as error:
        raise DriverError(reason, f"could not {doing}: no answer in time") from error
    except PlaywrightError as error:
        raise translate(error, doing, reason) from error


def translate(error: PlaywrightError, doing: str, reason: Reason) -> DriverError:
    """Say in one line what one of Playwright's errors means."""
    refusal = next((line for line in _LOG_LINE.findall(error.message) if line.startswith(REFUSAL)), None)
    if refusal is not None:
        detail = refusal.removeprefix(REFUSAL)
        return DriverError(Reason.PROFILE_IN_USE if refusal.startswith(IN_USE) else reason, detail)
    if net := _NET_ERROR.search(error.message):
        return DriverError(reason, f"could not {doing}: {_NET.get(net[1], 'network error')} (net::{net[1]})")
    if isinstance(error, PlaywrightTimeoutError):
        return DriverError(reason, f"could not {doing}: no answer in time")
    if _GONE.search(error.message):
        return DriverError(Reason.SESSION_CLOSED, GONE)
    return DriverError(reason, f"could not {doing}: {_first_line(error.message)}")


def is_interrupted(error: PlaywrightError) -> bool:
    """Whether a load ended because the page itself went on to another one: no failure yet."""
    return _INTERRUPTED.search(error.message) is not None


def _first_line(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return (lines[0] if lines else "unknown error")[:200]
