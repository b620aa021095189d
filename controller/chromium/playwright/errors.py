"""Translates Playwright's errors to `DriverError`, worded for people. The only place that does.

Of a long message only the first line is passed on, and the last output of a browser that did not start: the rest is a
call log that may contain anything.
Not here: what follows from an error.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from controller.accounts.e164 import mask
from controller.accounts.reasons import Reason
from controller.chromium.process.launcher import IN_USE, REFUSAL
from controller.driver import DriverError
from controller.host.limits import inherited_limits
from controller.network import http_errors

_NO_SANDBOX = re.compile(r"No usable sandbox|crbug\.com/638180|crbug\.com/357670|sandboxing failed")
_LONGEST = 200

NO_SANDBOX = "Chromium's sandbox cannot be used here: allow user namespaces, or set BROWSER_ARGS=--no-sandbox"

GONE = "the page or its browser is gone"

_NET = {
    "ERR_NAME_NOT_RESOLVED": http_errors.UNKNOWN_NAME,
    "ERR_INTERNET_DISCONNECTED": "this machine is offline",
    "ERR_CONNECTION_REFUSED": http_errors.REFUSED,
    "ERR_CONNECTION_RESET": "its host reset the connection",
    "ERR_CONNECTION_CLOSED": "its host closed the connection",
    "ERR_CONNECTION_TIMED_OUT": "its host does not answer",
    "ERR_TIMED_OUT": "its host does not answer",
    "ERR_ADDRESS_UNREACHABLE": "its host cannot be reached",
    "ERR_EMPTY_RESPONSE": "its host answered nothing",
    "ERR_TOO_MANY_REDIRECTS": "it redirects without end",
    "ERR_UNSAFE_REDIRECT": "it redirects to where no page may",
    "ERR_CERT_AUTHORITY_INVALID": http_errors.UNTRUSTED,
    "ERR_CERT_COMMON_NAME_INVALID": http_errors.OTHER_HOST,
    "ERR_CERT_DATE_INVALID": http_errors.WRONG_TIME,
    "ERR_SSL_PROTOCOL_ERROR": http_errors.NO_TLS,
    "ERR_PROXY_CONNECTION_FAILED": "the proxy cannot be reached",
    "ERR_PROXY_AUTH_UNSUPPORTED": http_errors.OTHER_LOGIN_WANTED,
    "ERR_PROXY_AUTH_REQUESTED": http_errors.OTHER_LOGIN_WANTED,
    "ERR_INVALID_AUTH_CREDENTIALS": http_errors.OTHER_LOGIN_WANTED,
    "ERR_UNEXPECTED_PROXY_AUTH": http_errors.OTHER_LOGIN_WANTED,
    "ERR_NO_SUPPORTED_PROXIES": "the browser does not know this kind of proxy",
    "ERR_SOCKS_CONNECTION_FAILED": "the proxy does not let us through",
    "ERR_TUNNEL_CONNECTION_FAILED": "the proxy refuses the connection",
    "ERR_HTTP_RESPONSE_CODE_FAILURE": "its host answered with an error and nothing else",
    "ERR_INSUFFICIENT_RESOURCES": "this machine refuses the browser memory or files",
    "ERR_OUT_OF_MEMORY": "this machine refuses the browser memory",
    "ERR_FILE_NO_SPACE": "there is no room for the browser's files",
}
_REFUSED_HERE = {"ERR_INSUFFICIENT_RESOURCES", "ERR_OUT_OF_MEMORY", "ERR_FILE_NO_SPACE"}
_NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)")
_LOG_LINE = re.compile(r"^(?:\s*- )?\[pid=\d+\]\[err\] (.*)$", re.MULTILINE)
_EXIT = re.compile(r"<process did exit: exitCode=(\w+), signal=(\w+)>")
_FATAL = re.compile(r":FATAL:|Check failed|error while loading shared libraries|cannot allocate memory", re.IGNORECASE)
_NOISE = re.compile(
    r"vaapi|libva|dbus|gcm|:WARNING:|gpu_|viz_|sandbox_linux|ALSA|udev|^#|Received signal|\[end of stack"
)
"""Output of every browser on a server, however it dies."""
_NUMBER = re.compile(r"\d{7,}")
_GONE = re.compile(r"has been closed|Target crashed|Target closed|Connection closed|Browser closed|was detached")
_BY_PAGE = ("Page.evaluate: ", "Frame.evaluate: ")
_MOVED = "Execution context was destroyed"
"""The text that follows the first prefix is the page's own (and may contain anything), unless it is this one."""
_INTERRUPTED = re.compile(r"ERR_ABORTED|interrupted by another navigation|frame was detached", re.IGNORECASE)


@contextmanager
def translated(doing: str, reason: Reason = Reason.LAUNCH_FAILED) -> Iterator[None]:
    """Convert what Playwright raises to DriverError. doing: what was attempted, as in "load the page"."""
    try:
        yield
    except TimeoutError as error:
        raise DriverError(reason, f"could not {doing}: no answer in time") from error
    except PlaywrightError as error:
        raise translate(error, doing, reason) from error


def _with_limits(detail: str) -> str:
    """Add the limits that may be why."""
    limits = inherited_limits()
    return f"{detail}; {limits}" if limits else detail


def translate(error: PlaywrightError, doing: str, reason: Reason) -> DriverError:
    """Explain one of Playwright's errors in one line."""
    if error.message.startswith(_BY_PAGE) and not _GONE.search(error.message) and _MOVED not in error.message:
        return DriverError(reason, f"could not {doing}: its script failed")
    lines = [line for line in _LOG_LINE.findall(error.message) if line.strip()]
    if refusal := next((line for line in lines if line.startswith(REFUSAL)), None):
        detail = _line(refusal.removeprefix(REFUSAL))
        return DriverError(Reason.PROFILE_IN_USE if refusal.startswith(IN_USE) else reason, detail)
    if _NO_SANDBOX.search(error.message):
        return DriverError(reason, NO_SANDBOX)
    if ended := _EXIT.search(error.message):
        code, signal = ended.groups()
        how = f"exit code {code}" if signal == "null" else signal
        return DriverError(reason, _with_limits(_line(f"could not {doing}: it ended ({how}) {_cause(lines)}")))
    if net := _NET_ERROR.search(error.message):
        detail = f"could not {doing}: {_NET.get(net[1], 'network error')} (net::{net[1]})"
        return DriverError(reason, _with_limits(detail) if net[1] in _REFUSED_HERE else detail)
    if "Download is starting" in error.message:
        return DriverError(reason, f"could not {doing}: its host sent a file instead")
    if isinstance(error, PlaywrightTimeoutError):
        return DriverError(reason, f"could not {doing}: no answer in time")
    if _GONE.search(error.message):
        return DriverError(Reason.SESSION_CLOSED, GONE)
    return DriverError(reason, _line(f"could not {doing}: {error.message}"))


def _cause(lines: Sequence[str]) -> str:
    """Pick the cause of death from a browser's last lines: a fatal one, else the last that is not known noise."""
    fatal = next((line for line in lines if _FATAL.search(line)), None)
    return fatal or next((line for line in reversed(lines) if not _NOISE.search(line)), "")


def is_interrupted(error: PlaywrightError) -> bool:
    """Whether a load ended because the page itself navigated on: not a failure yet."""
    return _INTERRUPTED.search(error.message) is not None


def _line(text: str) -> str:
    """Return one line of a text, with account numbers in paths masked and invisible characters removed."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    first = "".join(sign if sign.isprintable() else " " for sign in first)
    return _NUMBER.sub(lambda found: mask(found[0]), first)[:_LONGEST]
