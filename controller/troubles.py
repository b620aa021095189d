"""What can be wrong with the controller itself or its host, and how people are told of it.

Troubles stand in the database and in alerts beside the accounts' reasons, and have the same traits.
"""

from enum import StrEnum, unique
from typing import Protocol

from controller.accounts.reasons import TRAITS, Reason, Remedy, Traits


@unique
class Trouble(StrEnum):
    """What is wrong. It stands in the database."""

    MEMORY = "memory_short"
    PROCESSES = "processes_short"
    DISK = "disk_full"
    DATABASE = "database_read_only"
    DEAF = "telegram_deaf"
    """What people write and press does not reach the program."""
    UNREACHABLE = "whatsapp_unreachable"
    BACKUP = "backup_failed"
    NEW_BUILD = "new_build_fails"
    """A version of the page that was met for the first time did not work for the account that met it."""


TROUBLE_TRAITS: dict[Trouble, Traits] = {
    Trouble.MEMORY: Traits(alert=True),
    Trouble.PROCESSES: Traits(alert=True),
    Trouble.DISK: Traits(alert=True, critical=True),
    Trouble.DATABASE: Traits(alert=True, critical=True),
    Trouble.DEAF: Traits(alert=True, critical=True),
    Trouble.UNREACHABLE: Traits(alert=True),
    Trouble.BACKUP: Traits(alert=True),
    Trouble.NEW_BUILD: Traits(alert=True, remedy=Remedy.GO_ON),
}
"""What each trouble means: every one there is."""


def traits_of(word: str) -> Traits:
    """Return what a reason or a trouble means, given as its word; none at all for a word of another version."""
    if word in TROUBLE_TRAITS:
        return TROUBLE_TRAITS[Trouble(word)]
    return TRAITS[Reason(word)] if word in TRAITS else Traits()


class Troubles(Protocol):
    """Tells people. Never raises."""

    async def tell_trouble(self, reason: Trouble, detail: str = "") -> None:
        """Tell that something is wrong. detail: one line."""

    async def tell_trouble_over(self, reason: Trouble) -> None:
        """Tell that it is well again."""
