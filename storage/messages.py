"""Where the Telegram side's messages are. Never what a code was."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.database import Database


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message of ours. kind, key: what it is about; shown: a digest of what it says."""

    key: str
    chat: int
    topic: int | None
    message: int
    shown: str


class MessageStore:
    """The table of messages. Every method raises StorageError if it cannot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def kept(self, kind: str) -> Sequence[MessageRow]:
        """Return all of a kind, the oldest first."""
        rows = await self._database.rows(
            "SELECT key, chat, topic, message, shown FROM messages WHERE kind = ? ORDER BY id", (kind,)
        )
        return [MessageRow(row["key"], row["chat"], row["topic"], row["message"], row["shown"]) for row in rows]

    async def keep(self, kind: str, key: str, *, chat: int, topic: int | None, message: int, shown: str) -> None:
        """Keep one, in the place of what was kept for this kind, key and chat."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO messages (kind, key, chat, topic, message, shown) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (kind, key, chat) DO UPDATE SET topic = excluded.topic, message = excluded.message,"
                " shown = excluded.shown",
                (kind, key, chat, topic, message, shown),
            )

    async def forget(self, kind: str, key: str, *, chat: int, message: int | None = None) -> None:
        """Keep it no longer. message: only if it is this one that is kept."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM messages WHERE kind = ? AND key = ? AND chat = ? AND message = coalesce(?, message)",
                (kind, key, chat, message),
            )
