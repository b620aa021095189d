"""The keep-alives of all accounts are one line per minute."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

from controller.accounts.policy import Policy
from controller.launch_slots import LaunchSlots
from controller.manager import Manager
from switchboard.keep_alive_log import log_keep_alives
from tests.controller.fakes import FakeDriver
from tests.virtual_time import pass_time, virtual, virtual_loop


@virtual
async def test_twelve_accounts_are_one_line_a_minute(caplog):
    caplog.set_level(logging.INFO)
    manager = Manager(
        "+491511234567", driver=FakeDriver(), slots=LaunchSlots(1), policy=Policy(), listener=lambda _: None
    )
    clock = virtual_loop().clock
    status = manager.get_status()
    silent = 0

    def statuses():
        ago = [timedelta(seconds=20)] * (12 - silent) + [timedelta(seconds=200)] * silent
        return [replace(status, is_connected=True, last_activity=clock() - age) for age in ago] + [status]

    task = asyncio.create_task(log_keep_alives(statuses, 70, clock=clock))
    await pass_time(121)
    silent = 2
    await pass_time(60)
    task.cancel()
    await manager.stop()
    assert [record.getMessage() for record in caplog.records if "Keep-alive" in record.message] == [
        "Keep-alive heartbeat: 12 accounts, 12 answered",
        "Keep-alive heartbeat: 12 accounts, 12 answered",
        "Keep-alive heartbeat: 12 accounts, 10 answered",
    ]
