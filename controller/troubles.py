"""Problems of the controller itself or its host, and how they are reported.

They are stored and alerted like the accounts' reasons, and have the same traits.
"""

from enum import StrEnum, unique
from typing import Protocol

from controller.accounts.reasons import TRAITS, Reason, Remedy, Traits


@unique
class Trouble(StrEnum):
    """A problem of the controller or its host. Stored in the database."""

    MEMORY = "memory_short"
    PROCESSES = "processes_short"
    DISK = "disk_full"
    DATABASE = "database_read_only"
    DEAF = "telegram_deaf"
    """Messages and button presses do not reach the program."""
    WEBHOOK = "telegram_webhook"
    """The same, since another program has set a webhook, which gets them."""
    UNREACHABLE = "whatsapp_unreachable"
    PROXY = "proxy_unreachable"
    """A proxy that accounts have of their own does not let them through."""
    BACKUP = "backup_failed"
    HOST_LOST = "host_lost"
    """One of many machines has not answered for a minute."""
    ARCHIVES = "archives_unreachable"
    """The store of archived profiles, for machines that share no folder, cannot be used."""
    NEW_BUILD = "new_build_fails"
    """A build of the page that was new did not work for the account that tried it."""


TROUBLE_TRAITS: dict[Trouble, Traits] = {
    Trouble.MEMORY: Traits(alert=True),
    Trouble.PROCESSES: Traits(alert=True),
    Trouble.DISK: Traits(alert=True, critical=True),
    Trouble.DATABASE: Traits(alert=True, critical=True),
    Trouble.DEAF: Traits(alert=True, critical=True),
    Trouble.WEBHOOK: Traits(alert=True, critical=True, remedy=Remedy.TAKE_WEBHOOK),
    Trouble.UNREACHABLE: Traits(alert=True),
    Trouble.PROXY: Traits(alert=True),
    Trouble.BACKUP: Traits(alert=True),
    Trouble.HOST_LOST: Traits(alert=True),
    Trouble.ARCHIVES: Traits(alert=True),
    Trouble.NEW_BUILD: Traits(alert=True, remedy=Remedy.GO_ON),
}
"""The traits of every trouble."""


def traits_of(word: str) -> Traits:
    """Return the traits of a stored reason or trouble; no traits for a value of another version."""
    if word in TROUBLE_TRAITS:
        return TROUBLE_TRAITS[Trouble(word)]
    return TRAITS[Reason(word)] if word in TRAITS else Traits()


class Troubles(Protocol):
    """Reports problems to people. Methods never raise."""

    async def raise_trouble(self, reason: Trouble, detail: str = "") -> None:
        """Report a problem. detail: one line."""

    async def clear_trouble(self, reason: Trouble) -> None:
        """Report that the problem is over."""
