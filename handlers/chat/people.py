"""Authorisation: the rule that every message and button press passes before a handler sees it.

Admins may do everything. Operators may link accounts, and act on their own. Viewers see every account and may
acknowledge. Everybody else is a stranger, who is shown their own id and nothing more. The settings name the first
admins and operators, whose roles can be raised in the chat but never lowered; the others are in the database.
Not here: texts, and how people are answered.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, unique

from controller.registry import Account
from handlers.ports import PeopleStore

log = logging.getLogger(__name__)

STRANGER_SECONDS = 60.0
"""Seconds between two answers to the same stranger."""
REMEMBERED = 1000
"""How many strangers are remembered at once, so that a flood of them cannot exhaust memory."""


@unique
class Role(IntEnum):
    """A person's role. Each includes the permissions of the lower ones."""

    VIEWER = 1
    """Sees every account and acknowledges alerts."""
    OPERATOR = 2
    """Links accounts and acts on their own."""
    ADMIN = 3
    """Acts on every account and gives people access."""

    @property
    def word(self) -> str:
        """The role as it is stored and shown."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a role. name: "" until they first write. floor: the role in the settings, if any.

    added_by, at: who gave them access and when; None for those in the settings.
    """

    user: int
    role: Role
    name: str = ""
    floor: Role | None = None
    added_by: int | None = None
    at: datetime | None = None


class People:
    """Everybody with a role, by Telegram user id. admins, operators: from the settings. store: None to store nobody."""

    def __init__(self, admins: Iterable[int], operators: Iterable[int] = (), store: PeopleStore | None = None) -> None:
        self._store = store
        self._set = dict.fromkeys(operators, Role.OPERATOR) | dict.fromkeys(admins, Role.ADMIN)
        self._known = {user: Person(user, role, floor=role) for user, role in self._in_order()}

    def _in_order(self) -> list[tuple[int, Role]]:
        return sorted(self._set.items(), key=lambda each: -each[1])

    async def load(self) -> None:
        """Load the stored people. Raises OSError."""
        for row in () if self._store is None else await self._store.people():
            role = next((each for each in Role if each.word == row.role), None)
            if role is None:
                log.warning("A person's role %r is of another version and is left out: user %d", row.role, row.user)
                continue
            floor = self._set.get(row.user)
            self._known[row.user] = Person(row.user, max(role, floor or role), row.name, floor, row.added_by, row.at)

    # --- permissions --------------------------------------------------------------------------------------------------

    def role(self, user: int) -> Role | None:
        """Return a person's role; None for a stranger."""
        person = self._known.get(user)
        return None if person is None else person.role

    def is_known(self, user: int) -> bool:
        """Return whether the person may use the bot at all."""
        return user in self._known

    def is_admin(self, user: int) -> bool:
        """Return whether the person may act on every account."""
        return self.role(user) is Role.ADMIN

    def may(self, user: int, account: Account) -> bool:
        """Return whether the person may act on the account."""
        role = self.role(user)
        return role is Role.ADMIN or (role is Role.OPERATOR and account.owner == user)

    def sees(self, user: int, account: Account) -> bool:
        """Return whether the person may see the account."""
        return self.role(user) is Role.VIEWER or self.may(user, account)

    # --- the list of people -------------------------------------------------------------------------------------------

    @property
    def admins(self) -> tuple[int, ...]:
        """The admins, those from the settings first, in their order."""
        return tuple(user for user in self._known if self.is_admin(user))

    @property
    def everybody(self) -> tuple[Person, ...]:
        """Everybody with a role, highest role first."""
        return tuple(sorted(self._known.values(), key=lambda each: -each.role))

    def get(self, user: int) -> Person | None:
        """Return a person with a role."""
        return self._known.get(user)

    def heard(self, user: int, name: str) -> None:
        """Record the name of a person with a role."""
        person = self._known.get(user)
        if person is not None and name and person.name != name:
            self._known[user] = Person(user, person.role, name, person.floor, person.added_by, person.at)

    async def save(self, user: int, role: Role, name: str, *, by: int, at: datetime) -> Person:
        """Give access, or change a role, though never below the one in the settings. Raises OSError."""
        floor = self._set.get(user)
        role = max(role, floor or role)
        if self._store is not None:
            await self._store.save(user, role.word, name, added_by=by, at=at)
        before = self._known.get(user)
        added_by, since = (by, at) if before is None or before.at is None else (before.added_by, before.at)
        person = self._known[user] = Person(user, role, name, floor, added_by, since)
        return person

    async def remove(self, user: int) -> None:
        """Take access away, down to the role in the settings, if any. Raises OSError."""
        before = self._known.pop(user, None)  # effective immediately
        try:
            if self._store is not None:
                await self._store.remove(user)
        except OSError:
            if before is not None:
                self._known[user] = before
            raise
        if before is not None and before.floor is not None:
            self._known[user] = Person(user, before.floor, before.name, before.floor)


class StrangerLimits:
    """How often strangers are answered, on a clock that is passed in."""

    def __init__(self) -> None:
        self._answered: OrderedDict[int, float] = OrderedDict()

    def may_answer(self, user: int, now: float) -> bool:
        """Return whether this stranger should be answered now, and record it."""
        last = self._answered.get(user)
        if last is not None and now - last < STRANGER_SECONDS:
            return False
        self._answered[user] = now
        self._answered.move_to_end(user)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        return True
