"""Loads of the page and verdicts on builds are read back as stored, and are bounded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.accounts.notices import BuildLoaded
from controller.registry import Account
from storage.accounts import AccountRecords
from storage.database import open_database
from storage.page_loads import BUILDS, LOADS, BuildRow, PageLoads

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
A, B = "+491511234567", "+4915112345999"
FIRST = BuildLoaded(A, NOW, "2.3000.1", frozenset({"stream", "chat list"}), frozenset({"conn"}))


async def test_loads_outlive_the_process_the_newest_first_and_each_account_s_apart(tmp_path):
    second = replace(FIRST, at=NOW + timedelta(hours=1), build="2.3000.2", missing=frozenset())
    async with open_database(tmp_path / "db") as database:
        for load in (FIRST, second, replace(FIRST, number=B)):
            await PageLoads(database).record(load)
    async with open_database(tmp_path / "db") as database:
        assert await AccountRecords(database).loads(A, 10) == [second, FIRST]
        assert await AccountRecords(database).loads(A, 1) == [second]


async def test_of_many_loads_the_oldest_go(tmp_path):
    async with open_database(tmp_path / "db") as database:
        loads = PageLoads(database)
        await loads.record(replace(FIRST, number=B))
        for at in range(LOADS + 5):
            await loads.record(replace(FIRST, at=NOW + timedelta(hours=at)))
        kept = await loads.loads(A, 1000)
        assert len(kept) == LOADS
        assert kept[-1].at == NOW + timedelta(hours=5)
        assert len(await loads.loads(B)) == 1


async def test_what_is_known_of_a_version_is_its_newest_verdict_and_too_many_are_forgotten(tmp_path):
    async with open_database(tmp_path / "db") as database:
        loads = PageLoads(database)
        await loads.judge("1", works=False, by=A, missing=frozenset({"conn"}), at=NOW)
        assert await loads.builds() == [BuildRow("1", works=False, by=A, missing=frozenset({"conn"}))]
        await loads.judge("1", works=True, by=A, missing=frozenset(), at=NOW)
        assert await loads.builds() == [BuildRow("1", works=True, by=A)]
        for at in range(BUILDS):
            await loads.judge(f"2.{at}", works=True, by=A, missing=frozenset(), at=NOW + timedelta(days=at + 1))
        assert len(await loads.builds()) == BUILDS
        assert "1" not in {row.build for row in await loads.builds()}


async def test_a_removed_account_leaves_none_of_it(tmp_path):
    async with open_database(tmp_path / "db") as database:
        loads, records = PageLoads(database), AccountRecords(database)
        await records.add_account(Account(A, "Support Berlin", 1))
        await loads.record(FIRST)
        await loads.judge("1", works=False, by=A, missing=frozenset(), at=NOW)
        await records.remove_account(A)
        assert await loads.loads(A) == []
        assert [row.by for row in await loads.builds()] == [""]
