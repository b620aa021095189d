"""What the Telegram side needs stored, as protocols: `storage` satisfies them, and tests put fakes behind them."""

# ruff: noqa: D102 - the members of a protocol for data are told by its class

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from controller.accounts.notices import BuildLoaded, PastTransition


class Records(Protocol):
    """What happened: transitions to read, and the audit to write. Raises OSError if it cannot."""

    async def history(self, number: str, limit: int) -> Sequence[PastTransition]:
        """Return the account's newest transitions, the newest first."""

    async def loads(self, number: str, limit: int) -> Sequence[BuildLoaded]:
        """Return what the account has loaded of the page, the newest first."""

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


class PersonData(Protocol):
    """Somebody who was let in. added_by: whoever let them in."""

    @property
    def user(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def added_by(self) -> int: ...
    @property
    def at(self) -> datetime: ...


class StrangerData(Protocol):
    """Somebody who wrote to the bot and was not let in. at: when first."""

    @property
    def user(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def at(self) -> datetime: ...


class PeopleStore(Protocol):
    """Who was let in, and who knocked. Raises OSError."""

    async def people(self) -> Sequence[PersonData]:
        """Return everybody who was let in, the first first."""

    async def save(self, user: int, role: str, name: str, *, added_by: int, at: datetime) -> None:
        """Store a person, or their new role. They are no stranger any more."""

    async def remove(self, user: int) -> None:
        """Delete a person."""

    async def first_meeting(self, user: int, name: str, at: datetime) -> bool:
        """Return whether this stranger was never met before, and remember that now they were."""

    async def strangers(self) -> Sequence[StrangerData]:
        """Return the strangers whom nobody has ignored, the newest first."""

    async def stranger(self, user: int) -> StrangerData | None:
        """Return a stranger who was met, ignored or not."""

    async def ignore(self, user: int) -> None:
        """List a stranger no more."""


class RequestData(Protocol):
    """A person's request as plain data; `handlers.chat.request.Request` says what each is."""

    @property
    def update(self) -> int: ...
    @property
    def user(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def chat(self) -> int: ...
    @property
    def topic(self) -> int | None: ...
    @property
    def private(self) -> bool: ...
    @property
    def words(self) -> str: ...
    @property
    def message(self) -> int | None: ...
    @property
    def code(self) -> str: ...
    @property
    def press(self) -> str: ...
    @property
    def sent_at(self) -> datetime: ...


class StoredRequest(RequestData, Protocol):
    """A request as it was stored. started: it was being carried out, and may have been or not."""

    @property
    def started(self) -> bool: ...


class RequestStore(Protocol):
    """Where requests are kept until they are done. Raises OSError."""

    async def accept(self, rows: Iterable[RequestData], at: datetime) -> set[int]:
        """Store requests; return the update numbers of those that were not stored before."""

    async def start(self, update: int, at: datetime) -> None:
        """Note that a request is about to be carried out."""

    async def finish(self, updates: Iterable[int], at: datetime) -> None:
        """Note that requests were carried out and answered."""

    async def unfinished(self) -> Sequence[StoredRequest]:
        """Return the requests that were not finished, the oldest first."""

    async def find(self, update: int) -> StoredRequest | None:
        """Return a request that is still remembered."""
