"""What people chose from the chat: where alerts go, how loud each kind is in which chat, and quiet hours."""

from collections.abc import Sequence

from storage.database import Database


class ChoiceRecords:
    """The tables of choices. Every method raises StorageError if it cannot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def destination(self) -> tuple[int, int | None] | None:
        """Return the chat and the topic that alerts go to; None where nobody chose one."""
        rows = await self._database.rows("SELECT chat, topic FROM destination")
        return next(((row["chat"], row["topic"]) for row in rows), None)

    async def set_destination(self, chosen: tuple[int, int | None] | None) -> None:
        """Store where alerts go, by chat and topic; None for where the settings say."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM destination")
            if chosen is not None:
                await connection.execute("INSERT INTO destination (id, chat, topic) VALUES (1, ?, ?)", chosen)

    async def loudness(self) -> Sequence[tuple[int, str, str]]:
        """Return what was chosen: chat, kind of alert, loudness."""
        rows = await self._database.rows("SELECT chat, kind, loudness FROM loudness")
        return [(row["chat"], row["kind"], row["loudness"]) for row in rows]

    async def set_loudness(self, chat: int, kind: str, loudness: str) -> None:
        """Store how loud a kind of alert is in a chat."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT OR REPLACE INTO loudness (chat, kind, loudness) VALUES (?, ?, ?)", (chat, kind, loudness)
            )

    async def quiet_hours(self) -> Sequence[tuple[int, int, int]]:
        """Return chats with their quiet hours: the minutes of the day in which they begin and end."""
        rows = await self._database.rows("SELECT chat, begins, ends FROM quiet_hours")
        return [(row["chat"], row["begins"], row["ends"]) for row in rows]

    async def set_quiet_hours(self, chat: int, hours: tuple[int, int] | None) -> None:
        """Store a chat's quiet hours, None for none."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM quiet_hours WHERE chat = ?", (chat,))
            if hours is not None:
                await connection.execute(
                    "INSERT INTO quiet_hours (chat, begins, ends) VALUES (?, ?, ?)", (chat, *hours)
                )

    async def move_chat(self, chat: int, to: int) -> None:
        """Let a supergroup have what was chosen for the group that it was."""
        async with self._database.transaction() as connection:
            for table in ("destination", "loudness", "quiet_hours"):
                await connection.execute(
                    f"UPDATE OR REPLACE {table} SET chat = ? WHERE chat = ?",  # noqa: S608 - names of ours
                    (to, chat),
                )
