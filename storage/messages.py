"""References to the Telegram messages that are kept up to date (cards, codes). Never a code itself."""

from collections.abc import Sequence

from controller.stored import MessageReference
from storage.database import Database


class MessageStore:
    """The table of message references. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def references(self, kind: str) -> Sequence[MessageReference]:
        """Return all references of a kind, oldest first."""
        rows = await self._database.rows(
            "SELECT key, chat, topic, message, shown FROM messages WHERE kind = ? ORDER BY id", (kind,)
        )
        return [MessageReference(row["key"], row["chat"], row["topic"], row["message"], row["shown"]) for row in rows]

    async def upsert(self, kind: str, *keys: str, chat: int, topic: int | None, message: int, shown: str) -> None:
        """Insert a reference for each key, replacing the one for the same kind, key and chat, in one transaction.

        The message is in the chat already.
        """
        sql = (
            "INSERT INTO messages (kind, key, chat, topic, message, shown) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, key, chat) DO UPDATE SET topic = excluded.topic, message = excluded.message,"
            " shown = excluded.shown"
        )
        rows = [(kind, key, chat, topic, message, shown) for key in keys]
        await self._database.write(lambda: [(sql, rows)], urgent=True)

    async def delete(self, kind: str, key: str, *, chat: int, message: int | None = None) -> None:
        """Delete a reference. message: only if it refers to this message."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM messages WHERE kind = ? AND key = ? AND chat = ? AND message = coalesce(?, message)",
                (kind, key, chat, message),
            )
