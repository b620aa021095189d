"""Where browsers run: this machine alone, or many. The seam between the program and whatever runs them.

A `Hosts` is the driver of all accounts, and answers for the machines that it drives them on. With one machine it is the
Chromium driver itself; with many, `controller.cluster` stands in its place. Not here: which account runs
where, and what follows when a machine is lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Protocol

from controller.driver import Driver, Usage


@unique
class HostState(StrEnum):
    """How a machine is."""

    UP = "up"
    DRAINING = "draining"
    """It is up, and no account is placed there any more."""
    LOST = "lost"
    """It does not answer. What ran there has ended, or ends by itself with the machine's lease."""


@dataclass(frozen=True, slots=True)
class HostUsage:
    """One machine that runs browsers. accounts: how many are open there. capacity: how many may be; None for no limit.

    free_memory, free_disk: bytes, None where not known. build: the program's version there.
    """

    name: str
    state: HostState
    accounts: int
    capacity: int | None = None
    free_memory: int | None = None
    free_disk: int | None = None
    build: str = ""


class UnknownHostError(LookupError):
    """No machine of this name. Its text is the name that was asked for."""


class Hosts(Driver, Protocol):
    """Opens browsers on machines, and knows the machines. One for the whole program."""

    def find(self) -> str:
        """Tell in one line what will run the browsers, without starting it. Raises DriverError."""

    async def identify(self) -> object:
        """Refuse what can run no browser at all. Raises DriverError, TimeoutError."""

    async def end_orphans(self) -> int:
        """End what a killed controller left running; once, before the first browser. Returns how many browsers.

        Raises DriverError, OSError.
        """

    def warm_up(self) -> None:
        """Start what all browsers share, in the background: the first launch need not wait for it then."""

    def used(self) -> Mapping[str, Usage]:
        """Return what each account's browser used at the last look, by number: nothing is measured for it."""

    def usage(self) -> Sequence[HostUsage]:
        """Return the machines, by name. Empty where there is this one alone, which `controller.host` watches."""

    def host_of(self, account: str) -> str:
        """Name the machine that an account is open on; "" where it is open nowhere, or there is one machine alone."""

    def drain(self, host: str, *, draining: bool) -> None:
        """Place no account on a machine any more, or do so again. Nothing is closed. Raises UnknownHostError."""

    async def run(self) -> None:
        """Keep the machines in view, until cancelled."""
