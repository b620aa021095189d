"""A bench that is told to end leaves no process behind: one would spoil the next measurement."""

import signal
import subprocess
import sys

import psutil
import pytest

BENCH = """
import asyncio, subprocess, sys
from bench.ending import ends_children

async def measure():
    # A browser as Playwright starts it, in a session of its own, whose parent has died already, and a stubborn child.
    orphan = "trap '' TERM INT HUP; sleep 300 > /dev/null & echo $!"
    print(subprocess.run(["setsid", "sh", "-c", orphan], stdout=subprocess.PIPE).stdout.decode().strip())
    stubborn = "trap '' TERM INT HUP; exec sleep 300"
    print(subprocess.Popen(["sh", "-c", stubborn], stdout=subprocess.DEVNULL).pid, flush=True)
    try:
        await asyncio.sleep(300)
    finally:
        print("unwound", flush=True)

@ends_children()
def main():
    asyncio.run(measure())

main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_that_it_started_outlives_it(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", BENCH], stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        started = [psutil.Process(int(bench.stdout.readline())) for _ in range(2)]
        try:
            bench.send_signal(number)
            said, _ = bench.communicate(timeout=60)
            assert (bench.returncode, said) == (128 + number, "unwound\n")
            assert not any(process.is_running() for process in started)
        finally:
            for process in started:
                if process.is_running():
                    process.kill()
