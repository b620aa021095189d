"""Who is notified of what: the chats that get an account's card, and those that get its alerts."""

from controller.registry import Account
from handlers.chat.messages import Place
from handlers.chat.people import People


class Recipients:
    """The alert chat is where admins get all alerts; until one is in use, each gets them in their private chat.

    moved: groups that became supergroups, by their old ids; gone: chats that cannot be written to. Both change while
    this is used. What an alert chat that is gone should get goes to the admins' private chats meanwhile.
    """

    def __init__(self, people: People) -> None:
        self.moved: dict[int, int] = {}
        self.gone: set[int] = set()
        self._people = people
        self._alert_chat: int | None = None

    @property
    def alert_chat(self) -> int | None:
        """Where admins get all alerts, under its newest id; None without one."""
        return None if self._alert_chat is None else self.moved.get(self._alert_chat, self._alert_chat)

    def use_alert_chat(self, chat: int | None) -> None:
        """Let alerts go to this chat from now on; None for each admin's private chat."""
        self._alert_chat = chat

    def of_card(self, account: Account) -> tuple[Place, ...]:
        """Return where the account's card is: with its operator, as long as they are one."""
        return (Place(account.owner),) if self._people.may(account.owner, account) else ()

    def may_follow(self, chat: int, account: Account) -> bool:
        """Tell whether the account's card may stay in a chat where it was asked for: a group, or somebody's who may."""
        return chat < 0 or self._people.may(chat, account)

    def of_alerts(self, account: Account) -> tuple[Place, ...]:
        """Return where the account's alerts go: to the admins, and to its operator."""
        chats = dict.fromkeys(place.chat for place in self.of_admins())
        if self._people.may(account.owner, account):
            chats[account.owner] = None
        return tuple(Place(chat) for chat in chats)

    def of_admins(self) -> tuple[Place, ...]:
        """Return where admins are notified of what concerns no single account."""
        chat = self.alert_chat
        return self.in_private() if chat is None or chat in self.gone else (Place(chat),)

    def in_private(self) -> tuple[Place, ...]:
        """Return the admins' private chats."""
        return tuple(Place(admin) for admin in self._people.admins)
