"""Recipients: the chats that get an account's card, and those that get its alerts."""

from controller.registry import Account
from handlers.chat.messages import Place
from handlers.chat.people import People, Role


class Recipients:
    """The alert chat is where admins get all alerts; until one is set, each gets them in their private chat.

    moved: groups that became supergroups, by their old ids; gone: chats that cannot be written to. Both change while
    this is used. Meanwhile, what an unreachable alert chat should get goes to the admins' private chats.
    """

    def __init__(self, people: People) -> None:
        self.moved: dict[int, int] = {}
        self.gone: set[int] = set()
        self._people = people
        self._alert_chat: int | None = None

    @property
    def alert_chat(self) -> int | None:
        """The chat where admins get all alerts, by its newest id; None without one."""
        return None if self._alert_chat is None else self.moved.get(self._alert_chat, self._alert_chat)

    def use_alert_chat(self, chat: int | None) -> None:
        """Set the alert chat; None for each admin's private chat."""
        self._alert_chat = chat

    def of_card(self, account: Account) -> tuple[Place, ...]:
        """Return the chat of the account's card: its operator's, as long as they have that role."""
        return (Place(account.owner),) if self._people.may(account.owner, account) else ()

    def may_act(self, chat: int, account: Account | None) -> bool:
        """Return whether a chat has buttons that act on an account, or on the controller itself (None)."""
        return chat < 0 or (self._people.is_admin(chat) if account is None else self._people.may(chat, account))

    def may_silence(self, chat: int) -> bool:
        """Return whether a chat has buttons that silence: viewers see and acknowledge only."""
        return chat < 0 or self._people.role(chat) is not Role.VIEWER

    def may_follow(self, chat: int, account: Account) -> bool:
        """Return whether the account's card may stay in a chat that requested it: a group, or a person with access."""
        return chat < 0 or self._people.may(chat, account)

    def of_alerts(self, account: Account) -> tuple[Place, ...]:
        """Return the chats of the account's alerts: the admins' and its operator's."""
        chats = dict.fromkeys(place.chat for place in self.of_admins())
        if self._people.may(account.owner, account):
            chats[account.owner] = None
        return tuple(Place(chat) for chat in chats)

    def of_admins(self) -> tuple[Place, ...]:
        """Return where admins are notified of what concerns no single account."""
        chat = self.alert_chat
        return self.in_private() if chat is None or chat in self.gone else (Place(chat),)

    @property
    def reaches_admins(self) -> bool:
        """Whether any chat where admins are notified can be written to."""
        return any(place.chat not in self.gone for place in self.of_admins())

    def of_operators(self) -> tuple[Place, ...]:
        """Return the operators' private chats that can be written to: for when no admin can be reached."""
        operators = [each.user for each in self._people.everybody if each.role is Role.OPERATOR]
        return tuple(Place(user) for user in operators if user not in self.gone)

    def name(self, chat: int) -> str:
        """Return the name of whose private chat it is; "" if unknown."""
        person = self._people.get(chat)
        return "" if person is None else person.name

    def in_private(self) -> tuple[Place, ...]:
        """Return the admins' private chats."""
        return tuple(Place(admin) for admin in self._people.admins)
