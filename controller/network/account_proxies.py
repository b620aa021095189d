"""Accounts' own proxies: stored, with their passwords encrypted if there is a key.

Whatever opens a browser, or probes WhatsApp's host on its behalf, looks up the account's route here. `route_outages`
handles accounts whose proxy does not respond.
"""

import base64
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit

import pyrage

from controller.accounts.e164 import mask
from controller.accounts.reasons import Reason
from controller.accounts.reports import Report
from controller.driver import Driver, DriverError, Opening, SavedSession, Session
from controller.network.proxy import Proxy, parse_proxy
from controller.stored import StoredProxy

log = logging.getLogger(__name__)

UNREADABLE = (
    "the password of the account's own proxy cannot be read with this PROFILE_KEY: "
    "an admin can name the proxy again with /proxy"
)


class ProxyStore(Protocol):
    """Storage of proxies. Every method raises OSError on failure."""

    async def proxies(self) -> Sequence[StoredProxy]:
        """Return all proxies."""

    async def save_proxy(self, number: str, server: str, login: str, *, encrypted: bool) -> None:
        """Store an account's proxy, replacing the previous one."""

    async def remove_proxy(self, number: str) -> None:
        """Delete an account's proxy."""


class AccountProxies:
    """Which account uses which proxy of its own. `load` it before the first browser opens.

    identity: encrypts passwords (PROFILE_KEY), None for plain text.
    """

    def __init__(self, store: ProxyStore, identity: pyrage.x25519.Identity | None = None) -> None:
        self._store, self._identity = store, identity
        self._proxies: dict[str, Proxy] = {}
        self._unreadable: dict[str, str] = {}
        self.changed: list[Callable[[str], None]] = []
        """Called with the number of an account whose route changes from now on."""

    async def load(self) -> None:
        """Load what is stored, encrypting what was stored before there was a key. Raises OSError."""
        for row in await self._store.proxies():
            proxy = read_row(row, self._identity)
            if proxy is None:
                self._unreadable[row.number] = row.server
                log.warning("%s %s", mask(row.number), UNREADABLE)
                continue
            self._proxies[row.number] = proxy
            if proxy.user and self._identity is not None and not row.encrypted:
                await self._save(row.number, proxy)

    def find(self, number: str) -> Proxy | None:
        """Return an account's own proxy; None if it has none, or its password cannot be decrypted."""
        return self._proxies.get(number)

    def server(self, number: str) -> str | None:
        """Return the address of an account's own proxy, without user and password."""
        proxy = self._proxies.get(number)
        return proxy.server if proxy is not None else self._unreadable.get(number)

    def is_unreadable(self, number: str) -> bool:
        """Return whether an account has a proxy of its own whose password cannot be decrypted."""
        return number in self._unreadable

    def all(self) -> dict[str, Proxy]:
        """Return every account's own proxy, by the account's number."""
        return dict(self._proxies)

    async def save(self, number: str, proxy: Proxy) -> None:
        """Use a proxy for an account from its next opening on. Raises OSError: then nothing has changed."""
        await self._save(number, proxy)
        self._unreadable.pop(number, None)
        self._proxies[number] = proxy
        self._notify(number)

    async def remove(self, number: str) -> None:
        """Return an account to the common route. Raises OSError: then nothing has changed."""
        await self._store.remove_proxy(number)
        self.forget(number)

    def forget(self, number: str) -> None:
        """Drop a removed account's proxy from memory; the caller has deleted it from the store."""
        had = self._proxies.pop(number, None) is not None
        if self._unreadable.pop(number, None) is not None or had:
            self._notify(number)

    def _notify(self, number: str) -> None:
        for listener in self.changed:
            listener(number)

    async def _save(self, number: str, proxy: Proxy) -> None:
        login = urlsplit(proxy.url).netloc.rpartition("@")[0]
        encrypted = bool(login) and self._identity is not None
        if login and self._identity is not None:
            login = base64.b64encode(pyrage.encrypt(login.encode(), [self._identity.to_public()])).decode()
        await self._store.save_proxy(number, proxy.server, login, encrypted=encrypted)


def read_row(row: StoredProxy, identity: pyrage.x25519.Identity | None) -> Proxy | None:
    """Return what is stored; None if the password cannot be decrypted with this key, or it is no proxy."""
    login = row.login
    try:
        if row.encrypted:
            if identity is None:
                return None
            login = pyrage.decrypt(base64.b64decode(login), [identity]).decode()
        scheme, _, host = row.server.partition("://")
        return parse_proxy(f"{scheme}://{login}@{host}" if login else row.server)
    except (pyrage.DecryptError, ValueError):
        return None


class ProxiedDriver:
    """A driver that opens browsers through the accounts' own proxies. Implements `controller.driver.Driver`."""

    def __init__(self, driver: Driver, proxies: AccountProxies) -> None:
        self._driver, self._proxies = driver, proxies

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> Session:
        """Open a browser on the account's own route, never on another one, which would reveal it to the wrong party."""
        if self._proxies.is_unreadable(opening.account):
            raise DriverError(Reason.LAUNCH_FAILED, UNREADABLE)
        proxy = self._proxies.find(opening.account)
        return await self._driver.open(opening if proxy is None else replace(opening, proxy=proxy.url), report)

    async def has_session(self, account: str) -> bool:
        """See `Driver.has_session`."""
        return await self._driver.has_session(account)

    async def remove(self, account: str) -> None:
        """See `Driver.remove`."""
        await self._driver.remove(account)

    async def saved(self, account: str) -> Sequence[SavedSession]:
        """See `Driver.saved`."""
        return await self._driver.saved(account)

    async def restore(self, account: str, name: str) -> None:
        """See `Driver.restore`."""
        await self._driver.restore(account, name)

    async def discard(self, account: str) -> None:
        """See `Driver.discard`."""
        await self._driver.discard(account)

    async def stop(self) -> None:
        """See `Driver.stop`."""
        await self._driver.stop()
