"""What the Telegram side needs stored, as protocols: `storage` satisfies them, and tests put fakes behind them."""

# ruff: noqa: D102 - the members of a protocol for data are told by its class

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from controller.accounts.notices import PastTransition


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
