"""The registry: number → manager, and operations on all accounts at once.

It owns look-up, the order of starting and stopping, and the launch slots. What an account does by itself is up to its
manager; persistent data goes through `AccountStore`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from controller.accounts.model import Boot, Wanted
from controller.accounts.notices import Listener
from controller.accounts.policy import Policy
from controller.accounts.reasons import Reason, State
from controller.accounts.status import Status
from controller.driver import Driver, DriverError, SavedSession, Usage
from controller.launch_slots import Applicant, Launches, LaunchSlots
from controller.manager import Manager, utc_now

log = logging.getLogger(__name__)

LOOK_DEADLINE = 10.0
"""Seconds within which a driver must determine whether a profile holds a session."""
OUTAGE = "WhatsApp cannot be reached"
"""The name under which launches are held during an outage."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as stored.

    number: E.164. name: the display name, may be empty. owner: the operator's id.
    wanted: the state it should be in. linked: its phone has linked it. state, reason, cause, detail, since, attempts,
    errors: its last status. alias: another form of its number, E.164, confirmed by an operator.
    """

    number: str
    name: str
    owner: int
    wanted: Wanted = Wanted.IDLE
    linked: bool = False
    state: State = State.IDLE
    reason: Reason | None = None
    detail: str = ""
    since: datetime | None = None
    block_ends_at: datetime | None = None
    cause: Reason | None = None
    attempts: int = 0
    errors: int = 0
    alias: str | None = None


class AccountStore(Protocol):
    """Storage of accounts. Every method raises OSError on failure."""

    async def accounts(self) -> Sequence[Account]:
        """All accounts, the longest-served first."""

    async def add_account(self, account: Account) -> None:
        """Insert a new account."""

    async def set_wanted(self, number: str, wanted: Wanted) -> None:
        """Set the state that the account should be in."""

    async def rename(self, number: str, name: str) -> None:
        """Set the account's display name."""

    async def change_owner(self, number: str, owner: int) -> None:
        """Set the account's owner."""

    async def remove_account(self, number: str) -> None:
        """Delete the account. Its transitions remain, without its number."""


class UnknownAccountError(LookupError):
    """No such account. The text is the number or name that was looked up."""


class ShuttingDownError(RuntimeError):
    """The controller is stopping and accepts no more commands."""


class Registry:
    """All accounts and their managers. Create it inside a running loop, `boot` it once, end it with `stop`."""

    def __init__(
        self,
        store: AccountStore,
        *,
        driver: Driver,
        policy: Policy,
        listener: Listener,
        launch_slots: int,
        clock: Callable[[], datetime] = utc_now,
        full_numbers: bool = False,
    ) -> None:
        self._store, self._driver, self._policy, self._listener = store, driver, policy, listener
        self.slots = LaunchSlots(launch_slots)
        self._clock = clock
        self._full_numbers = full_numbers
        self._accounts: dict[str, Account] = {}
        self._managers: dict[str, Manager] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._holds: dict[str, Callable[[str], bool]] = {}
        self._adding = asyncio.Lock()
        self._stopping = False
        self._rank = 0
        self.may_plan: Callable[[str], bool] = lambda _: True
        """Returns whether planned actions for an account may be performed now."""
        self.go_on: Callable[[], bool] = lambda: False
        """Approves planned actions that `may_plan` holds back. Returns False if there were none."""

    async def boot(self) -> None:
        """Restore every account to its wanted state; those to be connected wait in turn for a launch slot (L14)."""
        accounts = await self._store.accounts()
        unsure = [each for each in accounts if not each.linked and each.wanted is Wanted.CONNECTED]
        found = await asyncio.gather(*map(self._has_session, unsure))
        has_session = {account.number for account, there in zip(unsure, found, strict=True) if there}
        self._refuse_if_stopping()
        for account in accounts:
            ends = account.block_ends_at
            self._adopt(account).boot(
                Boot(
                    wanted=account.wanted,
                    linked=account.linked,
                    state=account.state,
                    reason=account.reason,
                    detail=account.detail,
                    block_ends_in=None if ends is None else max(0.0, (ends - self._clock()).total_seconds()),
                    cause=account.cause,
                    has_session=account.number in has_session,
                    attempts=account.attempts,
                    errors=account.errors,
                    alias=account.alias,
                ),
                account.since,
            )

    async def _has_session(self, account: Account) -> bool:
        """Check for a session that was not recorded: a stop can come between the scan and CONNECTED."""
        try:
            async with asyncio.timeout(LOOK_DEADLINE):
                return await self._driver.has_session(account.number)
        except (DriverError, TimeoutError) as error:
            log.warning("Whether an account has a saved session is unknown: %s", error or "no answer in time")
            return True

    def accounts(self) -> list[Account]:
        """All accounts, the longest-served first."""
        return list(self._accounts.values())

    def account(self, number: str) -> Account:
        """Return an account by its number. Raises UnknownAccountError."""
        try:
            return self._accounts[number]
        except KeyError:
            raise UnknownAccountError(number) from None

    def find(self, number: str) -> Account | None:
        """Return an account by its number, None if there is none."""
        return self._accounts.get(number)

    def find_status(self, number: str) -> Status | None:
        """Return an account's status, None if there is no such account."""
        return self.status(number) if number in self._managers else None

    def status(self, number: str) -> Status:
        """Return an account's status. Raises UnknownAccountError."""
        return self._manager(number).get_status()

    async def usage(self, number: str) -> Usage | None:
        """Measure an account's browser; None if none is open. Raises UnknownAccountError."""
        return await self._manager(number).usage()

    def recycle(self, number: str, why: str) -> bool:
        """Close a connected account's browser gracefully and reopen it at once. Raises UnknownAccountError.

        Returns False if it must wait, since it could not be opened again now, or another account is trying a new build
        of the page: retry later.
        """
        manager = self._manager(number)
        if self.slots.is_held(number) or not self.may_plan(number):
            return False
        manager.recycle(why)
        return True

    @property
    def launches(self) -> Launches:
        """How many browsers are being launched, how many wait for it, and what bounds them."""
        return self.slots.launches

    def hold(self, name: str = OUTAGE, concerns: Callable[[str], bool] = lambda _: True) -> None:
        """Suspend launches and the counting of failures: WhatsApp itself cannot be reached (L13).

        name: identifies the hold for `release`. concerns: whether a number's network route is affected.
        """
        self._holds[name] = concerns
        self.slots.hold(name, concerns)
        for number in self._managers:
            self.apply_holds(number)

    def release(self, name: str = OUTAGE) -> None:
        """Resume after `hold`, in order: the longest-served first, as launch slots become free."""
        self._holds.pop(name, None)
        for number in self._managers:
            self.apply_holds(number)
        self.slots.release(name)

    def apply_holds(self, number: str) -> None:
        """Hold or resume an account according to the holds that apply to it now."""
        if (manager := self._managers.get(number)) is None:
            return
        if self._is_held(number):
            manager.hold()
        else:
            manager.release()

    def _is_held(self, number: str) -> bool:
        return any(concerns(number) for concerns in self._holds.values())

    async def add(self, number: str, *, name: str, owner: int) -> Account:
        """Register a new account, or return the existing one."""
        self._refuse_if_stopping()
        async with self._adding:  # /link sent twice is one account
            if number not in self._accounts:
                account = Account(number, name, owner)
                await self._store.add_account(account)
                self._refuse_if_stopping()  # it is stored, and restored at the next start
                self._adopt(account)
        return self._accounts[number]

    async def rename(self, number: str, name: str) -> None:
        """Rename an account. Raises UnknownAccountError."""
        async with self._turn(number):
            await self._store.rename(number, name)
            self._accounts[number] = replace(self._accounts[number], name=name)

    async def change_owner(self, number: str, owner: int) -> None:
        """Transfer an account to another operator. Raises UnknownAccountError."""
        async with self._turn(number):
            await self._store.change_owner(number, owner)
            self._accounts[number] = replace(self._accounts[number], owner=owner)

    async def start(self, number: str, *, takeover: bool = False, link: bool = False) -> bool:
        """Connect an account now, with counters reset. Returns False if it is connected or connecting already.

        link: a person wants to link it. If its newest session is out of reach, that one is given up for it. Waits for a
        running restore of the account to finish. Raises UnknownAccountError, DriverError, OSError.
        """
        async with self._turn(number) as manager:
            anew = link and manager.get_status().reason is Reason.ARCHIVE_OUTDATED
            if anew:
                await manager.wait_closed()
                await self._driver.discard(number)
            await self._store.set_wanted(number, Wanted.CONNECTED)
            self._refuse_if_stopping()  # nothing opens after a stop was requested
            return await manager.start(takeover=takeover, anew=anew)

    async def suspend(self, number: str) -> bool:
        """Close an account until further notice. Returns False if an operator had suspended it already.

        Waits for a running restore of the account to finish.
        """
        async with self._turn(number) as manager:
            await self._store.set_wanted(number, Wanted.SUSPENDED)
            self._refuse_if_stopping()
            return await manager.suspend()

    async def stop_linking(self, number: str) -> bool:
        """Stop an attempt to link that nobody waits for: the account rests, not linked, until somebody starts it.

        Returns False if there is none, or its code was scanned. Raises UnknownAccountError.
        """
        async with self._turn(number) as manager:
            self._refuse_if_stopping()
            return await manager.stop_linking()

    async def saved(self, number: str) -> Sequence[SavedSession]:
        """Return the saved copies of an account's session, newest first. Raises UnknownAccountError, DriverError."""
        return await self._driver.saved(self.account(number).number)

    async def restore(self, number: str, name: str) -> None:
        """Replace an account's session by a saved copy and connect with it.

        Whatever happens, the previous session is kept, and the account is started again. Other commands for
        the account wait meanwhile: a browser must not be opened on a profile that is being replaced. Raises
        UnknownAccountError, DriverError.
        """
        async with self._turn(number) as manager:
            await manager.suspend()
            await manager.wait_closed()
            try:
                await self._driver.restore(number, name)
            finally:
                self._refuse_if_stopping()
                await manager.start()
                await self._keep_wanted(number)

    async def _keep_wanted(self, number: str) -> None:
        """Store that a started account is to be connected; a storage failure does not undo the start."""
        try:
            await self._store.set_wanted(number, Wanted.CONNECTED)
        except OSError as error:
            log.error("That an account is to be connected could not be stored: %s", error)

    async def confirm_number(self, number: str, asked: str, *, same: bool) -> bool:
        """Apply an operator's answer about a number that may be the account's; see `Manager.confirm_number`."""
        async with self._turn(number) as manager:
            return await manager.confirm_number(asked, same=same)

    async def answer_dialog(self, number: str) -> bool:
        """Press Continue in the known dialog over an account's page. Returns False if there is none."""
        async with self._turn(number) as manager:
            return await manager.answer_dialog()

    async def remove(self, number: str) -> bool | None:
        """Log the account's device out, delete its profile and copies, and forget it. Its history remains.

        Returns whether the logout is confirmed; None if no browser was open for it, so that a person must remove
        the device on the phone. If its profile or its row cannot be deleted, the account remains, suspended, and this
        can be repeated. Raises UnknownAccountError, DriverError, OSError.
        """
        async with self._turn(number) as manager:
            await self._store.set_wanted(number, Wanted.SUSPENDED)
            logged_out = await manager.stop(log_out=True)
            try:
                await self._driver.remove(number)
                await self._store.remove_account(number)
            except (DriverError, OSError):
                self._refuse_if_stopping()
                again = self._managers[number] = self._manager_of(self._accounts[number])
                await again.suspend()
                raise
            del self._managers[number], self._accounts[number], self._turns[number]
            return logged_out

    async def stop(self) -> None:
        """Accept no more commands and end all managers concurrently; each is bounded by its own deadline (L15)."""
        self._stopping = True
        await asyncio.gather(*(manager.stop() for manager in self._managers.values()))

    def _adopt(self, account: Account) -> Manager:
        self._accounts[account.number] = account
        self._turns[account.number] = asyncio.Lock()
        manager = self._managers[account.number] = self._manager_of(account)
        return manager

    def _manager_of(self, account: Account) -> Manager:
        self._rank += 1
        manager = Manager(
            account.number,
            driver=self._driver,
            slots=self.slots,
            policy=self._policy,
            listener=self._listener,
            clock=self._clock,
            full_numbers=self._full_numbers,
            applicant=Applicant(account.owner, self._rank, account.number),
        )
        if self._is_held(account.number):
            manager.hold()
        return manager

    @asynccontextmanager
    async def _turn(self, number: str) -> AsyncIterator[Manager]:
        """Lock the account against other commands. Raises UnknownAccountError, ShuttingDownError."""
        self._refuse_if_stopping()
        self._manager(number)
        async with self._turns[number]:
            self._refuse_if_stopping()  # much may have happened meanwhile
            yield self._manager(number)

    def _manager(self, number: str) -> Manager:
        try:
            return self._managers[number]
        except KeyError:
            raise UnknownAccountError(number) from None

    def _refuse_if_stopping(self) -> None:
        if self._stopping:
            raise ShuttingDownError("the controller is stopping")
