"""References to messages are read back as stored."""

from controller.stored import MessageReference
from storage.database import open_database
from storage.messages import MessageStore


async def test_references_are_kept_by_kind_key_and_chat(tmp_path):
    async with open_database(tmp_path / "db") as database:
        chats = MessageStore(database)
        await chats.upsert("card", "a", chat=1, topic=None, message=10, shown="x")
        await chats.upsert("card", "a", chat=2, topic=5, message=11, shown="x")
        await chats.upsert("code", "a", chat=1, topic=None, message=12, shown="")
        await chats.upsert("card", "a", chat=1, topic=None, message=10, shown="y")
        assert await chats.references("card") == [
            MessageReference("a", 1, None, 10, "y"),
            MessageReference("a", 2, 5, 11, "x"),
        ]
        await chats.delete("card", "a", chat=1)
        assert await chats.references("card") == [MessageReference("a", 2, 5, 11, "x")]
    async with open_database(tmp_path / "db") as database:
        assert await MessageStore(database).references("code") == [MessageReference("a", 1, None, 12, "")]


async def test_a_reference_is_forgotten_only_while_it_is_that_message(tmp_path):
    async with open_database(tmp_path / "db") as database:
        chats = MessageStore(database)
        await chats.upsert("code", "a", chat=1, topic=None, message=11, shown="")
        await chats.delete("code", "a", chat=1, message=10)
        assert await chats.references("code") == [MessageReference("a", 1, None, 11, "")]
        await chats.delete("code", "a", chat=1, message=11)
        assert await chats.references("code") == []


async def test_the_references_of_a_shared_message_are_stored_at_once(tmp_path):
    async with open_database(tmp_path / "db") as database:
        chats = MessageStore(database)
        await chats.upsert("card", "a", "b", chat=1, topic=None, message=10, shown="x")
        assert await chats.references("card") == [
            MessageReference("a", 1, None, 10, "x"),
            MessageReference("b", 1, None, 10, "x"),
        ]
