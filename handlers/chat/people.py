"""Who may do what: the rule that every message and every button press passes before a handler sees it.

Admins may do everything. Operators may link accounts, and act on those that they own. Viewers see every account, and
acknowledge. Everybody else is a stranger, who learns their own id and nothing more. The settings name the first admins
and operators, who can be given more from the chat and never less; the others are in the database. What never lives
here: texts, and how a person is answered.
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
"""A stranger is answered at most once in so many seconds."""
REMEMBERED = 1000
"""How many strangers are remembered at once, so that a flood of them takes no memory."""


@unique
class Role(IntEnum):
    """What a person is here. Whoever is more may do all that those below may."""

    VIEWER = 1
    """Sees every account, and acknowledges alerts."""
    OPERATOR = 2
    """Links accounts, and acts on their own."""
    ADMIN = 3
    """Acts on every account, and lets people in."""

    @property
    def word(self) -> str:
        """The role as it is stored and shown."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is known. name: "" where they have not been heard yet. floor: the role in the settings, if any.

    added_by, at: who let them in and when; None for those whom the settings name.
    """

    user: int
    role: Role
    name: str = ""
    floor: Role | None = None
    added_by: int | None = None
    at: datetime | None = None


class People:
    """The people who are known, by Telegram user id. admins, operators: of the settings. store: None keeps nobody."""

    def __init__(self, admins: Iterable[int], operators: Iterable[int] = (), store: PeopleStore | None = None) -> None:
        self._store = store
        self._set = dict.fromkeys(operators, Role.OPERATOR) | dict.fromkeys(admins, Role.ADMIN)
        self._known = {user: Person(user, role, floor=role) for user, role in self._in_order()}

    def _in_order(self) -> list[tuple[int, Role]]:
        return sorted(self._set.items(), key=lambda each: -each[1])

    async def load(self) -> None:
        """Read who was let in. Raises OSError."""
        for row in () if self._store is None else await self._store.people():
            role = next((each for each in Role if each.word == row.role), None)
            if role is None:
                log.warning("A person's role %r is of another version and is left out: user %d", row.role, row.user)
                continue
            floor = self._set.get(row.user)
            self._known[row.user] = Person(row.user, max(role, floor or role), row.name, floor, row.added_by, row.at)

    # --- who may what -------------------------------------------------------------------------------------------------

    def role(self, user: int) -> Role | None:
        """Return what a person is here; None for a stranger."""
        person = self._known.get(user)
        return None if person is None else person.role

    def is_known(self, user: int) -> bool:
        """Tell whether the person may use the bot at all."""
        return user in self._known

    def is_admin(self, user: int) -> bool:
        """Tell whether the person may act on every account."""
        return self.role(user) is Role.ADMIN

    def may(self, user: int, account: Account) -> bool:
        """Tell whether the person may act on the account."""
        role = self.role(user)
        return role is Role.ADMIN or (role is Role.OPERATOR and account.owner == user)

    def sees(self, user: int, account: Account) -> bool:
        """Tell whether the person may see how the account is."""
        return self.role(user) is Role.VIEWER or self.may(user, account)

    # --- who is there -------------------------------------------------------------------------------------------------

    @property
    def admins(self) -> tuple[int, ...]:
        """The admins, those of the settings first, in their order."""
        return tuple(user for user in self._known if self.is_admin(user))

    @property
    def everybody(self) -> tuple[Person, ...]:
        """Everybody who is known, whoever may most first."""
        return tuple(sorted(self._known.values(), key=lambda each: -each.role))

    def get(self, user: int) -> Person | None:
        """Return somebody who is known."""
        return self._known.get(user)

    def heard(self, user: int, name: str) -> None:
        """Note what somebody known is called."""
        person = self._known.get(user)
        if person is not None and name and person.name != name:
            self._known[user] = Person(user, person.role, name, person.floor, person.added_by, person.at)

    async def save(self, user: int, role: Role, name: str, *, by: int, at: datetime) -> Person:
        """Let somebody in, or change their role; of those whom the settings name never below that. Raises OSError."""
        floor = self._set.get(user)
        role = max(role, floor or role)
        if self._store is not None:
            await self._store.save(user, role.word, name, added_by=by, at=at)
        before = self._known.get(user)
        added_by, since = (by, at) if before is None or before.at is None else (before.added_by, before.at)
        person = self._known[user] = Person(user, role, name, floor, added_by, since)
        return person

    async def remove(self, user: int) -> None:
        """Let somebody out; whom the settings name keeps the role that they have there. Raises OSError."""
        before = self._known.pop(user, None)  # it takes effect at once
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
    """How often strangers are answered, on the seconds that are handed in."""

    def __init__(self) -> None:
        self._answered: OrderedDict[int, float] = OrderedDict()

    def may_answer(self, user: int, now: float) -> bool:
        """Tell whether this stranger is to be answered now, and remember that they were."""
        last = self._answered.get(user)
        if last is not None and now - last < STRANGER_SECONDS:
            return False
        self._answered[user] = now
        self._answered.move_to_end(user)
        if len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        return True
