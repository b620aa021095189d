"""Who is told what: the chats that get an account's card, and those that get its alerts."""

from controller.registry import Account
from handlers.chat.messages import Place
from handlers.chat.people import People


class Recipients:
    """alert_chat: where admins get all alerts; None means each admin's private chat.

    moved: groups that became supergroups, by their old ids; it may grow while this is used.
    """

    def __init__(self, people: People, alert_chat: int | None = None) -> None:
        self.moved: dict[int, int] = {}
        self._people = people
        self._alert_chats = (alert_chat,) if alert_chat is not None else people.admins

    def use_alert_chat(self, chat: int) -> None:
        """Let alerts go to this chat from now on."""
        self._alert_chats = (chat,)

    def of_card(self, account: Account) -> tuple[Place, ...]:
        """Return where the account's card is: with its operator, as long as they are known."""
        return (Place(account.owner),) if self._people.is_known(account.owner) else ()

    def of_alerts(self, account: Account) -> tuple[Place, ...]:
        """Return where the account's alerts go: to the admins, and to its operator."""
        chats = dict.fromkeys(place.chat for place in self.of_admins())
        if self._people.is_known(account.owner):
            chats[account.owner] = None
        return tuple(Place(chat) for chat in chats)

    def of_admins(self) -> tuple[Place, ...]:
        """Return where admins are told what concerns no single account."""
        return tuple(Place(self.moved.get(chat, chat)) for chat in self._alert_chats)
