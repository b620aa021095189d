"""Children that nobody waits for: no zombie stays and no exit code is lost, as a subreaper and as process 1."""

import os
import shutil
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, sys
from controller.host import reaper
reaper.SETTLE = 0.3

class Reaper(reaper.Reaper):
    reaped = 0

    def _reap(self, pids):
        super()._reap(pids)
        self.reaped += len(pids)

async def main():
    assert reaper.adopt_orphans()
    keeper = Reaper()
    running = asyncio.create_task(keeper.run())
    waited = [await asyncio.create_subprocess_exec("sh", "-c", f"sleep 0.{i}; exit {i}") for i in range(5)]
    for _ in range(20):  # a browser: its leader is gone before what it has started
        process = await asyncio.create_subprocess_exec("sh", "-c", "(setsid sleep 0.2 &) ; (sleep 0.3 &) ; exit 0")
        await process.wait()
    for _ in range(600):
        if keeper.reaped >= 40 and not reaper.zombies():
            break
        await asyncio.sleep(0.05)
    print(sorted(reaper.zombies()), keeper.reaped, [await process.wait() for process in waited])
    running.cancel()

asyncio.run(main())
"""
ENDED = "[] 40 [0, 1, 2, 3, 4]\n"


def test_what_lost_its_parent_is_adopted_and_reaped():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (ENDED, "")


def test_as_the_first_process_of_a_namespace():
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("only root can make a namespace of processes")
    command = [unshare, "-pf", "--mount-proc", sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (ENDED, "")
