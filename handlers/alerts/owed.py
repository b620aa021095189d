"""What a transition owes to people, decided before it is stored, so that both are stored together.

Pure but for one memory: whose trouble has been told and is not over. `handlers.alerts.service` delivers it; cards owe
nothing that must be stored, since what they say is read from the account itself.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from controller.accounts.notices import Transition
from controller.accounts.reasons import Reason, State
from controller.registry import UnknownAccountError
from handlers.alerts.incidents import Fact, Kind
from handlers.alerts.recipients import Recipients
from handlers.alerts.silences import SilenceRow
from handlers.chat.messages import Place
from handlers.ports import Accounts
from handlers.texts import answers


@dataclass(frozen=True, slots=True)
class Owed:
    """One thing that is owed to one chat. picture: PNG."""

    chat: int
    kind: str
    number: str
    body: str
    at: datetime
    picture: bytes | None = field(default=None, repr=False)


class OwedRow(Protocol):
    """What is owed, as it comes back from where it was kept."""

    @property
    def id(self) -> int:
        """What it is settled by."""

    @property
    def kind(self) -> str:
        """A `Kind`."""

    @property
    def number(self) -> str:
        """The account, "" for the controller itself."""

    @property
    def body(self) -> str:
        """What `Owed.body` was."""

    @property
    def at(self) -> datetime:
        """When it came about."""

    @property
    def waited(self) -> bool:
        """Whether a silence held it back."""

    @property
    def tries(self) -> int:
        """Claims before this one that came to nothing."""

    @property
    def picture(self) -> bytes | None:
        """A PNG."""


def fact_of(row: OwedRow) -> Fact:
    """Return what a row says."""
    said: dict[str, Any] = json.loads(row.body)
    return Fact(
        row.id,
        Kind(row.kind),
        row.number,
        said.get("reason", ""),
        row.at,
        said.get("cause"),
        said.get("detail", ""),
        waited=row.waited,
    )


class Owing:
    """Plans what is owed. `told` are the accounts whose trouble has been told, or is owed to be."""

    def __init__(self, accounts: Accounts, followers: Recipients) -> None:
        self._accounts, self._followers = accounts, followers
        self.told: set[str] = set()
        self._over: dict[str, datetime] = {}

    def plan(self, transition: Transition) -> list[Owed]:
        """Return what the transition owes; the same again if it is asked again, because it could not be stored."""
        number, at = transition.number, transition.at
        if transition.alert is not None:
            self.told.add(number)
            if number in self._over and self._over[number] < at:
                del self._over[number]
            return self._alerts(transition, transition.alert)
        if (kind := _ends(transition)) is None or number not in self.told or at > self._over.get(number, at):
            return []
        self._over.setdefault(number, at)
        return self._to_all(transition, kind)

    def places(self, transition: Transition) -> Sequence[Place]:
        """Return whom the transition may owe something to."""
        if transition.alert is None and (_ends(transition) is None or transition.number not in self.told):
            return ()
        return self._places(transition.number)

    def _alerts(self, transition: Transition, reason: Reason) -> list[Owed]:
        detail = transition.detail
        if transition.block_ends_at is not None:
            detail = answers.block_ends(transition.block_ends_at, transition.at)
        said = {"reason": reason, "cause": transition.cause, "detail": detail}
        owed = self._to_all(transition, Kind.ALERT, said)
        if transition.picture is not None:
            caption = {"reason": reason, "detail": answers.page_picture(transition.number)}
            owed += self._to_all(transition, Kind.PICTURE, caption, transition.picture)
        return owed

    def _to_all(
        self, transition: Transition, kind: Kind, said: dict[str, Any] | None = None, picture: bytes | None = None
    ) -> list[Owed]:
        body = json.dumps(said or {})
        places = self._places(transition.number)
        return [Owed(place.chat, kind, transition.number, body, transition.at, picture) for place in places]

    def _places(self, number: str) -> Sequence[Place]:
        try:
            return self._followers.of_alerts(self._accounts.account(number))
        except UnknownAccountError:
            return self._followers.of_admins()


def _ends(transition: Transition) -> Kind | None:
    """Return what ends an account's trouble by this transition, if it does."""
    if transition.state is State.CONNECTED:
        return Kind.OVER
    return Kind.HANDLED if transition.reason is Reason.SUSPENDED_BY_OPERATOR else None


def trouble(places: Iterable[Place], kind: Kind, reason: str, at: datetime, detail: str = "") -> list[Owed]:
    """Return what a trouble of the controller itself, or its end, owes to these places."""
    body = json.dumps({"reason": reason, "detail": detail})
    return [Owed(place.chat, kind, "", body, at) for place in places]


class OutboxStore(Protocol):
    """Where what is owed is kept until it is delivered. Every method raises OSError if it cannot."""

    async def put(self, owed: Iterable[Owed]) -> None:
        """Write what is owed."""

    async def release(self) -> int:
        """Take every claim back, at the start. Returns how many there were."""

    async def waiting(self) -> Sequence[int]:
        """Return the chats that something is owed to."""

    async def numbers(self, kind: str) -> Sequence[str]:
        """Return the accounts that rows of this kind wait about."""

    async def claim(
        self, chat: int, kinds: Sequence[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[OwedRow]:
        """Take the chat's oldest due rows of these kinds, for nobody else to take before `until`."""

    async def settle(
        self, done: Iterable[int], incidents: Iterable[tuple[int, int, str]] = (), gone: Iterable[int] = ()
    ) -> None:
        """Keep incidents (id, chat, body), and drop the rows that became them and the incidents that are gone."""

    async def postpone(self, rows: Iterable[int], until: datetime) -> None:
        """Let claimed rows wait until a silence ends."""

    async def hasten(self, now: datetime) -> None:
        """Let whatever a silence holds back be due now."""

    async def has_waiting(self, chat: int, number: str, kind: str) -> bool:
        """Tell whether a row about the account is held back by a silence."""

    async def incidents(self) -> Sequence[tuple[int, int, str]]:
        """Return all incidents that are kept as (id, chat, body), the oldest first."""

    async def silences(self, now: datetime) -> Sequence[SilenceRow]:
        """Return the silences that last."""

    async def add_silence(
        self, *, chat: int | None, numbers: str, until: datetime, at: datetime, user: int, name: str, reason: str
    ) -> int:
        """Keep a silence; returns its id."""

    async def end_silence(self, silence: int) -> None:
        """Drop a silence before its time."""

    async def topics(self, chat: int) -> dict[str, int]:
        """Return the forum's topics by account."""

    async def set_topic(self, chat: int, number: str, topic: int | None) -> None:
        """Keep which topic is the account's; None if it has none any more."""

    async def moved(self) -> dict[int, int]:
        """Return the groups that became supergroups, by their old ids."""

    async def move(self, chat: int, to: int) -> None:
        """Let all that is owed to a chat be owed to the one that it has become."""
