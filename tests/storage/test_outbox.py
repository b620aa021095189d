"""What is owed stays owed until it is settled, whatever happens in between."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from storage.database import open_database
from storage.outbox import Outbox

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=2)
CHAT, OTHER = 7, 8


@dataclass
class Owed:
    chat: int = CHAT
    kind: str = "alert"
    number: str = "+491511234567"
    body: str = "{}"
    at: datetime = NOW
    picture: bytes | None = None


async def claim(outbox: Outbox, at: datetime = NOW, chat: int = CHAT, limit: int = 10):
    return await outbox.claim(chat, ("alert", "over"), now=at, until=at + LEASE, limit=limit)


@pytest.fixture
async def outbox(tmp_path):
    async with open_database(tmp_path / "db") as database:
        yield Outbox(database)


async def test_rows_come_back_in_order_by_chat_and_kind(outbox):
    await outbox.put([Owed(body="1"), Owed(chat=OTHER), Owed(kind="note"), Owed(body="2", kind="over"), Owed(body="3")])
    assert [row.body for row in await claim(outbox, limit=2)] == ["1", "2"]
    assert [row.body for row in await claim(outbox)] == ["3"]
    assert await outbox.waiting() == [CHAT, OTHER]


async def test_a_claim_holds_until_its_lease_ends(outbox):
    await outbox.put([Owed()])
    (row,) = await claim(outbox)
    assert row.tries == 0
    assert await claim(outbox, NOW + LEASE / 2) == []
    (again,) = await claim(outbox, NOW + LEASE)
    assert (again.id, again.tries) == (row.id, 1)


async def test_a_claim_of_a_process_that_is_gone_is_taken_back(outbox):
    await outbox.put([Owed()])
    await claim(outbox)
    assert await outbox.release() == 1
    assert len(await claim(outbox)) == 1


async def test_settling_keeps_incidents_and_drops_rows_together(outbox):
    await outbox.put([Owed(), Owed()])
    first, second = await claim(outbox)
    await outbox.settle([first.id], [(1, CHAT, "one")])
    await outbox.settle([second.id], [(1, CHAT, "two"), (2, OTHER, "three")])
    assert await outbox.incidents() == [(1, CHAT, "two"), (2, OTHER, "three")]
    assert await outbox.waiting() == []
    await outbox.settle([], [], [1])
    assert await outbox.incidents() == [(2, OTHER, "three")]


async def test_what_a_silence_holds_back_comes_when_it_ends_or_is_ended(outbox):
    await outbox.put([Owed(body="1"), Owed(body="2")])
    rows = await claim(outbox)
    hour = NOW + timedelta(hours=1)
    await outbox.postpone([row.id for row in rows], hour)
    assert await claim(outbox) == []
    assert await outbox.has_waiting(CHAT, Owed.number, "alert")
    assert not await outbox.has_waiting(OTHER, Owed.number, "alert")
    assert [row.waited for row in await claim(outbox, hour, limit=1)] == [True]
    await outbox.hasten(NOW)
    assert [row.body for row in await claim(outbox)] == ["2"]


async def test_pictures_come_along(outbox):
    await outbox.put([Owed(picture=b"PNG")])
    (row,) = await claim(outbox)
    assert row.picture == b"PNG"


async def test_all_that_is_owed_moves_with_its_group(outbox):
    await outbox.put([Owed()])
    await claim(outbox)
    await outbox.add_silence(chat=CHAT, numbers="", until=NOW + LEASE, at=NOW, user=1, name="Ada", reason="moving")
    await outbox.move(CHAT, OTHER)
    await outbox.move(OTHER, 9)
    assert len(await claim(outbox, chat=9)) == 1
    assert [silence.chat for silence in await outbox.silences(NOW)] == [9]
    assert await outbox.moved() == {CHAT: 9, OTHER: 9}


async def test_silences_last_until_their_end(outbox):
    ids = [
        await outbox.add_silence(
            chat=chat, numbers=numbers, until=NOW + timedelta(hours=hours), at=NOW, user=1, name="Ada", reason="why"
        )
        for chat, numbers, hours in ((None, "", 1), (CHAT, "+491511234567", 2), (CHAT, "", 3))
    ]
    assert [silence.id for silence in await outbox.silences(NOW)] == ids
    await outbox.end_silence(ids[2])
    (left,) = await outbox.silences(NOW + timedelta(hours=1))
    assert (left.id, left.chat, left.numbers, left.name, left.reason) == (ids[1], CHAT, "+491511234567", "Ada", "why")


async def test_topics_are_kept_and_forgotten(outbox):
    await outbox.set_topic(CHAT, "+491511234567", 5)
    await outbox.set_topic(CHAT, "+491511234567", 6)
    await outbox.set_topic(OTHER, "+491511234567", 7)
    assert await outbox.topics(CHAT) == {"+491511234567": 6}
    await outbox.set_topic(CHAT, "+491511234567", None)
    assert await outbox.topics(CHAT) == {}


async def test_what_is_written_in_a_transaction_that_fails_is_not_owed(tmp_path):
    async with open_database(tmp_path / "db") as database:
        outbox = Outbox(database)
        with pytest.raises(RuntimeError):
            async with database.transaction() as connection:
                await outbox.write(connection, [Owed()])
                raise RuntimeError
        assert await outbox.waiting() == []
