"""Checks the channels beside Telegram, to people and to machines: fallback, heartbeat, health endpoints.

Nothing is sent: a message would call somebody, and a ping would tell the heartbeat's service that all is well. So an
address is parsed and its host connected to. Whether a message arrives is shown by `/test`.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from switchboard.check.findings import Finding, Verdict
from switchboard.data_dir import lock_holder
from switchboard.escalation_policy import escalation_policy
from switchboard.settings import Settings, SettingsError

CONNECT_SECONDS = 10.0


async def check_channels(settings: Settings) -> AsyncIterator[Finding]:
    """Yield the findings. Their names and texts contain no address, since each address is a secret."""
    for finding in await _fallback(settings):
        yield finding
    if settings.heartbeat_url is not None:
        yield await _heartbeat(settings.heartbeat_url.get_secret_value())
    if settings.health_listen is not None:
        yield _endpoints(settings)


async def _fallback(settings: Settings) -> list[Finding]:
    if not settings.alert_fallback_urls:
        return [
            Finding(
                "fallback channel",
                Verdict.NOTE,
                "none is set: while Telegram is away nobody is called (ALERT_FALLBACK_URLS)",
            )
        ]
    try:
        escalation_policy(settings)
    except SettingsError as error:
        return [Finding("fallback channel", Verdict.MEND, str(error))]
    urls = [each.get_secret_value() for each in settings.alert_fallback_urls]
    return await asyncio.gather(*(_one_way(number, url) for number, url in enumerate(urls, 1)))


async def _one_way(number: int, url: str) -> Finding:
    from switchboard.monitoring.fallback import kind_of, place_of

    name = f"fallback channel {number} ({kind_of(url)})"
    place = place_of(url)
    if place is None:
        return Finding(name, Verdict.GOOD, "it is understood; where it goes is not tried here: /test sends by it")
    if why := await _connect(*place):
        return Finding(name, Verdict.LATER, f"it is understood, but its host cannot be reached: {why}")
    return Finding(name, Verdict.GOOD, "it is understood, and its host can be reached; /test sends by it")


async def _heartbeat(url: str) -> Finding:
    parts = urlsplit(url)
    try:
        is_secure, port = parts.scheme == "https", parts.port
    except ValueError:
        port, is_secure = None, False
    if not parts.hostname:
        return Finding("heartbeat", Verdict.MEND, "HEARTBEAT_URL: it names no host")
    if why := await _connect(parts.hostname, port or (443 if is_secure else 80), is_secure):
        return Finding("heartbeat", Verdict.LATER, f"the service of HEARTBEAT_URL cannot be reached: {why}")
    return Finding("heartbeat", Verdict.GOOD, "the service of HEARTBEAT_URL can be reached")


def _endpoints(settings: Settings) -> Finding:
    address = settings.health_listen
    if address is not None and address.path is not None:
        return _endpoints_at(address.path, settings)
    if address is None or not _is_taken(address.host, address.port):
        return Finding("health", Verdict.GOOD, "HEALTH_LISTEN can be opened")
    if lock_holder(settings.data_dir) is not None:
        return Finding("health", Verdict.GOOD, "HEALTH_LISTEN is open: a Switchboard runs")
    return Finding("health", Verdict.MEND, "HEALTH_LISTEN: another program has that port; name another")


def _endpoints_at(path: Path, settings: Settings) -> Finding:
    from switchboard.monitoring.endpoints import has_listener

    if not os.access(path.parent, os.W_OK | os.X_OK):
        return Finding("health", Verdict.LATER, f"HEALTH_LISTEN: {path.parent} is not there, or we may not write there")
    if os.path.exists(path) and (not path.is_socket() or has_listener(path)):  # noqa: PTH110 - never raises
        if lock_holder(settings.data_dir) is not None:
            return Finding("health", Verdict.GOOD, "HEALTH_LISTEN is open: a Switchboard runs")
        return Finding("health", Verdict.MEND, f"HEALTH_LISTEN: {path} belongs to something else; name another")
    return Finding("health", Verdict.GOOD, "HEALTH_LISTEN can be opened")


def _is_taken(host: str, port: int) -> bool:
    """Whether something listens there already."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return False
    except OSError:
        return True


async def _connect(host: str, port: int, is_secure: bool) -> str:  # noqa: FBT001 - one of three values of a place, passed on as they are
    """Connect and close again; return what went wrong, "" if nothing did."""
    context: Any = ssl.create_default_context() if is_secure else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except TimeoutError:
        return f"no answer in {CONNECT_SECONDS:g} s"
    except ssl.SSLCertVerificationError as error:
        return f"its TLS certificate is not accepted ({error.verify_message})"
    except (OSError, ValueError, OverflowError) as error:
        return getattr(error, "strerror", None) or type(error).__name__
    writer.close()
    return ""
