"""Who may do what: the rule that every message and every button press passes before a handler sees it.

Admins may do everything. Operators may link accounts, and act on those that they own. Everybody else is a stranger,
who learns their own id and nothing more. What never lives here: texts, and how a person is answered.
"""

from collections import OrderedDict
from collections.abc import Iterable
from enum import IntEnum, unique

from controller.registry import Account

STRANGER_SECONDS = 60.0
"""A stranger is answered at most once in so many seconds."""
REMEMBERED = 1000
"""How many strangers are remembered at once, so that a flood of them takes no memory."""


@unique
class Role(IntEnum):
    """What a person is here. Whoever is more may do all that those below may."""

    OPERATOR = 1
    """Links accounts, and acts on their own."""
    ADMIN = 2
    """Acts on every account."""


class People:
    """The people who are known, by Telegram user id. `admins` are in the order of the setting."""

    def __init__(self, admins: Iterable[int], operators: Iterable[int] = ()) -> None:
        self.admins = tuple(dict.fromkeys(admins))
        self.operators = tuple(dict.fromkeys(user for user in operators if user not in self.admins))

    def role(self, user: int) -> Role | None:
        """Return what a person is here; None for a stranger."""
        if user in self.admins:
            return Role.ADMIN
        return Role.OPERATOR if user in self.operators else None

    def is_known(self, user: int) -> bool:
        """Tell whether the person may use the bot at all."""
        return self.role(user) is not None

    def is_admin(self, user: int) -> bool:
        """Tell whether the person may act on every account."""
        return user in self.admins

    def may(self, user: int, account: Account) -> bool:
        """Tell whether the person may see the account and act on it."""
        return user in self.admins or (user in self.operators and account.owner == user)


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
