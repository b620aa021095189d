"""Whether WhatsApp's host can be reached, asked the way in which the browsers ask it: through their proxy, if any.

A status line of any kind is an answer of the host, since what it thinks of us is no matter; but for the three that say
that nobody is behind it. What follows from the answer is `outage`'s.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from controller.network.proxy import Proxy, parse_proxy

REACH_DEADLINE = 5.0
"""Seconds in which WhatsApp's host has to answer."""
_NOBODY_BEHIND = {502, 503, 504}
_PROXY_REFUSES = 407
_UNKNOWN_WAY = (
    "--proxy-pac-url",
    "--proxy-auto-detect",
    "--proxy-bypass-list",
    "--host-resolver-rules",
    "--host-rules",
)
"""Arguments of Chromium by which it reaches hosts in ways that nobody else can follow."""


class UnknownWayError(ValueError):
    """The browsers reach hosts in a way that cannot be followed here."""


class Reach:
    """Asks the host of `url`. proxy: the browsers' own, None for what their environment says."""

    def __init__(self, url: str, proxy: Proxy | None = None) -> None:
        self._url, self._proxy = url, proxy
        self._context = _any_certificate()

    async def __call__(self) -> None:
        """Ask once. Raises OSError if nobody answers, in words; ValueError for an address that is none."""
        try:
            async with asyncio.timeout(REACH_DEADLINE):
                status = await self._ask()
        except TimeoutError:
            raise TimeoutError(f"no answer in {REACH_DEADLINE:g} s") from None
        except httpx.ProxyError as error:
            raise ConnectionError(_of_proxy(str(error))) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        except httpx.InvalidURL as error:
            raise ValueError(str(error)) from error
        if status == _PROXY_REFUSES:
            raise ConnectionError(_of_proxy(str(status)))
        if status in _NOBODY_BEHIND:
            raise ConnectionError(f"{urlsplit(self._url).hostname} answers {status}")

    async def _ask(self) -> int:
        by_environment = self._proxy is None and not _is_here(self._url)
        async with (
            httpx.AsyncClient(
                proxy=None if self._proxy is None else self._proxy.url,
                trust_env=by_environment,
                verify=self._context,
                timeout=REACH_DEADLINE,
            ) as client,
            client.stream("GET", self._url) as answer,  # what it says is not read
        ):
            return answer.status_code


def browsers_proxy(proxy: Proxy | None, arguments: Sequence[str]) -> Proxy | None:
    """Return the proxy that browsers go through: PROXY_URL's or that of their arguments. Raises UnknownWayError."""
    for argument in arguments:
        if argument.startswith(_UNKNOWN_WAY):
            raise UnknownWayError(argument.partition("=")[0])
    given = [argument.partition("=")[2] for argument in arguments if argument.startswith("--proxy-server=")]
    if not given:
        return proxy
    try:
        return parse_proxy(given[-1] if "://" in given[-1] else f"http://{given[-1]}")
    except ValueError:
        raise UnknownWayError("--proxy-server") from None


def _of_proxy(what: str) -> str:
    if str(_PROXY_REFUSES) in what or any(word in what.lower() for word in ("auth", "password")):
        return "the proxy wants another user or password (407)"
    return f"the proxy does not let us through: {what}"


def _is_here(url: str) -> bool:
    """Return whether a browser would ask no proxy of the environment for this host: it is this very machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _any_certificate() -> ssl.SSLContext:
    """Nothing secret is said: whether anybody answers is all that is asked. Browsers check who it is."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
