"""The storage that `handlers` needs, as protocols: `storage` implements them, tests use fakes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from controller.accounts.notices import BuildLoaded, PastTransition
from controller.stored import AuditEntry, MessageReference, StoredPerson, StoredRequest, Stranger


class Records(Protocol):
    """Transitions to read, and the audit log to append to. Methods raise OSError on failure."""

    async def history(self, number: str, limit: int) -> Sequence[PastTransition]:
        """Return the account's latest transitions, newest first."""

    async def loads(self, number: str, limit: int) -> Sequence[BuildLoaded]:
        """Return the page builds that the account has loaded, newest first."""

    async def audit_trail(
        self,
        limit: int,
        offset: int = 0,
        *,
        number: str | None = None,
        user: int | None = None,
        command: str | None = None,
    ) -> Sequence[AuditEntry]:
        """Return audit rows, newest first: of an account, a user or a command where that is given."""

    async def audit(self, at: datetime, user_id: int, command: str, number: str | None, outcome: str) -> None:
        """Append an audit row: who ran which command when, on which account, and its outcome."""


class Messages(Protocol):
    """References to messages that must survive a restart: cards, and codes to be deleted. Methods raise OSError."""

    async def references(self, kind: str) -> Sequence[MessageReference]:
        """Return all references of a kind, oldest first."""

    async def upsert(self, kind: str, *keys: str, chat: int, topic: int | None, message: int, shown: str) -> None:
        """Insert a reference for each key, replacing the one for the same kind, key and chat: all or none."""

    async def delete(self, kind: str, key: str, *, chat: int, message: int | None = None) -> None:
        """Delete a reference. message: only if it refers to this message."""


class PeopleStore(Protocol):
    """People with access, and strangers who asked for it. Methods raise OSError."""

    async def people(self) -> Sequence[StoredPerson]:
        """Return everybody with access, oldest first."""

    async def save(self, user: int, role: str, name: str, *, added_by: int, at: datetime) -> None:
        """Insert a person, or change their role, and remove them from the strangers."""

    async def remove(self, user: int) -> None:
        """Delete a person."""

    async def first_meeting(self, user: int, name: str, at: datetime) -> bool:
        """Record a stranger; returns whether this is the first time they were seen."""

    async def strangers(self) -> Sequence[Stranger]:
        """Return the strangers that were not ignored, newest first."""

    async def stranger(self, user: int) -> Stranger | None:
        """Return a recorded stranger, ignored or not."""

    async def ignore(self, user: int) -> None:
        """Hide a stranger from the list."""


class RequestStore(Protocol):
    """Requests from acceptance until they are done. Methods raise OSError."""

    async def accept(self, rows: Iterable[StoredRequest], at: datetime) -> set[int]:
        """Store requests and return the ids of the updates that are new."""

    async def start(self, update: int, at: datetime) -> None:
        """Mark a request as started."""

    async def finish(self, updates: Iterable[int], at: datetime) -> None:
        """Mark requests as carried out and answered."""

    async def unfinished(self) -> Sequence[StoredRequest]:
        """Return unfinished requests, oldest first."""

    async def find(self, update: int) -> StoredRequest | None:
        """Return a request that is still stored."""
