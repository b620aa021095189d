"""What can be wrong with the controller itself or its host, and how people are told of it. Plain words only."""

from typing import Protocol

MEMORY = "memory_short"
PROCESSES = "processes_short"
DISK = "disk_full"
DATABASE = "database_read_only"
DEAF = "telegram_deaf"
"""What people write and press does not reach the program."""
UNREACHABLE = "whatsapp_unreachable"
BACKUP = "backup_failed"
NEW_BUILD = "new_build_fails"


class Troubles(Protocol):
    """Tells people. Never raises."""

    async def tell_trouble(self, reason: str, detail: str = "") -> None:
        """Tell that something is wrong. detail: one line."""

    async def tell_trouble_over(self, reason: str) -> None:
        """Tell that it is well again."""
