"""How many transactions an alert takes: each is a wait for the disk, and a point at which to be killed."""

import asyncio

import pytest

from controller.accounts.reasons import Reason, State
from tests.handlers.alerts.test_alerts import greet, log_out
from tests.handlers.conftest import running_rig
from tests.handlers.fakes import ADMIN, BERLIN
from tests.waiting import until


@pytest.fixture
def writes(database):
    """The transactions that were begun: whether each goes ahead of what waits."""
    begun, transaction = [], database._transaction

    def counted(*, urgent=False):
        begun.append(urgent)
        return transaction(urgent=urgent)

    database._transaction = counted
    return begun


async def settled(rig) -> None:
    await until(lambda: rig.service.alerts.drain(5), "all is sent")


async def answered(database) -> bool:
    ((waiting,),) = await database.rows("SELECT count(*) FROM inbox WHERE done_at IS NULL")
    return waiting == 0


async def test_an_alert_takes_three_transactions_and_its_recovery_two(telegram, database, writes):
    async with running_rig(telegram, database, admins=(ADMIN,)) as rig:
        await greet(rig, ADMIN)
        rig.accounts.put(linked=True)
        await settled(rig)

        before = len(writes)
        log_out(rig)
        await rig.seen(ADMIN, lambda m: "🚨" in m["text"])
        await settled(rig)
        assert writes[before:] == [False, False, True], "stored with its transition, marked; sent, which a kill undoes"

        before = len(writes)
        rig.accounts.move(BERLIN, State.CONNECTED, Reason.LINKED)
        await rig.seen(ADMIN, lambda m: m["text"].startswith("✅ Support Berlin connected at"))
        await settled(rig)
        assert len(writes) - before <= 2, "stored with its transition, edited"


async def test_nothing_is_written_where_nothing_happens(telegram, database, writes):
    async with running_rig(telegram, database, admins=(ADMIN,)) as rig:
        await greet(rig, ADMIN)
        await until(lambda: answered(database), "the greeting is stored as answered")
        before = len(writes)
        rig.service.alerts._wake_all()
        await settled(rig)
        await asyncio.sleep(600)
        assert len(writes) == before
