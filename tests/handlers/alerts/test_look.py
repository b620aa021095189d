"""Proof that alerts are being processed: each worker examines its book on request, or reports that it has ended."""

import asyncio

import pytest

from controller.accounts.reasons import Reason, State
from tests.handlers.conftest import Rig
from tests.handlers.fakes import BERLIN

WITHIN = 10.0


async def test_every_worker_looks_anew(rig: Rig):
    async with asyncio.timeout(WITHIN):
        await rig.service.alerts.look()
        await rig.service.alerts.look()


async def test_a_worker_that_waits_for_a_telegram_that_is_away_is_no_worker_that_hangs(rig: Rig):
    away = rig.client.fail("502", method="sendMessage")
    rig.accounts.put(BERLIN)
    rig.accounts.move(BERLIN, State.DISCONNECTED, Reason.LOGGED_OUT, alert=Reason.LOGGED_OUT)
    await rig.client.wait_for(lambda: away.hits or None, WITHIN)
    async with asyncio.timeout(WITHIN):
        await rig.service.alerts.look()
    rig.client.heal()


async def test_a_worker_that_has_ended_is_named(rig: Rig):
    worker = next(iter(rig.service.alerts._workers.values()))
    worker.task.cancel()
    await asyncio.gather(worker.task, return_exceptions=True)

    with pytest.raises(RuntimeError, match="the worker of a chat has ended"):
        await rig.service.alerts.look()
