"""The controller is killed and started again: nothing runs twice meanwhile, and all accounts are back in time.

In a process of its own, since a cluster has one controller.
"""

import asyncio
import sys

import pytest

from controller.cluster.leases import Terms

pytest.importorskip("ray", reason="many machines need Ray: make cluster-test")
pytestmark = pytest.mark.timeout(400)

IN_TIME = Terms().fence + 15


class Controller:
    def __init__(self, process):
        self.process = process

    async def said(self, word, within):
        async with asyncio.timeout(within):
            while True:
                line = await self.process.stdout.readline()
                assert line, "it has ended"
                if line.split()[:1] == [word.encode()]:
                    return [float(part) for part in line.split()[1:]]

    async def kill(self):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def start(cluster):
    command = [sys.executable, "-m", "tests.cluster.controller", str(cluster.folder), cluster.address]
    return Controller(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))


async def test_a_killed_controller(cluster):
    first = await start(cluster)
    second = None
    try:
        await first.said("connected", 120)
        await first.kill()

        second = await start(cluster)
        (began,) = await second.said("started", 60)
        at, alerts, incidents = await second.said("connected", 120)
        assert at - began <= IN_TIME
        assert (alerts, incidents) == (0, 0)
        assert cluster.overlaps() == []
        assert all(len(spans) >= 2 for spans in cluster.spans().values()), "each ran under both controllers"
    finally:
        for one in (first, second):
            if one is not None:
                await one.kill()


async def test_a_controller_that_is_killed_again_and_again_never_runs_an_account_twice(cluster):
    for seconds in (2, 28, 31):  # before it places anything, amid its first launches, and a little later
        controller = await start(cluster)
        try:
            await controller.said("started", 60)
            await asyncio.sleep(seconds)
        finally:
            await controller.kill()
    last = await start(cluster)
    try:
        await last.said("connected", 120)
        assert cluster.overlaps() == []
    finally:
        await last.kill()
