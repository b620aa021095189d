"""Settings made in the chat: where alerts go, how loud each kind is in each chat, and quiet hours."""

from collections.abc import Sequence

from storage.database import Database


class ChatSettingRecords:
    """The tables of these settings. Every method raises StorageError on failure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def destination(self) -> tuple[int, int | None] | None:
        """Return the chat and topic chosen for alerts; None if nobody chose one."""
        rows = await self._database.rows("SELECT chat, topic FROM destination")
        return next(((row["chat"], row["topic"]) for row in rows), None)

    async def set_destination(self, chosen: tuple[int, int | None] | None) -> None:
        """Store the chat and topic for alerts; None restores the default from the settings."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM destination")
            if chosen is not None:
                await connection.execute("INSERT INTO destination (id, chat, topic) VALUES (1, ?, ?)", chosen)

    async def loudness(self) -> Sequence[tuple[int, str, str]]:
        """Return (chat, kind of alert, loudness) for everything that was chosen."""
        rows = await self._database.rows("SELECT chat, kind, loudness FROM loudness")
        return [(row["chat"], row["kind"], row["loudness"]) for row in rows]

    async def set_loudness(self, chat: int, kind: str, loudness: str) -> None:
        """Store how loud a kind of alert is in a chat."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT OR REPLACE INTO loudness (chat, kind, loudness) VALUES (?, ?, ?)", (chat, kind, loudness)
            )

    async def quiet_hours(self) -> Sequence[tuple[int, int, int]]:
        """Return (chat, start, end) of all quiet hours, in minutes of the day."""
        rows = await self._database.rows("SELECT chat, begins, ends FROM quiet_hours")
        return [(row["chat"], row["begins"], row["ends"]) for row in rows]

    async def set_quiet_hours(self, chat: int, hours: tuple[int, int] | None) -> None:
        """Store a chat's quiet hours; None removes them."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM quiet_hours WHERE chat = ?", (chat,))
            if hours is not None:
                await connection.execute(
                    "INSERT INTO quiet_hours (chat, begins, ends) VALUES (?, ?, ?)", (chat, *hours)
                )

    async def feeds(self) -> Sequence[tuple[int, str]]:
        """Return (chat, words), one to a line, of every chat in which a feed was chosen or turned off."""
        return [(row["chat"], row["words"]) for row in await self._database.rows("SELECT chat, words FROM feeds")]

    async def set_feed(self, chat: int, words: str) -> None:
        """Store which accounts a chat's feed lists, by words, one to a line."""
        async with self._database.transaction() as connection:
            await connection.execute("INSERT OR REPLACE INTO feeds (chat, words) VALUES (?, ?)", (chat, words))

    async def move_chat(self, chat: int, to: int) -> None:
        """Carry a group's settings over to the supergroup it became."""
        async with self._database.transaction() as connection:
            for table in ("destination", "loudness", "quiet_hours", "feeds"):
                await connection.execute(
                    f"UPDATE OR REPLACE {table} SET chat = ? WHERE chat = ?",  # noqa: S608 - names of ours
                    (to, chat),
                )
