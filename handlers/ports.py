"""What the Telegram side needs of the rest of the program, as protocols: the registry, and what must be kept.

The registry of `controller` and the stores of `storage` satisfy these by their shape; tests put fakes behind them.
"""

# ruff: noqa: D102 - the members of a protocol for data are told by its class

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from controller.accounts.notices import PastTransition
from controller.driver import SavedSession
from controller.manager import Status
from controller.registry import Account


class Accounts(Protocol):
    """The accounts: `controller.registry.Registry` as operators use it."""

    def accounts(self) -> list[Account]:
        """All accounts, the longest-served first."""

    def account(self, number: str) -> Account:
        """Look an account up by its E.164 number. Raises UnknownAccountError."""

    def status(self, number: str) -> Status:
        """Where an account is now. Raises UnknownAccountError."""

    async def add(self, number: str, *, name: str, owner: int) -> Account:
        """Register a new account, or return the one that is there."""

    async def rename(self, number: str, name: str) -> None:
        """Give an account another name. Raises UnknownAccountError."""

    async def start(self, number: str, *, takeover: bool = False) -> bool:
        """Connect now, with counters at zero. Returns False if it is connected or on its way already."""

    async def suspend(self, number: str) -> bool:
        """Close it until somebody says otherwise. Returns False if it was so already."""

    async def saved(self, number: str) -> Sequence[SavedSession]:
        """Return the saved copies of an account's session, the newest first."""

    async def restore(self, number: str, name: str) -> None:
        """Put a saved copy in the place of an account's session and connect with it. Raises DriverError."""


class Records(Protocol):
    """What happened: transitions to read, and the audit to write. Raises OSError if it cannot."""

    async def history(self, number: str, limit: int) -> Sequence[PastTransition]:
        """Return the account's newest transitions, the newest first."""

    async def audit(self, at: datetime, user_id: int, command: str, number: str | None, outcome: str) -> None:
        """Keep that a person changed something: who, when, what, and what came of it."""


class KeptMessage(Protocol):
    """A message of ours that outlives the process. key: what it is about; shown: a digest of what it says."""

    @property
    def key(self) -> str: ...
    @property
    def chat(self) -> int: ...
    @property
    def topic(self) -> int | None: ...
    @property
    def message(self) -> int: ...
    @property
    def shown(self) -> str: ...


class Messages(Protocol):
    """The references of messages that outlive the process: cards, and codes to be taken away. Raises OSError."""

    async def kept(self, kind: str) -> Sequence[KeptMessage]:
        """Return all of a kind, the oldest first."""

    async def keep(self, kind: str, key: str, *, chat: int, topic: int | None, message: int, shown: str) -> None:
        """Keep one, in the place of what was kept for this kind, key and chat."""

    async def forget(self, kind: str, key: str, *, chat: int, message: int | None = None) -> None:
        """Keep it no longer. message: only if it is this one that is kept."""

    async def first_meeting(self, user: int, at: datetime) -> bool:
        """Tell whether this stranger was never met before, and remember that now they were."""
