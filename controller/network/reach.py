"""Probes WhatsApp's host over the same network path as the browsers: through their proxy, if any.

Any HTTP status counts as an answer, whatever it is, except for those that mean that no server is behind the gateway,
or that the network itself answers in its place. What follows from the result is up to `outage`.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
from socksio.exceptions import SOCKSError

from controller.network import http_errors
from controller.network.http_errors import NETWORK_ERRORS, NETWORK_LOGIN, PROXY_REFUSES
from controller.network.proxy import Proxy, parse_proxy

REACH_DEADLINE = 5.0
"""Seconds within which WhatsApp's host must answer."""
_NOBODY_BEHIND = {502, 503, 504}
_UNKNOWN_ROUTE = (
    "--proxy-pac-url",
    "--proxy-auto-detect",
    "--proxy-bypass-list",
    "--no-proxy-server",
    "--host-resolver-rules",
    "--host-rules",
)
"""Chromium arguments that change its network path in ways that cannot be reproduced here."""


class UnknownRouteError(ValueError):
    """The browsers' network path cannot be reproduced here."""


class UntrustedError(ConnectionError):
    """The host answers with a certificate that is not trusted here; browsers, which have roots of their own, may."""


class Reach:
    """Probes the host of `url`. proxy: the browsers' own; None to use their environment's."""

    def __init__(self, url: str, proxy: Proxy | None = None) -> None:
        self._url, self._proxy = url, proxy
        self._context = ssl.create_default_context()

    async def __call__(self) -> None:
        """Probe once. Raises OSError, with a readable text, if nobody answers; ValueError for an invalid address.

        UntrustedError: only its certificate is wrong. UnknownRouteError: the environment's proxy is of an unknown kind.
        """
        try:
            async with asyncio.timeout(REACH_DEADLINE):
                status = await self._ask()
        except TimeoutError:
            raise TimeoutError(f"no answer in {REACH_DEADLINE:g} s") from None
        except httpx.ProxyError as error:
            raise ConnectionError(_of_proxy(str(error))) from error
        except SOCKSError as error:  # httpx passes it on as it is
            raise ConnectionError("the proxy does not speak SOCKS5") from error
        except NETWORK_ERRORS as error:
            raise _for_people(error) from error
        except httpx.InvalidURL as error:
            raise ValueError(str(error)) from error
        if status == PROXY_REFUSES:
            raise ConnectionError(_of_proxy(str(status)))
        if status in _NOBODY_BEHIND:
            raise ConnectionError(f"{urlsplit(self._url).hostname} answers {status}")
        if status == NETWORK_LOGIN:
            raise ConnectionError(http_errors.LOGIN_WANTED)

    async def _ask(self) -> int:
        async with self._client() as client, client.stream("GET", self._url) as answer:  # the body is not read
            return answer.status_code

    def _client(self) -> httpx.AsyncClient:
        by_environment = self._proxy is None and not _is_here(self._url)
        try:
            return httpx.AsyncClient(
                proxy=None if self._proxy is None else self._proxy.url,
                trust_env=by_environment,
                verify=self._context,
                timeout=REACH_DEADLINE,
            )
        except ValueError:
            if not by_environment:
                raise
            raise UnknownRouteError("the environment's proxy") from None


def browsers_proxy(proxy: Proxy | None, arguments: Sequence[str]) -> Proxy | None:
    """Return the proxy that browsers use: PROXY_URL or their arguments. Raises UnknownRouteError."""
    for argument in arguments:
        if argument.startswith(_UNKNOWN_ROUTE):
            raise UnknownRouteError(argument.partition("=")[0])
    given = [argument.partition("=")[2] for argument in arguments if argument.startswith("--proxy-server=")]
    if not given:
        return proxy
    try:
        return parse_proxy(given[-1] if "://" in given[-1] else f"http://{given[-1]}")
    except ValueError:
        raise UnknownRouteError("--proxy-server") from None


def _of_proxy(what: str) -> str:
    if str(PROXY_REFUSES) in what or any(word in what.lower() for word in ("auth", "password")):
        return http_errors.OTHER_LOGIN_WANTED
    return f"the proxy does not let us through: {what}"


def _is_here(url: str) -> bool:
    """Return whether a browser bypasses the environment's proxy for this host because it is the local machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _for_people(error: Exception) -> ConnectionError:
    """Return the error to raise, with the innermost known cause in words."""
    untrusted = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in http_errors.causes(error))
    return (UntrustedError if untrusted else ConnectionError)(http_errors.words(error))
