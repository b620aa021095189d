"""The seam between the program and whatever runs its browsers: this machine alone, or many.

A `Hosts` is the driver of all accounts and reports on the machines that run them. With one machine it is the Chromium
driver itself; with many, it is `controller.cluster`. Not here: which account runs where, and what follows when a
machine is lost.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol

from controller.accounts.reports import Report
from controller.driver import Driver, Opening, SavedSession, Session, Usage


@unique
class HostState(StrEnum):
    """The state of a machine."""

    UP = "up"
    DRAINING = "draining"
    """It is up, but no further account is placed on it."""
    LOST = "lost"
    """It does not respond. What ran there has ended, or ends with the machine's lease."""


@dataclass(frozen=True, slots=True)
class HostUsage:
    """One machine that runs browsers. accounts: how many are open there. capacity: the maximum; None for no limit.

    free_memory, free_disk: bytes, None if unknown. build: the program's version there.
    """

    name: str
    state: HostState
    accounts: int
    capacity: int | None = None
    free_memory: int | None = None
    free_disk: int | None = None
    build: str = ""


class UnknownHostError(LookupError):
    """No machine has this name. The text is the name that was requested."""


class MachineDriver(Protocol):
    """What opens browsers on one of many machines."""

    async def open(self, opening: Opening, report: Callable[[Report], None]) -> Session:
        """See `Driver.open`."""

    async def end_orphans(self) -> int:
        """See `Hosts.end_orphans`."""

    def warm_up(self) -> None:
        """See `Hosts.warm_up`."""

    async def stop(self) -> None:
        """See `Driver.stop`."""


class Files(Protocol):
    """What can be done with profiles that are not open; each call as in `Driver`."""

    async def has_session(self, account: str) -> bool:
        """See `Driver.has_session`."""

    async def remove(self, account: str) -> None:
        """See `Driver.remove`."""

    async def saved(self, account: str) -> Sequence[SavedSession]:
        """See `Driver.saved`."""

    async def restore(self, account: str, name: str) -> None:
        """See `Driver.restore`."""

    async def discard(self, account: str) -> None:
        """See `Driver.discard`."""

    async def stop(self) -> None:
        """See `Driver.stop`."""


@dataclass(frozen=True, slots=True)
class Home:
    """The machine that has an account's newest session. alone: no archive has it."""

    host: str
    alone: bool


class Archives(Files, Protocol):
    """The archived profiles of machines that share no folder."""

    def next_epoch(self) -> int:
        """Return an epoch higher than all that the archives have seen. Raises DriverError before `home` succeeded."""

    async def home(self, account: str) -> Home | None:
        """Return which machine has an account's newest session; None if that makes no difference.

        Raises DriverError.
        """

    async def check(self) -> str:
        """Return why they cannot be used, in one line; "" if they can."""


class Hosts(Driver, Protocol):
    """Opens browsers on machines, and knows the machines. One instance per program."""

    def find(self) -> str:
        """Describe in one line what will run the browsers, without starting it. Raises DriverError."""

    async def identify(self) -> object:
        """Fail if no browser can be run at all. Raises DriverError, TimeoutError."""

    async def end_orphans(self) -> int:
        """End what a killed controller left running; once, before the first browser. Returns the number of browsers.

        Raises DriverError, OSError.
        """

    def warm_up(self) -> None:
        """Start what all browsers share, in the background, so that the first launch need not wait for it."""

    def used(self) -> Mapping[str, Usage]:
        """Return each browser's usage at the last measurement, by account number: takes no new measurement."""

    def usage(self) -> Sequence[HostUsage]:
        """Return the machines, by name. Empty if there is only this one, which `controller.host` watches."""

    def host_of(self, account: str) -> str:
        """Return the machine that runs an account; "" if it is not open, or there is only one machine."""

    def drain(self, host: str, *, draining: bool) -> None:
        """Exclude a machine from placement, or include it again. Closes nothing. Raises UnknownHostError."""

    async def check_archives(self) -> str:
        """Return why profiles cannot be archived, in one line; "" if they can, or if the machines share a folder."""

    async def run(self) -> None:
        """Monitor the machines until cancelled."""
