"""The fallback channel: critical alerts that Telegram has not accepted, sent through Apprise (mail, ntfy, SMS …).

The library knows the services; this module adds deadlines, keeps the addresses secret, and reports whether any service
accepted the message. When to use it is decided by the owner of the alerts.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import apprise

log = logging.getLogger(__name__)

SEND_DEADLINE = 30.0
"""Seconds that one service may take. A hung library thread is abandoned and counts as not accepted."""


class FallbackError(ValueError):
    """Apprise does not recognise an address. The text is one line without the address."""


class FallbackChannel:
    """Sends to every address concurrently. Raises FallbackError for an unusable address."""

    def __init__(self, addresses: Sequence[str], *, deadline: float = SEND_DEADLINE) -> None:
        self._deadline = deadline
        self._services: list[tuple[str, apprise.Apprise]] = []
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it logs addresses, with their passwords
        for number, address in enumerate(addresses, 1):
            service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Switchboard", async_mode=True))
            if not service.add(address):
                kind = kind_of(address)
                raise FallbackError(f"ALERT_FALLBACK_URLS: address {number} ({kind}) is none that Apprise knows")
            self._services.append((f"{number} ({kind_of(address)})", service))

    @property
    def names(self) -> list[str]:
        """Names of the services that reveal no secret: their position in the setting, and their kind."""
        return [name for name, _ in self._services]

    async def send(self, title: str, text: str) -> dict[str, bool]:
        """Send plain text to all; returns who took it, by name. Never raises, and ends within the deadline."""
        took = await asyncio.gather(*(self._send(name, service, title, text) for name, service in self._services))
        return dict(zip(self.names, took, strict=True))

    async def _send(self, name: str, service: apprise.Apprise, title: str, text: str) -> bool:
        sending = asyncio.ensure_future(_notify(service, title, text))
        done, _ = await asyncio.wait([sending], timeout=self._deadline)
        if not done:
            sending.cancel()
            log.error("The fallback service %s gave no answer in %g s", name, self._deadline)
            return False
        if sending.cancelled() or (error := sending.exception()) is not None:
            log.error(
                "The fallback service %s failed: %s", name, "cancelled" if sending.cancelled() else type(error).__name__
            )
            return False
        if not sending.result():
            log.error("The fallback service %s refused", name)
        return sending.result()


async def _notify(service: apprise.Apprise, title: str, text: str) -> bool:
    return bool(await service.async_notify(body=text, title=title, notify_type=apprise.NotifyType.FAILURE))


def kind_of(address: str) -> str:
    """Return the scheme of an address, such as `mailto`. Whatever is before a colon alone may be a secret."""
    scheme, found, _ = address.partition("://")
    return scheme.lower() if found else "no scheme"


def place_of(address: str) -> tuple[str, int, bool] | None:
    """Return (host, port, implicit TLS) of the server behind an address; None if it is not known.

    Apprise has no interface for it: mail knows its server, self-hosted services their host, others a fixed one.
    """
    plugin: Any = apprise.Apprise.instantiate(address)
    if plugin is None:
        return None
    if smtp := getattr(plugin, "smtp_host", None):
        return smtp, plugin.port or (465 if plugin.secure else 25), False
    if getattr(plugin, "mode", None) == "cloud":  # ntfy
        return "ntfy.sh", 443, True
    is_secure = bool(getattr(plugin, "secure", True))
    fixed = urlsplit(getattr(plugin, "notify_url", "") or "")
    if fixed.hostname and not {"{", "}"} & set(fixed.netloc):
        return fixed.hostname, 443 if fixed.scheme == "https" else 80, fixed.scheme == "https"
    if plugin.host and any("{host}" in template for template in plugin.templates):
        return plugin.host, plugin.port or (443 if is_secure else 80), is_secure
    return None
