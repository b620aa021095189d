"""The seam between the program and whatever runs its browsers: this machine alone, or many.

A `Hosts` is the driver of all accounts and reports on the machines that run them. With one machine it is the Chromium
driver itself; with many, it is `controller.cluster`. Not here: which account runs where, and what follows when a
machine is lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol

from controller.driver import Driver, Usage


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

    async def run(self) -> None:
        """Monitor the machines until cancelled."""
